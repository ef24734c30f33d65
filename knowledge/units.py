"""The smallest parts of a passage that say something: a sentence, a list item, a table row, a code block.

Promise: `split_units` is pure, and its units are in order, never overlap and together cover every readable word of
the text. It decides what a vector of its own is kept for, so whoever reads those vectors splits the same text again.

Refuses to decide which unit answers a question.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from knowledge.blocks import Block, BlockKind, parse_sections
from knowledge.plaintext import plain_text
from knowledge.sentences import split_sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VECTORS = 64  # of one passage's units, the first ones; only tables of single words have more
_MADE_OF_PARTS = frozenset([BlockKind.LIST, BlockKind.TABLE])


@dataclass(frozen=True, slots=True)
class Unit:
    start: int  # character offsets into the text
    end: int
    block: int  # 0-based number of the block that it is a part of
    is_prose: bool  # a sentence; False: part of a list or table, or code


def split_units(text: str) -> list[Unit]:
    """Headings inside a passage belong to no unit; of a passage that is a heading there are none."""
    return [unit for unit in _all_units(text) if text[unit.start : unit.end].strip()]


def _all_units(text: str) -> Iterator[Unit]:
    number = 0
    for section in parse_sections(text):
        for block in section.blocks:
            for start, end in _parts(text, block):
                yield Unit(start, end, number, block.kind is BlockKind.PARAGRAPH)
            number += 1


def _parts(text: str, block: Block) -> list[tuple[int, int]]:
    if block.kind is BlockKind.PARAGRAPH:
        found = split_sentences(text[block.start : block.end])
        return [(block.start + start, block.start + end) for start, end in found]
    if block.kind in _MADE_OF_PARTS and block.children:
        return [(child.start, child.end) for child in block.children]
    return [(block.start, block.end)]


def places_in(embedded: str, text: str, units: Sequence[Unit], *, after: int) -> list[tuple[int, int] | None]:
    """Where each unit stands in what the model reads, which has no markup; None where it cannot be told.

    `after` is the length of what stands in front of the text there.
    """
    places: list[tuple[int, int] | None] = []
    cursor = after
    for unit in units:
        plain = plain_text(text[unit.start : unit.end], list_markers=False)
        start = embedded.find(plain, cursor) if plain else -1
        if start < 0:
            places.append(None)
            continue
        cursor = start + len(plain)
        places.append((start, cursor))
    return places


def rows_to_int8(rows: "NDArray[np.float32]") -> bytes:
    """Directions in a quarter of the space: each row stretched so that its largest value is 127."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=1e-12)
    return bytes(np.rint(rows / largest * 127).astype(np.int8).tobytes())


def unit_cosines(question: "NDArray[np.float32]", stored: bytes) -> "NDArray[np.float32]":
    """Cosine of the question to each stored unit, (units,); empty where none are stored."""
    rows = np.frombuffer(stored, dtype=np.int8).reshape(-1, len(question)).astype(np.float32)
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    return np.asarray(rows @ question / lengths, dtype=np.float32)
