"""What becomes of a folder of Markdown files."""

import time
from pathlib import Path

import pytest

from knowledge.importers import Entry, Problem, apply_entries, open_source
from knowledge.markdown import heading_anchors
from knowledge.models import Article

SAMPLES = Path(__file__).parent / "samples" / "markdown"


def _read(path: Path) -> dict[str, Entry | Problem]:
    return {item.place.file: item for item in open_source(path).read()}


def _entry(tmp_path: Path, text: str | bytes, name: str = "page.md") -> Entry | Problem:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return _read(tmp_path)[name]


def _names(article: Article) -> list[str]:
    """The categories of an article, outermost first."""
    names: list[str] = []
    category = article.category
    while category is not None:
        names.insert(0, category.name)
        category = category.parent
    return names


def test_front_matter_and_path_together_make_an_entry():
    start = _read(SAMPLES)["start.md"]
    cancel = _read(SAMPLES)["Billing/cancel.md"]
    german = _read(SAMPLES)["Billing/de/kuendigen.md"]

    assert isinstance(start, Entry)
    # YAML would make `No` false and 4711 a number.
    assert (start.title, start.external_id, start.category) == ("No", "4711", ())
    assert not start.body.startswith("# No")
    assert isinstance(cancel, Entry)
    assert (cancel.external_id, cancel.category, cancel.language) == ("Billing/cancel", ("Billing",), "en")
    assert (cancel.translation_key, cancel.is_draft) == ("cancel", True)
    assert isinstance(german, Entry)
    assert (german.title, german.language, german.category) == ("Größe & Kündigung", "de", ("Billing",))
    assert german.body == "Die Kündigung ist jederzeit möglich."


def test_a_licence_beside_the_articles_is_left_out_and_told():
    notice = _read(SAMPLES)["LICENSE.md"]
    assert isinstance(notice, Problem)
    assert notice.is_warning


def test_a_licence_with_front_matter_is_an_article(tmp_path):
    (tmp_path / "other.md").write_text("# Other\n\nText.")
    entry = _entry(tmp_path, "---\ntitle: Licence\n---\nText.", "license.md")
    assert isinstance(entry, Entry)


def test_hand_made_anchors_become_ours_and_the_links_in_the_page_follow():
    cancel = _read(SAMPLES)["Billing/cancel.md"]
    assert isinstance(cancel, Entry)
    assert [heading.text for heading in heading_anchors(cancel.body)] == ["Notice period"]
    assert "[the notice period](#notice-period)" in cancel.body
    assert "# not a heading {#notice}" in cancel.body


def test_an_empty_anchor_leads_to_the_heading_that_it_announces(tmp_path):
    entry = _entry(
        tmp_path,
        "---\ntitle: T\n---\n[a](#x) and <a href='#y'>b</a>\n\n"
        '<a id="x"></a>\n\n## Delivery time\n\nText.\n\n<a name="y"></a>\n\nMore.\n',
    )
    assert isinstance(entry, Entry)
    assert "[a](#delivery-time)" in entry.body
    assert "href='#delivery-time'" in entry.body
    assert "<a id" not in entry.body
    assert "<a name" not in entry.body


def test_notes_raw_html_and_links_to_other_files_stay_as_written(tmp_path):
    body = '> [!NOTE]\n> Mind this.\n\n<div class="x">Raw</div>\n\n[Other](../other.md)'
    entry = _entry(tmp_path, f"---\ntitle: T\n---\n{body}\n")
    assert isinstance(entry, Entry)
    assert entry.body == body


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("---\ntitle: T\nlanguage: fr\n---\nText.", 3, "“fr” is unknown"),
        ("---\ntitle: T\nlocale: fr-FR\n---\nText.", 3, "“fr-FR” is unknown"),
        ("---\n\n\nid: 1\naudience: vip\ntitle: T\n---\nText.", 5, "“vip” is unknown"),
        ("---\ntitle: [a, b]\n---\nText.", 2, "title must be text, found: list"),
        ("---\ntitle: T\n---\n\n\n", 4, "body is empty"),
        ("---\nid: 1\n---\nText without a title.", 1, "title is missing"),
        ("---\ntitle: T\nid: 'open\n---\nText.", 3, "front matter: "),
        ("---\ntitle: T\n  bad: indent\n---\nText.", 3, "front matter: "),
        ("---\ntitle: T\nText.", 1, "not closed"),
        ("---\njust words\n---\nText.", 3, "no list of “key: value” lines"),
        (b"---\ntitle: T\n---\nK\xfcndigung", 4, "not UTF-8 text (byte 0xFC"),
    ],
)
def test_a_bad_file_is_told_with_the_line(tmp_path, text, line, expected):
    problem = _entry(tmp_path, text)
    assert isinstance(problem, Problem)
    assert not problem.is_warning
    assert expected in problem.reason
    assert (problem.place.file, problem.place.line) == ("page.md", line)


def test_windows_files_are_read(tmp_path):
    entry = _entry(tmp_path, b"\xef\xbb\xbf---\r\ntitle: T\r\nlanguage: de\r\n---\r\nEins\r\n\r\nZwei\r\n")
    assert isinstance(entry, Entry)
    assert (entry.title, entry.language, entry.body) == ("T", "de", "Eins\n\nZwei")


@pytest.mark.parametrize(
    ("name", "language"),
    [("de/a.md", "de"), ("help/en/x/a.md", "en"), ("a.de.md", "de"), ("de/a.en.md", "en"), ("a.md", None)],
)
def test_the_path_may_tell_the_language(tmp_path, name, language):
    entry = _entry(tmp_path, "# Title\n\nText.", name)
    assert isinstance(entry, Entry)
    assert entry.language == language


def test_an_alias_bomb_is_a_bad_entry_and_costs_nothing(tmp_path):
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    started = time.monotonic()
    problem = _entry(tmp_path, f"---\na0: &a0 [x]\n{levels}title: *a8\nid: *a8\n---\nText.")
    assert time.monotonic() - started < 2
    assert isinstance(problem, Problem)
    assert "id must be text" in problem.reason


def test_hidden_folders_are_no_articles(tmp_path):
    _entry(tmp_path, "# A\n\nText.", "a.md")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.md").write_text("# B\n\nText.")
    assert set(_read(tmp_path)) == {"a.md"}


@pytest.mark.django_db
def test_a_complete_help_center_comes_in_whole(shared_data):
    source = open_source(shared_data / "import_samples" / "markdown_arduino")
    report = apply_entries(source.read(), source=source.name)

    assert (report.created, report.failed) == (414, 0)
    assert not Article.objects.filter(body__contains="{#").exists()
    sketch = Article.objects.get(title="Account Support")
    assert _names(sketch) == ["Custom", "Hubs"]
