"""Articles with the state of their index.

Shows and edits; what publishing means is decided in knowledge.services and by the gate. Never loads a model:
whether an article is answerable is read from its row and its mark in the live generation.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from knowledge import generations
from knowledge.admin.advice import check_page, tell_advice
from knowledge.admin.display import STYLESHEET, badge, is_changelist, short_moment, two_lines
from knowledge.admin.fields import CategoryChoice, route_violation
from knowledge.admin.index_notes import index_notes
from knowledge.admin.merging import MergeAdmin
from knowledge.admin.receipt import Indexed, Receipt, receipt_of
from knowledge.admin.writing import (
    SeenField,
    collision,
    latest_edit,
    offered_links,
    others_at_work,
    preview_page,
    take_picture,
)
from knowledge.embeddings import EmbedderUnavailable, current_recipe
from knowledge.importers.entries import MAX_LABEL_CHARACTERS, MAX_LABELS
from knowledge.models import Article, ArticleQuerySet, Category, Generation, Passage, Status
from knowledge.outbox import Standing, in_standing
from knowledge.services import archive_article, index_again, make_draft, mark_reviewed, publish_article
from knowledge.votes import ArticleVote

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _PassageInline = admin.TabularInline[Passage, Article]
    _ArticleForm = forms.ModelForm[Article]
else:
    _PassageInline = admin.TabularInline
    _ArticleForm = forms.ModelForm

_STATUS_TONES = {
    Status.DRAFT: "quiet",
    Status.IN_REVIEW: "notice",
    Status.PUBLISHED: "good",
    Status.ARCHIVED: "quiet",
}


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
        reviewed_at = values.get("reviewed_at")
        if reviewed_at is not None and reviewed_at > timezone.localdate():
            self.add_error("reviewed_at", _("This day lies in the future."))
        return values


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
        return queryset.filter(chosen)


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
class ArticleAdmin(MergeAdmin):
    form = ArticleForm
    change_list_template = "admin/knowledge/article/change_list.html"
    change_form_template = "admin/knowledge/article/change_form.html"
    inlines = [PassageInline]
    list_display = (
        "titled",
        "status_badge",
        "index_state",
        "audience",
        "languages",
        "helpfulness",
        "revision",
        "changed",
    )
    list_filter = (
        "status",
        IndexStateFilter,
        "audience",
        "language",
        ("category", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("title", "slug", "body", "external_id")
    search_help_text = _("Title, slug, text or external id")
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
    actions = ("publish", "archive", "make_draft", "mark_reviewed", "try_again", "try_archiving", "merge")
    save_on_top = True

    class Media:
        css = STYLESHEET
        js = ("admin_helpcenter/editor.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        twin = (
            Article.objects.exclude(translation_group="")
            .filter(translation_group=OuterRef("translation_group"))
            .exclude(pk=OuterRef("pk"))
        )
        live = generations.live()
        stored: ArticleQuerySet = super().get_queryset(request)
        articles: QuerySet[Article] = stored.with_index_mark(live.recipe if live else "").annotate(
            has_model=Value(_has_model(live)),
            twin_id=Subquery(twin.values("pk")[:1]),
            twin_language=Subquery(twin.values("language")[:1]),
            yes_votes=_votes(is_helpful=True),
            no_votes=_votes(is_helpful=False),
        )
        return articles.defer("body") if is_changelist(request) else articles

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

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "index_notes": index_notes()}
        )
        return response

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, article: Article) -> SafeString:
        return badge(article.get_status_display(), _STATUS_TONES[Status(article.status)])

    @admin.display(description=_("answerable"), ordering="indexed_at")
    def index_state(self, article: Article) -> SafeString:
        receipt = _receipt(article)
        if receipt.tone == "quiet":
            return format_html('<span class="hc-quiet">{}</span>', receipt.short)
        return badge(receipt.short, receipt.tone, receipt.sentence)

    @admin.display(description=_("answerable"))
    def receipt(self, article: Article) -> str | SafeString:
        receipt = _receipt(article)
        if receipt.tone == "quiet":
            return receipt.sentence
        return format_html("{} {}", badge(receipt.short, receipt.tone), receipt.sentence)

    @admin.display(description=_("helpful"), ordering="no_votes")
    def helpfulness(self, article: Any) -> str | SafeString:
        """Readers' votes; the fewest words that say what to look at."""
        total = article.yes_votes + article.no_votes
        if not total:
            return "–"
        title = _("%(yes)d of %(total)d readers found it helpful") % {
            "yes": article.yes_votes,
            "total": total,
        }
        tone = "bad" if article.no_votes > article.yes_votes else "quiet"
        return badge(f"{article.yes_votes} / {total}", tone, title)

    @admin.display(description=_("title"), ordering="title")
    def titled(self, article: Article) -> SafeString:
        return two_lines(article.title, article.category.name if article.category else "")

    @admin.display(description=_("languages"), ordering="language")
    def languages(self, article: Any) -> str | SafeString:
        """Its own, and the one it is translated into."""
        if article.twin_id is None:
            return str(article.language.upper())
        address = reverse("admin:knowledge_article_change", args=[article.twin_id])
        return format_html(
            '<span class="hc-nowrap">{} · <a href="{}" title="{}">{}</a></span>',
            article.language.upper(),
            address,
            _("Translation"),
            article.twin_language.upper(),
        )

    @admin.display(description=_("last change"), ordering="updated_at")
    def changed(self, article: Article) -> SafeString:
        return short_moment(article.updated_at)

    @admin.display(description=_("imported from"))
    def origin(self, article: Article) -> str:
        return f"{article.source} · {article.external_id}" if article.external_id else "–"

    @admin.action(description=_("Publish selected articles"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._apply(request, queryset, publish_article)

    @admin.action(description=_("Archive selected articles"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._apply(request, queryset, archive_article)

    @admin.action(description=_("Turn selected articles into drafts"), permissions=["change"])
    def make_draft(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._apply(request, queryset, make_draft)

    @admin.action(description=_("Mark selected articles as checked today"), permissions=["change"])
    def mark_reviewed(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        assert isinstance(request.user, User)  # staff, never anonymous
        self._apply(request, queryset, partial(mark_reviewed, by=request.user))

    @admin.action(description=_("Try again to index selected articles"), permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        tried = index_again(articles=queryset)
        if tried:
            message = ngettext(
                "%(count)d article is tried again.", "%(count)d articles are tried again.", tried
            ) % {"count": tried}
            self.message_user(request, message, messages.SUCCESS)
        else:
            self.message_user(request, _("Nothing has failed with these articles."), messages.INFO)

    def _apply(self, request: HttpRequest, queryset: QuerySet[Article], service: Callable[..., bool]) -> None:
        changed = sum(service(article=article) for article in queryset)
        self.message_user(
            request,
            ngettext("%(count)d article was changed.", "%(count)d articles were changed.", changed)
            % {"count": changed},
            messages.SUCCESS if changed else messages.INFO,
        )


def _votes(*, is_helpful: bool) -> Coalesce:
    """Of each article in a query, in one number."""
    cast = ArticleVote.objects.filter(article=OuterRef("pk"), is_helpful=is_helpful).order_by()
    return Coalesce(Subquery(cast.values("article").annotate(total=Count("pk")).values("total")), 0)


def _receipt(article: Any) -> Receipt:
    """Of an article as `get_queryset` reads it, or of one that is not stored yet."""
    is_indexed = getattr(article, "is_indexed", False)
    return receipt_of(
        article,
        indexed=Indexed(article.indexed_at) if is_indexed else None,
        has_model=getattr(article, "has_model", True),
        now=timezone.now(),
    )


def _has_model(live: Generation | None) -> bool:
    if live is not None:
        return not generations.trouble_of(live)
    try:
        current_recipe()
    except EmbedderUnavailable:
        return False
    return True
