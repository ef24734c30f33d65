"""A site on which processes are killed, one after the other, while people write and ask; then it has to be whole.

One process at a time: what is right is then known exactly. Many at once are `load`'s business.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

from tests.chaos.forkserver import Fate, ForkServer, Life
from tests.chaos.ledger import Citation, Ledger, Text
from tests.chaos.points import Point, Work, some_point
from tests.chaos.steps import LONG_SECTIONS, Kind, Step, snapshot_from_json

CONVERGE_SECONDS = 15.0
LIMIT_SECONDS = 60.0  # when waiting for it is given up
_ARTICLES = 24
_WORDS = ("quokka", "wombat", "numbat", "bilby", "dunnart", "potoroo", "bettong", "pademelon")
_LONGEST_MOMENT_SECONDS = 0.6


@dataclass
class Report:
    kills: Counter[str] = field(default_factory=Counter)  # by work
    lives: int = 0
    points_reached: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)  # steps that failed although nobody was killed
    answered: int = 0
    asked: int = 0
    wrong: list[str] = field(default_factory=list)
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    unsent: int = 0
    mails: int = 0
    mails_twice: int = 0  # the same Message-ID again, as "at least once" allows
    seconds_to_converge: float | None = None

    @property
    def is_clean(self) -> bool:
        broken = self.wrong or self.lost or self.duplicates or self.undecided or self.unsent or self.errors
        is_in_time = self.seconds_to_converge is not None and self.seconds_to_converge <= CONVERGE_SECONDS
        return not broken and is_in_time


class Site:
    """`values`: the environment of its processes, where it is not the default one."""

    def __init__(self, data_dir: Path, seed: int, **values: str) -> None:
        (data_dir / "static").mkdir(exist_ok=True)  # whitenoise warns at every client where it is missing
        self.data_dir = data_dir
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.report = Report()
        # What is retired is removed at once, so that a kill can come in between.
        self.server = ForkServer(data_dir, RETIRED_INDEX_SECONDS="0", **values)
        self._numbers = 0
        self._answered_keys: list[str] = []
        self._pending: list[Step] = []  # requests whose customer got no answer and will send them again

    def stop(self) -> None:
        self.server.stop()

    # --- what is done ------------------------------------------------------------------------------------------

    def fill(self) -> None:
        self._lives([self._writes(f"article-{n}", is_told=False) for n in range(_ARTICLES)])
        self._lives([Step(Kind.SWEEP), Step(Kind.REPAIR)])
        self._lives([self._asks(f"article-{n}") for n in range(4)])

    def kill_at(self, point: Point, nth: int = 1) -> bool:
        """Whether it was reached."""
        return self._dies(point.work, Fate(point, nth))

    def kill_at_a_moment(self) -> bool:
        seconds = self.rng.uniform(0.005, _LONGEST_MOMENT_SECONDS)
        return self._dies(self.rng.choice(list(Work)), Fate(after_seconds=seconds))

    def kill_somewhere(self) -> bool:
        if self.rng.random() < 0.25:
            return self.kill_at_a_moment()
        point, nth = some_point(self.rng)
        return self.kill_at(point, nth)

    def settle(self) -> None:
        """The last fault is over: people send again what was not answered, and the sweep does the rest."""
        ended = time.monotonic()
        self._lives(self._pending_ones())
        while self.report.seconds_to_converge is None and time.monotonic() - ended < LIMIT_SECONDS:
            life = self.server.live([Step(Kind.SWEEP), Step(Kind.REPAIR), Step(Kind.CHECK)])
            if life.results[2:] and life.results[2]["clean"]:
                self.report.seconds_to_converge = time.monotonic() - ended
            else:
                time.sleep(0.2)
        # A change of the model that was cut off so often can still be carried through.
        self._lives([Step(Kind.CHANGE_MODEL), Step(Kind.CHECK)])
        self._lives([self._asks(slug) for slug in self.ledger.slugs()])
        self._lives([Step(Kind.LET_TIME_PASS)])
        self.check()

    def check(self) -> None:
        found = snapshot_from_json(self.server.live([Step(Kind.SNAPSHOT)]).results[0])
        findings = self.ledger.compared(found)
        self.ledger.settles(found.articles)
        self.report.acknowledged = findings.acknowledged
        self.report.lost, self.report.duplicates = findings.lost, findings.duplicates
        self.report.undecided, self.report.unsent = list(found.undecided), found.unsent
        ids = Counter(_message_ids(self.data_dir / "mail"))
        self.report.mails, self.report.mails_twice = len(ids), ids.total() - len(ids)

    # --- how ---------------------------------------------------------------------------------------------------

    def _dies(self, work: Work, fate: Fate) -> bool:
        before, at_work = self._steps_for(work)
        before = [*self._pending_ones(), *before, self._asks(self.rng.choice(self.ledger.slugs()))]
        life = self._lives([*before, *at_work], fate, unarmed=len(before))
        self.report.kills[work] += life.was_killed
        if life.was_killed and fate.point is not None:
            self.report.points_reached.add(str(fate.point))
        return life.was_killed

    def _steps_for(self, work: Work) -> tuple[list[Step], list[Step]]:
        """What has to be there, and what is going on when the kill comes."""
        some = self.rng.sample([slug for slug in self.ledger.slugs() if self.ledger.text_of(slug)], 3)
        match work:
            case Work.SWEEP:
                edits = [self._writes(slug, is_told=False) for slug in some]
                withdrawn = self._writes(some[2], status="archived", is_told=False)
                return [*edits[:2], self._writes(self._new_slug(), is_told=False), withdrawn], [
                    Step(Kind.SWEEP)
                ]
            case Work.LONG_SWEEP:
                return [self._writes("manual", sections=LONG_SECTIONS, is_told=False)], [Step(Kind.SWEEP)]
            case Work.EDIT:
                return [], [self._writes(some[0]), self._writes(some[1], status="archived")]
            case Work.DELETE:
                there = [self._writes(some[0], is_told=False), Step(Kind.SWEEP)]
                return there, [Step(Kind.DELETE, some[0])]
            case Work.REPAIR:
                return [Step(Kind.REPAIR), Step(Kind.LOSE)], [Step(Kind.REPAIR)]
            case Work.HEAL:
                return [Step(Kind.REPAIR), Step(Kind.SCRAMBLE)], [Step(Kind.REPAIR)]
            case Work.REBUILD:
                return [], [Step(Kind.REBUILD)]
            case Work.CHANGE_MODEL:
                edited = self._writes(some[0], is_told=False)  # otherwise all may be embedded already
                return [Step(Kind.LET_LEASES_END), edited, Step(Kind.SWEEP)], [Step(Kind.CHANGE_MODEL)]
            case Work.MAIL:
                return [self._opens_ticket(), Step(Kind.LET_TIME_PASS)], [self._opens_ticket()]
            case Work.ANSWER:
                there = [self._writes(some[0], is_told=False), Step(Kind.SWEEP)]
                return there, [self._asks(some[0])]
            case Work.ESCALATE:
                return [], [Step(Kind.ASK, key=self._key(), words="Which wine goes with roasted duck?")]
            case Work.TICKET:
                return [], [self._opens_ticket()]
            case Work.FEEDBACK:
                key = self.rng.choice(self._answered_keys)
                return [], [Step(Kind.FEEDBACK, key=key, helpful=self.rng.random() < 0.5)]

    def _lives(self, steps: Sequence[Step], fate: Fate | None = None, *, unarmed: int = 0) -> Life:
        """Writes the ledger: what was finished is acknowledged, what was under way is in doubt."""
        began = time.monotonic()
        life = self.server.live(steps, fate, unarmed=unarmed)
        self.report.lives += 1
        if life.error:
            self.report.errors.append(life.error)
        for step, result in zip(steps, life.results, strict=False):
            self._acknowledged(step, result, began)
        if len(life.results) < len(steps):
            self._in_doubt(steps[len(life.results)], began)
        return life

    def _acknowledged(self, step: Step, result: dict[str, Any], began: float) -> None:
        now = time.monotonic()
        match step.kind:
            case Kind.WRITE | Kind.DELETE:
                version = self.ledger.begins(step.slug, step.text, began)
                self.ledger.acknowledges(step.slug, version, now)
            case Kind.ASK:
                self.report.asked += 1
                self._expect(step, result, {200, 201})
                self.ledger.asked(step.key, step.words)
                self.report.answered += result["is_answered"]
                if result["is_answered"]:
                    self._answered_keys.append(step.key)
                citations = [Citation(**one) for one in result["citations"]]
                self.report.wrong += self.ledger.wrong(citations, asked_at=now)
                if not (result["is_answered"] or result["has_ticket"]):
                    self.report.errors.append(f"question {step.key} ended in nothing")
            case Kind.CHECK:
                self.report.errors += [] if result["clean"] else ["index and database differ at the end"]
            case Kind.TICKET:
                self._expect(step, result, {200, 201})
                self.ledger.opened(step.words, step.words)
            case Kind.FEEDBACK:
                self._expect(step, result, {200})
                self.ledger.judged(step.key, step.helpful)

    def _in_doubt(self, step: Step, began: float) -> None:
        match step.kind:
            case Kind.WRITE | Kind.DELETE:
                self.ledger.begins(step.slug, step.text, began)
            case Kind.FEEDBACK:
                self.ledger.begins_to_judge(step.key, step.helpful)
            case Kind.ASK | Kind.TICKET:
                self._pending.append(step)

    def _expect(self, step: Step, result: dict[str, Any], statuses: set[int]) -> None:
        if result["status"] not in statuses:
            self.report.errors.append(f"{step.kind} {step.key}: {result['status']}")

    def _pending_ones(self) -> list[Step]:
        pending, self._pending = self._pending, []
        return pending

    # --- texts -------------------------------------------------------------------------------------------------

    def _writes(
        self, slug: str, *, status: str = "published", sections: int = 0, is_told: bool = True
    ) -> Step:
        number = self._number()
        body = f"The {_name(slug)} voucher number {number} costs {number} euros and lasts {number + 1} days."
        body += "".join(
            f"\n\n## Part {part}\n\nStep {part} of edition {number} needs tool {part} of {number}."
            for part in range(sections)
        )
        return Step(Kind.WRITE, slug, Text(f"The {_name(slug)} voucher", body, status), is_told=is_told)

    def _asks(self, slug: str) -> Step:
        return Step(Kind.ASK, key=self._key(), words=f"What does the {_name(slug)} voucher cost in euros?")

    def _opens_ticket(self) -> Step:
        key = self._key()
        return Step(Kind.TICKET, key=key, words=f"Invoice {key} is missing")

    def _new_slug(self) -> str:
        return f"article-{self._number() + 1000}"

    def _key(self) -> str:
        return f"key-{self._number()}"

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def _name(slug: str) -> str:
    """Of an animal and a number, so that no two articles share it."""
    number = sum(map(ord, slug)) if not slug[-1].isdigit() else int(slug.rsplit("-", 1)[1])
    return f"{_WORDS[number % len(_WORDS)]}{number}"


def _message_ids(folder: Path) -> list[str]:
    ids = []
    for file in folder.glob("*.log"):
        for raw in file.read_bytes().split(b"\n" + b"-" * 79 + b"\n"):
            if raw.strip():
                ids.append(str(message_from_bytes(raw.lstrip())["Message-ID"]))
    return ids
