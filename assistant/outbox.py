"""The outbox: e-mails that are owed to customers, editors or owners of accounts, each in a row of its own.

The transaction that causes a mail writes its row.

Promise: each one leaves at least once, whatever is killed or down in between, and always under the same
Message-ID. Whoever sends one takes it by moving `due_at` behind a lease, sends it outside of any transaction,
and marks it as sent only after the server took it. Killed in between, the lease runs out and the next sweep
sends it again. What was rung for may come late, twice or never: the row says what is to be done.

Refuses to decide what a mail says (`assistant.mail`, `assistant.account_mail`, `knowledge.notices`).
"""

import contextlib
import logging
import smtplib
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation

from assistant import account_mail
from assistant.mail import compose
from assistant.models import AccountMail, AccountMailKind, Mail, MailKind, Ticket, TicketMessage
from knowledge import bell, notices
from knowledge.models import Notice

log = logging.getLogger(__name__)

LEASE_SECONDS = 120  # above the longest try: a worker is stopped after 90
MAX_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 60  # eight times as long after every try: five tries outlast a night without a server
_PAUSE_GROWTH = 8
_SKEW = timedelta(minutes=5)  # by which the clocks of several machines may differ
_SWEEP_SECONDS = 60  # then the rest is left to the next sweep
_MAILS_A_SWEEP = 200  # of each kind

_Owed: TypeAlias = Mail | AccountMail | Notice
_Box: TypeAlias = type[Mail] | type[AccountMail] | type[Notice]
_BOXES: tuple[_Box, ...] = (Mail, AccountMail, Notice)  # customers first
_READ_ALONG: dict[_Box, tuple[str, ...]] = {
    Mail: ("ticket__question", "ticket__assignee", "message", "note__author"),
    AccountMail: ("recipient",),
    Notice: ("recipient",),
}

_bell: threading.Event | None = None  # of the loop that sends in this process, where there is one


def owe_confirmation(ticket: Ticket) -> None:
    """Part of the caller's transaction, as all that follows is of no use without it."""
    _owe(Mail(ticket=ticket, kind=MailKind.CONFIRMATION))


def owe_reply(message: TicketMessage) -> None:
    """Not due before it can no longer be taken back."""
    due_at = message.held_until or timezone.now()
    _owe(Mail(ticket=message.ticket, kind=MailKind.REPLY, message=message, due_at=due_at))


def owe_missed(ticket: Ticket, addresses: Iterable[str]) -> None:
    """Tells staff that a target was missed."""
    for address in addresses:
        _owe(Mail(ticket=ticket, kind=MailKind.MISSED, staff_email=address))


def owe_mention(note: TicketMessage, address: str) -> None:
    _owe(Mail(ticket=note.ticket, kind=MailKind.MENTION, note=note, staff_email=address))


def owe_survey(ticket: Ticket) -> None:
    """Once for each ticket: the database refuses a second one."""
    _owe(Mail(ticket=ticket, kind=MailKind.SURVEY))


def owe_account_mail(user: Any, kind: AccountMailKind) -> None:
    """In the language of the page that causes it; nothing where the account has no address."""
    if not user.email:
        return
    language = (translation.get_language() or settings.LANGUAGE_CODE)[:2]
    mail = AccountMail.objects.create(recipient=user, kind=kind, language=language)
    transaction.on_commit(partial(_ring, mail.pk, send_account_mail), robust=True)


def withdraw_reply(message: TicketMessage) -> bool:
    """The mail of a held reply is owed no more. False where somebody sends it already, or has sent it."""
    owed = Mail.objects.filter(message=message, sent_at=None, attempts=0, due_at__gt=timezone.now())
    deleted, _by_model = owed.delete()
    return deleted == 1


def withdraw_all(ticket: Ticket) -> None:
    """Nothing leaves for this customer that nobody has tried to send yet. Replies stay, as ones that were not sent."""
    ticket.mails.filter(sent_at=None, attempts=0, staff_email="").delete()


def send_due() -> None:
    """Sends what is due, the longest overdue first. Ends early where the server itself is the trouble."""
    ends = time.monotonic() + _SWEEP_SECONDS
    for box in _BOXES:
        due = _due(box, timezone.now()).order_by("due_at").values_list("pk", flat=True)
        for mail_id in list(due[:_MAILS_A_SWEEP]):
            if not _try(box, mail_id) or time.monotonic() > ends:
                return


def send_again(*, ticket: Ticket) -> bool:
    """Gives the ticket's failed mails a fresh start, now. False where none has failed."""
    with transaction.atomic():
        again = list(ticket.mails.troubled().values_list("pk", flat=True))
        Mail.objects.filter(pk__in=again, sent_at__isnull=True).update(due_at=timezone.now(), attempts=0)
        for mail_id in again:
            transaction.on_commit(partial(_ring, mail_id, send_mail), robust=True)
    return bool(again)


