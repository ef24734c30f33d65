"""The list of articles: its columns, filters, search and what can be done with several at once.

The form of one article is `knowledge.admin.articles`'. Never loads a model to show the list; a search asks the one
that answers questions.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.http import FileResponse, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from knowledge import generations, sweepers
from knowledge.admin.article_filters import IndexStateFilter, ToDoFilter, translations
from knowledge.admin.article_pages import signed_in
from knowledge.admin.desk import badges_of
from knowledge.admin.display import badge, is_changelist, short_moment, two_lines
from knowledge.admin.fields import CategoryChoice
from knowledge.admin.finding import Found, find_articles
from knowledge.admin.index_notes import index_notes
from knowledge.admin.merging import MergeAdmin
from knowledge.admin.receipt import Indexed, Receipt, receipt_of
from knowledge.admin.views_of_lists import SavedViews
from knowledge.changes import pending_change
from knowledge.embeddings import EmbedderUnavailable, current_recipe
from knowledge.exporting import write_zip
from knowledge.models import Article, Audience, Category, ChangeState, Generation, Status
from knowledge.services import index_again, mark_reviewed, set_audience, set_category
from knowledge.viewing import PERIOD, ArticleViews
from knowledge.votes import ArticleVote
from knowledge.workflow import PUBLISH, Step, StepRefused, steps_for, take_step

_NAMED: Final = 12  # articles that a page of confirmation names
_MANY: Final = 20  # from which on the sweep embeds them and nobody waits


class CategoryForm(forms.Form):
    category = CategoryChoice(
        label=_("category"),
        queryset=Category.objects.order_by("language", "position", "name"),
        required=False,
        empty_label=_("No category"),
        help_text=_("Articles in another language than the category stay where they are."),
    )


class AudienceForm(forms.Form):
    audience = forms.ChoiceField(
        label=_("audience"),
        choices=Audience.choices,
        help_text=_("In force at once: for readers, for answers and for the search."),
    )


class _ByPlace(ChangeList):
    """What a search found stands in the retriever's order, and then no column is the sorted one."""

    def get_ordering_field_columns(self) -> Any:
        is_found = bool(self.query) and ORDER_VAR not in self.params
        return {} if is_found else super().get_ordering_field_columns()


