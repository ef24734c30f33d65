"""Cutting one block that alone is too large for a chunk.

Promise: the pieces are in order, every readable word lies in one of them, none costs more than the room
given, and a cut falls on the gentlest boundary that is enough: a line of code or an element of HTML, then a
sentence, then a word, and within a word only where the word alone is too large. No cut falls inside an HTML
tag or a link target.

Refuses to decide: what is too large, and which blocks have parts of their own (`knowledge.chunking`).
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from knowledge.blocks import BlockKind
from knowledge.sentences import split_sentences

Piece: TypeAlias = tuple[int, int, int]  # start, end, tokens
SpanCost: TypeAlias = Callable[[int, int], int]  # tokens of text[start:end]; 0 where there is nothing to read
Cutter: TypeAlias = Callable[[str, int, int], Iterator[int]]

_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,2000}>")
_UNBREAKABLE = re.compile(r"!?\[[^\[\]]{0,200}\]\([^()\n]{1,2000}\)|\]\([^()\n]{1,2000}\)|`[^`\n]{1,300}`")
_LINE = re.compile(r"\n[^\S\n]*(?=\S)")
_ELEMENT_END = re.compile(
    r"(?:</(?:p|div|li|tr|table|ul|ol|h[1-6]|section|article|blockquote|dd|dt|pre|summary|details)\s*>|<br\s*/?>)\s*",
    re.IGNORECASE,
)
_WORD_START = re.compile(r"(?<=\s)\S")
# Pieces are planned a little smaller than the room, because tokens are not spread evenly over characters.
_PLANNED_SHARE = 0.85


def cut_block(body: str, start: int, end: int, kind: BlockKind, *, cost: SpanCost, room: int) -> list[Piece]:
    """Pieces of `body[start:end]` as offsets into the body, each with its cost."""
    text = body[start:end]
    without_tags = _TAG.sub(lambda found: " " * len(found[0]), text)
    masked = _UNBREAKABLE.sub(lambda found: "x" * len(found[0]), without_tags)
    cutters: dict[BlockKind, Sequence[tuple[Cutter, str]]] = {
        BlockKind.CODE: ((_lines, text), (_sentences, text)),
        BlockKind.HTML: ((_elements, text), (_sentences, masked)),
    }
    levels = cutters.get(kind, ((_sentences, masked),))

    def span_cost(first: int, last: int) -> int:
        return cost(start + first, start + last)

    return [
        (start + first, start + last, tokens)
        for first, last, tokens in _cut(text, masked, 0, len(text), levels, span_cost, room)
    ]


def middle_of(text: str) -> int:
    """Where to halve a text: at the word nearest to its middle, or in the middle of its only word."""
    return _cut_near(text, 0, len(text), len(text) // 2, len(text) // 2)


def _cut(
    text: str,
    masked: str,
    start: int,
    end: int,
    levels: Sequence[tuple[Cutter, str]],
    cost: SpanCost,
    room: int,
) -> Iterator[Piece]:
    start, end = _trim(text, start, end)
    if start == end:
        return
    tokens = cost(start, end)
    if tokens <= room or end - start == 1:
        if tokens:
            yield start, end, tokens
        return
    if levels:
        cutter, source = levels[0]
        cuts = [start, *cutter(source, start, end), end]
        levels = levels[1:]
    else:
        cuts = _even_cuts(masked, start, end, math.ceil(tokens / (room * _PLANNED_SHARE)))
    for first, last in pairwise(cuts):
        yield from _cut(text, masked, first, last, levels, cost, room)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    end = start + len(text[start:end].rstrip())
    return end - len(text[start:end].lstrip()), end


def _lines(text: str, start: int, end: int) -> Iterator[int]:
    for found in _LINE.finditer(text, start, end):
        yield found.start() + 1


def _elements(text: str, start: int, end: int) -> Iterator[int]:
    for found in _ELEMENT_END.finditer(text, start, end):
        yield found.end()


def _sentences(text: str, start: int, end: int) -> Iterator[int]:
    for first, _ in split_sentences(text[start:end])[1:]:
        yield start + first


def _even_cuts(masked: str, start: int, end: int, parts: int) -> list[int]:
    parts = min(max(parts, 2), end - start)
    step = (end - start) / parts
    wanted = (start + round(step * part) for part in range(1, parts))
    cuts = {_cut_near(masked, start, end, position, round(step)) for position in wanted}
    return [start, *sorted(cuts), end]


def _cut_near(masked: str, start: int, end: int, wanted: int, reach: int) -> int:
    """The word start nearest before `wanted`, else the next one after it, else `wanted` itself."""
    low, high = max(start + 1, wanted - reach), min(end, wanted + reach)
    before = [found.start() for found in _WORD_START.finditer(masked, low, min(wanted + 1, end))]
    if before:
        return before[-1]
    after = _WORD_START.search(masked, wanted, high)
    return after.start() if after else min(max(wanted, start + 1), end - 1)
