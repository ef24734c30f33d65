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

    _send(sync_article_task, article_id, about=f"article {article_id}")


def _ring_for_passages(passage_ids: list[int]) -> None:
    from knowledge.tasks import forget_passages_task

    _send(forget_passages_task, passage_ids, about=f"{len(passage_ids)} deleted passages")


def _send(task: Any, argument: object, *, about: str) -> None:
    from kombu.exceptions import OperationalError

    try:
        task.delay(argument)
    except OperationalError as error:
        log.warning("%s: the broker cannot be reached, the sweep will find it (%s)", about, error)
