"""Signals that tell a question the articles answer from one that they only come close to.

Promise: pure and deterministic; every signal is a finite number, also when there are no vectors, no words in
common, or no passages at all. They are the input of the confidence model and are shown to staff as they are.

Refuses to decide how probable an answer is (`assistant.confidence`). The fused value enters only as the
distance between two articles of one question: by itself it means nothing from one question to the next.

Predictors from the literature on query performance prediction: the gap at the top of a ranking (Zhou & Croft
2007, "Query Performance Prediction in Web Search Environments"), coverage and rarity of the question's terms
(He & Ounis 2006). docs/quality-research.md says what each is worth, and which others were not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.retrieval import Retrieval, RetrievedPassage


# BM25 grows with the log of the corpus size. What is learned from one help center has to hold in a smaller one,
# so values are stated as if the rarest word weighed this much (about 200 passages).
_REFERENCE_IDF = 6.0


@dataclass(frozen=True, slots=True)
class Signals:
    """About the best article: the one of the passage that was ranked first."""

    cosine: float  # -1..1, of its passage nearest to the question; 0 without vectors
    heading: float  # -1..1, of its heading nearest to the question; 0 without vectors
    unit: float  # -1..1, of its nearest sentence, item or row; 0 without vectors
    bm25: float  # >= 0, log of 1 + BM25 of its passage with the most words in common, at a reference corpus size
    coverage: float  # 0..1, share of the question's distinct terms that the first passage holds
    weight: float  # 0..1, the same weighted by rarity
    article: float  # 0..1, share of the terms, weighted by rarity, that its passages here hold together
    near: float  # >= 0, share of the question, weighted by rarity, that stands together in the first passage
    joint: float  # -1..1, cosine times coverage: near in meaning and in words at once
    known: float  # 0..1, share of the question's terms, weighted by rarity, that any article holds
    missing: (
        float  # 0..1, rarity of the rarest term that the first passage lacks, against the rarest possible
    )
    names: float  # 0..1, share of the numbers and names in the question that its passages here lack
    margin: float  # >= 0, ranking value of the first passage above that of the best other article
    lead: float  # -2..2, its best cosine above that of the best other article
    words: float  # -1..1, its best BM25 above that of the best other article, in relation to the higher one
    agreement: float  # 0..1, share of cosine, unit, heading and BM25 that would have put it first as well
    length: float  # >= 0, natural log of 1 + number of words in the question
    history: float  # 0..1, how much the earlier conversation counted


def compute_signals(retrieval: Retrieval) -> Signals:
    """The signals of one retrieval, from its passages (best first) and the word index they come from."""
    passages = retrieval.passages
    length = math.log1p(len(retrieval.question.split()))
    if not passages:
        return Signals(**dict.fromkeys(_NAMES, 0.0) | {"length": length})
    first = passages[0]
    own = [passage for passage in passages if passage.article_id == first.article_id]
    others = [passage for passage in passages if passage.article_id != first.article_id]
    cosine, other_cosine = _best(own, _cosine), _best(others, _cosine)
    bm25, other_bm25 = _best(own, _bm25), _best(others, _bm25)

    lexical = retrieval.lexical
    terms = [term for term in retrieval.terms if term.is_asked]
    mass = sum(term.mass for term in terms)
    held = [lexical.holds(term, first.passage_id) for term in terms]
    by_article = [
        max((lexical.holds(term, passage.passage_id) for passage in own), default=0.0) for term in terms
    ]
    coverage = sum(held) / len(terms) if terms else 0.0
    rarest = max((term.idf * (1 - share) for term, share in zip(terms, held, strict=True)), default=0.0)
    named = [part for term, part in zip(terms, by_article, strict=True) if term.is_name]
    return Signals(
        cosine=cosine,
        heading=_best(own, _heading),
        unit=_best(own, _unit),
        bm25=math.log1p(max(bm25, 0.0) * _REFERENCE_IDF / lexical.highest_idf),
        coverage=coverage,
        weight=_share(sum(term.mass * part for term, part in zip(terms, held, strict=True)), mass),
        article=_share(sum(term.mass * part for term, part in zip(terms, by_article, strict=True)), mass),
        near=_share(first.nearness, mass),
        joint=cosine * coverage,
        known=_share(sum(term.mass * term.forms[0][1] for term in terms if term.is_known), mass),
        missing=_share(rarest, lexical.highest_idf),
        names=_share(sum(1 - part for part in named), len(named)),
        margin=first.fused - _runner_up(passages),
        lead=cosine - other_cosine,
        words=_share(bm25 - other_bm25, max(bm25, other_bm25)),
        agreement=sum(
            _best(own, signal) >= _best(others, signal) for signal in (_cosine, _unit, _heading, _bm25)
        )
        / 4,
        length=length,
        history=retrieval.history,
    )


_NAMES = tuple(field.name for field in fields(Signals))


def _cosine(passage: RetrievedPassage) -> float | None:
    return passage.cosine


def _heading(passage: RetrievedPassage) -> float | None:
    return passage.heading_cosine


def _unit(passage: RetrievedPassage) -> float | None:
    return max(passage.unit_cosines, default=passage.cosine)


def _bm25(passage: RetrievedPassage) -> float | None:
    return passage.bm25


def _best(passages: Sequence[RetrievedPassage], signal: Callable[[RetrievedPassage], float | None]) -> float:
    return max((value for one in passages if (value := signal(one)) is not None), default=0.0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _runner_up(passages: Sequence[RetrievedPassage]) -> float:
    """Ranking value of the best other article; where all passages are of one article, of the last of them.

    The other article is then even further behind, so the margin is stated too small, never too large.
    """
    first = passages[0]
    others = (passage.fused for passage in passages if passage.article_id != first.article_id)
    return max(others, default=passages[-1].fused)
