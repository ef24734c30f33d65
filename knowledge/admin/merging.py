"""Ways from the list of articles to trying what would happen, and the page that merges two articles.

Refuses to decide what a change does to customers' questions: those pages are the assistant's, and are found by their
names (`admin:whatif_…`).
"""

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.admin.article_pages import signed_in
from knowledge.admin.history import HistoryAdmin
from knowledge.models import Article, Audience
from knowledge.services import merge_articles
from knowledge.workflow import PUBLISH, StepRefused

_MOST_ARCHIVED: Final = 100
_MOST_PUBLISHED: Final = 20


class MergeForm(forms.Form):
    title = forms.CharField(
        label=gettext_lazy("Title"), max_length=500, widget=forms.TextInput(attrs={"class": "vTextField"})
    )
    body = forms.CharField(
        label=gettext_lazy("Text"),
        widget=forms.Textarea(attrs={"rows": 24, "class": "vLargeTextField hc-markdown"}),
        help_text=gettext_lazy("Both texts, one after the other. Take out what is said twice."),
    )
    # The revisions that the text above was put together from.
    kept_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    other_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean_body(self) -> str:
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")

    def seen(self) -> tuple[int, int] | None:
        kept, other = self.cleaned_data["kept_revision"], self.cleaned_data["other_revision"]
        return None if kept is None or other is None else (kept, other)


class MergeAdmin(HistoryAdmin):
    """What the admin of articles adds to its own."""

    def get_urls(self) -> list[URLPattern]:
        merging = path("merge/", self.admin_site.admin_view(self.merge_view), name="knowledge_article_merge")
        return [merging, *super().get_urls()]

    @admin.action(
        description=gettext_lazy("What if selected articles were archived?"), permissions=["change"]
    )
    def try_archiving(self, request: HttpRequest, queryset: QuerySet[Article]) -> HttpResponse:
        return self._try(request, queryset, "admin:whatif_archive", _MOST_ARCHIVED)

    @admin.action(
        description=gettext_lazy("What if selected drafts and changes were published?"),
        permissions=["change"],
    )
    def try_publishing(self, request: HttpRequest, queryset: QuerySet[Article]) -> HttpResponse:
        return self._try(request, queryset, "admin:whatif_publish_several", _MOST_PUBLISHED)

    def _try(self, request: HttpRequest, queryset: QuerySet[Article], page: str, most: int) -> HttpResponse:
        chosen = list(queryset.order_by("pk").values_list("pk", flat=True)[: most + 1])
        if len(chosen) > most:
            self.message_user(
                request,
                _("At most %(limit)d articles can be tried at once.") % {"limit": most},
                messages.ERROR,
            )
            return HttpResponseRedirect(request.get_full_path())
        query = urlencode({"article": chosen}, doseq=True)
        return HttpResponseRedirect(f"{reverse(page)}?{query}")

    @admin.action(description=gettext_lazy("Merge two selected articles …"), permissions=["publish"])
    def merge(self, request: HttpRequest, queryset: QuerySet[Article]) -> HttpResponse:
        chosen = list(queryset.order_by("created_at").values_list("pk", flat=True)[:3])
        if len(chosen) != 2:
            self.message_user(request, _("Choose exactly two articles to merge."), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        query = urlencode({"article": chosen}, doseq=True)
        return HttpResponseRedirect(f"{reverse('admin:knowledge_article_merge')}?{query}")

    def merge_view(self, request: HttpRequest) -> HttpResponse:
        """`?article=` names the one that stays, then the one that is archived."""
        numbers = [int(one) for one in request.GET.getlist("article") if one.isdecimal()]
        found = Article.objects.in_bulk(numbers)
        if len(numbers) != 2 or len(found) != 2:
            messages.error(request, _("Choose exactly two articles to merge."))
            return HttpResponseRedirect(reverse("admin:knowledge_article_changelist"))
        kept, other = (found[number] for number in numbers)
        if not request.user.has_perm(PUBLISH):
            raise PermissionDenied
        if kept.language != other.language:
            messages.error(
                request,
                _("These articles are in different languages; a translation group links them instead."),
            )
            return HttpResponseRedirect(reverse("admin:knowledge_article_changelist"))
        form = MergeForm(
            request.POST if request.method == "POST" else None,
            initial={
                "title": kept.title,
                "body": f"{kept.body.rstrip()}\n\n## {other.title}\n\n{other.body}",
                "kept_revision": kept.revision,
                "other_revision": other.revision,
            },
        )
        if form.is_valid():
            try:
                merge_articles(
                    kept=kept,
                    other=other,
                    title=form.cleaned_data["title"],
                    body=form.cleaned_data["body"],
                    by=signed_in(request),
                    seen=form.seen(),
                )
            except StepRefused as refused:
                form.add_error(None, str(refused))
                # Told once: the page names the texts as they are now, and what is sent next was written knowing it.
                now_seen = {"kept_revision": str(kept.revision), "other_revision": str(other.revision)}
                form.data = {**request.POST.dict(), **now_seen}
        if form.is_valid():
            for article, word in ((kept, f"merged with {other.pk}"), (other, f"merged into {kept.pk}")):
                LogEntry.objects.log_actions(request.user.pk, [article], CHANGE, word)  # type: ignore[arg-type]
            messages.success(
                request,
                _("“%(kept)s” has the text of both, and “%(other)s” is archived.")
                % {"kept": kept.title, "other": other.title},
            )
            return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[kept.pk]))
        swapped = urlencode({"article": [other.pk, kept.pk]}, doseq=True)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": _("Merge two articles"),
            "form": form,
            "kept": kept,
            "is_wider": _may_be_read_by(kept) > _may_be_read_by(other),
            "other": other,
            "swapped": swapped,
        }
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/knowledge/article/merge.html", context, status=status)


def _may_be_read_by(article: Article) -> int:
    """The more, the larger."""
    return -Audience.values.index(article.audience)
