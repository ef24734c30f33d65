"""Atom feeds (RFC 4287) of what was published or changed last: one a language, one a category. Public articles only."""

from datetime import datetime
from typing import Any

from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from django.utils.translation import gettext as _

from knowledge import site
from knowledge.language import reading_language
from knowledge.markdown import plain_text
from knowledge.models import Article, ArticleQuerySet, Category
from knowledge.structured import absolute

ENTRIES = 30
_SUMMARY = 400  # characters


class LatestFeed(Feed):  # type: ignore[type-arg]  # Django's own class takes type arguments in the stubs only
    """Addresses start with SITE_URL: a request's Host header decides nothing that readers keep."""

    feed_type = Atom1Feed

    def title(self, obj: Category | None = None) -> str:
        name = site.current().display_name
        return f"{name}: {obj.name}" if obj else _("%(site)s: new and changed articles") % {"site": name}

    def link(self, obj: Category | None = None) -> str:
        return absolute(obj.get_absolute_url() if obj else reverse("home"))

    def feed_url(self, obj: Category | None = None) -> str:
        return absolute(reverse("category_feed", kwargs={"slug": obj.slug}) if obj else reverse("feed"))

    def author_name(self) -> str:
        return site.current().display_name

    def items(self, obj: Category | None = None) -> ArticleQuerySet:
        articles = Article.objects.published().visible_to(None).filter(language=reading_language())
        if obj is not None:
            articles = articles.filter(category=obj)
        return articles.select_related("category").order_by("-updated_at", "-pk")[:ENTRIES]

    def item_title(self, item: Any) -> str:
        return str(item.title)

    def item_description(self, item: Any) -> str:
        text = " ".join(plain_text(item.body).split())
        short = text if len(text) <= _SUMMARY else text[: text.rfind(" ", 0, _SUMMARY)] + " …"
        return escape(short)  # Django announces it as HTML

    def item_link(self, item: Any) -> str:
        return absolute(item.get_absolute_url())

    def item_guid(self, item: Any) -> str:
        return absolute(item.get_absolute_url())

    def item_pubdate(self, item: Any) -> datetime | None:
        return item.published_at  # type: ignore[no-any-return]

    def item_updateddate(self, item: Any) -> datetime:
        return item.updated_at  # type: ignore[no-any-return]

    def item_categories(self, item: Any) -> list[str]:
        return [item.category.name] if item.category else []


class CategoryFeed(LatestFeed):
    def get_object(self, request: HttpRequest, slug: str) -> Category:  # noqa: ARG002
        found = Category.objects.filter(language=reading_language(), slug=slug).first()
        # A category of which the public reads nothing does not exist for the public.
        if found is None or not self.items(found).exists():
            raise Http404
        return found
