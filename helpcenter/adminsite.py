"""Django's admin with pages of our own, in its menu under what they are about: quality, gaps, an article's figures."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _


class HelpCenterAdminSite(admin.AdminSite):
    def get_urls(self) -> list[URLResolver | URLPattern]:
        # Here and not above: this module is imported while the models of the admin's own pages are still unknown.
        from assistant.admin import article_figures, gaps, quality

        pages = [
            path(f"{prefix}/{address}", self.admin_view(view), name=name)
            for prefix, known in (
                ("quality", quality.PAGES),
                ("gaps", gaps.PAGES),
                ("knowledge/article", article_figures.PAGES),
            )
            for address, view, name in known
        ]
        return [*pages, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "assistant" and request.user.has_perm("assistant.view_quality"):
                app["models"].insert(0, _entry(_("Quality"), "Quality", "admin:quality"))
            if app["app_label"] == "knowledge" and request.user.has_perm("assistant.view_question"):
                app["models"].insert(0, _entry(_("What to write next"), "Gaps", "admin:gaps"))
        return apps


def _entry(words: str, name: str, address: str) -> dict[str, Any]:
    return {
        "model": None,
        "name": words,
        "object_name": name,
        "perms": {"view": True, "add": False, "change": False, "delete": False},
        "admin_url": reverse(address),
        "add_url": None,
        "view_only": True,
    }
