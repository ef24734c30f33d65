"""sitemap.xml: the articles that everybody may read, and nothing else."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap

from knowledge.models import Article, ArticleQuerySet

# Django's own class takes no type argument at run time; the stubs' does.
if TYPE_CHECKING:
    _ArticleSitemap = Sitemap[Article]
else:
    _ArticleSitemap = Sitemap


class ArticleSitemap(_ArticleSitemap):
    """Addresses start with SITE_URL: a request's Host header decides nothing that is cached elsewhere."""

    def __init__(self) -> None:
        self.protocol = urlsplit(settings.SITE_URL).scheme

    def items(self) -> ArticleQuerySet:
        return (
            Article.objects.published().visible_to(None).only("language", "slug", "updated_at").order_by("pk")
        )

    def lastmod(self, item: Article) -> datetime:
        return item.updated_at

    def get_domain(self, site: Any = None) -> str:  # noqa: ARG002
        return str(urlsplit(settings.SITE_URL).netloc)


SITEMAPS = {"articles": ArticleSitemap}
