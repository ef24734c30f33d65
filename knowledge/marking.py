"""A stretch of an article's source, found again in its HTML.

Markdown has no way from a character of the source to a place on the page. So two characters that the text does not
hold are set around the stretch, rendered along like any letter, and looked for in the HTML: between them every run of
text gets its mark. Where such a character would change how the source is read (before a list's dash, inside an
address), the caller sees that in the HTML and takes the next of the places offered here.

Pure. Refuses to decide what is safe: the HTML goes through the sanitiser afterwards.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

PLACES: Final = 5  # tried for each end

_PRIVATE_USE: Final = range(0xE000, 0xE800)
# What opens a line or a word in Markdown, and is no text: quotes, list marks, headings, cells, emphasis.
_OPENING: Final = re.compile(r"(?:[\s>|*_`~\[(!#-]|(?<![^\n>\s])\d{1,9}[.)](?=\s)|<[^<>\n]*>|\+(?=\s))*")
_CLOSING: Final = " \t\r\n|*_`~"
_CLOSING_TAG: Final = re.compile(r"</[^<>\n]{0,80}>\Z")
_QUOTING: Final = re.compile(r"""["'*_`~(\[]*""")  # a sign beside it would turn the quotation mark around
_QUOTING_BACKWARDS: Final = re.compile(r"""[.,;:!?"'*_`~)\]]*""")
_WORD: Final = re.compile(r"(?<=[\s(])\w")
_WORD_END: Final = re.compile(r"\w(?=[\s.,;:!?)])")
_PIECES: Final = re.compile(r"(<[^>]*>)")


def two_signs(text: str) -> tuple[str, str]:
    """Characters for the ends that the text itself does not hold."""
    unused = (chr(code) for code in _PRIVATE_USE if chr(code) not in text)
    first, second = islice(unused, 2)
    return first, second


def starts(text: str, start: int, end: int) -> Iterator[int]:
    """Places for the first sign, the likeliest first."""
    first = _end_of(_OPENING, text, start, end)
    inside = _end_of(_QUOTING, text, first, end)
    words = (one.start() for one in _WORD.finditer(text, inside + 1, end))
    yield from islice(dict.fromkeys(chain((first, inside), words)), PLACES)


def ends(text: str, start: int, end: int) -> Iterator[int]:
    """Places for the last sign, the likeliest first."""
    last = start + len(_without_closing(text[start:end]))
    mirrored = text[start:end][::-1]
    inside = end - _end_of(_QUOTING_BACKWARDS, mirrored, end - last, end - start)
    words = reversed([start + one.end() for one in _WORD_END.finditer(text[start:inside])])
    yield from islice(dict.fromkeys(chain((last, inside), words)), PLACES)


def _without_closing(text: str) -> str:
    text = text.rstrip(_CLOSING)
    while found := _CLOSING_TAG.search(text, max(0, len(text) - 90)):
        text = text[: found.start()].rstrip(_CLOSING)
    return text


def _end_of(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    found = pattern.match(text, start, end)
    return found.end() if found else start


def wrap(html: str, signs: tuple[str, str], *, mark_id: str) -> str | None:
    """The HTML with every run of text between the signs in a `<mark>`; None where they do not stand in its text."""
    opening, closing = signs
    if html.count(opening) != 1 or html.count(closing) != 1:
        return None
    wrapped: list[str] = []
    is_inside = False
    marks = 0
    for piece in _PIECES.split(html):
        if piece.startswith("<"):
            if opening in piece or closing in piece:
                return None
            wrapped.append(piece)
            continue
        before, sign, rest = piece.partition(opening)
        if sign:
            wrapped.append(before)
            piece, is_inside = rest, True
        inside, end_sign, after = piece.partition(closing)
        if end_sign and not is_inside:
            return None
        if not is_inside:
            wrapped.append(piece)
            continue
        if inside.strip():
            identity = f' id="{mark_id}"' if not marks else ""
            wrapped.append(f"<mark{identity}>{inside}</mark>")
            marks += 1
        else:
            wrapped.append(inside)
        if end_sign:
            wrapped.append(after)
            is_inside = False
    return "".join(wrapped) if marks else None
