"""Where the index differs from the database, and how it is put right. Never needs the embedding model.

Counting proves nothing: a damaged graph still lists every id. So besides comparing ids, a sample of passages
has to find itself (canaries).
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from django.db.models import F

from knowledge.embeddings import current_recipe
from knowledge.models import Article, IndexState, Passage, Status
from knowledge.vectors import CollectionKey, VectorStore, VectorStoreUnavailable, get_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_CANARIES = 150  # for each collection; a loss of 2 % of the vectors escapes one check in twenty
_CANARIES_IN_A_CALL = 50
_CANARY_LIMIT = 10  # places among which a passage has to find itself
_SAME = 0.999  # cosine, as Chroma computes it, of a vector with itself
_ROWS = 2000


@dataclass(frozen=True)
class Canaries:
    checked: int
    failed: int


@dataclass(frozen=True)
class DriftReport:
    articles_published: int
    articles_stale: int  # changed since they were indexed, failed ones included
    articles_failed: int  # cannot be indexed; `index_error` says why
    passages_in_database: int  # that the index has to hold
    passages_in_index: int
    missing: int  # in the database, not in the index
    orphaned: int  # in the index, not in the database, or in a collection they do not belong to
    canaries: Canaries
    collections: tuple[str, ...]  # of this recipe
    retired_collections: tuple[str, ...]  # of other recipes, no longer asked

    @property
    def is_clean(self) -> bool:
        return not (self.articles_stale or self.missing or self.orphaned or self.canaries.failed)


@dataclass(frozen=True)
class RepairReport:
    added: int  # passages that the index had lost
    removed: int  # ids that belong nowhere
    rebuilt: tuple[str, ...]  # collections whose canaries failed

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.rebuilt)


def check_index() -> DriftReport:
    """Compares and changes nothing. Raises VectorStoreUnavailable."""
    recipe = current_recipe().fingerprint
    store = get_store()
    keys = store.collections()
    held, wanted = _compared(store, recipe)
    canaries = [_ask_canaries(store, key, wanted[key] & held[key]) for key in wanted]
    stale = Article.objects.stale(recipe)
    return DriftReport(
        articles_published=Article.objects.published().count(),
        articles_stale=stale.count(),
        articles_failed=stale.exclude(index_error="").count(),
        passages_in_database=sum(len(ids) for ids in wanted.values()),
        passages_in_index=sum(len(ids) for ids in held.values()),
        missing=sum(len(wanted[key] - held[key]) for key in wanted),
        orphaned=sum(len(held[key] - wanted[key]) for key in held),
        canaries=Canaries(sum(each.checked for each in canaries), sum(each.failed for each in canaries)),
        collections=tuple(key.name for key in keys if key.recipe == recipe),
        retired_collections=tuple(key.name for key in keys if key.recipe != recipe),
    )


def repair_index(*, asks_canaries: bool = True) -> RepairReport:
    """Gives the index what it lost and takes away what belongs nowhere, from the vectors in the database.

    Without canaries it sees only what the index itself admits, but costs little enough for every few seconds.
    """
    recipe = current_recipe().fingerprint
    store = get_store()
    held, wanted = _compared(store, recipe)
    added = removed = 0
    rebuilt = []
    for key in wanted:
        orphans, missing = held[key] - wanted[key], wanted[key] - held[key]
        if orphans:
            store.delete(key, sorted(orphans))
            removed += len(orphans)
        for ids, vectors in _vectors_of(missing):
            store.upsert(key, ids, vectors)
            added += len(ids)
        if asks_canaries and _ask_canaries(store, key, wanted[key]).failed:
            log.warning("%s has lost vectors; made anew from the database", key.name)
            store.replace(key, _vectors_of(wanted[key]))
            rebuilt.append(key.name)
    return RepairReport(added, removed, tuple(rebuilt))


def rebuild_index(*, progress: Progress | None = None) -> int:
    """Makes the collections of the current recipe anew; the old ones answer until each is replaced.

    Returns the number of passages. Stale articles stay stale: their vectors are not known yet.
    """
    recipe = current_recipe().fingerprint
    store = get_store()
    try:
        keys = store.collections()
    except VectorStoreUnavailable as error:
        if not error.permanent:
            raise
        store.clear()  # too damaged to be opened
        keys = store.collections()
    wanted = _wanted_ids(recipe)
    total, done = sum(len(ids) for ids in wanted.values()), 0

    def counted(ids: set[int]) -> Iterator[tuple[Sequence[int], "NDArray[np.float32]"]]:
        nonlocal done
        for part, vectors in _vectors_of(ids):
            yield part, vectors
            done += len(part)
            if progress is not None:
                progress(done, total)

    for key, ids in wanted.items():
        store.replace(key, counted(ids))
    for key in keys:
        if key.recipe == recipe and key not in wanted:
            store.drop(key)
    repair_index()  # what was edited meanwhile went into collections that are no more
    return total


def retire_generations() -> tuple[str, ...]:
    """Removes passages and collections of other recipes, once every article is indexed by the current one."""
    recipe = current_recipe().fingerprint
    if Article.objects.stale(recipe).exists():
        return ()
    store = get_store()
    retired = [key for key in store.collections() if key.recipe != recipe]
    for key in retired:
        store.drop(key)
    Passage.objects.exclude(recipe=recipe).delete()
    IndexState.objects.exclude(recipe=recipe).delete()
    return tuple(key.name for key in retired)


def _compared(
    store: VectorStore, recipe: str
) -> tuple[dict[CollectionKey, set[int]], dict[CollectionKey, set[int]]]:
    """What the index holds and what it should hold, by collection; both know every collection of either.

    The index is read first. A row is written before its vector and deleted before it, so an id of the index
    that has no row afterwards is an orphan for certain.
    """
    held = {key: store.ids(key) for key in store.collections() if key.recipe == recipe}
    wanted = _wanted_ids(recipe)
    for key in {*held, *wanted}:
        held.setdefault(key, set())
        wanted.setdefault(key, set())
    return held, wanted


def _wanted_ids(recipe: str) -> dict[CollectionKey, set[int]]:
    rows = Passage.objects.filter(
        recipe=recipe, article__status=Status.PUBLISHED, revision=F("article__revision")
    ).order_by()
    wanted: dict[CollectionKey, set[int]] = {}
    for pk, audience, language in rows.values_list("pk", "article__audience", "article__language"):
        wanted.setdefault(CollectionKey(audience, language, recipe), set()).add(pk)
    return wanted


def _ask_canaries(store: VectorStore, key: CollectionKey, ids: set[int]) -> Canaries:
    chosen = random.sample(sorted(ids), min(len(ids), _CANARIES))
    failed = 0
    for part, vectors in _vectors_of(chosen, size=_CANARIES_IN_A_CALL):
        try:
            answers = store.query_many(key, vectors, _CANARY_LIMIT)
        except VectorStoreUnavailable as error:
            if not error.is_internal:
                raise
            return Canaries(len(chosen), len(chosen))  # a graph that cannot even be asked
        failed += sum(not _finds_itself(pk, found) for pk, found in zip(part, answers, strict=True))
    return Canaries(len(chosen), failed)


def _finds_itself(pk: int, found: Sequence[tuple[int, float]]) -> bool:
    """Among many passages with the same text any of them will do."""
    if len(found) == _CANARY_LIMIT and all(cosine >= _SAME for _pk, cosine in found):
        return True
    return any(other == pk and cosine >= _SAME for other, cosine in found)


def _vectors_of(
    ids: Sequence[int] | set[int], size: int = _ROWS
) -> Iterator[tuple[Sequence[int], "NDArray[np.float32]"]]:
    """Rows that are gone by now are left out."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        part = Passage.objects.filter(pk__in=ordered[start : start + size]).order_by("pk")
        rows = list(part.values_list("pk", "vector"))
        if rows:
            yield (
                [pk for pk, _vector in rows],
                np.stack([np.frombuffer(raw, dtype="<f4") for _pk, raw in rows]),
            )
