"""Processes that are cheap to start and meant to die: one parent with everything imported, a fork for each life.

The parent opens nothing, neither the database nor the index, so that a child begins as a fresh process would. What
a child says goes through a pipe at once: whatever arrived was acknowledged.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.points import Point, When, Work, arm, arm_clock
from tests.chaos.steps import ClientApi, Step, line, perform
from tests.processes import ROOT, environment
from tests.seeded import easily_sure

_ENDED_WELL = 0


@dataclass(frozen=True)
class Fate:
    """How the process is to end. Neither: of itself."""

    point: Point | None = None
    nth: int = 1
    after_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        point = self.point
        names = [point.work, point.name, point.target, point.when] if point is not None else None
        return {"point": names, "nth": self.nth, "after_seconds": self.after_seconds}


@dataclass(frozen=True)
class Life:
    """What came of one process: the results of the steps that it finished, in order."""

    results: Sequence[dict[str, Any]]
    was_killed: bool
    error: str = ""  # of a step that raised


class ForkServer:
    def __init__(self, data_dir: Path, **values: str) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        fixed = {
            "EMAIL_URL": "file://",
            "STATIC_MANIFEST": "0",
            "ABUSE_PROTECTION": "0",
            "CONFIDENCE_FILE": str(easily_sure(data_dir)),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=environment(data_dir, **(fixed | values)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def live(self, steps: Sequence[Step], fate: Fate | None = None, *, unarmed: int = 0) -> Life:
        """The first `unarmed` steps are safe."""
        assert self._process.stdin is not None and self._process.stdout is not None
        fate = fate or Fate()
        order = {"steps": [step.as_json() for step in steps], "unarmed": unarmed, "fate": fate.as_json()}
        self._process.stdin.write(line(order))
        self._process.stdin.flush()
        results: list[dict[str, Any]] = []
        error = ""
        while raw := self._process.stdout.readline():
            said = json.loads(raw)
            if "ended" in said:
                return Life(results, said["ended"] != _ENDED_WELL, error)
            if "error" in said:
                error = str(said["error"])
            else:
                results.append(said["result"])
        raise AssertionError("the fork server has ended")

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


# --- in the server ------------------------------------------------------------------------------------------


def _serve() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
    import django

    django.setup()
    import bm25s  # noqa: F401

    import helpcenter.urls  # noqa: F401
    from knowledge.embeddings import use_embedder
    from knowledge.indexing import syncing
    from knowledge.vectors import chroma
    from tests.seeded import SeededEmbedder

    chroma.load()
    use_embedder(SeededEmbedder())
    syncing._RENEWAL_SECONDS = 0.0  # the real model takes longer than this one
    for raw in sys.stdin.buffer:
        order = json.loads(raw)
        pid = os.fork()
        if pid == 0:
            _live(order)
        _pid, status = os.waitpid(pid, 0)
        _say({"ended": os.waitstatus_to_exitcode(status)})


def _live(order: dict[str, Any]) -> None:
    """Never returns."""
    fate = order["fate"]
    try:
        api = ClientApi()
        for number, raw in enumerate(order["steps"]):
            if number == order["unarmed"]:
                _arm(fate)
            _say({"result": perform(Step.from_json(raw), api)})
    except BaseException as error:
        _say({"error": f"{type(error).__name__}: {error}"})
    with suppress(BaseException):
        from knowledge.vectors import reset_store

        reset_store()
    os._exit(_ENDED_WELL)


def _arm(fate: dict[str, Any]) -> None:
    if fate["point"] is not None:
        work, name, target, when = fate["point"]
        arm(Point(Work(work), name, target, When(when)), fate["nth"])
    if fate["after_seconds"]:
        arm_clock(fate["after_seconds"])


def _say(value: dict[str, Any]) -> None:
    os.write(sys.stdout.fileno(), line(value))


if __name__ == "__main__":
    _serve()
