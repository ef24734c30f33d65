"""Where django-allauth asks the project: who is a client, what it says, what leaves by e-mail, what is kept secret."""

import base64
import hashlib
import logging
import secrets
import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from assistant.abuse.clients import client_address
from assistant.models import AccountMailKind
from assistant.outbox import owe_account_mail
from helpcenter.accounts.policy import Mode, is_enrolled, mode
from knowledge import site

log = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This account is not active."),
        "incorrect_password": _("This is not the password of this account."),
        "invalid_password_reset": _("This link is not valid any more."),
        "rate_limited": _("There were too many attempts. Please wait a few minutes."),
        "too_many_login_attempts": _("There were too many attempts. Please wait a few minutes."),
        "username_password_mismatch": _("The user name or the password is not right."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:  # noqa: ARG002
        """The link is made when the mail leaves; no row holds it."""
        owe_account_mail(user, AccountMailKind.PASSWORD_RESET)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: Any,
        context: dict[str, Any] | None = None,  # noqa: ARG002
        email: str | None = None,  # noqa: ARG002
    ) -> None:
        """Of second factors `history` tells, within the transaction that changes them."""
        if template_prefix == "account/email/password_reset":
            owe_account_mail(user, AccountMailKind.PASSWORD_CHANGED)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        raise NotImplementedError(f"{template_prefix}: e-mails leave through assistant.outbox")

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Whoever has a second factor shows that one."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        factors = [one for one in methods if one["id"].startswith("mfa_")]
        return factors or methods

    def is_reauthentication_required(self, *, app: str, **_options: Any) -> bool:  # noqa: ARG002
        """Whoever has just signed in is not asked for the same again."""
        request = context.request
        if request is None or not request.user.is_authenticated:
            return True
        wanted = "mfa" if mode() != Mode.OFF and is_enrolled(request.user) else "password"
        since = time.time() - REAUTHENTICATION_TIMEOUT
        records = get_authentication_records(request, request.user)
        return not any(one.get("method") == wanted and one.get("at", 0) > since for one in records)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_generate_recovery_codes": _("Set up the authenticator app first."),
        "incorrect_code": _("This code is not right, or no longer. Please enter the one that is shown now."),
    }

    def get_totp_issuer(self) -> str:
        return site.current().display_name.replace(":", " ")

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def is_mfa_enabled(self, user: Any, types: Any = None) -> bool:
        if mode() == Mode.OFF or not getattr(user, "is_staff", False):
            return False
        return bool(super().is_mfa_enabled(user, types))

    def encrypt(self, text: str) -> str:
        """A copy of the database alone makes nobody's codes."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.error("A second factor cannot be read: SECRET_KEY is another one. Reset it for this account.")
            # No code fits what nobody knows; an empty secret would fit codes that anybody can compute.
            return base64.b32encode(secrets.token_bytes(20)).decode()


def _box() -> MultiFernet:
    """The first key writes, all read: SECRET_KEY can be changed with SECRET_KEY_FALLBACKS."""
    keys = [str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"second factor:" + key.encode()).digest()))
            for key in keys
        ]
    )
