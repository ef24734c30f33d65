"""Finds the weights of the mix on labelled questions, and says what a mix is worth beside the usual baselines.

Promise: deterministic; a mix is judged by the very values that `knowledge.fusion.fuse` orders by. Used by commands,
never while a question waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from knowledge.fusion import Candidate, Mix, Signals, signals_of, values_of

_LEXICAL_GRID: Final = tuple(round(0.15 + 0.05 * step, 2) for step in range(14))
_HEADING_GRID: Final = (0.0, 0.1, 0.15, 0.2, 0.3)
_UNIT_GRID: Final = (0.0, 0.15, 0.3, 0.45, 0.6)
_NEARNESS_GRID: Final = (0.0, 0.25, 0.5)
_RELATIVE_GRID: Final = (0.0, 0.5, 1.0)
_SMOOTHING: Final = 2  # steps of the lexical grid to either side
_OTHER_VOTE: Final = 0.5  # of a corpus in another language than the one fitted
_SHORTFALL: Final = (
    2.0  # what falling short of a corpus's best baseline costs, against the same gain elsewhere
)
_RANK_CONSTANT: Final = 60  # of reciprocal-rank fusion
_FIXED_MIX: Final = 0.6  # weight of the cosine in the plain mix of standardised values


@dataclass(frozen=True, slots=True)
class LabelledPool:
    """The candidates of one question whose right articles are known."""

    corpus: str  # every corpus weighs the same in a fit, however many questions it has
    language: str  # of question and articles
    candidates: tuple[Candidate, ...]
    article_ids: frozenset[int]
    mass: float | None = None  # > 0, idf mass of the question; None: the pool's best BM25 stands in for it


@dataclass(frozen=True, slots=True)
class Measured:
    """Quality of an order at article level."""

    questions: int
    hit_at_1: float  # 0..1
    hit_at_5: float  # 0..1
    mean_reciprocal_rank: float  # 0..1


def fit(pools: Sequence[LabelledPool], *, language: str) -> Mix:
    """The mix for a language: see `Grid.best`. Raises ValueError without a labelled question that has candidates."""
    return Grid(pools).best(language)


def leave_one_corpus_out(pools: Sequence[LabelledPool]) -> dict[str, tuple[Mix, Measured]]:
    """For each corpus the mix fitted on the others for its language, and what it is worth on this one."""
    grid = Grid(pools)
    results: dict[str, tuple[Mix, Measured]] = {}
    for corpus in sorted({pool.corpus for pool in pools}):
        own = [pool for pool in pools if pool.corpus == corpus]
        mix = grid.best(own[0].language, without=corpus)
        results[corpus] = (mix, measure(own, mix))
    return results


class Grid:
    """Every mix of the grid on every corpus, measured once."""

    def __init__(self, pools: Sequence[LabelledPool]) -> None:
        self._language = {pool.corpus: pool.language for pool in pools}
        kept = [pool for pool in pools if pool.candidates]
        if not kept:
            raise ValueError("a fit needs at least one labelled question with candidates")
        signals = [signal for pool in kept for signal in pool.candidates]
        has_mass = all(pool.mass for pool in kept)
        self._axes = (
            _UNIT_GRID if any(one.unit_cosine is not None for one in signals) else (0.0,),
            _HEADING_GRID if any(one.heading_cosine is not None for one in signals) else (0.0,),
            _RELATIVE_GRID if has_mass else (0.0,),
            _NEARNESS_GRID if has_mass and any(one.nearness for one in signals) else (0.0,),
            _LEXICAL_GRID,
        )
        self._gains: dict[str, NDArray[np.float64]] = {}  # by corpus, of every mix
        self._shortfalls: dict[str, NDArray[np.float64]] = {}  # of its gain behind the best baseline's
        self._misses: dict[str, NDArray[np.float64]] = {}  # of its hit@1 behind the best baseline's
        for corpus in sorted(self._language):
            own = [pool for pool in kept if pool.corpus == corpus]
            if own:
                prepared = _Pools.of(own)
                baselines = [_worth(prepared.ranks_by(one)) for one in BASELINES.values()]
                hits, gains = (
                    np.array(figures).reshape(self._shape)
                    for figures in zip(
                        *(_worth(prepared.ranks(self._mix(place))) for place in np.ndindex(*self._shape)),
                        strict=True,
                    )
                )
                self._gains[corpus] = gains
                self._shortfalls[corpus] = np.maximum(0.0, max(gain for _hits, gain in baselines) - gains)
                self._misses[corpus] = np.maximum(0.0, max(hit for hit, _gain in baselines) - hits)

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(len(axis) for axis in self._axes)

    def _mix(self, place: Sequence[int]) -> Mix:
        units, headings, relative, nearness, lexical = (
            axis[index] for axis, index in zip(self._axes, place, strict=True)
        )
        return Mix(lexical, headings, units, nearness, relative)

    def best(self, language: str, *, without: str = "") -> Mix:
        """Best mean over corpora of hit@1 and reciprocal rank, less twice what falls short of the best baseline.

        Among the mixes that find no right article less often than the best baseline of any corpus of the language
        (where there is none, of those that miss least). Corpora of other languages take part with half a vote,
        `without` takes none, and the curve over the lexical weight is smoothed: with a handful of corpora the raw
        optimum of one language belongs to its labels and fails on the corpus left out (docs/quality-research.md).
        """
        total, missed = np.zeros(self._shape), np.zeros(self._shape)
        votes = 0.0
        for corpus, gains in self._gains.items():
            if corpus != without:
                is_own = self._language[corpus] == language
                vote = 1.0 if is_own else _OTHER_VOTE
                total += vote * (gains - _SHORTFALL * self._shortfalls[corpus])
                missed += is_own * self._misses[corpus]
                votes += vote
        if not votes:
            raise ValueError("a fit needs a corpus that it is not to be tried on")
        width = ((0, 0),) * (total.ndim - 1) + ((_SMOOTHING, _SMOOTHING),)
        padded = np.pad(total / votes, width, mode="edge")
        smooth = sliding_window_view(padded, 2 * _SMOOTHING + 1, axis=-1).mean(axis=-1)
        smooth = np.where(missed <= missed.min() + 1e-9, smooth, -np.inf)
        equals = np.argwhere(smooth >= smooth.max() - 1e-9)
        return self._mix(equals[len(equals) // 2].tolist())


def measure(pools: Sequence[LabelledPool], mix: Mix | Baseline) -> Measured:
    """What a mix is worth on labelled questions; a right article outside the pool counts as not found."""
    if not pools:
        return Measured(0, 0.0, 0.0, 0.0)
    prepared = _Pools.of([pool for pool in pools if pool.candidates])
    ranks = prepared.ranks(mix) if isinstance(mix, Mix) else prepared.ranks_by(mix)
    return Measured(
        questions=len(pools),
        hit_at_1=float(np.sum(ranks <= 1)) / len(pools),
        hit_at_5=float(np.sum(ranks <= 5)) / len(pools),
        mean_reciprocal_rank=float(np.sum(1.0 / ranks)) / len(pools),
    )


Baseline: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def _reciprocal_ranks(cosine: NDArray[np.float64], bm25: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros(len(cosine))
    for signal in (cosine, bm25):
        places = np.argsort(np.argsort(-signal, kind="stable"), kind="stable")
        total += np.where((signal is cosine) | (signal > 0), 1.0 / (_RANK_CONSTANT + 1 + places), 0.0)
    return total


def _fixed_mix(cosine: NDArray[np.float64], bm25: NDArray[np.float64]) -> NDArray[np.float64]:
    def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((values - values.mean()) / (values.std() or 1.0))

    return _FIXED_MIX * standardised(cosine) + (1 - _FIXED_MIX) * standardised(bm25)


# What the mix has to beat, from the cosines of passages and BM25 of one question each: (candidates,) -> values.
BASELINES: Final[Mapping[str, Baseline]] = {
    "dense": lambda cosine, _bm25: cosine,
    "BM25": lambda _cosine, bm25: bm25,
    "RRF": _reciprocal_ranks,
    "0.6 mix": _fixed_mix,
}


@dataclass(frozen=True)
class _Pools:
    """Many pools end to end, so that a mix is tried on all of them at once; sorted by pool and article."""

    signals: Signals
    candidates: NDArray[np.int64]  # (pools,) where each pool's candidates begin
    articles: NDArray[np.int64]  # (articles,) where each article's candidates begin
    pool_of: NDArray[np.int64]  # (articles,)
    is_right: NDArray[np.bool_]  # (articles,)
    starts: NDArray[np.int64]  # (pools,) where each pool's articles begin

    @classmethod
    def of(cls, pools: Sequence[LabelledPool]) -> Self:
        """None of `pools` may be empty."""
        parts: list[Signals] = []
        articles: list[int] = []
        pool_of: list[int] = []
        is_right: list[bool] = []
        begins: list[int] = []
        seen = 0
        for number, pool in enumerate(pools):
            of_each = np.array([candidate.article_id for candidate in pool.candidates])
            order = np.argsort(of_each, kind="stable")
            parts.append(signals_of(pool.candidates, pool.mass).ordered(order))
            ids, begin = np.unique(of_each[order], return_index=True)
            articles.extend((seen + begin).tolist())
            pool_of.extend([number] * len(ids))
            is_right.extend(article_id in pool.article_ids for article_id in ids.tolist())
            begins.append(seen)
            seen += len(order)
        of_pool = np.array(pool_of, dtype=np.int64)
        return cls(
            signals=Signals.joined(parts),
            candidates=np.array(begins, dtype=np.int64),
            articles=np.array(articles, dtype=np.int64),
            pool_of=of_pool,
            is_right=np.array(is_right, dtype=bool),
            starts=np.searchsorted(of_pool, np.arange(len(pools))),
        )

    def ranks(self, mix: Mix) -> NDArray[np.float64]:
        """(pools,), 1-based places of the first right article; infinite when none is in the pool."""
        return self._places(values_of(self.signals, mix)) if len(self.starts) else np.zeros(0)

    def ranks_by(self, baseline: Baseline) -> NDArray[np.float64]:
        if not len(self.starts):
            return np.zeros(0)
        ends = [*self.candidates[1:].tolist(), len(self.signals.cosine)]
        parts = [
            baseline(self.signals.cosine[start:end], self.signals.bm25[start:end])
            for start, end in zip(self.candidates.tolist(), ends, strict=True)
        ]
        return self._places(np.concatenate(parts))

    def _places(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        best = np.maximum.reduceat(values, self.articles)
        right = np.maximum.reduceat(np.where(self.is_right, best, -np.inf), self.starts)
        # Equal values count against the mix: an order that ids decide is no merit.
        is_before = ~self.is_right & (best >= right[self.pool_of])
        ranks = 1.0 + np.add.reduceat(is_before.astype(np.float64), self.starts)
        return np.where(np.isfinite(right), ranks, np.inf)


def _worth(ranks: NDArray[np.float64]) -> tuple[float, float]:
    """hit@1, and the mean of it and the mean reciprocal rank."""
    hits = float(np.mean(ranks <= 1))
    return hits, (hits + float(np.mean(1.0 / ranks))) / 2
