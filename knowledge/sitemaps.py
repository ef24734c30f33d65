"""sitemap.xml: what everybody may read, each page with its other languages, and nothing else."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.urls import reverse
from django.utils import translation

from knowledge.models import Article, ArticleQuerySet, Category, Language
from knowledge.structured import absolute

# Django's own class takes no type argument at run time; the stubs' does.
if TYPE_CHECKING:
    _ArticleSitemap = Sitemap[Article]
    _CategorySitemap = Sitemap[Category]
    _PageSitemap = Sitemap[str]
else:
    _ArticleSitemap = _CategorySitemap = _PageSitemap = Sitemap


class _UnderSiteUrl:
    """Addresses start with SITE_URL: a request's Host header decides nothing that is cached elsewhere."""

    def __init__(self) -> None:
        self.protocol = urlsplit(settings.SITE_URL).scheme

    def get_domain(self, site: Any = None) -> str:  # noqa: ARG002
        return str(urlsplit(settings.SITE_URL).netloc)


class ArticleSitemap(_UnderSiteUrl, _ArticleSitemap):
    def items(self) -> ArticleQuerySet:
        fields = ("language", "slug", "updated_at", "translation_group")
        return Article.objects.published().visible_to(None).only(*fields).order_by("pk")

    def lastmod(self, item: Article) -> datetime:
        return item.updated_at

    def get_urls(
        self, page: int | str = 1, site: Any = None, protocol: str | None = None
    ) -> list[dict[str, Any]]:
        urls: list[dict[str, Any]] = super().get_urls(page, site, protocol)
        groups = {url["item"].translation_group for url in urls} - {""}
        public = Article.objects.published().visible_to(None).filter(translation_group__in=groups)
        siblings: dict[str, list[Article]] = {}
        for article in public.only("language", "slug", "translation_group").order_by("language"):
            siblings.setdefault(article.translation_group, []).append(article)
        for url in urls:
            group = siblings.get(url["item"].translation_group, [])
            url["alternates"] = [
                {"location": absolute(one.get_absolute_url()), "lang_code": one.language}
                for one in group
                if len(group) > 1
            ]
        return urls


class CategorySitemap(_UnderSiteUrl, _CategorySitemap):
    def items(self) -> list[Category]:
        held = Article.objects.published().visible_to(None).values("category_id")
        return list(Category.objects.filter(pk__in=held).order_by("pk"))


class PageSitemap(_UnderSiteUrl, _PageSitemap):
    """One page of the site itself, in each language."""

    def __init__(self, name: str, *, without_language: str = "") -> None:
        """Of a named address without parts; the path that leads to the visitor's own language, if there is one."""
        super().__init__()
        self._name, self._without_language = name, without_language

    def items(self) -> list[str]:
        return list(Language.values)

    def location(self, item: str) -> str:
        with translation.override(item):
            return reverse(self._name)

    def get_urls(
        self, page: int | str = 1, site: Any = None, protocol: str | None = None
    ) -> list[dict[str, Any]]:
        urls: list[dict[str, Any]] = super().get_urls(page, site, protocol)
        alternates = [{"location": absolute(self.location(code)), "lang_code": code} for code in self.items()]
        if self._without_language:
            alternates.append({"location": absolute(self._without_language), "lang_code": "x-default"})
        for url in urls:
            url["alternates"] = alternates
        return urls


SITEMAPS: dict[str, Any] = {
    "home": PageSitemap("home", without_language="/"),
    "categories": CategorySitemap,
    "articles": ArticleSitemap,
}
