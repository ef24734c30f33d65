"""Gunicorn's configuration: what a web process does beside answering requests.

Django is loaded before the fork, so that the successor of a killed process takes connections at once. The model, the
lexical index and the connection to Chroma are not: neither survives a fork. They are loaded in the background while
the process answers already; whoever asks meanwhile waits a few seconds for them and is then answered by what is there.
Without a broker the process that answers questions also embeds stale articles and sends mails; with one, beat and the
workers do.
"""

import contextlib
import json
import logging
import os
import threading
from typing import Any

preload_app = True

STATUS_VARIABLE = "HELPCENTER_STATUS_FD"  # where `serve` hears that the first question will be quick

_sweepers: list[Any] = []

log = logging.getLogger(__name__)


def on_starting(server: Any) -> None:
    """Gunicorn runs none of Django's checks, and only here is the number of processes known."""
    from django.conf import settings
    from django.template import engines
    from django.urls import get_resolver

    from knowledge.language import detect_language

    has_server = settings.CHROMA_URL or STATUS_VARIABLE in os.environ  # `serve` starts one
    if server.cfg.workers > 1 and not has_server:
        raise SystemExit("Several web processes need one Chroma server: set CHROMA_URL.")
    # What the first request would load otherwise, and what survives a fork.
    _ = get_resolver().url_patterns, engines.all()
    detect_language("Which language is this?", fallback="en")


def post_worker_init(worker: Any) -> None:
    from django.conf import settings

    from assistant.abuse.middleware import share_with
    from knowledge.background import declare_visitors

    declare_visitors()
    share_with(worker.cfg.workers)
    if settings.CELERY_BROKER_URL:
        threading.Thread(target=_warm, name="warm-up", daemon=True).start()
        return
    from assistant.hooks import deliveries
    from assistant.hooks.handing_over import hand_over_due
    from assistant.mailroom import inbox
    from assistant.mailroom.visiting import visit_quietly
    from assistant.rounds import Round
    from assistant.sweeping import Sweeper as OutboxSweeper
    from knowledge.indexing import Sweeper as IndexSweeper

    _sweepers.extend((IndexSweeper(on_warm=_report), OutboxSweeper()))
    _sweepers.append(Round("inbox", inbox.process_due, every_seconds=2.0))
    _sweepers.append(Round("webhooks", deliveries.send_due, every_seconds=2.0))
    if settings.HANDOFF_TO:
        _sweepers.append(Round("hand-offs", hand_over_due, every_seconds=5.0))
    if settings.IMAP_URL:
        _sweepers.append(Round("mailbox", visit_quietly, every_seconds=settings.IMAP_SECONDS))
    for sweeper in _sweepers:
        sweeper.start()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 (gunicorn's signature)
    from knowledge import viewing

    for sweeper in _sweepers:
        sweeper.stop(timeout_seconds=5.0)
    viewing.write()


def _warm() -> None:
    from django.db import close_old_connections

    from knowledge.embeddings import EmbedderUnavailable
    from knowledge.indexing import warm_up
    from knowledge.vectors import VectorStoreUnavailable

    try:
        warm_up()
    except (VectorStoreUnavailable, EmbedderUnavailable) as error:
        log.warning("Warm-up: %s", error)
    finally:
        close_old_connections()


def _report(problem: str) -> None:
    """Once. `serve` may have stopped listening, which is no reason to fail."""
    descriptor = os.environ.get(STATUS_VARIABLE, "")
    if descriptor:
        with contextlib.suppress(OSError):
            os.write(int(descriptor), json.dumps({"problem": problem}).encode() + b"\n")
