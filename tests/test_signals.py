"""The signals behind the confidence: what they measure, and that they stay finite whatever is missing."""

import dataclasses
import math

import pytest

from assistant.signals import compute_signals
from tests.builders import passage, retrieval

PAUSE = passage(
    "Pause your subscription for three months.", rank=1, article_id=1, fused=1.2, cosine=0.6, bm25=6.0
)
MORE = passage("A pause ends by itself.", rank=2, article_id=1, fused=1.0, cosine=0.8, bm25=2.0)
OTHER = passage("Cancel any time.", rank=3, article_id=2, fused=0.7, cosine=0.9, bm25=9.0, title="Cancelling")
QUESTION = "How do I pause my subscription for two months?"


def test_signals_are_about_the_first_article() -> None:
    signals = compute_signals(retrieval(QUESTION, PAUSE, MORE, OTHER))
    assert signals.cosine == 0.8
    # Three passages: a word in none of them weighs log 8, and BM25 is stated as if it weighed 6.
    assert signals.bm25 == pytest.approx(math.log1p(6.0 * 6.0 / math.log(8)))
    assert signals.margin == pytest.approx(0.5)


def test_coverage_is_of_the_first_passage_and_known_of_the_site() -> None:
    signals = compute_signals(retrieval("pause refund cancel", PAUSE, OTHER))
    assert signals.coverage == pytest.approx(1 / 3)
    assert signals.joint == pytest.approx(signals.cosine / 3)
    assert 0 < signals.known < 1
    assert compute_signals(retrieval("pause cancel", PAUSE, OTHER)).known == pytest.approx(1.0)


def test_passages_of_one_article_only_understate_the_margin() -> None:
    assert compute_signals(retrieval(QUESTION, PAUSE, MORE)).margin == pytest.approx(0.2)
    assert compute_signals(retrieval(QUESTION, PAUSE)).margin == 0.0


@pytest.mark.parametrize("question", ["", "?", "how do I", "zzzz", QUESTION])
@pytest.mark.parametrize("missing", [{}, {"cosine": None}, {"bm25": None}, {"cosine": None, "bm25": None}])
def test_every_signal_is_finite_whatever_is_missing(question: str, missing: dict[str, None]) -> None:
    passages = [dataclasses.replace(one, **missing) for one in (PAUSE, MORE, OTHER)]  # type: ignore[arg-type]
    signals = dataclasses.asdict(compute_signals(retrieval(question, *passages)))
    assert all(math.isfinite(value) for value in signals.values())
    assert signals["margin"] >= 0


def test_no_passages_no_evidence() -> None:
    signals = dataclasses.asdict(compute_signals(retrieval(QUESTION)))
    assert signals.pop("length") == pytest.approx(math.log1p(9))
    assert set(signals.values()) == {0.0}
