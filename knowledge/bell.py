"""The bell: tells the index that an article changed, once the change is committed.

Promise: ringing never fails and never delays an edit beyond the sync itself; a ring that is lost costs
seconds, because staleness is written in the article's row and a sweep looks for it.

Refuses to decide: what a sync does (`knowledge.indexing`). Light enough to be imported at start-up.
"""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_save, pre_delete

from knowledge import ownership

log = logging.getLogger(__name__)

_held: ContextVar[bool] = ContextVar("bell_held", default=False)
_sweeps_here = False
_LONG_TEXT = 30_000  # characters; about three seconds of embedding


@contextlib.contextmanager
def bell_held() -> Iterator[None]:
    """For writers of many articles, who call `sync_stale` themselves when they are done."""
    token = _held.set(True)
    try:
        yield
    finally:
        _held.reset(token)


def connect() -> None:
    from knowledge.models import Article

    post_save.connect(_after_save, sender=Article, dispatch_uid="knowledge.bell.save")
    pre_delete.connect(_before_delete, sender=Article, dispatch_uid="knowledge.bell.delete")


def declare_sweeper() -> None:
    """This process looks for stale articles itself, so it never leaves them to another one."""
    global _sweeps_here
    _sweeps_here = True


def sweeper_elsewhere() -> ownership.Owner | None:
    """The running `serve` whose sweep finds stale articles within seconds, unless this is a part of it.

    Its model is loaded; loading it here as well takes longer than the sweep.
    """
    if _sweeps_here:
        return None
    owner = ownership.read_owner(settings.INDEX_DIR)
    return owner if owner is not None and owner.sweeps and owner.is_alive else None


def _after_save(instance: Any, raw: bool = False, **_kwargs: Any) -> None:
    if _held.get() or raw:
        return
    if _sweeps_here and len(instance.body) > _LONG_TEXT:
        return  # the sweep is a moment away, and nobody waits for a long text to be embedded
    transaction.on_commit(partial(_ring_for_article, instance.pk), robust=True)


def _before_delete(instance: Any, **_kwargs: Any) -> None:
    """Before, because afterwards nobody knows the ids any more."""
    if _held.get():
        return
    passage_ids = list(instance.passages.values_list("pk", flat=True))
    if passage_ids:
        transaction.on_commit(partial(_ring_for_passages, passage_ids), robust=True)


def _ring_for_article(article_id: int) -> None:
    if settings.CELERY_TASK_ALWAYS_EAGER and sweeper_elsewhere() is not None:
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
