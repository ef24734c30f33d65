"""A question asked for nobody: everything that a customer would get, and nothing of it stays.

Promise: the answer is decided, stored and shown by the functions that do so for customers. What is stored is taken back
before anybody else can see it; no mail, no ticket and no figure comes of it.
"""

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from assistant.addresses import of_the_site
from assistant.asking import Decision, Desk, Inquiry, decide
from assistant.calibration.store import in_force
from assistant.confidence import Confidence, SiteCalibration, assess
from assistant.matters import Found
from assistant.models import Channel, Conversation, Question
from assistant.services import matter_in, pass_on_at_once, store_outcome
from knowledge.models import Reader
from knowledge.retrieval import Look, Retrieval, live_shelf, look


@dataclass(frozen=True)
class Seen:
    """One retrieval on the way to a decision."""

    question: str
    history: tuple[str, ...]
    is_translation: bool  # looked for in the translation of an article that was found in the other language
    look: Look
    confidence: Confidence


@dataclass(frozen=True)
class Rehearsal:
    inquiry: Inquiry
    matter: Found | None  # it would go to a person at once, whatever the articles say
    decision: Decision
    seen: tuple[Seen, ...]  # in the order in which they were looked for


@dataclass
class _Recorder:
    """`knowledge.retrieval.retrieve`, and what each call of it saw."""

    site: SiteCalibration | None
    seen: list[Seen] = field(default_factory=list)

    def retrieve(
        self,
        question: str,
        *,
        language: str,
        article_language: str | None = None,
        user: Reader = None,
        history: Sequence[str] = (),
        excluded_article_ids: Collection[int] = frozenset(),
        only_article_ids: Collection[int] | None = None,
    ) -> Retrieval:
        found = look(
            live_shelf(article_language or language, user),
            question,
            language=language,
            history=history,
            excluded_article_ids=excluded_article_ids,
            only_article_ids=only_article_ids,
        )
        confidence = assess(found.retrieval, self.site)
        self.seen.append(Seen(question, tuple(history), only_article_ids is not None, found, confidence))
        return found.retrieval


def rehearse(inquiry: Inquiry) -> Rehearsal:
    """Decides as for a customer, and remembers the way; stores nothing. Where a matter is found, customers get none
    of the decision; it is made all the same, for whoever wonders."""
    site = in_force()
    recorder = _Recorder(site)
    decision = decide(inquiry, Desk(recorder.retrieve, site))
    return Rehearsal(inquiry, matter_in(inquiry.text), decision, tuple(recorder.seen))


@contextmanager
def stored_for_a_moment(rehearsal: Rehearsal) -> Iterator[Question]:
    """The question with its answer or ticket as it would be stored; after the block there is nothing of it.

    Keep the block short: it holds a transaction that writes.
    """
    with transaction.atomic(), of_the_site():
        question = Question.objects.create(
            conversation=Conversation.objects.create(),
            user=_account(rehearsal.inquiry.reader),
            text=rehearsal.inquiry.text,
            language=rehearsal.inquiry.language,
            channel=Channel.PAGE,
        )
        if rehearsal.matter is not None:
            pass_on_at_once(question, rehearsal.matter.matter)
        else:
            store_outcome(question, rehearsal.decision, elapsed_ms=0)
        stored = Question.objects.select_related("conversation", "answer", "ticket", "feedback")
        yield stored.get(pk=question.pk)
        transaction.set_rollback(True)


def _account(reader: Reader) -> Any:
    """A reader that stands for any customer has no account; for the moment of the block there is one."""
    if reader is None or not reader.is_authenticated:
        return None
    if reader.pk is None:
        account: Any = reader
        account.username = f"customer-{uuid.uuid4().hex[:8]}"
        account.save()
    return reader
