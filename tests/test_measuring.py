"""The measure of an embedding model tells the signals apart, and its probe is what it says."""

import io
import json
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from knowledge.importers import Entry, open_source
from knowledge.measuring import DEMO, PROBE

ARTICLES = [
    (
        "pause",
        "en",
        "Pause your subscription",
        "A pause costs 9 euros a month and lasts one to three months.",
    ),
    ("refund", "en", "Refunds", "Money comes back within five working days to the card you paid with."),
    ("theft", "en", "Stolen bicycle", "Report a theft to the police and send us the file number."),
    ("diebstahl", "de", "Fahrrad gestohlen", "Melden Sie den Diebstahl der Polizei."),
]


@pytest.fixture
def files(tmp_path):
    articles, questions = tmp_path / "articles.jsonl", tmp_path / "questions.jsonl"
    articles.write_text(
        "\n".join(
            json.dumps({"id": key, "language": language, "title": title, "body": body})
            for key, language, title, body in ARTICLES
        )
    )
    rows = [
        ("Somebody took my bike", ["theft"]),
        ("When is my money paid back?", ["refund"]),
        ("Do you sell helmets?", []),
    ]
    questions.write_text(
        "\n".join(json.dumps({"question": q, "language": "en", "article_ids": gold}) for q, gold in rows)
    )
    return articles, questions


def measured(*arguments):
    out = io.StringIO()
    call_command("measure_embedder", "--model", "minilm", "--json", *map(str, arguments), stdout=out)
    return json.loads(out.getvalue())


def test_signals_are_measured_apart_on_the_answerable_questions(files):
    figures = measured("questions", *files, "--language", "en")
    assert set(figures) == {"dense", "dense with headings", "BM25", "mixed"}
    assert figures["dense"] == {"hit@1": 1.0, "hit@5": 1.0, "questions": 2}
    assert figures["BM25"]["hit@1"] == 0.5, "no word of the first question is in its article"


def test_routing_is_measured_by_language_and_length(tmp_path):
    file = tmp_path / "questions.jsonl"
    rows = [
        ("Wie kündige ich meinen Vertrag zum Monatsende?", "de"),
        ("WLAN?", "de"),
        ("How do I cancel my contract at the end of the month?", "en"),
    ]
    file.write_text(
        "\n".join(
            json.dumps({"question": q, "language": language, "article_ids": []}) for q, language in rows
        )
    )
    figures = measured("routing", file)
    assert figures["de, longer"] == {"by its words": 1.0, "on a page in its language": 1.0, "questions": 1}
    assert figures["de, short"]["on a page in its language"] == 1.0
    assert set(figures) == {"de, short", "de, longer", "en, longer"}


def test_articles_of_another_language_have_none_of_the_gold(files):
    with pytest.raises(CommandError, match="None of the questions"):
        measured("questions", *files, "--language", "en", "--articles-language", "de")


def test_what_cannot_be_read_is_named(files, tmp_path):
    with pytest.raises(CommandError, match=r"nothing\.jsonl"):
        measured("questions", tmp_path / "nothing.jsonl", files[1], "--language", "en")
    with pytest.raises(CommandError, match=r"nothing\.tsv"):
        measured("pairs", tmp_path / "nothing.tsv", "--sources", "news")


def test_sentence_pairs_are_looked_for_both_ways(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("news\tThe weather is fine.\tThe weather is nice.\nnews\tHe eats bread.\tHe ate bread.\n")
    figures = measured("pairs", file, "--sources", "news")["news"]
    assert figures["German to English"] == figures["English to German"] == 1.0
    assert 0.5 < figures["mean cosine"] < 1.0


def test_the_probe_is_about_public_demo_articles():
    rows = [json.loads(line) for line in PROBE.read_text(encoding="utf-8").splitlines()]
    assert set(Counter(row["kind"] for row in rows).values()) == {24}
    assert all(row["plain"] != row["variant"] for row in rows)
    assert all("ß" in row["plain"] and "ß" not in row["variant"] for row in rows if row["kind"] == "swiss")
    entries = [entry for entry in open_source(DEMO).read() if isinstance(entry, Entry)]
    known = {
        entry.external_id
        for entry in entries
        if entry.language == "de" and entry.audience in (None, "public")
    }
    assert {key for row in rows for key in row["article_ids"]} <= known
