"""What becomes of one line of JSON."""

import json
from pathlib import Path

import pytest

from knowledge.importers import Entry, Problem, apply_entries, open_source
from knowledge.importers.entries import MAX_BODY_CHARACTERS
from knowledge.models import Article, Category

SAMPLE = Path(__file__).parent / "samples" / "articles.jsonl"
GOOD = {"id": "good", "title": "Good", "body": "Text.", "language": "en"}


def _write(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "help-pages.jsonl"
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def _read(path: Path) -> list[Entry | Problem]:
    return list(open_source(path).read())


@pytest.mark.django_db
def test_a_file_becomes_articles_with_a_tree_of_categories():
    source = open_source(SAMPLE)
    report = apply_entries(source.read(), source=source.name)

    assert (report.created, report.failed, source.total) == (3, 0, 3)
    article = Article.objects.get(external_id="pause.de")
    assert (article.title, article.slug, article.language) == ("Abo pausieren", "abo-pausieren", "de")
    assert (article.translation_group, article.audience) == ("pause", "public")
    assert article.category == Category.objects.get(name="Verwalten", language="de", parent__name="Abo")
    assert Article.objects.get(external_id="goodwill").audience == "internal"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id": "x", "title": ', "not valid JSON at character"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"id": "x", "title": "K\xfcndigung", "body": "t"}', "not UTF-8 text (byte 0xFC"),
        (b"[" * 100_000, "not a JSON object that can be read"),
        (b'{"id": "x", "title": "\\ud800", "body": "t"}', "title contains half of a character"),
        ({"title": "No id", "body": "t"}, "id is missing"),
        ({"id": "x", "body": "t"}, "title is missing"),
        ({"id": "x", "title": " \u0000\n ", "body": "t"}, "title is empty"),
        ({"id": "x", "title": "t", "body": " \r\n "}, "body is empty"),
        ({"id": "x", "title": "t", "body": None}, "body is missing"),
        ({"id": "x", "title": "t", "body": ["a"]}, "body must be text, found: list"),
        ({"id": True, "title": "t", "body": "t"}, "id must be text, found: true/false"),
        ({"id": "x" * 301, "title": "t", "body": "t"}, "id has 301 characters; at most 300"),
        ({"id": "x", "title": "t" * 2000, "body": "t"}, "title has 2000 characters; at most"),
        ({"id": "x", "title": "t", "body": "t" * (MAX_BODY_CHARACTERS + 1)}, "body has 2000001 characters"),
        ({"id": "x", "title": "t", "body": "t", "language": "fr"}, "“fr” is unknown. Allowed: de, en."),
        ({"id": "x", "title": "t", "body": "t", "audience": "vip"}, "Allowed: public, signed_in, internal."),
        ({"id": "x", "title": "t", "body": "t", "category": "c" * 121}, "category has 121 characters"),
        ({"id": "x", "title": "t", "body": "t", "category": 7}, "category must be text, found: number"),
        ({"id": "x", "title": "t", "body": "t", "draft": "perhaps"}, "draft must be true or false"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_others_are_read(tmp_path, line, expected):
    before, bad, after = _read(_write(tmp_path, GOOD, line, {**GOOD, "id": 7}))

    assert isinstance(before, Entry)
    assert isinstance(after, Entry)
    assert after.external_id == "7"
    assert isinstance(bad, Problem)
    assert (bad.place.file, bad.place.line) == ("help-pages.jsonl", 2)
    assert expected in bad.reason


def test_text_is_cleaned_and_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path):
    dirty = {**GOOD, "title": " A\ttitle\nof  two ", "body": "\n\nOne\r\ntwo\u0007\u0000\rthree  \n\n"}
    path = tmp_path / "dirty.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n" + json.dumps(dirty).encode() + b"\r\n \r\n")

    (entry,) = _read(path)

    assert isinstance(entry, Entry)
    assert (entry.title, entry.body) == ("A title of two", "One\ntwo\nthree")
    assert entry.place.line == 3


@pytest.mark.parametrize(("name", "code"), [("DE", "de"), ("de-AT", "de"), ("en_gb", "en"), ("", None)])
def test_language_names_of_other_systems_are_understood(tmp_path, name, code):
    (entry,) = _read(_write(tmp_path, {**GOOD, "language": name}))
    assert isinstance(entry, Entry)
    assert entry.language == code


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("Billing", ("Billing",)),
        ("Phone > Apps >  Mail ", ("Phone", "Apps", "Mail")),
        (["Phone", "Apps"], ("Phone", "Apps")),
        ("a>b", ("a>b",)),
        ("  ", ()),
    ],
)
def test_a_category_may_be_a_path(tmp_path, value, path):
    (entry,) = _read(_write(tmp_path, {**GOOD, "category": value}))
    assert isinstance(entry, Entry)
    assert entry.category == path


@pytest.mark.django_db
def test_a_language_that_nobody_names_is_told_from_the_text_or_the_option(tmp_path):
    german = {
        "id": "1",
        "title": "Rechnung",
        "body": "Die Rechnung finden Sie in Ihrem Konto unter Zahlungen.",
    }
    english = {"id": "2", "title": "Invoice", "body": "You will find the invoice in your account."}
    path = _write(tmp_path, german, english)

    apply_entries(open_source(path).read(), source="told")
    apply_entries(open_source(path).read(), source="option", language="de")

    assert dict(Article.objects.filter(source="told").values_list("external_id", "language")) == {
        "1": "de",
        "2": "en",
    }
    assert set(Article.objects.filter(source="option").values_list("language", flat=True)) == {"de"}


@pytest.mark.django_db
def test_a_body_of_a_megabyte_comes_in_whole(tmp_path):
    body = "A sentence of a long article. " * 35_000
    report = apply_entries(_read(_write(tmp_path, {**GOOD, "body": body})), source="long")
    assert report.created == 1
    assert Article.objects.get().body == body.strip()


@pytest.mark.django_db
def test_of_two_entries_with_one_id_the_first_counts_and_the_second_is_told(tmp_path):
    path = _write(tmp_path, GOOD, {**GOOD, "title": "Again"})
    report = apply_entries(_read(path), source="twice")

    assert Article.objects.get().title == "Good"
    (error,) = report.errors
    assert (error.place.line, error.id) == (2, "good")
    assert error.reason == "this id was already used in help-pages.jsonl:1."
