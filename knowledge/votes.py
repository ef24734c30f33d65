"""Readers' word on an article: did it help? Counted, changeable, and nobody's in particular.

A vote belongs to a random number that the reader's session holds; nothing says whose session that was.
"""

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from knowledge.models import Article


class ArticleVote(models.Model):
    article = models.ForeignKey(
        "knowledge.Article", on_delete=models.CASCADE, related_name="votes", db_index=False
    )
    voter = models.CharField(max_length=32)  # random, from the reader's session
    is_helpful = models.BooleanField(_("helpful"))
    revision = models.PositiveIntegerField()  # of the article that was read
    voted_at = models.DateTimeField(_("voted"), auto_now=True)

    class Meta:
        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        constraints = [
            models.UniqueConstraint(fields=["article", "voter"], name="article_vote_once_per_voter")
        ]
        indexes = [models.Index(fields=["article", "is_helpful"], name="article_vote_counts")]

    def __str__(self) -> str:
        return f"{self.article_id}: {'+' if self.is_helpful else '−'}"


def vote(*, article: "Article", voter: str, is_helpful: bool) -> ArticleVote:
    """Stores it, or changes the voter's earlier one. Safe to repeat."""
    cast, _is_new = ArticleVote.objects.update_or_create(
        article=article, voter=voter, defaults={"is_helpful": is_helpful, "revision": article.revision}
    )
    return cast


def vote_of(article: "Article", voter: str) -> bool | None:
    """What this voter said; None: nothing yet."""
    if not voter:
        return None
    return (
        ArticleVote.objects.filter(article=article, voter=voter).values_list("is_helpful", flat=True).first()
    )
