"""What a person has to settle: tickets and the thread under each."""

import secrets
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from assistant.models.escalation_phrases import Matter
from assistant.models.problems import KnownProblem
from assistant.models.questions import Conversation, Question
from knowledge.models import Category, Language

MAX_DETAIL_LENGTH = 5000  # characters

BY_CUSTOMER = "customer"  # in the history of a ticket, as the reason of a change: nobody of staff made it

# Read aloud over the phone: no 0/O, 1/I/L.
_REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


class TicketReason(models.TextChoices):
    NO_PASSAGES = "no_passages", _("Nothing found")
    LOW_CONFIDENCE = "low_confidence", _("Confidence too low")
    UNGROUNDED = "ungrounded", _("No passage supports an answer")
    WRITER_UNAVAILABLE = "writer_unavailable", _("Answer writer unavailable")
    CUSTOMER_REQUEST = "customer_request", _("Customer asked for a person")
    SENSITIVE = "sensitive", _("Sensitive matter")


class TicketStatus(models.TextChoices):
    AWAITING_CONTACT = "awaiting_contact", _("Contact missing")
    OPEN = "open", _("Open")
    PENDING = "pending", _("Waiting for customer")
    SOLVED = "solved", _("Solved")
    CLOSED = "closed", _("Closed")


UNSETTLED = (TicketStatus.OPEN, TicketStatus.PENDING)


class Priority(models.IntegerChoices):
    LOW = 1, _("Low")
    NORMAL = 2, _("Normal")
    HIGH = 3, _("High")
    URGENT = 4, _("Urgent")


def new_reference() -> str:
    return "T-" + "".join(secrets.choice(_REFERENCE_ALPHABET) for _position in range(7))


def new_token() -> str:
    return secrets.token_urlsafe(32)


class TicketQuerySet(models.QuerySet["Ticket"]):
    def unsettled(self) -> Self:
        return self.filter(status__in=UNSETTLED)

    def overdue(self, now: datetime) -> Self:
        """As `Ticket.is_overdue`."""
        return self.filter(status=TicketStatus.OPEN, due_at__lte=now)

    def without_contact(self) -> Self:
        return self.filter(status=TicketStatus.AWAITING_CONTACT, is_spam=False, merged_into=None)

    def of_customer(self, email: str) -> Self:
        return self.annotate(_address=Lower("contact_email")).filter(_address=email.lower())


