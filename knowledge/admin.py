"""The editors' desk: articles with the state of their index, and the tree of categories.

Shows and edits; what publishing means is decided in knowledge.services and by the gate. Never loads a model:
whether an article is answerable is read from its row and the current recipe's fingerprint.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, F, ForeignKey, OuterRef, Q, QuerySet, Subquery, UniqueConstraint
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from simple_history.admin import SimpleHistoryAdmin

from knowledge.embeddings import EmbedderUnavailable, current_recipe
from knowledge.models import Article, Category, Passage, Status
from knowledge.services import archive_article, make_draft, publish_article

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _CategoryAdmin = admin.ModelAdmin[Category]
    _PassageInline = admin.TabularInline[Passage, Article]
    _ArticleForm = forms.ModelForm[Article]
    _CategoryForm = forms.ModelForm[Category]
    _CategoryChoice = forms.ModelChoiceField[Category]
else:
    _CategoryAdmin = admin.ModelAdmin
    _PassageInline = admin.TabularInline
    _ArticleForm = _CategoryForm = forms.ModelForm
    _CategoryChoice = forms.ModelChoiceField

_STYLESHEET = {"all": ["admin_helpcenter/admin.css"]}
_STATUS_TONES = {
    Status.DRAFT: "quiet",
    Status.IN_REVIEW: "notice",
    Status.PUBLISHED: "good",
    Status.ARCHIVED: "quiet",
}


def badge(text: Any, tone: str, title: Any = "") -> SafeString:
    return format_html('<span class="hc-badge hc-{}" title="{}">{}</span>', tone, title, text)


def recipe_fingerprint() -> str | None:
    """Of the vectors the settings ask for; None where the configured model is not there at all."""
    try:
        return current_recipe().fingerprint
    except EmbedderUnavailable:
        return None


def route_violation(form: "forms.BaseModelForm[Any]", constraint_name: str, field: str) -> None:
    """Says at `field` what the form page would otherwise say above everything, and says it once."""
    instance = form.instance
    constraint = next(one for one in instance._meta.constraints if one.name == constraint_name)
    assert isinstance(constraint, UniqueConstraint)
    values = {name: form.cleaned_data.get(name) for name in constraint.fields}
    taken = type(instance)._default_manager.filter(**values).exclude(pk=instance.pk)
    if constraint.condition is not None:
        taken = taken.filter(constraint.condition)
    if None not in values.values() and taken.exists():
        form.add_error(field, constraint.get_violation_error_message())


class CategoryChoice(_CategoryChoice):
    """Categories of both languages carry alike names."""

    def label_from_instance(self, obj: Category) -> str:
        return f"{obj.language.upper()} · {obj.name}"


class ArticleForm(_ArticleForm):
    class Meta:
        model = Article
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets decide
        widgets = {"body": forms.Textarea(attrs={"rows": 28, "class": "vLargeTextField hc-markdown"})}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        route_violation(self, "article_slug_unique_per_language", "slug")
        route_violation(self, "article_one_translation_per_language", "translation_group")
        category = values.get("category")
        if category is not None and values.get("language") not in (None, category.language):
            self.add_error("category", _("The category belongs to another language than the article."))
        return values


class IndexStateFilter(admin.SimpleListFilter):
    title = _("index state")
    parameter_name = "index"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("ready", _("Answerable")), ("waiting", _("Waiting")), ("error", _("Error"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        published = Q(status=Status.PUBLISHED)
        fresh = Q(content_fingerprint=F("indexed_fingerprint"), indexed_recipe=recipe_fingerprint() or "")
        match self.value():
            case "ready":
                return queryset.filter(published, fresh)
            case "waiting":
                return queryset.filter(published, index_error="").exclude(fresh)
            case "error":
                return queryset.filter(published).exclude(index_error="").exclude(fresh)
        return None


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
        passages = super().get_queryset(request).filter(revision=F("article__revision")).defer("vector")
        recipe = recipe_fingerprint()
        return passages.filter(recipe=recipe) if recipe else passages

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
class ArticleAdmin(SimpleHistoryAdmin):  # type: ignore[misc]  # simple_history has no types
    form = ArticleForm
    inlines = [PassageInline]
    list_display = (
        "title",
        "status_badge",
        "index_state",
        "audience",
        "language",
        "translation",
        "category",
        "revision",
        "updated_at",
    )
    list_filter = ("status", IndexStateFilter, "audience", "language", ("category", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("title", "slug", "body", "external_id")
    search_help_text = _("Title, slug, text or external id")
    date_hierarchy = "updated_at"
    prepopulated_fields = {"slug": ("title",)}
    readonly_fields = ("author", "index_state", "revision", "created_at", "updated_at", "published_at", "origin")
    fieldsets = (
        (None, {"fields": ("title", "slug", "body")}),
        (_("Who reads it"), {"fields": (("status", "audience"), ("language", "category"), "translation_group")}),
        (
            _("Record"),
            {"fields": ("index_state", ("revision", "author"), ("created_at", "updated_at", "published_at"), "origin")},
        ),
    )
    actions = ("publish", "archive", "make_draft")
    history_list_display = ("revision",)
    save_on_top = True

    class Media:
        css = _STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        twin = (
            Article.objects.exclude(translation_group="")
            .filter(translation_group=OuterRef("translation_group"))
            .exclude(pk=OuterRef("pk"))
        )
        articles: QuerySet[Article] = super().get_queryset(request)
        articles = articles.annotate(
            twin_id=Subquery(twin.values("pk")[:1]), twin_language=Subquery(twin.values("language")[:1])
        )
        is_list = request.resolver_match is not None and request.resolver_match.url_name.endswith("_changelist")
        return articles.defer("body") if is_list else articles

    def get_inlines(self, request: HttpRequest, obj: Article | None) -> Sequence[type[admin.TabularInline]]:
        return self.inlines if obj is not None else []

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "category":
            options.setdefault("queryset", Category.objects.order_by("language", "position", "name"))
            options["form_class"] = CategoryChoice
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_view_on_site_url(self, obj: Article | None = None) -> str | None:
        return obj.get_absolute_url() if obj is not None and obj.status == Status.PUBLISHED else None

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        if not change:
            obj.author = request.user  # type: ignore[assignment]  # staff, never anonymous
        else:
            # An old revision that is brought back becomes a new one: numbers never go backwards, because
            # citations and passages point at them.
            stored = Article.objects.only("revision", "content_fingerprint").get(pk=obj.pk)
            obj.revision, obj.content_fingerprint = stored.revision, stored.content_fingerprint
        super().save_model(request, obj, form, change)

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, article: Article) -> SafeString:
        return badge(article.get_status_display(), _STATUS_TONES[Status(article.status)])

    @admin.display(description=_("index"), ordering="indexed_at")
    def index_state(self, article: Article) -> str | SafeString:
        if article.pk is None or article.status != Status.PUBLISHED:
            return badge(_("not published"), "quiet")
        recipe = recipe_fingerprint()
        if recipe is None:
            return badge(_("no model"), "bad", _("The configured embedding model is missing."))
        if not article.is_stale(recipe):
            since = timezone.localtime(article.indexed_at) if article.indexed_at else None
            return badge(
                _("answerable"),
                "good",
                _("Answerable since %(moment)s")
                % {"moment": formats.date_format(since, "SHORT_DATETIME_FORMAT") if since else "–"},
            )
        if article.index_error:
            return badge(_("error"), "bad", article.index_error)
        return badge(_("waiting"), "notice", _("Changed since it was last indexed"))

    @admin.display(description=_("translation"))
    def translation(self, article: Any) -> str | SafeString:
        if article.twin_id is None:
            return "–"
        address = reverse("admin:knowledge_article_change", args=[article.twin_id])
        return format_html('<a href="{}">{}</a>', address, article.twin_language.upper())

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

    def _apply(
        self, request: HttpRequest, queryset: QuerySet[Article], service: Callable[..., bool]
    ) -> None:
        articles = list(queryset.only("pk"))
        changed = sum(service(article=article) for article in articles)
        self.message_user(
            request,
            ngettext("%(count)d article was changed.", "%(count)d articles were changed.", changed)
            % {"count": changed},
            messages.SUCCESS if changed else messages.INFO,
        )


class TreeChangeList(ChangeList):
    """Categories in the order of their tree; what is filtered away leaves no gap."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = _in_tree_order(list(self.result_list))  # type: ignore[assignment]


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
        fields = "__all__"  # noqa: DJ007 - the admin shows them all

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
        css = _STYLESHEET

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
