"""Replays in the background: asked for, taken in hand, kept, stopped, and found again when their process is gone.

Promise: whoever works on one holds it by a mark in its row and says every second that he is at it; a row whose holder
is silent is taken over by the next sweep, and given up after `_ATTEMPTS`. What was compared is kept in one transaction
with the end, by the holder alone: no half of a result, and no result of somebody who was stopped or overtaken.

Refuses to decide what is compared (`assistant.whatif.questions`) and how (`assistant.whatif.comparing`).
"""

import hashlib
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import close_old_connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from assistant import outbox
from assistant.asking import Desk, wordings
from assistant.calibration.store import in_force
from assistant.models import Question
from assistant.question_vectors import load, wordings_of
from assistant.replays import (
    UNFINISHED,
    Difference,
    Judged,
    Replay,
    ReplayedQuestion,
    ReplayKind,
    ReplayState,
)
from assistant.whatif.comparing import Comparison, Judging, compare
from assistant.whatif.questions import PastQuestion, past_questions
from assistant.writers import EXTRACTIVE
from assistant.writers.extractive import ExtractiveWriter
from knowledge import bell, generations
from knowledge.advice import advise
from knowledge.changes import pending_change, working_copy
from knowledge.embeddings import EmbedderUnavailable
from knowledge.models import Article, Status
from knowledge.trial import Change, Overtaken, Trial

log = logging.getLogger(__name__)

INTERRUPTED, OVERTAKEN = "interrupted", "overtaken"  # errors that the page has words for

_BEAT_SECONDS = 1.0
_SILENCE = timedelta(seconds=60)  # after which nobody is taken to work on it any more
_ATTEMPTS = 3
_RESTARTS = 3  # where articles do not stand still meanwhile
_TOGETHER = 64  # questions whose vectors are compared at once
_KEPT = 30  # finished replays
_DISAGREEMENTS = 8  # of one replay; the page of the check has all

_one_at_a_time = threading.Lock()  # in a process: two would only share its cores
_in_hand: set[int] = set()  # replays that wait for it or have it


class _Stopped(Exception):
    """Somebody has stopped it, or another process has it."""


# --- asked for -------------------------------------------------------------------------------------------


def try_publishing(article: Article, *, by: Any) -> Replay:
    """What publishing would change. `article` is a stored one with the text it would have, which is not saved."""
    return _start(ReplayKind.PUBLISH, by=by, published=article)


def try_archiving(articles: Sequence[Article], *, by: Any) -> Replay:
    return _start(ReplayKind.ARCHIVE, by=by, withdrawn=articles)


def try_merging(kept: Article, other: Article, *, by: Any) -> Replay:
    """`kept` with the text it would have, `other` archived."""
    return _start(ReplayKind.MERGE, by=by, published=kept, withdrawn=[other])


def cancel(replay: Replay) -> bool:
    """False where it had ended already."""
    stopped = Replay.objects.filter(pk=replay.pk, state__in=UNFINISHED).update(
        state=ReplayState.CANCELLED, finished_at=timezone.now()
    )
    return bool(stopped)


def change_of(replay: Replay) -> Change:
    """What it is about, of the articles as they are stored now."""
    published: tuple[Article, ...] = ()
    if replay.article_id is not None:
        article = Article.objects.get(pk=replay.article_id)
        _put_text(article, replay)
        article.status = Status.PUBLISHED
        published = (article,)
    return Change(published, frozenset(replay.withdrawn.values_list("pk", flat=True)))


def is_out_of_date(replay: Replay) -> bool:
    """Whether an article that it is about reads otherwise now than what was tried, and than it did then.

    What counts of the one that would be published is what is worked on, online or in preparation.
    """
    concerned = Article.objects.in_bulk([int(key) for key in replay.editions])
    for key, edition in replay.editions.items():
        article = concerned.get(int(key))
        if article is None:
            return True
        if article.pk == replay.article_id:
            tried = {name: getattr(replay, name) for name in _TEXT}
            if _working_text(article) != tried and _edition(article, is_published=True) != edition:
                return True
        elif article.status != Status.ARCHIVED and _edition(article, is_published=False) != edition:
            return True
    return False


def has_index_moved(replay: Replay) -> bool:
    """Whether other articles are answerable now than when it ran, or by another model."""
    generation = generations.live()
    if generation is None or replay.state != ReplayState.DONE:
        return False
    return (generation.recipe, generation.version) != (replay.recipe, replay.version)


# --- run -------------------------------------------------------------------------------------------------


