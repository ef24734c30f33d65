"""Builds the next generation of the index beside the live one, puts it in place, and removes the last one.

Promise: until the flip no question notices anything but the work; at the flip nothing is missing and its canaries find
themselves. Every step may be cut off: the row says where it was, and the next call goes on.

Refuses to decide: which generation is wanted, and what a flip is (`knowledge.generations`).
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import transaction

from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable
from knowledge.indexing.drift import complete_generation
from knowledge.indexing.syncing import SyncReport, sync_stale_here
from knowledge.models import Generation, GenerationState, IndexMark, Passage
from knowledge.vectors import VectorStoreUnavailable, get_store

log = logging.getLogger(__name__)

_ARTICLES_AT_ONCE = 4  # an edit of the live generation waits for these
_ROWS = 500  # in one transaction: whoever writes meanwhile waits for these


class BuildState(StrEnum):
    NOTHING_TO_DO = "nothing to do"  # the live one is what the settings ask for, or others see to it
    BUILDING = "building"
    INCOMPLETE = "incomplete"  # the rest is in other hands, rests after a failure, or was given up
    REFUSED = "refused"  # its canaries did not find themselves
    LIVE = "live"


@dataclass(frozen=True)
class Build:
    state: BuildState
    generation: Generation | None = None
    synced: SyncReport = field(default_factory=SyncReport)


def build_next(*, budget_seconds: float, newest_first: bool = False) -> Build:
    """A slice of work on the generation that the settings ask for, and the flip when it is whole.

    Raises EmbedderUnavailable and VectorStoreUnavailable; the row says so as well, for whoever looks.
    """
    generation = generations.wanted()
    if generation is None or not generations.claim(generation):
        return Build(BuildState.NOTHING_TO_DO)
    with _told_in(generation):
        started = time.monotonic()
        synced = sync_stale_here(
            generation,
            newest_first=newest_first,
            budget_seconds=budget_seconds,
            articles_at_once=_ARTICLES_AT_ONCE,
            progress=lambda _done, _total: generations.renew(generation),
        )
        if not generations.lacks_articles(generation):
            return Build(_put_in_place(generation), generation, synced)
        if not generations.was_refused_lately(generation):
            generations.tell_problem(generation, "")
        is_cut_off = time.monotonic() - started >= budget_seconds
        return Build(BuildState.BUILDING if is_cut_off else BuildState.INCOMPLETE, generation, synced)


def remove_retired() -> tuple[str, ...]:
    """Removes what no question needs any more; returns the collections. Raises VectorStoreUnavailable.

    Marks go first and the row last. So whatever is left half-way is nowhere taken for whole, and is found again.
    """
    removed: list[str] = []
    for generation in generations.retired():
        if not _removed_rows(generation, IndexMark):
            continue
        store = get_store()
        for key in store.collections():
            if key.recipe == generation.recipe:
                store.drop(key)
                removed.append(key.name)
        if _removed_rows(generation, Passage):
            Generation.objects.filter(pk=generation.pk, state=GenerationState.RETIRED).delete()
            log.warning("The retired index %s was removed", generation)
    return tuple(removed)


def drop_unknown_collections() -> tuple[str, ...]:
    """Removes collections of which the database knows nothing: it may have been restored from before them."""
    store = get_store()
    keys = store.collections()  # before the rows: a generation has its row first
    known = set(Generation.objects.values_list("recipe", flat=True))
    unknown = [key for key in keys if key.recipe not in known]
    for key in unknown:
        store.drop(key)
    return tuple(key.name for key in unknown)


@contextmanager
def _told_in(generation: Generation) -> Iterator[None]:
    try:
        yield
    except (EmbedderUnavailable, VectorStoreUnavailable) as error:
        generations.tell_problem(generation, str(error))
        raise
    finally:
        generations.release(generation)


def _put_in_place(generation: Generation) -> BuildState:
    if generations.was_refused_lately(generation):
        return BuildState.REFUSED
    generations.renew(generation)
    canaries = complete_generation(generation).canaries
    problem = ""
    if canaries.failed:
        problem = f"{canaries.failed} of {canaries.checked} passages do not find themselves"
        log.error("The new index %s stays out: %s", generation, problem)
    generations.tell_verified(generation, problem)
    if problem:
        return BuildState.REFUSED
    if not generations.go_live(generation):
        return BuildState.BUILDING  # an article was indexed in the live one meanwhile
    log.warning("The new index %s is live", generation)
    return BuildState.LIVE


def _removed_rows(generation: Generation, model: type[IndexMark] | type[Passage]) -> bool:
    """In parts, and only while nobody has begun to build this recipe again; False where somebody has."""
    while True:
        with transaction.atomic():
            row = Generation.objects.select_for_update().filter(
                pk=generation.pk, state=GenerationState.RETIRED
            )
            if not row.exists():
                return False
            part = list(
                model._default_manager.filter(recipe=generation.recipe).values_list("pk", flat=True)[:_ROWS]
            )
            if not part:
                return True
            model._default_manager.filter(pk__in=part).delete()