class ArticleListAdmin(SavedViews, MergeAdmin):
    change_list_template = "admin/knowledge/article/change_list.html"
    list_display = (
        "titled",
        "status_badge",
        "index_state",
        "audience",
        "languages",
        "readers",
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
    search_help_text = _("What customers would ask, or words of title, address, text or external id")
    actions = (
        "publish",
        "archive",
        "make_draft",
        "mark_reviewed",
        "choose_category",
        "choose_audience",
        "download",
        "try_again",
        "try_publishing",
        "try_archiving",
        "merge",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        live = generations.live()
        stored: Any = super().get_queryset(request)
        articles: QuerySet[Article] = stored.with_index_mark(live.recipe if live else "").annotate(
            has_model=Value(_has_model(live)),
            twin_id=Subquery(translations().values("pk")[:1]),
            twin_language=Subquery(translations().values("language")[:1]),
            change_state=F("pending_change__state"),
            source_revision=F("translation_of__revision"),
            yes_votes=_votes(is_helpful=True),
            no_votes=_votes(is_helpful=False),
            recent_views=_views(),
        )
        return articles.defer("body") if is_changelist(request) else articles

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _ByPlace

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "index_notes": index_notes()}
        )
        found: Found | None = getattr(request, "found_articles", None)
        if found is not None and isinstance(response, TemplateResponse) and response.context_data is not None:
            response.context_data["search_note"] = found.note
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        by_words, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if not search_term.strip() or not is_changelist(request):
            return by_words, may_have_duplicates
        articles, request.found_articles = find_articles(  # type: ignore[attr-defined]
            queryset,
            search_term.strip(),
            by_words=by_words,
            reader=request.user,
            is_ordered=bool(request.GET.get("o")),
        )
        return articles, may_have_duplicates

    # --- columns -------------------------------------------------------------------------------------

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, article: Any) -> SafeString:
        badges = format_html_join("\n", "{}", ((one,) for one in badges_of(article, article.change_state)))
        return two_lines(badges, _("not gone over yet")) if article.to_go_over else badges

    @admin.display(description=_("answerable"), ordering="indexed_at")
    def index_state(self, article: Article) -> SafeString:
        receipt = receipt_as_read(article)
        if receipt.tone == "quiet":
            return format_html('<span class="hc-quiet">{}</span>', receipt.short)
        return badge(receipt.short, receipt.tone, receipt.sentence)

    @admin.display(description=_("views"), ordering="recent_views")
    def readers(self, article: Any) -> SafeString:
        """How many read it lately, and what they say; the fewest words that say what to look at."""
        views = format_html(
            '<span title="{}">{}</span>', _("In the last 30 days, without staff"), article.recent_views or "–"
        )
        total = article.yes_votes + article.no_votes
        if not total:
            return views
        title = _("%(yes)d of %(total)d readers found it helpful") % {
            "yes": article.yes_votes,
            "total": total,
        }
        tone = "bad" if article.no_votes > article.yes_votes else "quiet"
        return two_lines(views, badge(f"{article.yes_votes} / {total}", tone, title))

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

    # --- several at once -----------------------------------------------------------------------------

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(PUBLISH))

    @admin.action(description=_("Publish selected articles"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        unread = queryset.filter(to_go_over=True).count()
        # A change that nobody submitted is half-finished: its own page publishes it.
        ready = queryset.filter(to_go_over=False).exclude(pending_change__state=ChangeState.DRAFT)
        self._step(request, ready, Step.PUBLISH)
        if unread:
            message = ngettext(
                "%(count)d draft was put together from replies and stays one: open it, go over it, and say so there.",
                "%(count)d drafts were put together from replies and stay such: open each, go over it, and say so.",
                unread,
            )
            self.message_user(request, message % {"count": unread}, messages.WARNING)

    @admin.action(description=_("Archive selected articles…"), permissions=["publish"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Article]) -> HttpResponse | None:
        if "confirmed" in request.POST:
            self._step(request, queryset, Step.ARCHIVE)
            return None
        return self._confirmation(
            request,
            queryset,
            action="archive",
            title=_("Archive these articles?"),
            warning=_("From this moment on nobody reads them and nothing is answered from them."),
            button=_("Archive"),
        )

    @admin.action(description=_("Turn selected articles into drafts"), permissions=["publish"])
    def make_draft(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._step(request, queryset, Step.REOPEN, Step.TAKE_BACK)

    @admin.action(description=_("Mark selected articles as checked today"), permissions=["change"])
    def mark_reviewed(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        self._apply(request, queryset, partial(mark_reviewed, by=signed_in(request)))

    @admin.action(description=_("Set the category…"), permissions=["publish"])
    def choose_category(self, request: HttpRequest, queryset: QuerySet[Article]) -> HttpResponse | None:
        form = CategoryForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            self._apply(request, queryset, partial(set_category, category=form.cleaned_data["category"]))
            return None
        return self._confirmation(
            request,
            queryset,
            action="choose_category",
            title=_("Put these articles into a category"),
            button=_("Set the category"),
            form=form,
        )

    @admin.action(description=_("Set the audience…"), permissions=["publish"])
    def choose_audience(self, request: HttpRequest, queryset: QuerySet[Article]) -> HttpResponse | None:
        form = AudienceForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            audience = Audience(form.cleaned_data["audience"])
            self._apply(request, queryset, partial(set_audience, audience=audience))
            return None
        return self._confirmation(
            request,
            queryset,
            action="choose_audience",
            title=_("Who may read these articles?"),
            warning=_("What was for staff and becomes public is quoted to customers from then on."),
            button=_("Set the audience"),
            form=form,
        )

    @admin.action(description=_("Download selected articles as Markdown"), permissions=["view"])
    def download(self, request: HttpRequest, queryset: QuerySet[Article]) -> FileResponse:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
        write_zip(file, Article.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        file.seek(0)
        name = f"articles-{timezone.localdate().isoformat()}.zip"
        return FileResponse(file, as_attachment=True, filename=name)

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
            stored = Article.objects.defer("body").get(pk=article.pk)
            open_steps = steps_for(stored, pending_change(stored), signed_in(request))
            step = next((step for step in steps if step in open_steps), None)
            if step is None or (step is Step.PUBLISH and stored.is_scheduled()):
                return False
            try:
                take_step(step, article=stored, by=signed_in(request))
            except StepRefused as reason:
                refused.append(f"{stored.title}: {reason}")
                return False
            return True

        self._apply(request, queryset, take)
        for reason in refused[:_NAMED]:
            self.message_user(request, reason, messages.WARNING)

    def _apply(self, request: HttpRequest, queryset: QuerySet[Article], service: Callable[..., bool]) -> None:
        chosen = list(queryset.values_list("pk", flat=True))
        with sweepers.bell_held_for(len(chosen) > _MANY):
            # Each is read anew by its service; the list's own rows are as old as the page.
            changed = sum(service(article=Article(pk=pk)) for pk in chosen)
        self.message_user(
            request,
            ngettext("%(count)d article was changed.", "%(count)d articles were changed.", changed)
            % {"count": changed},
            messages.SUCCESS if changed else messages.INFO,
        )
        unchanged = len(chosen) - changed
        if unchanged:
            message = ngettext(
                "%(count)d article stays as it is.", "%(count)d articles stay as they are.", unchanged
            )
            self.message_user(request, message % {"count": unchanged}, messages.INFO)

    def _confirmation(
        self,
        request: HttpRequest,
        queryset: QuerySet[Article],
        *,
        action: str,
        title: Any,
        button: Any,
        warning: Any = "",
        form: forms.Form | None = None,
    ) -> HttpResponse:
        """What is to happen to which articles. Goes on by the same action, with `confirmed`."""
        chosen = list(queryset.order_by("title", "pk").values_list("pk", "title", "status", "audience"))
        # All of ten thousand are named by the list's address again: a form holds a thousand fields.
        is_across = request.POST.get("select_across") == "1"
        return TemplateResponse(
            request,
            "admin/knowledge/article/bulk.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "action": action,
                "button": button,
                "warning": warning,
                "form": form,
                "checkbox": ACTION_CHECKBOX_NAME,
                "is_across": is_across,
                "ids": [row[0] for row in chosen],
                "named": [row[1] for row in chosen[:_NAMED]],
                "further": max(0, len(chosen) - _NAMED),
                "published": sum(row[2] == Status.PUBLISHED for row in chosen),
                "internal": sum(row[3] == Audience.INTERNAL for row in chosen),
            },
        )


def receipt_as_read(article: Any) -> Receipt:
    """Of an article as `get_queryset` reads it, or of one that is not stored yet."""
    is_indexed = getattr(article, "is_indexed", False)
    return receipt_of(
        article,
        indexed=Indexed(article.indexed_at) if is_indexed else None,
        has_model=getattr(article, "has_model", True),
        now=timezone.now(),
    )


def _votes(*, is_helpful: bool) -> Coalesce:
    """Of each article in a query, in one number."""
    cast = ArticleVote.objects.filter(article=OuterRef("pk"), is_helpful=is_helpful).order_by()
    return Coalesce(Subquery(cast.values("article").annotate(total=Count("pk")).values("total")), 0)


def _views() -> Coalesce:
    since = timezone.localdate() - PERIOD
    counted = ArticleViews.objects.filter(article=OuterRef("pk"), day__gt=since).order_by()
    return Coalesce(Subquery(counted.values("article").annotate(total=Sum("count")).values("total")), 0)


def _has_model(live: Generation | None) -> bool:
    if live is not None:
        return not generations.trouble_of(live)
    try:
        current_recipe()
    except EmbedderUnavailable:
        return False
    return True
