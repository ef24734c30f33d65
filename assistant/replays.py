"""What editors tried before they published it: replays of past questions, and the vectors that make them quick.

`assistant.models` imports this module, so that Django finds its models. A replay keeps what it was about, so that the
page can say whether that is still what is in the article; it holds no question's text, only the way to it.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Article, Audience, Language


class ReplayKind(models.TextChoices):
    PUBLISH = "publish", _("Publishing")
    ARCHIVE = "archive", _("Archiving")
    MERGE = "merge", _("Merging two articles")


class ReplayState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Stopped")


UNFINISHED = (ReplayState.WAITING, ReplayState.RUNNING)


class Replay(models.Model):
    """One change that is tried on past questions. `assistant.whatif.running` says how it goes on."""

    kind = models.CharField(_("change"), max_length=8, choices=ReplayKind)
    state = models.CharField(_("state"), max_length=10, choices=ReplayState, default=ReplayState.WAITING)
    withdrawn = models.ManyToManyField(Article, related_name="+")  # what would be archived
    # Of every article concerned, as it was when this was asked for: its id -> a fingerprint (`whatif.running`).
    editions = models.JSONField(default=dict)

    done = models.PositiveIntegerField(default=0)  # questions compared so far
    total = models.PositiveIntegerField(default=0)
    holder = models.CharField(max_length=32, blank=True)  # whoever runs it; another one may have taken over
    beat_at = models.DateTimeField(default=timezone.now)  # last sign of life of whoever runs it
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)

    recipe = models.CharField(max_length=64, blank=True)  # of the index that was compared
    version = models.PositiveBigIntegerField(default=0)  # and its state then
    is_quoted = models.BooleanField(default=False)  # another answer writer is set; answers are quotes instead
    counts = models.JSONField(default=dict)  # kind of difference -> questions
    judged = models.JSONField(
        default=dict
    )  # {"total", "before", "after"}: of judged questions, how many are right
    # Where other articles disagree with the text: [{"kind", "detail", "quote", "article_id", "title", "other"}].
    disagreements = models.JSONField(default=list)
    seconds = models.FloatField(null=True)  # that the comparison took
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ReplayKind.values), name="replay_kind_is_known"),
            models.CheckConstraint(condition=Q(state__in=ReplayState.values), name="replay_state_is_known"),
        ]
        indexes = [
            models.Index(
                fields=["beat_at"], condition=Q(state__in=["waiting", "running"]), name="replay_unfinished"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def different(self) -> int | None:
        """Questions that it makes a difference to; None where that is not known."""
        if self.state != ReplayState.DONE:
            return None
        counts: dict[str, int] = self.counts
        return sum(count for kind, count in counts.items() if kind != Difference.SAME)

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


class ReplayedText(models.Model):
    """What would be published: an article with the text that it would have. Several of one replay: all at once."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="texts")
    article = models.ForeignKey(
        Article, verbose_name=_("article"), on_delete=models.CASCADE, related_name="+"
    )
    title = models.CharField(_("title"), max_length=500)
    body = models.TextField(_("text"))
    language = models.CharField(_("language"), max_length=2, choices=Language)
    audience = models.CharField(_("audience"), max_length=12, choices=Audience)
    translation_group = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["replay_id", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["replay", "article"], name="replayed_text_once_an_article"),
        ]

    def __str__(self) -> str:
        return self.title


class Difference(models.TextChoices):
    """What a change does to one question, the worst first."""

    LOST = "lost", _("No longer answered")
    CHANGED = "changed", _("Another answer")
    GAINED = "gained", _("Newly answered")
    MOVED = "moved", _("Same words, cited elsewhere")
    LESS_SURE = "less_sure", _("Less sure")
    SURER = "surer", _("Surer")
    SAME = "same", _("Unchanged")


class Judged(models.TextChoices):
    """How an outcome stands against what staff have said about the question."""

    RIGHT = "right", _("Right")
    WRONG = "wrong", _("Wrong")
    MISSED = "missed", _("Should be answered")
    OPEN = "open", _("Not judged yet")  # the article that answers it is new to whoever judged


class ReplayedQuestion(models.Model):
    """A question that a change makes a difference to; of those that stay the same only the number is kept."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="questions")
    question = models.ForeignKey("assistant.Question", on_delete=models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()  # 0-based, the worst first
    kind = models.CharField(max_length=10, choices=Difference)
    times = models.PositiveIntegerField(default=1)  # that it was asked in these words
    before = models.JSONField(default=dict)  # `assistant.whatif.comparing.Outcome`, as a mapping
    after = models.JSONField(default=dict)
    judged_before = models.CharField(max_length=8, choices=Judged, blank=True)  # empty: nobody judged it
    judged_after = models.CharField(max_length=8, choices=Judged, blank=True)

    class Meta:
        ordering = ["replay_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["replay", "position"], name="replayed_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.replay_id}/{self.position}"


class QuestionVector(models.Model):
    """What the model made of a wording that a question is looked for in.

    By the digest of the wording: a question has several, alone, with what was asked before, and for each part.
    """

    question = models.ForeignKey("assistant.Question", on_delete=models.CASCADE, related_name="vectors")
    space = models.CharField(max_length=64)  # of the model: `knowledge.embeddings.Recipe.space`
    digest = models.CharField(max_length=64)  # SHA-256 of language and wording
    vector = models.BinaryField()  # float32, little endian, unit length

    class Meta:
        verbose_name = _("vector of a question")
        verbose_name_plural = _("vectors of questions")
        constraints = [
            models.UniqueConstraint(fields=["question", "space", "digest"], name="question_vector_once"),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} ({self.digest[:8]})"
