"""Questions that are decided while their page is open already, and what is told to whoever waits.

Promise: the question is stored before; the work goes on when nobody listens any more; its outcome is the row's, so a
reload, another tab or another process finds the same one. A listener holds its thread for `STREAM_SECONDS` at most,
and no more than `_LISTENERS` of them hold one at a time.

The stage is what really happens, and so are the sentences of an answer that is being written: told from memory within
the process, and noted in the row where the work takes long enough for somebody elsewhere to look. Work that its process
did not survive is taken over by the next listener, and by `assistant.interrupted` where none comes.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from assistant.abuse.current import current_client, working_for
from assistant.models import Question, QuestionStatus, Stage
from assistant.services import settle_question
from assistant.telling import Story, Telling, Told
from assistant.writers import is_generating

log = logging.getLogger(__name__)

STREAM_SECONDS = 10.0  # that a listener may hold a thread
RETRY_MS = 700  # after which one that found no thread asks again
_WORKERS = 3  # questions decided at the same time, beside the requests
_WAITING = 50  # from here on the request that asks decides by itself, which slows down who asks too much
_LISTENERS = 4
_NOTED_AFTER_SECONDS = 0.3
_POLL_SECONDS = 0.25  # of the row, for work of another process
_EAGER_POLL_SECONDS = 0.05  # at first, because most answers are there within a second
_EAGER_FOR_SECONDS = 1.0
_BEAT_SECONDS = 2.0  # an empty line shows whether anybody listens still
# Without a sign of life for so long, the work on a question is taken over.
_TAKEN_OVER_AFTER = timedelta(seconds=3)
_NOTED_WORK_LASTS = timedelta(seconds=30)


class Kind(StrEnum):
    WAITING = "waiting"  # stored, and not its turn yet
    STAGE = "stage"
    SENTENCE = "sentence"
    CLEARED = "cleared"  # what was told is taken back; it is decided anew
    SETTLED = "settled"
    SLOW = "slow"  # the listener's time is over, the work goes on
    BEAT = "beat"
    BUSY = "busy"  # too many listen; ask again


@dataclass(frozen=True)
class Event:
    kind: Kind
    stage: str = ""  # Stage
    told: Told | None = None  # of SENTENCE


@dataclass
class _Job:
    question_id: int
    client: str | None  # whose budget of a language model pays
    submitted: float = field(default_factory=time.monotonic)
    stage: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.telling = Telling(on_change=lambda story: self._note(told=story.noted()))

    def enter(self, stage: Stage) -> None:
        self.stage = stage
        self._note(stage=stage)

    def _note(self, **values: Any) -> None:
        """For others, and not worth the answer where the database cannot take it."""
        # A model may say nothing for longer than others wait before they take the work over.
        if is_generating() or time.monotonic() - self.submitted >= _NOTED_AFTER_SECONDS:
            with contextlib.suppress(OperationalError, InterfaceError):
                Question.objects.filter(pk=self.question_id, status=QuestionStatus.RECEIVED).update(
                    stage_at=timezone.now(), **values
                )


_jobs: dict[int, _Job] = {}
_jobs_lock = threading.Lock()
_executor: ThreadPoolExecutor | None = None
_listening = threading.BoundedSemaphore(_LISTENERS)


def begin(question: Question) -> None:
    """Has the question decided in the background. Safe to repeat: one job a question and process."""
    global _executor
    client = current_client()
    with _jobs_lock:
        if question.pk in _jobs:
            return
        is_crowded = len(_jobs) >= _WAITING
        if not is_crowded:
            _executor = _executor or ThreadPoolExecutor(_WORKERS, thread_name_prefix="answering")
            job = _jobs[question.pk] = _Job(question.pk, client)
            _executor.submit(_work, job)
    if is_crowded:
        settle_question(question=question)


def follow(question: Question, *, seconds: float = STREAM_SECONDS) -> Generator[Event]:
    """What happens to the question, ending with SETTLED, SLOW or BUSY."""
    if not _listening.acquire(blocking=False):
        yield Event(Kind.SETTLED) if _is_settled(question) else Event(Kind.BUSY)
        return
    try:
        yield from _followed(question, time.monotonic() + seconds)
    finally:
        _listening.release()


def stage_of(question: Question) -> str:
    """Of a question that is under way; empty where it waits."""
    job = _jobs.get(question.pk)
    return job.stage if job is not None else question.stage


def _followed(question: Question, deadline: float) -> Generator[Event]:
    told: Event | None = None
    heard = Story()
    telling: Telling | None = None  # of the work, where this process does it
    has_taken_over = False  # once: what failed at once would fail again
    began_at = time.monotonic()
    beat_at = began_at + _BEAT_SECONDS
    while True:
        job = _jobs.get(question.pk)
        telling = job.telling if job is not None else telling
        if job is None and _is_settled(question):
            if telling is not None:
                yield from _news(heard, telling.story)  # what was told last
            yield Event(Kind.SETTLED)
            return
        if job is None and not has_taken_over and _is_abandoned(question):
            has_taken_over = True
            begin(question)
            continue
        stage = stage_of(question)
        event = Event(Kind.STAGE, stage) if stage else Event(Kind.WAITING)
        if event != told:
            told = event
            yield event
        story = telling.story if telling is not None else _noted_story(question)
        if story is not None:
            yield from _news(heard, story)
            heard = story
        now = time.monotonic()
        if now >= deadline:
            yield Event(Kind.SLOW)
            return
        if now >= beat_at:
            beat_at = now + _BEAT_SECONDS
            yield Event(Kind.BEAT)
        if job is not None:
            _wait_for(job, stage, heard, min(_POLL_SECONDS, deadline - now))
        else:
            time.sleep(_EAGER_POLL_SECONDS if now - began_at < _EAGER_FOR_SECONDS else _POLL_SECONDS)


def _news(heard: Story, story: Story) -> Generator[Event]:
    if heard.beginning != story.beginning:
        if heard.sentences:
            yield Event(Kind.CLEARED)
        heard = Story()
    for told in story.sentences[len(heard.sentences) :]:
        yield Event(Kind.SENTENCE, told=told)


def _noted_story(question: Question) -> Story | None:
    """What the process that works on it has told. Old notes are of one that was killed: articles may have changed."""
    if question.told is None or _is_abandoned(question):
        return None
    return Story.read(question.told)


def _wait_for(job: _Job, stage: str, heard: Story, seconds: float) -> None:
    """Until it is done, at another stage or has told something, or the time is over."""
    until = time.monotonic() + seconds
    while job.stage == stage and job.telling.story is heard and not job.done.wait(0.02):
        if time.monotonic() >= until:
            return


def _is_settled(question: Question) -> bool:
    question.refresh_from_db(fields=["status", "stage", "stage_at", "told"])
    _let_connection_go()
    return question.status != QuestionStatus.RECEIVED


def _is_abandoned(question: Question) -> bool:
    now = timezone.now()
    if question.stage_at is not None:
        return question.stage_at < now - _NOTED_WORK_LASTS
    return question.created_at < now - _TAKEN_OVER_AFTER


def _work(job: _Job) -> None:
    try:
        question = Question.objects.select_related("conversation", "user").get(pk=job.question_id)
        if question.told is not None:  # by whoever did not survive it: a fresh sign of life is not for that
            Question.objects.filter(pk=question.pk).update(told=None)
        with working_for(job.client):
            settle_question(question=question, on_stage=job.enter, audience=job.telling)
    except Exception:
        # Nobody is there to raise it to. The question is stored, and a sweep settles it.
        log.exception("question %d could not be decided", job.question_id)
    finally:
        connection.close()
        with _jobs_lock:
            _jobs.pop(job.question_id, None)
        job.done.set()


def _let_connection_go() -> None:
    """Nobody keeps a connection while they wait."""
    if not connection.in_atomic_block:
        connection.close()
