"""Autosave as the form of an article meets it: one address that takes what is typed, and what was left is offered."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from knowledge import autosaves
from knowledge.admin.writing import edit_token
from knowledge.models import Article, Autosave, Category


@dataclass(frozen=True)
class Offer:
    saved: Autosave
    is_behind: bool  # somebody has saved the article since this was typed


def take_autosave(request: HttpRequest, article: Article | None, user: User) -> HttpResponse:
    """`{"saved": "14:02"}`, or `{"error": …}` with 400. `drop` throws a text away and leads back."""
    if "drop" in request.POST:
        autosaves.forget(user=user, window=request.POST["drop"])
        name = "admin:knowledge_article_change" if article else "admin:knowledge_article_add"
        return HttpResponseRedirect(reverse(name, args=[article.pk] if article else []))
    window = request.POST.get("window", "")
    fields = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    try:
        saved = autosaves.autosave(user=user, article=article, window=window, fields=fields)
    except ValueError:
        return JsonResponse({"error": _("This text cannot be kept: it is too long.")}, status=400)
    return JsonResponse({"saved": formats.date_format(timezone.localtime(saved.saved_at), "TIME_FORMAT")})


def offers(request: HttpRequest, article: Article | None, user: User) -> list[Offer]:
    """What this person typed and did not save, but what the form shows anyway."""
    if request.method != "GET" or "autosave" in request.GET:
        return []
    token = edit_token(article) if article is not None else ""
    found = autosaves.offered(user=user, article=article)
    return [
        Offer(one, bool(token) and one.fields.get("seen", token) != token)
        for one in found
        if article is None or not _says_the_same(one, article)
    ]


def lay_over(request: HttpRequest, article: Article, user: User) -> Article:
    """With what was typed on top, where its writer asked for it back (`?autosave=…`)."""
    found = _asked_for(request, article, user)
    if found is None:
        return article
    for name in ("title", "slug", "body", "language", "translation_group", "audience"):
        setattr(article, name, found.fields.get(name, getattr(article, name)))
    category = found.fields.get("category", "")
    if category.isdecimal() and Category.objects.filter(pk=category).exists():
        article.category_id = int(category)
    article.labels = [word.strip() for word in found.fields.get("labels", "").split(",") if word.strip()]
    article.seen_then = found.fields.get("seen", "")  # type: ignore[attr-defined]
    return article


def initial_of(request: HttpRequest, user: User) -> dict[str, Any]:
    """The same for an article that is not stored yet."""
    found = _asked_for(request, None, user)
    fields: dict[str, Any] = dict(found.fields) if found is not None else {}
    return fields


def taken_window(request: HttpRequest, user: User) -> str:
    """Of the text that was taken back, so that saving it forgets it."""
    if request.method == "POST":
        return request.POST.get("taken", "")
    key = request.GET.get("autosave", "")
    found = Autosave.objects.filter(pk=key, user=user).first() if key.isdecimal() else None
    return found.window if found is not None else ""


def forget(request: HttpRequest, user: User) -> None:
    """It is saved."""
    for name in ("window", "taken"):
        if request.POST.get(name):
            autosaves.forget(user=user, window=request.POST[name])


def _asked_for(request: HttpRequest, article: Article | None, user: User) -> Autosave | None:
    key = request.GET.get("autosave", "")
    if request.method != "GET" or not key.isdecimal():
        return None
    return Autosave.objects.filter(pk=key, user=user, article=article).first()


def _says_the_same(saved: Autosave, article: Article) -> bool:
    names = ("title", "slug", "body", "language", "translation_group", "audience")
    return all(saved.fields.get(name, getattr(article, name)) == getattr(article, name) for name in names)
