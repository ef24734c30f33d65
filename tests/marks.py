"""What the live generation has of an article."""

from datetime import datetime

from knowledge.generations import live_recipe
from knowledge.models import Article, IndexMark


def indexed_at(article: Article) -> datetime | None:
    """Since when it is answerable as it is now."""
    found = Article.objects.with_index_mark(live_recipe()).get(pk=article.pk)
    moment: datetime | None = found.indexed_at  # type: ignore[attr-defined]
    return moment


def mark_indexed(article: Article, *, recipe: str, at: datetime | None = None) -> None:
    IndexMark.objects.create(
        article=article,
        recipe=recipe,
        fingerprint=article.content_fingerprint,
        edition_at=article.content_changed_at,
        indexed_at=at,
    )
