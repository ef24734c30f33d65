"""The pages of signing in: django-allauth's, for whom they are meant and with where they lead."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.views import LoginView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from helpcenter.accounts.policy import Mode, mode


class SignInView(LoginView):  # type: ignore[misc]
    """For customers, in the look of the help center. Staff may come this way as well, and are asked as much."""

    template_name = "registration/login.html"

    def get_context_data(self, **values: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**values)
        context.pop("site", None)  # a guess from the Host header
        context["next"] = context.get("redirect_field_value") or ""
        return context


class StaffSignInView(SignInView):
    template_name = "account/login.html"

    def dispatch(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.is_staff:
            return render(request, "account/not_staff.html", status=403)
        return super().dispatch(request, *args, **options)  # type: ignore[no-any-return]

    def get_default_success_url(self) -> str:
        return reverse("admin:index")


class SetUpView(ActivateTOTPView):  # type: ignore[misc]
    def get_context_data(self, **values: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**values)
        return context | {"is_required": mode() == Mode.REQUIRED}

    def form_valid(self, form: Any) -> HttpResponse:
        """Whoever sets the app up shows a code of it; this session need not ask for another one."""
        response: HttpResponse = super().form_valid(form)
        record_authentication(self.request, self.request.user, "mfa", type=Authenticator.Type.TOTP.value)
        return response


def for_staff(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page about the reader's own second factor."""

    @wraps(view)
    def checked(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        if mode() == Mode.OFF:
            raise Http404
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, **arguments)

    return checked


@require_safe
def inactive(request: HttpRequest) -> HttpResponse:
    return render(request, "account/account_inactive.html")
