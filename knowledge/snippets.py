"""The part of a text that shows why it was found, with the searched words marked.

Pure: text in, segments out; the template escapes them. Refuses to decide whether a text is relevant.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from knowledge.text import normalise, terms

SNIPPET_LENGTH: Final = 200  # characters
_LEAD: Final = 50  # characters shown before the first marked word
_SHORTEST_PART: Final = 4  # letters; a shorter searched word is not looked for inside longer ones
_WORD: Final = re.compile(r"\w+(?:[-:*]\w+)*")


@dataclass(frozen=True)
class Segment:
    text: str
    is_match: bool


@dataclass(frozen=True)
class _Match:
    start: int
    end: int
    term: str


def highlighted(text: str, query: str, language: str) -> list[Segment]:
    """The whole text, with words of the query marked."""
    return _segments(text, _matches(text, query, language))


def begun(text: str, typed: str) -> list[Segment]:
    """The whole text, with the typed beginnings of its words marked, as far as they were typed."""
    beginnings = sorted((normalise(word.group()) for word in _WORD.finditer(typed)), key=len, reverse=True)
    matches = []
    for word in _WORD.finditer(text):
        folded = normalise(word.group())
        found = next((one for one in beginnings if folded.startswith(one)), "")
        if found:
            # Folding may lengthen a word (ß); then the whole of it is marked.
            is_even = len(folded) == len(word.group())
            end = word.start() + len(found) if is_even else word.end()
            matches.append(_Match(word.start(), end, found))
    return _segments(text, matches)


def snippet(text: str, query: str, language: str, *, length: int = SNIPPET_LENGTH) -> list[Segment]:
    """The stretch of the text that holds most of the different words of the query; its beginning if none."""
    text = " ".join(text.split())
    matches = _matches(text, query, language)
    start = 0
    if matches:
        best = max(matches, key=lambda match: (_variety(matches, match.start, length - _LEAD), -match.start))
        start = _word_start(text, best.start - _LEAD)
    end = _word_end(text, start + length)
    inside = [
        _Match(match.start - start, match.end - start, match.term)
        for match in matches
        if match.start >= start and match.end <= end
    ]
    segments = _segments(text[start:end], inside)
    if start > 0:
        segments.insert(0, Segment("… ", is_match=False))
    if end < len(text):
        segments.append(Segment("\u00a0…", is_match=False))
    return segments


def _matches(text: str, query: str, language: str) -> list[_Match]:
    wanted = set(terms(query, language))
    parts = tuple(term for term in wanted if len(term) >= _SHORTEST_PART)
    found = []
    for word in _WORD.finditer(text):
        term = _wanted_term(word.group(), wanted, parts, language)
        if term:
            found.append(_Match(word.start(), word.end(), term))
    return found


def _wanted_term(word: str, wanted: Iterable[str], parts: Sequence[str], language: str) -> str:
    for term in terms(word, language):
        if term in wanted:
            return term
    folded = normalise(word)  # German compounds: "Akku" is in "Akkustand"
    return next((part for part in parts if part in folded), "")


def _variety(matches: Sequence[_Match], start: int, length: int) -> int:
    return len({match.term for match in matches if start <= match.start and match.end <= start + length})


def _word_start(text: str, position: int) -> int:
    if position <= 0:
        return 0
    space = text.find(" ", position)
    return position if space < 0 else space + 1


def _word_end(text: str, position: int) -> int:
    if position >= len(text):
        return len(text)
    space = text.rfind(" ", 0, position)
    return position if space < 0 else space


def _segments(text: str, matches: Sequence[_Match]) -> list[Segment]:
    segments = []
    position = 0
    for match in matches:
        if match.start > position:
            segments.append(Segment(text[position : match.start], is_match=False))
        segments.append(Segment(text[match.start : match.end], is_match=True))
        position = match.end
    if position < len(text):
        segments.append(Segment(text[position:], is_match=False))
    return segments
