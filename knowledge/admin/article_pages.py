"""The pages of an article beside its form, each with its permission; what they do is said in their own modules."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from knowledge.admin import autosave
from knowledge.admin.advice import check_page
from knowledge.admin.desk import step_page
from knowledge.admin.revisions import LIVE, compare_page, restore_view, revisions_page
from knowledge.admin.writing import offered_links, preview_page, take_picture
from knowledge.changes import pending_change
from knowledge.models import Article, Language
from knowledge.services import confirm_gone_over
from knowledge.translating import start_translation
from knowledge.workflow import Step, steps_for

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Article]
else:
    _Admin = object


def signed_in(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # staff, never anonymous
    return request.user


class ArticlePages(_Admin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/check/", view(self.check_view), name="knowledge_article_check"),
            path("<int:pk>/gone-over/", view(self.gone_over_view), name="knowledge_article_gone_over"),
            path("preview/", view(self.preview_view), name="knowledge_article_preview"),
            path("<int:pk>/preview/", view(self.preview_view), name="knowledge_article_preview_of"),
            path("pictures/", view(self.picture_view), name="knowledge_article_pictures"),
            path("links/", view(self.links_view), name="knowledge_article_links"),
            path("autosave/", view(self.autosave_view), name="knowledge_article_autosave"),
            path("<int:pk>/autosave/", view(self.autosave_view), name="knowledge_article_autosave_of"),
            path("<int:pk>/step/<slug:step>/", view(self.step_view), name="knowledge_article_step"),
            path("<int:pk>/compare/", view(self.compare_view), name="knowledge_article_compare"),
            path("<int:pk>/restore/<slug:key>/", view(self.restore_view), name="knowledge_article_restore"),
            path(
                "<int:pk>/translate/<slug:code>/",
                view(self.translate_view),
                name="knowledge_article_translate",
            ),
        ]
        return own + list(super().get_urls())

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        article = get_object_or_404(Article, pk=pk)
        if not self.has_view_permission(request, article):
            raise PermissionDenied
        return check_page(request, article, self._context(request))

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

    def autosave_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        stored = get_object_or_404(Article, pk=pk) if pk is not None else None
        if request.method != "POST" or not self._may_write(request):
            raise PermissionDenied
        return autosave.take_autosave(request, stored, signed_in(request))

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        article = get_object_or_404(Article, pk=pk)
        if step not in Step.values:
            raise Http404
        if Step(step) not in steps_for(article, pending_change(article), signed_in(request)):
            if not self.has_view_permission(request, article):
                raise PermissionDenied
            messages.error(request, _("This step is not open to you, or not possible any more."))
            return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[pk]))
        return step_page(request, article, Step(step), signed_in(request), self._context(request))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        article = self._viewed(request, object_id)
        may_restore = self.has_change_permission(request, article)
        return revisions_page(request, article, {**self._context(request), "may_restore": may_restore})

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Its form would save an old text past the workflow; here it is compared, and restored as a draft."""
        self._viewed(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        address = reverse("admin:knowledge_article_compare", args=[object_id])
        return HttpResponseRedirect(f"{address}?from=a{version_id}&to={LIVE}")

    def compare_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        article = self._viewed(request, pk)
        may_restore = self.has_change_permission(request, article)
        return compare_page(request, article, {**self._context(request), "may_restore": may_restore})

    def restore_view(self, request: HttpRequest, pk: int, key: str) -> HttpResponse:
        article = self._viewed(request, pk)
        if request.method != "POST" or not self.has_change_permission(request, article):
            raise PermissionDenied
        return restore_view(request, article, key, signed_in(request))

    def translate_view(self, request: HttpRequest, pk: int, code: str) -> HttpResponse:
        article = self._viewed(request, pk)
        may_link = self.has_add_permission(request) and self.has_change_permission(request, article)
        if request.method != "POST" or not may_link or code not in Language.values:
            raise PermissionDenied
        made = start_translation(article=article, language=code, by=signed_in(request))
        return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[made.pk]))

    def _viewed(self, request: HttpRequest, pk: int | str) -> Article:
        if not str(pk).isdecimal():
            raise Http404
        article = get_object_or_404(Article, pk=pk)
        if not self.has_view_permission(request, article):
            raise PermissionDenied
        return article

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}

    def _may_write(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) or self.has_change_permission(request))
