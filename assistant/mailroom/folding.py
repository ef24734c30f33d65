"""What is new in a mail: parted from what it quotes and from its signature.

Promise: nothing is dropped. The pieces, joined, are the text line by line; only how they are shown differs. Where
the writer answers between the quoted lines, short quotes stay beside their answers, which mean nothing without.
What a mail forwards is a part of what it says and no quote.

Refuses to guess where no mail program has left a mark: a greeting with a name and an address below it is text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

_SHORT_QUOTE_LINES = 6  # between answers: what an answer refers to
_ATTRIBUTION_LINES = 4  # over which mail programs break "On …, … wrote:"
_BLOCK_LINES = 8  # within which the header of a quoted mail ends


class Kind(StrEnum):
    TEXT = "text"
    QUOTE = "quote"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Piece:
    kind: Kind
    text: str


@dataclass(frozen=True)
class Folded:
    pieces: tuple[Piece, ...]

    @property
    def new(self) -> str:
        """What is to be read; empty where there is nothing but quotes and signature."""
        texts = [index for index, piece in enumerate(self.pieces) if piece.kind == Kind.TEXT]
        if not texts:
            return ""
        shown = []
        is_between = len(texts) > 1
        for index, piece in enumerate(self.pieces):
            if piece.kind == Kind.TEXT:
                shown.append(piece.text)
            elif (
                piece.kind == Kind.QUOTE
                and is_between
                and index < texts[-1]
                and _quoted_lines(piece.text) <= _SHORT_QUOTE_LINES
            ):
                shown.append(_without_attribution(piece.text))
        return "\n\n".join(_trimmed(part) for part in shown if part.strip())

    @property
    def quoted(self) -> str:
        return "\n\n".join(piece.text.strip("\n") for piece in self.pieces if piece.kind == Kind.QUOTE)

    @property
    def signature(self) -> str:
        return "\n\n".join(piece.text.strip("\n") for piece in self.pieces if piece.kind == Kind.SIGNATURE)


_QUOTED = re.compile(r"\s{0,3}(?:>|\|\s)")
_DAY_OR_TIME = re.compile(r"\d{1,2}[:.]\d{2}|\b(?:19|20)\d\d\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
# Attributions, in the order of the languages customers write in here; a line break may stand anywhere.
_ATTRIBUTION = re.compile(
    r"(?:"
    r"(?:on|am|le|el|op|il|den)\b.{6,300}?\b(?:wrote|writes|schrieb(?:\s.{0,150})?|geschrieben|a écrit|escribió|schreef"
    r"|ha scritto|skrev)\s?:"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d.{3,150}:"
    r")\s*",
    re.IGNORECASE | re.DOTALL,
)
# Without a day in front it could be a sentence: only on one line, and only where marked quotes follow.
_LOOSE_ATTRIBUTION = re.compile(r".{3,200}?\b(?:wrote|schrieb|hat geschrieben)\b.{0,120}:\s*", re.IGNORECASE)
_DIVIDER = re.compile(
    r"\s*[-_‐–—]{2,}\s*(?:original[ -]?(?:message|nachricht|mail)|ursprüngliche (?:nachricht|mail)|reply message"
    r"|antwort|original-nachricht|urspr\. nachricht)\s*[-_‐–—]{0,}\s*",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*_{20,}\s*")
_FORWARD = re.compile(
    r"\s*(?:[-_‐–—]{2,}\s*(?:forwarded|weitergeleitete)\s(?:message|nachricht|mail)\s*[-_‐–—]*"
    r"|begin forwarded message:|anfang der weitergeleiteten (?:nachricht|e-mail):)\s*",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"\s*\*?(?P<name>from|von|sent|gesendet|date|datum|to|an|subject|betreff|cc|kopie|reply-to|antwort an|importance"
    r"|priorität)\s*:\*?\s*(?P<value>.*)",
    re.IGNORECASE,
)
_FIELDS = {
    "from": "from",
    "von": "from",
    "sent": "sent",
    "gesendet": "sent",
    "date": "sent",
    "datum": "sent",
    "to": "to",
    "an": "to",
    "subject": "subject",
    "betreff": "subject",
}
_SIGNATURE = re.compile(r"--\s?|—\s?|__\s?")
_MOBILE = re.compile(
    r"\s*(?:"
    r"sent from my .{2,40}|sent from (?:outlook|mail|yahoo|proton|samsung|gmail|aol).{0,60}|get outlook for .{2,30}"
    r"|sent with .{2,60}|sent via .{2,40}"
    r"|von meinem .{2,40} gesendet|gesendet von (?:meinem|outlook|mail|mobile|yahoo|unterwegs).{0,60}"
    r"|gesendet mit (?:der )?.{2,60}|gesendet (?:über|aus) .{2,60}"
    r"|outlook für .{2,30} (?:herunterladen|beziehen|abrufen)"
    r"|diese nachricht wurde (?:von|mit) .{2,80} gesendet"
    r")\.?(?:\s*\(https?://\S+\)|\s*<https?://\S+>)?\s*",
    re.IGNORECASE,
)


def fold(text: str) -> Folded:
    """Takes text with \\n between its lines, quotes marked by ">" or by the header of the quoted mail."""
    lines = text.split("\n")
    kinds = [Kind.TEXT] * len(lines)
    is_forward_from = _forward(lines)
    end = len(lines) if is_forward_from is None else is_forward_from
    _mark_quotes(lines, kinds, end)
    _mark_signatures(lines, kinds, end)
    return Folded(tuple(_pieces(lines, kinds)))


def _forward(lines: Sequence[str]) -> int | None:
    """The line from which everything is forwarded, unless it is quoted itself."""
    for index, line in enumerate(lines):
        if _FORWARD.fullmatch(line):
            return index
        if _is_block(lines, index) or _DIVIDER.fullmatch(line):
            return None  # what an earlier mail forwarded is quoted like the rest of it
    return None


def _mark_quotes(lines: Sequence[str], kinds: list[Kind], end: int) -> None:
    index = 0
    while index < end:
        line = lines[index]
        if _QUOTED.match(line):
            kinds[index] = Kind.QUOTE
        elif _starts_the_rest(lines, index):
            kinds[index:end] = [Kind.QUOTE] * (end - index)
            return
        elif (length := _attribution(lines, index, end)) > 0:
            kinds[index : index + length] = [Kind.QUOTE] * length
            index += length
            if not _quote_follows(lines, index, end):
                # No marks: the mail program quotes everything below.
                kinds[index:end] = [Kind.QUOTE] * (end - index)
                return
            while index < end and not lines[index].strip():
                kinds[index] = Kind.QUOTE
                index += 1
            continue
        elif (
            not line.strip()
            and index
            and kinds[index - 1] == Kind.QUOTE
            and _quote_follows(lines, index, end)
        ):
            kinds[index] = Kind.QUOTE
        index += 1


def _starts_the_rest(lines: Sequence[str], index: int) -> bool:
    """Below is only what the mail answers: the header of a mail, or a divider above one."""
    line = lines[index]
    if _DIVIDER.fullmatch(line):
        return True
    if _RULE.fullmatch(line):
        following = next((at for at in range(index + 1, len(lines)) if lines[at].strip()), None)
        return following is not None and _is_block(lines, following)
    return _is_block(lines, index)


def _is_block(lines: Sequence[str], index: int) -> bool:
    """Whether the header of a quoted mail begins here: From or Sent, with two others right below."""
    first = _FIELD.fullmatch(lines[index])
    if first is None or _FIELDS.get(first["name"].lower()) not in ("from", "sent"):
        return False
    found = set()
    for line in lines[index : index + _BLOCK_LINES]:
        field = _FIELD.fullmatch(line)
        if field is not None and (name := _FIELDS.get(field["name"].lower())):
            found.add(name)
    return "from" in found and len(found) >= 3


def _attribution(lines: Sequence[str], index: int, end: int) -> int:
    """How many lines "On …, … wrote:" takes from here; 0 where none begins."""
    if not lines[index].strip():
        return 0
    for length in range(1, _ATTRIBUTION_LINES + 1):
        part = lines[index : min(index + length, end)]
        if len(part) < length or not part[-1].strip():
            return 0
        joined = " ".join(line.strip() for line in part)
        if len(joined) > 500:
            return 0
        if length == 1 and _LOOSE_ATTRIBUTION.fullmatch(joined) and _quote_follows(lines, index + 1, end):
            return 1
        if joined.endswith(":") and _ATTRIBUTION.fullmatch(joined):
            after = index + length
            has_moment = bool(_DAY_OR_TIME.search(joined))
            if _quote_follows(lines, after, end) or (has_moment and _is_last_word(lines, after, end)):
                return length
    return 0


def _quote_follows(lines: Sequence[str], index: int, end: int) -> bool:
    for line in lines[index:end]:
        if line.strip():
            return bool(_QUOTED.match(line))
    return False


def _is_last_word(lines: Sequence[str], index: int, end: int) -> bool:
    """Nothing below is marked as a quote, so that all of it is one, and there is something."""
    rest = lines[index:end]
    return any(line.strip() for line in rest) and not any(_QUOTED.match(line) for line in rest)


def _mark_signatures(lines: Sequence[str], kinds: list[Kind], end: int) -> None:
    for start, stop in _runs(kinds[:end], Kind.TEXT):
        for index in range(start, stop):
            if _SIGNATURE.fullmatch(lines[index]) and (index > start or stop < end or start == 0):
                kinds[index:stop] = [Kind.SIGNATURE] * (stop - index)
                break
        else:
            last = stop
            while last > start and (not lines[last - 1].strip() or _MOBILE.fullmatch(lines[last - 1])):
                last -= 1
            if any(lines[index].strip() for index in range(last, stop)):
                kinds[last:stop] = [Kind.SIGNATURE] * (stop - last)


def _runs(kinds: Sequence[Kind], kind: Kind) -> list[tuple[int, int]]:
    runs = []
    start = None
    for index, one in enumerate([*kinds, None]):
        if one == kind and start is None:
            start = index
        elif one != kind and start is not None:
            runs.append((start, index))
            start = None
    return runs


def _pieces(lines: Sequence[str], kinds: Sequence[Kind]) -> Iterator[Piece]:
    start = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or kinds[index] != kinds[start]:
            text = "\n".join(lines[start:index])
            # Empty lines between two quotes belong to neither.
            if text.strip():
                yield Piece(kinds[start], text)
            start = index


def _trimmed(text: str) -> str:
    """Without empty lines around it."""
    return re.sub(r"\A(?:[ \t]*\n)+|\s+\Z", "", text)


def _quoted_lines(text: str) -> int:
    return sum(bool(line.strip("> \t")) for line in _without_attribution(text).split("\n"))


def _without_attribution(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if _QUOTED.match(line))
