"""Articles with the state of their index.

Shows and edits; what publishing means is decided in knowledge.workflow and by the gate. Never loads a model:
whether an article is answerable is read from its row and its mark in the live generation.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from knowledge import generations
from knowledge.admin import autosave, translation
from knowledge.admin.advice import tell_advice
from knowledge.admin.article_filters import IndexStateFilter, ToDoFilter
from knowledge.admin.article_form import ArticleForm
from knowledge.admin.article_pages import ArticlePages, signed_in
from knowledge.admin.article_templates import offered_templates, template_initial
from knowledge.admin.desk import (
    badges_of,
    buttons_for,
    lay_over,
    pressed,
    standing_of,
    take_pressed,
    tell_kept,
)
from knowledge.admin.display import STYLESHEET, badge, is_changelist, short_moment, two_lines
from knowledge.admin.fields import CategoryChoice
from knowledge.admin.history import HistoryAdmin
from knowledge.admin.index_notes import index_notes
from knowledge.admin.receipt import Indexed, Receipt, receipt_of
from knowledge.admin.writing import (
    others_at_work,
)
from knowledge.changes import keep, pending_change
from knowledge.embeddings import EmbedderUnavailable, current_recipe
from knowledge.models import (
    Article,
    ArticleQuerySet,
    Category,
    ChangeState,
    Generation,
    Passage,
    Status,
)
from knowledge.services import index_again, mark_reviewed
from knowledge.translating import mark_up_to_date
from knowledge.votes import ArticleVote
from knowledge.workflow import PUBLISH, Step, StepRefused, steps_for, take_step

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
class ArticleAdmin(ArticlePages, HistoryAdmin):
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
        ToDoFilter,
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
    actions = ("publish", "archive", "make_draft", "mark_reviewed", "try_again")
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
            change_state=F("pending_change__state"),
            source_revision=F("translation_of__revision"),
        )
        return articles.defer("body") if is_changelist(request) else articles

    def get_inlines(self, request: HttpRequest, obj: Article | None) -> Sequence[type[PassageInline]]:
        return self.inlines if obj is not None else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "category":
            options.setdefault("queryset", Category.objects.order_by("language", "position", "name"))
            options["form_class"] = CategoryChoice
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

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(PUBLISH))

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
        return response or super().response_add(request, obj, post_url_continue)  # type: ignore[no-any-return]

    def response_change(self, request: HttpRequest, obj: Article) -> HttpResponse:
        tell_advice(request, obj)
        response = take_pressed(request, obj, signed_in(request))
        return response or super().response_change(request, obj)  # type: ignore[no-any-return]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "index_notes": index_notes()}
        )
        return response

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, article: Any) -> SafeString:
        return format_html_join("\n", "{}", ((one,) for one in badges_of(article, article.change_state)))

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
        is_behind = (article.translated_revision or 0) < (article.source_revision or 0)
        return format_html(
            '<span class="hc-nowrap">{} · <a href="{}" title="{}">{}</a></span>{}',
            article.language.upper(),
            address,
            _("Translation"),
            article.twin_language.upper(),
            badge(_("behind"), "notice", _("Its source has changed since it was translated."))
            if is_behind and article.translated_revision
            else "",
        )

    @admin.display(description=_("last change"), ordering="updated_at")
    def changed(self, article: Article) -> SafeString:
        return short_moment(article.updated_at)

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

    @admin.action(description=_("Publish selected articles"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        # A change that nobody submitted is half-finished: its own page publishes it.
        self._step(request, queryset.exclude(pending_change__state=ChangeState.DRAFT), Step.PUBLISH)

    @admin.action(description=_("Archive selected articles"), permissions=["publish"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._step(request, queryset, Step.ARCHIVE)

    @admin.action(description=_("Turn selected articles into drafts"), permissions=["publish"])
    def make_draft(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._step(request, queryset, Step.REOPEN, Step.TAKE_BACK)

    @admin.action(description=_("Mark selected articles as checked today"), permissions=["change"])
    def mark_reviewed(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._apply(request, queryset, partial(mark_reviewed, by=signed_in(request)))

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

    def _step(self, request: HttpRequest, queryset: QuerySet[Article], *steps: Step) -> None:
        """The first of `steps` that is open for each article; one that refuses says why, and the others go on."""
        refused: list[str] = []

        def take(*, article: Article) -> bool:
            open_steps = steps_for(article, pending_change(article), signed_in(request))
            step = next((step for step in steps if step in open_steps), None)
            if step is None or (step is Step.PUBLISH and article.is_scheduled()):
                return False
            try:
                take_step(step, article=article, by=signed_in(request))
            except StepRefused as reason:
                refused.append(f"{article.title}: {reason}")
                return False
            return True

        self._apply(request, queryset, take)
        for reason in refused[:10]:
            self.message_user(request, reason, messages.WARNING)

    def _apply(self, request: HttpRequest, queryset: QuerySet[Article], service: Callable[..., bool]) -> None:
        changed = sum(service(article=article) for article in queryset)
        self.message_user(
            request,
            ngettext("%(count)d article was changed.", "%(count)d articles were changed.", changed)
            % {"count": changed},
            messages.SUCCESS if changed else messages.INFO,
        )


def _has_dates(article: Article) -> bool:
    return any((article.publish_at, article.unpublish_at, article.review_by))


def _is_form(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.url_name == "knowledge_article_change"


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
