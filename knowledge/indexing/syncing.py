"""From stale articles to stored passages to the vector index, in batches, for one generation.

The order is what makes it safe to be cut off: plan; claim the row, so that one process embeds it; embed outside
any transaction; one short transaction per article that holds only while the row is what was planned; then the
index; then the mark, which ends the claim. A claim is on the article, not on one generation of it: no two processes
have the same text in hand.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone

from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable
from knowledge.indexing.embedding import PassageVectors, embed, passage_row, stored_vectors
from knowledge.indexing.planning import Plan, plan_article, plan_withdrawal
from knowledge.models import Article, Generation, IndexMark, Passage, Status
from knowledge.outbox import edition_of, is_due
from knowledge.vectors import CollectionKey, VectorStoreUnavailable, get_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_ARTICLES_READ_AT_ONCE = 16
_PASSAGES_IN_A_BATCH = 128  # about four seconds of embedding on two cores
_PASSAGES_AT_ONCE = (
    16  # between two looks at the clock: half a second on two cores, and two calls of the model
)
_RENEWAL_SECONDS = 1.0
_MAX_RESTARTS = 5
# What models and tokenizers raise at a text that they cannot take. The rest is no fault of the article.
_TEXT_ERRORS = (RuntimeError, ValueError, TypeError, LookupError, MemoryError)


@dataclass(frozen=True)
class SyncReport:
    articles: int = 0  # brought up to date
    passages: int = 0  # of those articles
    embedded: int = 0  # passages whose vector had to be computed
    failed: tuple[int, ...] = ()  # ids of articles that cannot be indexed; `index_error` says why


@dataclass
class _Tally:
    articles: int = 0
    passages: int = 0
    embedded: int = 0
    failed: list[int] = field(default_factory=list)
    store_error: VectorStoreUnavailable | None = None

    def report(self) -> SyncReport:
        return SyncReport(self.articles, self.passages, self.embedded, tuple(self.failed))


@dataclass(frozen=True)
class _Stored:
    """What is in the database now for one article, and what the index has to do about it."""

    plan: Plan
    ids: tuple[int, ...]  # passages that the index has to hold, in order of position
    vectors: tuple[bytes, ...]
    unwanted: tuple[int, ...]  # ids that the index may still hold, anywhere
    is_known: bool  # the index may hold `ids` in a collection that they have left


def sync_article(article_id: int) -> None:
    """Brings one article up to date in the live generation, whatever its mark says, unless it is looked after already.

    A generation that is being built gets it from its builder: nobody who waits loads a second model. "Looked after"
    means: another sync has it in hand, or it has failed and rests. Raises VectorStoreUnavailable or
    EmbedderUnavailable; the article is then still stale. One that itself cannot be indexed gets an
    `index_error`.
    """
    _sync_some(Article.objects.filter(pk=article_id), about=f"article {article_id}")


def sync_told(article_id: int) -> None:
    """What a ring from the queue asks for: nothing where the article is up to date by now.

    Otherwise others that wait come along, because many at once cost little more than one: their own rings then
    find nothing to do. So a long queue gets shorter faster than one article at a time. Raises as `sync_article`.
    """
    stale = Article.objects.stale(generations.in_service().recipe).order_by()
    if not stale.filter(pk=article_id).exists():
        return
    others = stale.filter(is_due()).exclude(pk=article_id).values_list("pk", flat=True)
    batch = [article_id, *others[: _ARTICLES_READ_AT_ONCE - 1]]
    _sync_some(stale.filter(pk__in=batch), about=f"article {article_id} and {len(batch) - 1} more")


def _sync_some(candidates: QuerySet[Article], *, about: str) -> None:
    tally = _Tally()
    for _attempt in range(_MAX_RESTARTS):
        moved = _sync_batch(candidates, generations.in_service(), tally)
        if tally.store_error is not None:
            raise tally.store_error
        if not moved:
            return
    log.info("%s: changing all the time; left to the sweep", about)


def sync_stale_here(
    generation: Generation | None = None,
    *,
    progress: Progress | None = None,
    newest_first: bool = False,
    budget_seconds: float | None = None,
    articles_at_once: int = _ARTICLES_READ_AT_ONCE,
) -> SyncReport:
    """Brings all stale articles up to date in this process, except those that others have in hand or that rest.

    In the live generation, or in another one. Two processes that start from opposite ends (`newest_first`) meet in
    the middle. Raises EmbedderUnavailable at once; VectorStoreUnavailable at the end, when all that needs no index is
    done.
    """
    started = time.monotonic()
    generation = generation or generations.in_service()
    stale = Article.objects.stale(generation.recipe).order_by()
    # Sorted here: for the order of its keys SQLite would read the whole table instead of the outbox's index.
    waiting = sorted(stale.values_list("pk", flat=True), reverse=newest_first)
    total, done = len(waiting), 0
    tally = _Tally()
    if progress is not None and total:
        progress(0, total)
    while waiting:
        part, waiting = waiting[:articles_at_once], waiting[articles_at_once:]
        _sync_batch(stale.filter(pk__in=part), generation, tally)
        done += len(part)
        if progress is not None:
            progress(done, total)
        if budget_seconds is not None and time.monotonic() - started >= budget_seconds:
            break  # after one part at least, however short the time is
    if tally.store_error is not None:
        raise tally.store_error
    return tally.report()


def forget_passages(passage_ids: Sequence[int]) -> None:
    """Takes passages of deleted articles out of the index."""
    store = get_store()
    for key in store.collections():
        store.delete(key, passage_ids)


def _sync_batch(candidates: QuerySet[Article], generation: Generation, tally: _Tally) -> set[int]:
    """Returns the ids of articles that changed meanwhile."""
    articles = list(candidates.filter(is_due()))
    plans = [plan for article in articles if (plan := _planned(article, generation, tally)) is not None]
    moved: set[int] = set()
    for part in _parts(plans):
        with _claimed(part, candidates, moved) as mine:
            vectors, embedded = _vectors_for(mine, moved, generation, tally)
            stored = []
            for plan in mine:
                if any(passage.content_hash not in vectors for passage in plan.passages):
                    continue  # its embedding failed and says so in its row, or it has changed
                outcome = _store(plan, vectors, generation)
                if outcome is None:
                    plan.edition.release()  # still ours where it is the generation that has gone
                    moved.add(plan.article_id)
                else:
                    stored.append(outcome)
            tally.embedded += embedded
            if tally.store_error is None:
                try:
                    moved |= _publish(stored, generation, tally)
                except VectorStoreUnavailable as error:
                    # The passages are in the database; the rows stay stale, so the index gets them later.
                    tally.store_error = error
            if tally.store_error is not None:
                _release(mine)
    return moved


@contextmanager
def _claimed(plans: Sequence[Plan], candidates: QuerySet[Article], moved: set[int]) -> Iterator[list[Plan]]:
    """Those of `plans` that are ours to carry out. Notes the articles that are no longer what was planned."""
    mine: list[Plan] = []
    try:
        for plan in plans:
            if plan.edition.claim(candidates):
                mine.append(plan)
            elif not plan.edition.row().exists():
                moved.add(plan.article_id)
        yield mine
    except BaseException:
        _release(mine)
        raise


def _release(plans: Sequence[Plan]) -> None:
    """For work that was cut off; what was marked, has failed or has changed is nobody's already."""
    for plan in plans:
        plan.edition.release()


