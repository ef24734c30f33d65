"""One index, several processes: real ones, with real signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from helpcenter import serving
from knowledge import ownership
from tests.processes import (
    ROOT,
    environment,
    free_port,
    get,
    kill,
    line_of,
    manage,
    processes_of,
    start_python,
    wait_until,
)

HANG_SECONDS = 20.0  # `make bench-index` says how long it takes
HABIT = "sleeps in the wardrobe all winter"

STORE = """
import sys
from pathlib import Path
import numpy as np
from knowledge.vectors import CollectionKey, VectorStore, VectorStoreUnavailable
store = VectorStore(folder=Path(sys.argv[1]))
key = CollectionKey("public", "en", "ab" * 32)
first = int(sys.argv[2])
rng = np.random.default_rng(first)
def vectors(count):
    rows = rng.normal(size=(count, 16)).astype("float32")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
"""
OWN_UNTIL_TOLD = "store.upsert(key, [first], vectors(1)); print('owner', flush=True); sys.stdin.readline()"
WRITE_MANY = """
rows = vectors(200)
print("ready", flush=True)
sys.stdin.readline()
for at in range(0, 200, 5):
    store.upsert(key, range(first + at, first + at + 5), rows[at : at + 5])
found = [store.query(key, row, 1)[0][0] for row in rows]
print(sum(pk == first + at for at, pk in enumerate(found)), flush=True)
"""
EDIT = """
import os, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django
django.setup()
from knowledge.models import Article
slug, body = sys.argv[1:]
article = Article.objects.filter(slug=slug).first()
article = article or Article(slug=slug, title=slug.title(), language="en", status="published")
article.body = body
article.save()
print(time.time(), "torch" in sys.modules, flush=True)
"""


pytestmark = pytest.mark.xdist_group("serve")  # one serve for all, not one for each worker


@dataclass
class Served:
    data_dir: Path
    port: int
    process: subprocess.Popen[str]

    def finds(self, animal: str) -> bool:
        """Asked without naming the animal, which the page would only repeat."""
        return animal in get(f"http://127.0.0.1:{self.port}/en/search/?q={quote(HABIT)}")

    def edit(self, slug: str, animal: str, **values: str) -> tuple[float, bool, str]:
        """The moment of the commit, whether the editing process loaded a model, and its standard error."""
        process = start_python(self.data_dir, EDIT, slug, f"The {animal} {HABIT}.", **values)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        moment, loaded = out.split()
        return float(moment), loaded == "True", err

    def wait_until_found(self, word: str, *, since: float, seconds: float = HANG_SECONDS) -> None:
        wait_until(lambda: self.finds(word), seconds=60, what=f"{word} is found")
        assert time.time() - since < seconds


def start_serve(data_dir: Path, port: int, *options: str, **values: str) -> Served:
    options = options or ("--processes", "1", "--threads", "4")  # costs the machine of the tests least
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port), *options],
        cwd=ROOT,
        env=environment(data_dir, **values),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    while not lines or not lines[-1].startswith("Ready"):
        lines.append(line_of(process))
    assert any(f":{port}/" in line for line in lines)
    return Served(data_dir, port, process)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    migrated = manage(folder, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    return folder


@pytest.fixture(scope="module")
def served(data_dir):
    served = start_serve(data_dir, free_port())
    yield served
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
    assert processes_of(data_dir) == []
    assert ownership.read_owner(data_dir / "index") is None


@pytest.mark.parametrize(
    ("cores", "installed_gb", "limit", "processes"),
    [
        (2, 4.0, None, 2),
        (2, 4.0, "max\n", 2),
        (2, 16.0, str(2 * 2**30), 1),  # a container
        (2, 2.0, str(2**63), 1),
        (1, 16.0, None, 1),
    ],
)
def test_two_web_processes_where_the_machine_carries_them(
    cores, installed_gb, limit, processes, tmp_path, monkeypatch
):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": int(installed_gb * 2**30 / 4096)}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    monkeypatch.setattr(serving, "_MEMORY_LIMIT", tmp_path / "memory.max")
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
    assert serving.fitting_processes() == processes


def test_two_web_processes_answer_from_one_index(tmp_path):
    assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
    served = start_serve(tmp_path, free_port(), "--processes", "2")
    try:
        web = [line for line in processes_of(tmp_path) if "gunicorn" in line]
        assert len(web) == 3  # two, and the one that starts them anew
        moment, _loaded, _errors = served.edit("two-processes", "pangolin")
        served.wait_until_found("pangolin", since=moment)
        assert all(served.finds("pangolin") for _request in range(12))  # whichever is asked
    finally:
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) == 0
    assert processes_of(tmp_path) == []


# --- the embedded folder: two commands ----------------------------------------------------------------


def store_process(folder, code, first=1):
    return start_python(folder, STORE + code, str(folder / "index"), str(first))


def test_a_second_command_is_refused_at_once_and_welcome_afterwards(tmp_path):
    owner = store_process(tmp_path, OWN_UNTIL_TOLD)
    assert line_of(owner) == "owner"
    code = """
import time
started = time.monotonic()
try:
    store.ids(key)
except VectorStoreUnavailable as error:
    print(type(error).__name__, time.monotonic() - started < 20, error)
