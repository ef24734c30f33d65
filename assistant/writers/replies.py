"""What a chat model said, read as sentences with their proof; nothing of it is trusted.

Promise: pure. Whatever comes in, what goes out is a bounded number of short plain texts, or None: not readable.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from knowledge.plaintext import plain_text
from knowledge.sentences import split_sentences

LONGEST_REPLY: Final = 20_000  # characters; an answer has a tenth of that
MOST_SENTENCES: Final = 12
LONGEST_SENTENCE: Final = 500  # characters
_LINE: Final = re.compile(
    r"\s*[\[(]?(?P<passage>\d{1,3})[\])]?\s*\|\s*(?P<quote>.+?)\s*\|\s*(?P<text>[^|]+?)\s*"
)
_OPENED: Final = re.compile(r'\{\s*"sentences"\s*:\s*\[\s*')
_BETWEEN: Final = re.compile(r"\s*,\s*")
_DECODER: Final = json.JSONDecoder()
_NONE: Final = re.compile(r"\W*(?:none|keine)\W*", re.IGNORECASE)
_QUOTATION_MARKS: Final = "\"'“”„»«"


@dataclass(frozen=True)
class Proposed:
    text: str  # one sentence, plain
    passage: int | None  # 1-based; None where it is no number
    quote: str
    part: str = ""  # of the text, as the model names it


def proposals_of(reply: str) -> list[Proposed] | None:
    """None where the reply is not in a form that was asked for; an empty list says that nothing answers."""
    if len(reply) > LONGEST_REPLY:
        return None
    rows = _rows(reply)
    return None if rows is None else _proposed(rows)


def proposals_so_far(reply: str) -> list[Proposed]:
    """Of a reply that still grows: what is whole in it. As it grows, more come behind these."""
    start = reply.find("{")
    if start >= 0:
        return _proposed(_whole_rows(reply[start:]))
    whole, _break, _rest = reply.rpartition("\n")
    return _proposed(_rows_of_lines(whole))


def _proposed(rows: Sequence[Any]) -> list[Proposed]:
    found: list[Proposed] = []
    for row in rows[:MOST_SENTENCES]:
        if not isinstance(row, dict):
            continue
        text, quote = row.get("text"), row.get("quote")
        if not isinstance(text, str) or not isinstance(quote, str):
            continue
        plain = as_plain(text)
        # Two sentences under one quote are two claims.
        found.extend(
            Proposed(
                plain[start:end], _number(row.get("passage")), quote.strip(), str(row.get("part", ""))[:20]
            )
            for start, end in split_sentences(plain)
        )
    return found[:MOST_SENTENCES]


def as_plain(text: str) -> str:
    """One line without markup, and without characters that nobody sees or that turn a line around."""
    visible = "".join(
        " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign
        for sign in text
        if unicodedata.category(sign) not in ("Cf", "Cs", "Co", "Cn")
    )
    once = plain_text(" ".join(visible.split()), list_markers=False)
    return " ".join(plain_text(once, list_markers=False).split())  # what was escaped the first time


def _rows(reply: str) -> list[Any] | None:
    start, end = reply.find("{"), reply.rfind("}")
    if 0 <= start < end:
        try:
            read = json.loads(reply[start : end + 1])
        except (ValueError, RecursionError):
            read = None
        rows = read.get("sentences") if isinstance(read, dict) else None
        if isinstance(rows, list):
            return rows
        if isinstance(read, dict):
            return None
    if _NONE.fullmatch(reply):
        return []
    return _rows_of_lines(reply) or None


def _rows_of_lines(reply: str) -> list[dict[str, Any]]:
    lines = [_LINE.fullmatch(line) for line in reply.splitlines()]
    return [
        {
            "text": line["text"],
            "passage": int(line["passage"]),
            "quote": line["quote"].strip(_QUOTATION_MARKS),
        }
        for line in lines
        if line is not None
    ]


def _whole_rows(reply: str) -> list[Any]:
    """The rows that are closed already, of JSON that is not."""
    opened = _OPENED.match(reply)
    if opened is None:
        return []
    rows: list[Any] = []
    at = opened.end()
    while len(rows) < MOST_SENTENCES:
        try:
            row, at = _DECODER.raw_decode(reply, at)
        except (ValueError, RecursionError):
            break
        # A number or a word may go on; an object and a list are whole with their last bracket.
        if not isinstance(row, dict | list):
            break
        rows.append(row)
        following = _BETWEEN.match(reply, at)
        if following is None:
            break
        at = following.end()
    return rows


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip("[]() ").isdecimal() and len(value) < 8:
        return int(value.strip("[]() "))
    return value if isinstance(value, int) and abs(value) < 1000 else None
