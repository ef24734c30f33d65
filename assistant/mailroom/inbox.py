"""The inbox: mails that came in, each in a row that is committed before anybody tells the sender "taken".

Promise: what was accepted is never lost and takes effect once, whatever is killed or down in between. The same mail
that comes again, by whatever way, is the row that is there: it is known by its Message-ID, sender, date, subject
and body together, so that two mails under one Message-ID, as broken programs send them, are two. Work on a row is
taken by moving `due_at` behind a lease; what fails is tried again with growing pauses, then left for a person.

Refuses to decide what a mail becomes (`filing`), and what the assistant says to it (`drafting`).
"""

import hashlib
import logging
import re
import time
from datetime import datetime, timedelta
from functools import partial

from celery import shared_task
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from assistant.mailroom import drafting, filing
from assistant.mailroom.models import InboundMail, InboundMailContent, Source, Step
from knowledge import bell

log = logging.getLogger(__name__)

LEASE_SECONDS = 300  # above the longest step: a task is stopped after 240
MAX_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 60
_PAUSE_GROWTH = 8
_SKEW = timedelta(minutes=5)  # by which the clocks of several machines may differ
_SWEEP_SECONDS = 60
_MAILS_A_SWEEP = 200


class TooLarge(Exception):
    """More than MAIL_MAX_MB. Permanent: the sender has to send less."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size / 1024 / 1024:.1f} MB; at most {settings.MAIL_MAX_MB} MB are taken")
        self.size = size


def max_bytes() -> int:
    return int(settings.MAIL_MAX_MB) * 1024 * 1024


def accept(
    raw: bytes, *, source: Source, return_path: str | None = None, whole_size: int | None = None
) -> tuple[InboundMail, bool]:
    """The row of this mail, committed once the caller's transaction is, and whether it is new.

    `return_path` is the sender of the envelope ("" for an empty one), where the way in knows it. With `whole_size`
    (bytes) `raw` is only the head of a mail that is too large to take. Raises TooLarge.
    """
    if len(raw) > max_bytes():
        raise TooLarge(len(raw))
    digest = digest_of(raw)
    known = InboundMail.objects.filter(digest=digest).first()
    if known is not None:
        return known, False
    try:
        with transaction.atomic():
            mail = InboundMail.objects.create(
                digest=digest,
                rfc_message_id=_message_id(raw),
                source=source,
                return_path=return_path[:254] if return_path is not None else None,
                size=whole_size or len(raw),
                is_whole=whole_size is None,
            )
            InboundMailContent.objects.create(mail=mail, raw=raw)
            transaction.on_commit(partial(_ring, mail.pk), robust=True)
    except IntegrityError:
        return InboundMail.objects.get(digest=digest), False
    return mail, True


def digest_of(raw: bytes) -> str:
    """Hex SHA-256 of what a mail is on every way it may take: other headers change underway."""
    head, body = _parted(raw)
    identity = [_header(head, name) for name in (b"message-id", b"from", b"date", b"subject")]
    content = body.replace(b"\r\n", b"\n").rstrip()
    return hashlib.sha256(b"\x00".join([*identity, content])).hexdigest()


def process_due() -> None:
    """Takes what is due, the oldest first."""
    ends = time.monotonic() + _SWEEP_SECONDS
    due = _due(timezone.now()).order_by("received_at", "pk").values_list("pk", flat=True)
    for mail_id in list(due[:_MAILS_A_SWEEP]):
        process(mail_id)
        if time.monotonic() > ends:
            return


def process(mail_id: int) -> None:
    """All steps of one mail, unless somebody else has it. Raises what a database that is away raises."""
    while _one_step(mail_id):
        pass


def try_again(mail: InboundMail) -> bool:
    """A fresh start for a mail that failed. False where none is needed."""
    with transaction.atomic():
        again = InboundMail.objects.filter(pk=mail.pk).exclude(step=Step.DONE)
        if not again.update(due_at=timezone.now(), attempts=0):
            return False
        transaction.on_commit(partial(_ring, mail.pk), robust=True)
    return True


@shared_task(name="assistant.process_mail", soft_time_limit=210, time_limit=240)  # type: ignore[untyped-decorator]
def process_mail(mail_id: int) -> None:
    process(mail_id)


def _ring(mail_id: int) -> None:
    if settings.CELERY_TASK_ALWAYS_EAGER:
        return  # a sweep or the command itself takes it: whoever delivers does not wait for a model
    bell.send(process_mail, mail_id, about=f"incoming mail {mail_id}")


def _one_step(mail_id: int) -> bool:
    """True where another step is due at once."""
    now = timezone.now()
    lease = now + timedelta(seconds=LEASE_SECONDS)
    if not _due(now).filter(pk=mail_id).update(due_at=lease, attempts=F("attempts") + 1):
        return False
    mail = InboundMail.objects.select_related("ticket").get(pk=mail_id)
    try:
        if mail.step == Step.RECEIVED:
            filing.file_mail(mail)
        else:
            drafting.draft_for(mail)
    except (OperationalError, InterfaceError) as error:
        # The database is the trouble, not the mail: the lease runs out by itself.
        log.warning("incoming mail %d: %s", mail_id, type(error).__name__)
        raise
    except Exception as error:
        # Whatever it was: the row has to tell, and the other mails have to be read.
        _put_off(mail, lease, error)
        return False
    mail.refresh_from_db(fields=["step", "due_at"])
    return mail.step == Step.FILED and mail.due_at is not None


def _due(now: datetime) -> QuerySet[InboundMail]:
    """Also what is to wait for longer than anything waits: the clock was set back, and that holds nobody up."""
    beyond = Q()
    for attempts in range(MAX_ATTEMPTS + 1):
        longest = max(_pause_after(attempts), timedelta(seconds=LEASE_SECONDS)) if attempts else timedelta()
        beyond |= Q(attempts=attempts, due_at__gt=now + longest + _SKEW)
    return InboundMail.objects.filter(Q(due_at__lte=now) | beyond)


def _pause_after(attempts: int) -> timedelta:
    return timedelta(seconds=_FIRST_PAUSE_SECONDS * _PAUSE_GROWTH ** (attempts - 1))


def _put_off(mail: InboundMail, lease: datetime, error: Exception) -> None:
    gives_up = mail.attempts >= MAX_ATTEMPTS
    pause = _pause_after(mail.attempts)
    # Only while the lease is still ours.
    InboundMail.objects.filter(pk=mail.pk, due_at=lease).update(
        due_at=None if gives_up else timezone.now() + pause,
        error=f"{type(error).__name__}: {error}".replace("\x00", "")[:500],
    )
    # The words of an error may hold words of the mail; they stay in the row.
    log.log(
        logging.ERROR if gives_up else logging.WARNING,
        "incoming mail %d: try %d failed (%s), %s",
        mail.pk,
        mail.attempts,
        type(error).__name__,
        "given up" if gives_up else f"next in {pause.total_seconds():.0f} s",
    )


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    found = re.search(rb"\r?\n\r?\n", raw)
    return (raw[: found.start()], raw[found.end() :]) if found else (raw, b"")


def _header(head: bytes, name: bytes) -> bytes:
    """The first header of that name, unfolded, with single blanks."""
    found = re.search(rb"(?im)^" + name + rb":((?:[^\r\n]|\r?\n[ \t])*)", head)
    return b" ".join(found[1].split()) if found else b""


def _message_id(raw: bytes) -> str:
    found = re.search(rb"<[^<>\s]{1,490}>", _header(_parted(raw)[0], b"message-id"))
    return found[0].decode("ascii", errors="replace").replace("\x00", "") if found else ""
