"""`python -m tests.chaos`: kills and faults against real processes, and a table of what came of them.

Exit code 0 only when every invariant held. `make chaos` runs the long version; the tests run a short one.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.chaos.kills import Report, Site
from tests.chaos.points import POINTS
from tests.chaos.stacks import FAULTS, Shape, Stack
from tests.processes import chroma_server, free_port, manage

if TYPE_CHECKING:
    from tests.chaos.load import Row

_KILLS_A_SITE = 100
_HEAD = (
    "fault",
    "times",
    "acknowledged writes",
    "lost",
    "duplicates",
    "answers",
    "wrong citations",
    "failed",
    "slowest request (s)",
    "seconds to converge",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", choices=["kills", "load"])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kills", type=int, default=300, help="processes killed (kills)")
    parser.add_argument("--shape", choices=list(Shape), default=Shape.SERVE, help="what runs (load)")
    parser.add_argument("--threads", type=int, default=8, help="people at once (load)")
    parser.add_argument("--operations", type=int, default=500, help="of each of them, in all (load)")
    parser.add_argument("--faults", default="", help="how their names begin, separated by commas (load)")
    parser.add_argument(
        "--patience",
        type=float,
        default=1.0,
        help="times the limits where a new process loads the model, on cores with other work (load)",
    )
    parser.add_argument(
        "--server",
        default=os.environ.get("TEST_DATABASE_URL", ""),
        help="PostgreSQL; without it, no run needs one",
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="helpcenter-chaos-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped
    try:
        with ExitStack() as resources:
            return (_kills if options.what == "kills" else _load)(options, folder, resources)
    finally:
        if not os.environ.get("CHAOS_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


# --- kills --------------------------------------------------------------------------------------------------


def _kills(options: argparse.Namespace, folder: Path, resources: ExitStack) -> int:
    """A hundred on a site, then a fresh one: SQLite with a folder, and in turn with a server, and PostgreSQL."""
    reports: list[Report] = []
    left = options.kills
    _say(options, _HEAD, ["---"] * len(_HEAD))
    while left > 0:
        number = len(reports)
        name, values = _surroundings(number, folder, options.server, resources)
        site = new_site(folder / str(number), options.seed + number, **values)
        report = run_kills(site, min(left, _KILLS_A_SITE))
        reports.append(report)
        left -= report.kills.total()
        _say(options, _kill_cells(f"kill -9, {name}", report))
        _complain(report.errors, report.wrong, report.undecided)
    if options.json:
        print(json.dumps([_as_json(one) for one in reports]))
    else:
        kills: Counter[str] = sum((one.kills for one in reports), Counter())
        print(f"\nKilled at: {', '.join(f'{work} {count}' for work, count in kills.most_common())}.")
        reached = set().union(*(one.points_reached for one in reports)) & {str(point) for point in POINTS}
        print(f"Named points reached: {len(reached)} of {len(POINTS)}.")
    return 0 if all(report.is_clean for report in reports) else 1


def _surroundings(number: int, folder: Path, server: str, resources: ExitStack) -> tuple[str, dict[str, str]]:
    if number % 3 == 1:
        port = free_port()
        resources.enter_context(chroma_server(folder / f"chroma-{number}", port))
        return "SQLite, Chroma server", {"CHROMA_URL": f"http://127.0.0.1:{port}"}
    if number % 3 == 2 and server:
        return "PostgreSQL, index folder", {"DATABASE_URL": resources.enter_context(_database(server))}
    return "SQLite, index folder", {}


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"chaos_{os.getpid()}_{time.time_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{server.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def new_site(folder: Path, seed: int, **values: str) -> Site:
    folder.mkdir(exist_ok=True)
    migrated = manage(folder, "migrate", "--verbosity", "0", timeout=300, **values)
    assert migrated.returncode == 0, migrated.stderr
    return Site(folder, seed, **values)


def run_kills(site: Site, kills: int) -> Report:
    """Each point once, in an order of its own, and then anything at any moment."""
    try:
        site.fill()
        points = site.rng.sample(POINTS, len(POINTS))
        while site.report.kills.total() < kills:
            if points:
                site.kill_at(points.pop())
            else:
                site.kill_somewhere()
            if site.report.lives % 20 == 0:
                site.check()
        site.settle()
    finally:
        site.stop()
    return site.report


def _kill_cells(name: str, report: Report) -> Sequence[object]:
    return (
        name,
        report.kills.total(),
        report.acknowledged,
        len(report.lost),
        len(report.duplicates),
        report.answered,
        len(report.wrong),
        len(report.errors) + len(report.undecided) + report.unsent,
        "–",
        _seconds(report.seconds_to_converge),
    )


# --- load ---------------------------------------------------------------------------------------------------


def _load(options: argparse.Namespace, folder: Path, resources: ExitStack) -> int:
    os.environ["DATA_DIR"] = str(folder)
    values = {"ABUSE_PROTECTION": "0", "STATIC_MANIFEST": "0"}
    if options.shape == Shape.PARTS:
        values["DATABASE_URL"] = resources.enter_context(_database(options.server))
    stack = Stack(Shape(options.shape), folder, values)
    os.environ.update(stack.values)
    (folder / "static").mkdir()
    os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from tests.chaos.load import Load

    call_command("migrate", verbosity=0)
    names = [name.strip() for name in options.faults.split(",") if name.strip()]
    faults = [
        fault
        for fault in FAULTS
        if stack.shape in fault.shapes and (not names or any(fault.name.startswith(name) for name in names))
    ]
    resources.callback(connections.close_all)
    resources.callback(stack.stop)
    stack.start()
    rows: list[Row] = []
    load = Load(stack, threads=options.threads, seed=options.seed, patience=options.patience)
    load.warm_up()
    _say(options, _HEAD, ["---"] * len(_HEAD))
    for fault in faults:
        row = load.meet(fault, operations=-(-options.operations // len(faults)))
        rows.append(row)
        _say(options, _load_cells(f"{stack.shape}: {row.fault}", row))
        _complain(row.failed, row.wrong, row.lost, row.duplicates)
    if options.json:
        print(json.dumps([_as_json(row) for row in rows]))
    return 0 if rows and all(row.is_clean for row in rows) else 1


def _load_cells(name: str, row: "Row") -> Sequence[object]:
    return (
        name,
        1,
        row.acknowledged,
        len(row.lost),
        len(row.duplicates),
        row.quoting,
        len(row.wrong),
        len(row.failed),
        _seconds(row.slowest_seconds),
        _seconds(row.seconds_to_converge),
    )


# --- printing -----------------------------------------------------------------------------------------------


def _say(options: argparse.Namespace, *rows: Sequence[object]) -> None:
    if not options.json:
        for row in rows:
            print(f"| {' | '.join(map(str, row))} |", flush=True)


def _as_json(outcome: "Report | Row") -> dict[str, Any]:
    values = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}


def _complain(*lists: Iterable[str]) -> None:
    for words in lists:
        for one in words:
            print(f"  ! {one}", file=sys.stderr, flush=True)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
