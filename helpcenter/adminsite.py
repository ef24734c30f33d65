"""Django's admin with one more address: the quality page, in its menu under what it is about."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _


class HelpCenterAdminSite(admin.AdminSite):
    def get_urls(self) -> list[URLResolver | URLPattern]:
        # Here and not above: this module is imported while the models of the admin's own pages are still unknown.
        from assistant.admin import quality

        pages = [
            path(f"quality/{address}", self.admin_view(view), name=name)
            for address, view, name in quality.PAGES
        ]
        return [*pages, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        if request.user.has_perm("assistant.view_quality"):
            for app in apps:
                if app["app_label"] == "assistant":
                    app["models"].insert(0, _quality_entry())
        return apps


def _quality_entry() -> dict[str, Any]:
    return {
        "model": None,
        "name": _("Quality"),
        "object_name": "Quality",
        "perms": {"view": True, "add": False, "change": False, "delete": False},
        "admin_url": reverse("admin:quality"),
        "add_url": None,
        "view_only": True,
    }
