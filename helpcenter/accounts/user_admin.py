"""Accounts in the administration: who has a second factor, and the way back for whoever has lost theirs.

Promise: nobody becomes more here than they are. Accounts of superusers are changed by superusers, who also alone
grant that rank and rights outside of groups.
"""

from typing import TYPE_CHECKING, Any

import allauth.account.admin
import allauth.mfa.admin  # noqa: F401  (both register what is taken off again below)
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from helpcenter.accounts.policy import SECOND_FACTORS, has_a_second_factor

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin

_RESET = "mfa.delete_authenticator"


def reset_second_factor(user: Any) -> int:
    """How many were removed, recovery codes among them. The account's history and its owner are told."""
    with transaction.atomic():
        removed: int = Authenticator.objects.filter(user=user.pk).delete()[0]
    return removed


# What these would show are secrets, and addresses that nothing here uses.
for _model in (Authenticator, EmailAddress, EmailConfirmation):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(_UserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "second_factor", "last_login")
    readonly_fields = ("second_factor_since",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(has_second_factor=has_a_second_factor())

    def get_urls(self) -> list[URLPattern]:
        reset = path(
            "<int:pk>/reset-second-factor/",
            self.admin_site.admin_view(self.reset_view),
            name="auth_user_reset_second_factor",
        )
        return [reset, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        own: list[Any] = [*fieldsets]
        if obj.is_staff:
            own.insert(1, (gettext_lazy("Signing in"), {"fields": ("second_factor_since",)}))
        if request.user.is_superuser:
            return own
        return [(title, {**options, "fields": _without_rights(options["fields"])}) for title, options in own]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    @admin.display(boolean=True, description=gettext_lazy("second factor"), ordering="has_second_factor")
    def second_factor(self, user: User) -> bool | None:
        """Unknown, which is shown as a question mark, for whoever needs none."""
        return bool(getattr(user, "has_second_factor", False)) if user.is_staff else None

    @admin.display(description=gettext_lazy("second factor"))
    def second_factor_since(self, user: User) -> str:
        found = (
            Authenticator.objects.filter(user=user.pk, type__in=SECOND_FACTORS).order_by("created_at").first()
        )
        if found is None:
            return _("None is set up. The account can set one up after signing in.")
        since = formats.date_format(timezone.localtime(found.created_at), "SHORT_DATE_FORMAT")
        return format_html(
            '{} <a href="{}">{}</a>',
            _("Authenticator app, since %(date)s.") % {"date": since},
            reverse("admin:auth_user_reset_second_factor", args=[user.pk]),
            _("Phone lost? Reset it"),
        )

    def reset_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self.get_object(request, str(pk))
        if user is None:
            raise Http404
        if not (self.has_change_permission(request, user) and request.user.has_perm(_RESET)):
            raise PermissionDenied
        page = reverse("admin:auth_user_change", args=[pk])
        if user.pk == request.user.pk:
            messages.warning(request, _("Your own second factor is changed on its own page."))
            return HttpResponseRedirect(reverse("mfa_index"))
        if request.method == "POST":
            if reset_second_factor(user):
                said = _("The second factor of %(name)s is reset. Its owner is told by e-mail.")
                messages.success(request, said % {"name": user.get_username()})
            else:
                messages.info(request, _("%(name)s has no second factor.") % {"name": user.get_username()})
            return HttpResponseRedirect(page)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "account": user,
            "title": _("Reset the second factor of %(name)s?") % {"name": user.get_username()},
        }
        return TemplateResponse(request, "admin/auth/user/reset_second_factor.html", context)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or request.user.is_superuser or not user.is_superuser


def _without_rights(fields: Any) -> tuple[Any, ...]:
    """A list of some hundred rights to look at helps nobody who may not change them."""
    return tuple(field for field in fields if field != "user_permissions")