"""
    second = store_process(tmp_path, code)
    out, err = second.communicate(timeout=300)
    assert out.startswith(
        f"IndexFolderOwned True The index folder {tmp_path / 'index'} is in use by process {owner.pid}"
    )
    assert err == ""
    owner.communicate("\n", timeout=300)
    third = store_process(tmp_path, "print(sorted(store.ids(key)))")
    assert third.communicate(timeout=300)[0].strip() == "[1]"


def test_a_killed_owner_locks_nobody_out(tmp_path):
    owner = store_process(tmp_path, OWN_UNTIL_TOLD)
    assert line_of(owner) == "owner"
    kill(owner)
    assert ownership.read_owner(tmp_path / "index") is not None  # its record is still there
    second = store_process(tmp_path, "print(sorted(store.ids(key)))")
    assert second.communicate(timeout=300)[0].strip() == "[1]"


# --- with serve -------------------------------------------------------------------------------------------


def test_an_edit_of_another_process_is_found(served):
    moment, loaded, _err = served.edit("zebra", "quokka")
    served.wait_until_found("quokka", since=moment)
    moment, loaded, _err = served.edit("zebra", "wombat")
    served.wait_until_found("wombat", since=moment)
    assert not served.finds("quokka")
    assert not loaded  # the process that edits leaves the embedding to the one that has the model


def test_an_import_of_another_process_is_found_when_it_returns(served, tmp_path):
    lines = [
        {"id": f"n{n}", "title": f"Note {n}", "body": f"The numbat{n} {HABIT}.", "language": "en"}
        for n in range(5)
    ]
    file = tmp_path / "notes.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    result = manage(served.data_dir, "import_articles", str(file), "--publish")
    assert result.returncode == 0, result.stderr
    assert "5 passages indexed" in result.stdout
    assert all(served.finds(f"numbat{n}") for n in range(5))


def test_a_ring_that_the_broker_never_heard_is_made_up_for(served):
    moment, _loaded, err = served.edit(
        "lost",
        "bandicoot",
        CELERY_BROKER_URL="redis://127.0.0.1:1/0",
        CHROMA_URL="http://127.0.0.1:1",
    )
    assert "the broker cannot be reached, the sweep will find it" in err
    served.wait_until_found("bandicoot", since=moment)


def test_the_index_agrees_with_the_database_for_another_process(served):
    moment, _loaded, _err = served.edit("agreed", "dunnart")
    served.wait_until_found("dunnart", since=moment)
    result = manage(served.data_dir, "sync_index", "--check", "--json")
    report = json.loads(result.stdout)
    assert result.returncode == 0, result.stdout
    assert report["index"].startswith("http://127.0.0.1:")
    assert report["check"]["passages_in_index"] > 0


def test_a_second_serve_is_refused_at_once_in_one_sentence(served):
    started = time.monotonic()
    result = manage(served.data_dir, "serve", "--port", str(free_port()))
    assert time.monotonic() - started < 120  # most of it is Django's own start
    assert result.returncode == 1
    assert f"belongs to process {served.process.pid} (manage.py serve)" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_one_sentence(served, tmp_path):
    shutil.copy(served.data_dir / "db.sqlite3", tmp_path)
    result = manage(tmp_path, "serve", "--port", str(served.port))
    assert result.returncode == 1
    assert f"Port {served.port} on 127.0.0.1 is in use" in result.stderr
    assert processes_of(tmp_path) == []


def test_two_writers_lose_nothing(served):
    writers = [store_process(served.data_dir, WRITE_MANY, first) for first in (1000, 5000)]
    assert [line_of(writer) for writer in writers] == ["ready", "ready"]
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [line_of(writer) for writer in writers] == ["200", "200"]
    for writer in writers:
        writer.wait(10)
    code = "print(len(store.ids(key) & {*range(1000, 1200), *range(5000, 5200)})); store.drop(key)"
    assert store_process(served.data_dir, code).communicate(timeout=300)[0].strip() == "400"


def test_a_killed_vector_server_comes_back_with_everything(served):
    moment, _loaded, _err = served.edit("kept", "pademelon")
    served.wait_until_found("pademelon", since=moment)
    server = next(pid for pid, line in _children(served) if "chroma run" in line)
    os.kill(server, signal.SIGKILL)
    assert served.finds("pademelon")  # by exact search over the vectors in the database
    owner = ownership.read_owner(served.data_dir / "index")
    assert owner is not None
    address = owner.address
    wait_until(lambda: _heartbeat(address), seconds=120, what="the vector server is back")
    assert manage(served.data_dir, "sync_index", "--check").returncode == 0


def test_a_deleted_index_folder_is_filled_again(served):
    moment, _loaded, _err = served.edit("deleted", "potoroo")
    served.wait_until_found("potoroo", since=moment)
    shutil.rmtree(served.data_dir / "index")
    assert served.finds("potoroo")
    wait_until(
        lambda: manage(served.data_dir, "sync_index", "--check").returncode == 0,
        seconds=120,
        what="index and database agree",
    )


def test_a_killed_serve_leaves_nothing_behind_and_the_next_one_takes_over(served):
    moment, _loaded, _err = served.edit("taken-over", "bettong")
    served.wait_until_found("bettong", since=moment)
    served.process.kill()
    served.process.wait()
    again = start_serve(served.data_dir, served.port)
    served.process = again.process
    assert served.finds("bettong")
    owner = ownership.read_owner(served.data_dir / "index")
    assert owner is not None
    assert (owner.pid, owner.sweeps) == (again.process.pid, True)
    lines = [line for line in processes_of(served.data_dir) if "chroma run" in line]
    assert len(lines) == 1


def _children(served):
    """Process id and command line of everything that belongs to the served folder."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(served.data_dir) in line:
            yield int(entry.name), line


def _heartbeat(address):
    try:
        return get(f"{address}/api/v2/heartbeat", timeout=1)
    except OSError:
        return ""
