"""Works out the gaps anew and stores them: in the background, once an hour at most, sooner after articles changed.

Promise: what a person decided stays. A gap that was set aside stays so, and takes in what is asked in its way later; a
draft stays with its questions, however they are grouped anew. A gap whose questions are answered by now leaves the list
by itself, and comes back where that article goes. Nothing is written before all is worked out, and nothing at all
where a person was faster.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import IntegrityError, close_old_connections, transaction
from django.db.models import Q
from django.utils import timezone

from assistant import outbox
from assistant.gaps.grouping import centre_of, features_of, groups_of, nearest_centre
from assistant.gaps.nearest import Nearest, nearest_of
from assistant.gaps.recheck import Recheck
from assistant.gaps.troubled import SPAN, Troubled, Vectors, troubled_questions
from assistant.models import Question
from assistant.question_vectors import question_vectors
from assistant.wanted import Gap, GapQuestion, GapRefresh, GapState, RefreshState, Trouble
from knowledge import bell, generations
from knowledge.embeddings import EmbedderUnavailable
from knowledge.models import Article, IndexMark, Language, Passage

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

PERIOD: Final = timedelta(days=30)  # of a trend
_HOURLY: Final = timedelta(hours=1)
_AFTER_EDITS: Final = timedelta(minutes=1)
_SILENCE: Final = timedelta(minutes=3)  # after which nobody is taken to work on it any more
_TRIES: Final = 3  # where people decide in between
_KEPT: Final = 10  # runs
_PASSAGES: Final = 2000  # of a language, whose mean says what its articles are about


class AlreadyRunning(Exception):
    """One at a time."""


def start() -> GapRefresh:
    """Somebody else does it, soon. Raises AlreadyRunning."""
    give_up_silent()
    try:
        with transaction.atomic():
            row = GapRefresh.objects.create()
            transaction.on_commit(partial(_ring, row.pk), robust=True)
    except IntegrityError as error:
        raise AlreadyRunning from error
    return row


def start_if_due(now: datetime | None = None) -> bool:
    """For sweeps: whether there is anything that the last run cannot have seen."""
    now = now or timezone.now()
    give_up_silent()
    last = GapRefresh.objects.first()
    if last is not None and not _is_due(last, now):
        return False
    if last is None and not Question.objects.exists():
        return False
    try:
        start()
    except AlreadyRunning:
        return False
    return True


def give_up_silent() -> None:
    """A run whose process has ended says so at last."""
    GapRefresh.objects.filter(state=RefreshState.RUNNING, beat_at__lt=timezone.now() - _SILENCE).update(
        state=RefreshState.FAILED, error="interrupted", finished_at=timezone.now()
    )


def run(refresh_id: int) -> None:
    """What `start` asked for. Safe to repeat: one that is not running any more is left alone."""
    row = GapRefresh.objects.filter(pk=refresh_id, state=RefreshState.RUNNING).first()
    if row is None:
        return
    try:
        _work(row)
    except EmbedderUnavailable as error:
        _failed(row, str(error))
    except Exception as error:
        # The person who waits for it reads the reason on the page.
        _failed(row, f"{type(error).__name__}: {error}")
        log.exception("gaps: run %d failed", row.pk)
        raise
    GapRefresh.objects.exclude(pk__in=list(GapRefresh.objects.values_list("pk", flat=True)[:_KEPT])).delete()


# --- the work -------------------------------------------------------------------------------------------


@dataclass
class Cluster:
    """A gap as it is to be stored."""

    language: str
    members: list[Troubled]
    vectors: "NDArray[np.float32]"  # of the members, (n, dimension)
    features: "NDArray[np.float32]"  # of the members, (n, dimension): what they are grouped by
    gap: Gap | None = None  # the row it becomes; None: a new one
    nearest: Nearest = field(default_factory=Nearest)
    answered_by: int | None = None  # article
    checked_at: datetime | None = None

    @property
    def ids(self) -> set[int]:
        return {one.question.pk for one in self.members}

    @property
    def nearness(self) -> "NDArray[np.float32]":
        """Of each member, its mean cosine to all of them."""
        return self.features @ centre_of(self.features)


@dataclass(frozen=True)
class Material:
    """What all tries of a run share."""

    now: datetime
    troubled: Sequence[Troubled]
    vectors: "Mapping[int, NDArray[np.float32]]"
    features: "Mapping[int, NDArray[np.float32]]"

    def cluster(self, language: str, members: list[Troubled], gap: Gap | None = None) -> Cluster:
        ids = [one.question.pk for one in members]
        return Cluster(
            language,
            members,
            np.stack([self.vectors[pk] for pk in ids]),
            np.stack([self.features[pk] for pk in ids]),
            gap,
        )


class _Changed(Exception):
    """A person decided something while it was worked out."""


def _work(row: GapRefresh) -> None:
    now = timezone.now()

    def encoded(questions: Sequence[Question]) -> "dict[int, NDArray[np.float32]]":
        return question_vectors(questions, progress=lambda: _beat(row))

    troubled = troubled_questions(now, encoded)
    GapRefresh.objects.filter(pk=row.pk).update(questions=len(troubled), beat_at=timezone.now())
    material = _material(now, [*troubled, *_settled_members(troubled)], encoded)
    last = GapRefresh.objects.filter(state=RefreshState.DONE).first()
    recheck = Recheck(
        now=now, recipe=generations.live_recipe(), since=last.started_at if last is not None else None
    )
    for attempt in range(_TRIES):
        gaps = list(Gap.objects.all())
        known = dict(GapQuestion.objects.values_list("question_id", "gap_id"))
        settled, opened = _sorted_out(material, gaps, known)
        for cluster, nearest in zip(opened, nearest_of([one.ids for one in opened]), strict=True):
            cluster.nearest = nearest
        recheck.look(opened, said=lambda done, total: _beat(row, done, total))
        try:
            _store(row, material, gaps, settled, opened)
        except _Changed:
            log.info("gaps: run %d begins again, somebody decided something (%d)", row.pk, attempt + 1)
            continue
        return
    _failed(row, "too much changed meanwhile")


def _settled_members(troubled: Sequence[Troubled]) -> list[Troubled]:
    """Questions of gaps that are settled, however old by now: later ones are told by their meaning."""
    there = {one.question.pk for one in troubled}
    members = GapQuestion.objects.exclude(gap__state=GapState.OPEN).select_related("question")
    return [
        Troubled(one.question, tuple(Trouble(name) for name in one.troubles), is_past=True)
        for one in members.defer("question__confidence_signals")
        if one.question_id not in there
    ]


def _material(now: datetime, troubled: Sequence[Troubled], encoded: "Vectors") -> Material:
    vectors = encoded([one.question for one in troubled])
    features: dict[int, NDArray[np.float32]] = {}
    for language in Language.values:
        ids = [one.question.pk for one in troubled if one.question.language == language]
        if ids:
            rows = features_of(np.stack([vectors[pk] for pk in ids]), articles=_mean_of_passages(language))
            features.update(zip(ids, rows, strict=True))
    return Material(now, troubled, vectors, features)


def _mean_of_passages(language: str) -> "NDArray[np.float32] | None":
    """What the site's articles in a language have in common; None where there are none."""
    passages = Passage.objects.filter(recipe=generations.live_recipe(), article__language=language)
    rows = [
        np.frombuffer(bytes(vector), dtype="<f4")
        for vector in passages.order_by("-pk").values_list("vector", flat=True)[:_PASSAGES]
    ]
    return np.mean(rows, axis=0, dtype=np.float32) if rows else None


