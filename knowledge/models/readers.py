"""Who reads, in which language, and what each may: the words that articles and the gate share."""

from typing import TypeAlias

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _

# Whoever reads: an account, nobody in particular, or no request at all.
Reader: TypeAlias = AbstractBaseUser | AnonymousUser | None


class Language(models.TextChoices):
    GERMAN = "de", _("German")
    ENGLISH = "en", _("English")


class Audience(models.TextChoices):
    """The widest first."""

    PUBLIC = "public", _("Everyone")
    SIGNED_IN = "signed_in", _("Signed-in customers")
    INTERNAL = "internal", _("Staff only")


def audiences_for(user: Reader) -> tuple[str, ...]:
    """The audiences whose articles `user` may read; None and anonymous visitors read public ones only."""
    if user is None or not user.is_authenticated or not user.is_active:
        return (Audience.PUBLIC,)
    if getattr(user, "is_staff", False):
        return (Audience.PUBLIC, Audience.SIGNED_IN, Audience.INTERNAL)
    return (Audience.PUBLIC, Audience.SIGNED_IN)