def _planned(article: Article, generation: Generation, tally: _Tally) -> Plan | None:
    if article.status != Status.PUBLISHED:
        return plan_withdrawal(article, recipe=generation.recipe)
    embedder = generations.embedder_of(generation)
    try:
        return plan_article(
            article,
            recipe=generation.recipe,
            count_tokens=partial(embedder.count_tokens, language=article.language),
            max_tokens=embedder.max_tokens,
        )
    except EmbedderUnavailable:
        raise
    except Exception as error:
        # Whatever one text does to a parser, the other articles go in.
        log.exception("article %s cannot be split", article.pk)
        edition = edition_of(article)
        # Two processes that stumble over it at once are one failure.
        if edition.claim(Article.objects.all()):
            edition.fail(error)
        tally.failed.append(article.pk)
        return None


def _parts(plans: Sequence[Plan]) -> Iterable[list[Plan]]:
    part: list[Plan] = []
    for plan in plans:
        if part and sum(len(planned.passages) for planned in [*part, plan]) > _PASSAGES_IN_A_BATCH:
            yield part
            part = []
        part.append(plan)
    if part:
        yield part


def _vectors_for(
    plans: Sequence[Plan], moved: set[int], generation: Generation, tally: _Tally
) -> tuple[dict[str, PassageVectors], int]:
    """Vectors by content hash, and how many had to be computed. What was embedded once is looked up."""
    passages = {passage.content_hash: passage for plan in plans for passage in plan.passages}
    vectors = stored_vectors(list(passages), generation)
    missing = [passage for content_hash, passage in passages.items() if content_hash not in vectors]
    # Neighbours in length share a call of the model.
    missing.sort(key=lambda passage: len(passage.embedded))
    already = len(vectors)
    try:
        renewed_at = time.monotonic()
        for start in range(0, len(missing), _PASSAGES_AT_ONCE):
            if time.monotonic() - renewed_at >= _RENEWAL_SECONDS:
                if not _renewed(plans, moved):
                    break  # all of them have changed: nobody waits for the rest
                renewed_at = time.monotonic()
            _let_connection_go()
            vectors.update(embed(missing[start : start + _PASSAGES_AT_ONCE], generation))
        return vectors, len(vectors) - already
    except _TEXT_ERRORS:
        log.exception("embedding a batch of %d passages failed; trying article by article", len(missing))
    for plan in plans:
        needed = [passage for passage in plan.passages if passage.content_hash not in vectors]
        if not needed or not _renewed([plan], moved):
            continue
        _let_connection_go()
        try:
            vectors.update(embed(needed, generation))
        except _TEXT_ERRORS as error:
            plan.edition.fail(error)
            tally.failed.append(plan.article_id)
    return vectors, len(vectors) - already