def _sorted_out(
    material: Material, gaps: Sequence[Gap], known: Mapping[int, int]
) -> tuple[list[Cluster], list[Cluster]]:
    """What is settled and stays so, and what is open, each with the row it becomes."""
    published = set(
        Article.objects.published()
        .filter(pk__in=[gap.answered_by_id for gap in gaps if gap.answered_by_id])
        .values_list("pk", flat=True)
    )
    settled = [
        gap
        for gap in gaps
        if gap.state == GapState.SET_ASIDE
        or (
            gap.state == GapState.ANSWERED
            and gap.answered_by_id in published
            and not _is_long_ago(gap, material.now)
        )
    ]
    reopened = [gap for gap in gaps if gap not in settled]
    kept: list[Cluster] = []
    opened: list[Cluster] = []
    for language in Language.values:
        own = [one for one in material.troubled if one.question.language == language]
        of_gap, free = _taken_in(material, [gap for gap in settled if gap.language == language], own, known)
        kept += [material.cluster(language, members, gap) for gap, members in of_gap if members]
        if free:
            rows = groups_of(np.stack([material.features[one.question.pk] for one in free]))
            opened += [material.cluster(language, [free[row] for row in group]) for group in rows]
    _match(opened, reopened, known)
    return kept, opened


def _taken_in(
    material: Material, settled: Sequence[Gap], own: Sequence[Troubled], known: Mapping[int, int]
) -> tuple[list[tuple[Gap, list[Troubled]]], list[Troubled]]:
    """Members of settled gaps, what belongs to them by its meaning, and the rest."""
    members: dict[int, list[Troubled]] = {gap.pk: [] for gap in settled}
    rest: list[Troubled] = []
    for one in own:
        gap_id = known.get(one.question.pk)
        if gap_id in members:
            members[gap_id].append(one)
        else:
            rest.append(one)
    inhabited = [gap for gap in settled if members[gap.pk]]
    centres = [
        centre_of(np.stack([material.features[one.question.pk] for one in members[gap.pk]]))
        for gap in inhabited
    ]
    free: list[Troubled] = []
    for one in rest:
        at = nearest_centre(material.features[one.question.pk], centres)
        # What is asked after an article answered a gap, and is not answered all the same, is a gap again.
        if at is not None and not _is_asked_after(one, inhabited[at]):
            members[inhabited[at].pk].append(one)
        elif not one.is_past:
            free.append(one)
    return [(gap, members[gap.pk]) for gap in settled], free


