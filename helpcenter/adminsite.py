"""Django's admin with pages of our own, in its menu under what they are about."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _


class HelpCenterAdminSite(admin.AdminSite):
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:  # type: ignore[override]  # noqa: ARG002
        """The one way in (`helpcenter.accounts`). Its address stands in front of this one; no second door opens."""
        from helpcenter.accounts.views import StaffSignInView

        response: HttpResponseBase = StaffSignInView.as_view()(request)
        return response

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from helpcenter.accounts.policy import Mode, is_enrolled, mode

        has_choice = request.user.is_authenticated and mode() != Mode.OFF
        return super().each_context(request) | {
            "offers_second_factor": has_choice,
            "lacks_second_factor": has_choice and not is_enrolled(request.user),
        }

    def get_urls(self) -> list[URLResolver | URLPattern]:
        # Here and not above: this module is imported while the models of the admin's own pages are still unknown.
        from assistant.admin import article_figures, desk_figures, gaps, playground, quality, whatif

        pages = [
            path(f"{beginning}/{address}", self.admin_view(view), name=name)
            for beginning, module in (
                ("quality", quality),
                ("what-if", whatif),
                ("ask", playground),
                ("gaps", gaps),
                ("desk-figures", desk_figures),
                ("knowledge/article", article_figures),
            )
            for address, view, name in module.PAGES
        ]
        return [*pages, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        may_try = request.user.has_perms(("knowledge.view_article", "assistant.view_question"))
        for app in apps:
            if app["app_label"] == "assistant":
                if may_try:
                    app["models"].insert(0, _entry(_("Ask it yourself"), "Playground", "admin:playground"))
                if request.user.has_perm("assistant.view_quality"):
                    app["models"][:0] = [
                        _entry(_("Quality"), "Quality", "admin:quality"),
                        _entry(_("Figures of the desk"), "DeskFigures", "admin:desk_figures"),
                    ]
            elif app["app_label"] == "knowledge":
                if request.user.has_perm("assistant.view_question"):
                    app["models"].insert(0, _entry(_("What to write next"), "Gaps", "admin:gaps"))
                if may_try:
                    app["models"].append(_entry(_("What would this change?"), "WhatIf", "admin:whatif"))
        return apps


def _entry(name: str, object_name: str, address: str) -> dict[str, Any]:
    return {
        "model": None,
        "name": name,
        "object_name": object_name,
        "perms": {"view": True, "add": False, "change": False, "delete": False},
        "admin_url": reverse(address),
        "add_url": None,
        "view_only": True,
    }
