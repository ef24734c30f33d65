"""What people do with the assistant, as functions: ask, give contact, ask for a person, judge an answer.

Every function stores first and decides after: a crash between the two leaves a question that
`assistant.interrupted` settles, never a lost one. No transaction is open while a model works. Mail is owed by
the transaction that causes it (`assistant.outbox`) and leaves after commit.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from assistant.addresses import of_the_site
from assistant.asking import Decision, Inquiry, decide, nobody_waits
from assistant.desk.clock import arrive, keep_time
from assistant.desk.merging import merge_tickets
from assistant.matters import Found, Phrase, find_matter
from assistant.models import (
    MAX_DETAIL_LENGTH,
    Channel,
    Conversation,
    EscalationPhrase,
    Feedback,
    FeedbackReason,
    Matter,
    MessageAuthor,
    Priority,
    Question,
    QuestionStatus,
    Rating,
    Stage,
    Ticket,
    TicketMessage,
    TicketReason,
    TicketStatus,
)
from assistant.outbox import owe_confirmation, owe_reply
from assistant.recording import (
    claim,
    claim_undecided,
    escalate,
    is_overtaken,
    publish_answer,
    store_considered,
)
from assistant.validation import (
    InvalidInput,
    clean_email,
    clean_idempotency_key,
    clean_name,
    clean_question_text,
    clean_text,
)
from assistant.whatif.vectors import keep as keep_vectors
from knowledge.language import detect_language
from knowledge.models import Language, Reader

log = logging.getLogger(__name__)

TURNS_OF_HISTORY = 3
_PRIORITIES = {  # high unless it says otherwise
    Matter.PERSON: Priority.NORMAL,
    Matter.DANGER: Priority.URGENT,
    Matter.SELF_HARM: Priority.URGENT,
}
_DECISIONS = 3  # of one question, where edits come in between


class IdempotencyConflict(Exception):
    """The same idempotency key came with another body. A retry with a new key is fine."""


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
    email = clean_email(contact_email) if contact_email else _known_email(user)
    name = clean_name(contact_name)
    key = clean_idempotency_key(idempotency_key)
    request_hash = _hash(
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
            user=_account(user),
            channel=channel,
            conversation=conversation,
            contact_email=email,
            contact_name=name,
            key=key,
            request_hash=request_hash,
        )
    return question


@of_the_site()
def settle_question(*, question: Question, on_stage: Callable[[Stage], None] = nobody_waits) -> Question:
    """Answers or escalates a stored question. Safe to repeat: who claims the row first stores the outcome.

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
        decision = decide(inquiry, on_stage=on_stage)
        elapsed_ms = round((time.perf_counter() - started) * 1000)
        if store_outcome(question, decision, elapsed_ms):
            keep_vectors(question, inquiry)
            log.info("question %s %s in %d ms", question.public_id, question.status, elapsed_ms)
            return _settled(question)
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
                priority=_PRIORITIES.get(matter, Priority.HIGH),
            )
    log.info("question %s goes to a person at once: %s", question.public_id, matter)
    return _settled(question)


def hand_over(*, question: Question) -> Question:
    """A ticket without a decision, for a stored question that nothing here manages to decide."""
    with transaction.atomic():
        if claim_undecided(question):
            escalate(question, TicketReason.WRITER_UNAVAILABLE)
    return _settled(question)


