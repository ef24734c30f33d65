"""Runs labelled questions through the same `decide` that customers get, and says how good it was.

Changes nothing. Article level throughout: a question is right when its first citation (or, before any
threshold, its top-ranked passage) belongs to a gold article. Figures that a set cannot give are None.

nDCG: Järvelin & Kekäläinen 2002. ECE with equally filled bins: Naeini et al. 2015. Brier 1950.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from assistant.asking import Decision, Desk, Inquiry, decide
from knowledge.labelled import LabelledQuestion, articles_of, with_translations
from knowledge.measuring import MemoryHelpCenter
from knowledge.models import Language
from knowledge.plaintext import plain_text
from knowledge.text import normalise

Articles = Literal["all", "own", "other"]  # languages, seen from the question

ECE_BINS = 10
SPAN_F1 = 0.5  # from which on an answer counts as overlapping the labelled spans


@dataclass(frozen=True)
class Outcome:
    """What became of one labelled question."""

    question: LabelledQuestion
    gold_article_ids: frozenset[int]  # of the articles that it may be answered from; empty when hidden
    decision: Decision
    elapsed_ms: float

    @property
    def is_answerable(self) -> bool:
        return bool(self.gold_article_ids)

    @property
    def is_top_right(self) -> bool:
        ranking = self.decision.retrieval.article_ids
        return bool(ranking) and ranking[0] in self.gold_article_ids

    @property
    def is_answered(self) -> bool:
        return self.decision.draft is not None

    @property
    def is_citation_right(self) -> bool:
        draft = self.decision.draft
        return draft is not None and draft.citations[0].passage.article_id in self.gold_article_ids

    @property
    def is_span_met(self) -> bool | None:
        """Whether the answer holds a labelled span or overlaps them; None where there is none or no answer."""
        draft = self.decision.draft
        if draft is None or not self.question.spans or not self.is_answerable:
            return None
        return meets_span(" ".join(citation.quote for citation in draft.citations), self.question.spans)


@dataclass
class Report:
    outcomes: list[Outcome] = field(default_factory=list)
    left_out: int = 0  # questions marked doubtful
    unmatched_gold: int = 0  # gold ids with no article in the database

    def figures(self) -> dict[str, Any]:
        languages = sorted({outcome.question.language for outcome in self.outcomes})
        return {
            **_figures(self.outcomes),
            "by_language": {
                code: _figures([one for one in self.outcomes if one.question.language == code])
                for code in languages
            },
            "left_out": self.left_out,
            "unmatched_gold": self.unmatched_gold,
        }


def evaluate(
    questions: Sequence[LabelledQuestion],
    *,
    hide_gold: bool = False,
    articles: Articles = "all",
    progress: Callable[[Iterable[LabelledQuestion]], Iterable[LabelledQuestion]] = iter,
    help_center: MemoryHelpCenter | None = None,
) -> Report:
    """Decides every question as an anonymous customer would experience it.

    With `hide_gold`, each question's gold articles and their translations are invisible to it: then the right
    thing is to decline. `articles` says which may answer: those in the question's own language, those in the
    other one, or all as for customers. With a `help_center` in memory the database takes no part.
    """
    report = Report()
    known = articles_of(questions) if help_center is None else help_center.article_ids()
    # In memory nobody links translations, and the threshold is the model's own.
    desk = None if help_center is None else Desk(help_center.retrieve, translation_of=lambda *_link: None)
    report.unmatched_gold = len({key for one in questions for key in one.gold} - known.keys())
    if questions and help_center is None:
        decide(Inquiry(text=questions[0].text, language=questions[0].language), desk)  # loads the model
    for question in progress(questions):
        gold = frozenset(pk for key in question.gold for pk in known.get(key, ()))
        inquiry = Inquiry(
            text=question.text,
            language=question.language,
            history=question.history,
            excluded_article_ids=_hidden(gold, help_center) if hide_gold else frozenset(),
            article_languages=article_languages(question.language, articles),
        )
        started = time.perf_counter()
        decision = decide(inquiry, desk)
        elapsed_ms = (time.perf_counter() - started) * 1000
        report.outcomes.append(Outcome(question, frozenset() if hide_gold else gold, decision, elapsed_ms))
    return report


def article_languages(language: str, articles: Articles) -> tuple[str, ...]:
    return tuple(
        code for code in Language.values if articles == "all" or (code == language) == (articles == "own")
    )


def signals_row(outcome: Outcome, set_name: str, kind: str = "plain") -> dict[str, Any]:
    """A line of what `fit_confidence` fits on."""
    return {
        "set": set_name,
        "kind": kind,
        "id": outcome.question.id,
        "language": outcome.question.language,
        "article_language": outcome.decision.retrieval.article_language,
        "answerable": outcome.is_answerable,
        "right": outcome.is_top_right,
        "signals": outcome.decision.confidence.signals,
    }


def _hidden(gold: frozenset[int], help_center: MemoryHelpCenter | None) -> frozenset[int]:
    return with_translations(gold) if help_center is None else gold


def meets_span(answer: str, spans: Sequence[str]) -> bool:
    """Whether a span stands in the answer, or the answer and all spans share tokens with an F1 of at least one half.

    Compared are folded words, so that markup and line breaks do not matter. F1 as in Rajpurkar et al. 2016.
    """
    words = _words(answer)
    text = f" {' '.join(words)} "
    if any(found and f" {' '.join(found)} " in text for found in map(_words, spans)):
        return True
    wanted = [word for span in spans for word in _words(span)]
    shared = sum((Counter(words) & Counter(wanted)).values())
    return bool(shared) and 2 * shared / (len(words) + len(wanted)) >= SPAN_F1


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", normalise(plain_text(text)))


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    answerable = [one for one in outcomes if one.is_answerable]
    answered = [one for one in outcomes if one.is_answered]
    unanswerable = [one for one in outcomes if not one.is_answerable]
    scores = np.array([one.decision.confidence.score for one in outcomes])
    right = np.array([one.is_top_right for one in outcomes])
    times = [one.elapsed_ms for one in outcomes]
    return {
        "questions": len(outcomes),
        "answerable": len(answerable),
        "retrieval": {
            "hit@1": _mean(_rank(one) == 1 for one in answerable),
            "hit@5": _mean(_rank(one) <= 5 for one in answerable),
            "mrr": _mean(1 / _rank(one) for one in answerable),
            "ndcg@10": _mean(_ndcg(one, 10) for one in answerable),
        },
        "answering": {
            "coverage": _mean(one.is_answered for one in outcomes),
            "risk": _mean(not one.is_citation_right for one in answered),
            "unanswerable_answered": _mean(one.is_answered for one in unanswerable),
        },
        "answers": {
            "span_met": _mean(met for one in answered if (met := one.is_span_met) is not None),
            "characters": _mean(len(one.decision.draft.text) for one in answered if one.decision.draft),
        },
        "confidence": {
            "auroc": auroc(scores, right),
            "ece": expected_calibration_error(scores, right),
            "brier": round(float(np.mean((scores - right) ** 2)), 4) if len(outcomes) else None,
            "threshold": outcomes[0].decision.confidence.threshold if outcomes else None,
        },
        "latency_ms": {
            "p50": round(float(np.percentile(times, 50)), 1) if times else None,
            "p95": round(float(np.percentile(times, 95)), 1) if times else None,
        },
    }


def _rank(outcome: Outcome) -> float:
    """1-based rank of the first gold article; infinite where none was found."""
    for rank, article_id in enumerate(outcome.decision.retrieval.article_ids, start=1):
        if article_id in outcome.gold_article_ids:
            return rank
    return math.inf


def _ndcg(outcome: Outcome, depth: int) -> float:
    gains = [
        1 / math.log2(rank + 1)
        for rank, article_id in enumerate(outcome.decision.retrieval.article_ids[:depth], start=1)
        if article_id in outcome.gold_article_ids
    ]
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(depth, len(outcome.gold_article_ids)) + 1))
    return sum(gains) / ideal


def auroc(scores: "np.ndarray[Any, Any]", right: "np.ndarray[Any, Any]") -> float | None:
    """Probability that a right one scores above a wrong one; None where one of the kinds is missing."""
    if len(scores) == 0 or right.all() or not right.any():
        return None
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(right, scores)), 4)


def expected_calibration_error(
    scores: "np.ndarray[Any, Any]", right: "np.ndarray[Any, Any]", *, bins: int = ECE_BINS
) -> float | None:
    """Mean distance between confidence and share right, over equally filled bins; 0..1."""
    if len(scores) == 0:
        return None
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    gaps = [abs(float(scores[part].mean()) - float(right[part].mean())) * len(part) for part in parts]
    return round(sum(gaps) / len(order), 4)


def _mean(values: Iterable[float]) -> float | None:
    collected = list(values)
    return round(sum(collected) / len(collected), 4) if collected else None
