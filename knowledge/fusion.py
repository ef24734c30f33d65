"""Mix lexical and semantic evidence into one order of passages and articles.

Promise: pure and deterministic; the same candidates in any order give the same ranking. The fused value
orders the passages of one question and nothing else: it is no probability, and values of two questions do not
compare.

Refuses to decide whether the best passage is good enough (confidence does), who may see a passage (retrieval
filters before), and its own weights: `fit` finds them on labelled questions, and `fusion_defaults.json` keeps
them with their provenance.

Method: a convex mix of normalised values over the union of both retrievers' candidates, every candidate with
both signals. It needs one weight and beats reciprocal-rank fusion (Cormack, Clarke & Büttcher 2009) in and
out of domain (Bruch, Gai & Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval");
docs/quality-research.md has what it measured here, and what was tried and did not pay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

DEFAULTS_FILE: Final = Path(__file__).with_name("fusion_defaults.json")
_ANY: Final = ""  # the key of the mix for a language nobody fitted

_LEXICAL_GRID: Final = tuple(round(0.1 + 0.05 * step, 2) for step in range(23))
_DISCOUNT_GRID: Final = (0.0, 0.05, 0.1, 0.15, 0.2)
_SMOOTHING: Final = 3  # steps of the lexical grid to either side
_OTHER_VOTE: Final = 0.5  # of a corpus in another language than the one fitted


@dataclass(frozen=True, slots=True)
class Candidate:
    """One passage of the union of both retrievers, with both signals where they exist."""

    passage_id: int
    article_id: int
    cosine: float | None  # -1..1; None: no vector, or no semantic search on this site
    bm25: float | None  # >= 0; None: no lexical index for the passage's language
    is_other_language: bool = False  # the passage is not in the question's language
    heading_cosine: float | None = None  # -1..1, of title and heading path alone; None: not embedded


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate in its place."""

    passage_id: int
    article_id: int
    fused: float  # orders the passages of this question, never a threshold


@dataclass(frozen=True, slots=True)
class Mix:
    """How much each signal counts, for one kind of question."""

    lexical: float  # >= 0, for the pool's highest BM25; a cosine of 1 counts 1
    heading_discount: float  # >= 0, taken off the headings' cosine before it may stand in for the text's


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """The mixes of a site."""

    same_language: Mapping[str, Mix]  # by language of question and passage; "" for any other language
    other_language: Mix  # where BM25 meets only names, numbers and loan words
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
        provenance=raw["provenance"],
    )


def fuse(
    candidates: Iterable[Candidate], *, language: str, weights: FusionWeights | None = None
) -> list[Ranked]:
    """Rank the candidates of one question, best first. `language` is the question's.

    A signal that nobody has is left out, so a site without vectors is ranked by BM25 and the other way round.
    """
    weights = weights or default_weights()
    ranked: list[Ranked] = []
    pool = list(candidates)
    for is_other in (False, True):
        # Languages are scaled apart, because BM25 values of two indexes have nothing to do with each other.
        group = [candidate for candidate in pool if candidate.is_other_language == is_other]
        if group:
            values = _values(*_signals(group), weights.mix(language, is_other_language=is_other))
            ranked.extend(
                Ranked(candidate.passage_id, candidate.article_id, float(value))
                for candidate, value in zip(group, values, strict=True)
            )
    return sorted(ranked, key=lambda entry: (-entry.fused, entry.passage_id))


def article_order(ranked: Sequence[Ranked]) -> list[int]:
    """Article ids in the order of their best passage."""
    return list(dict.fromkeys(entry.article_id for entry in ranked))


def fit(pools: Sequence[LabelledPool], *, language: str) -> Mix:
    """The mix for a language: best mean of hit@1 and reciprocal rank over corpora.

    Corpora of other languages take part with half a vote, and the curve over the lexical weight is smoothed:
    with a handful of corpora the raw optimum of one language belongs to its labels and fails on the corpus
    left out (docs/quality-research.md).
    """
    prepared = _Pools.of([pool for pool in pools if pool.candidates])
    if not len(prepared.corpora):
        raise ValueError("a fit needs at least one labelled question with candidates")
    votes = {pool.corpus: 1.0 if pool.language == language else _OTHER_VOTE for pool in pools}
    discounts = _DISCOUNT_GRID if np.isfinite(prepared.headings).any() else _DISCOUNT_GRID[1:2]
    gains = np.array(
        [
            [_gain(prepared, votes, Mix(weight, discount)) for weight in _LEXICAL_GRID]
            for discount in discounts
        ]
    )
    padded = np.pad(gains, ((0, 0), (_SMOOTHING, _SMOOTHING)), mode="edge")
    smooth = sliding_window_view(padded, 2 * _SMOOTHING + 1, axis=1).mean(axis=-1)
    rows, columns = np.nonzero(smooth >= smooth.max() - 1e-9)
    middle = len(rows) // 2  # of the equals
    return Mix(lexical=_LEXICAL_GRID[columns[middle]], heading_discount=discounts[rows[middle]])


