"""What the form of an article needs besides saving: preview, pictures, links, and notice of other editors.

Works without a script: the preview opens in a window of its own, and the rest is convenience.
"""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from knowledge import catalogue
from knowledge.links import LinkSource, link_resolver
from knowledge.markdown import heading_anchors, render_markdown
from knowledge.media import MAX_PICTURE_BYTES, BadPicture, read_picture, store_picture
from knowledge.models import Article, Audience, Category, Language, PendingChange, Reader

MAX_OFFERED: Final = 12  # articles in the picker of links
_TOC_LEVELS: Final = (2, 3)
_TOC_MINIMUM: Final = 3  # headings
_MAX_TITLE: Final = 500  # characters


# --- preview -------------------------------------------------------------------------------------------


def preview_page(request: HttpRequest, stored: Article | None) -> HttpResponse:
    """The page as customers would see it, from what is in the form. Nothing is stored."""
    draft = _draft(request, stored)
    with translation.override(draft.language):
        resolve = link_resolver(
            draft.body,
            language=draft.language,
            user=_reader_of(draft, request),
            stands_in=LinkSource.of(draft),
        )
        headings = [heading for heading in heading_anchors(draft.body) if heading.level in _TOC_LEVELS]
        response = TemplateResponse(
            request,
            "admin/knowledge/article/preview.html",
            {
                "article": draft,
                "body": render_markdown(draft.body, resolve_link=resolve, language=draft.language),
                "headings": headings if len(headings) >= _TOC_MINIMUM else [],
                "trail": catalogue.ancestors(draft.category),
                "alternates": {},
                "missing_languages": [],
                "is_quoted": False,
            },
        )
        return response.render()


def _reader_of(draft: Article, request: HttpRequest) -> Reader:
    """The least of those whom it is for: a link that they cannot follow is none in their page either."""
    match Audience(draft.audience):
        case Audience.PUBLIC:
            return None
        case Audience.SIGNED_IN:
            return User()
        case Audience.INTERNAL:
            return request.user


def _draft(request: HttpRequest, stored: Article | None) -> Article:
    language = request.POST.get("language", "")
    audience = request.POST.get("audience", "")
    category = request.POST.get("category", "")
    return Article(
        title=request.POST.get("title", "")[:_MAX_TITLE] or _("Without a title"),
        slug="preview",
        body=request.POST.get("body", ""),
        language=language if language in Language.values else Language.GERMAN,
        audience=audience if audience in Audience.values else Audience.PUBLIC,
        category=Category.objects.filter(pk=category).first() if category.isdecimal() else None,
        source=stored.source if stored else "",
        external_id=stored.external_id if stored else "",
        source_url=stored.source_url if stored else "",
        updated_at=timezone.now(),
        reviewed_at=stored.reviewed_at if stored else None,
    )


# --- pictures ------------------------------------------------------------------------------------------


def take_picture(request: HttpRequest) -> JsonResponse:
    """`{"address": …}`, or `{"error": …}` with 400: a sentence for the editor."""
    file = request.FILES.get("picture")
    if file is None:
        return JsonResponse({"error": _("Choose a picture.")}, status=400)
    if (file.size or 0) > MAX_PICTURE_BYTES:
        reason = _("the picture has %(found).1f MB; at most %(limit)d MB are allowed.")
        values = {"found": (file.size or 0) / 1024 / 1024, "limit": MAX_PICTURE_BYTES // 1024 // 1024}
        return JsonResponse({"error": reason % values}, status=400)
    try:
        picture = read_picture(file.read())
    except BadPicture as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"address": store_picture(picture)})


# --- links ---------------------------------------------------------------------------------------------


def offered_links(request: HttpRequest) -> JsonResponse:
    """Articles whose title holds the words, each with the address that a link in a text takes."""
    articles = Article.objects.exclude(status="archived").order_by("title")
    for word in request.GET.get("q", "").split()[:6]:
        articles = articles.filter(title__icontains=word)
    language = request.GET.get("language", "")
    if language in Language.values:
        articles = articles.filter(language=language)
    found = articles.only("title", "language", "slug", "status", "translation_group")[:MAX_OFFERED]
    return JsonResponse(
        {
            "articles": [
                {
                    "title": article.title,
                    "status": article.get_status_display(),
                    # By its group where it has one: such a link leads every reader to their own language.
                    "href": f"article:{article.translation_group}"
                    if _can_be_a_key(article.translation_group)
                    else article.get_absolute_url(),
                }
                for article in found
            ]
        }
    )


def _can_be_a_key(group: str) -> bool:
    return bool(group) and not any(char in group for char in " ()<>#%")


# --- other editors -------------------------------------------------------------------------------------


def latest_edit(article: Article) -> Any:
    """The last entry of its history, or of its change in preparation; None for a new one."""
    if not article.pk:
        return None
    entries = [
        article.history.order_by("-history_id").first(),
        PendingChange.history.filter(article_id=article.pk, history_type__in="+~")
        .order_by("-history_id")
        .first(),
    ]
    return max(filter(None, entries), key=lambda entry: entry.history_date, default=None)


def edit_token(article: Article) -> str:
    """Which state of the article, and of the change to it, a form was filled from."""
    if not article.pk:
        return ""
    of_article = article.history.order_by("-history_id").values_list("history_id", flat=True).first()
    changes = PendingChange.history.filter(article_id=article.pk).order_by("-history_id")
    of_change = changes.values_list("history_id", flat=True).first()
    return f"{of_article or ''}/{of_change}" if of_change else str(of_article or "")


def collision(article: Article, seen: str) -> str:
    """Why saving would overwrite somebody's work; empty where it would not."""
    if not seen or edit_token(article) == seen:
        return ""
    latest = latest_edit(article)
    if latest is None:
        return ""
    who = latest.history_user or _("An import or a command")
    when = formats.date_format(timezone.localtime(latest.history_date), "TIME_FORMAT")
    return _(
        "%(who)s saved this article at %(when)s, after you had opened it. Your text is still here. Compare it with the "
        "history in another window; if you save again, yours replaces it."
    ) % {"who": who, "when": when}


def others_at_work(article: Article, user: AbstractBaseUser) -> str:
    """A word of warning where somebody else saved it a moment ago."""
    latest = latest_edit(article)
    if latest is None or latest.history_user is None or latest.history_user == user:
        return ""
    if timezone.now() - latest.history_date > timedelta(minutes=10):
        return ""
    return _("%(who)s has just worked on this article (%(when)s). Better ask before you change it.") % {
        "who": latest.history_user,
        "when": formats.date_format(timezone.localtime(latest.history_date), "TIME_FORMAT"),
    }


class SeenField(forms.CharField):
    """Which edit the form was filled from; goes along unseen."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput, max_length=60)
