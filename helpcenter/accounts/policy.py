"""What an account of staff still has to do before the session may do anything else."""

from enum import StrEnum
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.http import HttpRequest


class Mode(StrEnum):
    """STAFF_MFA."""

    OFF = "off"  # nobody is asked for a second factor, and none can be set up
    OPTIONAL = "optional"  # who has one is asked for it; the others are reminded
    REQUIRED = "required"  # nothing is open to staff before they have one


class Step(StrEnum):
    NONE = "none"
    ENROL = "enrol"  # the account has no second factor, and has to have one
    CONFIRM = "confirm"  # the account has one, and this session has not shown it


SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes alone are none


def mode() -> Mode:
    return Mode(settings.STAFF_MFA)


def has_a_second_factor() -> Exists:
    """To annotate accounts with."""
    return Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_FACTORS))


def is_enrolled(user: Any) -> bool:
    """Without a query for whoever came through `backend`, which reads it with the account."""
    known = getattr(user, "has_second_factor", None)
    if known is None:
        known = Authenticator.objects.filter(user=user.pk, type__in=SECOND_FACTORS).exists()
    return bool(known)


def next_step(request: HttpRequest) -> Step:
    """Sessions count, not accounts: one that began before the account was enrolled has to show the factor, too."""
    user = request.user
    if mode() == Mode.OFF or not (user.is_authenticated and user.is_staff):
        return Step.NONE
    if not is_enrolled(user):
        return Step.ENROL if mode() == Mode.REQUIRED else Step.NONE
    records = get_authentication_records(request, user)
    return Step.NONE if any(record.get("method") == "mfa" for record in records) else Step.CONFIRM
