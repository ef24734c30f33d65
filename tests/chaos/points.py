"""Where a process is killed: names of the product's code, and what has to be going on for them to be reached.

Promise: a name that is no longer there is an error, and tests/test_chaos.py finds each point reached. What is
wrapped here is wrapped in a process that is about to die of it.
"""

import functools
import itertools
import os
import pkgutil
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Work(StrEnum):
    """What a process is at when it is killed; `kills` prepares it."""

    SWEEP = "sweep"
    LONG_SWEEP = "sweep of a long text"
    EDIT = "edit"
    DELETE = "delete"
    REPAIR = "repair"
    HEAL = "repair of a damaged collection"
    REBUILD = "rebuild"
    CHANGE_MODEL = "change of the model"
    MAIL = "mail"
    ANSWER = "question"
    ESCALATE = "question without an answer"
    TICKET = "ticket"
    FEEDBACK = "feedback"


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Point:
    work: Work
    name: str  # the state that it leaves behind
    target: str  # module:name of what is wrapped
    when: When

    def __str__(self) -> str:
        return f"{self.work}: {self.name}"


_CLAIM = "knowledge.outbox:Edition.claim"
_RENEW = "knowledge.outbox:Edition.renew"
_EMBED = "tests.seeded:SeededEmbedder.encode_passages"
_WRITE_ROWS = "django.db.models.query:QuerySet.bulk_create"
_MARK = "knowledge.indexing.syncing:_mark"
_UPSERT = "knowledge.vectors.store:VectorStore.upsert"
_DELETE = "knowledge.vectors.store:VectorStore.delete"
_IDS = "knowledge.vectors.store:VectorStore.ids"
_DROP = "knowledge.vectors.store:VectorStore.drop"
_REPLACE = "knowledge.vectors.store:VectorStore.replace"
_ASIDE = "knowledge.vectors.store:VectorStore.set_collection_aside"
_CANARIES = "knowledge.vectors.store:VectorStore.query_many"
_RENAME = "knowledge.vectors.chroma:Link.rename"
_CHECKUP = "knowledge.indexing.drift:write_checkup"
_GO_LIVE = "knowledge.generations:go_live"
_RING = "knowledge.bell:send"
_COMPOSE = "assistant.outbox:compose"
_SEND = "django.core.mail:EmailMessage.send"
_DECIDE = "assistant.services.questions:decide"
_COMMIT = "django.db.transaction:Atomic.__exit__"
_STATEMENT = "django.db.backends.utils:CursorWrapper.execute"

BEFORE, AFTER = When.BEFORE, When.AFTER

