"""The sweep: finds what no bell was heard for, and heals the index. Runs inside the web process of `serve`.

It lives where the model is loaded already, and it makes the promise that other commands rely on: a stale
article is answerable within two seconds, whichever process changed it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from django.db import DatabaseError, close_old_connections
from django.db.models import QuerySet

from knowledge import generations, sweepers
from knowledge.embeddings import EmbedderUnavailable
from knowledge.indexing.building import BuildState, build_next, remove_retired
from knowledge.indexing.drift import repair_index
from knowledge.indexing.syncing import Progress, SyncReport, sync_stale_here
from knowledge.models import Article, Language, Passage
from knowledge.outbox import is_claimed, try_again
from knowledge.retrieval import begin_word_indexes, retrieve
from knowledge.vectors import VectorStoreUnavailable, get_store

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 0.5  # between two looks; one look is one query that reads an index of the table
_COMPARE_SECONDS = 5.0  # ids of the index against the database; 0.1 s for 20 000 passages
_CANARY_SECONDS = 60.0
_POLITE_SECONDS = 0.05  # between two goes at it
_BUILD_SECONDS = 1.0  # in one go at the next generation: an edit of the live one waits for it
_LONGEST_PAUSE_SECONDS = 5.0  # after failures; whatever has ended one is found by then
_FOLLOW_POLL_SECONDS = 0.2
_INDEX_START_SECONDS = 10.0  # one to three on idle cores
_FOLLOW_PATIENCE_SECONDS = 30.0  # without progress, the other process is not trusted any longer
_IDS_IN_A_QUERY = 1000


def sync_stale(*, progress: Progress | None = None) -> SyncReport:
    """Brings all stale articles up to date, or waits until those who are at it have done it.

    Afterwards the next generation is built, where the settings ask for one, as far as it goes: see
    `generations.building`. Somebody asks for it, so what has failed or was given up gets another chance. Raises
    EmbedderUnavailable, and VectorStoreUnavailable after everything that needs no index is done.
    """
    current, following = generations.in_service(), generations.wanted()
    for generation in (current, following):
        if generation is not None:
            try_again(Article.objects.stale(generation.recipe))
    if sweepers.sweeper_elsewhere() is not None:
        report = _follow(progress)
        if report is not None:
            return report
    try:
        report = _sync_live(progress)
    except EmbedderUnavailable as error:
        if following is None:
            raise
        # Its successor is the way out, and takes the edits along.
        log.warning("The live index gets no edits: %s", error)
        report = SyncReport()
    return _sum(report, _build(progress)) if following is not None else report


def _sync_live(progress: Progress | None) -> SyncReport:
    report = SyncReport()
    while True:
        # Before as well: a lease that runs out while we look leaves the article to the next round.
        was_in_hand = _is_in_hand(generations.live_recipe())
        report = _sum(report, sync_stale_here(progress=progress))
        if not was_in_hand and not _is_in_hand(generations.live_recipe()):
            return report
        # They finish, or fail, or let go, or their lease runs out and it is ours.
        time.sleep(_FOLLOW_POLL_SECONDS)


def _build(progress: Progress | None) -> SyncReport:
    report = SyncReport()
    while (following := generations.wanted()) is not None:
        if progress is not None:
            known = generations.progress_of(following)
            progress(known.done, known.total)
        was_in_hand = _is_in_hand(following.recipe)
        build = build_next(budget_seconds=_BUILD_SECONDS)
        report = _sum(report, build.synced)
        is_in_hand = was_in_hand or _is_in_hand(following.recipe)
        if build.state is BuildState.REFUSED or (build.state is BuildState.INCOMPLETE and not is_in_hand):
            break
        if build.state is not BuildState.BUILDING:
            time.sleep(_FOLLOW_POLL_SECONDS)
    return report


def _is_in_hand(recipe: str) -> bool:
    return Article.objects.stale(recipe).filter(is_claimed()).exists()


def warm_up() -> None:
    """Loads what the first question would otherwise wait for. Raises what the parts raise, when all have been tried."""
    begin_word_indexes()
    try:
        generations.embedder_of(generations.in_service())
        _reach_index()
    finally:
        for language, article_language in product(Language.values, repeat=2):
            retrieve("warm up", language=language, article_language=article_language)


def _reach_index() -> None:
    """Its server may have been started together with this process."""
    deadline = time.monotonic() + _INDEX_START_SECONDS
    while True:
        try:
            get_store().collections()
        except VectorStoreUnavailable as error:
            if not error.connection_lost or time.monotonic() > deadline:
                raise
            time.sleep(_FOLLOW_POLL_SECONDS)
        else:
            return


class Sweeper(threading.Thread):
    def __init__(self, *, on_warm: Callable[[str], None] | None = None) -> None:
        """`on_warm` is told once that the first question will be quick, or why it will not."""
        super().__init__(name="sweeper", daemon=True)
        self._stopped = threading.Event()
        self._on_warm = on_warm
        self._failures = self._build_failures = 0
        self._build_due = 0.0
        self._is_building = False
        self._compare_due = self._canaries_due = 0.0
        sweepers.declare_sweeper()

    def stop(self, timeout_seconds: float) -> None:
        self._stopped.set()
        self.join(timeout_seconds)

    def run(self) -> None:
        self._warm_up()
        while not self._stopped.wait(self._pause_seconds()):
            try:
                try:
                    self._sweep()
                finally:
                    self._build()  # also where the live one gets no edits: its successor may be the way out
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
        except Exception as error:
            # As below: the sweep has to begin, whatever the warm-up met.
            problem = f"{type(error).__name__}: {error}"
            log.exception("Warm-up failed")
        if self._on_warm is not None:
            self._on_warm(problem)

    def _pause_seconds(self) -> float:
        if self._is_building:
            return _POLITE_SECONDS
        return min(_SWEEP_SECONDS * 2.0**self._failures, _LONGEST_PAUSE_SECONDS)

    def _sweep(self) -> None:
        now = time.monotonic()
        outage = None
        try:
            sync_stale_here(newest_first=True)
        except VectorStoreUnavailable as error:
            outage = error  # of damaged files, the repair is the way out, which therefore comes all the same
        if now < self._compare_due:
            if outage is not None:
                raise outage
        else:
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

    def _build(self) -> None:
        """Its failures are its own: the live generation is swept as often as ever."""
        self._is_building = False
        if time.monotonic() < self._build_due:
            return
        try:
            remove_retired()
            build = build_next(budget_seconds=_BUILD_SECONDS, newest_first=True)
        except (VectorStoreUnavailable, EmbedderUnavailable, DatabaseError) as error:
            self._build_failures += 1
            pause = min(_SWEEP_SECONDS * 2.0**self._build_failures, _LONGEST_PAUSE_SECONDS)
            self._build_due = time.monotonic() + pause
            log.warning("The next index: %s", error)
            return
        self._build_failures = 0
        self._is_building = build.state is BuildState.BUILDING
        if build.state is BuildState.LIVE:
            warm_up()


def _follow(progress: Progress | None) -> SyncReport | None:
    """Watches another process work, on the live generation and on its successor; None where it does not get on."""
    live = generations.live_recipe()
    followed = list(_unfinished(live).values_list("pk", flat=True))
    following = generations.wanted()
    last = following.recipe if following is not None else live
    remaining = total = max(len(followed), _unfinished(last).count())
    deadline = time.monotonic() + _FOLLOW_PATIENCE_SECONDS
    while remaining or generations.wanted() is not None:
        if progress is not None:
            progress(total - remaining, total)
        if time.monotonic() > deadline or sweepers.sweeper_elsewhere() is None:
            log.warning("The sweep of the running server does not get on; this process takes over")
            return None
        time.sleep(_FOLLOW_POLL_SECONDS)
        before = remaining
        remaining = min(max(_unfinished(generations.live_recipe()).count(), _unfinished(last).count()), total)
        if remaining < before:
            deadline = time.monotonic() + _FOLLOW_PATIENCE_SECONDS
    if progress is not None and total:
        progress(total, total)
    failed = Article.objects.stale(last).exclude(index_error="").values_list("pk", flat=True)
    return SyncReport(articles=total, passages=_passages_of(followed, last), failed=tuple(failed))


def _unfinished(recipe: str) -> QuerySet[Article]:
    return Article.objects.stale(recipe).filter(index_error="").order_by()


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
