"""What the index holds: a mark for each article and generation, the generations, and when all was last compared."""

from django.db import models
from django.db.models import OuterRef, Q
from django.utils.translation import gettext_lazy as _


class IndexMark(models.Model):
    """This edition of the article is in that generation: its passages in the database, their ids in the index.

    Made when the index has taken them, never before. A later edition makes it void without touching it.
    """

    article = models.ForeignKey(
        "knowledge.Article", on_delete=models.CASCADE, related_name="index_marks", db_index=False
    )
    recipe = models.CharField(max_length=64)  # of the generation
    fingerprint = models.CharField(max_length=64)  # the article's `content_fingerprint` then
    edition_at = models.DateTimeField()  # and its `content_changed_at`
    indexed_at = models.DateTimeField(
        null=True
    )  # answerable since; None: not published, so the index has none

    class Meta:
        verbose_name = _("index mark")
        verbose_name_plural = _("index marks")
        constraints = [models.UniqueConstraint(fields=["article", "recipe"], name="index_mark_unique")]
        # Holds all that `stale` compares.
        indexes = [
            models.Index(fields=["article", "recipe", "fingerprint", "edition_at"], name="index_mark_outbox")
        ]

    def __str__(self) -> str:
        return f"{self.article_id} ({self.recipe[:8]})"


class GenerationState(models.TextChoices):
    BUILDING = "building", _("Being built")
    LIVE = "live", _("Live")
    RETIRED = "retired", _("Retired")  # or given up half-built: nothing is written to it any more


class Generation(models.Model):
    """All passages of one recipe. Questions are answered from the live one, and from that alone.

    `knowledge.generations` says how one follows another.
    """

    recipe = models.CharField(max_length=64, unique=True)
    model = models.CharField(max_length=500, blank=True)  # value of EMBEDDING_MODEL that loads its embedder
    space = models.CharField(max_length=64, blank=True)  # which embedder that has to be; empty: not recorded
    embedder = models.CharField(max_length=200)  # what a person would call the model
    state = models.CharField(max_length=10, choices=GenerationState)
    # Moves with every change of its passages: in-memory indexes compare it.
    version = models.PositiveBigIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)  # why it cannot be finished, as last seen
    started_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True, blank=True)  # a process is building it
    verified_at = models.DateTimeField(null=True, blank=True)  # nothing missing, canaries found
    live_at = models.DateTimeField(null=True, blank=True)  # since when; None: it never was
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("generation of the index")
        verbose_name_plural = _("generations of the index")
        constraints = [
            # One is live, and one at most is being built.
            models.UniqueConstraint(
                fields=["state"], condition=~Q(state="retired"), name="generation_one_of_each_state"
            ),
            models.CheckConstraint(
                condition=Q(state__in=GenerationState.values), name="generation_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.embedder} ({self.recipe[:8]})"


class Checkup(models.Model):
    """When the index was last compared with the database, and what its canaries said. One row at most."""

    at = models.DateTimeField()
    canaries_at = models.DateTimeField(null=True)  # passages were last asked to find themselves
    checked = models.PositiveIntegerField(default=0)  # of them then
    failed = models.PositiveIntegerField(default=0)  # after everything that could be mended was

    def __str__(self) -> str:
        return self.at.isoformat(timespec="seconds")


def marks_of_now(recipe: str) -> models.QuerySet[IndexMark]:
    """Of each article in a query the mark that is of its edition of now."""
    return IndexMark.objects.filter(
        recipe=recipe,
        article=OuterRef("pk"),
        fingerprint=OuterRef("content_fingerprint"),
        edition_at=OuterRef("content_changed_at"),
    )