POINTS: tuple[Point, ...] = (
    Point(Work.SWEEP, "stale, nobody's", _CLAIM, BEFORE),
    Point(Work.SWEEP, "claimed", _CLAIM, AFTER),
    Point(Work.SWEEP, "about to embed", _EMBED, BEFORE),
    Point(Work.SWEEP, "embedded, nothing stored", _EMBED, AFTER),
    Point(Work.SWEEP, "old passages deleted, uncommitted", _WRITE_ROWS, BEFORE),
    Point(Work.SWEEP, "new passages written, uncommitted", _WRITE_ROWS, AFTER),
    Point(Work.SWEEP, "passages committed, no vectors", _UPSERT, BEFORE),
    Point(Work.SWEEP, "vectors written, the old ones there as well", _UPSERT, AFTER),
    Point(Work.SWEEP, "about to take old vectors out", _DELETE, BEFORE),
    Point(Work.SWEEP, "old vectors taken out", _DELETE, AFTER),
    Point(Work.SWEEP, "index complete, row unmarked", _MARK, BEFORE),
    Point(Work.SWEEP, "row marked", _MARK, AFTER),
    Point(Work.LONG_SWEEP, "lease about to be renewed", _RENEW, BEFORE),
    Point(Work.LONG_SWEEP, "lease renewed, half embedded", _RENEW, AFTER),
    Point(Work.EDIT, "edit uncommitted", _COMMIT, BEFORE),
    Point(Work.EDIT, "edit committed, nobody told", _RING, BEFORE),
    Point(Work.EDIT, "vectors written, the editor's request unfinished", _UPSERT, AFTER),
    Point(Work.EDIT, "indexed, the editor not told", _RING, AFTER),
    Point(Work.DELETE, "deletion committed, vectors there", _RING, BEFORE),
    Point(Work.DELETE, "about to take its vectors out", _DELETE, BEFORE),
    Point(Work.DELETE, "vectors taken out, the editor not told", _DELETE, AFTER),
    Point(Work.REPAIR, "compared", _IDS, AFTER),
    Point(Work.REPAIR, "about to take orphans out", _DELETE, BEFORE),
    Point(Work.REPAIR, "orphans taken out, losses not filled", _DELETE, AFTER),
    Point(Work.REPAIR, "about to fill losses", _UPSERT, BEFORE),
    Point(Work.REPAIR, "losses filled", _UPSERT, AFTER),
    Point(Work.REPAIR, "canaries asked", _CANARIES, AFTER),
    Point(Work.REPAIR, "about to write down how things are", _CHECKUP, BEFORE),
    Point(Work.REPAIR, "repaired and written down", _CHECKUP, AFTER),
    Point(Work.HEAL, "damage found", _ASIDE, BEFORE),
    Point(Work.HEAL, "damaged collection set aside, none in its place", _ASIDE, AFTER),
    Point(Work.HEAL, "about to be made anew", _REPLACE, BEFORE),
    Point(Work.HEAL, "made anew", _REPLACE, AFTER),
    Point(Work.REBUILD, "about to begin", _REPLACE, BEFORE),
    Point(Work.REBUILD, "new collection full, the old one answers", _DROP, BEFORE),
    Point(Work.REBUILD, "old collection gone, the new one has no name", _RENAME, BEFORE),
    Point(Work.REBUILD, "new collection has the name", _RENAME, AFTER),
    Point(Work.REBUILD, "a collection replaced", _REPLACE, AFTER),
    Point(Work.CHANGE_MODEL, "first texts embedded anew", _EMBED, AFTER),
    Point(Work.CHANGE_MODEL, "new passages beside the old ones, uncommitted", _WRITE_ROWS, AFTER),
    Point(Work.CHANGE_MODEL, "first vectors in the new collection", _UPSERT, AFTER),
    Point(Work.CHANGE_MODEL, "first row marked for the new model", _MARK, AFTER),
    Point(Work.CHANGE_MODEL, "new index verified, the old one answers", _GO_LIVE, BEFORE),
    Point(Work.CHANGE_MODEL, "new index live, the old one there", _GO_LIVE, AFTER),
    Point(Work.CHANGE_MODEL, "retired collection about to go", _DROP, BEFORE),
    Point(Work.CHANGE_MODEL, "retired collection gone, its passages there", _DROP, AFTER),
    Point(Work.MAIL, "taken, not sent", _COMPOSE, BEFORE),
    Point(Work.MAIL, "about to be sent", _SEND, BEFORE),
    Point(Work.MAIL, "sent, the row does not know", _SEND, AFTER),
    Point(Work.ANSWER, "question stored, undecided", _DECIDE, BEFORE),
    Point(Work.ANSWER, "decided, nothing stored", _DECIDE, AFTER),
    Point(Work.ANSWER, "outcome claimed, uncommitted", "assistant.services.questions:claim", AFTER),
    Point(Work.ANSWER, "answer written, uncommitted", "assistant.services.questions:publish_answer", AFTER),
    Point(Work.ANSWER, "answered, the customer not told", "assistant.api.views:ask_question", AFTER),
    Point(Work.ESCALATE, "ticket written, uncommitted", "assistant.services.questions:escalate", AFTER),
    Point(Work.ESCALATE, "ticket there, the customer not told", "assistant.api.views:ask_question", AFTER),
    Point(
        Work.TICKET, "ticket uncommitted, no mail owed", "assistant.services.tickets:owe_confirmation", BEFORE
    ),
    Point(Work.TICKET, "ticket and mail uncommitted", "assistant.services.tickets:owe_confirmation", AFTER),
    Point(Work.TICKET, "ticket committed, mail owed, nobody told", "assistant.outbox:_ring", BEFORE),
    Point(Work.TICKET, "mail sent, the customer not told", "assistant.api.views:open_ticket", AFTER),
    Point(Work.FEEDBACK, "about to be stored", "assistant.api.views:leave_feedback", BEFORE),
    Point(Work.FEEDBACK, "stored, the customer not told", "assistant.api.views:leave_feedback", AFTER),
)


def any_statement(work: Work) -> Point:
    return Point(work, "before some statement", _STATEMENT, BEFORE)


def any_commit(work: Work) -> Point:
    return Point(work, "after some transaction", _COMMIT, AFTER)


def arm(point: Point, nth: int) -> None:
    """From now on the `nth` arrival of this process at the point is its end. AttributeError: no such name."""
    module_name, _colon, path = point.target.partition(":")
    *way, name = path.split(".")
    owner: Any = pkgutil.resolve_name(f"{module_name}:{'.'.join(way)}" if way else module_name)
    original: Callable[..., Any] = vars(owner)[name] if name in vars(owner) else _missing(point)
    arrivals = itertools.count(1)

    @functools.wraps(original)
    def deadly(*arguments: Any, **options: Any) -> Any:
        is_now = next(arrivals) == nth
        if is_now and point.when == When.BEFORE:
            die()
        result = original(*arguments, **options)
        if is_now and point.when == When.AFTER:
            die()
        return result

    setattr(owner, name, deadly)


def arm_clock(seconds: float) -> None:
    """In the middle of whatever it is then, C code and Chroma's core included."""

    def wait() -> None:
        time.sleep(seconds)
        die()

    threading.Thread(target=wait, daemon=True).start()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal is on its way


def some_point(rng: random.Random) -> tuple[Point, int]:
    """A point, and which arrival at it."""
    work = rng.choice(list(Work))
    named = [point for point in POINTS if point.work == work]
    return rng.choice(
        [
            (rng.choice(named), 1),
            (rng.choice(named), rng.randint(1, 3)),
            (any_statement(work), rng.randint(1, 40)),
            (any_commit(work), rng.randint(1, 6)),
        ]
    )


def _missing(point: Point) -> Any:
    raise AttributeError(f"{point}: there is no {point.target}")