def open_ticket(
    *,
    subject: str,
    contact_email: str,
    language: str,
    detail: str = "",
    contact_name: str = "",
    user: Reader = None,
    conversation: Conversation | None = None,
    question: Question | None = None,
    reason: TicketReason = TicketReason.CUSTOMER_REQUEST,
    matter: Matter | None = None,
    idempotency_key: str = "",
    confirms: bool = True,
) -> Ticket:
    """A ticket because a person was asked for. With `question`, the question's own ticket is completed.

    A sensitive `matter` decides reason and priority. Without `confirms` nobody is told that it has arrived.

    Raises InvalidInput and IdempotencyConflict.
    """
    email = clean_email(contact_email or _known_email(user))
    values: dict[str, Any] = {
        "subject": clean_text(subject, field="subject", limit=300, required=True),
        "detail": clean_text(detail, field="detail"),
        "contact_email": email,
        "contact_name": clean_name(contact_name),
        "language": language,
        "reason": reason,
    }
    if matter is not None:
        values |= {"matter": matter, "priority": _PRIORITIES.get(matter, Priority.HIGH)}
        values["reason"] = reason if matter == Matter.PERSON else TicketReason.SENSITIVE
    key = clean_idempotency_key(idempotency_key)
    request_hash = _hash(
        values | {"question": str(question.public_id) if question else "", "user": getattr(user, "pk", None)}
    )
    if key and (stored := Ticket.objects.filter(idempotency_key=key).first()):
        return _same_request(stored, request_hash)
    try:
        if question is not None and (existing := Ticket.objects.filter(question=question).first()):
            return complete_ticket(
                ticket=existing,
                contact_email=email,
                contact_name=values["contact_name"],
                detail=values["detail"],
                idempotency_key=key,
                request_hash=request_hash,
            )
        with transaction.atomic():
            if question is not None:
                claim_undecided(question)  # whoever still looks for an answer comes too late
            ticket = Ticket(
                **values,
                question=question,
                conversation=conversation or (question.conversation if question else None),
                customer=_account(user),
                status=TicketStatus.OPEN,
                completed_at=timezone.now(),
                idempotency_key=key or None,
                request_hash=request_hash,
            )
            arrive(ticket)
            ticket.save()
            _take_along(ticket)
            if confirms:
                owe_confirmation(ticket)
    except IntegrityError:
        # Somebody else was first: the same key, or the same question.
        stored = Ticket.objects.filter(idempotency_key=key).first() if key else None
        if stored is None and question is not None:
            stored = Ticket.objects.filter(question=question).first()
        if stored is None:
            raise
        return stored if not key else _same_request(stored, request_hash)
    return ticket


def complete_ticket(
    *,
    ticket: Ticket,
    contact_email: str,
    contact_name: str = "",
    detail: str = "",
    idempotency_key: str = "",
    request_hash: str = "",
) -> Ticket:
    """Adds contact to a ticket that waits for it, and to all of its conversation that wait with it. Where contact is
    there already, new detail joins the thread.

    Another address than the ticket's changes nothing: a link may be passed on, the thread is its customer's.
    """
    ticket = ticket.leading
    email = clean_email(contact_email)
    name = clean_name(contact_name)
    detail = clean_text(detail, field="detail")
    with transaction.atomic():
        claimed = Ticket.objects.filter(pk=ticket.pk, status=TicketStatus.AWAITING_CONTACT).update(
            contact_email=email,
            contact_name=name,
            detail=detail,
            status=TicketStatus.OPEN,
            completed_at=timezone.now(),
            updated_at=timezone.now(),
            idempotency_key=idempotency_key or None,
            request_hash=request_hash,
        )
        ticket.refresh_from_db()
        if claimed:
            arrive(ticket)
            ticket.save_by_customer()  # for its history, too: the conditional update above writes none
            _take_along(ticket)
            owe_confirmation(ticket)
    if not claimed and idempotency_key and ticket.idempotency_key == idempotency_key:
        return _same_request(ticket, request_hash)
    if not claimed and email == ticket.contact_email and detail and detail != ticket.detail:
        add_customer_message(ticket=ticket, body=detail)
    return ticket


def _take_along(ticket: Ticket) -> None:
    """What else of its conversation waits for contact becomes part of it: one person, one request, one confirmation.

    As urgent as the most urgent. Whoever completes one of the others in this moment keeps it: two requests then, and
    nobody waits for the other. Part of the caller's transaction.
    """
    if ticket.conversation_id is None:
        return
    others = Ticket.objects.without_contact().filter(conversation_id=ticket.conversation_id)
    waiting = list(others.exclude(pk=ticket.pk).select_for_update(skip_locked=True))
    if not waiting:
        return
    # With its contact a merged ticket is settled like any other.
    Ticket.objects.filter(pk__in=[one.pk for one in waiting]).update(
        contact_email=ticket.contact_email, contact_name=ticket.contact_name, status=TicketStatus.OPEN
    )
    merge_tickets(kept=ticket, duplicates=waiting, by=None)
    ticket.refresh_from_db()
    urgent = max(one.priority for one in waiting)
    if urgent > ticket.priority:
        ticket.priority = urgent
        keep_time(ticket)
        ticket.save_by_customer()


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


