"""What a mail that came in becomes: a reply in its ticket, a note for staff, a new ticket, or nothing to answer.

Promise: one short transaction files a mail, and filing it again changes nothing. A robot's mail never reopens a
ticket, opens none, and is never answered; where it belongs to a ticket, staff see it there as a note.
"""

import re
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from assistant.mailroom.addresses import is_our_address, is_our_id, loop_value
from assistant.mailroom.files import refusal_of
from assistant.mailroom.folding import Folded, Kind, fold
from assistant.mailroom.matching import Match, Standing, is_forged, match_of, ticket_mentioned
from assistant.mailroom.models import InboundMail, Outcome, Step
from assistant.mailroom.notes import add_note
from assistant.mailroom.reading import Read, read_mail
from assistant.mailroom.remarks import Remark
from assistant.mailroom.robots import Robot, robot_of, takes_no_replies
from assistant.models import MAX_DETAIL_LENGTH, Ticket, TicketMessage, TicketReason
from assistant.services import add_customer_message, matter_in, open_ticket
from assistant.validation import InvalidInput, clean_email
from knowledge.language import detect_language

# Notes in the ticket where it belongs: something a person has to see. The rest is only kept.
_TOLD = frozenset(
    [Robot.BOUNCE, Robot.OUT_OF_OFFICE, Robot.AUTO_SUBMITTED, Robot.EMPTY_SENDER, Robot.NO_REPLY, Robot.BULK]
)


def file_mail(mail: InboundMail) -> None:
    """Reads the stored bytes and files the mail, unless somebody did meanwhile."""
    read = read_mail(bytes(mail.content.raw))
    folded = fold(read.text)
    remarks = set(read.remarks)
    if not mail.is_whole:
        remarks = {Remark.TOO_LARGE}
    with transaction.atomic(), translation.override(settings.LANGUAGE_CODE):
        stored = InboundMail.objects.select_for_update().get(pk=mail.pk)
        if stored.step != Step.RECEIVED:
            return
        _describe(stored, read, folded)
        robot = _robot(stored, read)
        if robot is not None:
            _file_robot(stored, read, folded, robot)
        else:
            _file_by_person(stored, read, folded, remarks)
        stored.remarks = sorted(remarks)
        stored.error, stored.attempts = "", 0
        stored.save()


def take_in(mail: InboundMail) -> Ticket:
    """Staff want a mail that was put aside as a ticket all the same. Its sender is told nothing by a robot."""
    read = read_mail(bytes(mail.content.raw))
    with transaction.atomic(), translation.override(settings.LANGUAGE_CODE):
        stored = InboundMail.objects.select_for_update().get(pk=mail.pk)
        if stored.ticket is not None:
            return stored.ticket
        remarks = set(stored.remarks)
        ticket = _file_new(stored, read, fold(read.text), remarks, confirms=False)
        stored.remarks = sorted(remarks)
        stored.save()
    return ticket


def _describe(stored: InboundMail, read: Read, folded: Folded) -> None:
    stored.sender, stored.sender_name, stored.subject = read.sender, read.sender_name, read.subject
    stored.pieces = [[piece.kind.value, piece.text] for piece in folded.pieces]
    stored.attachments = [
        {
            "number": attachment.number,
            "name": attachment.name,
            "type": attachment.content_type[:100],
            "size": len(attachment.content),
            "refused": refusal_of(attachment),
        }
        for attachment in read.attachments
    ]


def _robot(stored: InboundMail, read: Read) -> Robot | None:
    if is_our_id(read.message_id) or is_our_address(read.sender):
        return Robot.OWN
    return_path = stored.return_path
    if return_path is None:
        named = read.headers.get("return-path", ())
        return_path = named[0].strip().strip("<>") if named else None
    robot = robot_of(
        read.headers,
        sender=read.sender,
        subject=read.subject,
        content_type=read.content_type,
        is_report=bool(read.reported or read.report),
        return_path=return_path,
        loop_value=loop_value(),
    )
    if robot == Robot.NO_REPLY and _answerable(read) != read.sender:
        robot = None  # a form on a site that says whom to answer
    return robot or (Robot.FLOOD if _is_flood(stored) else None)


def _is_flood(stored: InboundMail) -> bool:
    since = stored.received_at - timedelta(hours=1)
    earlier = InboundMail.objects.filter(
        sender__iexact=stored.sender, received_at__range=(since, stored.received_at)
    ).exclude(pk=stored.pk)
    return bool(stored.sender) and earlier.count() >= settings.MAIL_SENDER_PER_HOUR


def _file_robot(stored: InboundMail, read: Read, folded: Folded, robot: Robot) -> None:
    stored.robot, stored.outcome, stored.step, stored.due_at = robot, Outcome.ASIDE, Step.DONE, None
    ticket = ticket_mentioned(read) if robot in _TOLD else None
    if ticket is None:
        return
    if robot == Robot.BOUNCE:
        head = _("An e-mail could not be delivered. What the mail server says:")
        words = read.report or folded.new
    else:
        head = _("A robot answered for %(address)s: %(why)s.") % {"address": read.sender, "why": robot.label}
        words = folded.new
    stored.message = _note(ticket, head, words)
    stored.ticket, stored.outcome = stored.message.ticket, Outcome.NOTE


