"""What one client's flood costs the others, and what counting costs everybody."""

import http.client
import itertools
import json
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import django
import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from assistant.abuse.budgets import spend

_HELP = """\
Asks a running site (--site, loopback only) as several neighbours do, in turn alone and while one client sends --rate
requests a second, --rounds times; prints how long the neighbours waited and what became of the flood (200, 201:
served; 429: refused). Fails where a neighbour's p95 grows to more than twice in the middle one of the rounds, so that a
slow minute of a shared machine is not taken for the flood's doing. Each request of a neighbour comes from another
address, told by X-Forwarded-For: start the site with NUM_PROXIES=1. It writes questions: use a DATA_DIR made for it.
"""
_LONGEST_SECONDS = 120
_MOST_ROUNDS = 20
_HIGHEST_RATE = 1000  # requests a second
_CONNECTIONS = 32  # of the flood, at the same time
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.15  # of a neighbour, between two requests
_SPENDINGS = 1000
_MOST_TIMES = 2.0  # that a neighbour's p95 may grow beside a flood
_QUESTIONS = (
    "How much does a pause of my subscription cost?",
    "Wie kündige ich mein Abo?",
    "My battery does not charge in winter",
    "Was mache ich bei einem Diebstahl?",
)


@dataclass(frozen=True)
class Visit:
    method: str
    path: str
    body: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json"} if self.body else {}


