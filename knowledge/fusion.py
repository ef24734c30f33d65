"""Mix lexical and semantic evidence into one order of passages and articles.

Promise: pure and deterministic; the same candidates in any order give the same ranking. The fused value
orders the passages of one question and nothing else: it is no probability, and values of two questions do not
compare.

Refuses to decide whether the best passage is good enough (confidence does), who may see a passage (retrieval
filters before), and its own weights: `fit` finds them on labelled questions, and `fusion_defaults.json` keeps
them with their provenance.

Method: a linear mix over the union of both retrievers' candidates, every candidate with all signals, in the manner of
Bruch, Gai & Ingber 2023 ("An Analysis of Fusion Functions for Hybrid Retrieval"), who find it ahead of reciprocal-rank
fusion (Cormack, Clarke & Büttcher 2009). Cosines stay on their own scale. BM25 is put in relation to how far both
signals spread over the pool, to what the question's words could give at most, or between, as the fit finds it.
docs/quality-research.md has what each part is worth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from knowledge.followups import Leaning

DEFAULTS_FILE: Final = Path(__file__).with_name("fusion_defaults.json")
_ANY: Final = ""  # the key of the mix for a language nobody fitted

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
_NO_DEVIATION: Final = 1e-6
_RANK_CONSTANT: Final = 60  # of reciprocal-rank fusion
_FIXED_MIX: Final = 0.6  # weight of the cosine in the plain mix of standardised values


@dataclass(frozen=True, slots=True)
class Candidate:
    """One passage of the union of both retrievers, with both signals where they exist."""

    passage_id: int
    article_id: int
    cosine: float | None  # -1..1; None: no vector, or no semantic search on this site
    bm25: float | None  # >= 0; None: no lexical index for the passage's language
    is_other_language: bool = False  # the passage is not in the question's language
    heading_cosine: float | None = None  # -1..1, of title and heading path alone; None: not embedded
    unit_cosine: float | None = None  # -1..1, of its nearest sentence, item or row; None: not embedded
    nearness: float = 0.0  # >= 0, idf mass of the question's neighbours that stand together in it


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate in its place."""

    passage_id: int
    article_id: int
    fused: float  # orders the passages of this question, never a threshold


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a candidate's ranking value is made of; its sum."""

    meaning: float  # of the cosines
    words: float  # of BM25
    nearness: float

    @property
    def fused(self) -> float:
        return self.meaning + self.words + self.nearness


@dataclass(frozen=True, slots=True)
class Mix:
    """How much each signal counts, for one kind of question."""

    lexical: float  # >= 0, for BM25 in relation to what it is divided by; a cosine of 1 counts 1
    headings: float = 0.0  # 0..1, share of title and heading path in the cosine
    units: float = 0.0  # 0..1, share of the nearest unit in the rest of it
    nearness: float = 0.0  # >= 0, for neighbours of the question that stand together
    relative: float = (
        0.0  # 0..1: BM25 is divided by the question's mass (0), by the pool's spread (1), or between
    )


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """The mixes of a site."""

    same_language: Mapping[str, Mix]  # by language of question and passage; "" for any other language
    other_language: Mix  # where BM25 meets only names, numbers and loan words
    follow_ups: Leaning
    provenance: str

    def mix(self, language: str, *, is_other_language: bool) -> Mix:
        if is_other_language:
            return self.other_language
        return self.same_language.get(language, self.same_language[_ANY])


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


@cache
def default_weights() -> FusionWeights:
    """The weights this project ships."""
    raw = json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))
    return FusionWeights(
        same_language={language: Mix(**mix) for language, mix in raw["same_language"].items()},
        other_language=Mix(**raw["other_language"]),
        follow_ups=Leaning(**raw["follow_ups"]),
        provenance=raw["provenance"],
    )


def fuse(
    candidates: Iterable[Candidate],
    *,
    language: str,
    mass: float | None = None,
    weights: FusionWeights | None = None,
) -> list[Ranked]:
    """Rank the candidates of one question, best first. `language` is the question's, `mass` (> 0) its idf mass.

    A signal that nobody has is left out, so a site without vectors is ranked by BM25 and the other way round.
    """
    pool = {candidate.passage_id: candidate for candidate in candidates}
    ranked = [
        Ranked(passage_id, pool[passage_id].article_id, one.fused)
        for passage_id, one in contributions(
            pool.values(), language=language, mass=mass, weights=weights
        ).items()
    ]
    return sorted(ranked, key=lambda entry: (-entry.fused, entry.passage_id))


def contributions(
    candidates: Iterable[Candidate],
    *,
    language: str,
    mass: float | None = None,
    weights: FusionWeights | None = None,
) -> dict[int, Contribution]:
    """By passage, what `fuse` adds up."""
    weights = weights or default_weights()
    pool = list(candidates)
    found: dict[int, Contribution] = {}
    for is_other in (False, True):
        # Languages are scaled apart, because BM25 values of two indexes have nothing to do with each other.
        group = [candidate for candidate in pool if candidate.is_other_language == is_other]
        if group:
            parts = _parts(_signals(group, mass), weights.mix(language, is_other_language=is_other))
            rows = zip(*(part.tolist() for part in parts), strict=True)
            found.update(
                (candidate.passage_id, Contribution(*row)) for candidate, row in zip(group, rows, strict=True)
            )
    return found


