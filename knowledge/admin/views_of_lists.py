"""Tabs above a list: the views that somebody has saved, and those that colleagues share.

A view costs the list one query more, however many there are.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.saved_views import MAX_QUERY, SavedView, canonical

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    from django.contrib import admin

    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = object


class SaveViewForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    is_shared = forms.BooleanField(label=gettext_lazy("for all colleagues"), required=False)
    query = forms.CharField(max_length=MAX_QUERY, required=False)

    def clean_query(self) -> str:
        return canonical(self.cleaned_data["query"])


@dataclass(frozen=True)
class Tab:
    view: SavedView
    is_current: bool
    may_delete: bool


@dataclass(frozen=True)
class Tabs:
    tabs: list[Tab]
    query: str  # of the list as it is shown, canonical
    save_url: str

    @property
    def is_all(self) -> bool:
        return not self.query

    @property
    def current(self) -> Tab | None:
        return next((tab for tab in self.tabs if tab.is_current), None)


class SavedViews(_Admin):
    """For an admin whose list template includes `admin/_saved_views.html`."""

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, self._name_of_list()
        own = [
            path("views/", wrap(self.save_view_view), name=f"{name}_save_view"),
            path("views/<int:pk>/delete/", wrap(self.delete_view_view), name=f"{name}_delete_view"),
        ]
        return own + list(super().get_urls())

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {**(extra_context or {}), "saved_views": self._tabs(request)}
        return super().changelist_view(request, extra)

    def save_view_view(self, request: HttpRequest) -> HttpResponse:
        """A name that the person has used already is given to the new view."""
        if request.method != "POST" or not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = SaveViewForm(request.POST)
        if not form.is_valid():
            for field, errors in form.errors.items():
                label = form.fields[field].label if field in form.fields else ""
                messages.error(request, f"{label}: {errors[0]}" if label else str(errors[0]))
            return self._to_list(canonical(request.POST.get("query", "")))
        query = form.cleaned_data["query"]
        if not self._can_be_shown(request, query):
            messages.error(request, _("These filters cannot be kept: this list does not know them."))
            return self._to_list("")
        view, is_new = SavedView.objects.update_or_create(
            owner_id=request.user.pk,
            list=self.opts.label_lower,
            name=form.cleaned_data["name"],
            defaults={"query": query, "is_shared": form.cleaned_data["is_shared"]},
        )
        said = _("The view “%(name)s” was saved.") if is_new else _("The view “%(name)s” was replaced.")
        messages.success(request, said % {"name": view.name})
        return self._to_list(query)

    def delete_view_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        view = get_object_or_404(SavedView, pk=pk, list=self.opts.label_lower)
        if request.method != "POST" or not _may_delete(view, request):
            raise PermissionDenied
        view.delete()
        messages.success(request, _("The view “%(name)s” was removed.") % {"name": view.name})
        return self._to_list(view.query)

    def _tabs(self, request: HttpRequest) -> Tabs:
        query = canonical(request.META.get("QUERY_STRING", ""))
        seen = SavedView.objects.filter(
            Q(owner=request.user.pk) | Q(is_shared=True), list=self.opts.label_lower
        )
        return Tabs(
            [
                Tab(view, view.query == query, _may_delete(view, request))
                for view in seen.select_related("owner")
            ],
            query,
            reverse(f"admin:{self._name_of_list()}_save_view"),
        )

    def _can_be_shown(self, request: HttpRequest, query: str) -> bool:
        """Tried as the list would: a view of unknown filters would be an error for everybody who opens it."""
        given, request.GET = request.GET, QueryDict(query)
        try:
            self.get_changelist_instance(request)
        except (IncorrectLookupParameters, SuspiciousOperation):
            return False
        finally:
            request.GET = given
        return True

    def _to_list(self, query: str) -> HttpResponseRedirect:
        address = reverse(f"admin:{self._name_of_list()}_changelist")
        return HttpResponseRedirect(f"{address}?{query}" if query else address)

    def _name_of_list(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"


def _may_delete(view: SavedView, request: HttpRequest) -> bool:
    return view.owner_id == request.user.pk or bool(request.user.is_superuser)