def run(replay_id: int) -> None:
    """Works out what was asked for. Safe to repeat: one that has ended, or is in other hands, is left alone."""
    replay = _taken(replay_id)
    if replay is None:
        return
    started = time.monotonic()
    try:
        _work_out(replay, started)
    except _Stopped:
        log.info("replay %d was stopped", replay_id)
    except Overtaken:
        _fail(replay, OVERTAKEN)
    except EmbedderUnavailable as error:
        _fail(replay, str(error))
    except Exception as error:
        # Whoever waits for it reads the reason on the page.
        _fail(replay, f"{type(error).__name__}: {error}")
        log.exception("replay %d failed", replay_id)
        raise


def resume_lost() -> int:
    """Rings for those that nobody has in hand any more; gives up those that ended so too often."""
    silent = Replay.objects.filter(_is_silent(), state__in=UNFINISHED)
    silent.filter(attempts__gte=_ATTEMPTS).update(
        state=ReplayState.FAILED, error=INTERRUPTED, finished_at=timezone.now()
    )
    lost = [pk for pk in silent.values_list("pk", flat=True) if pk not in _in_hand]
    for pk in lost:
        _ring(pk)
    return len(lost)


def _work_out(replay: Replay, started: float) -> None:
    questions = past_questions()
    wanted = [one for past in questions for one in wordings_of(past.inquiry, past.question_id)]
    beat = _Beat(replay)
    beat.tell(0, len(questions))
    vectors = load(wanted, progress=beat.tell)
    for attempt in range(_RESTARTS):
        try:
            change = change_of(replay)
            trial = Trial(change, vectors)
            found = list(beat.through(compared(questions, trial)))
            disagreements = _disagreements(change)
        except Overtaken:
            if attempt == _RESTARTS - 1:
                raise
            log.info("replay %d begins again: articles have changed", replay.pk)
        else:
            _keep(replay, found, trial, disagreements, time.monotonic() - started)
            return


def compared(questions: Sequence[PastQuestion], trial: Trial) -> Iterator[Comparison]:
    """Each question before and after, one by one. Raises Overtaken."""
    site = in_force()
    # Thousands of calls of a chat model would cost money and minutes: then quotes stand for what it would write.
    writer = ExtractiveWriter()
    before = Desk(trial.before.retrieve, site, trial.before.translation_of, writer)
    after = Desk(trial.after.retrieve, site, trial.after.translation_of, writer)
    judging = Judging.of(trial.change, live=_live(trial.change.article_ids))
    for start in range(0, len(questions), _TOGETHER):
        part = questions[start : start + _TOGETHER]
        trial.expect((text, one.inquiry.language) for one in part for text in wordings(one.inquiry))
        for question in part:
            yield compare(question, before, after, judging)


def _live(article_ids: Collection[int]) -> set[int]:
    return set(Article.objects.published().filter(pk__in=article_ids).values_list("pk", flat=True))


class _Beat:
    """Signs of life in the row, once a second. Raises _Stopped where it is no longer ours."""

    def __init__(self, replay: Replay) -> None:
        self._row = Replay.objects.filter(pk=replay.pk, state=ReplayState.RUNNING, holder=replay.holder)
        self._told_at = float("-inf")
        self._figures: dict[str, int] = {}

    def tell(self, done: int | None = None, total: int | None = None) -> None:
        self._figures |= {
            key: value for key, value in (("done", done), ("total", total)) if value is not None
        }
        if time.monotonic() - self._told_at < _BEAT_SECONDS:
            return
        self._told_at = time.monotonic()
        if not self._row.update(beat_at=timezone.now(), **self._figures):
            raise _Stopped

    def through(self, items: Iterator[Comparison]) -> Iterator[Comparison]:
        for number, item in enumerate(items, start=1):
            self.tell(number)
            yield item


def _taken(replay_id: int) -> Replay | None:
    """The row with our mark on it; None where it has ended or somebody is at it."""
    is_free = Q(state=ReplayState.WAITING) | (Q(state=ReplayState.RUNNING) & _is_silent())
    holder = uuid.uuid4().hex
    taken = Replay.objects.filter(is_free, pk=replay_id).update(
        state=ReplayState.RUNNING, holder=holder, beat_at=timezone.now(), attempts=F("attempts") + 1
    )
    return Replay.objects.select_related("article").get(pk=replay_id) if taken else None


def _disagreements(change: Change) -> list[dict[str, Any]]:
    """Where other articles that stay say something else than what would be published."""
    return [
        {
            "kind": finding.kind,
            "detail": finding.detail,
            "quote": finding.quote,
            "article_id": finding.other.article_id,
            "title": finding.other.title,
            "other": finding.other.quote,
        }
        for article in change.published
        for finding in advise(article)
        if finding.is_serious and finding.other is not None
        if finding.other.article_id not in change.article_ids
    ][:_DISAGREEMENTS]