def _is_long_ago(gap: Gap, now: datetime) -> bool:
    """None of its questions is looked at any more."""
    return gap.settled_at is not None and gap.settled_at < now - SPAN


def _is_asked_after(one: Troubled, gap: Gap) -> bool:
    return gap.state == GapState.ANSWERED and (
        gap.settled_at is None or one.question.created_at > gap.settled_at
    )


def _match(clusters: Sequence[Cluster], gaps: Sequence[Gap], known: Mapping[int, int]) -> None:
    """Each cluster becomes the row that it shares most questions with; rows with a draft choose first."""
    by_id = {gap.pk: gap for gap in gaps}
    shared: Counter[tuple[int, int]] = Counter()
    for at, cluster in enumerate(clusters):
        for question_id in cluster.ids:
            if (gap_id := known.get(question_id)) in by_id:
                shared[at, gap_id] += 1
    order = sorted(shared.items(), key=lambda one: (by_id[one[0][1]].draft_id is None, -one[1], one[0]))
    taken: set[int] = set()
    for (at, gap_id), _count in order:
        if clusters[at].gap is None and gap_id not in taken:
            clusters[at].gap = by_id[gap_id]
            taken.add(gap_id)


# --- storing --------------------------------------------------------------------------------------------


def _store(
    row: GapRefresh, material: Material, gaps: Sequence[Gap], kept: list[Cluster], opened: list[Cluster]
) -> None:
    """Raises _Changed, and then nothing was written."""
    with transaction.atomic():
        now_there = {gap.pk: _decided(gap) for gap in Gap.objects.select_for_update().order_by("pk")}
        if now_there != {gap.pk: _decided(gap) for gap in gaps}:
            raise _Changed
        if not GapRefresh.objects.filter(pk=row.pk, state=RefreshState.RUNNING).update(
            state=RefreshState.DONE, gaps=len(opened), finished_at=timezone.now()
        ):
            return  # given up meanwhile: whoever came after has newer ones
        GapQuestion.objects.all().delete()
        in_use = {cluster.gap.pk for cluster in (*kept, *opened) if cluster.gap is not None}
        Gap.objects.exclude(pk__in=in_use).delete()
        for cluster in kept:
            assert cluster.gap is not None
            _fill(cluster.gap, cluster, material)
            cluster.gap.save()
        for cluster in opened:
            gap = cluster.gap or Gap(language=cluster.language, created_at=material.now)
            gap.state, gap.reason, gap.answered_by, gap.settled_at = GapState.OPEN, "", None, None
            _fill(gap, cluster, material)
            gap.checked_at = cluster.checked_at
            if cluster.answered_by is not None:  # the rest stays as it was when it was open
                gap.state, gap.settled_at = GapState.ANSWERED, material.now
                gap.answered_by_id = cluster.answered_by
            gap.save()
            cluster.gap = gap
        GapQuestion.objects.bulk_create(
            (
                GapQuestion(
                    gap=cluster.gap,
                    question=one.question,
                    troubles=list(one.troubles),
                    nearness=float(nearness),
                )
                for cluster in (*kept, *opened)
                for one, nearness in zip(cluster.members, cluster.nearness, strict=True)
            ),
            batch_size=500,
        )