def rate_ticket(*, ticket: Ticket, is_content: bool, comment: str = "") -> Rating:
    """One verdict a ticket; the last one counts. Raises InvalidInput while the ticket is not settled."""
    if ticket.status not in (TicketStatus.SOLVED, TicketStatus.CLOSED):
        raise InvalidInput("ticket", _("This request is still being worked on."))
    values = {"is_content": is_content, "comment": clean_text(comment, field="comment", limit=1000)}
    rating, _is_new = Rating.objects.update_or_create(ticket=ticket, defaults=values)
    return rating


def add_customer_message(*, ticket: Ticket, body: str, idempotency_key: str = "") -> TicketMessage:
    """A reply by page or e-mail. A ticket that does not wait for us is open again; spam stays what it is.

    In a ticket that was merged into another it reaches that one. Raises InvalidInput and IdempotencyConflict.
    """
    cleaned = clean_text(body, field="body", limit=MAX_DETAIL_LENGTH, required=True)
    key = clean_idempotency_key(idempotency_key)
    try:
        with transaction.atomic():
            stored = _held(ticket)
            message = TicketMessage.objects.create(
                ticket=stored,
                author_kind=MessageAuthor.CUSTOMER,
                body=cleaned,
                author=stored.customer,
                idempotency_key=key or None,
            )
            # Closed a moment ago, for instance: whoever wrote it saw a form and must be heard.
            if stored.status not in (TicketStatus.OPEN, TicketStatus.AWAITING_CONTACT) and not stored.is_spam:
                stored.status = TicketStatus.OPEN
            stored.customer_wrote_at = message.created_at
            keep_time(stored)
            stored.save_by_customer()
    except IntegrityError:
        known = TicketMessage.objects.filter(idempotency_key=key).first() if key else None
        if known is None:
            raise
        if known.body != cleaned or ticket.pk not in (known.ticket_id, known.came_from_id):
            raise IdempotencyConflict from None
        return known
    ticket.status = stored.status
    return message


def add_staff_message(
    *,
    ticket: Ticket,
    author: Any,
    body: str,
    is_internal: bool = False,
    held_for: timedelta = timedelta(),
    status_before: str = "",
) -> TicketMessage:
    """A reply to the customer, mailed after commit, or a note among staff that is never sent.

    For as long as a reply is `held_for`, its customer does not see it and `take_back` can undo it; the ticket is then
    what it was, `status_before` where the same form has changed it already.
    """
    cleaned = clean_text(body, field="body", limit=MAX_DETAIL_LENGTH, required=True)
    with transaction.atomic():
        stored = _held(ticket)
        if not is_internal and not stored.contact_email:
            raise InvalidInput(
                "body", _("This customer left no e-mail address; only internal notes are possible.")
            )
        now = timezone.now()
        message = TicketMessage.objects.create(
            ticket=stored,
            author_kind=MessageAuthor.STAFF,
            author=author,
            body=cleaned,
            is_internal=is_internal,
            held_until=now + held_for if held_for and not is_internal else None,
            status_before=status_before or stored.status,
        )
        if not is_internal:
            owe_reply(message)
            if stored.status == TicketStatus.OPEN:
                stored.status = TicketStatus.PENDING
            stored.first_replied_at = stored.first_replied_at or now
            stored.noticed_at = None
            keep_time(stored)
        stored.save()
    ticket.status, ticket.first_replied_at = stored.status, stored.first_replied_at
    return message


def _held(ticket: Ticket) -> Ticket:
    """The row as it stands now, or the one that it was merged into, for nobody else to change until commit."""
    stored = Ticket.objects.select_for_update().get(pk=ticket.pk)
    if stored.merged_into_id is not None:
        stored = Ticket.objects.select_for_update().get(pk=stored.merged_into_id)
    return stored


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


def _same_request(ticket: Ticket, request_hash: str) -> Ticket:
    if ticket.request_hash != request_hash:
        raise IdempotencyConflict
    return ticket


def _history_before(question: Question) -> tuple[str, ...]:
    earlier = (
        question.conversation.questions.filter(pk__lt=question.pk)
        .select_related("answer")
        .order_by(F("pk").desc())[:TURNS_OF_HISTORY]
    )
    return history_of(list(reversed(earlier)))


def _account(user: Reader) -> Any:
    return user if user is not None and user.is_authenticated else None


def _known_email(user: Reader) -> str:
    return str(getattr(user, "email", "") or "")


def _hash(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
