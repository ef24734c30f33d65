"""Whatever happens to a second factor stands in the account's history and is told to its owner by e-mail.

On the rows and not on the pages: so it makes no difference whether its owner, an administrator or a command did it,
and the entry is part of the transaction that it tells of.
"""

import json
from typing import Any

from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_used
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_noop

from assistant.models import AccountMailKind
from assistant.outbox import owe_account_mail

_APP_ADDED = gettext_noop("second factor (authenticator app set up)")
_APP_REMOVED = gettext_noop("second factor (authenticator app removed)")
_CODES_ADDED = gettext_noop("second factor (new recovery codes)")
_CODE_USED = gettext_noop("second factor (recovery code used)")


def connect() -> None:
    post_save.connect(_saved, sender=Authenticator, dispatch_uid="accounts.saved")
    post_delete.connect(_deleted, sender=Authenticator, dispatch_uid="accounts.deleted")
    authenticator_used.connect(_used, dispatch_uid="accounts.used")


def _saved(instance: Authenticator, created: bool, raw: bool = False, **_signal: Any) -> None:
    if not created or raw:
        return
    if instance.type == Authenticator.Type.RECOVERY_CODES:
        _note(instance.user, _CODES_ADDED)
        return
    _note(instance.user, _APP_ADDED)
    owe_account_mail(instance.user, AccountMailKind.FACTOR_ADDED)


def _deleted(instance: Authenticator, origin: Any = None, **_signal: Any) -> None:
    is_gone = isinstance(origin, Model) and not isinstance(
        origin, Authenticator
    )  # the whole account is deleted
    is_gone = is_gone or (origin is not None and getattr(origin, "model", Authenticator) is not Authenticator)
    if is_gone or instance.type == Authenticator.Type.RECOVERY_CODES:
        return
    _note(instance.user, _APP_REMOVED)
    owe_account_mail(instance.user, AccountMailKind.FACTOR_REMOVED)


def _used(authenticator: Authenticator, user: Any, **_signal: Any) -> None:
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        _note(user, _CODE_USED)
        owe_account_mail(user, AccountMailKind.CODE_USED)


def _note(user: Any, what: str) -> None:
    """Translated where it is read, as Django does with the names of fields."""
    acting = getattr(context.request, "user", None)
    by = acting if acting is not None and acting.is_authenticated else user
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(user),
        object_id=str(user.pk),
        object_repr=str(user)[:200],
        action_flag=CHANGE,
        change_message=json.dumps([{"changed": {"fields": [what]}}]),
    )
