"""While somebody types, articles are offered by their titles and headings: at once, and only what may be read."""

import pytest
from django.test import Client

from knowledge import generations
from knowledge.labels import Labels, one_edit_away
from knowledge.snippets import begun


@pytest.fixture
def articles(make_article, make_category):
    riding = make_category("Fahren", language="de")
    make_article("Akku laden", "Text.", slug="laden", language="de", category=riding)
    make_article("Akku im Winter", "Text.", slug="winter", language="de", category=riding)
    make_article(
        "Abo kündigen", "Vorab.\n\n## Nach der Bestätigung\n\nDann gilt es.", slug="kuendigen", language="de"
    )
    make_article("Ersatzakku für Händler", "Text.", slug="ersatz", language="de", audience="internal")
    make_article("Akku (Entwurf)", "Text.", slug="entwurf", language="de", status="draft")
    make_article("Battery", "Akku.", slug="battery")


def urls(client: Client, typed: str, language: str = "de") -> list[str]:
    found = client.get(f"/{language}/suggest/", {"q": typed}).json()["suggestions"]
    return [one["url"].removeprefix(f"/{language}/articles/") for one in found]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("akk", ["laden/", "winter/"]),
        ("AKKU LA", ["laden/"]),
        ("Wie lade ich den Akku?", ["laden/", "winter/"]),
        ("kündi", ["kuendigen/"]),
        ("kuendi", ["kuendigen/"]),
        ("kündign", ["kuendigen/"]),
        ("Bestätig", ["kuendigen/#nach-der-bestaetigung"]),
        ("battery", []),
        ("Quastenflosser", []),
        ("a", []),
        (" ", []),
        ("\x00\x01", []),
        ("%_*'\"", []),
    ],
)
def test_what_is_offered(client, articles, typed, expected):
    assert urls(client, typed)[: len(expected) or None] == expected


def test_matches_come_as_text_and_never_as_markup(client, make_article):
    make_article("<img src=x onerror=alert(1)> Akku", "Text.", slug="evil", language="de")
    response = client.get("/de/suggest/", {"q": "akk"})
    assert response["Content-Type"] == "application/json"
    found = response.json()["suggestions"][0]
    assert "".join(text for text, _is_match in found["title"]) == "<img src=x onerror=alert(1)> Akku"
    assert [text for text, is_match in found["title"] if is_match] == ["Akk"]


def test_the_gate_decides_on_every_keystroke(client, staff, articles):
    from knowledge.models import Article

    assert "ersatz/" not in urls(client, "akku")
    Article.objects.filter(slug="laden").update(status="archived")  # the index has not heard of it
    assert urls(client, "akku") == ["winter/"]
    client.force_login(staff)
    assert "ersatz/" in urls(client, "akku")


def test_no_model_is_asked_and_few_queries(client, articles, monkeypatch, django_assert_num_queries):
    urls(client, "akku")  # the word index is made once

    def refuse(*_arguments, **_options):
        raise AssertionError("a suggestion asked the embedding model")

    monkeypatch.setattr(generations, "embedder_of", refuse)
    with django_assert_num_queries(2):  # generation, articles
        assert urls(client, "akku la") == ["laden/", "winter/"]
    with django_assert_num_queries(3):  # and where the heading stands
        assert urls(client, "bestätig")
    with django_assert_num_queries(0):
        urls(client, "a")


def test_browsers_search_bars_are_served(client, articles):
    response = client.get("/de/suggest/", {"q": "akku l", "format": "opensearch"})
    assert response["Content-Type"] == "application/x-suggestions+json"
    typed, names, places, addresses = response.json()
    assert (typed, names, places) == ("akku l", ["Akku laden", "Akku im Winter"], ["Fahren", "Fahren"])
    assert addresses[0] == "http://localhost:8000/de/articles/laden/"


def test_only_reading_is_allowed(client, db):
    assert client.post("/de/suggest/", {"q": "akku"}).status_code == 405
    assert "private" in client.get("/de/suggest/", {"q": "akku"})["Cache-Control"]


def test_labels_know_unfinished_words_parts_and_typing_errors():
    labels = Labels.read(
        [(1, 10, ["akkuladegerät", "prüfen"], []), (2, 11, ["laden"], ["der", "ladevorgang"])]
    )
    assert dict(labels.like("lade")) == {"laden": 0.8, "ladevorgang": 0.8, "akkuladegeraet": 0.5}
    assert dict(labels.like("pruefen")) == {"pruefen": 1.0}
    assert dict(labels.like("prüfn")) == {"pruefen": 0.45}
    assert dict(labels.like("xyzzy")) == {}
    assert dict(labels.like("ladem")) == {"laden": 0.45, "ladevorgang": 0.45}
    assert {"pausieren", "pausirne"} <= one_edit_away("pausiren") | one_edit_away("pausiern")


def test_only_what_was_typed_of_a_word_is_marked():
    assert [(one.text, one.is_match) for one in begun("Akku laden", "akk la")] == [
        ("Akk", True),
        ("u ", False),
        ("la", True),
        ("den", False),
    ]
    assert [one.text for one in begun("Straße", "strass") if one.is_match] == ["Straße"]