def article_order(ranked: Sequence[Ranked]) -> list[int]:
    """Article ids in the order of their best passage."""
    return list(dict.fromkeys(entry.article_id for entry in ranked))


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


@dataclass(frozen=True)
class _Signals:
    """Of many candidates end to end, float64 of shape (candidates,)."""

    cosine: NDArray[np.float64]
    headings: NDArray[np.float64]  # the cosine itself where there are none
    units: NDArray[np.float64]  # the cosine itself where there are none
    bm25: NDArray[np.float64]
    nearness: NDArray[np.float64]  # divided by the question's mass
    mass: NDArray[np.float64]  # of the question, > 0; the pool's best BM25 where it is not known
    spread: NDArray[np.float64]  # of the pool: deviation of BM25 over that of the cosines, > 0

    @classmethod
    def joined(cls, parts: Sequence[_Signals]) -> _Signals:
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts] or [np.zeros(0)])
            for field in fields(cls)
        }
        return cls(**columns)

    def ordered(self, order: NDArray[np.intp]) -> _Signals:
        return _Signals(**{field.name: getattr(self, field.name)[order] for field in fields(self)})


def _signals(candidates: Sequence[Candidate], mass: float | None) -> _Signals:
    cosine = _filled([candidate.cosine for candidate in candidates])
    headings = [candidate.heading_cosine for candidate in candidates]
    units = [candidate.unit_cosine for candidate in candidates]
    bm25 = _filled([candidate.bm25 for candidate in candidates])
    mass = mass or float(bm25.max(initial=0.0)) or 1.0
    deviation = float(cosine.std())
    spread = float(bm25.std()) / deviation if deviation > _NO_DEVIATION else 0.0
    return _Signals(
        cosine=cosine,
        headings=_or_own(headings, cosine),
        units=_or_own(units, cosine),
        bm25=bm25,
        nearness=np.array([candidate.nearness for candidate in candidates]) / mass,
        mass=np.full(len(candidates), mass),
        spread=np.full(len(candidates), spread if spread > _NO_DEVIATION else mass),
    )


def _values(signals: _Signals, mix: Mix) -> NDArray[np.float64]:
    meaning, words, nearness = _parts(signals, mix)
    values: NDArray[np.float64] = meaning + words + nearness
    return values


def _parts(
    signals: _Signals, mix: Mix
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    text = (1 - mix.units) * signals.cosine + mix.units * signals.units
    # A question often is its heading in other words, and the text below dilutes that.
    semantic = (1 - mix.headings) * text + mix.headings * signals.headings
    lexical = signals.bm25 / (signals.mass ** (1 - mix.relative) * signals.spread**mix.relative)
    return semantic, mix.lexical * lexical, mix.nearness * signals.nearness


def _or_own(values: Sequence[float | None], cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([own if value is None else value for value, own in zip(values, cosine, strict=True)])


def _filled(values: Sequence[float | None]) -> NDArray[np.float64]:
    """A missing value counts as the worst known one: not to be found is no evidence for a passage."""
    worst = min((value for value in values if value is not None), default=0.0)
    return np.array([worst if value is None else value for value in values], dtype=np.float64)


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

    signals: _Signals
    candidates: NDArray[np.int64]  # (pools,) where each pool's candidates begin
    articles: NDArray[np.int64]  # (articles,) where each article's candidates begin
    pool_of: NDArray[np.int64]  # (articles,)
    is_right: NDArray[np.bool_]  # (articles,)
    starts: NDArray[np.int64]  # (pools,) where each pool's articles begin

    @classmethod
    def of(cls, pools: Sequence[LabelledPool]) -> Self:
        """None of `pools` may be empty."""
        parts: list[_Signals] = []
        articles: list[int] = []
        pool_of: list[int] = []
        is_right: list[bool] = []
        begins: list[int] = []
        seen = 0
        for number, pool in enumerate(pools):
            of_each = np.array([candidate.article_id for candidate in pool.candidates])
            order = np.argsort(of_each, kind="stable")
            parts.append(_signals(pool.candidates, pool.mass).ordered(order))
            ids, begin = np.unique(of_each[order], return_index=True)
            articles.extend((seen + begin).tolist())
            pool_of.extend([number] * len(ids))
            is_right.extend(article_id in pool.article_ids for article_id in ids.tolist())
            begins.append(seen)
            seen += len(order)
        of_pool = np.array(pool_of, dtype=np.int64)
        return cls(
            signals=_Signals.joined(parts),
            candidates=np.array(begins, dtype=np.int64),
            articles=np.array(articles, dtype=np.int64),
            pool_of=of_pool,
            is_right=np.array(is_right, dtype=bool),
            starts=np.searchsorted(of_pool, np.arange(len(pools))),
        )

    def ranks(self, mix: Mix) -> NDArray[np.float64]:
        """(pools,), 1-based places of the first right article; infinite when none is in the pool."""
        return self._places(_values(self.signals, mix)) if len(self.starts) else np.zeros(0)

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
