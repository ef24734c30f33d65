"""Which English token a German token stands for: IBM Model 1.

Brown, Della Pietra, Della Pietra & Mercer 1993, "The Mathematics of Statistical Machine Translation", §4.1–4.2:
every English token of a pair comes from one of the German tokens, each choice as likely as another; EM finds
p(English token | German token). No order, no empty word.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

EM_ROUNDS = 5
MOST_TOKENS = 48  # a side; what is longer is cut, because every German token meets every English one
_LINKS_A_BLOCK = 4_000_000  # what one step of EM holds in memory at a time


@dataclass(frozen=True)
class Translations:
    """p(English token | German token) for all pairs of tokens that ever met, sorted by German token."""

    german: NDArray[np.int32]  # (n,) token ids
    english: NDArray[np.int32]  # (n,) token ids
    probability: NDArray[np.float64]  # (n,), 0..1; sums to 1 over the English tokens of a German one


def align(
    german: Sequence[Sequence[int]],
    english: Sequence[Sequence[int]],
    *,
    rounds: int = EM_ROUNDS,
    progress: Callable[[int], None] = lambda _round: None,
) -> Translations:
    """EM over parallel sentences given as token ids, without special tokens. Deterministic."""
    links = _Links(german, english)
    probability = np.ones(len(links.german), dtype=np.float32)
    for number in range(1, rounds + 1):
        counts = np.zeros(len(probability), dtype=np.float64)
        for start, end in links.blocks:
            cell, place = links.cell[start:end], links.place[start:end]
            weight = probability[cell]
            first = place[0]
            share = weight / np.bincount(place - first, weights=weight)[place - first]
            counts += np.bincount(cell, weights=share, minlength=len(counts))
        totals = np.bincount(links.german, weights=counts)
        probability = (counts / totals[links.german]).astype(np.float32)
        progress(number)
    return Translations(links.german, links.english, probability.astype(np.float64))


class _Links:
    """Every meeting of a German and an English token in a pair, and the cell (their kinds) it counts for."""

    german: NDArray[np.int32]  # (cells,)
    english: NDArray[np.int32]  # (cells,)
    cell: NDArray[np.int32]  # (links,), in the order of the pairs
    place: NDArray[np.int32]  # (links,), which English token of the text a link explains; ascending by pair
    blocks: list[tuple[int, int]]  # of links; no pair is in two

    def __init__(self, german: Sequence[Sequence[int]], english: Sequence[Sequence[int]]) -> None:
        pairs = [
            (one[:MOST_TOKENS], other[:MOST_TOKENS])
            for one, other in zip(german, english, strict=True)
            if one and other
        ]
        lengths = np.array([(len(one), len(other)) for one, other in pairs], dtype=np.int64).reshape(-1, 2)
        flat_german = np.fromiter(chain.from_iterable(one for one, _other in pairs), np.int32)
        flat_english = np.fromiter(chain.from_iterable(other for _one, other in pairs), np.int32)
        # A pair of m German and n English tokens has m * n links, German token by German token.
        width = np.repeat(lengths[:, 1], lengths[:, 0])  # of the English side, for every German token
        first = np.repeat(np.cumsum(lengths[:, 1]) - lengths[:, 1], lengths[:, 0])
        total = int(width.sum())
        within = np.arange(total, dtype=np.int64) - np.repeat(np.cumsum(width) - width, width)
        self.place = (np.repeat(first, width) + within).astype(np.int32)
        german_of = np.repeat(flat_german, width)
        english_of = flat_english[self.place]
        self.cell, self.german, self.english = _cells(german_of, english_of)
        ends = np.cumsum(lengths.prod(axis=1))
        # The end of the pair in which each block's share of the links is used up.
        shares = np.arange(_LINKS_A_BLOCK, total + _LINKS_A_BLOCK, _LINKS_A_BLOCK)
        cuts = np.unique(np.searchsorted(ends, shares).clip(max=len(ends) - 1)) if total else ends
        self.blocks = list(pairwise([0, *ends[cuts].tolist()]))


def _cells(
    german: NDArray[np.int32], english: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The cell of every link, and the German and English token of every cell; German token by German token.

    One sort by German token and many small ones: a sort of all links by both takes minutes.
    """
    order = np.argsort(german, kind="stable")
    kinds, starts = np.unique(german[order], return_index=True)
    cell = np.empty(len(german), dtype=np.int32)
    of_english: list[NDArray[np.int32]] = []
    sizes: list[int] = []
    offset = 0
    for start, end in pairwise([*starts.tolist(), len(german)]):
        links = order[start:end]
        found, inverse = np.unique(english[links], return_inverse=True)
        cell[links] = inverse + offset
        of_english.append(found)
        sizes.append(len(found))
        offset += len(found)
    return cell, np.repeat(kinds, sizes), np.concatenate(of_english) if of_english else english[:0]
