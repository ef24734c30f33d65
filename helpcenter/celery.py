"""The Celery application. Without CELERY_BROKER_URL tasks run inline through the same code."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from django.core.management.base import BaseCommand, SystemCheckError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpcenter.settings")

app = Celery("helpcenter")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect  # type: ignore[untyped-decorator]
@beat_init.connect  # type: ignore[untyped-decorator]
def refuse_settings_that_disagree(**_signal: Any) -> None:
    """Celery runs Django's system checks and throws away what they find."""
    try:
        BaseCommand().check()
    except SystemCheckError as error:
        raise SystemExit(str(error)) from None
