"""Which articles customers need most: those that answers cite, and those that readers call helpful.

Counted anew every few minutes in each process; who may read which of them is asked on every page.
"""

from collections import Counter
from datetime import timedelta
from typing import Final

from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from assistant.models import Citation
from knowledge.language import reading_language
from knowledge.models import Article, Reader
from knowledge.votes import ArticleVote

_PERIOD: Final = timedelta(days=90)
_RECOUNTED_AFTER: Final = 300  # seconds
_KEPT: Final = 50


def popular_articles(reader: Reader, *, limit: int) -> list[Article]:
    """In the language that is read, as far as `reader` may see them, most needed first."""
    most_needed = popular_article_ids()
    if not most_needed:
        return []
    readable = Article.objects.published().visible_to(reader).filter(language=reading_language())
    found = readable.defer("body").in_bulk(most_needed)
    return [found[key] for key in most_needed if key in found][:limit]


def popular_article_ids() -> list[int]:
    """Most needed first. An article counts once for each question that it answered, and as its readers vote."""
    key = "assistant.popular_article_ids"
    known: list[int] | None = cache.get(key)
    if known is None:
        known = _counted()
        cache.set(key, known, _RECOUNTED_AFTER)
    return known


def _counted() -> list[int]:
    since = timezone.now() - _PERIOD
    cited = Citation.objects.filter(answer__created_at__gte=since, article__isnull=False).order_by()
    points = Counter(dict(cited.values_list("article_id").annotate(Count("answer", distinct=True))))
    for article_id, is_helpful, votes in (
        ArticleVote.objects.filter(voted_at__gte=since)
        .order_by()
        .values_list("article_id", "is_helpful")
        .annotate(Count("pk"))
    ):
        points[article_id] += votes if is_helpful else -votes
    return [article_id for article_id, count in points.most_common(_KEPT) if count > 0]
