"""Where the index differs from the database, and how it is put right. Never needs the embedding model.

What is compared is the live generation; one that is being built is compared before it goes live.

Counting proves nothing: a damaged graph still lists every id. So besides comparing ids, a sample of passages
has to find itself (canaries). What is damaged is set aside and made anew from the vectors in the database;
until it is complete it is not there, and questions are answered by exact search.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from knowledge import generations
from knowledge.indexing.checkup import write_checkup
from knowledge.models import Article, Generation, Passage
from knowledge.turns import Turn, our_turn
from knowledge.vectors import CollectionKey, VectorStore, VectorStoreUnavailable, get_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_CANARIES = 150  # for each collection; a loss of 2 % of the vectors escapes one check in twenty
# Where one of them fails, so many are asked. To some vectors a graph that is whole leads nobody: of 16 456 in
# clusters of eighty 12 (and 178 with half the neighbours). Of fewer than these every one is found.
_SECOND_LOOK = 1000
_UNREACHABLE_SHARE = 0.03
_CANARIES_IN_A_CALL = 50
_CANARY_LIMIT = 10  # places among which a passage has to find itself
_SAME = 0.999  # cosine, as Chroma computes it, of a vector with itself
_ROWS = 2000
_LARGE_LOSS = 1000  # passages; fewer are back before anybody would notice
_LARGE_SHARE = 0.1
_PATIENCE_SECONDS = 120.0  # with whoever has the index in hand; 20 000 passages take half a minute
_DEADLY_READS = 2  # that a collection may answer by ending its server, before it is no longer read


@dataclass(frozen=True)
class Canaries:
    checked: int
    failed: int  # 0 where they are no more than a large graph that is whole leaves unreachable


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
    collections: tuple[str, ...]  # of the live generation
    building_collections: tuple[str, ...]  # of its successor, not asked yet
    retired_collections: tuple[str, ...]  # of other recipes, no longer asked

    @property
    def is_clean(self) -> bool:
        return not (self.articles_stale or self.missing or self.orphaned or self.canaries.failed)


@dataclass(frozen=True)
class RepairReport:
    added: int  # passages that the index had lost
    removed: int  # ids that belong nowhere
    rebuilt: tuple[str, ...]  # collections that were damaged, or had lost too much to be filled in place
    canaries: Canaries = Canaries(0, 0)  # after everything that could be mended was
    is_folder_new: bool = False  # the files were damaged as a whole

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.rebuilt)


@dataclass(frozen=True)
class _Holding:
    """What one collection holds and what it should hold."""

    held: set[int]
    wanted: set[int]
    is_damaged: bool  # it cannot be read

    @property
    def missing(self) -> set[int]:
        return self.wanted - self.held

    @property
    def orphans(self) -> set[int]:
        return self.held - self.wanted

    @property
    def has_lost_much(self) -> bool:
        return len(self.missing) > max(_LARGE_LOSS, _LARGE_SHARE * len(self.wanted))


def check_index() -> DriftReport:
    """Compares and changes nothing. Raises VectorStoreUnavailable."""
    recipe = generations.live_recipe()
    under_way = generations.building()
    store = get_store()
    keys = store.collections()
    holdings = _compared(store, recipe)
    canaries = [_ask_canaries(store, key, one.wanted & one.held) for key, one in holdings.items()]
    stale = Article.objects.stale(recipe)
    return DriftReport(
        articles_published=Article.objects.for_index().count(),
        articles_stale=stale.count(),
        articles_failed=stale.exclude(index_error="").count(),
        passages_in_database=sum(len(one.wanted) for one in holdings.values()),
        passages_in_index=sum(len(one.held) for one in holdings.values()),
        missing=sum(len(one.missing) for one in holdings.values()),
        orphaned=sum(len(one.orphans) for one in holdings.values()),
        canaries=_sum(canaries),
        collections=tuple(key.name for key in keys if key.recipe == recipe),
        building_collections=tuple(key.name for key in keys if under_way and key.recipe == under_way.recipe),
        retired_collections=tuple(
            key.name for key in keys if key.recipe not in (recipe, under_way.recipe if under_way else recipe)
        ),
    )


def repair_index(*, asks_canaries: bool = True, patience_seconds: float = 0.0) -> RepairReport:
    """Gives the index what it lost and takes away what belongs nowhere, from the vectors in the database.

    Without canaries it sees only what the index itself admits, but costs little enough for every few seconds.
    Left to whoever is at it already, unless that one ends within `patience_seconds`. Raises
    VectorStoreUnavailable where the index cannot be reached, or its files are another machine's to mend.
    """
    with our_turn(Turn.REPAIR, patience_seconds=patience_seconds) as is_ours:
        return _repaired_live(asks_canaries=asks_canaries) if is_ours else RepairReport(0, 0, ())


def complete_generation(generation: Generation) -> RepairReport:
    """The same for one that is not live yet: afterwards nothing is missing, and its canaries have been asked."""
    with _our_turn_soon():
        return _repaired_with_its_files(generation.recipe, asks_canaries=True)


def rebuild_index(*, progress: Progress | None = None) -> int:
    """Makes the collections of the live generation anew; the old ones answer until each is replaced.

    Returns the number of passages. Stale articles stay stale: their vectors are not known yet.
    """
    with _our_turn_soon():
        return _rebuilt(progress)


@contextmanager
def _our_turn_soon() -> Iterator[None]:
    """Two who fill the same collection would take each other's apart, and leave half of one under its name."""
    with our_turn(Turn.REPAIR, patience_seconds=_PATIENCE_SECONDS) as is_ours:
        if not is_ours:
            reason = "another process is making it anew"
            raise VectorStoreUnavailable(f"The vector index: {reason}. Try again later.", reason=reason)
        yield