def _renewed(plans: Sequence[Plan], moved: set[int]) -> bool:
    """Prolongs the claims; False where every article has changed."""
    moved.update(plan.article_id for plan in plans if not plan.edition.renew())
    return any(plan.article_id not in moved for plan in plans)


def _let_connection_go() -> None:
    """Nobody keeps a connection waiting for a model."""
    if not connection.in_atomic_block:
        connection.close()


def _store(plan: Plan, vectors: dict[str, PassageVectors], generation: Generation) -> _Stored | None:
    """Replaces the article's passages; None where article or generation are no longer what was planned."""
    with transaction.atomic():
        # The conditional update also takes the row: two syncs of one article come one after the other.
        if not plan.edition.row().update(index_attempts=0, index_failed_at=None, index_error=""):
            return None
        old = list(
            Passage.objects.filter(article_id=plan.article_id, recipe=generation.recipe)
            .order_by("position")
            .defer("vector", "heading_vector", "unit_vectors")
        )
        if not generations.written_to(generation).update(version=F("version") + 1):
            transaction.set_rollback(True)  # its successor took over, or nobody wants it any more
            return None
        if not plan.is_published:
            # The rows stay: their vectors are there when the article comes back, and the gate hides them.
            return _Stored(plan, (), (), tuple(passage.pk for passage in old), is_known=False)
        rows = [
            passage_row(plan, passage, vectors[passage.content_hash], generation) for passage in plan.passages
        ]
        stored_vectors = tuple(bytes(row.vector) for row in rows)
        if [_identity(passage) for passage in old] == [_identity(passage) for passage in rows]:
            return _Stored(plan, tuple(passage.pk for passage in old), stored_vectors, (), is_known=True)
        gone = tuple(passage.pk for passage in old)
        Passage.objects.filter(pk__in=gone).delete()
        created = Passage.objects.bulk_create(rows)
        return _Stored(plan, tuple(passage.pk for passage in created), stored_vectors, gone, is_known=False)


def _identity(row: Passage) -> tuple[object, ...]:
    return (
        row.revision,
        row.text_fingerprint,
        row.position,
        tuple(row.heading_path),
        row.anchor,
        row.preface,
        row.text,
        row.start,
        row.end,
        row.content_hash,
    )


def _publish(stored: Sequence[_Stored], generation: Generation, tally: _Tally) -> set[int]:
    """Tells the index, then marks the rows. Returns the ids of articles that changed meanwhile."""
    wanted: dict[CollectionKey, list[_Stored]] = {}
    for outcome in stored:
        if outcome.ids:
            wanted.setdefault(outcome.plan.key, []).append(outcome)
    store = get_store()
    for key, outcomes in wanted.items():
        store.upsert(key, _ids_of(outcomes), _matrix(outcomes))
    if any(outcome.unwanted or outcome.is_known for outcome in stored):
        for key in store.collections():
            gone = [identity for outcome in stored for identity in outcome.unwanted]
            left = [
                identity
                for outcome in stored
                if outcome.is_known and outcome.plan.key != key
                for identity in outcome.ids
            ]
            if key.recipe == generation.recipe and (gone or left):
                store.delete(key, gone + left)
    moved = set()
    for outcome in stored:
        if _mark(outcome.plan, generation):
            tally.articles += 1
            tally.passages += len(outcome.ids)
        else:
            # Whoever changed it may have cleaned up before our write arrived.
            store.delete(outcome.plan.key, outcome.ids)
            moved.add(outcome.plan.article_id)
    return moved


def _mark(plan: Plan, generation: Generation) -> bool:
    """Without a history entry: nobody wrote anything. False where article or generation are another by now."""
    edition = plan.edition
    with transaction.atomic():
        if not edition.row().update(index_claimed_at=None) or not generations.written_to(generation).exists():
            return False
        # Answerable all the time, where only the generation is new, or nothing.
        marks = IndexMark.objects.filter(
            article_id=plan.article_id, fingerprint=edition.fingerprint, edition_at=edition.changed_at
        )
        since = marks.aggregate(since=Min("indexed_at"))["since"] or timezone.now()
        IndexMark.objects.update_or_create(
            article_id=plan.article_id,
            recipe=generation.recipe,
            defaults={
                "fingerprint": edition.fingerprint,
                "edition_at": edition.changed_at,
                "indexed_at": since if plan.is_published else None,
            },
        )
    return True


def _ids_of(outcomes: Sequence[_Stored]) -> list[int]:
    return [identity for outcome in outcomes for identity in outcome.ids]


def _matrix(outcomes: Sequence[_Stored]) -> "NDArray[np.float32]":
    return np.stack([np.frombuffer(raw, dtype="<f4") for outcome in outcomes for raw in outcome.vectors])