def _file_by_person(stored: InboundMail, read: Read, folded: Folded, remarks: set[Remark]) -> None:
    match = match_of(read)
    if match is None:
        _file_new(stored, read, folded, remarks, confirms=not is_forged(read))
        return
    stored.step, stored.due_at = Step.DONE, None
    if match.standing == Standing.CUSTOMER:
        body = _shortened(_words(stored, folded), remarks)
        stored.message = add_customer_message(
            ticket=match.ticket, body=body, idempotency_key=f"mail-{stored.digest}"
        )
        stored.outcome = Outcome.REPLY
    else:
        stored.message = _note(match.ticket, _stranger(match, read), _words(stored, folded))
        stored.outcome = Outcome.NOTE
    stored.ticket = stored.message.ticket


def _stranger(match: Match, read: Read) -> str:
    if match.standing == Standing.STAFF:
        return _("%(address)s answered by e-mail. The customer has not seen this:") % {"address": read.sender}
    if is_forged(read):
        return _(
            "An e-mail says that it is from %(address)s, and our mail server found that it is not. It came to the "
            "reply address of this ticket:"
        ) % {"address": read.sender}
    return _(
        "%(address)s, who is not the customer of this ticket, wrote to its reply address. The customer has not seen "
        "this:"
    ) % {"address": read.sender or "?"}


def _file_new(
    stored: InboundMail, read: Read, folded: Folded, remarks: set[Remark], *, confirms: bool
) -> Ticket:
    words = _words(stored, folded)
    # "Help" says nothing about the language; what the site speaks does.
    language = detect_language(f"{read.subject}\n{words}", fallback=settings.LANGUAGE_CODE)
    subject = read.subject or _first_line(folded.new) or _("(no subject)")
    address = _answerable(read)
    found = matter_in(f"{read.subject}\n{words}")
    matter = found.matter if found is not None else None
    detail = _shortened(words, remarks)
    try:
        ticket = open_ticket(
            subject=subject,
            detail=detail,
            contact_email=clean_email(address),
            contact_name=stored.sender_name if address == read.sender else "",
            language=language,
            matter=matter,
            idempotency_key=f"mail-{stored.digest}",
            confirms=confirms,
        )
    except InvalidInput:
        # Nobody can be answered, and still somebody wrote.
        ticket = Ticket.objects.create(
            subject=subject, detail=detail, language=language, reason=TicketReason.CUSTOMER_REQUEST
        )
    stored.ticket, stored.outcome = ticket, Outcome.TICKET
    # What takes a matter to a person at once is not for the assistant to answer, and a head alone asks nothing.
    is_drafted = matter is None and stored.is_whole and bool(folded.new.strip())
    stored.step, stored.due_at = (Step.FILED, timezone.now()) if is_drafted else (Step.DONE, None)
    return ticket


def _answerable(read: Read) -> str:
    """Whom to answer: the sender, or, for a form that writes from an address that takes no replies, whom it names.

    Nobody else's Reply-To counts: it would make the customer of a ticket somebody whom no mail server vouches for.
    """
    if takes_no_replies(read.sender) and read.reply_to and not is_our_address(read.reply_to):
        return read.reply_to
    return read.sender


def _words(stored: InboundMail, folded: Folded) -> str:
    """What the mail says, or that it says nothing; never empty."""
    if not stored.is_whole:
        return _(
            "This e-mail has %(found).1f MB; at most %(limit)d MB are taken. It was left in the mailbox, unread "
            "here. Ask the customer for a smaller one, or open it there."
        ) % {"found": stored.size / 1024 / 1024, "limit": settings.MAIL_MAX_MB}
    if new := folded.new.strip():
        return new
    names = ", ".join(str(entry["name"]) for entry in stored.attachments)
    if names:
        return _("(No text. Attached: %(names)s)") % {"names": names}
    if any(piece.kind == Kind.QUOTE for piece in folded.pieces):
        return _("(Nothing but quoted text.)")
    return _("(An empty e-mail.)")


def _shortened(text: str, remarks: set[Remark]) -> str:
    if len(text) <= MAX_DETAIL_LENGTH:
        return text
    remarks.add(Remark.SHORTENED)
    mark = _("[shortened]")
    return f"{text[: MAX_DETAIL_LENGTH - len(mark) - 3].rstrip()} … {mark}"


def _first_line(text: str) -> str:
    return next((line.strip()[:200] for line in text.split("\n") if re.search(r"\w", line)), "")


def _note(ticket: Ticket, head: str, words: str) -> TicketMessage:
    body = f"{head}\n\n{words.strip()}".strip()
    return add_note(ticket, _shortened(body, set()))
