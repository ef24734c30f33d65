"""Addresses around signing in, below the administration's. Their names are those that django-allauth looks up.

Only what is offered here: nobody signs up, and e-mail addresses are the administrators' business.
"""

from allauth.account import views as account
from allauth.mfa.base import views as factor
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from django.urls import path, re_path
from django.views.decorators.http import require_POST

from helpcenter.accounts.views import SetUpView, StaffSignInView, for_staff, inactive

urlpatterns = [
    path("login/", StaffSignInView.as_view(), name="account_login"),
    path("account/logout/", require_POST(account.logout), name="account_logout"),
    path("account/inactive/", inactive, name="account_inactive"),
    path("account/confirm/", for_staff(account.reauthenticate), name="account_reauthenticate"),
    path("account/password/", account.password_reset, name="account_reset_password"),
    path("account/password/sent/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "account/password/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^account/password/(?P<uidb36>[0-9A-Za-z]{1,13})-(?P<key>[0-9A-Za-z-]{1,200})/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("account/second-factor/", for_staff(factor.index), name="mfa_index"),
    path("account/second-factor/sign-in/", factor.authenticate, name="mfa_authenticate"),
    path("account/second-factor/confirm/", for_staff(factor.reauthenticate), name="mfa_reauthenticate"),
    path("account/second-factor/app/", for_staff(SetUpView.as_view()), name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", for_staff(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path(
        "account/second-factor/codes/", for_staff(codes.view_recovery_codes), name="mfa_view_recovery_codes"
    ),
    path(
        "account/second-factor/codes/new/",
        for_staff(codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "account/second-factor/codes/download/",
        for_staff(codes.download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
]
