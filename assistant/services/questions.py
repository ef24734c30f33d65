"""A question from its storing to its outcome, and what its customer thought of that.

Every function stores first and decides after: a crash between the two leaves a question that
`assistant.interrupted` settles, never a lost one. No transaction is open while a model works.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from assistant.addresses import of_the_site
from assistant.asking import Decision, Inquiry, decide, nobody_waits
from assistant.matters import Found, Phrase, find_matter
from assistant.models import (
    Channel,
    Conversation,
    EscalationPhrase,
    Feedback,
    FeedbackReason,
    Matter,
    Priority,
    Question,
    QuestionStatus,
    Stage,
    TicketReason,
)
from assistant.question_vectors import keep as keep_vectors
from assistant.recording import (
    claim,
    claim_undecided,
    escalate,
    is_overtaken,
    publish_answer,
    store_considered,
    store_evidence,
)
from assistant.services.common import PRIORITIES, IdempotencyConflict, account_of, digest_of, known_email
from assistant.validation import (
    InvalidInput,
    clean_email,
    clean_idempotency_key,
    clean_name,
    clean_question_text,
    clean_text,
)
from assistant.writers import Audience
from knowledge.language import detect_language
from knowledge.models import Language, Reader

log = logging.getLogger(__name__)

TURNS_OF_HISTORY = 3
_DECISIONS = 3  # of one question, where edits come in between


def ask_question(
    *,
    text: str,
    language: str | None = None,
    interface_language: str = Language.ENGLISH,
    user: Reader = None,
    channel: Channel | str = Channel.PAGE,
    conversation: Conversation | None = None,
    idempotency_key: str = "",
    contact_email: str = "",
    contact_name: str = "",
) -> Question:
    """Stores the question, decides, and stores the answer or the ticket.

    Takes what `store_question` takes, and raises what it raises.
    """
    return settle_question(
        question=store_question(
            text=text,
            language=language,
            interface_language=interface_language,
            user=user,
            channel=channel,
            conversation=conversation,
            idempotency_key=idempotency_key,
            contact_email=contact_email,
            contact_name=contact_name,
        )
    )


def store_question(
    *,
    text: str,
    language: str | None = None,
    interface_language: str = Language.ENGLISH,
    user: Reader = None,
    channel: Channel | str = Channel.PAGE,
    conversation: Conversation | None = None,
    idempotency_key: str = "",
    contact_email: str = "",
    contact_name: str = "",
) -> Question:
    """The question as a row, undecided; under a key that has been used, the row that is there.

    `language` is what the customer says the question is in; without it the text decides and
    `interface_language` breaks the tie. Raises InvalidInput and IdempotencyConflict.
    """
    cleaned = clean_question_text(text)
    email = clean_email(contact_email) if contact_email else known_email(user)
    name = clean_name(contact_name)
    key = clean_idempotency_key(idempotency_key)
    request_hash = digest_of(
        {
            "text": cleaned,
            "language": language,
            "conversation": str(conversation.public_id) if conversation else "",
            "email": contact_email,
            "name": name,
            "user": getattr(user, "pk", None),
        }
    )
    question = _question_under(key, request_hash) if key else None
    if question is None:
        question = _store_question(
            text=cleaned,
            language=language or detect_language(cleaned, fallback=interface_language),
            user=account_of(user),
            channel=channel,
            conversation=conversation,
            contact_email=email,
            contact_name=name,
            key=key,
            request_hash=request_hash,
        )
    return question


@of_the_site()
def settle_question(
    *,
    question: Question,
    on_stage: Callable[[Stage], None] = nobody_waits,
    audience: Audience | None = None,
) -> Question:
    """Answers or escalates a stored question. Safe to repeat: who claims the row first stores the outcome.

    `on_stage` and `audience` as `decide` takes them.
    Where articles do not stand still for as long as it takes to decide, several times over, a person gets it.
    """
    if question.status != QuestionStatus.RECEIVED:
        return question
    if (found := matter_in(question.text)) is not None:
        return pass_on_at_once(question, found.matter)
    started = time.perf_counter()
    for _attempt in range(_DECISIONS):
        inquiry = Inquiry(
            text=question.text,
            language=question.language,
            reader=question.user,
            history=_history_before(question),
        )
        decision = decide(inquiry, on_stage=on_stage, audience=audience)
        elapsed_ms = round((time.perf_counter() - started) * 1000)
        if store_outcome(question, decision, elapsed_ms):
            keep_vectors(question, inquiry)
            log.info("question %s %s in %d ms", question.public_id, question.status, elapsed_ms)
            return _settled(question)
        if audience is not None:
            audience.cleared()
        question.refresh_from_db(fields=["status"])
    log.warning("question %s was overtaken by edits %d times", question.public_id, _DECISIONS)
    return hand_over(question=question)


def matter_in(text: str) -> Found | None:
    """What takes a question to a person at once, by the phrases that are in use; None: the articles decide."""
    rows = EscalationPhrase.objects.filter(is_active=True).values_list(
        "matter", "language", "text", "only_alone", "is_exception"
    )
    return find_matter(text, [Phrase(*row) for row in rows])


def pass_on_at_once(question: Question, matter: Matter) -> Question:
    """No answer is looked for: not even an outage of what answers keeps this from a person."""
    is_wish = matter == Matter.PERSON
    with transaction.atomic():
        if claim_undecided(question):
            escalate(
                question,
                TicketReason.CUSTOMER_REQUEST if is_wish else TicketReason.SENSITIVE,
                matter=matter,
                priority=PRIORITIES.get(matter, Priority.HIGH),
            )
    log.info("question %s goes to a person at once: %s", question.public_id, matter)
    return _settled(question)


def hand_over(*, question: Question) -> Question:
    """A ticket without a decision, for a stored question that nothing here manages to decide."""
    with transaction.atomic():
        if claim_undecided(question):
            escalate(question, TicketReason.WRITER_UNAVAILABLE)
    return _settled(question)


def leave_feedback(
    *, question: Question, helpful: bool, reason: FeedbackReason | str = "", comment: str = ""
) -> Feedback:
    """One verdict a question; the last one counts. Raises InvalidInput where there is no answer to judge."""
    if question.status != QuestionStatus.ANSWERED:
        raise InvalidInput("question", _("There is no answer to judge: this question went to a person."))
    if reason and reason not in FeedbackReason.values:
        raise InvalidInput(
            "reason",
            _("Unknown reason. Allowed: %(allowed)s.") % {"allowed": ", ".join(FeedbackReason.values)},
        )
    feedback, _created = Feedback.objects.update_or_create(
        question=question,
        defaults={
            "helpful": helpful,
            "reason": "" if helpful else reason,
            "comment": clean_text(comment, field="comment", limit=1000),
        },
    )
    return feedback


def history_of(earlier: Sequence[Question]) -> tuple[str, ...]:
    """The turns of questions of one conversation with their answers, oldest first, as `Inquiry` takes them."""
    turns: list[str] = []
    for one in earlier:
        turns.append(f"user: {one.text}")
        if hasattr(one, "answer"):
            turns.append(f"assistant: {one.answer.text}")
    return tuple(turns)


class _Overtaken(Exception):
    """What was decided rests on a text that may not be quoted any more."""


def store_outcome(question: Question, decision: Decision, elapsed_ms: int) -> bool:
    """False where an article that it rests on was deleted, withdrawn or changed since: it is to be decided anew."""
    try:
        with transaction.atomic():
            if claim(question, decision, elapsed_ms):
                if is_overtaken(question, decision):
                    raise _Overtaken
                store_considered(question, decision)
                store_evidence(question, decision)
                if decision.draft is not None:
                    publish_answer(question, decision)
                else:
                    assert decision.reason is not None
                    escalate(question, decision.reason)
    except (_Overtaken, IntegrityError):  # the latter of rows that point to what was deleted
        return False
    return True


def _store_question(
    *,
    text: str,
    language: str,
    user: Any,
    channel: str,
    conversation: Conversation | None,
    contact_email: str,
    contact_name: str,
    key: str,
    request_hash: str,
) -> Question:
    try:
        with transaction.atomic():
            return Question.objects.create(
                conversation=conversation or Conversation.objects.create(user=user),
                user=user,
                text=text,
                language=language,
                channel=channel,
                contact_email=contact_email,
                contact_name=contact_name,
                idempotency_key=key or None,
                request_hash=request_hash,
            )
    except IntegrityError:
        question = _question_under(key, request_hash) if key else None
        if question is None:
            raise
        return question


def _settled(question: Question) -> Question:
    """As it stands now, whoever stored the outcome."""
    return Question.objects.select_related("answer", "ticket").get(pk=question.pk)


def _question_under(key: str, request_hash: str) -> Question | None:
    question = Question.objects.filter(idempotency_key=key).first()
    if question is not None and question.request_hash != request_hash:
        raise IdempotencyConflict
    return question


def _history_before(question: Question) -> tuple[str, ...]:
    earlier = (
        question.conversation.questions.filter(pk__lt=question.pk)
        .select_related("answer")
        .order_by(F("pk").desc())[:TURNS_OF_HISTORY]
    )
    return history_of(list(reversed(earlier)))
