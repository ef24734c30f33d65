"""The form of an article, with the state of its index.

Shows and edits; what publishing means is decided in knowledge.services and by the gate. Never loads a model:
whether an article is answerable is read from its row and its mark in the live generation. The list of articles is
`knowledge.admin.article_list`'s.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from knowledge import generations
from knowledge.admin.advice import check_page, tell_advice
from knowledge.admin.article_list import ArticleListAdmin, receipt_as_read
from knowledge.admin.display import STYLESHEET, badge
from knowledge.admin.fields import CategoryChoice, route_violation
from knowledge.admin.writing import (
    SeenField,
    collision,
    latest_edit,
    offered_links,
    others_at_work,
    preview_page,
    take_picture,
)
from knowledge.importers.entries import MAX_LABEL_CHARACTERS, MAX_LABELS
from knowledge.models import Article, Category, Passage, Status
from knowledge.services import confirm_gone_over

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _PassageInline = admin.TabularInline[Passage, Article]
    _ArticleForm = forms.ModelForm[Article]
else:
    _PassageInline = admin.TabularInline
    _ArticleForm = forms.ModelForm


class LabelsField(forms.CharField):
    """A list of words as people write one: with commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        words = [" ".join(word.split()) for word in str(super().to_python(value) or "").split(",")]
        return list(dict.fromkeys(word for word in words if word))

    def validate(self, value: Any) -> None:
        too_long = next((word for word in value if len(word) > MAX_LABEL_CHARACTERS), None)
        if too_long or len(value) > MAX_LABELS:
            reason = _("At most %(count)d labels of at most %(length)d characters are allowed.")
            raise forms.ValidationError(reason % {"count": MAX_LABELS, "length": MAX_LABEL_CHARACTERS})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or []) != self.to_python(data))

    def run_validators(self, value: Any) -> None:
        """They are for text."""


class ArticleForm(_ArticleForm):
    labels = LabelsField(label=_("labels"), required=False, help_text=_("Words with commas between them."))

    seen = SeenField()

    class Meta:
        model = Article
        fields = "__all__"
        widgets = {"body": forms.Textarea(attrs={"rows": 28, "class": "vLargeTextField hc-markdown"})}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        latest = latest_edit(self.instance)
        if "seen" in self.fields and latest is not None:
            self.fields["seen"].initial = latest.history_id

    def clean_body(self) -> str:
        # Browsers send other line ends than imports bring: a text that is only looked at must not become another.
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        reason = collision(self.instance, values.get("seen"))
        if reason:
            self.add_error(None, reason)
            # Told once: whoever saves again has read it.
            latest = latest_edit(self.instance)
            self.data = {**self.data.dict(), self.add_prefix("seen"): str(latest.history_id)}  # type: ignore[attr-defined]
        route_violation(self, "article_slug_unique_per_language", "slug")
        route_violation(self, "article_one_translation_per_language", "translation_group")
        category = values.get("category")
        if category is not None and values.get("language") not in (None, category.language):
            self.add_error("category", _("The category belongs to another language than the article."))
        if values.get("status") == Status.PUBLISHED and self.instance.to_go_over:
            reason = _(
                "Put together from replies to customers. Say first that you have gone over it, above the form."
            )
            self.add_error("status", reason)
        reviewed_at = values.get("reviewed_at")
        if reviewed_at is not None and reviewed_at > timezone.localdate():
            self.add_error("reviewed_at", _("This day lies in the future."))
        return values


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
class ArticleAdmin(ArticleListAdmin):
    form = ArticleForm
    change_form_template = "admin/knowledge/article/change_form.html"
    inlines = [PassageInline]
    prepopulated_fields = {"slug": ("title",)}
    readonly_fields = (
        "author",
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
            {"fields": (("status", "audience"), ("language", "category"), "translation_group", "labels")},
        ),
        (_("Check"), {"fields": (("reviewed_at", "reviewed_by"),)}),
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

    def get_inlines(self, request: HttpRequest, obj: Article | None) -> Sequence[type[PassageInline]]:
        return self.inlines if obj is not None else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "category":
            options.setdefault("queryset", Category.objects.order_by("language", "position", "name"))
            options["form_class"] = CategoryChoice
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_view_on_site_url(self, obj: Article | None = None) -> str | None:
        return obj.get_absolute_url() if obj is not None and obj.status == Status.PUBLISHED else None

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        if not change:
            obj.author = request.user  # type: ignore[assignment]  # staff, never anonymous
        if "reviewed_at" in form.changed_data and "reviewed_by" not in form.changed_data:
            obj.reviewed_by = request.user if obj.reviewed_at else None  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/gone-over/", view(self.gone_over_view), name="knowledge_article_gone_over"),
            path("<int:pk>/check/", view(self.check_view), name="knowledge_article_check"),
            path("preview/", view(self.preview_view), name="knowledge_article_preview"),
            path("<int:pk>/preview/", view(self.preview_view), name="knowledge_article_preview_of"),
            path("pictures/", view(self.picture_view), name="knowledge_article_pictures"),
            path("links/", view(self.links_view), name="knowledge_article_links"),
        ]
        return own + list(super().get_urls())

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        article = get_object_or_404(Article, pk=pk)
        if not self.has_view_permission(request, article):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return check_page(request, article, context)

    def gone_over_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        article = get_object_or_404(Article.objects.defer("body"), pk=pk)
        if request.method != "POST" or not self.has_change_permission(request, article):
            raise PermissionDenied
        if confirm_gone_over(article=article):
            self.message_user(
                request, _("Noted: you have gone over it. It can be published now."), messages.SUCCESS
            )
        return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[pk]))

    def preview_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        stored = get_object_or_404(Article, pk=pk) if pk is not None else None
        if request.method != "POST" or not self._may_write(request):
            raise PermissionDenied
        return preview_page(request, stored)

    def picture_view(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or not self._may_write(request):
            raise PermissionDenied
        return take_picture(request)

    def links_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return offered_links(request)

    def _may_write(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) or self.has_change_permission(request))

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
        response: HttpResponse = super().response_add(request, obj, post_url_continue)
        return response

    def response_change(self, request: HttpRequest, obj: Article) -> HttpResponse:
        tell_advice(request, obj)
        response: HttpResponse = super().response_change(request, obj)
        return response

    @admin.display(description=_("answerable"))
    def receipt(self, article: Article) -> str | SafeString:
        receipt = receipt_as_read(article)
        if receipt.tone == "quiet":
            return receipt.sentence
        return format_html("{} {}", badge(receipt.short, receipt.tone), receipt.sentence)

    @admin.display(description=_("imported from"))
    def origin(self, article: Article) -> str:
        return f"{article.source} · {article.external_id}" if article.external_id else "–"
