"""The measurements of the index measure something: what they report happened. How long it took is nobody's test."""

import json
import shutil

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from knowledge.embeddings import use_embedder
from knowledge.models import Article
from knowledge.vectors import get_store
from tests.processes import free_port
from tests.seeded import SeededEmbedder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def embedder():
    use_embedder(SeededEmbedder())
    yield
    use_embedder(None)


@pytest.fixture
def questions(tmp_path):
    file = tmp_path / "questions.jsonl"
    rows = [{"question": f"What is in drawer {n}?", "language": "en", "article_ids": []} for n in range(3)]
    file.write_text("\n".join(json.dumps({"id": str(n), **row}) for n, row in enumerate(rows)))
    return file


def test_what_is_published_is_found_in_the_index(capsys):
    call_command("benchmark_index", "--publishes", "2")
    assert "publish to answerable: 2 articles, p50 " in capsys.readouterr().out
    assert Article.objects.filter(source="benchmark").count() == 2
    store = get_store()
    assert sum(len(store.ids(key)) for key in store.collections()) >= 2


def test_an_index_is_made_anew(capsys, make_article):
    make_article("One")
    shutil.rmtree(settings.INDEX_DIR)
    call_command("benchmark_index", "--rebuild")
    assert "rebuild: 1 passages in " in capsys.readouterr().out
    (key,) = get_store().collections()
    assert len(get_store().ids(key)) == 1


def test_the_folder_is_deleted_while_questions_are_asked(capsys, make_article, live_server, questions):
    make_article("The drawer", "In drawer 1 are the screws.")
    options = ["--site", live_server.url, "--questions", str(questions), "--pause", "1"]
    call_command("benchmark_index", "--deletions", "1", *options)
    said = capsys.readouterr().out
    assert said.startswith("index deleted 1 times under load: ")
    assert ", 0 failed, 0 ended otherwise than before" in said


def test_a_site_that_does_not_answer_is_named(questions):
    site = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match=site):
        call_command("benchmark_index", "--deletions", "1", "--site", site, "--questions", str(questions))