class Ticket(models.Model):
    reference = models.CharField(
        _("reference"), max_length=12, unique=True, default=new_reference, editable=False
    )
    token = models.CharField(max_length=60, unique=True, default=new_token, editable=False)
    question = models.OneToOneField(
        Question,
        verbose_name=_("question"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="ticket",
    )
    conversation = models.ForeignKey(
        Conversation, null=True, blank=True, on_delete=models.PROTECT, related_name="tickets"
    )
    subject = models.CharField(_("subject"), max_length=300)
    reason = models.CharField(_("reason"), max_length=20, choices=TicketReason)
    matter = models.CharField(_("matter"), max_length=20, choices=Matter, blank=True)
    status = models.CharField(
        _("status"), max_length=20, choices=TicketStatus, default=TicketStatus.AWAITING_CONTACT
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )
    language = models.CharField(_("language"), max_length=2, choices=Language)
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("assignee"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="assigned_tickets",
        limit_choices_to={"is_staff": True},
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="tickets",
    )
    contact_email = models.EmailField(_("e-mail"), blank=True)
    contact_name = models.CharField(_("name"), max_length=120, blank=True)
    detail = models.TextField(_("detail"), max_length=MAX_DETAIL_LENGTH, blank=True)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    request_hash = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(_("last change"), auto_now=True)
    completed_at = models.DateTimeField(_("contact known since"), null=True, blank=True, editable=False)

    is_spam = models.BooleanField(_("spam"), default=False)
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged",
    )
    problem = models.ForeignKey(
        KnownProblem,
        verbose_name=_("known problem"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="tickets",
    )
    customer_wrote_at = models.DateTimeField(_("customer wrote"), null=True, blank=True, editable=False)
    first_replied_at = models.DateTimeField(_("first reply"), null=True, blank=True, editable=False)
    solved_at = models.DateTimeField(_("solved on"), null=True, blank=True, editable=False)

    # What follows from all this and the rules, written by `assistant.desk.clock` alone.
    first_reply_due_at = models.DateTimeField(_("first reply due"), null=True, blank=True, editable=False)
    solve_due_at = models.DateTimeField(_("solution due"), null=True, blank=True, editable=False)
    # The nearer of the two that is not met, while the ticket waits for us; the queue is sorted by it.
    due_at = models.DateTimeField(_("due"), null=True, blank=True, editable=False)
    paused_since = models.DateTimeField(
        null=True, blank=True, editable=False
    )  # since it does not wait for us
    paused_seconds = models.PositiveIntegerField(default=0, editable=False)  # of business time, before that
    counted_with = models.CharField(max_length=16, blank=True, editable=False)  # the rules' fingerprint
    # When the sweep found a target missed; each is told once.
    reply_missed_at = models.DateTimeField(_("first reply missed"), null=True, blank=True, editable=False)
    solve_missed_at = models.DateTimeField(_("solution missed"), null=True, blank=True, editable=False)
    # The customer was told that silence will end it.
    noticed_at = models.DateTimeField(_("notice sent"), null=True, blank=True, editable=False)

    objects = TicketQuerySet.as_manager()
    history = HistoricalRecords(
        excluded_fields=[
            "token",
            "idempotency_key",
            "request_hash",
            "customer_wrote_at",
            "first_reply_due_at",
            "solve_due_at",
            "due_at",
            "paused_since",
            "paused_seconds",
            "counted_with",
        ]
    )

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=TicketStatus.values), name="ticket_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(reason__in=TicketReason.values), name="ticket_reason_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status=TicketStatus.AWAITING_CONTACT) | ~Q(contact_email=""),
                name="ticket_complete_once_contact_is_known",
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | ~Q(merged_into=F("id")),
                name="ticket_is_not_its_own_duplicate",
            ),
            models.CheckConstraint(
                condition=Q(is_spam=False, merged_into=None) | ~Q(status__in=UNSETTLED),
                name="ticket_spam_or_merged_is_settled",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "due_at"], name="ticket_due"),
            models.Index(fields=["assignee", "status"], name="ticket_of_agent"),
            models.Index(fields=["updated_at"], name="ticket_changed"),
            models.Index(Lower("contact_email"), name="ticket_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.subject}"

    def get_absolute_url(self) -> str:
        return reverse("ticket", kwargs={"token": self.token})

    @property
    def leading(self) -> "Ticket":
        """The one that this has become part of, or itself."""
        return self.merged_into if self.merged_into is not None else self

    def save_by_customer(self) -> None:
        """As `save`; its history says that no staff did it."""
        self._change_reason = BY_CUSTOMER  # simple_history reads it
        self.save()
        del self._change_reason

    @property
    def takes_replies(self) -> bool:
        return self.status in (TicketStatus.OPEN, TicketStatus.PENDING, TicketStatus.SOLVED)

    def is_overdue(self, now: datetime) -> bool:
        return self.status == TicketStatus.OPEN and self.due_at is not None and self.due_at <= now

    @property
    def asked(self) -> str:
        """What the customer wrote to begin with."""
        opening = self.question.text if self.question is not None else self.subject
        return f"{opening}\n\n{self.detail}" if self.detail else opening


class MessageAuthor(models.TextChoices):
    CUSTOMER = "customer", _("Customer")
    STAFF = "staff", _("Support")


class TicketMessageQuerySet(models.QuerySet["TicketMessage"]):
    def for_customer(self, now: datetime) -> Self:
        """What the customer may read: no notes, nothing taken back, and nothing that can still be taken back."""
        return self.filter(Q(held_until=None) | Q(held_until__lte=now), is_internal=False, withdrawn_at=None)


class TicketMessage(models.Model):
    """One entry of the thread under a ticket. Internal notes are never shown to the customer."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="messages")
    author_kind = models.CharField(_("from"), max_length=10, choices=MessageAuthor)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("author"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    body = models.TextField(_("message"), max_length=MAX_DETAIL_LENGTH)
    is_internal = models.BooleanField(_("internal note"), default=False)
    is_automatic = models.BooleanField(default=False, editable=False)  # written by a rule, not by a person
    # Where it was written, if that ticket has been merged into this one since.
    came_from = models.ForeignKey(
        Ticket, null=True, blank=True, on_delete=models.SET_NULL, related_name="moved_messages"
    )
    held_until = models.DateTimeField(
        null=True, blank=True, editable=False
    )  # until then it can be taken back
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Of the ticket, before this was sent: what it goes back to when it is taken back.
    status_before = models.CharField(max_length=20, choices=TicketStatus, blank=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(_("written"), auto_now_add=True)

    objects = TicketMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.body[:80]
