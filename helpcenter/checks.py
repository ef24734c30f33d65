"""Settings that must agree with one another, told at start-up with a hint and an id."""

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured


@register()
def index_has_one_owner(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Several processes cannot share an embedded Chroma folder (it is not process-safe)."""
    if settings.CHROMA_URL:
        return []
    found: list[CheckMessage] = []
    if settings.CELERY_BROKER_URL:
        found.append(
            Error(
                "CELERY_BROKER_URL is set but CHROMA_URL is not.",
                hint="Workers and the web process need one Chroma server: run `chroma run` and set "
                "CHROMA_URL=http://host:port, or unset CELERY_BROKER_URL to run tasks inline.",
                id="helpcenter.E001",
            )
        )
    processes = os.environ.get("WEB_CONCURRENCY", "")  # gunicorn's own variable
    if processes.isdecimal() and int(processes) > 1:
        found.append(
            Error(
                f"WEB_CONCURRENCY={processes} asks for several web processes but CHROMA_URL is not set.",
                hint="They need one Chroma server: run `chroma run` and set CHROMA_URL=http://host:port, or "
                "unset WEB_CONCURRENCY: `manage.py serve --processes` starts several with a Chroma server of its own.",
                id="helpcenter.E005",
            )
        )
    return found


@register(deploy=True)
def mail_leaves_the_machine(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if "filebased" in settings.EMAIL_BACKEND or "console" in settings.EMAIL_BACKEND:
        return [
            Warning(
                "EMAIL_URL is not set: customers receive no e-mail, messages are written to files.",
                hint="Set EMAIL_URL, for example EMAIL_URL=submission://user:password@mail.example.org:587.",
                id="helpcenter.W001",
            )
        ]
    return []


@register(deploy=True)
def staff_show_two_factors(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.STAFF_MFA == "off":
        return [
            Warning(
                "STAFF_MFA=off: a password alone opens the administration, and nobody can change that.",
                hint="Set STAFF_MFA=required, or optional to leave it to each account: docs/operations.md, Signing in.",
                id="helpcenter.W004",
            )
        ]
    return []


@register()
def switches_are_known(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Values that settings alone cannot judge. The parts they belong to are asked only where they are set."""
    found: list[CheckMessage] = []
    if settings.CHROMA_URL:
        from knowledge.vectors import parse_server_url

        try:
            parse_server_url(settings.CHROMA_URL)
        except ValueError as error:
            found.append(Error(f"CHROMA_URL: {error}", id="helpcenter.E002"))
    if settings.EMBEDDING_MODEL != "minilm-de-en":
        from knowledge.embeddings import EmbedderUnavailable, current_recipe

        try:
            current_recipe()
        except EmbedderUnavailable as error:
            found.append(Error(str(error), id="helpcenter.E003"))
    if settings.RERANKER_MODEL:
        from knowledge.embeddings.cross_encoder import CrossEncoderUnavailable, place_of

        try:
            place_of("RERANKER_MODEL", settings.RERANKER_MODEL)
        except CrossEncoderUnavailable as error:
            found.append(Error(str(error), id="helpcenter.E006"))
    if settings.GROUNDING_MODEL:
        from knowledge.embeddings.cross_encoder import CrossEncoderUnavailable
        from knowledge.entailment import check_model

        try:
            check_model(settings.GROUNDING_MODEL)
        except CrossEncoderUnavailable as error:
            found.append(Error(str(error), id="helpcenter.E010"))
    if settings.ANSWER_WRITER != "extractive" or settings.CONFIDENCE_FILE:
        from assistant.confidence import load_model
        from assistant.writers import check_name

        for check, value in ((check_name, settings.ANSWER_WRITER), (load_model, settings.CONFIDENCE_FILE)):
            try:
                check(value)
            except ImproperlyConfigured as error:
                found.append(Error(str(error), id="helpcenter.E004"))
    return found


@register()
def mail_comes_in_safely(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.IMAP_URL:
        from assistant.mailroom.imap import configured

        try:
            configured()
        except ValueError as error:
            found.append(Error(f"IMAP_URL: {error}.", id="helpcenter.E008"))
    for secret in settings.MAIL_WEBHOOK_SECRETS:
        from assistant.hooks.signatures import key_of

        try:
            key_of(secret)
        except ValueError as error:
            found.append(
                Error(
                    f"MAIL_WEBHOOK_SECRET: {error}.",
                    hint='echo "whsec_$(openssl rand -base64 32)" makes one.',
                    id="helpcenter.E009",
                )
            )
    if (settings.IMAP_URL or settings.MAIL_WEBHOOK_SECRETS) and not settings.MAIL_ADDRESS:
        found.append(
            Warning(
                "E-mail comes in, but MAIL_ADDRESS is not set: our own mails name no address for replies.",
                hint="Set MAIL_ADDRESS to the address whose mails come in here, such as help@example.org.",
                id="helpcenter.W003",
            )
        )
    return found


@register()
def old_names_are_told(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A limit that somebody believes in and that is not there is worse than none."""
    old = sorted(name for name in os.environ if name.startswith("API_RATE_"))
    if not old:
        return []
    return [
        Warning(
            f"{', '.join(old)}: not read any more.",
            hint="BUDGET_QUESTIONS, BUDGET_SEARCH, BUDGET_FEEDBACK and BUDGET_TICKETS took their place, for pages and "
            "API together (docs/operations.md, Abuse).",
            id="helpcenter.W002",
        )
    ]