@dataclass
class Tally:
    """What came of one crowd's requests."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)  # 0: no response

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile(self.seconds, percent)) * 1000 if self.seconds else float("nan")


def _together(tallies: list[Tally]) -> Tally:
    whole = Tally()
    for one in tallies:
        whole.seconds.extend(one.seconds)
        whole.statuses.update(one.statuses)
    return whole


def _ask(number: int) -> Visit:
    return Visit("POST", "/api/v1/questions/", json.dumps({"question": _QUESTIONS[number % len(_QUESTIONS)]}))


def _search(number: int) -> Visit:
    return Visit("GET", f"/en/search/?q={quote(_QUESTIONS[number % len(_QUESTIONS)])}")


def _home(_number: int) -> Visit:
    return Visit("GET", "/en/")


FLOODS = {"questions": _ask, "searches": _search, "pages": _home}


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", default="http://127.0.0.1:8000")
        parser.add_argument("--rate", type=int, default=200, help="Requests a second of the flood.")
        parser.add_argument("--seconds", type=int, default=20, help="For each of the measurements.")
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--neighbours", type=int, default=4)
        parser.add_argument("--floods", nargs="+", choices=FLOODS, default=list(FLOODS))

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = _loopback(options["site"])
        seconds, rate, rounds = options["seconds"], options["rate"], options["rounds"]
        if (
            not 1 <= seconds <= _LONGEST_SECONDS
            or not 1 <= rate <= _HIGHEST_RATE
            or not 1 <= rounds <= _MOST_ROUNDS
        ):
            raise CommandError(
                f"--seconds: 1 to {_LONGEST_SECONDS}. --rate: 1 to {_HIGHEST_RATE}. --rounds: 1 to {_MOST_ROUNDS}."
            )
        self._price_of_counting()
        crowd = (host, port, options["neighbours"], seconds)
        alone, beside, floods = (
            dict[str, list[Tally]]({name: [] for name in options["floods"]}) for _n in range(3)
        )
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), initializer=django.setup) as pool:
            pool.submit(_neighbours, host, port, options["neighbours"], 6).result()  # warm
            for turn, name in itertools.product(range(rounds), options["floods"]):
                alone[name].append(pool.submit(_neighbours, *crowd).result())
                # Another address each time: what the one before has used up would make it a weaker flood.
                client = f"203.0.113.{turn * len(FLOODS) + list(FLOODS).index(name) + 1}"
                flooding = pool.submit(_flood, host, port, name, rate, seconds + 1, client)
                time.sleep(0.5)
                beside[name].append(pool.submit(_neighbours, *crowd).result())
                floods[name].append(flooding.result())
        worst = 0.0
        for name in options["floods"]:
            times = [
                there.percentile_ms(95) / here.percentile_ms(95)
                for here, there in zip(alone[name], beside[name], strict=True)
            ]
            worst = max(worst, float(np.median(times)))
            flood = _together(floods[name])
            self._say("alone", _together(alone[name]))
            self._say(f"beside a flood of {name}", _together(beside[name]))
            self._say(f"  the flood, {flood.statuses.total() / (seconds + 1) / rounds:.0f}/s", flood)
            listed = ", ".join(f"{value:.2f}" for value in times)
            self.stdout.write(f"  p95 {np.median(times):.2f} times, the middle one of the rounds' {listed}")
        told = f"a neighbour's p95 grew to {worst:.2f} times at most; {_MOST_TIMES:.2f} are allowed"
        if worst > _MOST_TIMES:
            raise CommandError(told)
        self.stdout.write(told)

    def _say(self, who: str, tally: Tally) -> None:
        statuses = ", ".join(f"{count}x {status}" for status, count in sorted(tally.statuses.items()))
        self.stdout.write(
            f"{who}: p50 {tally.percentile_ms(50):.0f} ms, p95 {tally.percentile_ms(95):.0f} ms; {statuses}"
        )

    def _price_of_counting(self) -> None:
        settings.BUDGETS = settings.BUDGETS | {"search": (f"{_SPENDINGS * 2}/min", f"{_SPENDINGS * 2}/min")}
        seconds = []
        for number in range(_SPENDINGS):
            started = time.perf_counter()
            spend("search", f"benchmark {number % 50}")
            seconds.append(time.perf_counter() - started)
        p50, p95 = np.percentile(seconds, [50, 95]) * 1000
        self.stdout.write(f"counting one request, {connection.vendor}: p50 {p50:.2f} ms, p95 {p95:.2f} ms")


def _loopback(site: str) -> tuple[str, int]:
    parts = urlsplit(site)
    host, port = parts.hostname or "", parts.port or 80
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise CommandError(f"--site: {host!r} is not known ({error.strerror}).") from error
    if parts.scheme != "http" or not ip_address(address).is_loopback:
        raise CommandError("--site: only http and this machine itself, such as http://127.0.0.1:8000.")
    return host, port


def _neighbours(host: str, port: int, people: int, seconds: float) -> Tally:
    """Each reads, searches and asks in turn, from a new address every time."""
    tally, guard, numbers = Tally(), threading.Lock(), itertools.count(int(time.time()))
    ends_at = time.monotonic() + seconds
    kinds = itertools.cycle((_home, _search, _ask))

    def live() -> None:
        while time.monotonic() < ends_at:
            number = next(numbers)
            address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            with guard:
                visit = next(kinds)(number)
            started = time.perf_counter()
            status = _visit(http.client.HTTPConnection(host, port, timeout=_PATIENCE_SECONDS), visit, address)
            with guard:
                tally.seconds.append(time.perf_counter() - started)
                tally.statuses[status] += 1
            time.sleep(_PAUSE_SECONDS)

    _run(live, people)
    return tally


def _flood(host: str, port: int, kind: str, rate: int, seconds: float, client: str) -> Tally:
    """At fixed moments, whether or not the one before was answered, as far as the connections go."""
    tally, guard = Tally(), threading.Lock()
    begins_at = time.monotonic()
    moments: Iterator[int] = iter(range(int(rate * seconds)))

    def pour() -> None:
        line = http.client.HTTPConnection(host, port, timeout=_PATIENCE_SECONDS)
        while True:
            with guard:
                number = next(moments, None)
            if number is None or time.monotonic() - begins_at > seconds:
                return
            time.sleep(max(0.0, begins_at + number / rate - time.monotonic()))
            started = time.perf_counter()
            status = _visit(line, FLOODS[kind](number), client)
            with guard:
                tally.seconds.append(time.perf_counter() - started)
                tally.statuses[status] += 1

    _run(pour, _CONNECTIONS)
    return tally


def _visit(line: http.client.HTTPConnection, visit: Visit, address: str) -> int:
    try:
        line.request(
            visit.method, visit.path, visit.body or None, {**visit.headers, "X-Forwarded-For": address}
        )
        response = line.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        line.close()
        return 0


def _run(target: Any, count: int) -> None:
    threads = [threading.Thread(target=target) for _n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
