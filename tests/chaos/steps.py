"""What people and background work do in a chaos run, one step at a time, through the product's own ways.

Editors save articles as every editor's page does (`Article.save`); customers use the API. Needs Django set up on
the database in question; imports nothing of it before.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.chaos.ledger import Citation, Snapshot, Text

LONG_SECTIONS = 40  # more than a sync embeds before it renews its lease
EMAIL = "ada@example.org"


class Kind(StrEnum):
    WRITE = "write"  # create, edit, publish, unpublish: the article shall read so
    DELETE = "delete"
    ASK = "ask"
    TICKET = "ticket"
    FEEDBACK = "feedback"
    SWEEP = "sweep"
    REPAIR = "repair"
    REBUILD = "rebuild"
    CHANGE_MODEL = "change of the model"
    SEND_MAIL = "send mail"
    LOSE = "lose"  # the index forgets half and keeps what belongs nowhere
    SCRAMBLE = "scramble"  # the index keeps every id with another vector
    LET_LEASES_END = "let leases end"  # as five seconds would
    LET_TIME_PASS = "let time pass"
    CHECK = "check"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class Step:
    kind: Kind
    slug: str = ""
    text: Text | None = None
    is_told: bool = True  # whether the bell rings for a write
    key: str = ""  # idempotency key
    words: str = ""  # question or subject
    helpful: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Step":
        text = Text(**raw["text"]) if raw["text"] else None
        return cls(**{**raw, "kind": Kind(raw["kind"]), "text": text})


@dataclass(frozen=True)
class Reply:
    """What a customer saw."""

    status: int  # of HTTP; 0: no answer at all
    seconds: float = 0.0
    is_answered: bool = False
    has_ticket: bool = False
    citations: Sequence[Citation] = field(default_factory=tuple)


class Api(Protocol):
    def post(self, path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]: ...


class ClientApi:
    """The API in this process."""

    def __init__(self) -> None:
        from django.test import Client

        self._client = Client(raise_request_exception=False, headers={"host": "localhost"})

    def post(self, path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key else {}
        response = self._client.post(path, body, "application/json", headers=headers)
        return response.status_code, response.json()


def ask(api: Api, key: str, words: str) -> Reply:
    """In English, so that no detector decides which articles are asked first."""
    status, shown = api.post("/api/v1/questions/", {"question": words, "language": "en"}, key)
    return reply_of(status, shown)


def reply_of(status: int, shown: dict[str, Any]) -> Reply:
    citations = tuple(
        Citation(
            urlsplit(one["url"]).path.rstrip("/").rsplit("/", 1)[1], one["quote"], one["start"], one["end"]
        )
        for one in shown.get("citations", ())
    )
    return Reply(status, 0.0, shown.get("status") == "answered", bool(shown.get("ticket")), citations)


def open_ticket(api: Api, key: str, words: str) -> int:
    body = {"subject": words, "detail": f"{words}.", "contact_email": EMAIL}
    return api.post("/api/v1/tickets/", body, key)[0]


def judge(api: Api, key: str, helpful: bool) -> int:
    """The answer to the question that was asked under `key`; 404 where there is none."""
    from assistant.models import Question

    question = Question.objects.filter(idempotency_key=key).first()
    if question is None:
        return 404
    return api.post(f"/api/v1/questions/{question.public_id}/feedback/", {"helpful": helpful}, "")[0]


def write(slug: str, text: Text | None, *, is_told: bool = True) -> None:
    from contextlib import nullcontext

    from knowledge.indexing import bell_held
    from knowledge.models import Article

    article = Article.objects.filter(slug=slug).first()
    with nullcontext() if is_told else bell_held():
        if text is None:
            if article is not None:
                article.delete()
            return
        article = article or Article(slug=slug, language="en")
        article.title, article.body = text.title, text.body
        article.status, article.audience = text.status, text.audience
        article.save()


def snapshot() -> Snapshot:
    from assistant.models import Feedback, Mail, Question, QuestionStatus, Ticket
    from knowledge.models import Article

    articles = {
        slug: Text(title, body, status, audience)
        for slug, title, body, status, audience in Article.objects.values_list(
            "slug", "title", "body", "status", "audience"
        )
    }
    feedback = Feedback.objects.select_related("question")
    questions = Question.objects.exclude(idempotency_key=None)
    undecided = list(
        questions.filter(status=QuestionStatus.RECEIVED).values_list("idempotency_key", flat=True)
    )
    return Snapshot(
        articles=articles,
        questions=_grouped(questions.values_list("idempotency_key", "text")),
        undecided=[str(key) for key in undecided],
        # By what was asked for: a second ticket would have a key of its own, or none.
        tickets=_grouped(Ticket.objects.filter(question=None).values_list("subject", "subject")),
        feedback={str(one.question.idempotency_key): one.helpful for one in feedback},
        unsent=Mail.objects.filter(sent_at=None).count(),
    )


def snapshot_from_json(raw: dict[str, Any]) -> Snapshot:
    return Snapshot(**{**raw, "articles": {slug: Text(**text) for slug, text in raw["articles"].items()}})


def perform(step: Step, api: Api) -> dict[str, Any]:
    """Returns what the ledger needs to know. Raises whatever the product raises."""
    match step.kind:
        case Kind.WRITE | Kind.DELETE:
            write(step.slug, step.text, is_told=step.is_told)
        case Kind.ASK:
            return asdict(ask(api, step.key, step.words))
        case Kind.TICKET:
            return {"status": open_ticket(api, step.key, step.words)}
        case Kind.FEEDBACK:
            return {"status": judge(api, step.key, step.helpful)}
        case Kind.SNAPSHOT:
            return asdict(snapshot())
        case Kind.CHECK:
            return {"clean": is_converged()}
        case _:
            _work(step.kind)
    return {}


def is_converged() -> bool:
    """What `sync_index --check` says with its exit code."""
    from django.core.management import call_command

    try:
        call_command("sync_index", "--check", "--json", stdout=_Nowhere(), stderr=_Nowhere())
    except SystemExit:
        return False
    return True


class _Nowhere:
    def write(self, _text: str) -> None: ...


def _work(kind: Kind) -> None:
    from assistant import outbox
    from assistant.interrupted import settle_interrupted
    from knowledge.indexing import rebuild_index, repair_index, sync_stale_here
    from knowledge.models import Article

    match kind:
        case Kind.SWEEP:
            sync_stale_here(newest_first=True)
        case Kind.REPAIR:
            repair_index()
        case Kind.REBUILD:
            rebuild_index()
        case Kind.CHANGE_MODEL:
            _change_model()
        case Kind.SEND_MAIL:
            outbox.send_due()
        case Kind.LOSE:
            _lose()
        case Kind.SCRAMBLE:
            _scramble()
        case Kind.LET_LEASES_END:
            Article.objects.update(index_claimed_at=None)
        case Kind.LET_TIME_PASS:
            _let_time_pass()
            outbox.send_due()
            settle_interrupted()


def _change_model() -> None:
    """To the other of two names for one embedder: another recipe, so a new generation beside the live one."""
    from django.conf import settings
    from django.core.management import call_command

    from knowledge import generations

    live = generations.live()
    names = {"minilm", "minilm-de-en"}
    settings.EMBEDDING_MODEL = min(names - {live.model if live is not None else ""})
    call_command("sync_index", "--json", stdout=_Nowhere(), stderr=_Nowhere())


def _lose() -> None:
    from knowledge.vectors import get_store

    store = get_store()
    for key in store.collections():
        ids = sorted(store.ids(key))
        store.delete(key, ids[::2])
        store.upsert(key, [10**9], _noise(1))


def _scramble() -> None:
    from knowledge.vectors import get_store

    store = get_store()
    for key in store.collections():
        ids = sorted(store.ids(key))
        if ids:
            store.upsert(key, ids, _noise(len(ids)))


def _noise(rows: int) -> Any:
    import numpy as np

    from tests.seeded import DIMENSION

    return np.random.default_rng(rows).normal(size=(rows, DIMENSION)).astype(np.float32)


def _let_time_pass() -> None:
    """Every pause and every lease of the mails is over, and questions are old enough to be looked after."""
    from django.utils import timezone

    from assistant.models import Mail, Question, QuestionStatus

    past = timezone.now() - timedelta(seconds=90)
    Mail.objects.filter(due_at__isnull=False).update(due_at=past)
    Question.objects.filter(status=QuestionStatus.RECEIVED).update(created_at=past)


def _grouped(pairs: Any) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(str(key), []).append(str(value))
    return grouped


def line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"
