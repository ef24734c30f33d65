"""Who does what only one should do: with real locks, real threads and a real process that is killed."""

import threading

import pytest
from django.db import connection

from knowledge.embeddings import current_recipe
from knowledge.indexing import repair_index
from knowledge.models import Article
from knowledge.tasks import sweep_task
from knowledge.turns import Turn, our_turn
from knowledge.vectors import get_store
from tests.databases import database_url
from tests.processes import kill, line_of, start_python

HOLD = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django
django.setup()
from knowledge.turns import Turn, our_turn
from knowledge.vectors import get_store
with our_turn(Turn.REPAIR) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.readline()
"""

pytestmark = pytest.mark.django_db(transaction=True)


def _elsewhere(turn: Turn) -> bool:
    """Whether another thread, with another connection, would get it."""
    answers: list[bool] = []

    def ask() -> None:
        with our_turn(turn) as is_ours:
            answers.append(is_ours)
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return answers[0]


def test_a_turn_is_one_holders_until_it_ends():
    with our_turn(Turn.SWEEP) as is_ours:
        assert is_ours
        assert not _elsewhere(Turn.SWEEP)
        assert _elsewhere(Turn.REPAIR)
    assert _elsewhere(Turn.SWEEP)


def test_a_turn_ends_with_an_error_as_well_and_other_queries_do_not_end_it():
    def cut_off() -> None:
        with our_turn(Turn.SWEEP):
            Article.objects.count()
            connection.close()  # as a sweep does while a model is at work
            assert not _elsewhere(Turn.SWEEP)
            raise ValueError("cut off")

    with pytest.raises(ValueError, match="cut off"):
        cut_off()
    assert _elsewhere(Turn.SWEEP)


def test_patience_waits_for_whoever_has_it():
    taken, given_back = threading.Event(), threading.Event()

    def hold() -> None:
        with our_turn(Turn.REPAIR):
            taken.set()
            given_back.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    with our_turn(Turn.REPAIR) as is_ours:
        assert not is_ours
    threading.Timer(0.3, given_back.set).start()
    with our_turn(Turn.REPAIR, patience_seconds=30) as is_ours:
        assert is_ours
    thread.join()


def test_a_killed_holder_leaves_it_to_the_next(settings):
    holder = start_python(settings.DATA_DIR, HOLD, DATABASE_URL=database_url())
    assert line_of(holder) == "True"
    with our_turn(Turn.REPAIR) as is_ours:
        assert not is_ours
    kill(holder)
    with our_turn(Turn.REPAIR, patience_seconds=30) as is_ours:  # the server notices a moment later
        assert is_ours


def test_a_second_sweep_leaves_the_work_to_the_first(make_article):
    article = make_article(synced=False)

    def is_stale_after_a_sweep() -> bool:
        thread = threading.Thread(target=_sweep)
        thread.start()
        thread.join()
        return Article.objects.stale(current_recipe().fingerprint).filter(pk=article.pk).exists()

    with our_turn(Turn.SWEEP):
        assert is_stale_after_a_sweep()
    assert not is_stale_after_a_sweep()


def _sweep() -> None:
    sweep_task()
    connection.close()


def test_a_second_repair_leaves_the_collections_to_the_first(make_article):
    """Both would fill the replacement of the same collection, and drop what the other has filled so far."""
    make_article()
    store = get_store()
    (key,) = store.collections()
    held = store.ids(key)
    store.delete(key, sorted(held))
    taken, given_back = threading.Event(), threading.Event()

    def hold() -> None:
        with our_turn(Turn.REPAIR):
            taken.set()
            given_back.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    assert repair_index().is_empty
    assert not store.ids(key)
    given_back.set()
    thread.join()
    assert repair_index().added == len(held)
    assert store.ids(key) == held