@contextlib.contextmanager
def rings(bell: threading.Event) -> Iterator[None]:
    """For a loop that sends in this process: `bell` is set where otherwise a task would be queued.

    Without a broker a task runs inside the request that causes it; with a loop nobody waits for a mail server.
    """
    global _bell
    _bell = bell
    try:
        yield
    finally:
        _bell = None


def has_loop() -> bool:
    """Whether this process sends by itself, as the web process of `serve` does."""
    return _bell is not None


@shared_task(name="assistant.send_mail", soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def send_mail(mail_id: int) -> None:
    _try(Mail, mail_id)


@shared_task(name="assistant.send_account_mail", soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def send_account_mail(mail_id: int) -> None:
    _try(AccountMail, mail_id)


def _owe(mail: Mail) -> None:
    mail.save()
    transaction.on_commit(partial(_ring, mail.pk, send_mail), robust=True)


def _ring(mail_id: int, task: Any) -> None:
    if _bell is not None:
        _bell.set()
        return
    bell.send(task, mail_id, about=f"{task.name} {mail_id}")


def _try(box: _Box, mail_id: int) -> bool:
    """One try, unless somebody else has the mail. False where no other mail would fare better now."""
    now = timezone.now()
    taken = _due(box, now).filter(pk=mail_id)
    if not taken.update(due_at=now + timedelta(seconds=LEASE_SECONDS), attempts=F("attempts") + 1):
        return True
    mail = box.objects.select_related(*_READ_ALONG[box]).filter(pk=mail_id).first()
    if mail is None:
        return True
    try:
        _composed(mail).send()
    except Exception as error:
        # Whatever it was: the row has to tell, and the other mails have to leave.
        _put_off(mail, error)
        return _concerns_one_mail(error)
    box.objects.filter(pk=mail_id).update(sent_at=timezone.now(), due_at=None, error="")
    return True


def _composed(mail: _Owed) -> EmailMessage:
    if isinstance(mail, Mail):
        return compose(mail)
    return account_mail.compose(mail) if isinstance(mail, AccountMail) else notices.compose(mail)


def _due(box: _Box, now: datetime) -> "QuerySet[Mail] | QuerySet[AccountMail] | QuerySet[Notice]":
    """Also what is to wait for longer than anything waits: the clock was set back, and that holds nobody up."""
    beyond = Q()
    for attempts in range(MAX_ATTEMPTS + 1):
        longest = max(_pause_after(attempts), timedelta(seconds=LEASE_SECONDS)) if attempts else timedelta()
        beyond |= Q(attempts=attempts, due_at__gt=now + longest + _SKEW)
    return box.objects.filter(Q(due_at__lte=now) | beyond)


def _pause_after(attempts: int) -> timedelta:
    return timedelta(seconds=_FIRST_PAUSE_SECONDS * _PAUSE_GROWTH ** (attempts - 1))


def _put_off(mail: _Owed, error: Exception) -> None:
    gives_up = _is_final(error) or mail.attempts >= MAX_ATTEMPTS
    pause = _pause_after(mail.attempts)
    # Only while the lease is still ours: somebody else may have sent it by now.
    type(mail).objects.filter(pk=mail.pk, due_at=mail.due_at).update(
        due_at=None if gives_up else timezone.now() + pause, error=_described(error)
    )
    # The server's words may hold the address; they stay in the row.
    log.log(
        logging.ERROR if gives_up else logging.WARNING,
        "%s: try %d failed (%s), %s",
        mail.stable_id,
        mail.attempts,
        type(error).__name__,
        "given up" if gives_up else f"next in {pause.total_seconds():.0f} s",
    )


def _reply_of(error: Exception) -> tuple[int, str] | None:
    """The server's code and words about this one mail, where it had any."""
    code: int
    words: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPDataError):
        code, words = error.smtp_code, error.smtp_error
    else:
        return None
    return code, words.decode(errors="replace") if isinstance(words, bytes) else words


def _is_final(error: Exception) -> bool:
    reply = _reply_of(error)
    return reply is not None and reply[0] >= 500


def _concerns_one_mail(error: Exception) -> bool:
    # smtplib's own errors are OSErrors, too: a refused sign-in and a refused connection meet every mail.
    return _reply_of(error) is not None or not isinstance(error, OSError)


def _described(error: Exception) -> str:
    reply = _reply_of(error)
    text = f"{reply[0]} {reply[1]}" if reply is not None else f"{type(error).__name__}: {error}"
    return text.replace("\x00", "")[: Mail._meta.get_field("error").max_length]
