"""How articles come about: changes that wait beside the live text, and who did what about an article.

Nothing here is read by the gate: customers and retrieval see the article's row alone.
"""

from typing import Any, Final

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from knowledge.models.articles import Article
from knowledge.models.categories import Category

# What an editor writes about an article, and customers notice. The attributes of its row, in the order of its form.
CONTENT: Final = (
    "title",
    "slug",
    "body",
    "language",
    "translation_group",
    "category_id",
    "audience",
    "labels",
    "unpublish_at",
    "translation_of_id",
    "translated_revision",
)


class ChangeState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("In review")
    SCHEDULED = "scheduled", _("Scheduled")


class PendingChange(models.Model):
    """The next text of an article that customers go on reading as it is. One at most; publishing it removes it."""

    article = models.OneToOneField(Article, on_delete=models.CASCADE, related_name="pending_change")
    state = models.CharField(_("state"), max_length=10, choices=ChangeState, default=ChangeState.DRAFT)
    content = models.JSONField(_("content"), encoder=DjangoJSONEncoder)  # of `CONTENT`, by name
    # The entry in the article's history that it was written from: what differs from it is the change.
    base = models.BigIntegerField(null=True)
    publish_at = models.DateTimeField(_("publish on"), null=True, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_at = models.DateTimeField(_("last change"), auto_now=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("change in preparation")
        verbose_name_plural = _("changes in preparation")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ChangeState.values), name="change_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state=ChangeState.SCHEDULED) | Q(publish_at__isnull=False),
                name="change_scheduled_has_a_date",
            ),
        ]
        indexes = [
            models.Index(
                fields=["publish_at"], condition=Q(state=ChangeState.SCHEDULED), name="change_due_online"
            )
        ]

    def __str__(self) -> str:
        return str(self.content.get("title", ""))


def content_of(row: Any) -> dict[str, Any]:
    """Of an article, or of an entry in its history."""
    return {name: getattr(row, name) for name in CONTENT}


def read_content(stored: dict[str, Any]) -> dict[str, Any]:
    """`PendingChange.content` with the types of the article's row. A category that was deleted since is left out."""
    content = {}
    for name in CONTENT:
        field: Any = Article._meta.get_field(name.removesuffix("_id"))
        value = stored.get(name, field.get_default())
        content[name] = value if name in ("labels", "category_id") else field.to_python(value)
    if content["category_id"] and not Category.objects.filter(pk=content["category_id"]).exists():
        content["category_id"] = None
    return content


class Deed(models.TextChoices):
    """What somebody, or the calendar, did with an article."""

    SUBMITTED = "submitted", _("Submitted for review")
    TAKEN_BACK = "taken_back", _("Taken back from review")
    SENT_BACK = "sent_back", _("Sent back")
    APPROVED = "approved", _("Approved")
    SCHEDULED = "scheduled", _("Scheduled")
    UNSCHEDULED = "unscheduled", _("Taken out of the schedule")
    PUBLISHED = "published", _("Published")
    CHANGED = "changed", _("Change published")
    HELD_UP = "held_up", _("Could not be published on its date")
    ARCHIVED = "archived", _("Archived")
    REOPENED = "reopened", _("Made a draft")
    DISCARDED = "discarded", _("Change discarded")
    RESTORED = "restored", _("Earlier text taken up again")


class WorkflowEntry(models.Model):
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="workflow")
    deed = models.CharField(_("step"), max_length=12, choices=Deed)
    # Nobody: the calendar, an import or a command.
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(_("date/time"), default=timezone.now)
    comment = models.TextField(_("comment"), max_length=2000, blank=True)
    digest = models.CharField(max_length=64, blank=True)  # of the content that was approved
    planned_for = models.DateTimeField(null=True)  # where the deed was to schedule

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(deed__in=Deed.values), name="log_deed_is_known"),
        ]
        indexes = [models.Index(fields=["article", "-id"], name="log_of_article")]

    def __str__(self) -> str:
        return f"{self.article_id}: {self.deed}"

    @property
    def who(self) -> str:
        """Empty: nobody in particular."""
        return self.by.get_full_name() or self.by.get_username() if self.by is not None else ""


class Autosave(models.Model):
    """What somebody is typing: in the database, so that a crash or an ended session loses nothing.

    Each window of a browser has its own, so that two of them do not overwrite each other.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # None: an article that is not stored yet.
    article = models.ForeignKey(
        Article, null=True, blank=True, on_delete=models.CASCADE, related_name="autosaves"
    )
    window = models.CharField(max_length=36)  # random, of the page that sends it
    fields = models.JSONField()  # of str: the form as it was typed, by name
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("autosaved text")
        verbose_name_plural = _("autosaved texts")
        constraints = [models.UniqueConstraint(fields=["user", "window"], name="autosave_once_a_window")]
        indexes = [models.Index(fields=["user", "article"], name="autosave_of_user")]

    def __str__(self) -> str:
        return f"{self.user_id}/{self.article_id}"


class NoticeKind(models.TextChoices):
    REVIEW_DUE = "review_due", _("Articles to be checked")
    SENT_BACK = "sent_back", _("Sent back")
    HELD_UP = "held_up", _("Could not be published on its date")


class Notice(models.Model):
    """An e-mail that is owed to an editor: written by the transaction that causes it, sent by the outbox of mails."""

    kind = models.CharField(max_length=10, choices=NoticeKind)
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    article_ids = models.JSONField(default=list)  # of int, in the order of the mail
    comment = models.TextField(blank=True)
    due_at = models.DateTimeField(
        null=True, blank=True, default=timezone.now
    )  # as `assistant.models.Mail.due_at`
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)  # of the last try
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("e-mail to an editor")
        verbose_name_plural = _("e-mails to editors")
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(due_at__isnull=True), name="notice_sent_is_not_due"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="notice_due")]

    def __str__(self) -> str:
        return self.stable_id

    @property
    def stable_id(self) -> str:
        """The same at every delivery, so that mail programs know a second one for what it is."""
        return f"notice-{self.pk}"


class ArticleTemplate(models.Model):
    """What an article of a kind begins with. Chosen when one is added; changing it changes no article."""

    name = models.CharField(_("name"), max_length=80, help_text=_("How-to, troubleshooting, release note …"))
    language = models.CharField(
        _("language"), max_length=2, choices=Article._meta.get_field("language").choices
    )
    title = models.CharField(
        _("title"), max_length=200, blank=True, help_text=_("What the title begins with.")
    )
    body = models.TextField(_("text"), help_text=_("Markdown. Use ## for headings."))
    hint = models.CharField(_("when to use it"), max_length=200, blank=True)
    labels = models.JSONField(_("labels"), default=list, blank=True)  # of str
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("template for articles")
        verbose_name_plural = _("templates for articles")
        ordering = ["language", "position", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["language", "name"],
                name="template_name_unique_per_language",
                violation_error_message=_("There is a template of this name in this language already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
