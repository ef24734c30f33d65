"""The record of imports, from the upload to the way back."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ImportState(models.TextChoices):
    PREVIEWED = "previewed", _("Waiting to be confirmed")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Stopped by an error")  # what it had written was taken back
    UNDONE = "undone", _("Undone")
    PARTLY_UNDONE = "partly_undone", _("Partly undone")


class ImportRun(models.Model):
    """One import that wrote, or is about to write, articles. `knowledge.importers.runs` says how it goes on."""

    source = models.CharField(_("source"), max_length=120)
    file_name = models.CharField(_("file"), max_length=255, blank=True)  # of an upload; empty: a command
    format = models.CharField(_("format"), max_length=12, blank=True)
    state = models.CharField(_("state"), max_length=14, choices=ImportState, default=ImportState.RUNNING)
    publish = models.BooleanField(_("publish what is new"), default=False)
    language = models.CharField(
        max_length=2, blank=True
    )  # of entries that name none; empty: told from the text
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("imported by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    # Counts and problems as `knowledge.importers.runs.report_as_json` writes them; of the preview until it ran.
    report = models.JSONField(default=dict)
    categories = models.JSONField(default=list)  # ids of the categories that it made, outermost first

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ImportState.values), name="import_run_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name or self.source


class ImportUpload(models.Model):
    """The file that waits to be confirmed: in the database, because whoever imports it may be another machine."""

    run = models.OneToOneField(ImportRun, on_delete=models.CASCADE, related_name="upload")
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.run_id}"


class ImportChange(models.Model):
    """What a run did to one article, with the two entries of its history that an undo goes by."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="changes")
    article_id = models.BigIntegerField()  # no key: it outlives the article
    title = models.CharField(max_length=500)
    is_new = models.BooleanField()
    before = models.BigIntegerField(null=True)  # history id; None: new, or nothing was recorded
    after = models.BigIntegerField()  # history id
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "article_id"], name="import_change_once_a_run"),
        ]

    def __str__(self) -> str:
        return self.title
