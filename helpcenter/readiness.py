"""Whether questions can be answered from articles now, and which part is how well: for monitors and their people.

Promise: an answer within two seconds, whatever hangs; each part is asked in a thread of its own, and one that
does not come back is not asked again before it has. Nothing is loaded or opened for it. What it says is for
everybody: no addresses, no paths, no text of an error.

Refuses to decide: what is to be done. Only the database is indispensable; everything else has a substitute.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from knowledge import entailment, generations, reranking, sweepers
from knowledge.embeddings import EmbedderState, EmbedderUnavailable, current_recipe, embedder_state
from knowledge.embeddings.cross_encoder import ModelState
from knowledge.indexing.checkup import read_checkup
from knowledge.models import Article
from knowledge.vectors import get_store

log = logging.getLogger(__name__)

_DEADLINE_SECONDS = 1.8
_BROKER_SECONDS = 1.0
_OVERDUE = timedelta(minutes=5)  # beat compares every minute, `serve` every few seconds

Fact = str | int | None


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"  # there is a substitute
    BROKEN = "broken"


@dataclass(frozen=True)
class Part:
    state: State
    detail: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Readiness:
    parts: dict[str, Part]

    @property
    def is_ready(self) -> bool:
        """Questions can be answered from articles, however well."""
        return State.BROKEN not in (self.parts["database"].state, self.parts["articles"].state)

    @property
    def state(self) -> State:
        if not self.is_ready:
            return State.BROKEN
        is_whole = all(part.state == State.OK for part in self.parts.values())
        return State.OK if is_whole else State.DEGRADED

    def as_json(self) -> dict[str, object]:
        return {
            "state": self.state,
            "parts": {
                name: {"state": part.state, "detail": part.detail, **part.facts}
                for name, part in self.parts.items()
            },
        }


def readiness() -> Readiness:
    checks: dict[str, Callable[[], Part]] = {
        "database": _database,
        "vector_index": _vector_index,
        "embedding_model": _embedding_model,
        "reranker": _reranker,
        "grounding_model": _grounding_model,
        "articles": _articles,
        "next_index": _next_index,
        "sweep": _sweep,
        "canaries": _canaries,
        "broker": _broker,
    }
    deadline = time.monotonic() + _DEADLINE_SECONDS
    asked = {name: _asked(name, check) for name, check in checks.items()}
    return Readiness({name: _answer(name, future, deadline) for name, future in asked.items()})


def _database() -> Part:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Part(State.OK, connection.vendor)


def _articles() -> Part:
    """Not indexed yet, or not in their present wording; the sweep brings them in."""
    stale = Article.objects.stale(generations.live_recipe())
    failed = stale.exclude(index_error="")
    return Part(State.OK, facts={"stale": stale.count(), "failed": failed.count()})


def _next_index() -> Part:
    """What is built because the settings ask for another model; the live index answers until it is complete."""
    generation = generations.building()
    if generation is None:
        return Part(State.OK, "none is being built")
    known = generations.progress_of(generation)
    facts: dict[str, Fact] = {"done": known.done, "total": known.total, "given_up": known.given_up}
    if generation.problem or known.given_up:
        return Part(State.DEGRADED, "is being built, but does not get on; the present one answers", facts)
    return Part(State.OK, "is being built; the present one answers", facts)


def _vector_index() -> Part:
    store = get_store()
    trouble = store.trouble()
    if trouble:
        return Part(State.DEGRADED, f"{trouble}; exact search answers in its place")
    return Part(State.OK, "connected" if store.is_connected else "not asked yet")


def _embedding_model() -> Part:
    """The one that the live index was made with, and that questions need; then the one that is set."""
    live = generations.live()
    if live is not None and generations.trouble_of(live):
        return Part(State.DEGRADED, "that of the index is gone; lexical search answers alone")
    state = embedder_state(live.model if live is not None else "")
    if state == EmbedderState.FAILED:
        return Part(State.DEGRADED, f"{state}, the log says why; lexical search answers alone")
    if state == EmbedderState.LOADING:
        return Part(State.DEGRADED, f"{state}; lexical search answers alone where that takes long")
    try:
        current_recipe()
    except EmbedderUnavailable:
        return Part(State.DEGRADED, "the one that is set cannot be found")
    return Part(State.OK, state)


def _reranker() -> Part:
    return _cross_encoder(reranking.shelf.state(), "the order of the search stays")


def _grounding_model() -> Part:
    return _cross_encoder(entailment.state(), "rules and the embedding model check alone")


def _cross_encoder(state: ModelState, substitute: str) -> Part:
    """In this process: each loads its own, with the first question that wants it."""
    if state in (ModelState.FAILED, ModelState.LOADING):
        return Part(State.DEGRADED, f"{state}; {substitute}")
    return Part(State.OK, state)


def _sweep() -> Part:
    """Who looks for articles that nobody was told about, and when the index was last compared."""
    checkup = read_checkup()
    facts: dict[str, Fact] = {"compared_at": _moment(checkup.at if checkup else None)}
    if sweepers.is_sweeper():
        who = "this process"
    elif sweepers.sweeper_elsewhere() is not None:
        who = "the process of manage.py serve"
    elif settings.CELERY_BROKER_URL:
        who = "Celery beat and its workers"
    else:
        return Part(State.DEGRADED, "nobody: edits are indexed by whoever makes them, or not at all", facts)
    if checkup is not None and datetime.now(UTC) - checkup.at > _OVERDUE:
        return Part(State.DEGRADED, f"{who}, but not heard of lately", facts)
    return Part(State.OK, who, facts)


def _canaries() -> Part:
    """Passages that were asked to find themselves in the index."""
    checkup = read_checkup()
    if checkup is None or checkup.canaries_at is None:
        return Part(State.OK, "not asked yet")
    facts: dict[str, Fact] = {
        "asked_at": _moment(checkup.canaries_at),
        "checked": checkup.checked,
        "failed": checkup.failed,
    }
    if checkup.failed:
        return Part(State.DEGRADED, "the index has lost vectors", facts)
    return Part(State.OK, facts=facts)


def _broker() -> Part:
    if not settings.CELERY_BROKER_URL:
        return Part(State.OK, "inline: there is none, tasks run where they are made")
    from kombu.exceptions import OperationalError

    from helpcenter.celery import app

    options = {"socket_connect_timeout": _BROKER_SECONDS, "socket_timeout": _BROKER_SECONDS}
    try:
        with app.connection_for_write(connect_timeout=_BROKER_SECONDS, transport_options=options) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=_BROKER_SECONDS)
            broker.default_channel.close()
    except (OperationalError, OSError):
        return Part(State.DEGRADED, "not reachable; the sweep finds what it would have passed on")
    return Part(State.OK, "reachable")


# --- asking ----------------------------------------------------------------------------------------------

_under_way: dict[str, Future[Part]] = {}
_guard = threading.Lock()


def _asked(name: str, check: Callable[[], Part]) -> Future[Part]:
    with _guard:
        known = _under_way.get(name)
        if known is not None and not known.done():
            return known  # it hangs; one thread that waits for it is enough
        future = _under_way[name] = Future()
    threading.Thread(target=_ask, args=(check, future), name=f"readyz-{name}", daemon=True).start()
    return future


def _ask(check: Callable[[], Part], future: Future[Part]) -> None:
    try:
        future.set_result(check())
    except BaseException as error:
        future.set_exception(error)
    finally:
        connection.close()  # of this thread


def _answer(name: str, future: Future[Part], deadline: float) -> Part:
    try:
        return future.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Part(State.BROKEN, "no answer in time")
    except DatabaseError as error:
        log.warning("readyz, %s: %s", name, error)
        return Part(State.BROKEN, "the database cannot be used")


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at is not None else None
