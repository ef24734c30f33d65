"""What was asked, what was answered from which passages, and what a person has to settle.

Rows here are the record: citations keep their verbatim quote and the article's revision, considered
passages keep their signals, so that an answer can be explained after the articles have moved on.
"""

import secrets
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from knowledge.models import Article, Language, Passage

MAX_QUESTION_LENGTH = 2000  # characters
MAX_DETAIL_LENGTH = 5000  # characters

# Read aloud over the phone: no 0/O, 1/I/L.
_REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


class Channel(models.TextChoices):
    PAGE = "page", _("Help center page")
    API = "api", _("API")
    CLI = "cli", _("Command line")
    WIDGET = "widget", _("Widget")


class QuestionStatus(models.TextChoices):
    RECEIVED = "received", _("Received")  # stored, not yet decided: where a crash leaves it, a sweep finds it
    ANSWERED = "answered", _("Answered")
    ESCALATED = "escalated", _("Escalated")


class ConfidenceLevel(models.TextChoices):
    HIGH = "high", _("high")
    MEDIUM = "medium", _("medium")
    LOW = "low", _("low")  # below the threshold: never shown as an answer


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


class FeedbackReason(models.TextChoices):
    WRONG = "wrong", _("The answer is wrong")
    INCOMPLETE = "incomplete", _("Something is missing")
    OFF_TOPIC = "off_topic", _("It does not answer my question")
    HARD_TO_UNDERSTAND = "hard_to_understand", _("It is hard to understand")
    OTHER = "other", _("Something else")


class Stage(models.TextChoices):
    """What is being done for a question that is not decided yet, as it is told to whoever waits."""

    SEARCHING = "searching", _("Searching the articles")
    CHECKING = "checking", _("Checking how sure the answer is")
    WRITING = "writing", _("Putting the answer together")


