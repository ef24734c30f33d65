"""The command sync_index: what it prints, and what its exit code means."""

import io
import json
import shutil

import pytest
from django.core.management import CommandError, call_command

from knowledge import ownership
from knowledge.embeddings import use_embedder
from knowledge.vectors import get_store, reset_store
from tests.seeded import SeededEmbedder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def embedder():
    seeded = SeededEmbedder()
    use_embedder(seeded)
    yield seeded
    use_embedder(None)


def run(*options):
    """Exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("sync_index", *options, stdout=out, stderr=err)
        return 0, out.getvalue(), err.getvalue()
    except SystemExit as stop:
        return stop.code, out.getvalue(), err.getvalue()


def test_a_sync_makes_articles_answerable_and_a_second_one_changes_nothing(make_article, embedder):
    make_article("Pause", "You can pause.", synced=False)
    code, out, _err = run("--json")
    first = json.loads(out)
    assert code == 0
    assert (first["clean"], first["error"]) == (True, None)
    assert first["synced"] == {"articles": 1, "passages": 1, "embedded": 1, "failed": []}
    assert first["check"]["canaries"] == {"checked": 1, "failed": 0}
    embedder.embedded = []
    code, out, _err = run("--json")
    assert code == 0
    assert json.loads(out)["synced"] == {"articles": 0, "passages": 0, "embedded": 0, "failed": []}
    assert embedder.embedded == []


def test_the_keys_of_the_json_are_stable():
    _code, out, _err = run("--check", "--json")
    shape = json.loads(out)
    assert set(shape) == {
        *("clean", "index", "recipe", "embedder", "building", "synced", "repaired", "rebuilt_passages"),
        *("retired", "check", "error", "seconds"),
    }
    assert set(shape["check"]) == {
        *("articles_published", "articles_stale", "articles_failed", "passages_in_database"),
        *("passages_in_index", "missing", "orphaned", "canaries", "collections"),
        *("building_collections", "retired_collections"),
    }


def test_check_changes_nothing_and_fails_while_something_is_stale(make_article, embedder):
    article = make_article("Pause", "You can pause.", synced=False)
    code, out, err = run("--check")
    assert code == 1
    assert "differ" in err
    assert "stale articles" in out
    assert embedder.embedded == []
    assert not article.index_marks.exists()


def test_check_fails_when_the_index_lost_a_passage_and_sync_gives_it_back(make_article):
    make_article("Pause", "You can pause.")
    key = get_store().collections()[0]
    get_store().delete(key, sorted(get_store().ids(key)))
    code, out, _err = run("--check", "--json")
    assert code == 1
    assert json.loads(out)["check"]["missing"] == 1
    code, out, _err = run("--json")
    assert code == 0
    assert json.loads(out)["repaired"]["added"] == 1


def test_a_rebuild_uses_the_vectors_of_the_database(make_article, embedder, settings):
    make_article("Pause", "You can pause.")
    reset_store()
    shutil.rmtree(settings.INDEX_DIR)
    embedder.embedded = []
    code, out, _err = run("--rebuild")
    assert code == 0
    assert "1 passage written anew" in out
    assert embedder.embedded == []


def test_an_article_that_cannot_be_indexed_is_listed_with_its_reason(make_article, embedder):
    def refuse(_texts):
        raise RuntimeError("out of memory")

    embedder.before = refuse
    article = make_article("Pause", "You can pause.", synced=False)
    code, _out, err = run()
    assert code == 1
    assert f"{article.pk}: RuntimeError: out of memory" in err


def test_a_folder_in_other_hands_is_one_sentence_and_exit_code_1(settings):
    lock = ownership.acquire(settings.INDEX_DIR, command="manage.py import_articles")
    code, _out, err = run("--check")
    assert code == 1
    assert "manage.py import_articles" in err
    assert "Traceback" not in err
    code, out, _err = run("--check", "--json")
    assert code == 1
    assert "manage.py import_articles" in json.loads(out)["error"]
    lock.release()


def test_check_and_rebuild_exclude_each_other():
    with pytest.raises(CommandError, match="not allowed with"):
        run("--check", "--rebuild")
