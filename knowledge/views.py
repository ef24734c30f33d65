"""Pages to read: category and article.

Views parse, ask `knowledge.catalogue`, and render. Whatever is not published, or not meant for this reader, is a 404
from the moment the change is committed. What exists in the other language only is a 404 that says so and leads there.
"""

import uuid
from datetime import date, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from knowledge import catalogue, site, structured
from knowledge.language import reading_language
from knowledge.links import LinkSource, link_resolver
from knowledge.markdown import heading_anchors, plain_text, render_markdown
from knowledge.models import Article, Audience, Category, Language, Reader
from knowledge.quoting import PARAMETER, QuoteLink, find_quote
from knowledge.viewing import is_reader, note_view
from knowledge.votes import vote, vote_of

DESCRIPTION_LENGTH = 155  # characters, what result pages of search engines show
TOC_LEVELS = (2, 3)
TOC_MINIMUM = 3  # headings; fewer are seen at a glance
OLD_AFTER = timedelta(days=365)
VOTER = "voter"  # in the session: a random number, so that a vote can be changed


@require_safe
def category(request: HttpRequest, slug: str) -> HttpResponse:
    language = reading_language()
    found = Category.objects.filter(language=language, slug=slug).select_related("parent__parent").first()
    if found is None:
        return _category_in_another_language(request, slug)
    articles = (
        Article.objects.published()
        .visible_to(request.user)
        .filter(category=found, language=language)
        .defer("body")
    )
    children = catalogue.category_entries(language=language, user=request.user, parent=found)
    if not articles and not children:
        raise Http404
    alternates = {language: found.get_absolute_url()}
    for code in Language.values:
        other = code != language and catalogue.counterpart_of(found, language=code, user=request.user)
        if other:
            alternates[code] = other.get_absolute_url()
    trail = catalogue.ancestors(found)[:-1]
    context = {
        "category": found,
        "trail": trail,
        "articles": articles,
        "children": children,
        "alternates": alternates,
        "feed": reverse("category_feed", kwargs={"slug": slug}),
        "structured": [
            structured.breadcrumb_node(
                (_("Help center"), reverse("home")), trail, (found.name, found.get_absolute_url())
            ),
            structured.list_node(
                found.name,
                [one for one in articles if one.audience == Audience.PUBLIC],
                language=language,
                url=found.get_absolute_url(),
            ),
        ],
    }
    return render(request, "knowledge/category.html", context)


@require_safe
def article(request: HttpRequest, slug: str) -> HttpResponse:
    language = reading_language()
    found = _readable(request.user, slug, language)
    if found is None:
        return _article_in_another_language(request, slug)
    all_headings = heading_anchors(found.body)
    headings = [heading for heading in all_headings if heading.level in TOC_LEVELS]
    resolve = link_resolver(found.body, language=language, user=request.user, stands_in=LinkSource.of(found))
    link = QuoteLink.read(request.GET.get(PARAMETER, ""))
    quoted = find_quote(found, link, headings=all_headings, resolve_link=resolve) if link else None
    body = quoted.body if quoted is not None else None
    translations = catalogue.translations_of(found, user=request.user)
    alternates = {language: found.get_absolute_url()} | {
        code: other.get_absolute_url() for code, other in translations.items()
    }
    trail = catalogue.ancestors(found.category)
    description = _shortened(plain_text(found.body), DESCRIPTION_LENGTH)
    context = {
        "article": found,
        "body": body or render_markdown(found.body, resolve_link=resolve, language=language),
        "is_quoted": body is not None,
        "lost_quote": quoted if body is None else None,
        "headings": headings if len(headings) >= TOC_MINIMUM else [],
        "trail": trail,
        "related": catalogue.related_articles(found, user=request.user),
        "alternates": alternates,
        "description": description,
        "is_old": _last_looked_at(found) < timezone.localdate() - OLD_AFTER,
        "is_helpful": vote_of(found, str(request.session.get(VOTER, ""))),
    }
    if found.audience == Audience.PUBLIC:
        publisher = site.current().display_name
        context["structured"] = [
            structured.article_node(
                found, description=description, publisher=publisher, translations=list(translations.values())
            ),
            structured.breadcrumb_node(
                (_("Help center"), reverse("home")), trail, (found.title, found.get_absolute_url())
            ),
        ]
    if is_reader(request):
        note_view(found)
    return render(request, "knowledge/article.html", context)


@require_POST
def vote_on_article(request: HttpRequest, slug: str) -> HttpResponse:
    """Yes or no from this browser; the last word counts."""
    found = _readable(request.user, slug, reading_language())
    if found is None:
        raise Http404
    said = request.POST.get("helpful")
    if said in ("yes", "no"):
        voter = str(request.session.setdefault(VOTER, uuid.uuid4().hex))
        vote(article=found, voter=voter, is_helpful=said == "yes")
    return redirect(f"{found.get_absolute_url()}#vote")


def _readable(user: Reader, slug: str, language: str) -> Article | None:
    visible = Article.objects.published().visible_to(user)
    return visible.filter(language=language, slug=slug).select_related("category__parent__parent").first()


def _last_looked_at(found: Article) -> date:
    changed = timezone.localtime(found.updated_at).date()
    return max(changed, found.reviewed_at) if found.reviewed_at else changed


def _article_in_another_language(request: HttpRequest, slug: str) -> HttpResponse:
    """A slug of the other language, or of an article that was merged: to where it leads, or to a word why not."""
    language = reading_language()
    found = Article.objects.published().visible_to(request.user).filter(slug=slug).first()
    if found is None:
        found = catalogue.successor_of(slug, language=language, user=request.user)
        if found is None:
            raise Http404
        if found.language == language:
            return redirect(found)
    translation = catalogue.translations_of(found, user=request.user).get(reading_language())
    return redirect(translation) if translation is not None else _only_elsewhere(request, found, found.title)


def _category_in_another_language(request: HttpRequest, slug: str) -> HttpResponse:
    found = Category.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    counterpart = catalogue.counterpart_of(found, language=reading_language(), user=request.user)
    if counterpart is not None:
        return redirect(counterpart)
    if not catalogue.is_readable(found, user=request.user):
        raise Http404
    return _only_elsewhere(request, found, found.name)


def _only_elsewhere(request: HttpRequest, found: Article | Category, name: str) -> HttpResponse:
    """Nobody is sent to another language unasked: that would look as if the switch did not work."""
    address = found.get_absolute_url()
    context = {
        "is_article": isinstance(found, Article),
        "name": name,
        "other": found.language,
        "address": address,
        "alternates": {found.language: address},
    }
    return render(request, "knowledge/only_elsewhere.html", context, status=404)


def _shortened(text: str, length: int) -> str:
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    return line[: line.rfind(" ", 0, length)].rstrip(",;:–") + " …"
