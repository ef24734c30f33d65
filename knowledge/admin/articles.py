"""Articles with the state of their index.

Shows and edits; what publishing means is decided in knowledge.workflow and by the gate. Never loads a model:
whether an article is answerable is read from its row and its mark in the live generation.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from knowledge import generations
from knowledge.admin import autosave, translation
from knowledge.admin.advice import tell_advice
from knowledge.admin.article_form import ArticleForm
from knowledge.admin.article_list import ArticleListAdmin, receipt_as_read
from knowledge.admin.article_pages import ArticlePages, signed_in
from knowledge.admin.article_templates import offered_templates, template_initial
from knowledge.admin.desk import (
    buttons_for,
    lay_over,
    pressed,
    standing_of,
    take_pressed,
    tell_kept,
)
from knowledge.admin.display import STYLESHEET, badge
from knowledge.admin.fields import CategoryChoice
from knowledge.admin.writing import (
    others_at_work,
)
from knowledge.changes import keep
from knowledge.models import (
    Article,
    Category,
    Passage,
    Status,
)
from knowledge.translating import mark_up_to_date
from knowledge.workflow import Step

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _PassageInline = admin.TabularInline[Passage, Article]
else:
    _PassageInline = admin.TabularInline


class PassageInline(_PassageInline):
    """What the article is searched by, to look at. Vectors are numbers and stay in the database."""

    model = Passage
    verbose_name_plural = _("Passages: what questions find")
    fields = ("headings", "quoted", "offsets")
    readonly_fields = fields
    classes = ("collapse",)
    can_delete = False
    extra = max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Passage]:
        return Passage.objects.as_written().filter(recipe=generations.live_recipe()).defer("vector")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("headings"))
    def headings(self, passage: Passage) -> str:
        return " › ".join(passage.heading_path) or "–"

    @admin.display(description=_("text"))
    def quoted(self, passage: Passage) -> SafeString:
        return format_html('<div class="hc-verbatim">{}</div>', passage.text)

    @admin.display(description=_("characters"))
    def offsets(self, passage: Passage) -> str:
        return f"{passage.start}–{passage.end}"


@admin.register(Article)
class ArticleAdmin(ArticlePages, ArticleListAdmin):
    form = ArticleForm
    change_form_template = "admin/knowledge/article/change_form.html"
    inlines = [PassageInline]
    prepopulated_fields = {"slug": ("title",)}
    readonly_fields = (
        "author",
        "source_of_translation",
        "receipt",
        "revision",
        "created_at",
        "updated_at",
        "published_at",
        "origin",
    )
    fieldsets = (
        (None, {"fields": ("title", "slug", "body", "seen")}),
        (
            _("Who reads it"),
            {"fields": (("audience", "category"), ("language", "translation_group"), "labels")},
        ),
        (_("Translation"), {"fields": ("source_of_translation", "up_to_date")}),
        (
            _("Dates and check"),
            {
                "fields": (("publish_at", "unpublish_at"), ("reviewed_at", "reviewed_by"), "review_by"),
                "classes": ("collapse",),
            },
        ),
        (
            _("Record"),
            {
                "fields": (
                    "receipt",
                    ("revision", "author"),
                    ("created_at", "updated_at", "published_at"),
                    "origin",
                )
            },
        ),
    )
    save_on_top = True

    class Media:
        css = STYLESHEET
        js = ("admin_helpcenter/editor.js",)

    def get_inlines(self, request: HttpRequest, obj: Article | None) -> list[type[Any]]:
        return self.inlines if obj is not None else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "category":
            options.setdefault("queryset", Category.objects.order_by("language", "position", "name"))
            options["form_class"] = CategoryChoice
        elif db_field.name == "reviewed_by":  # customers have accounts as well
            options.setdefault("queryset", User.objects.filter(is_staff=True).order_by("username"))
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Article | None:
        """Into its form goes what is worked on: the change in preparation, or a text that was never saved."""
        found: Article | None = super().get_object(request, object_id, from_field)
        if found is None or not _is_form(request):
            return found
        return autosave.lay_over(request, lay_over(found), signed_in(request))

    def get_fieldsets(self, request: HttpRequest, obj: Article | None = None) -> Any:
        twin = translation.beside(obj) if obj is not None else None
        shown = []
        for name, options in super().get_fieldsets(request, obj):
            fields = options["fields"]
            if "source_of_translation" in fields and twin is None:
                continue
            if "source_of_translation" in fields and twin is not None and twin.is_translation_of_this:
                options = {**options, "fields": ("source_of_translation",)}
            if "review_by" in fields and obj is not None and _has_dates(obj):
                options = {**options, "classes": ()}
            shown.append((name, options))
        return shown

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return {**initial, **template_initial(request), **autosave.initial_of(request, signed_in(request))}

    def get_view_on_site_url(self, obj: Article | None = None) -> str | None:
        if obj is None or not obj.is_online():
            return None
        return str(getattr(obj, "on_site", obj.get_absolute_url()))

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        user = signed_in(request)
        if "reviewed_at" in form.changed_data and "reviewed_by" not in form.changed_data:
            obj.reviewed_by = user if obj.reviewed_at else None
        if form.cleaned_data.get("up_to_date"):
            mark_up_to_date(obj)
        if change:
            kept = keep(
                edited=obj,
                by=user,
                may_publish=self.has_publish_permission(request),
                is_publishing=pressed(request) is Step.PUBLISH and self.has_publish_permission(request),
            )
            tell_kept(request, kept, is_online=obj.is_online())
        else:
            obj.author, obj.status = user, Status.DRAFT
            super().save_model(request, obj, form, change)
        autosave.forget(request, user)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, **options: Any
    ) -> Any:
        obj, user = options.get("obj"), signed_in(request)
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        context.update(
            buttons=buttons_for(obj, user) if may_write else [],
            standing=standing_of(obj, user) if obj is not None else None,
            beside=translation.beside(obj) if obj is not None else None,
            missing=translation.missing(obj) if obj is not None else [],
            offers=autosave.offers(request, obj, user),
            taken_window=autosave.taken_window(request, user),
            templates=offered_templates() if obj is None else [],
        )
        return super().render_change_form(request, context, *arguments, **options)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        article = self.get_object(request, object_id)
        if article is not None and request.method == "GET":
            warning = others_at_work(article, request.user)  # type: ignore[arg-type]  # staff, never anonymous
            if warning:
                self.message_user(request, warning, messages.WARNING)
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        return response

    def response_add(
        self, request: HttpRequest, obj: Article, post_url_continue: str | None = None
    ) -> HttpResponse:
        tell_advice(request, obj)
        response = take_pressed(request, obj, signed_in(request))
        return response or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Article) -> HttpResponse:
        tell_advice(request, obj)
        response = take_pressed(request, obj, signed_in(request))
        return response or super().response_change(request, obj)

    @admin.display(description=_("answerable"))
    def receipt(self, article: Article) -> str | SafeString:
        receipt = receipt_as_read(article)
        if receipt.tone == "quiet":
            return receipt.sentence
        return format_html("{} {}", badge(receipt.short, receipt.tone), receipt.sentence)

    @admin.display(description=_("imported from"))
    def origin(self, article: Article) -> str:
        return f"{article.source} · {article.external_id}" if article.external_id else "–"

    @admin.display(description=_("other language"))
    def source_of_translation(self, article: Article) -> str | SafeString:
        twin = translation.beside(article)
        if twin is None:
            return "–"
        address = reverse("admin:knowledge_article_change", args=[twin.source.pk])
        return format_html('<a href="{}">{}</a> ({})', address, twin.source.title, twin.language)


def _has_dates(article: Article) -> bool:
    return any((article.publish_at, article.unpublish_at, article.review_by))


def _is_form(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.url_name == "knowledge_article_change"
