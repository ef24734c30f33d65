"""What many customers meet at the same time."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.models import Article


class KnownProblem(models.Model):
    """One cause behind several tickets: each stays its customer's own, and they can be told together."""

    title = models.CharField(_("title"), max_length=200)
    workaround = models.TextField(_("what helps meanwhile"), max_length=5000, blank=True)
    article = models.ForeignKey(
        Article,
        verbose_name=_("article"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Where customers read about it."),
    )
    is_open = models.BooleanField(_("not solved yet"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("known problem")
        verbose_name_plural = _("known problems")
        ordering = ["-is_open", "-created_at"]

    def __str__(self) -> str:
        return self.title
