"""Settings that must agree with one another, told at start-up with a hint and an id."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def index_has_one_owner(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Worker processes cannot share an embedded Chroma folder (it is not process-safe)."""
    if settings.CELERY_BROKER_URL and not settings.CHROMA_URL:
        return [
            Error(
                "CELERY_BROKER_URL is set but CHROMA_URL is not.",
                hint="Workers and the web process need one Chroma server: run `chroma run` and set "
                "CHROMA_URL=http://host:port, or unset CELERY_BROKER_URL to run tasks inline.",
                id="helpcenter.E001",
            )
        ]
    return []


@register(deploy=True)
def mail_leaves_the_machine(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if "filebased" in settings.EMAIL_BACKEND or "console" in settings.EMAIL_BACKEND:
        return [
            Warning(
                "EMAIL_URL is not set: customers receive no e-mail, messages are written to files.",
                hint="Set EMAIL_URL, for example EMAIL_URL=smtp+tls://user:password@mail.example.org:587.",
                id="helpcenter.W001",
            )
        ]
    return []
