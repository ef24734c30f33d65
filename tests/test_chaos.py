"""Processes are killed at every named point, and faults met under load; afterwards nothing is lost, wrong or doubled.

The short version of `make chaos`, and the ledger that both rely on: first that it finds what it is there to find.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.__main__ import new_site, run_kills
from tests.chaos.ledger import Citation, Ledger, Snapshot, Text
from tests.chaos.points import POINTS, Point, When, Work, arm
from tests.processes import ROOT, environment

KILLS = len(POINTS) + 10

# --- the ledger ---------------------------------------------------------------------------------------------


def text(body: str, status: str = "published", audience: str = "public") -> Text:
    return Text("Title", body, status, audience)


def wrote(ledger: Ledger, body: str, at: float, **fields: str) -> None:
    ledger.acknowledges("pause", ledger.begins("pause", text(body, **fields), at), at + 1)


def found(ledger: Ledger, **rows: object) -> list[str]:
    values: dict[str, object] = {
        **{"articles": {}, "questions": {}, "undecided": [], "tickets": {}, "feedback": {}, "unsent": 0},
        **rows,
    }
    findings = ledger.compared(Snapshot(**values))  # type: ignore[arg-type]
    return findings.lost + findings.duplicates


def cites(ledger: Ledger, quote: str, asked_at: float) -> bool:
    return not ledger.wrong([Citation("pause", quote, 0, len(quote))], asked_at=asked_at)


def test_the_ledger_misses_what_was_acknowledged_and_nothing_else():
    ledger = Ledger()
    wrote(ledger, "First.", 0)
    wrote(ledger, "Second.", 10)
    assert found(ledger, articles={"pause": text("Second.")}) == []
    assert found(ledger, articles={"pause": text("First.")}) == ["article pause"]
    assert found(ledger) == ["article pause"]
    ledger.begins("pause", text("Third."), 20)  # whoever wrote it was killed
    assert found(ledger, articles={"pause": text("Second.")}) == []
    assert found(ledger, articles={"pause": text("Third.")}) == []
    assert found(ledger, articles={"pause": text("First.")}) == ["article pause"]
    ledger.settles({"pause": text("Third.")})
    assert found(ledger, articles={"pause": text("Second.")}) == ["article pause"]


def test_the_ledger_knows_a_deletion():
    ledger = Ledger()
    wrote(ledger, "First.", 0)
    ledger.acknowledges("pause", ledger.begins("pause", None, 5), 6)
    assert found(ledger) == []
    assert found(ledger, articles={"pause": text("First.")}) == ["article pause"]


def test_the_ledger_finds_lost_and_doubled_requests():
    ledger = Ledger()
    ledger.asked("q", "Why?")
    ledger.opened("t", "Help")
    ledger.begins_to_judge("q", True)
    fine: dict[str, object] = {"questions": {"q": ["Why?"]}, "tickets": {"t": ["Help"]}}
    assert found(ledger, **fine) == []
    assert found(ledger, **fine, feedback={"q": True}) == []
    ledger.judged("q", True)
    assert found(ledger, **fine) == ["feedback q"]
    assert found(ledger, **fine, feedback={"q": False}) == ["feedback q"]
    assert found(ledger, questions={"q": ["When?"]}, tickets={}, feedback={"q": True}) == [
        "question q",
        "ticket t",
    ]
    assert found(ledger, questions={"q": ["Why?"]}, tickets={"t": ["Help"] * 2}, feedback={"q": True}) == [
        "ticket t"
    ]


def test_a_citation_is_wrong_from_the_acknowledged_change_on():
    ledger = Ledger()
    wrote(ledger, "First.", 0)
    wrote(ledger, "Second.", 10)
    assert cites(ledger, "First.", asked_at=5)
    assert cites(ledger, "First.", asked_at=10.5)  # the change may not have been committed yet
    assert not cites(ledger, "First.", asked_at=12)
    assert cites(ledger, "Second.", asked_at=12)
    assert not cites(ledger, "Third.", asked_at=12)
    for number, fields in enumerate(({"status": "archived"}, {"audience": "internal"})):
        wrote(ledger, "Second.", 20 + 10 * number, **fields)
        assert not cites(ledger, "Second.", asked_at=25 + 10 * number)


# --- kills --------------------------------------------------------------------------------------------------


def test_a_point_whose_name_is_gone_is_an_error():
    for target in ("knowledge.outbox:Edition.gone", "knowledge.indexing.syncing:_gone"):
        with pytest.raises(AttributeError, match="gone"):
            arm(Point(Work.SWEEP, "gone", target, When.BEFORE), 1)


def test_points_have_names_of_their_own():
    assert len({str(point) for point in POINTS}) == len(POINTS)
    assert {point.work for point in POINTS} == set(Work)


@pytest.fixture
def site(tmp_path):
    return new_site(tmp_path, seed=4)


def test_after_a_kill_at_every_named_point_the_site_is_whole(site):
    report = run_kills(site, KILLS)
    assert report.kills.total() >= 60
    assert report.points_reached >= {str(point) for point in POINTS}
    assert report.errors == []
    assert report.lost == report.duplicates == report.undecided == []
    assert report.wrong == []
    assert report.unsent == 0
    assert report.answered > 10  # otherwise there was nothing that could be cited wrongly
    assert report.mails >= 5
    assert report.is_clean, report


# --- load ---------------------------------------------------------------------------------------------------


def run_load(tmp_path: Path, faults: str, *options: str) -> list[dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "tests.chaos",
        "load",
        "--json",
        "--seed",
        "4",
        "--faults",
        faults,
        *options,
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(rows) == len(faults.split(","))
    assert sum(row["quoting"] for row in rows) > 0  # otherwise there was nothing that could be cited wrongly
    return rows


@pytest.mark.xdist_group("serve")
def test_faults_under_load_cost_nobody_an_answer(tmp_path):
    faults = "vector server killed,index folder deleted,half of the index,database locked for 3 s"
    rows = run_load(tmp_path, faults, "--threads", "4", "--operations", "60")
    assert sum(row["operations"] for row in rows) >= 240


@pytest.mark.services
@pytest.mark.xdist_group("stack")
def test_in_parts_neither_redis_nor_workers_are_missed(tmp_path):
    server = os.environ["TEST_DATABASE_URL"]
    faults = "Redis stopped,Redis killed,worker killed,vector server killed"
    load = ("--threads", "4", "--operations", "60", "--patience", "2")  # other tests have the cores as well
    run_load(tmp_path, faults, "--shape", "parts", "--server", server, *load)
