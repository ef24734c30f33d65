"""The evaluation tells the truth about a small help center whose truth is known."""

import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from assistant.evaluation import auroc, expected_calibration_error
from assistant.models import Question, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled(make_article, tmp_path):
    for number, (title, body) in enumerate(
        [
            ("Pause your subscription", "A pause costs 9 euros a month and lasts one to three months."),
            ("Lost charger", "A new charger costs 45 euros; it is sent within two days."),
            ("Paying by PayPal", "We accept PayPal in Germany and Austria."),
        ]
    ):
        make_article(title, body, external_id=f"a{number}", source="test")
    rows = [
        {
            "id": "1",
            "question": "How much is a pause of my subscription?",
            "language": "en",
            "article_ids": ["a0"],
        },
        {"id": "2", "question": "I lost my charger", "language": "en", "article_ids": ["a1"]},
        {"id": "3", "question": "Which wine goes with duck?", "language": "en", "article_ids": []},
        {"id": "4", "question": "doubtful one", "language": "en", "article_ids": ["a2"], "doubtful": True},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def _run(path, **options):
    out = io.StringIO()
    call_command("evaluate", str(path), json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def test_figures_of_a_known_set(labelled):
    figures = _run(labelled)
    assert (figures["questions"], figures["answerable"], figures["left_out"]) == (3, 2, 1)
    assert figures["retrieval"] == {"hit@1": 1.0, "hit@5": 1.0, "mrr": 1.0, "ndcg@10": 1.0}
    assert figures["answering"]["unanswerable_answered"] == 0.0
    assert figures["confidence"]["auroc"] == 1.0
    assert 0 <= figures["confidence"]["threshold"] <= 1
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["p95"]
    assert figures["by_language"]["en"]["questions"] == 3
    assert set(figures) >= {
        "questions",
        "answerable",
        "retrieval",
        "answering",
        "confidence",
        "latency_ms",
        "by_language",
    }


def test_hidden_gold_is_not_found_and_nothing_is_answerable(labelled):
    figures = _run(labelled, hide_gold=True)
    assert figures["answerable"] == 0
    assert set(figures["retrieval"].values()) == {None}
    assert figures["confidence"]["auroc"] is None
    assert figures["answering"]["unanswerable_answered"] == figures["answering"]["coverage"]


def test_it_changes_nothing(labelled):
    _run(labelled)
    assert not Question.objects.exists() and not Ticket.objects.exists()


def test_signals_are_written_for_fitting(labelled, tmp_path):
    out = tmp_path / "signals.jsonl"
    _run(labelled, signals_out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["right"] for row in rows] == [True, True, False]
    assert all(isinstance(value, float) for row in rows for value in row["signals"].values())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{broken", "line 1"),
        ('{"question": "x", "language": "fr", "article_ids": []}', "fr"),
        ('{"question": "x", "language": "en"}', "article_ids"),
        ('["a list"]', "JSON object"),
        ('{"question": 5, "language": "en", "article_ids": []}', "question"),
        ("", "no question"),
    ],
)
def test_bad_files_are_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "bad.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=reason):
        call_command("evaluate", str(path))


def test_missing_file_and_wrong_database(tmp_path, make_article):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("evaluate", str(tmp_path / "absent.jsonl"))
    make_article()
    path = tmp_path / "other.jsonl"
    path.write_text('{"question": "what", "language": "en", "article_ids": ["not-here"]}', encoding="utf-8")
    with pytest.raises(CommandError, match="external id"):
        call_command("evaluate", str(path))


def test_calibration_error_by_hand():
    scores = np.array([0.9, 0.9, 0.1, 0.1])
    right = np.array([True, True, False, False])
    assert expected_calibration_error(scores, right, bins=2) == pytest.approx(0.1)
    assert expected_calibration_error(scores, ~right, bins=2) == pytest.approx(0.9)
    assert auroc(scores, right) == 1.0
    assert auroc(scores, np.array([True] * 4)) is None
