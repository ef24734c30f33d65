"""The bell: tells the index that an article changed, once the change is committed.

Promise: ringing never fails and never delays an edit beyond the sync itself; a ring that is lost costs
seconds, because staleness is written in the article's row and a sweep looks for it.

Refuses to decide: what a sync does (`knowledge.indexing`). Light enough to be imported at start-up.
"""

import logging
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_save, pre_delete

from knowledge import sweepers
from knowledge.breaker import Breaker

log = logging.getLogger(__name__)

_LONG_TEXT = 30_000  # characters; about three seconds of embedding


def connect() -> None:
    from knowledge.models import Article

    post_save.connect(_after_save, sender=Article, dispatch_uid="knowledge.bell.save")
    pre_delete.connect(_before_delete, sender=Article, dispatch_uid="knowledge.bell.delete")


def _after_save(instance: Any, raw: bool = False, **_kwargs: Any) -> None:
    if sweepers.is_bell_held() or raw:
        return
    if sweepers.is_sweeper() and len(instance.body) > _LONG_TEXT:
        return  # the sweep is a moment away, and nobody waits for a long text to be embedded
    ring(instance.pk)


def ring(article_id: int) -> None:
    """As soon as what is being written is committed."""
    transaction.on_commit(partial(_ring_for_article, article_id), robust=True)


def _before_delete(instance: Any, **_kwargs: Any) -> None:
    """Before, because afterwards nobody knows the ids any more."""
    if sweepers.is_bell_held():
        return
    passage_ids = list(instance.passages.values_list("pk", flat=True))
    if passage_ids:
        transaction.on_commit(partial(_ring_for_passages, passage_ids), robust=True)


def _ring_for_article(article_id: int) -> None:
    if settings.CELERY_TASK_ALWAYS_EAGER and sweepers.sweeper_elsewhere() is not None:
        return
    from knowledge.tasks import sync_article_task

    send(sync_article_task, article_id, about=f"article {article_id}")


def _ring_for_passages(passage_ids: list[int]) -> None:
    from knowledge.tasks import forget_passages_task

    send(forget_passages_task, passage_ids, about=f"{len(passage_ids)} deleted passages")


def send(task: Any, argument: object, *, about: str) -> None:
    """Queues a wake-up. Of a broker that is away one caller at a time finds out; the others wait for nobody."""
    from kombu.exceptions import OperationalError

    if task.app.conf.task_always_eager:
        task.delay(argument)
        return
    attempt = _broker.attempt()
    if attempt is None:
        log.warning("%s: the broker is left alone for a moment, the sweep will find it", about)
        return
    try:
        task.delay(argument)
    except OperationalError as error:
        attempt.failed(type(error).__name__)
        log.warning("%s: the broker cannot be reached, the sweep will find it (%s)", about, error)
    except BaseException:
        attempt.failed("it failed in an unexpected way")
        raise
    else:
        attempt.succeeded()


def forget_broker() -> None:
    """For tests: what a new process knows of it."""
    global _broker
    _broker = _new_breaker()


def _new_breaker() -> Breaker:
    return Breaker("The broker", first_pause_seconds=2.0, longest_pause_seconds=10.0)


_broker = _new_breaker()
