"""The front page: the box, what customers need most, the topics, and what has changed."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from assistant.popularity import popular_articles
from knowledge import catalogue, site, structured
from knowledge.language import reading_language
from knowledge.models import Article, Language

POPULAR = 6
RECENT = 5
UNCATEGORISED = 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    language = reading_language()
    readable = Article.objects.published().visible_to(request.user).filter(language=language).defer("body")
    recent = list(readable.select_related("category").order_by("-updated_at", "-pk")[:RECENT])
    context = {
        "entries": catalogue.category_entries(language=language, user=request.user),
        "popular": popular_articles(request.user, limit=POPULAR),
        "recent": recent,
        "uncategorised": readable.filter(category__isnull=True).order_by("-updated_at", "pk")[:UNCATEGORISED],
        "alternates": {code: f"/{code}/" for code in Language.values},
        "x_default": "/",
        "feed": reverse("feed"),
        "structured": [
            structured.site_node(
                site.current().display_name, language=language, home=reverse("home"), search=reverse("search")
            )
        ],
    }
    return render(request, "knowledge/home.html", context)
