"""What people and measurements say about answers: judgements, calibrations, evaluation runs.

`assistant.models` imports this module, so that Django finds its models. Rows of the past stay: a calibration that was
replaced and an evaluation that was repeated are how anybody sees whether things get better.
"""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Article, Language


class Verdict(models.TextChoices):
    RIGHT = "right", _("Right")
    INCOMPLETE = "incomplete", _("Incomplete")  # the right article, but something is missing
    WRONG = "wrong", _("Wrong")
    ARTICLE = "article", _("An article answers it")  # nothing was answered, though it could have been
    NO_ARTICLE = "no_article", _("No article answers it")


class LabelSource(models.TextChoices):
    STAFF = "staff", _("Judged by staff")
    TICKET = "ticket", _("Ticket solved with an article")


class LabelQuerySet(models.QuerySet["Label"]):
    def not_right(self) -> Self:
        """What was answered is not right; where nothing was, the best article is none that answers the question."""
        from assistant.models import ConsideredPassage

        named = Label.articles.through.objects.filter(label=OuterRef(OuterRef("pk")))
        best_is_right = ConsideredPassage.objects.filter(
            question=OuterRef("question"), rank=1, article__in=named.values("article")
        )
        is_answered = Q(question__status="answered")
        return self.filter(
            (is_answered & ~Q(verdict=Verdict.RIGHT)) | (~is_answered & ~Exists(best_is_right))
        )


class Label(models.Model):
    """What staff say about a question: one row a question, the last word counts.

    `articles` answer it. Empty: none does, or, where the answer is wrong, nobody has said which.
    """

    question = models.OneToOneField("assistant.Question", on_delete=models.CASCADE, related_name="label")
    verdict = models.CharField(_("judgement"), max_length=12, choices=Verdict)
    articles = models.ManyToManyField(
        Article, verbose_name=_("articles that answer it"), blank=True, related_name="+"
    )
    source = models.CharField(_("source"), max_length=8, choices=LabelSource, default=LabelSource.STAFF)
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("judged by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    judged_at = models.DateTimeField(_("judged"), default=timezone.now, db_index=True)

    objects = LabelQuerySet.as_manager()

    class Meta:
        verbose_name = _("judgement")
        verbose_name_plural = _("judgements")
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=Verdict.values), name="label_verdict_is_known")
        ]

    def __str__(self) -> str:
        return str(self.get_verdict_display())


class CalibrationState(models.TextChoices):
    RUNNING = "running", _("Running")
    PROPOSED = "proposed", _("Waits to be confirmed")
    LIVE = "live", _("In force")
    RETIRED = "retired", _("Replaced")
    REFUSED = "refused", _("Nothing can be promised")
    FAILED = "failed", _("Failed")
    DISCARDED = "discarded", _("Discarded")


class Calibration(models.Model):
    """A threshold, what it promises, and what it was found on. At most one is in force.

    It holds for one recipe, one answer writer and one confidence model: beside another it is not looked at.
    """

    state = models.CharField(
        _("state"), max_length=10, choices=CalibrationState, default=CalibrationState.RUNNING
    )
    source = models.CharField(_("labels"), max_length=200)  # a file's name, or this site's own
    recipe = models.CharField(_("recipe"), max_length=64, blank=True)
    writer = models.CharField(_("answer writer"), max_length=120)
    model = models.CharField(_("confidence model"), max_length=64)  # fingerprint
    max_risk = models.FloatField(_("highest risk"))  # 0..1, share wrong among the answered
    confidence = models.FloatField(_("certainty of the promise"))  # 0..1, 1 − δ
    hidden_share = models.FloatField(
        _("near misses"), default=0
    )  # 0..1 of the questions had their gold hidden
    threshold = models.FloatField(_("threshold"), null=True, blank=True)  # 0..1, on the model's own scale
    # Platt's two numbers on the log-odds of the model's score; null: shown as the model gives it.
    slope = models.FloatField(null=True, blank=True)
    intercept = models.FloatField(null=True, blank=True)
    labelled = models.PositiveIntegerField(_("labelled questions"), default=0)
    answered = models.PositiveIntegerField(_("answered"), default=0)
    wrong = models.PositiveIntegerField(_("wrong"), default=0)  # of the answered
    report = models.JSONField(_("report"), default=dict, blank=True)  # before and after
    done = models.PositiveIntegerField(default=0)  # questions asked so far
    total = models.PositiveIntegerField(default=0)
    beat_at = models.DateTimeField(default=timezone.now)  # last sign of life of whoever runs it
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    live_at = models.DateTimeField(_("in force since"), null=True, blank=True)

    class Meta:
        verbose_name = _("calibration")
        verbose_name_plural = _("calibrations")
        ordering = ["-created_at", "-pk"]
        permissions = [
            ("view_quality", "Can see the quality page"),
            ("recalibrate", "Can calibrate and change the threshold"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=CalibrationState.LIVE), name="calibration_one_is_live"
            ),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=CalibrationState.RUNNING), name="calibration_one_runs"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["live", "proposed"]) | Q(threshold__gte=0, threshold__lte=1),
                name="calibration_in_force_has_a_threshold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}, {timezone.localtime(self.created_at):%Y-%m-%d}"


class EvaluationRun(models.Model):
    """One run of `evaluate --store`: its figures, and below it each question with its outcome."""

    name = models.CharField(_("question set"), max_length=200)
    articles = models.CharField(_("articles"), max_length=8)  # all | own | other
    hide_gold = models.BooleanField(_("gold hidden"), default=False)
    recipe = models.CharField(_("recipe"), max_length=64, blank=True)
    calibration = models.CharField(_("calibration"), max_length=200, blank=True)
    threshold = models.FloatField(_("threshold"))  # 0..1
    figures = models.JSONField(_("figures"), default=dict)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class EvaluatedQuestion(models.Model):
    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="questions")
    key = models.CharField(_("id"), max_length=200)  # as the file names it
    text = models.TextField(_("question"))
    language = models.CharField(_("language"), max_length=2, choices=Language)
    category = models.CharField(_("category"), max_length=200, blank=True)  # of the first gold article
    score = models.FloatField(_("confidence"))  # 0..1
    is_answerable = models.BooleanField(_("answerable"))
    is_answered = models.BooleanField(_("answered"))
    is_right = models.BooleanField(
        _("right")
    )  # the first citation; where nothing was answered, the best article
    rank = models.PositiveIntegerField(_("rank of the right article"), null=True)  # 1-based; null: not found
    reason = models.CharField(_("reason"), max_length=20, blank=True)  # why a person gets it
    elapsed_ms = models.FloatField(_("elapsed (ms)"))

    class Meta:
        verbose_name = _("evaluated question")
        verbose_name_plural = _("evaluated questions")
        ordering = ["run_id", "-score", "pk"]
        indexes = [models.Index(fields=["run", "score"], name="evaluated_by_score")]

    def __str__(self) -> str:
        return self.text[:80]
