"""Wake-ups for the index. Each may come late, twice or never: the database says what is to be done."""

import logging
from typing import Any

from celery import shared_task
from django.db import OperationalError

from knowledge.turns import Turn, our_turn

log = logging.getLogger(__name__)

# A sweep ends in time for its worker's limit; the next one goes on where it stopped.
_SWEEP_SECONDS = 240
_BUILD_SECONDS = 10  # then customers' mails and editors' changes have their turn
_MAX_RETRIES = 5


@shared_task(  # type: ignore[untyped-decorator]
    bind=True, name="knowledge.sync_article", max_retries=_MAX_RETRIES, time_limit=300, soft_time_limit=270
)
def sync_article_task(self: Any, article_id: int) -> None:
    from knowledge.embeddings import EmbedderUnavailable
    from knowledge.indexing import sync_article, sync_told
    from knowledge.vectors import VectorStoreUnavailable

    try:
        if self.request.is_eager:  # an editor waits, and for nothing but his own article
            sync_article(article_id)
        else:
            sync_told(article_id)
    except (VectorStoreUnavailable, EmbedderUnavailable, OperationalError) as error:
        _try_later(self, error, about=f"article {article_id}")


@shared_task(  # type: ignore[untyped-decorator]
    bind=True, name="knowledge.forget_passages", max_retries=_MAX_RETRIES, time_limit=120, soft_time_limit=100
)
def forget_passages_task(self: Any, passage_ids: list[int]) -> None:
    from knowledge.indexing import forget_passages
    from knowledge.vectors import VectorStoreUnavailable

    try:
        forget_passages(passage_ids)
    except VectorStoreUnavailable as error:
        _try_later(self, error, about=f"{len(passage_ids)} deleted passages")


@shared_task(name="knowledge.sweep", time_limit=300, soft_time_limit=270)  # type: ignore[untyped-decorator]
def sweep_task() -> None:
    """Finds what no ring was heard for."""
    from knowledge.embeddings import EmbedderUnavailable
    from knowledge.indexing import sync_stale_here
    from knowledge.vectors import VectorStoreUnavailable

    try:
        # A long one must not fill every process of the workers: rings and mails would wait behind.
        with our_turn(Turn.SWEEP) as is_ours:
            if is_ours:
                sync_stale_here(newest_first=True, budget_seconds=_SWEEP_SECONDS)
    except (VectorStoreUnavailable, EmbedderUnavailable, OperationalError) as error:
        log.warning("Sweep: %s", error)


@shared_task(name="knowledge.build_index", time_limit=300, soft_time_limit=270)  # type: ignore[untyped-decorator]
def build_index_task() -> None:
    """Removes the last generation of the index, and goes on with the next where the settings ask for one."""
    from knowledge.embeddings import EmbedderUnavailable
    from knowledge.indexing import build_next, remove_retired
    from knowledge.vectors import VectorStoreUnavailable

    try:
        remove_retired()
        build_next(budget_seconds=_BUILD_SECONDS)
    except (VectorStoreUnavailable, EmbedderUnavailable, OperationalError) as error:
        log.warning("The next index: %s", error)


@shared_task(name="knowledge.repair_index", time_limit=300, soft_time_limit=270)  # type: ignore[untyped-decorator]
def repair_index_task() -> None:
    """Finds what the index lost, or kept, without telling anybody."""
    _repair(asks_canaries=True)


@shared_task(name="knowledge.compare_index", time_limit=300, soft_time_limit=270)  # type: ignore[untyped-decorator]
def compare_index_task() -> None:
    """The cheap half of a repair: what the index says it holds, against the database."""
    _repair(asks_canaries=False)


def _repair(*, asks_canaries: bool) -> None:
    from knowledge.indexing import repair_index
    from knowledge.vectors import VectorStoreUnavailable

    try:
        repair_index(asks_canaries=asks_canaries)
    except (VectorStoreUnavailable, OperationalError) as error:
        log.warning("Repair of the index: %s", error)


def _try_later(task: Any, error: Exception, *, about: str) -> None:
    """Inline the editor is waiting: the sweep tries again, not this request."""
    if task.request.is_eager:
        log.warning("%s: left to the sweep (%s)", about, error)
        return
    raise task.retry(exc=error, countdown=min(2**task.request.retries, 60))


@shared_task(name="knowledge.keep_dates", time_limit=60, soft_time_limit=50)  # type: ignore[untyped-decorator]
def keep_dates_task() -> None:
    from knowledge.dates import keep_dates

    try:
        keep_dates()
    except OperationalError as error:
        log.warning("Dates are left to the next sweep: %s", error)


@shared_task(name="knowledge.import_upload", time_limit=600, soft_time_limit=540)  # type: ignore[untyped-decorator]
def import_upload_task(run_id: int) -> None:
    from knowledge.importers.uploads import import_upload

    import_upload(run_id)
