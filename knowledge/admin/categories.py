"""The tree of categories."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, ForeignKey, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from knowledge.admin.display import STYLESHEET
from knowledge.admin.fields import CategoryChoice, route_violation
from knowledge.models import Category

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _CategoryAdmin = admin.ModelAdmin[Category]
    _CategoryForm = forms.ModelForm[Category]
else:
    _CategoryAdmin = admin.ModelAdmin
    _CategoryForm = forms.ModelForm


class TreeChangeList(ChangeList):
    """Categories in the order of their tree; what is filtered away leaves no gap."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = _in_tree_order(list(self.result_list))


def _in_tree_order(categories: list[Category]) -> list[Category]:
    known = {category.pk for category in categories}
    below: dict[int | None, list[Category]] = {}
    for category in categories:
        parent = category.parent_id if category.parent_id in known else None
        below.setdefault(parent, []).append(category)
    ordered: list[Category] = []
    waiting = [(category, 0) for category in reversed(below.pop(None, []))]
    while waiting:
        category, depth = waiting.pop()
        category.depth = depth  # type: ignore[attr-defined]
        ordered.append(category)
        waiting.extend((child, depth + 1) for child in reversed(below.pop(category.pk, [])))
    # A circle of parents has no top. The form refuses it; rows from elsewhere are shown rather than lost.
    ordered.extend(category for rest in below.values() for category in rest)
    return ordered


class CategoryForm(_CategoryForm):
    class Meta:
        model = Category
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        route_violation(self, "category_slug_unique_per_language", "slug")
        return values


@admin.register(Category)
class CategoryAdmin(_CategoryAdmin):
    form = CategoryForm
    list_display = ("indented_name", "language", "article_count", "position", "slug")
    list_filter = ("language",)
    list_per_page = 500
    ordering = ("language", "position", "name")
    sortable_by = ()
    search_fields = ("name", "slug", "description")
    prepopulated_fields = {"slug": ("name",)}
    fields = ("name", "slug", "language", "parent", "description", "position")

    class Media:
        css = STYLESHEET

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return TreeChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(article_total=Count("articles"))

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: Any, **options: Any) -> Any:
        if db_field.name == "parent":
            options.setdefault("queryset", Category.objects.order_by("language", "position", "name"))
            options["form_class"] = CategoryChoice
        return super().formfield_for_foreignkey(db_field, request, **options)

    @admin.display(description=_("name"))
    def indented_name(self, category: Any) -> SafeString:
        depth = min(getattr(category, "depth", 0), 8)
        return format_html('<span class="hc-tree hc-depth-{}">{}</span>', depth, category.name)

    @admin.display(description=_("articles"))
    def article_count(self, category: Any) -> SafeString:
        address = reverse("admin:knowledge_article_changelist")
        return format_html(
            '<a href="{}?category__id__exact={}">{}</a>', address, category.pk, category.article_total
        )
