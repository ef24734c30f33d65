"""A ticket from its opening to what its customer thought of it, with every message in between.

Mail is owed by the transaction that causes it (`assistant.outbox`) and leaves after commit.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from assistant.attachments import Upload, attach
from assistant.desk.actions import save_moved
from assistant.desk.clock import arrive, keep_time
from assistant.desk.merging import merge_tickets
from assistant.models import (
    MAX_DETAIL_LENGTH,
    Conversation,
    Matter,
    MessageAuthor,
    Priority,
    Question,
    Rating,
    Ticket,
    TicketMessage,
    TicketReason,
    TicketStatus,
)
from assistant.outbox import owe_confirmation, owe_reply
from assistant.recording import claim_undecided
from assistant.services.common import PRIORITIES, IdempotencyConflict, account_of, digest_of, known_email
from assistant.validation import InvalidInput, clean_email, clean_idempotency_key, clean_name, clean_text
from knowledge.models import Reader


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
    files: Sequence[Upload] = (),
) -> Ticket:
    """A ticket because a person was asked for. With `question`, the question's own ticket is completed.

    A sensitive `matter` decides reason and priority. Without `confirms` nobody is told that it has arrived.

    Raises InvalidInput and IdempotencyConflict.
    """
    email = clean_email(contact_email or known_email(user))
    values: dict[str, Any] = {
        "subject": clean_text(subject, field="subject", limit=300, required=True),
        "detail": clean_text(detail, field="detail"),
        "contact_email": email,
        "contact_name": clean_name(contact_name),
        "language": language,
        "reason": reason,
    }
    if matter is not None:
        values |= {"matter": matter, "priority": PRIORITIES.get(matter, Priority.HIGH)}
        values["reason"] = reason if matter == Matter.PERSON else TicketReason.SENSITIVE
    key = clean_idempotency_key(idempotency_key)
    asked = values | {
        "question": str(question.public_id) if question else "",
        "user": getattr(user, "pk", None),
    }
    request_hash = digest_of(asked | ({"files": [one.digest for one in files]} if files else {}))
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
                files=files,
            )
        with transaction.atomic():
            if question is not None:
                claim_undecided(question)  # whoever still looks for an answer comes too late
            ticket = Ticket(
                **values,
                question=question,
                conversation=conversation or (question.conversation if question else None),
                customer=account_of(user),
                status=TicketStatus.OPEN,
                completed_at=timezone.now(),
                idempotency_key=key or None,
                request_hash=request_hash,
            )
            arrive(ticket)
            ticket.save()
            attach(files, ticket=ticket)
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
    files: Sequence[Upload] = (),
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
            attach(files, ticket=ticket)
            _take_along(ticket)
            owe_confirmation(ticket)
    if not claimed and idempotency_key and ticket.idempotency_key == idempotency_key:
        return _same_request(ticket, request_hash)
    if not claimed and email == ticket.contact_email and detail and detail != ticket.detail:
        add_customer_message(ticket=ticket, body=detail, files=files)
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


def rate_ticket(*, ticket: Ticket, is_content: bool, comment: str = "") -> Rating:
    """One verdict a ticket; the last one counts. Raises InvalidInput while the ticket is not settled."""
    if ticket.status not in (TicketStatus.SOLVED, TicketStatus.CLOSED):
        raise InvalidInput("ticket", _("This request is still being worked on."))
    values = {"is_content": is_content, "comment": clean_text(comment, field="comment", limit=1000)}
    rating, _is_new = Rating.objects.update_or_create(ticket=ticket, defaults=values)
    return rating


def add_customer_message(
    *, ticket: Ticket, body: str, idempotency_key: str = "", files: Sequence[Upload] = ()
) -> TicketMessage:
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
            attach(files, ticket=stored, message=message)
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
    canned: Sequence[str] = (),
    files: Sequence[Upload] = (),
) -> TicketMessage:
    """A reply to the customer, mailed after commit, or a note among staff that is never sent.

    For as long as a reply is `held_for`, its customer does not see it and `take_back` can undo it; the ticket is then
    what it was, `status_before` where the same form has changed it already. `canned` are the titles of the canned
    replies that it is made of, for the history.
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
        attach(files, ticket=stored, message=message)
        if not is_internal:
            owe_reply(message)
            if stored.status == TicketStatus.OPEN:
                stored.status = TicketStatus.PENDING
            stored.first_replied_at = stored.first_replied_at or now
            stored.noticed_at = None
        save_moved(stored, why=_what_was_written(is_internal=is_internal, canned=canned))
    ticket.status, ticket.first_replied_at = stored.status, stored.first_replied_at
    return message


def _what_was_written(*, is_internal: bool, canned: Sequence[str]) -> str:
    what = _("Internal note") if is_internal else _("Reply to the customer")
    if not canned:
        return what
    return _("%(what)s, from the canned reply “%(title)s”") % {"what": what, "title": ", ".join(canned)}


def _held(ticket: Ticket) -> Ticket:
    """The row as it stands now, or the one that it was merged into, for nobody else to change until commit."""
    stored = Ticket.objects.select_for_update().get(pk=ticket.pk)
    if stored.merged_into_id is not None:
        stored = Ticket.objects.select_for_update().get(pk=stored.merged_into_id)
    return stored


def _same_request(ticket: Ticket, request_hash: str) -> Ticket:
    if ticket.request_hash != request_hash:
        raise IdempotencyConflict
    return ticket
