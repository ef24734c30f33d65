"""What was asked, what was answered from which passages, and what the customer thought of it.

Rows here are the record: citations keep their verbatim quote and the article's revision, considered
passages keep their signals, so that an answer can be explained after the articles have moved on.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from knowledge.models import Article, Language, Passage

MAX_QUESTION_LENGTH = 2000  # characters


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
    told = models.JSONField(null=True, blank=True)  # `assistant.telling.Story`; empty once it is decided
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
