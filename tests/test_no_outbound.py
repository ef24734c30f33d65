"""In the default configuration nothing leaves this machine: no telemetry, no hub, no update check."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from knowledge import ownership
from tests.processes import ROOT, environment, free_port, get, line_of, wait_until

# What a careful operator sets; the defaults have to do without.
SILENCED_BY_OPERATORS = (
    *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"),
    *("ANONYMIZED_TELEMETRY", "DO_NOT_TRACK"),
)
# Python's own sockets, whichever library asks. Written into every process of the run, children included.
GUARD = """
import os, socket, sys
def _watch(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        where = arguments[1]
    elif event == "socket.getaddrinfo":
        where = arguments[:2]
    else:
        return
    if isinstance(where, (str, bytes)) or where[0] in LOCAL:
        return
    with open(os.environ["OUTBOUND_LOG"], "a") as log:
        log.write(f"{event} {where} by {sys.argv[:2]}\\n")
LOCAL = (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", b"localhost", b"127.0.0.1")
sys.addaudithook(_watch)
"""
LOOPBACK = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"|"0\.0\.0\.0"|"::ffff:127\.')
ARTICLE = "---\ntitle: Pause\nlanguage: en\n---\n\nYou can pause your subscription for three months.\n"


@dataclass
class Guarded:
    """A help center whose processes report every address that they turn to."""

    folder: Path
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        # Chroma's network code is not Python's: the kernel is asked as well, where strace is there to ask it.
        return [*self._tracer, sys.executable, "manage.py"]

    @property
    def _tracer(self) -> list[str]:
        strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,sendto", "-A", "-o"]
        if (
            shutil.which("strace")
            and subprocess.run([*strace, "/dev/null", "true"], check=False).returncode == 0
        ):
            return [*strace, str(self.folder / "strace.log")]
        return []

    def run(self, *arguments: str) -> str:
        result = subprocess.run(
            [*self.command, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def outbound(self) -> list[str]:
        trace = self.folder / "strace.log"
        calls = trace.read_text().splitlines() if trace.exists() else []
        seen = [call for call in calls if "sa_family=AF_INET" in call and not LOOPBACK.search(call)]
        return seen + (self.folder / "outbound.log").read_text().splitlines()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outbound")
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    (folder / "content").mkdir()
    (folder / "content" / "pause.md").write_text(ARTICLE)
    (folder / "outbound.log").touch()
    values = environment(folder / "var", OUTBOUND_LOG=str(folder / "outbound.log"))
    for name in SILENCED_BY_OPERATORS:
        values.pop(name, None)
    values["PYTHONPATH"] = f"{folder / 'guard'}:{ROOT}"
    guarded = Guarded(folder, values)
    guarded.run("migrate", "--verbosity", "0")
    return guarded


def test_the_guard_sees_what_it_is_there_for(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))"
    log = tmp_path / "log"
    values = environment(tmp_path, OUTBOUND_LOG=str(log), PYTHONPATH=str(tmp_path))
    subprocess.run([sys.executable, "-c", code], env=values, capture_output=True, check=False)
    assert "192.0.2.1" in log.read_text()


def test_importing_indexing_and_asking_stay_on_this_machine(guarded):
    assert "1 passage indexed" in guarded.run("import_articles", str(guarded.folder / "content"), "--publish")
    assert "three months" in guarded.run("ask", "Can I pause my subscription for three months?", "--json")
    assert guarded.outbound() == []


def test_serving_stays_on_this_machine(guarded):
    """With the vector server, the web server and the sweep, from the start to a clean stop."""
    guarded.run("import_articles", str(guarded.folder / "content"), "--publish", "--no-index")
    port = free_port()
    process = subprocess.Popen(
        [*guarded.command, "serve", "--port", str(port)],
        cwd=ROOT,
        env=guarded.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not line_of(process).startswith("Ready"):
            pass
        search = f"http://127.0.0.1:{port}/en/search/?q=pause"
        wait_until(lambda: "three months" in get(search), seconds=120, what="the article is found")
    finally:
        owner = ownership.read_owner(guarded.folder / "var" / "index")
        if owner is not None:  # strace stands between us and serve
            os.kill(owner.pid, signal.SIGTERM)
        assert process.wait(30) == 0
    assert guarded.outbound() == []
