"""The page of an article's figures in the admin: how it fares, and who asked what."""

from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from assistant.admin.story import meter_of
from assistant.article_figures import answered_from, figures_of, near_misses, not_right, with_ticket
from assistant.models import Question
from knowledge import generations
from knowledge.admin.article_list import receipt_as_read
from knowledge.models import Article

_A_PAGE: Final = 25


@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perms(("knowledge.view_article", "assistant.view_question")):
        raise PermissionDenied
    articles = Article.objects.with_index_mark(generations.live_recipe())
    article = get_object_or_404(articles.select_related("category", "reviewed_by").defer("body"), pk=pk)
    shown = request.GET.get("show", "")
    shown = shown if shown in _SHOWN else "answered"
    questions = _questions(article, shown).select_related("user", "feedback", "ticket", "label")
    within = Paginator(
        questions.defer("confidence_signals", "ticket__detail", "feedback__comment").order_by(
            "-created_at", "-pk"
        ),
        _A_PAGE,
    ).get_page(request.GET.get("p"))
    now = timezone.now()
    return TemplateResponse(
        request,
        "admin/knowledge/article/figures.html",
        {
            **admin.site.each_context(request),
            "title": _("Figures of “%(title)s”") % {"title": article.title},
            "opts": Article._meta,
            "article": article,
            "figures": figures_of(article, now),
            "receipt": receipt_as_read(article),
            "age_days": (now - article.created_at).days,
            "within": within,
            "rows": [(question, meter_of(question)) for question in within.object_list],
            "shown": shown,
            "tabs": [(key, words, key == shown) for key, words in _SHOWN.items()],
        },
    )


_SHOWN: Final[dict[str, Any]] = {
    "answered": gettext_lazy("Answered from it"),
    "tickets": gettext_lazy("Answered from it, and yet a ticket"),
    "unhelpful": gettext_lazy("Not helpful, or not right"),
    "near": gettext_lazy("It came nearest, and was not enough"),
}

PAGES = (("<int:pk>/figures/", page, "article_figures"),)


def _questions(article: Article, shown: str) -> QuerySet[Question]:
    match shown:
        case "tickets":
            return answered_from(article).filter(with_ticket())
        case "unhelpful":
            return answered_from(article).filter(Q(feedback__helpful=False) | not_right())
        case "near":
            return near_misses(article)
    return answered_from(article)
