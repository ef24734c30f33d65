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
from collections.abc import Sequence
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
    bm25: float  # >= 0, log of 1 + BM25 of its passage with the most words in common, at a reference corpus size
    coverage: float  # 0..1, share of the question's distinct terms that the first passage holds
    joint: float  # -1..1, cosine times coverage: near in meaning and in words at once
    known: float  # 0..1, share of the question's terms, weighted by rarity, that any article holds
    names: float  # 0..1, share of the numbers and names in the question that its passages here lack
    margin: float  # >= 0, ranking value of the first passage above that of the best other article
    length: float  # >= 0, natural log of 1 + number of words in the question


def compute_signals(retrieval: Retrieval) -> Signals:
    """The signals of one retrieval, from its passages (best first) and the word index they come from."""
    passages = retrieval.passages
    length = math.log1p(len(retrieval.question.split()))
    if not passages:
        return Signals(**dict.fromkeys(_NAMES, 0.0) | {"length": length})
    first = passages[0]
    own = [passage for passage in passages if passage.article_id == first.article_id]
    cosine = max((passage.cosine for passage in own if passage.cosine is not None), default=0.0)
    bm25 = max((passage.bm25 for passage in own if passage.bm25 is not None), default=0.0)

    lexical = retrieval.lexical
    terms = [term for term in retrieval.terms if term.is_asked]
    mass = sum(term.mass for term in terms)
    coverage = _share(sum(lexical.holds(term, first.passage_id) for term in terms), len(terms))
    named = [term for term in terms if term.is_name]
    present = sum(max(lexical.holds(term, passage.passage_id) for passage in own) for term in named)
    return Signals(
        cosine=cosine,
        bm25=math.log1p(max(bm25, 0.0) * _REFERENCE_IDF / lexical.highest_idf),
        coverage=coverage,
        joint=cosine * coverage,
        known=_share(sum(term.mass * term.forms[0][1] for term in terms if term.is_known), mass),
        names=_share(len(named) - present, len(named)),
        margin=first.fused - _runner_up(passages),
        length=length,
    )


_NAMES = tuple(field.name for field in fields(Signals))


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _runner_up(passages: Sequence[RetrievedPassage]) -> float:
    """Ranking value of the best other article; where all passages are of one article, of the last of them.

    The other article is then even further behind, so the margin is stated too small, never too large.
    """
    first = passages[0]
    others = (passage.fused for passage in passages if passage.article_id != first.article_id)
    return max(others, default=passages[-1].fused)
