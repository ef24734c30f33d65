"""What is left of a ticket when it is solved: what it teaches, and whether its customer was content."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assistant.models.tickets import Ticket
from knowledge.models import Article


class LessonKind(models.TextChoices):
    ARTICLE = "article", _("An article answered it")
    ASSISTANT = "assistant", _("The assistant should have answered")
    MISSING = "missing", _("An article is missing")
    WRONG = "wrong", _("An article is wrong or incomplete")


FOR_EDITORS = (LessonKind.MISSING, LessonKind.WRONG)


class Lesson(models.Model):
    """What an agent says when a ticket is solved: one row a ticket, the last word counts (`assistant.desk.lessons`)."""

    ticket = models.OneToOneField(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="lesson"
    )
    kind = models.CharField(_("lesson"), max_length=10, choices=LessonKind)
    article = models.ForeignKey(
        Article, verbose_name=_("article"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    text = models.TextField(_("what is missing or wrong"), max_length=2000, blank=True)
    taught_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    taught_at = models.DateTimeField(_("said"), auto_now=True)
    is_done = models.BooleanField(_("done"), default=False, help_text=_("The articles say it now."))

    class Meta:
        verbose_name = _("lesson from a ticket")
        verbose_name_plural = _("lessons from tickets")
        ordering = ["is_done", "-taught_at"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=LessonKind.values), name="lesson_kind_is_known")
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class Rating(models.Model):
    """Whether the customer was content with how a ticket was settled: one row a ticket, the last word counts."""

    ticket = models.OneToOneField(
        Ticket, verbose_name=_("ticket"), on_delete=models.CASCADE, related_name="rating"
    )
    is_content = models.BooleanField(_("content"))
    comment = models.TextField(_("comment"), max_length=1000, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last change"), auto_now=True)

    class Meta:
        verbose_name = _("rating of a ticket")
        verbose_name_plural = _("ratings of tickets")

    def __str__(self) -> str:
        return "content" if self.is_content else "not content"