def _is_silent() -> Q:
    """Without a sign of life for long; one in the future was given before the clock was set back."""
    now = timezone.now()
    return Q(beat_at__lt=now - _SILENCE) | Q(beat_at__gt=now + _SILENCE)


def _keep(
    replay: Replay,
    found: Sequence[Comparison],
    trial: Trial,
    disagreements: list[dict[str, Any]],
    seconds: float,
) -> None:
    different = sorted((one for one in found if one.kind is not Difference.SAME), key=lambda one: one.weight)
    counts = Counter(one.kind.value for one in found)
    judged = [one for one in found if one.judged_before]
    with transaction.atomic():
        ended = Replay.objects.filter(pk=replay.pk, state=ReplayState.RUNNING, holder=replay.holder).update(
            state=ReplayState.DONE,
            done=len(found),
            total=len(found),
            counts=dict(counts),
            judged={
                "total": len(judged),
                "before": sum(one.judged_before == Judged.RIGHT for one in judged),
                "after": sum(one.judged_after == Judged.RIGHT for one in judged),
            },
            recipe=trial.recipe,
            version=trial.version,
            disagreements=disagreements,
            is_quoted=settings.ANSWER_WRITER != EXTRACTIVE,
            seconds=seconds,
            finished_at=timezone.now(),
        )
        if not ended:
            raise _Stopped
        asked = [one.question.question_id for one in different]
        there = set(Question.objects.filter(pk__in=asked).values_list("pk", flat=True))  # some may be deleted
        ReplayedQuestion.objects.bulk_create(
            (
                ReplayedQuestion(
                    replay=replay,
                    question_id=one.question.question_id,
                    position=position,
                    kind=one.kind,
                    times=one.question.times,
                    before=one.before.as_json(),
                    after=one.after.as_json(),
                    judged_before=one.judged_before,
                    judged_after=one.judged_after,
                )
                for position, one in enumerate(different)
                if one.question.question_id in there
            ),
            batch_size=200,
        )
    log.info("replay %d: %d questions in %.1f s", replay.pk, len(found), seconds)


def _fail(replay: Replay, reason: str) -> None:
    Replay.objects.filter(pk=replay.pk, state=ReplayState.RUNNING, holder=replay.holder).update(
        state=ReplayState.FAILED, error=reason[:500], finished_at=timezone.now()
    )


# --- begun -----------------------------------------------------------------------------------------------

_TEXT = ("title", "body", "language", "audience", "translation_group")


def _working_text(article: Article) -> dict[str, str]:
    content = working_copy(article, pending_change(article)).content
    return {name: content.get(name, getattr(article, name)) for name in _TEXT}


def _edition(article: Article, *, is_published: bool) -> str:
    """What tells it from a later one: of its working copy where that would be published, else of what is stored."""
    if not is_published:
        return article.content_fingerprint
    return hashlib.sha256("\x1f".join(_working_text(article).values()).encode()).hexdigest()


def _put_text(article: Article, replay: Replay) -> None:
    for name in _TEXT:
        setattr(article, name, getattr(replay, name))


def _start(
    kind: ReplayKind, *, by: Any, published: Article | None = None, withdrawn: Sequence[Article] = ()
) -> Replay:
    concerned = [article.pk for article in (published, *withdrawn) if article is not None]
    stored = Article.objects.in_bulk(concerned)
    editions = {
        str(pk): _edition(article, is_published=published is not None and pk == published.pk)
        for pk, article in stored.items()
    }
    with transaction.atomic():
        _forget_old()
        replay = Replay(
            kind=kind,
            article=published,
            created_by=by,
            editions=editions,
        )
        if published is not None:
            for name in _TEXT:
                setattr(replay, name, getattr(published, name))
        replay.save()
        replay.withdrawn.set(withdrawn)
        transaction.on_commit(partial(_ring, replay.pk), robust=True)
    return replay


def _forget_old() -> None:
    ended = Replay.objects.exclude(state__in=UNFINISHED).order_by("-pk")
    Replay.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[_KEPT - 1 :])).delete()


def _ring(replay_id: int) -> None:
    if outbox.has_loop():
        # The web process of `serve`: nobody has to wait for it, and mails go on leaving.
        if replay_id not in _in_hand:
            _in_hand.add(replay_id)
            threading.Thread(
                target=_run_in_thread, args=(replay_id,), name=f"replay {replay_id}", daemon=True
            ).start()
        return
    from assistant.tasks import replay_task

    bell.send(replay_task, replay_id, about=f"replay {replay_id}")


def _run_in_thread(replay_id: int) -> None:
    try:
        with _one_at_a_time:
            run(replay_id)
    finally:
        _in_hand.discard(replay_id)
        close_old_connections()
