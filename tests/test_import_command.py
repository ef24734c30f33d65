"""import_articles as a person or a script runs it."""

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge.generations import live_recipe
from knowledge.models import Article, Passage

SAMPLES = Path(__file__).parent / "samples"

pytestmark = pytest.mark.django_db


def _run(*arguments: object) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("import_articles", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def _json(*arguments: object) -> tuple[int, dict[str, Any]]:
    code, out, _err = _run(*arguments, "--json")
    return code, json.loads(out)


def _one_good_one_bad(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"id": "1", "title": "T", "body": "Text.", "language": "en"}\n{"id": "2"}\n')
    return path


def test_the_report_has_stable_keys():
    code, report = _json(SAMPLES / "articles.jsonl", "--no-index")
    assert code == 0
    assert list(report) == [
        "source",
        "dry_run",
        "created",
        "updated",
        "unchanged",
        "failed",
        "errors",
        "warnings",
        "passages",
        "index_error",
        "index_seconds",
        "seconds",
    ]
    assert (report["source"], report["created"], report["passages"]) == ("samples/articles", 3, None)


def test_a_second_run_says_that_nothing_changed():
    _run(SAMPLES / "articles.jsonl", "--no-index")
    code, out, err = _run(SAMPLES / "articles.jsonl", "--no-index")
    assert code == 0
    assert "nothing changed, all 3 articles are in place already" in out
    assert not err


def test_a_bad_entry_is_reported_the_rest_goes_in_and_the_exit_code_says_so(tmp_path):
    path = _one_good_one_bad(tmp_path)
    code, report = _json(path, "--no-index")
    assert code == 1
    assert (report["created"], report["failed"]) == (1, 1)
    assert report["errors"] == [{"file": "mixed.jsonl", "line": 2, "id": "2", "reason": "title is missing."}]
    code, _out, err = _run(path, "--no-index")
    assert code == 1
    assert "mixed.jsonl:2 [2]: title is missing." in err


def test_a_dry_run_writes_nothing_and_still_finds_the_errors(tmp_path):
    code, out, err = _run(_one_good_one_bad(tmp_path), "--dry-run")
    assert code == 1
    assert "1 new" in out
    assert "nothing was written" in out
    assert "title is missing" in err
    assert not Article.objects.exists()


def test_published_articles_are_indexed_and_drafts_are_not():
    code, report = _json(SAMPLES / "articles.jsonl")
    assert (code, report["passages"]) == (0, 0)
    code, report = _json(SAMPLES / "articles.jsonl", "--publish")
    assert (code, report["updated"]) == (0, 3)
    assert report["passages"] == Passage.objects.count() > 0
    assert not Article.objects.stale(live_recipe()).exists()
    assert Article.history.count() == 6


def test_without_an_index_the_articles_are_stored_and_the_failure_is_told(settings):
    settings.CHROMA_URL = "http://127.0.0.1:9"
    code, out, err = _run(SAMPLES / "articles.jsonl", "--publish")
    assert code == 1
    assert "3 new" in out
    assert "The articles are stored, but the index is not up to date: " in err
    assert Article.objects.published().count() == 3


def _copy(tmp_path: Path, name: str, place: str) -> Path:
    target = tmp_path / place
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = shutil.copytree if (SAMPLES / name).is_dir() else shutil.copy
    copy(SAMPLES / name, target)
    return target


@pytest.mark.parametrize(
    ("name", "place", "source"),
    [
        ("articles.jsonl", "acme/articles.jsonl", "acme/articles"),
        ("articles.jsonl", "acme/handbook.jsonl", "handbook"),
        ("articles.jsonl", "acme/data.json", "acme/data"),
        ("articles.jsonl", "acme/handbook", "handbook"),
        ("markdown", "acme/handbook", "handbook"),
        ("markdown", "acme/docs", "acme/docs"),
        ("markdown/start.md", "acme/first.md", "first"),
        ("markdown/start.md", "acme/first.txt", "first"),
        ("zendesk", "acme/zd", "hilfe.example.com"),
        ("zendesk/articles.json", "acme/page", "hilfe.example.com"),
    ],
)
def test_the_format_is_told_from_the_content_and_the_source_from_the_names(tmp_path, name, place, source):
    _code, report = _json(_copy(tmp_path, name, place), "--dry-run")
    assert report["source"] == source
    assert report["created"] > 0


def test_the_same_file_is_known_from_another_folder(tmp_path, monkeypatch):
    first = _copy(tmp_path, "articles.jsonl", "one/acme/articles.jsonl")
    second = _copy(tmp_path, "articles.jsonl", "two/acme/articles.jsonl")
    _run(first, "--no-index")
    monkeypatch.chdir(second.parent)
    assert _json("articles.jsonl", "--no-index")[1]["unchanged"] == 3
    assert _json(".", "--no-index")[1]["unchanged"] == 3
    assert _json("articles.jsonl", "--no-index", "--source", "other")[1]["created"] == 1  # two keys are taken


def _empty_folder(tmp_path: Path) -> Path:
    return tmp_path


def _folder_of_images(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    return tmp_path


def _licence_only(tmp_path: Path) -> Path:
    (tmp_path / "LICENSE.md").write_text("Free.")
    return tmp_path


def _empty_file(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text("\n \n")
    return tmp_path / "a.jsonl"


def _picture(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff")
    return tmp_path / "a.png"


def _other_json(tmp_path: Path) -> Path:
    (tmp_path / "a.json").write_text('{"data": [{"type": "comment", "by": "T", "at": "B"}]}')
    return tmp_path / "a.json"


def _nowhere(tmp_path: Path) -> Path:
    return tmp_path / "nowhere"


@pytest.mark.parametrize(
    "make", [_empty_folder, _folder_of_images, _licence_only, _empty_file, _picture, _other_json, _nowhere]
)
def test_a_path_without_articles_is_one_sentence_with_the_path_and_what_is_accepted(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(CommandError) as caught:
        _run(path)
    assert caught.value.returncode == 2
    assert str(path) in str(caught.value)
    assert "Accepted: a JSON Lines file" in str(caught.value)


def test_utf16_is_called_by_its_name(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "title": "T", "body": "B"}', encoding="utf-16")
    with pytest.raises(CommandError, match="UTF-16"):
        _run(path)


def test_a_folder_of_two_formats_asks_for_a_choice(tmp_path):
    shutil.copytree(SAMPLES, tmp_path / "both")
    with pytest.raises(CommandError, match=r"several formats .*--format"):
        _run(tmp_path / "both", "--dry-run")
    assert _json(tmp_path / "both", "--dry-run", "--format", "jsonl")[1]["created"] == 3


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_a_source_name_that_cannot_be_stored_is_refused(name):
    with pytest.raises(CommandError, match="--source"):
        _run(SAMPLES / "articles.jsonl", "--source", name)


def test_many_errors_do_not_flood_the_terminal(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": "x"}\n' * 80)
    _code, _out, err = _run(path, "--dry-run")
    assert err.count("title is missing") == 50
    assert "and 30 more" in err


@pytest.mark.parametrize(
    ("folder", "count"), [("emanual", 703), ("doc2dial", 101), ("xquad", 240), ("mtrag", 254)]
)
def test_the_development_sets_come_in_whole_and_once(shared_data, folder, count):
    path = shared_data / folder / "articles.jsonl"
    assert _json(path, "--no-index", "--publish")[1]["created"] == count
    assert _json(path, "--no-index", "--publish")[1]["unchanged"] == count
