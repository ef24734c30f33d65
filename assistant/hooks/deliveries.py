"""Deliveries that are owed: sent at least once, signed, with pauses that outlast a weekend's outage of the receiver.

Promise: as in `assistant.outbox`: a row is taken by moving `due_at` behind a lease and sent outside of any
transaction; killed in between, it is sent again under the same webhook-id, by which receivers know it. Deliveries are
not in order. An endpoint that answers 410 is switched off, and what it is owed waits until somebody switches it on.
"""

import contextlib
import http.client
import logging
import socket
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from assistant.hooks.models import WebhookDelivery, WebhookEndpoint
from assistant.hooks.signatures import new_secret, sign
from assistant.hooks.targets import TargetRefused, connection_to, target_of
from knowledge import bell

log = logging.getLogger(__name__)

LEASE_SECONDS = 60
OLD_SECRET_HOURS = 24  # after a rotation, in which both sign
_TOTAL_SECONDS = 20.0  # of a try, however slowly the receiver speaks
# After each failed try; the schedule of the specification, 36 hours in all.
PAUSES_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400)
MAX_ATTEMPTS = len(PAUSES_SECONDS) + 1
_SKEW = timedelta(minutes=5)
_SWEEP_SECONDS = 60
_DELIVERIES_A_SWEEP = 200
_LONGEST_WAIT_SECONDS = 86_400  # that a receiver may ask for
_GONE = 410


def owe(deliveries: Sequence[WebhookDelivery]) -> None:
    """Part of the caller's transaction."""
    for delivery in deliveries:
        delivery.save()
        transaction.on_commit(partial(_ring, delivery.pk), robust=True)


def send_due() -> None:
    """Sends what is due, the longest overdue first."""
    ends = time.monotonic() + _SWEEP_SECONDS
    due = _due(timezone.now()).order_by("due_at").values_list("pk", flat=True)
    for delivery_id in list(due[:_DELIVERIES_A_SWEEP]):
        _try(delivery_id)
        if time.monotonic() > ends:
            return


def send_again(delivery: WebhookDelivery) -> None:
    """Now, under the same webhook-id; also one that has arrived."""
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            due_at=timezone.now(), attempts=0, delivered_at=None
        )
        transaction.on_commit(partial(_ring, delivery.pk), robust=True)


def rotate_secret(endpoint: WebhookEndpoint) -> str:
    """The new secret. For a day both sign, so that the receiver can change over in peace."""
    secret = new_secret()
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        old_secret=F("secret"),
        old_secret_until=timezone.now() + timedelta(hours=OLD_SECRET_HOURS),
        secret=secret,
    )
    return secret


@shared_task(name="assistant.deliver_webhook", soft_time_limit=40, time_limit=55)  # type: ignore[untyped-decorator]
def deliver(delivery_id: int) -> None:
    _try(delivery_id)


def _ring(delivery_id: int) -> None:
    if not settings.CELERY_TASK_ALWAYS_EAGER:  # else a sweep takes it: nobody's request waits for a receiver
        bell.send(deliver, delivery_id, about=f"webhook delivery {delivery_id}")


def _due(now: datetime) -> QuerySet[WebhookDelivery]:
    """Also what is to wait for longer than anything waits: the clock was set back."""
    beyond = Q(due_at__gt=now + timedelta(seconds=_LONGEST_WAIT_SECONDS) + _SKEW)
    return WebhookDelivery.objects.filter(Q(due_at__lte=now) | beyond, endpoint__is_active=True)


def _try(delivery_id: int) -> None:
    now = timezone.now()
    lease = now + timedelta(seconds=LEASE_SECONDS)
    if not _due(now).filter(pk=delivery_id).update(due_at=lease, attempts=F("attempts") + 1):
        return
    delivery = WebhookDelivery.objects.select_related("endpoint", "message").get(pk=delivery_id)
    mine = WebhookDelivery.objects.filter(pk=delivery_id, due_at=lease)
    if delivery.message is not None and delivery.message.withdrawn_at is not None:
        mine.delete()  # the reply was taken back: it has never been an event
        return
    started = time.monotonic()
    code, wait_seconds, error = None, 0, ""
    try:
        code, wait_seconds = _post(delivery)
    except TargetRefused as refusal:
        error = str(refusal)
    except (OSError, http.client.HTTPException) as failure:
        error = f"{type(failure).__name__}: {failure}"
    took = round((time.monotonic() - started) * 1000)
    result = {"status_code": code, "duration_ms": took}
    if code is not None and 200 <= code < 300:
        mine.update(due_at=None, delivered_at=timezone.now(), error="", **result)
        return
    if code == _GONE:
        WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).update(
            is_active=False, stopped_why="410 Gone"
        )
    tries = delivery.attempts
    pause = max(PAUSES_SECONDS[tries - 1], wait_seconds) if tries < MAX_ATTEMPTS else None
    mine.update(
        due_at=timezone.now() + timedelta(seconds=pause) if pause is not None else None,
        error=(error or f"HTTP {code}").replace("\x00", "")[:500],
        **result,
    )
    log.warning("webhook delivery %d: try %d failed (%s)", delivery_id, tries, code or "no answer")


def _post(delivery: WebhookDelivery) -> tuple[int, int]:
    """The answer's status and the seconds it asks us to wait."""
    endpoint, body = delivery.endpoint, delivery.body.encode()
    target = target_of(endpoint.url)
    timestamp = int(time.time())
    signature = sign(
        endpoint.secrets_in_force(), message_id=delivery.event_id, timestamp=timestamp, body=body
    )
    connection = connection_to(target)
    sock = connection.sock

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(_TOTAL_SECONDS, hang_up)
    watch.daemon = True
    watch.start()
    try:
        connection.request(
            "POST",
            target.path,
            body,
            {
                "Content-Type": "application/json",
                "User-Agent": "helpcenter-webhooks/1",
                "webhook-id": delivery.event_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signature,
            },
        )
        answer = connection.getresponse()
        wait = answer.headers.get("Retry-After", "")
        return answer.status, min(int(wait), _LONGEST_WAIT_SECONDS) if wait.isdecimal() else 0
    finally:
        watch.cancel()
        connection.close()
