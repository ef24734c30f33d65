"""Who an account is, and in the same query whether it has a second factor."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth import get_user_model

from helpcenter.accounts.policy import has_a_second_factor


class AccountBackend(AuthenticationBackend):  # type: ignore[misc]
    def get_user(self, user_id: Any) -> Any:
        accounts = get_user_model()._default_manager.annotate(has_second_factor=has_a_second_factor())
        user = accounts.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
