"""What was asked of a language model, what it said, and what it has cost (`assistant.writers`)."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assistant.models.questions import Question
from assistant.models.tickets import Ticket
from knowledge.models import Article


class AnswerEvidence(models.Model):
    """How a model took part in an answer: prompt version, parameters, its reply, and what became of each sentence."""

    question = models.OneToOneField(Question, on_delete=models.CASCADE, related_name="evidence")
    generations = models.JSONField(default=list)  # `assistant.writers.Generation`, one a part of the question
    # `assistant.writers.Rewriting`; null: the question was looked for as it was asked. There for tickets as well.
    rewriting = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")

    def __str__(self) -> str:
        return str(self.question_id)


class StaffTextKind(models.TextChoices):
    SUMMARY = "summary", _("Summary of a ticket")
    REPLY = "reply", _("Suggested reply")
    ARTICLE = "article", _("Draft of an article")


class StaffText(models.Model):
    """What a model wrote for staff, with the same evidence as an answer's. Goes with what it is about."""

    kind = models.CharField(_("kind"), max_length=10, choices=StaffTextKind)
    ticket = models.ForeignKey(
        Ticket,
        verbose_name=_("ticket"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="staff_texts",
    )
    article = models.ForeignKey(
        Article,
        verbose_name=_("article"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="staff_texts",
    )
    key = models.CharField(max_length=64, blank=True)  # of all that shaped it; empty: it is not used again
    sentences = models.JSONField(
        default=list
    )  # that passed: text, quote, source (id of the message), part of a summary
    generations = models.JSONField(default=list)  # `assistant.writers.Generation`
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked for by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("text by the model for staff")
        verbose_name_plural = _("texts by the model for staff")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["ticket", "kind", "key"], name="staff_text_of_ticket")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def dropped(self) -> int:
        """Sentences that were not supported."""
        return sum(bool(one["problems"]) for part in self.generations for one in part["sentences"])


class ModelUsage(models.Model):
    """One day of the language model. `tokens` and `cost_micros` hold what is reserved for calls that are under way."""

    day = models.DateField(_("day"), unique=True)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    cached = models.PositiveIntegerField(_("answered from kept replies"), default=0)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    tokens = models.PositiveBigIntegerField(_("tokens"), default=0)
    input_tokens = models.PositiveBigIntegerField(_("tokens read"), default=0)
    output_tokens = models.PositiveBigIntegerField(_("tokens written"), default=0)
    cost_micros = models.PositiveBigIntegerField(_("cost"), default=0)  # millionths of the prices' currency
    sentences_shown = models.PositiveIntegerField(_("sentences that passed"), default=0)
    sentences_dropped = models.PositiveIntegerField(_("sentences dropped"), default=0)

    class Meta:
        verbose_name = _("day of the language model")
        verbose_name_plural = _("use of the language model")
        ordering = ["-day"]
        constraints = [
            models.CheckConstraint(condition=Q(tokens__gte=0), name="model_usage_tokens_not_negative"),
        ]

    def __str__(self) -> str:
        return str(self.day)


class ModelReply(models.Model):
    """A reply that need not be paid for again: same question, model, prompt and article revisions, as one hash."""

    key = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("kept reply")
        verbose_name_plural = _("kept replies")

    def __str__(self) -> str:
        return self.key
