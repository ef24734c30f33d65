"""The command that fits the weights of retrieval: what it writes, what it keeps, what it refuses."""

import json
from dataclasses import asdict

import pytest
from django.core.management import CommandError, call_command

from knowledge.followups import Leaning
from knowledge.fusion import default_weights

ARTICLES = [
    (
        "pause",
        "en",
        "Pause your subscription",
        "A pause costs 9 euros a month and lasts one to three months.",
    ),
    ("theft", "en", "Stolen bicycle", "Report a theft to the police and send us the file number."),
    ("pausieren", "de", "Abo pausieren", "Eine Pause kostet 9 Euro im Monat."),
    ("diebstahl", "de", "Fahrrad gestohlen", "Melden Sie den Diebstahl der Polizei."),
]
QUESTIONS = [
    ("What does a pause cost?", "en", ["pause"]),
    ("Somebody took my bike", "en", ["theft"]),
    ("Was kostet eine Pause?", "de", ["pausieren"]),
]
ACROSS = [("Was kostet eine Pause?", "de", ["pause"]), ("My bicycle was stolen", "en", ["diebstahl"])]


def _write(file, questions):
    rows = [
        {"question": text, "language": language, "article_ids": gold} for text, language, gold in questions
    ]
    file.write_text("\n".join(map(json.dumps, rows)))


@pytest.fixture
def sets(tmp_path):
    """Two help centers; the second has questions across languages as well."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "articles.jsonl").write_text(
            "\n".join(
                json.dumps({"id": key, "language": language, "title": title, "body": body})
                for key, language, title, body in ARTICLES
            )
        )
        _write(folder / "questions.jsonl", QUESTIONS)
    _write(folders[1] / "questions_crosslingual.jsonl", ACROSS)
    return folders


def _fit(sets, out, *options):
    call_command("fit_fusion", *map(str, sets), "--out", str(out), *options)
    return json.loads(out.read_text())


def test_every_language_and_the_way_across_are_fitted_and_reported(sets, tmp_path, capsys):
    weights = _fit(sets, tmp_path / "weights.json")
    assert set(weights["same_language"]) == {"", "de", "en"}
    for mix in (*weights["same_language"].values(), weights["other_language"]):
        assert mix["lexical"] > 0 and 0 <= mix["headings"] <= 1
    assert "6 questions within a language, 2 across" in weights["provenance"]
    said = capsys.readouterr().out
    assert "one de" in said and "two en in de" in said and "fitted on the others" in said


def test_what_is_not_asked_for_keeps_its_weights(sets, tmp_path):
    kept = default_weights()
    weights = _fit(sets[:1], tmp_path / "weights.json", "--languages", "de")
    assert weights["same_language"]["en"] == asdict(kept.same_language["en"])
    assert weights["other_language"] == asdict(kept.other_language), "no set has questions across languages"
    assert "fitted: de, the rest kept" in weights["provenance"]


def _follow_ups(count):
    """Some say nothing by themselves, some ask something new after much about something else."""
    for number in range(count):
        for history, gold in (("What does a pause cost?", "pause"), ("Somebody stole my bicycle.", "theft")):
            yield {"question": "And then?", "article_ids": [gold], "history": [f"user: {history}"]}
        before = f"What does a pause of {number + 1} months cost in euros a month? " * 5
        yield {"question": "And a theft?", "article_ids": ["theft"], "history": [f"user: {before}"]}


def test_what_a_conversation_counts_is_fitted_where_there_are_follow_ups(sets, tmp_path, capsys):
    rows = [{"language": "en", **row} for row in _follow_ups(20)]
    (sets[0] / "questions_followup.jsonl").write_text("\n".join(map(json.dumps, rows)))
    weights = _fit(sets, tmp_path / "weights.json")
    leaning = Leaning(**weights["follow_ups"])
    assert leaning != default_weights().follow_ups
    assert leaning.better_together > 0
    said = capsys.readouterr().out
    assert "one en" in said and "60 follow-ups" in said and "no others to fit on" in said


def test_without_follow_ups_a_conversation_counts_what_it_did(sets, tmp_path, capsys):
    weights = _fit(sets, tmp_path / "weights.json")
    assert Leaning(**weights["follow_ups"]) == default_weights().follow_ups
    assert "stays as it is" in capsys.readouterr().out


def test_a_set_without_articles_is_named_and_nothing_is_written(sets, tmp_path):
    (sets[0] / "articles.jsonl").unlink()
    with pytest.raises(CommandError, match="one"):
        _fit(sets, tmp_path / "weights.json")
    assert not (tmp_path / "weights.json").exists()
