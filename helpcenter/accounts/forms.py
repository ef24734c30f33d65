"""The forms of signing in, with our words, and with attempts that count in all processes together.

django-allauth counts in its cache, which each process has for itself; the budgets are rows.
"""

from typing import Any

from allauth.account.forms import LoginForm, ReauthenticateForm, ResetPasswordForm, ResetPasswordKeyForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as ReauthenticateByCodeForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from assistant.abuse import budgets
from assistant.abuse.budgets import Rate

# With one code in half a million right at a time (three of a million), 480 guesses a day.
_ATTEMPTS = Rate(10, 1800)  # of one account, wherever they come from
_ONCE = Rate(1, 120)  # a code is good for 90 s at most: its own half minute and one on either side


class SignInForm(LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        name, password = self.fields["login"], self.fields["password"]
        name.label, password.label = _("User name"), _("Password")
        name.widget.attrs = {"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
        password.widget.attrs = {"autocomplete": "current-password"}
        password.help_text = ""

    def add_prefix(self, field_name: str) -> str:
        """As browsers and programs have known it."""
        return super().add_prefix("username" if field_name == "login" else field_name)  # type: ignore[no-any-return]


class PasswordAgainForm(ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["password"]
        field.label = _("Password")
        field.widget.attrs = {"autocomplete": "current-password", "autofocus": True}


class ForgottenPasswordForm(ResetPasswordForm):  # type: ignore[misc]
    """For staff; whoever is none learns nothing from it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["email"]
        field.label = _("E-mail")
        field.widget.attrs = {"type": "email", "autocomplete": "email", "autofocus": True}

    def clean_email(self) -> str:
        address: str = super().clean_email()
        self.users: list[Any] = [user for user in self.users if user.is_staff]
        return address


class NewPasswordForm(ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, label in (("password1", _("New password")), ("password2", _("New password, once more"))):
            self.fields[name].label = label
            self.fields[name].widget.attrs = {"autocomplete": "new-password"}


class _OfACode(forms.Form):
    user: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["code"]
        field.label = _("Code")
        # Not numeric alone: some type the space that their app shows.
        field.widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}

    def clean_code(self) -> str:
        if budgets.take("second_factor", f"account {self.user.pk}", _ATTEMPTS) is not None:
            raise _refused("too_many_login_attempts")
        self.cleaned_data["code"] = "".join(str(self.cleaned_data["code"]).split())
        code: str = super().clean_code()  # type: ignore[misc]
        used: Authenticator | None = getattr(self, "authenticator", None)
        is_of_the_app = used is not None and used.type == Authenticator.Type.TOTP
        if is_of_the_app and budgets.take("code", f"{self.user.pk} {code}", _ONCE) is not None:
            raise get_adapter().validation_error("incorrect_code")
        return code


class CodeForm(_OfACode, AuthenticateForm):  # type: ignore[misc]
    pass


class CodeAgainForm(_OfACode, ReauthenticateByCodeForm):  # type: ignore[misc]
    pass


class FirstCodeForm(_OfACode, ActivateTOTPForm):  # type: ignore[misc]
    pass


def _refused(reason: str) -> ValidationError:
    from allauth.account.adapter import get_adapter as account_adapter

    error: ValidationError = account_adapter().validation_error(reason)
    return error
