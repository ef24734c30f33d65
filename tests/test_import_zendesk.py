"""What becomes of a Zendesk help center."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from knowledge.importers import Entry, Problem, apply_entries, open_source
from knowledge.importers.html_text import html_to_markdown
from knowledge.models import Article
from knowledge.plaintext import plain_text

SAMPLES = Path(__file__).parent / "samples" / "zendesk"


def _read(path: Path) -> list[Entry | Problem]:
    return list(open_source(path).read())


def _names(article: Article) -> list[str]:
    """The categories of an article, outermost first."""
    names: list[str] = []
    category = article.category
    while category is not None:
        names.insert(0, category.name)
        category = category.parent
    return names


@pytest.mark.django_db
def test_an_export_becomes_articles_of_the_right_place_and_audience():
    source = open_source(SAMPLES)
    report = apply_entries(source.read(), source=source.name, publish=True)

    assert source.name == "hilfe.example.com"
    assert (report.created, report.failed) == (4, 1)
    german, english, passkeys, gold = Article.objects.order_by("pk")
    assert (german.language, english.language) == ("de", "en")
    assert german.translation_group == english.translation_group
    assert _names(german) == ["Konto", "Anmeldung"]
    assert _names(passkeys) == ["Account", "Sign-in", "Passkeys & keys"]
    assert (german.status, passkeys.status) == ("published", "draft")
    # A segment that we cannot express must not become visible to more people than it had.
    assert [a.audience for a in (german, passkeys, gold)] == ["public", "signed_in", "internal"]
    assert german.body == "Öffnen Sie [Passkeys](/hc/de/articles/900002-Passkeys).\n\n1. Menü\n2. **Konto**"
    assert english.body == "## Steps\n\n- Menu\n- Account"


def test_without_the_list_of_segments_every_restriction_means_staff_only(tmp_path):
    shutil.copy(SAMPLES / "articles.json", tmp_path)
    audiences = {item.title: item.audience for item in _read(tmp_path) if isinstance(item, Entry)}
    assert audiences["Passkeys"] == "internal"


def test_an_unknown_locale_is_told_with_its_line():
    (problem,) = (item for item in _read(SAMPLES) if isinstance(item, Problem))
    lines = (SAMPLES / "articles.json").read_text().splitlines()
    assert (problem.place.file, problem.id) == ("articles.json", "900004")
    assert '"id": 900004' in lines[problem.place.line - 1]
    assert "“fr” is unknown" in problem.reason


def test_one_page_takes_names_from_the_files_beside_it():
    entry = next(item for item in _read(SAMPLES / "articles.json") if isinstance(item, Entry))
    assert entry.category == ("Konto", "Anmeldung")


def test_a_missing_page_is_said(tmp_path):
    page = json.loads((SAMPLES / "articles.json").read_text())
    (tmp_path / "articles_1.json").write_text(json.dumps({**page, "count": 147}))
    warning = _read(tmp_path)[-1]
    assert isinstance(warning, Problem)
    assert warning.is_warning
    assert "147 articles, 5 are here" in warning.reason


def test_a_broken_page_does_not_stop_the_others(tmp_path):
    shutil.copytree(SAMPLES, tmp_path / "export")
    (tmp_path / "export" / "articles_2.json").write_text('{"articles": [\n  {"id": 1,}\n]}')
    problems = [item for item in _read(tmp_path / "export") if isinstance(item, Problem)]
    assert [(p.place.file, p.place.line) for p in problems if "JSON" in p.reason] == [("articles_2.json", 2)]


@pytest.mark.parametrize(
    "wrap", [lambda a: a, lambda a: {"zendesk_articles": a}, lambda a: {"article": a[0]}]
)
def test_articles_are_found_in_every_envelope(tmp_path, wrap):
    article: dict[str, Any] = {
        "id": 1,
        "locale": "en-us",
        "title": "T",
        "section_id": 2,
        "body": "<p>Text</p>",
    }
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(wrap([article])))
    (entry,) = _read(path)
    assert isinstance(entry, Entry)
    assert (entry.external_id, entry.body) == ("1:en", "Text")


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>Type &lt;name&gt; &amp;amp; go</p>", r"Type \<name> \&amp; go"),
        ("<p>a_b and _c_ and 2*3</p>", r"a_b and \_c\_ and 2\*3"),
        ("<p>10&nbsp;€&nbsp; now&nbsp;</p><p>&nbsp;</p>", "10\xa0€ now"),
        ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
        ("<h2></h2><script>x()</script><style>p{}</style><!-- c --><p>Text</p>", "Text"),
        ("<a href='a b.pdf'>file</a>", "[file](<a%20b.pdf>)"),
        ("<iframe src='//video.example/1' title='How to'></iframe>", "[How to](https://video.example/1)"),
        ("<p><img src='data:image/png;base64,AAAA' alt='The menu'></p>", "The menu"),
        ("<p>a</p><pre>b\n\n\nc</pre>", "a\n\n```\nb\n\n\nc\n```"),
        ("<a href='javascript:x()'>go</a><p onclick='x()'>on<p>two", "go\n\non\n\ntwo"),
        ("https://example.com/a.html", "https://example.com/a.html"),
        ("<b>One <strong>two</strong></b><b>three</b> <i><em>four</em></i>", "**One twothree** *four*"),
        ("<strong><p>One</p><p>Two</p></strong>", "One\n\nTwo"),
        ("<dl><dt><b>Term</b>:</dt></dl><dl><dt><ul><li>One</li></ul></dt></dl>", "**Term:**\n\n- One"),
        ("<p>C:\\[user]\\Data and C:\\<a href='/x'>x</a></p>", "C:\\\\[user]\\Data and C:\\\\[x](/x)"),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "**Term**\n\nMeaning"),
        ("<details><summary>More</summary><p>Text</p></details>", "**More**\n\nText"),
        ("<ol><li>One<ul><li>a</li></ul></li><li>Two</li></ol>", "1. One\n   - a\n2. Two"),
        (
            "<table><tr><th>Plan</th><th>Price</th></tr><tr><td>A|B</td><td>1<br>2</td></tr></table>",
            "| Plan | Price |\n| --- | --- |\n| A\\|B | 1<br>2 |",
        ),
        (
            "<table><tr><td>Plan</td><td>Price</td></tr><tr><td><ul><li>x</li><li>y</li></ul></td><td>3</td></tr>"
            "</table>",
            "| Plan | Price |\n| --- | --- |\n| • x<br>• y | 3 |",
        ),
        (
            "<table><tr><th>Plan</th><th>Term</th><th>Price</th></tr>"
            "<tr><td rowspan=2>City</td><td>1</td><td>49</td></tr><tr><td>6</td><td>45</td></tr></table>",
            "| Plan | Term | Price |\n| --- | --- | --- |\n| City | 1 | 49 |\n| City | 6 | 45 |",
        ),
    ],
)
def test_html_becomes_the_markdown_that_reads_the_same(html, markdown):
    assert html_to_markdown(html) == markdown


def test_what_html_shows_is_what_a_reader_of_the_markdown_sees():
    html = "<p>Enter <b>&lt;id&gt;</b>, *not* `x` &amp;lt; # 1. - | [a](b)</p>"
    assert plain_text(html_to_markdown(html)) == "Enter <id>, *not* x &lt; # 1. - | a"


def test_html_nested_beyond_reading_is_a_bad_entry(tmp_path):
    deep = {"id": 1, "locale": "de", "title": "T", "section_id": 2, "body": "<div>" * 20_000 + "x"}
    fine = {"id": 2, "locale": "de", "title": "T", "section_id": 2, "body": "<p>x</p>"}
    path = tmp_path / "deep.json"
    path.write_text(json.dumps({"articles": [deep, fine]}))
    problem, entry = _read(path)
    assert isinstance(problem, Problem)
    assert "nested too deeply" in problem.reason
    assert isinstance(entry, Entry)


@pytest.mark.django_db
def test_a_help_center_in_two_languages_comes_in_whole(shared_data):
    source = open_source(shared_data / "import_samples" / "zendesk_shape_cwa")
    report = apply_entries(source.read(), source=source.name)
    assert (report.created, report.failed) == (293, 0)
    assert not Article.objects.filter(category=None).exists()


def test_a_link_without_an_address_keeps_its_words_apart():
    half_closed = "<p>The <a href='https://example.org/'>community<a/> helps you.</p>"
    assert html_to_markdown(half_closed).strip() == "The [community](https://example.org/) helps you."