def _rebuilt(progress: Progress | None) -> int:
    recipe = generations.live_recipe()
    store = get_store()
    try:
        keys = store.collections()
    except VectorStoreUnavailable as error:
        if not (error.permanent or error.is_damage):
            raise
        store.set_folder_aside()
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
    _repaired_live(asks_canaries=True)  # what was edited meanwhile went into collections that are no more
    return total


def _repaired_live(*, asks_canaries: bool) -> RepairReport:
    report = _repaired_with_its_files(generations.live_recipe(), asks_canaries=asks_canaries)
    write_checkup(checked=report.canaries.checked, failed=report.canaries.failed, asked=asks_canaries)
    return report


def _repaired_with_its_files(recipe: str, *, asks_canaries: bool) -> RepairReport:
    store = get_store()
    try:
        # Of several connections to damaged tables one still answers from its memory and another one does not.
        if not (asks_canaries and store.has_damaged_tables()):
            return _repaired(store, recipe, asks_canaries=asks_canaries)
        log.error("The tables of the vector index are damaged")
    except VectorStoreUnavailable as error:
        if error.connection_lost or not (error.is_damage or store.has_damaged_tables()):
            raise
        log.error("The files of the vector index are damaged: %s", error)
    store.set_folder_aside()
    return replace(_repaired(store, recipe, asks_canaries=asks_canaries), is_folder_new=True)


def _repaired(store: VectorStore, recipe: str, *, asks_canaries: bool) -> RepairReport:
    added = removed = 0
    rebuilt = []
    canaries = []
    for key, one in _compared(store, recipe).items():
        if one.is_damaged:
            log.error("%s cannot be read; set aside and made anew from the database", key.name)
            store.set_collection_aside(key)
        if one.is_damaged or one.has_lost_much:
            # Not in place: a collection that is half full answers, and worse than none.
            store.replace(key, _vectors_of(one.wanted))
            _deadly_reads.pop(key.name, None)
            added += len(one.missing)
            rebuilt.append(key.name)
        else:
            if one.orphans:
                store.delete(key, sorted(one.orphans))
                removed += len(one.orphans)
            for ids, vectors in _vectors_of(one.missing):
                store.upsert(key, ids, vectors)
                added += len(ids)
        if asks_canaries:
            found = _ask_canaries(store, key, one.wanted)
            if found.failed:
                log.error("%s has lost vectors; set aside and made anew from the database", key.name)
                store.set_collection_aside(key)
                store.replace(key, _vectors_of(one.wanted))
                rebuilt.append(key.name)
                found = _ask_canaries(store, key, one.wanted)
            canaries.append(found)
    return RepairReport(added, removed, tuple(dict.fromkeys(rebuilt)), _sum(canaries))


