"""Mix lexical and semantic evidence into one order of passages and articles.

Promise: pure and deterministic; the same candidates in any order give the same ranking. The fused value
orders the passages of one question and nothing else: it is no probability, and values of two questions do not
compare.

Refuses to decide whether the best passage is good enough (confidence does), who may see a passage (retrieval
filters before), and its own weights: `knowledge.fusion_fitting` finds them on labelled questions, and
`fusion_defaults.json` keeps them with their provenance.

Method: a linear mix over the union of both retrievers' candidates, every candidate with all signals, in the manner of
Bruch, Gai & Ingber 2023 ("An Analysis of Fusion Functions for Hybrid Retrieval"), who find it ahead of reciprocal-rank
fusion (Cormack, Clarke & Büttcher 2009). Cosines stay on their own scale. BM25 is put in relation to how far both
signals spread over the pool, to what the question's words could give at most, or between, as the fit finds it.
docs/quality-research.md has what each part is worth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge.followups import Leaning

DEFAULTS_FILE: Final = Path(__file__).with_name("fusion_defaults.json")
_ANY: Final = ""  # the key of the mix for a language nobody fitted

_NO_DEVIATION: Final = 1e-6


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
            parts = _parts(signals_of(group, mass), weights.mix(language, is_other_language=is_other))
            rows = zip(*(part.tolist() for part in parts), strict=True)
            found.update(
                (candidate.passage_id, Contribution(*row)) for candidate, row in zip(group, rows, strict=True)
            )
    return found


def article_order(ranked: Sequence[Ranked]) -> list[int]:
    """Article ids in the order of their best passage."""
    return list(dict.fromkeys(entry.article_id for entry in ranked))


@dataclass(frozen=True)
class Signals:
    """Of many candidates end to end, float64 of shape (candidates,)."""

    cosine: NDArray[np.float64]
    headings: NDArray[np.float64]  # the cosine itself where there are none
    units: NDArray[np.float64]  # the cosine itself where there are none
    bm25: NDArray[np.float64]
    nearness: NDArray[np.float64]  # divided by the question's mass
    mass: NDArray[np.float64]  # of the question, > 0; the pool's best BM25 where it is not known
    spread: NDArray[np.float64]  # of the pool: deviation of BM25 over that of the cosines, > 0

    @classmethod
    def joined(cls, parts: Sequence[Signals]) -> Signals:
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts] or [np.zeros(0)])
            for field in fields(cls)
        }
        return cls(**columns)

    def ordered(self, order: NDArray[np.intp]) -> Signals:
        return Signals(**{field.name: getattr(self, field.name)[order] for field in fields(self)})


def signals_of(candidates: Sequence[Candidate], mass: float | None) -> Signals:
    cosine = _filled([candidate.cosine for candidate in candidates])
    headings = [candidate.heading_cosine for candidate in candidates]
    units = [candidate.unit_cosine for candidate in candidates]
    bm25 = _filled([candidate.bm25 for candidate in candidates])
    mass = mass or float(bm25.max(initial=0.0)) or 1.0
    deviation = float(cosine.std())
    spread = float(bm25.std()) / deviation if deviation > _NO_DEVIATION else 0.0
    return Signals(
        cosine=cosine,
        headings=_or_own(headings, cosine),
        units=_or_own(units, cosine),
        bm25=bm25,
        nearness=np.array([candidate.nearness for candidate in candidates]) / mass,
        mass=np.full(len(candidates), mass),
        spread=np.full(len(candidates), spread if spread > _NO_DEVIATION else mass),
    )


def values_of(signals: Signals, mix: Mix) -> NDArray[np.float64]:
    meaning, words, nearness = _parts(signals, mix)
    values: NDArray[np.float64] = meaning + words + nearness
    return values


def _parts(
    signals: Signals, mix: Mix
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
