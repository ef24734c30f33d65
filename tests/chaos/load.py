"""Eight people at once on a running help center, and one fault after the other; then it has to be whole again.

Each writes articles of his own and asks about everybody's. Who gets no answer sends the same request again under
the same key, as a browser does, and after it sometimes another one under that key, which has to be refused.
Needs Django set up on the site's own database: editors write there, customers come over HTTP.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connections

from tests.chaos.ledger import Ledger, Text
from tests.chaos.stacks import Fault, Shape, Stack
from tests.chaos.steps import Reply, is_converged, judge, open_ticket, reply_of, snapshot, write

LIMIT_SECONDS = 10.0  # by when every request has ended
CONVERGE_SECONDS = 15.0
_GIVEN_UP_SECONDS = 90.0
_HANG_SECONDS = 40.0
_WARM_SECONDS = 240.0
_PAUSE_SECONDS = 0.5  # before a customer tries again
_OWN_ARTICLES = 6
# One for each article, and far enough from each other for an answer to be sure of itself.
_THINGS = [
    "umbrella", "bicycle", "piano", "aquarium", "telescope", "wheelchair", "sauna", "canoe",
    "lawnmower", "projector", "tent", "trampoline", "microscope", "accordion", "sledge", "hammock",
    "dishwasher", "drone", "kayak", "tandem", "espresso", "violin", "surfboard", "incubator",
    "greenhouse", "snowboard", "typewriter", "barbecue", "parachute", "saxophone", "ladder", "freezer",
    "scooter", "chainsaw", "rowboat", "drum", "globe", "easel", "stroller", "compass", "toboggan",
    "harp", "treadmill", "caravan", "loom", "anvil", "sundial", "cello",
]  # fmt: skip
_ANSWERED, _REFUSED, _NO_ANSWER = "answered", "refused", "cut off"


@dataclass
class Row:
    """One fault, and what came of it."""

    fault: str
    patience: float = 1.0  # times the limits
    operations: int = 0
    requests: Counter[str] = field(default_factory=Counter)  # by how they ended
    quoting: int = 0  # questions that were answered from articles
    slowest_seconds: float = 0.0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # requests that may not end so
    seconds_to_converge: float | None = None

    @property
    def is_clean(self) -> bool:
        broken = self.lost or self.duplicates or self.wrong or self.failed
        is_quick = self.slowest_seconds <= self.patience * LIMIT_SECONDS
        seconds = self.seconds_to_converge
        return not broken and is_quick and seconds is not None and seconds <= self.patience * CONVERGE_SECONDS


class HttpApi:
    def __init__(self, port: int) -> None:
        self._port = port

    def post(self, path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """Status 0: the connection ended without an answer."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_HANG_SECONDS)
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}
        finally:
            connection.close()


