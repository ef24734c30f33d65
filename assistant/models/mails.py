"""E-mails that are owed (`assistant.outbox`)."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistant.models.tickets import Ticket, TicketMessage


class MailKind(models.TextChoices):
    CONFIRMATION = "confirmation", _("Confirmation")
    REPLY = "reply", _("Reply to the customer")
    MISSED = "missed", _("Missed target, to staff")
    MENTION = "mention", _("Mention, to staff")
    SURVEY = "survey", _("Question how it went")


class MailQuerySet(models.QuerySet["Mail"]):
    def troubled(self) -> Self:
        """Not sent, and at least one try has failed."""
        return self.filter(sent_at__isnull=True).exclude(error="")

    def given_up(self) -> Self:
        return self.filter(sent_at__isnull=True, due_at__isnull=True)


class Mail(models.Model):
    """An e-mail that is owed, written by the transaction that causes it (`assistant.outbox`)."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(max_length=12, choices=MailKind, default=MailKind.CONFIRMATION)
    staff_email = models.EmailField(blank=True)  # of the agent it is for; empty: it goes to the customer
    # What a reply carries.
    message = models.OneToOneField(
        TicketMessage, null=True, blank=True, on_delete=models.CASCADE, related_name="mail"
    )
    # The note that mentions an agent.
    note = models.ForeignKey(
        TicketMessage, null=True, blank=True, on_delete=models.CASCADE, related_name="mentions"
    )
    # When it is next to be tried: after a pause, or when the lease of whoever sends it now has run out.
    # Null once it was sent or given up.
    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(
        max_length=500, blank=True
    )  # of the last try, for staff: it may name the address
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name = _("outgoing e-mail")
        verbose_name_plural = _("outgoing e-mails")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "kind"],
                condition=Q(kind__in=[MailKind.CONFIRMATION, MailKind.SURVEY]),
                name="mail_once_a_ticket",
            ),
            models.UniqueConstraint(
                fields=["note", "staff_email"], condition=Q(note__isnull=False), name="mail_mentions_once"
            ),
            models.CheckConstraint(
                condition=Q(kind=MailKind.REPLY, message__isnull=False)
                | (~Q(kind=MailKind.REPLY) & Q(message__isnull=True)),
                name="mail_reply_carries_a_message",
            ),
            models.CheckConstraint(condition=Q(kind__in=MailKind.values), name="mail_kind_is_known"),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(due_at__isnull=True), name="mail_sent_is_not_due"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="mail_due")]

    def __str__(self) -> str:
        return self.stable_id

    @property
    def stable_id(self) -> str:
        """The same at every delivery, so that mail programs know a second one for what it is."""
        match self.kind:
            case MailKind.CONFIRMATION:
                return f"ticket-{self.ticket_id}"
            case MailKind.REPLY:
                return f"message-{self.message_id}"
        return f"mail-{self.pk}"

    @property
    def is_given_up(self) -> bool:
        return self.sent_at is None and self.due_at is None
