"""An article is deleted while a sync stores passages of it: one comes after the other, and nobody sees an error."""

import threading
import time

import pytest
from django.db import connection, transaction

from knowledge import generations
from knowledge.embeddings import use_embedder
from knowledge.indexing import syncing
from knowledge.models import Article, Passage
from knowledge.vectors import get_store
from tests.seeded import SeededEmbedder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def embedder():
    use_embedder(SeededEmbedder())
    yield
    use_embedder(None)


class PausingStore:
    """`syncing._store` that has written its passages and has not committed them yet."""

    def __init__(self) -> None:
        self.has_written, self.may_commit = threading.Event(), threading.Event()
        self._store = syncing._store

    def __call__(self, *arguments: object) -> object:
        with transaction.atomic():
            stored = self._store(*arguments)  # type: ignore[arg-type]
            self.has_written.set()
            assert self.may_commit.wait(30)
        return stored


@pytest.mark.parametrize("how", ["one", "several"])
def test_deleting_waits_for_a_sync_that_is_storing(make_article, monkeypatch, how):
    article = make_article("Pause", body="A pause costs nine euros.", synced=False)
    generations.in_service()
    pausing = PausingStore()
    monkeypatch.setattr(syncing, "_store", pausing)
    errors: list[BaseException] = []

    def run(work) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    def delete() -> None:
        if how == "one":
            Article.objects.get(pk=article.pk).delete()
        else:
            Article.objects.filter(slug=article.slug).delete()

    sync = run(lambda: syncing.sync_article(article.pk))
    assert pausing.has_written.wait(30)
    deletion = run(delete)
    time.sleep(0.5)  # it has begun by now
    pausing.may_commit.set()
    sync.join(60)
    deletion.join(60)
    assert errors == []
    assert not Article.objects.exists()
    assert not Passage.objects.exists()
    store = get_store()
    assert [store.ids(key) for key in store.collections()] in ([], [set()])
