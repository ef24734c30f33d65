"""Damaged files of the index while articles wait to be indexed: their edits fail, and the repair comes all the same."""

import pytest
from django.conf import settings
from django.core.management import call_command

from knowledge.embeddings import use_embedder
from knowledge.indexing import Sweeper, bell_held, check_index
from knowledge.models import Article
from knowledge.vectors import VectorStoreUnavailable, get_store
from tests.processes import wait_until
from tests.seeded import SeededEmbedder
from tests.test_corruption import cut_in_half

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def damaged(make_article, monkeypatch):
    """An article was edited, and the index can be neither written nor read."""
    monkeypatch.setattr(
        "knowledge.sweepers._sweeps_here", False
    )  # and afterwards, which a sweeper does not undo
    use_embedder(SeededEmbedder())
    articles = [make_article(f"Quokka {n}", f"Quokka number {n} sleeps all winter.") for n in range(40)]
    cut_in_half(settings.INDEX_DIR / "chroma.sqlite3")
    with pytest.raises(VectorStoreUnavailable):
        get_store().collections()
    with bell_held():
        articles[0].body = "It sleeps all summer."
        articles[0].save()
    yield articles[0]
    use_embedder(None)


def is_clean() -> bool:
    try:
        return check_index().is_clean
    except VectorStoreUnavailable:
        return False


def test_the_sweep_gets_over_it(damaged):
    sweeper = Sweeper()
    sweeper.start()
    try:
        wait_until(is_clean, seconds=60, what="index and database agree")
    finally:
        sweeper.stop(timeout_seconds=20)
    assert Article.objects.get(pk=damaged.pk).passages.get().text == "It sleeps all summer."


def test_the_command_gets_over_it(damaged):
    call_command("sync_index")
    assert is_clean()