def leave_one_corpus_out(pools: Sequence[LabelledPool]) -> dict[str, tuple[Mix, Measured]]:
    """For each corpus the mix fitted on the others for its language, and what it is worth on this one."""
    results: dict[str, tuple[Mix, Measured]] = {}
    for corpus in sorted({pool.corpus for pool in pools}):
        own = [pool for pool in pools if pool.corpus == corpus]
        mix = fit([pool for pool in pools if pool.corpus != corpus], language=own[0].language)
        results[corpus] = (mix, measure(own, mix))
    return results


def measure(pools: Sequence[LabelledPool], mix: Mix) -> Measured:
    """What a mix is worth on labelled questions; a right article outside the pool counts as not found."""
    if not pools:
        return Measured(0, 0.0, 0.0, 0.0)
    ranks = _Pools.of([pool for pool in pools if pool.candidates]).ranks(mix)
    return Measured(
        questions=len(pools),
        hit_at_1=float(np.sum(ranks <= 1)) / len(pools),
        hit_at_5=float(np.sum(ranks <= 5)) / len(pools),
        mean_reciprocal_rank=float(np.sum(1.0 / ranks)) / len(pools),
    )


_Signals = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _signals(candidates: Sequence[Candidate]) -> _Signals:
    """Cosines of the texts and of the headings, and BM25 relative to the pool's best, in candidate order."""
    cosine = _filled([candidate.cosine for candidate in candidates])
    heading = [candidate.heading_cosine for candidate in candidates]
    headings = np.array([-np.inf if value is None else value for value in heading])
    bm25 = _filled([candidate.bm25 for candidate in candidates])
    highest = float(bm25.max(initial=0.0))
    return cosine, headings, bm25 / highest if highest > 0 else bm25


def _values(
    cosine: NDArray[np.float64], headings: NDArray[np.float64], lexical: NDArray[np.float64], mix: Mix
) -> NDArray[np.float64]:
    # A question often is its heading in other words, and the text below dilutes that. The better of the two
    # counts.
    semantic = np.maximum(cosine, headings - mix.heading_discount)
    return semantic + mix.lexical * lexical


def _filled(values: Sequence[float | None]) -> NDArray[np.float64]:
    """A missing value counts as the worst known one: not to be found is no evidence for a passage."""
    worst = min((value for value in values if value is not None), default=0.0)
    return np.array([worst if value is None else value for value in values], dtype=np.float64)


@dataclass(frozen=True)
class _Pools:
    """Many pools end to end, so that a mix is tried on all of them at once; sorted by pool and article."""

    cosine: NDArray[np.float64]  # (candidates,), as are the next two
    headings: NDArray[np.float64]
    lexical: NDArray[np.float64]
    articles: NDArray[np.int64]  # (articles,) where each article's candidates begin
    pool_of: NDArray[np.int64]  # (articles,)
    is_right: NDArray[np.bool_]  # (articles,)
    starts: NDArray[np.int64]  # (pools,) where each pool's articles begin
    corpora: tuple[str, ...]  # (pools,)

    @classmethod
    def of(cls, pools: Sequence[LabelledPool]) -> Self:
        """None of `pools` may be empty."""
        parts: list[_Signals] = []
        articles: list[int] = []
        pool_of: list[int] = []
        is_right: list[bool] = []
        seen = 0
        for number, pool in enumerate(pools):
            of_each = np.array([candidate.article_id for candidate in pool.candidates])
            order = np.argsort(of_each, kind="stable")
            cosine, headings, lexical = _signals(pool.candidates)
            parts.append((cosine[order], headings[order], lexical[order]))
            ids, begin = np.unique(of_each[order], return_index=True)
            articles.extend((seen + begin).tolist())
            pool_of.extend([number] * len(ids))
            is_right.extend(article_id in pool.article_ids for article_id in ids.tolist())
            seen += len(order)
        cosine, headings, lexical = (
            np.concatenate([part[signal] for part in parts] or [np.zeros(0)]) for signal in range(3)
        )
        return cls(
            cosine,
            headings,
            lexical,
            np.array(articles, dtype=np.int64),
            of_pool := np.array(pool_of, dtype=np.int64),
            np.array(is_right, dtype=bool),
            np.searchsorted(of_pool, np.arange(len(pools))),
            tuple(pool.corpus for pool in pools),
        )

    def ranks(self, mix: Mix) -> NDArray[np.float64]:
        """(pools,), 1-based places of the first right article; infinite when none is in the pool."""
        if not self.corpora:
            return np.zeros(0)
        best = np.maximum.reduceat(_values(self.cosine, self.headings, self.lexical, mix), self.articles)
        right = np.maximum.reduceat(np.where(self.is_right, best, -np.inf), self.starts)
        # Equal values count against the mix: an order that ids decide is no merit.
        is_before = ~self.is_right & (best >= right[self.pool_of])
        ranks = 1.0 + np.add.reduceat(is_before.astype(np.float64), self.starts)
        return np.where(np.isfinite(right), ranks, np.inf)


def _gain(prepared: _Pools, votes: Mapping[str, float], mix: Mix) -> float:
    ranks = prepared.ranks(mix)
    gains = ((ranks <= 1) + 1.0 / ranks) / 2
    corpora = np.array(prepared.corpora)
    mean = {corpus: float(gains[corpora == corpus].mean()) for corpus in sorted(set(prepared.corpora))}
    return sum(votes[corpus] * value for corpus, value in mean.items()) / sum(
        votes[corpus] for corpus in mean
    )
