"""What a person has to settle: tickets, the thread under each, and the words that make one at once."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from assistant.models.questions import Conversation, Question
from knowledge.models import Language

MAX_DETAIL_LENGTH = 5000  # characters

# Read aloud over the phone: no 0/O, 1/I/L.
_REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


class TicketReason(models.TextChoices):
    NO_PASSAGES = "no_passages", _("Nothing found")
    LOW_CONFIDENCE = "low_confidence", _("Confidence too low")
    UNGROUNDED = "ungrounded", _("No passage supports an answer")
    WRITER_UNAVAILABLE = "writer_unavailable", _("Answer writer unavailable")
    CUSTOMER_REQUEST = "customer_request", _("Customer asked for a person")
    SENSITIVE = "sensitive", _("Sensitive matter")


class Matter(models.TextChoices):
    """What goes to a person at once, whatever the articles say (`assistant.matters`)."""

    PERSON = "person", _("Wish for a person")
    COMPLAINT = "complaint", _("Complaint")
    PAYMENT_DISPUTE = "payment_dispute", _("Payment dispute")
    DATA_PROTECTION = "data_protection", _("Data-protection request")
    LEGAL = "legal", _("Legal threat")
    DANGER = "danger", _("Injury or danger")
    SELF_HARM = "self_harm", _("Self-harm")


class TicketStatus(models.TextChoices):
    AWAITING_CONTACT = "awaiting_contact", _("Contact missing")
    OPEN = "open", _("Open")
    PENDING = "pending", _("Waiting for customer")
    SOLVED = "solved", _("Solved")
    CLOSED = "closed", _("Closed")


class Priority(models.IntegerChoices):
    LOW = 1, _("Low")
    NORMAL = 2, _("Normal")
    HIGH = 3, _("High")
    URGENT = 4, _("Urgent")


def new_reference() -> str:
    return "T-" + "".join(secrets.choice(_REFERENCE_ALPHABET) for _position in range(7))


def new_token() -> str:
    return secrets.token_urlsafe(32)


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

    history = HistoricalRecords(excluded_fields=["token", "idempotency_key", "request_hash"])

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
        ]
        indexes = [models.Index(fields=["status", "-priority", "created_at"], name="ticket_queue")]

    def __str__(self) -> str:
        return f"{self.reference} {self.subject}"

    def get_absolute_url(self) -> str:
        return reverse("ticket", kwargs={"token": self.token})

    @property
    def takes_replies(self) -> bool:
        return self.status in (TicketStatus.OPEN, TicketStatus.PENDING, TicketStatus.SOLVED)


class EscalationPhrase(models.Model):
    """Words that take a question to a person at once. How they are read is `assistant.matters`' business."""

    matter = models.CharField(_("matter"), max_length=20, choices=Matter)
    language = models.CharField(_("language"), max_length=2, choices=Language)
    text = models.CharField(
        _("phrase"),
        max_length=400,
        help_text=_(
            "Words in their order. Each stands for all of its forms (“sprechen” also for “spreche”), a/b for either "
            "word, * for up to four words in between: “mit * mensch/mitarbeiter sprechen”."
        ),
    )
    only_alone = models.BooleanField(
        _("only alone"),
        default=False,
        help_text=_("Counts only where the question says nothing else, such as “Mitarbeiter bitte”."),
    )
    is_exception = models.BooleanField(
        _("exception"),
        default=False,
        help_text=_("Where these words stand in a question, the matter's other phrases do not count."),
    )
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("escalation phrase")
        verbose_name_plural = _("escalation phrases")
        ordering = ["matter", "language", "text"]
        constraints = [
            models.UniqueConstraint(
                fields=["matter", "language", "text"],
                name="escalation_phrase_once",
                violation_error_message=_("This phrase is already on the list."),
            ),
            models.CheckConstraint(condition=Q(matter__in=Matter.values), name="escalation_matter_is_known"),
        ]

    def __str__(self) -> str:
        return self.text


class MessageAuthor(models.TextChoices):
    CUSTOMER = "customer", _("Customer")
    STAFF = "staff", _("Support")


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
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(_("written"), auto_now_add=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.body[:80]
