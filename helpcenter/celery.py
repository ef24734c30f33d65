"""The Celery application. Without CELERY_BROKER_URL tasks run inline through the same code."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from django.core.management.base import BaseCommand, SystemCheckError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpcenter.settings")

_LISTENING_SECONDS = 5.0  # for an answer of the broker; a worker keeps no visitor waiting

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


@celeryd_init.connect  # type: ignore[untyped-decorator]
def listen_patiently(conf: Any, **_signal: Any) -> None:
    """Who only rings gives up sooner: somebody waits for him."""
    conf.broker_transport_options = {**conf.broker_transport_options, "socket_timeout": _LISTENING_SECONDS}
