"""What help-center readers wanted and did not get: gaps, the questions in them, and the runs that find them.

`assistant.models` imports this module, so that Django finds its models. How a gap is found is `assistant.gaps`'.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Article, Language


class Trouble(models.TextChoices):
    """Why a question counts; one may have several."""

    DECLINED = "declined", _("not answered")
    WRONG = "wrong", _("marked wrong by staff")
    NOT_HELPFUL = "not_helpful", _("voted not helpful")
    ASKED_AGAIN = "asked_again", _("asked again")
    TICKET = "ticket", _("ticket after the answer")


class GapState(models.TextChoices):
    OPEN = "open", _("Open")
    SET_ASIDE = "set_aside", _("Set aside")
    ANSWERED = "answered", _("Answered by now")


class Gap(models.Model):
    """Questions that mean the same, and what is known about why they were not answered well."""

    state = models.CharField(_("state"), max_length=10, choices=GapState, default=GapState.OPEN)
    language = models.CharField(_("language"), max_length=2, choices=Language)
    title = models.CharField(_("title"), max_length=300)  # the question in its middle
    size = models.PositiveIntegerField(_("questions"))
    recent = models.PositiveIntegerField(_("in the last 30 days"))
    before = models.PositiveIntegerField(_("in the 30 days before"))
    troubles = models.JSONField(_("what went wrong"), default=dict)  # {Trouble: questions}
    # Published, and first among what was considered for most of the questions.
    nearest = models.ForeignKey(
        Article, verbose_name=_("nearest article"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    nearest_for = models.PositiveIntegerField(default=0)  # questions for which it came first
    confidence = models.FloatField(_("mean confidence"), null=True)  # 0..1, of its questions
    threshold = models.FloatField(_("threshold"), null=True)  # 0..1, when they were asked
    missing_words = models.JSONField(default=list)  # of the questions, that the nearest article has not
    draft = models.ForeignKey(
        Article, verbose_name=_("draft"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)  # why it was set aside
    answered_by = models.ForeignKey(
        Article, verbose_name=_("answered by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    settled_at = models.DateTimeField(_("since"), null=True, blank=True)  # set aside, or found to be answered
    checked_at = models.DateTimeField(null=True)  # its questions were last asked again
    created_at = models.DateTimeField(_("found"), default=timezone.now)

    class Meta:
        verbose_name = _("gap")
        verbose_name_plural = _("gaps")
        ordering = ["-recent", "-size", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=GapState.values), name="gap_state_is_known")
        ]
        indexes = [models.Index(fields=["state", "-recent", "-size"], name="gap_list")]

    def __str__(self) -> str:
        return self.title


class GapQuestion(models.Model):
    """A question is in one gap at most."""

    gap = models.ForeignKey(Gap, on_delete=models.CASCADE, related_name="members")
    question = models.OneToOneField("assistant.Question", on_delete=models.CASCADE, related_name="gap_member")
    troubles = models.JSONField(default=list)  # of Trouble
    nearness = models.FloatField()  # -1..1, mean cosine to the gap's questions

    class Meta:
        verbose_name = _("question of a gap")
        verbose_name_plural = _("questions of gaps")
        indexes = [models.Index(fields=["gap", "-nearness"], name="gap_question_order")]

    def __str__(self) -> str:
        return f"{self.question_id} in {self.gap_id}"


class RefreshState(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class GapRefresh(models.Model):
    """One run that groups anew. At most one at a time; the last few are kept."""

    state = models.CharField(max_length=8, choices=RefreshState, default=RefreshState.RUNNING)
    questions = models.PositiveIntegerField(default=0)  # that were not answered well
    gaps = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)  # steps so far
    total = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    beat_at = models.DateTimeField(default=timezone.now)  # last sign of life of whoever runs it
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="running"), name="gap_refresh_one_runs"
            )
        ]

    def __str__(self) -> str:
        return f"{self.state}, {self.started_at:%Y-%m-%d %H:%M}"
