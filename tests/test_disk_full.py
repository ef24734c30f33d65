"""The disk is full: what was acknowledged is there, what cannot be stored is refused, and then it goes on.

A real one, of a few megabytes, where this machine lets us mount it.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.chaos.__main__ import new_site
from tests.chaos.kills import Site
from tests.chaos.ledger import Text
from tests.chaos.steps import Kind, Step, snapshot_from_json

_MEGABYTES = 24
_LARGE = (
    "The quokka sleeps all winter. " * 4000
)  # characters: 120 kB in the database, and one long text to index


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets us mount nothing")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    yield
    filler.unlink()


def texts(number: int) -> list[Step]:
    """Until one of them does not fit any more."""
    return [
        Step(Kind.WRITE, f"long-{number}-{n}", Text("Long", f"{n}. {_LARGE}", "published"), is_told=False)
        for n in range(_MEGABYTES * 10)
    ]


def stored_slugs(site: Site) -> set[str]:
    life = site.server.live([Step(Kind.SNAPSHOT)])
    return set(snapshot_from_json(life.results[0]).articles)


def test_a_full_disk_loses_nothing_and_is_got_over(small_disk):
    site = new_site(small_disk, seed=1)
    try:
        site.fill()
        site.server.live(
            [Step(Kind.WRITE, "waiting", Text("Waiting", "It waits.", "published"), is_told=False)]
        )
        before = stored_slugs(site)
        ask = Step(Kind.ASK, key="during", words="What does the quokka0 voucher cost in euros?")
        ticket = Step(Kind.TICKET, key="ticket", words="Invoice")
        steps = texts(1)
        with full(small_disk):
            written = site.server.live(steps)
            assert "disk is full" in written.error or "disk I/O error" in written.error
            assert len(written.results) < len(steps)
            refused = site.server.live([ask, ticket])
            assert [one["status"] for one in refused.results] == [503, 503]
            assert site.server.live([Step(Kind.SWEEP)]).error
        acknowledged = {step.slug for step in steps[: len(written.results)]}
        assert stored_slugs(site) == before | acknowledged

        again = site.server.live([ask, ask, ticket, ticket])
        assert [one["status"] for one in again.results] == [201, 200, 201, 200]
        assert again.results[0]["is_answered"]
        withdrawn = [Step(Kind.DELETE, slug, is_told=False) for slug in sorted(acknowledged)]
        done = site.server.live([*withdrawn, Step(Kind.SWEEP), Step(Kind.REPAIR), Step(Kind.CHECK)])
        assert done.error == ""
        assert done.results[-1] == {"clean": True}
        assert not list(small_disk.glob("index.damaged-*"))  # a full disk is no damage
    finally:
        site.stop()
