"""Orders the candidates of one question by everything that is known about them.

Pure: vectors, words and candidates in, an order out. Retrieval feeds it from the database, measuring from memory, so
what is measured is what customers get. It does not decide who may see a passage, nor whether the best is good enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from knowledge.followups import UNKNOWN_ANSWER, Signs
from knowledge.fusion import Candidate, FusionWeights, default_weights, fuse
from knowledge.lexical import LexicalIndex, QuestionTerm
from knowledge.units import unit_cosines

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reading:
    """A question in one wording, as an index reads it."""

    text: str
    terms: tuple[QuestionTerm, ...]
    vector: "NDArray[np.float32] | None"  # (dimension,), unit length; None: there is no model

    @property
    def mass(self) -> float:
        """idf mass of its words, >= 0."""
        return sum(term.mass for term in self.terms)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a candidate: float32 vectors of unit length, int8 directions of its units."""

    article_id: int
    vector: bytes
    heading: bytes
    units: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate in its place, with its signals for the wording that counted most."""

    candidate: Candidate
    fused: float  # orders the passages of this question, never a threshold
    unit_cosines: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Order:
    reading: Reading  # the wording that counted most
    placed: tuple[Placed, ...]  # best first
    history: float  # 0..1, share of the wording with the history


def order(
    readings: Sequence[Reading],
    stored: Mapping[int, Stored],
    lexical: LexicalIndex,
    *,
    language: str,
    is_other_language: bool,
    last_answer: Sequence[QuestionTerm] = (),
    weights: FusionWeights | None = None,
) -> Order:
    """`readings` are the question alone and, after a history, together with it."""
    weights = weights or default_weights()
    ids = sorted(stored)
    found = [signals_of(reading, ids, stored, lexical, is_other_language) for reading in readings]
    values = [
        ranking_values(reading, [candidate for candidate, _units in signals], language, weights)
        for reading, signals in zip(readings, found, strict=True)
    ]
    share = 0.0
    if len(readings) > 1 and ids:
        share = weights.follow_ups.share(signs_of(values[0], values[1], stored, lexical, last_answer))
    fused = {key: (1 - share) * values[0][key] + share * values[-1][key] for key in ids}
    leading = 1 if share >= 0.5 else 0
    signals = dict(zip(ids, found[leading], strict=True))
    best_first = sorted(ids, key=lambda key: (-fused[key], key))
    return Order(
        reading=readings[leading],
        placed=tuple(Placed(signals[key][0], fused[key], signals[key][1]) for key in best_first),
        history=share,
    )


def ranking_values(
    reading: Reading, candidates: Sequence[Candidate], language: str, weights: FusionWeights
) -> dict[int, float]:
    """By passage id."""
    ranked = fuse(candidates, language=language, mass=reading.mass or None, weights=weights)
    return {entry.passage_id: entry.fused for entry in ranked}


def signs_of(
    alone: Mapping[int, float],
    together: Mapping[int, float],
    stored: Mapping[int, Stored],
    lexical: LexicalIndex,
    last_answer: Sequence[QuestionTerm],
) -> Signs:
    """From the ranking values of the question alone and with its history, of the same passages, at least one."""
    first = stored[max(together, key=lambda key: (together[key], -key))].article_id
    members = [key for key, one in stored.items() if one.article_id == first]
    best = lexical.search(last_answer, 1)
    there = max((value or 0.0 for value in lexical.scores(last_answer, members)), default=0.0)
    return Signs(
        better_together=max(together.values()) - max(alone.values()),
        fits_alone=max(alone[key] for key in members) - max(alone.values()),
        in_last_answer=there / best[0][1] if best else UNKNOWN_ANSWER,
    )


def signals_of(
    reading: Reading,
    ids: Sequence[int],
    stored: Mapping[int, Stored],
    lexical: LexicalIndex,
    is_other_language: bool,
) -> list[tuple[Candidate, tuple[float, ...]]]:
    """The candidates `ids` with all signals, and the cosines of their units, in that order."""
    vector = reading.vector
    cosines = _cosines(vector, [stored[key].vector for key in ids])
    headings = _cosines(vector, [stored[key].heading for key in ids])
    units = _unit_cosines(vector, [stored[key].units for key in ids])
    # Across languages BM25 finds names, numbers and translations; fusion gives it its own weight there.
    bm25 = lexical.scores(reading.terms, ids)
    nearness = lexical.nearness(reading.terms, ids)
    return [
        (
            Candidate(
                key,
                stored[key].article_id,
                cosine=cosine,
                bm25=value,
                is_other_language=is_other_language,
                heading_cosine=heading,
                unit_cosine=max(of_units, default=None),
                nearness=near,
            ),
            of_units,
        )
        for key, cosine, value, heading, of_units, near in zip(
            ids, cosines, bm25, headings, units, nearness, strict=True
        )
    ]


def _cosines(vector: "NDArray[np.float32] | None", stored: Sequence[bytes]) -> list[float | None]:
    if vector is None or not stored:
        return [None] * len(stored)
    rows = np.frombuffer(b"".join(stored), dtype="<f4").reshape(len(stored), -1)
    return [float(value) for value in rows @ vector]


def _unit_cosines(vector: "NDArray[np.float32] | None", stored: Sequence[bytes]) -> list[tuple[float, ...]]:
    """Of each passage's units; all in one multiplication, because a pool has hundreds."""
    if vector is None:
        return [()] * len(stored)
    cosines = unit_cosines(vector, b"".join(stored)).tolist()
    ends = np.cumsum([len(raw) // len(vector) for raw in stored]).tolist()
    return [tuple(cosines[start:end]) for start, end in pairwise([0, *ends])]