class Load:
    def __init__(self, stack: Stack, *, threads: int, seed: int, patience: float = 1.0) -> None:
        """`patience`: times the limits, for faults after which a new process has to be complete."""
        self._stack = stack
        self._patience = patience
        self._threads = threads
        self._seed = seed
        self._ledger = Ledger()
        self._guard = threading.Lock()
        self._row = Row("")
        self._phase = 0
        self._keys_answered: list[str] = []

    def warm_up(self) -> None:
        """Every article once, and until all of them are indexed: the first time each process loads the model."""
        for number in range(self._threads):
            for own in range(_OWN_ARTICLES):
                self._edit(f"by-{number}-{own}", _text(f"by-{number}-{own}", 1, "warm-up"))
        assert _seconds_until_converged(time.monotonic(), _WARM_SECONDS) is not None

    def meet(self, fault: Fault, *, operations: int) -> Row:
        """`operations` by each of the threads; more while the fault lasts."""
        self._phase += 1
        self._row = row = Row(fault.name, self._patience if fault.is_of_a_model else 1.0)
        before = self._ledger.acknowledged
        over = threading.Event()
        people = [
            threading.Thread(target=self._work, args=(number, operations, over), daemon=True)
            for number in range(self._threads)
        ]
        for one in people:
            one.start()
        time.sleep(0.5)
        with fault.happens(self._stack):
            time.sleep(fault.seconds)
        over.set()
        for one in people:
            one.join()
        # From the last edit on: while people write, something is always a moment behind.
        row.seconds_to_converge = _seconds_until_converged(time.monotonic())
        findings = self._ledger.compared(snapshot())
        row.acknowledged = self._ledger.acknowledged - before
        row.lost, row.duplicates = findings.lost, findings.duplicates
        if not fault.is_of_the_web:
            unanswered = row.requests[_REFUSED] + row.requests[_NO_ANSWER]
            row.failed += [f"{unanswered} requests without an answer"] if unanswered else []
        connections.close_all()
        return row

    # --- one person --------------------------------------------------------------------------------------------

    def _work(self, number: int, operations: int, over: threading.Event) -> None:
        rng = random.Random(f"{self._seed} {self._phase} {number}")
        api = HttpApi(self._stack.port)
        done = 0
        try:
            while done < operations or not over.is_set():
                self._operate(rng, api, number, f"{self._phase}-{number}-{done}")
                done += 1
        except Exception as error:
            self._fails(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()
            with self._guard:
                self._row.operations += done

    def _operate(self, rng: random.Random, api: HttpApi, number: int, name: str) -> None:
        kind = rng.choices(
            ["edit", "withdraw", "delete", "ask", "ticket", "feedback"], [25, 10, 5, 45, 10, 5]
        )[0]
        slug = f"by-{number}-{rng.randrange(_OWN_ARTICLES)}"
        match kind:
            case "edit":
                self._edit(slug, _text(slug, rng.randrange(2, 900), name))
            case "withdraw":
                known = self._ledger.text_of(slug)
                how = rng.choice([("archived", "public"), ("draft", "public"), ("published", "internal")])
                if known is not None:
                    self._edit(slug, Text(known.title, known.body, *how))
            case "delete":
                if self._ledger.text_of(slug) is not None:
                    self._edit(slug, None)
            case "ask":
                self._ask(rng, api, name)
            case "ticket":
                subject = f"Invoice {name} is missing"
                self._until_answered(lambda: (open_ticket(api, f"t-{name}", subject), {}))
                self._ledger.opened(subject, subject)
            case "feedback":
                self._judge(rng, api)

    def _edit(self, slug: str, text: Text | None) -> None:
        version = self._ledger.begins(slug, text, time.monotonic())
        try:
            # With `serve` its sweep finds it; with a broker the worker is told.
            write(slug, text, is_told=self._stack.shape == Shape.PARTS)
        except DatabaseError:
            with self._guard:
                self._row.requests["edits refused"] += 1
            connections.close_all()
            return
        self._ledger.acknowledges(slug, version, time.monotonic())

    def _ask(self, rng: random.Random, api: HttpApi, name: str) -> None:
        slug = f"by-{rng.randrange(self._threads)}-{rng.randrange(_OWN_ARTICLES)}"
        key = f"q-{name}"
        body = {"question": f"What does renting a {_thing(slug)} cost a day?", "language": "en"}
        asked_at = time.monotonic()
        status, shown = self._until_answered(lambda: api.post("/api/v1/questions/", body, key))
        reply: Reply = reply_of(status, shown)
        self._ledger.asked(key, body["question"])
        wrong = self._ledger.wrong(reply.citations, asked_at=asked_at)
        with self._guard:
            self._row.quoting += reply.is_answered
            self._row.wrong += wrong
            if reply.is_answered:
                self._keys_answered.append(key)
        if not (reply.is_answered or reply.has_ticket):
            self._fails(f"question {key} ended in nothing")
        if rng.random() < 0.2:
            body["question"] += " And why?"
            status, _shown = self._until_answered(lambda: api.post("/api/v1/questions/", body, key))
            if status != 422:
                self._fails(f"another question under {key}: {status}")

    def _judge(self, rng: random.Random, api: HttpApi) -> None:
        with self._guard:
            if not self._keys_answered:
                return
            key = self._keys_answered.pop(rng.randrange(len(self._keys_answered)))
        helpful = rng.random() < 0.5
        self._ledger.begins_to_judge(key, helpful)
        self._until_answered(lambda: (judge(api, key, helpful), {}))
        self._ledger.judged(key, helpful)

    def _until_answered(self, send: Any) -> tuple[int, dict[str, Any]]:
        """Sends until the site says something other than "later"; each try has to end in time."""
        deadline = time.monotonic() + _GIVEN_UP_SECONDS
        while True:
            began = time.monotonic()
            try:
                status, shown = send()
            except DatabaseError:  # our own look at it; not the customer's request
                connections.close_all()
                time.sleep(_PAUSE_SECONDS)
                continue
            self._ended(status, time.monotonic() - began)
            if status not in (0, 502, 503):
                if status >= 500:
                    self._fails(f"status {status}")
                return status, shown
            if time.monotonic() > deadline:
                self._fails(f"not answered in {_GIVEN_UP_SECONDS:.0f} s, last {status}")
                return status, shown
            time.sleep(_PAUSE_SECONDS)

    def _ended(self, status: int, seconds: float) -> None:
        with self._guard:
            how = _NO_ANSWER if status == 0 else _REFUSED if status in (502, 503) else _ANSWERED
            self._row.requests[how] += 1
            self._row.slowest_seconds = max(self._row.slowest_seconds, seconds)

    def _fails(self, what: str) -> None:
        with self._guard:
            self._row.failed.append(what)


def _text(slug: str, price: int, name: str) -> Text:
    """No two are the same, because of `name`."""
    thing = _thing(slug)
    body = f"Renting a {thing} costs {price} euros a day. The {thing} has to be back by noon ({name})."
    return Text(f"Renting a {thing}", body, "published")


def _seconds_until_converged(since: float, limit: float = _GIVEN_UP_SECONDS) -> float | None:
    while time.monotonic() - since < limit:
        if is_converged():
            return time.monotonic() - since
        time.sleep(0.2)
    return None


def _thing(slug: str) -> str:
    _by, number, own = slug.split("-")
    return _THINGS[(int(number) * _OWN_ARTICLES + int(own)) % len(_THINGS)]
