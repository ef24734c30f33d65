"""Children that are kept running, and that never outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpcenter.supervision import Child, ChildKeepsFailingError
from tests.processes import ROOT, wait_until


def sleeper(code="import time; time.sleep(60)"):
    return [sys.executable, "-S", "-c", code]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def tended(child, seconds=5.0):
    wait_until(child.tend, seconds=seconds, what="the child is started again")


def test_a_child_that_ends_is_started_again_and_its_crash_remembered():
    starts: list[list[str]] = []

    def command():
        starts.append(sleeper())
        return starts[-1]

    child = Child("it", command)
    child.start()
    for number, ending in enumerate((signal.SIGKILL, signal.SIGSEGV), start=1):
        os.kill(child.pid, ending)
        wait_until(lambda: not child.is_running, seconds=5, what="it has ended")
        tended(child)
        assert child.is_running
        assert child.failures == number
    assert child.crashes == 1  # being killed is no fault of its own
    assert len(starts) == 3
    child.stop(1)
    assert not child.is_running


def test_a_child_that_always_ends_at_once_is_given_up(monkeypatch):
    monkeypatch.setattr("helpcenter.supervision._FIRST_PAUSE_SECONDS", 0.001)
    child = Child("The web server", lambda: sleeper("raise SystemExit(3)"))
    child.start()

    def tend_for_ever():
        while True:
            child.tend()
            time.sleep(0.01)

    with pytest.raises(ChildKeepsFailingError, match="The web server ended 7 times"):
        tend_for_ever()


def test_stopping_insists_on_the_child_and_on_what_it_started(tmp_path):
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid) + chr(10))\n"
        "time.sleep(60)\n"
    )
    child = Child("it", lambda: sleeper(stubborn))
    child.start()
    file = tmp_path / "pid"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), seconds=120, what="it runs")
    grandchild = int(file.read_text())
    child.stop(0.2)
    wait_until(lambda: not is_alive(grandchild), seconds=5, what="nobody is left")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent-death signal")
def test_a_killed_parent_takes_its_children_along():
    code = (
        "import sys, time\n"
        "from helpcenter.supervision import Child\n"
        "child = Child('it', lambda: [sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        time.sleep(0.3)  # the launcher needs a moment to tell the kernel
        parent.kill()
        wait_until(lambda: not is_alive(pid), seconds=5, what="the child has ended")