class Conversation(models.Model):
    """A thread of questions. `public_id` is unguessable: who knows it may read and continue the thread."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")

    def __str__(self) -> str:
        return str(self.public_id)


class Question(models.Model):
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="questions")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    text = models.TextField(_("question"), max_length=MAX_QUESTION_LENGTH)
    language = models.CharField(_("language"), max_length=2, choices=Language)  # of the question
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    status = models.CharField(
        _("status"), max_length=12, choices=QuestionStatus, default=QuestionStatus.RECEIVED
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    request_hash = models.CharField(max_length=64, blank=True)  # of the body sent under that key
    # Kept until the question is decided, for the ticket that it may become; empty from then on.
    contact_email = models.EmailField(_("e-mail"), blank=True)
    contact_name = models.CharField(_("name"), max_length=120, blank=True)
    confidence_score = models.FloatField(_("confidence"), null=True, blank=True)  # 0..1, probability
    confidence_threshold = models.FloatField(_("threshold"), null=True, blank=True)  # 0..1
    confidence_level = models.CharField(_("level"), max_length=8, choices=ConfidenceLevel, blank=True)
    confidence_signals = models.JSONField(_("signals"), default=dict, blank=True)
    calibrated = models.BooleanField(_("calibrated"), default=False)
    calibration = models.CharField(_("calibration"), max_length=200, blank=True)  # which one, for the record
    recipe = models.CharField(max_length=64, blank=True)
    elapsed_ms = models.PositiveIntegerField(_("elapsed (ms)"), null=True, blank=True)
    # Of the work on it, noted where it takes long enough for somebody to see it (`assistant.progress`).
    stage = models.CharField(max_length=10, choices=Stage, blank=True)
    stage_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(_("asked"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(confidence_score__isnull=True)
                | (Q(confidence_score__gte=0) & Q(confidence_score__lte=1)),
                name="question_confidence_is_a_probability",
            ),
            models.CheckConstraint(
                condition=Q(status__in=QuestionStatus.values), name="question_status_is_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status=QuestionStatus.RECEIVED),
                name="question_undecided",
            )
        ]

    def __str__(self) -> str:
        return self.text[:80]

    def get_absolute_url(self) -> str:
        return reverse("answer", kwargs={"public_id": self.public_id})


class ConsideredPassage(models.Model):
    """A passage that was looked at for a question, with the signals it had then."""

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="considered")
    rank = models.PositiveIntegerField(_("rank"))  # 1-based
    article = models.ForeignKey(
        Article, verbose_name=_("article"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    article_revision = models.PositiveIntegerField(_("revision"))
    title = models.CharField(_("title"), max_length=500)
    heading_path = models.JSONField(_("headings"), default=list)
    text = models.TextField(_("passage"))
    cosine = models.FloatField(_("cosine"), null=True)  # -1..1
    bm25 = models.FloatField("BM25", null=True)  # >= 0
    fused = models.FloatField(_("ranking value"))  # orders, never a threshold

    class Meta:
        verbose_name = _("considered passage")
        verbose_name_plural = _("considered passages")
        ordering = ["question_id", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["question", "rank"], name="considered_rank_unique_per_question")
        ]

    def __str__(self) -> str:
        return f"{self.rank}. {self.title}"


class Answer(models.Model):
    question = models.OneToOneField(Question, on_delete=models.CASCADE, related_name="answer")
    text = models.TextField(_("answer"))  # Markdown of the blocks, joined
    blocks = models.JSONField(_("blocks"), default=list)  # [{"text": str, "citations": [1-based int]}]
    writer = models.CharField(_("writer"), max_length=120)
    language = models.CharField(_("language"), max_length=2, choices=Language)  # of the quoted articles
    created_at = models.DateTimeField(_("answered"), auto_now_add=True)

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")

    def __str__(self) -> str:
        return self.text[:80]


class Citation(models.Model):
    """Answer → passage, with the verbatim quote and its offsets into that revision of the article."""

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="citations")
    number = models.PositiveIntegerField(_("number"))  # 1-based
    article = models.ForeignKey(
        Article, verbose_name=_("article"), null=True, on_delete=models.SET_NULL, related_name="citations"
    )
    article_revision = models.PositiveIntegerField(_("revision"))
    passage = models.ForeignKey(Passage, null=True, on_delete=models.SET_NULL, related_name="+")
    title = models.CharField(_("title"), max_length=500)
    heading_path = models.JSONField(_("headings"), default=list)
    url = models.CharField(_("address"), max_length=500)
    quote = models.TextField(_("quote"))
    start = models.PositiveIntegerField()  # character offset into the article body
    end = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("citation")
        verbose_name_plural = _("citations")
        ordering = ["answer_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["answer", "number"], name="citation_number_unique_per_answer"),
            models.CheckConstraint(condition=Q(number__gte=1), name="citation_number_is_one_based"),
        ]

    def __str__(self) -> str:
        return f"[{self.number}] {self.title}"


class Feedback(models.Model):
    """What the customer thought of an answer: one row a question, the last word counts."""

    question = models.OneToOneField(Question, on_delete=models.CASCADE, related_name="feedback")
    helpful = models.BooleanField(_("helpful"))
    reason = models.CharField(_("reason"), max_length=20, choices=FeedbackReason, blank=True)
    comment = models.TextField(_("comment"), max_length=1000, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last change"), auto_now=True)

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")

    def __str__(self) -> str:
        return "helpful" if self.helpful else f"not helpful: {self.reason}"


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


class MailQuerySet(models.QuerySet["Mail"]):
    def troubled(self) -> Self:
        """Not sent, and at least one try has failed."""
        return self.filter(sent_at__isnull=True).exclude(error="")

    def given_up(self) -> Self:
        return self.filter(sent_at__isnull=True, due_at__isnull=True)


class Mail(models.Model):
    """An e-mail that is owed to a customer, written by the transaction that causes it (`assistant.outbox`)."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="mails")
    # What it carries; without one it is the confirmation that the ticket has reached us.
    message = models.OneToOneField(
        TicketMessage, null=True, blank=True, on_delete=models.CASCADE, related_name="mail"
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
                fields=["ticket"], condition=Q(message__isnull=True), name="mail_confirms_a_ticket_once"
            ),
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
        return f"ticket-{self.ticket_id}" if self.message_id is None else f"message-{self.message_id}"

    @property
    def is_given_up(self) -> bool:
        return self.sent_at is None and self.due_at is None


class SpentBudget(models.Model):
    """How much of a budget is spent (`assistant.abuse.budgets`). No row: nothing is."""

    key = models.CharField(max_length=60, primary_key=True)  # scope and a keyed hash, never an address
    full_at = models.FloatField(db_index=True)  # seconds since 1970: when all of it is there again

    class Meta:
        verbose_name = _("spent budget")
        verbose_name_plural = _("spent budgets")

    def __str__(self) -> str:
        return self.key


# Models too, in modules of their own because they are other ideas. Django looks for all of them here.
from assistant import measured as measured  # noqa: E402
from assistant import question_vectors as question_vectors  # noqa: E402
from assistant import wanted as wanted  # noqa: E402
