"""A TCP proxy with faults: what passes through it can be delayed, withheld, cut in the middle or reset."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Fault(StrEnum):
    NONE = "none"
    SILENCE = "silence"  # connections are taken and nothing comes back, as from a stopped process
    DRIP = "drip"  # an answer comes byte by byte, so that no single wait is long
    CUT = "cut"  # an answer ends in the middle
    RESET = "reset"  # connections are reset as soon as something is asked


class Proxy:
    """`fault` and `delay_seconds` may be changed at any time, also for connections that are open."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.fault = Fault.NONE
        self.delay_seconds = 0.0  # before each part of an answer
        self.requests = 0  # parts that came from clients
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _reset(writer)
            return
        pair = (self._ask(reader, there_writer, writer), self._answer(there_reader, writer))
        tasks = [asyncio.create_task(one) for one in pair]
        with contextlib.suppress(asyncio.CancelledError):  # by `stop`
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        there_writer.close()
        writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while data := await _read(reader):
            self.requests += 1
            if self.fault == Fault.RESET:
                _reset(back)
                return
            if self.fault != Fault.SILENCE:
                there.write(data)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            await asyncio.sleep(self.delay_seconds)
            if self.fault == Fault.CUT:
                writer.write(data[: len(data) // 2])
                return
            if self.fault == Fault.DRIP:
                for position in range(len(data)):
                    writer.write(data[position : position + 1])
                    await asyncio.sleep(0.05)
            elif self.fault != Fault.SILENCE:
                writer.write(data)


@contextmanager
def proxy_to(target_port: int) -> Iterator[Proxy]:
    proxy = Proxy(target_port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closed with nothing sent and nothing awaited, the socket tells the other side by a reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
