"""Two of Celery's own parts, adapted: beat stops ringing where nobody listens, and a worker that has lost the broker
looks for it every two seconds, however long it was away and whatever it had in hand.

Named in the settings and imported by beat and worker alone.
"""

import functools
import logging
from typing import Any

from celery.beat import Scheduler
from celery.worker.consumer import Consumer
from kombu.transport import redis

log = logging.getLogger(__name__)

_ENOUGH = 100  # messages that wait; one more wake-up by the clock would tell nobody anything


class SparingScheduler(Scheduler):  # type: ignore[misc]
    """Beat that adds nothing to a long queue, such as that of a site whose workers are stopped for a night.

    What it would ring for is found by the next ring all the same.
    """

    _is_quiet = False

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> Any:
        waiting = self._waiting(producer)
        if waiting < _ENOUGH:
            self._is_quiet = False
            return super().apply_async(entry, producer=producer, advance=advance, **options)
        if not self._is_quiet:
            log.warning("%d messages wait for a worker; beat adds nothing to them", waiting)
        self._is_quiet = True
        if advance:
            self.reserve(entry)
        return None

    def _waiting(self, producer: Any) -> int:
        try:
            channel = (producer or self.producer).channel
            return int(channel.queue_declare(self.app.conf.task_default_queue, passive=True).message_count)
        except Exception as error:  # whatever the broker's client raises: ringing tells more than counting
            log.debug("The queue cannot be counted: %s", error)
            return 0


class _Channel(redis.Channel):
    """Kombu's own fails with an AttributeError once its connection is closed, which nobody expects: a worker that held
    a task and listened for more when Redis went away ended there, giving the task back.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection.client is None:
            raise ConnectionError("The connection to the broker was closed")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]


class _Transport(redis.Transport):
    Channel = _Channel


class ReturningConsumer(Consumer):  # type: ignore[misc]
    """Celery's own waits two seconds longer after each try, up to half a minute."""

    def ensure_connected(self, conn: Any) -> Any:
        if conn.get_transport_cls() is redis.Transport:
            conn.transport_cls = _Transport
        conn.ensure_connection = functools.partial(
            conn.ensure_connection, interval_start=1, interval_step=1, interval_max=2
        )
        return super().ensure_connected(conn)
