"""E-mails that came in: each a row with its bytes before anybody reads it."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistant.mailroom.remarks import Remark
from assistant.mailroom.robots import Robot
from assistant.models.tickets import Ticket, TicketMessage


class Source(models.TextChoices):
    IMAP = "imap", _("Mailbox")
    WEBHOOK = "webhook", _("Webhook")
    PIPE = "pipe", _("Command line")


class Step(models.TextChoices):
    RECEIVED = "received", _("Stored, not yet read")
    FILED = "filed", _("Filed, draft owed")
    DONE = "done", _("Done")


class Outcome(models.TextChoices):
    REPLY = "reply", _("Reply in a ticket")
    NOTE = "note", _("Note for staff in a ticket")
    TICKET = "ticket", _("New ticket")
    ASIDE = "aside", _("Put aside")


class InboundMailQuerySet(models.QuerySet["InboundMail"]):
    def given_up(self) -> Self:
        return self.filter(due_at=None).exclude(step=Step.DONE)

    def troubled(self) -> Self:
        return self.exclude(step=Step.DONE).exclude(error="")


class InboundMail(models.Model):
    digest = models.CharField(max_length=64, unique=True, editable=False)  # hex SHA-256; `inbox` says of what
    rfc_message_id = models.CharField(_("Message-ID"), max_length=500, blank=True, db_index=True)
    source = models.CharField(_("came by"), max_length=8, choices=Source)
    # Null where the way in does not tell; empty is an answer: that of a mail server.
    return_path = models.CharField(max_length=254, null=True, blank=True)  # noqa: DJ001
    size = models.PositiveIntegerField(
        _("size")
    )  # bytes of the whole mail, also where only its header is here
    is_whole = models.BooleanField(default=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now, db_index=True)

    step = models.CharField(_("state"), max_length=8, choices=Step, default=Step.RECEIVED)
    outcome = models.CharField(_("became"), max_length=8, choices=Outcome, blank=True)
    robot = models.CharField(_("not by a person"), max_length=16, choices=Robot, blank=True)
    ticket = models.ForeignKey(
        Ticket,
        verbose_name=_("ticket"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="inbound_mails",
    )
    message = models.OneToOneField(
        TicketMessage, null=True, blank=True, on_delete=models.SET_NULL, related_name="inbound_mail"
    )
    sender = models.CharField(_("from"), max_length=254, blank=True, db_index=True)
    sender_name = models.CharField(_("name"), max_length=120, blank=True)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    pieces = models.JSONField(default=list, blank=True)  # [[text | quote | signature, text]]
    # [{"number": 0-based, "name": …, "type": …, "size": bytes, "refused": why staff cannot fetch it, or ""}]
    attachments = models.JSONField(default=list, blank=True)
    remarks = models.JSONField(default=list, blank=True)  # values of `Remark`

    # When somebody is to take it, or when the lease of whoever has it runs out. Null once done or given up.
    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)  # of the present step
    error = models.CharField(_("error"), max_length=500, blank=True)

    objects = InboundMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("incoming e-mail")
        verbose_name_plural = _("incoming e-mails")
        ordering = ["-received_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(step__in=Step.values), name="inbound_step_is_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="inbound_source_is_known"),
            models.CheckConstraint(
                condition=~Q(step=Step.DONE) | Q(due_at__isnull=True), name="inbound_done_is_not_due"
            ),
            models.CheckConstraint(
                condition=Q(step=Step.RECEIVED) | ~Q(outcome=""), name="inbound_filed_has_an_outcome"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="inbound_due")]

    def __str__(self) -> str:
        return self.subject or self.rfc_message_id or f"#{self.pk}"

    @property
    def is_given_up(self) -> bool:
        return self.due_at is None and self.step != Step.DONE

    @property
    def told_remarks(self) -> list[str]:
        return [str(Remark(value).label) for value in self.remarks if value in Remark.values]

    def texts(self, kind: str) -> str:
        return "\n\n".join(text.strip("\n") for one, text in self.pieces if one == kind)

    @property
    def quoted(self) -> str:
        return self.texts("quote")

    @property
    def signature(self) -> str:
        return self.texts("signature")


class InboundMailContent(models.Model):
    """The bytes as they came; in a table of their own, which no list reads."""

    mail = models.OneToOneField(
        InboundMail, on_delete=models.CASCADE, primary_key=True, related_name="content"
    )
    raw = models.BinaryField()

    class Meta:
        verbose_name = _("content of an incoming e-mail")
        verbose_name_plural = _("contents of incoming e-mails")

    def __str__(self) -> str:
        return str(self.mail_id)


class Mailbox(models.Model):
    """How far a mailbox was read. A mail that somebody opens in a mail program meanwhile is taken all the same."""

    address = models.CharField(_("mailbox"), max_length=300, unique=True)  # user@host/folder
    uid_validity = models.CharField(max_length=20, blank=True)
    last_uid = models.PositiveBigIntegerField(default=0)
    checked_at = models.DateTimeField(_("last looked at"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")

    def __str__(self) -> str:
        return self.address