def _compared(store: VectorStore, recipe: str) -> dict[CollectionKey, _Holding]:
    """Every collection that the index or the database knows.

    The index is read first. A row is written before its vector and deleted before it, so an id of the index
    that has no row afterwards is an orphan for certain.
    """
    held = {key: _held_ids(store, key) for key in store.collections() if key.recipe == recipe}
    wanted = _wanted_ids(recipe)
    return {
        key: _Holding(held.get(key) or set(), wanted.get(key, set()), is_damaged=held.get(key, set()) is None)
        for key in {**held, **wanted}
    }


# By collection: how often its server was gone after a question about it. A graph with random bytes in it ends
# the process that follows them, and a server that is started again meets the same graph.
_deadly_reads: Counter[str] = Counter()


def _held_ids(store: VectorStore, key: CollectionKey) -> set[int] | None:
    """None where the collection cannot be read."""
    if _deadly_reads[key.name] >= _DEADLY_READS:
        return None
    try:
        return store.ids(key)
    except VectorStoreUnavailable as error:
        if error.connection_lost:
            _deadly_reads[key.name] += 1
        if not error.is_damage or error.is_total:
            raise
        log.warning("%s: %s", key.name, error)
        return None


def _wanted_ids(recipe: str) -> dict[CollectionKey, set[int]]:
    rows = Passage.objects.current().filter(recipe=recipe).order_by()
    wanted: dict[CollectionKey, set[int]] = {}
    for pk, audience, language in rows.values_list("pk", "article__audience", "article__language"):
        wanted.setdefault(CollectionKey(audience, language, recipe), set()).add(pk)
    return wanted


def _ask_canaries(store: VectorStore, key: CollectionKey, ids: set[int]) -> Canaries:
    found = _ask_some(store, key, ids, _CANARIES)
    if not 0 < found.failed < found.checked:
        return found
    found = _ask_some(store, key, ids, _SECOND_LOOK)
    if found.checked < _SECOND_LOOK or found.failed > _UNREACHABLE_SHARE * found.checked:
        return found
    log.info("%s: %d of %d passages are out of the graph's reach", key.name, found.failed, found.checked)
    return replace(found, failed=0)


def _ask_some(store: VectorStore, key: CollectionKey, ids: set[int], count: int) -> Canaries:
    chosen = random.sample(sorted(ids), min(len(ids), count))
    lost: list[int] = []
    for part, vectors in _vectors_of(chosen, size=_CANARIES_IN_A_CALL):
        try:
            answers = store.query_many(key, vectors, _CANARY_LIMIT)
        except VectorStoreUnavailable as error:
            if error.connection_lost:
                _deadly_reads[key.name] += 1
            if not error.is_damage or error.is_total:
                raise
            return Canaries(len(chosen), len(chosen))  # a graph that cannot even be asked
        lost += [pk for pk, found in zip(part, answers, strict=True) if not _finds_itself(pk, found)]
    _deadly_reads.pop(key.name, None)
    # One that was withdrawn while it was asked for is rightly gone.
    still_wanted = Passage.objects.current().filter(
        pk__in=lost, article__audience=key.audience, article__language=key.language
    )
    return Canaries(len(chosen), still_wanted.count() if lost else 0)


def _sum(canaries: Sequence[Canaries]) -> Canaries:
    return Canaries(sum(each.checked for each in canaries), sum(each.failed for each in canaries))


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
