"""Tests that share something run in one worker, also where pytest and pytest-xdist disagree about how to say so."""

import os
import subprocess
import sys

from tests.grouping import scope_of
from tests.processes import ROOT

GROUP = """
import os, time
import pytest
pytestmark = pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(8))
def test_where(number):
    time.sleep(0.2)
    with open("told", "a") as told:
        print(os.environ["PYTEST_XDIST_WORKER"], file=told)
"""


def test_a_group_is_one_workers(tmp_path):
    (tmp_path / "test_group.py").write_text(GROUP)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p tests.grouping -p no:django\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    told = (tmp_path / "told").read_text().split()
    assert len(told) == 8
    assert len(set(told)) == 1


def test_only_groups_are_kept_together():
    stack, text = "tests/test_services_stack.py::test_", "tests/test_text.py::test_"
    assert scope_of(stack + "one", root=ROOT) == scope_of(stack + "two", root=ROOT)
    assert scope_of(text + "one", root=ROOT) != scope_of(text + "two", root=ROOT)
