"""The sweep: finds what no bell was heard for, and heals the index. Runs inside the web process of `serve`.

It lives where the model is loaded already, and it makes the promise that other commands rely on: a stale
article is answerable within two seconds, whichever process changed it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from django.db import DatabaseError, close_old_connections

from knowledge import sweepers
from knowledge.embeddings import EmbedderUnavailable, current_recipe, get_embedder
from knowledge.indexing.drift import repair_index
from knowledge.indexing.syncing import Progress, SyncReport, sync_stale_here
from knowledge.models import Article, Language, Passage
from knowledge.outbox import is_claimed, try_again
from knowledge.retrieval import retrieve
from knowledge.vectors import VectorStoreUnavailable, get_store

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 0.5  # between two looks; one look is one query that reads an index of the table
_COMPARE_SECONDS = 5.0  # ids of the index against the database; 0.1 s for 20 000 passages
_CANARY_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 10.0  # after failures
_FOLLOW_POLL_SECONDS = 0.2
_FOLLOW_PATIENCE_SECONDS = 30.0  # without progress, the other process is not trusted any longer
_IDS_IN_A_QUERY = 1000


def sync_stale(*, progress: Progress | None = None) -> SyncReport:
    """Brings all stale articles up to date, or waits until those who are at it have done it.

    Somebody asks for it, so what has failed or was given up gets another chance. Raises EmbedderUnavailable,
    and VectorStoreUnavailable after everything that needs no index is done.
    """
    stale = Article.objects.stale(current_recipe().fingerprint)
    try_again(stale)
    if sweepers.sweeper_elsewhere() is not None:
        report = _follow(progress)
        if report is not None:
            return report
    report = sync_stale_here(progress=progress)
    while stale.filter(is_claimed()).exists():
        time.sleep(_FOLLOW_POLL_SECONDS)
        # They finish, or fail, or let go, or their lease runs out and it is ours.
        report = _sum(report, sync_stale_here())
    return report


def warm_up() -> None:
    """Loads what the first question would otherwise wait for. Raises what the parts raise."""
    get_embedder()
    get_store().collections()
    for language in Language.values:
        retrieve("warm up", language=language)


class Sweeper(threading.Thread):
    def __init__(self, *, on_warm: Callable[[str], None] | None = None) -> None:
        """`on_warm` is told once that the first question will be quick, or why it will not."""
        super().__init__(name="sweeper", daemon=True)
        self._stopped = threading.Event()
        self._on_warm = on_warm
        self._failures = 0
        self._compare_due = self._canaries_due = 0.0
        sweepers.declare_sweeper()

    def stop(self, timeout_seconds: float) -> None:
        self._stopped.set()
        self.join(timeout_seconds)

    def run(self) -> None:
        self._warm_up()
        while not self._stopped.wait(self._pause_seconds()):
            try:
                self._sweep()
                self._failures = 0
            except (VectorStoreUnavailable, EmbedderUnavailable, DatabaseError) as error:
                self._failures += 1
                log.warning("Sweep: %s", error)
            except Exception:
                # A thread that died silently would leave every later edit unanswerable.
                self._failures += 1
                log.exception("Sweep failed")
            finally:
                close_old_connections()

    def _warm_up(self) -> None:
        problem = ""
        try:
            warm_up()
        except (VectorStoreUnavailable, EmbedderUnavailable) as error:
            problem = str(error)
            log.warning("Warm-up: %s", error)
        if self._on_warm is not None:
            self._on_warm(problem)

    def _pause_seconds(self) -> float:
        return min(_SWEEP_SECONDS * 2.0**self._failures, _LONGEST_PAUSE_SECONDS)

    def _sweep(self) -> None:
        now = time.monotonic()
        sync_stale_here(newest_first=True)
        if now >= self._compare_due:
            asks_canaries = now >= self._canaries_due
            report = repair_index(asks_canaries=asks_canaries)
            self._compare_due = now + _COMPARE_SECONDS
            if asks_canaries:
                self._canaries_due = now + _CANARY_SECONDS
            if not report.is_empty:
                log.warning(
                    "Index repaired: %d added, %d removed, %d collections made anew",
                    report.added,
                    report.removed,
                    len(report.rebuilt),
                )


def _follow(progress: Progress | None) -> SyncReport | None:
    """Watches another process work; None where it does not get on."""
    recipe = current_recipe().fingerprint
    stale = Article.objects.stale(recipe).filter(index_error="").order_by()
    followed = list(stale.values_list("pk", flat=True))
    remaining = total = len(followed)
    deadline = time.monotonic() + _FOLLOW_PATIENCE_SECONDS
    while remaining:
        if progress is not None:
            progress(total - remaining, total)
        if time.monotonic() > deadline or sweepers.sweeper_elsewhere() is None:
            log.warning("The sweep of the running server does not get on; this process takes over")
            return None
        time.sleep(_FOLLOW_POLL_SECONDS)
        before, remaining = remaining, min(stale.count(), total)
        if remaining < before:
            deadline = time.monotonic() + _FOLLOW_PATIENCE_SECONDS
    if progress is not None and total:
        progress(total, total)
    failed = Article.objects.stale(recipe).exclude(index_error="").values_list("pk", flat=True)
    return SyncReport(articles=total, passages=_passages_of(followed, recipe), failed=tuple(failed))


def _sum(first: SyncReport, more: SyncReport) -> SyncReport:
    return replace(
        first,
        articles=first.articles + more.articles,
        passages=first.passages + more.passages,
        embedded=first.embedded + more.embedded,
        failed=(*first.failed, *more.failed),
    )


def _passages_of(article_ids: Sequence[int], recipe: str) -> int:
    passages = Passage.objects.filter(recipe=recipe)
    return sum(
        passages.filter(article_id__in=article_ids[start : start + _IDS_IN_A_QUERY]).count()
        for start in range(0, len(article_ids), _IDS_IN_A_QUERY)
    )
