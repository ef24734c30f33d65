"""What the list of articles can be narrowed to, beyond the columns of a row."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge import generations
from knowledge.models import Article, ChangeState, Status
from knowledge.outbox import Standing, in_standing
from knowledge.votes import ArticleVote


class IndexStateFilter(admin.SimpleListFilter):
    title = _("index state")
    parameter_name = "index"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            (Standing.ANSWERABLE, _("Answerable")),
            (Standing.WAITING, _("Waiting")),
            (Standing.FAILED, _("Failed, tried again by itself")),
            (Standing.GIVEN_UP, _("Given up")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        if self.value() not in {standing for standing, _label in self.lookup_choices}:
            return None
        standing, recipe = Standing(str(self.value())), generations.live_recipe()
        chosen = in_standing(standing, recipe=recipe)
        if standing is Standing.WAITING:
            chosen |= in_standing(Standing.IN_HAND, recipe=recipe)
        if standing is Standing.ANSWERABLE:  # what is scheduled is in the index as well
            chosen &= Q(pk__in=Article.objects.published().values("pk"))
        return queryset.filter(chosen)


class ToDoFilter(admin.SimpleListFilter):
    """What waits for somebody."""

    title = _("open task")
    parameter_name = "to_do"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("in_review", _("In review")),
            ("change", _("Change in preparation")),
            ("scheduled", _("Scheduled")),
            ("review_due", _("To be checked")),
            ("translation", _("Translation behind its source")),
            ("to_go_over", _("From replies, not gone over yet")),
            ("never", _("Never checked")),
            ("old", _("Not checked for a year")),
            ("untranslated", _("Without a translation")),
            ("unhelpful", _("More readers say no than yes")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        articles = Article.objects.all()
        match self.value():
            case "in_review":
                chosen = Q(status=Status.IN_REVIEW) | Q(pending_change__state=ChangeState.IN_REVIEW)
            case "change":
                chosen = Q(pending_change__isnull=False)
            case "scheduled":
                waits = Q(pk__in=articles.scheduled().values("pk"))
                chosen = waits | Q(pending_change__state=ChangeState.SCHEDULED)
            case "review_due":
                chosen = Q(pk__in=articles.review_due(timezone.localdate()).values("pk"))
            case "translation":
                chosen = Q(pk__in=articles.with_old_translation().values("pk"))
            case "to_go_over":
                chosen = Q(to_go_over=True)
            case "never":
                chosen = Q(reviewed_at=None, status=Status.PUBLISHED)
            case "old":
                before = timezone.localdate() - timedelta(days=365)
                chosen = Q(reviewed_at__lt=before, status=Status.PUBLISHED)
            case "untranslated":
                chosen = ~Exists(translations()) & Q(status=Status.PUBLISHED)
            case "unhelpful":
                votes = (
                    ArticleVote.objects.order_by()
                    .values("article")
                    .annotate(
                        yes=Count("pk", filter=Q(is_helpful=True)), no=Count("pk", filter=Q(is_helpful=False))
                    )
                )
                chosen = Q(pk__in=[one["article"] for one in votes if one["no"] > one["yes"]])
            case _:
                return None
        return queryset.filter(chosen)


def translations() -> QuerySet[Article]:
    """Those of each article in a query."""
    return (
        Article.objects.exclude(translation_group="")
        .filter(translation_group=OuterRef("translation_group"))
        .exclude(pk=OuterRef("pk"))
    )