def _decided(gap: Gap) -> tuple[object, ...]:
    """What people decide about it."""
    return (gap.state, gap.draft_id)


def _fill(gap: Gap, cluster: Cluster, material: Material) -> None:
    members, now = cluster.members, material.now
    asked = [one.question.created_at for one in members]
    gap.size = len(members)
    gap.recent = sum(moment > now - PERIOD for moment in asked)
    gap.before = sum(now - 2 * PERIOD < moment <= now - PERIOD for moment in asked)
    found = Counter(trouble for one in members for trouble in one.troubles)
    gap.troubles = {str(trouble): found[trouble] for trouble in Trouble if found[trouble]}
    if gap.state != GapState.OPEN:
        return  # its name, and what was near then, are part of what was decided
    gap.title = " ".join(members[int(cluster.nearness.argmax())].question.text.split())[:300]
    nearest = cluster.nearest
    gap.nearest_id, gap.nearest_for = nearest.article_id, nearest.questions
    gap.confidence, gap.threshold = nearest.confidence, nearest.threshold
    gap.missing_words = list(nearest.missing_words)


# --- who does it ----------------------------------------------------------------------------------------


def _is_due(last: GapRefresh, now: datetime) -> bool:
    age = now - last.started_at
    if last.state == RefreshState.RUNNING or age < _AFTER_EDITS:
        return False
    if last.state == RefreshState.DONE and _did_articles_change(last.started_at):
        return True
    return age >= _HOURLY


def _did_articles_change(since: datetime) -> bool:
    """In a way that may answer an open gap, or take the answer of another away."""
    recipe = generations.live_recipe()
    answered = Q(state=GapState.ANSWERED) & ~Q(answered_by__status="published")
    if Gap.objects.filter(answered).exists():
        return True
    is_any_open = Gap.objects.filter(state=GapState.OPEN).exists()
    return is_any_open and IndexMark.objects.filter(recipe=recipe, indexed_at__gt=since).exists()


def _beat(row: GapRefresh, done: int = 0, total: int = 0) -> None:
    GapRefresh.objects.filter(pk=row.pk).update(beat_at=timezone.now(), done=done, total=total)


def _failed(row: GapRefresh, error: str) -> None:
    GapRefresh.objects.filter(pk=row.pk, state=RefreshState.RUNNING).update(
        state=RefreshState.FAILED, error=error[:500], finished_at=timezone.now()
    )


def _ring(refresh_id: int) -> None:
    if outbox.has_loop():
        # The web process of `serve`: nobody has to wait for it, and mails go on leaving.
        threading.Thread(
            target=_run_in_thread, args=(refresh_id,), name=f"gaps {refresh_id}", daemon=True
        ).start()
        return
    from assistant.tasks import refresh_gaps_task

    bell.send(refresh_gaps_task, refresh_id, about=f"gaps {refresh_id}")


def _run_in_thread(refresh_id: int) -> None:
    try:
        run(refresh_id)
    finally:
        close_old_connections()
