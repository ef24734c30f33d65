"""Damage to the index: noticed by the next repair, set aside, made anew from the database without the model.

Real files of a real Chroma, in this process's reach only through others: what is damaged ends who reads it.
"""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from knowledge import ownership
from knowledge.embeddings import current_recipe, use_embedder
from knowledge.indexing import check_index, drift, repair_index
from knowledge.models import Passage
from knowledge.vectors import CollectionKey, VectorStore, VectorStoreUnavailable, get_store, reset_store
from tests.processes import (
    chroma_server,
    free_port,
    get,
    line_of,
    manage,
    start_python,
    wait_until,
)
from tests.stored import PASSAGES, Asker, fill_database, number_found, vector_number
from tests.test_two_processes import start_serve

QUESTIONS = (0, 777, PASSAGES - 1)
HANG_SECONDS = 30.0


def graph_file(folder: Path, name: str) -> Path:
    """Of the collection in use, not of one that was set aside."""
    with contextlib.closing(sqlite3.connect(folder / "chroma.sqlite3")) as tables:
        segment: str = tables.execute(
            "SELECT segments.id FROM segments JOIN collections ON segments.collection = collections.id "
            "WHERE segments.scope = 'VECTOR' AND collections.name LIKE 'passages.%'"
        ).fetchone()[0]
    return folder / segment / name


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scribble(path: Path, *, first_share: float = 0.0) -> None:
    """Random bytes from there to the end, in place: who has the file open sees them as well."""
    start = int(path.stat().st_size * first_share)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(random.Random(1).randbytes(path.stat().st_size - start))


GRAPH_DAMAGE = {
    "half of the vectors cut off": lambda folder: cut_in_half(graph_file(folder, "data_level0.bin")),
    "random bytes in the vectors": lambda folder: scribble(graph_file(folder, "data_level0.bin")),
    "random bytes in the header": lambda folder: scribble(graph_file(folder, "header.bin")),
    "random bytes in the list of ids": lambda folder: scribble(graph_file(folder, "index_metadata.pickle")),
    "the graph's folder deleted": lambda folder: shutil.rmtree(graph_file(folder, "header.bin").parent),
}
FILE_DAMAGE = {
    "random bytes in the tables": lambda folder: scribble(folder / "chroma.sqlite3", first_share=0.5),
    "half of the tables cut off": lambda folder: cut_in_half(folder / "chroma.sqlite3"),
    "no table left": lambda folder: scribble(folder / "chroma.sqlite3"),
}

# --- a folder that a command opens itself --------------------------------------------------------------------

TALK = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
sys.modules["torch"] = None  # whoever loads the model fails
from knowledge.embeddings import EmbedderUnavailable, load_embedder, use_embedder
from knowledge.indexing import check_index, repair_index
from knowledge.vectors import VectorStoreUnavailable
from tests.stored import Asker, number_found
try:
    load_embedder("minilm-de-en")
except (ImportError, EmbedderUnavailable):
    print("ready", flush=True)
use_embedder(Asker())
for line in sys.stdin:
    command, *rest = line.split()
    if command == "ask":
        print(json.dumps([number_found(int(one)) for one in rest]), flush=True)
    elif command == "repair":
        report = repair_index()
        print(json.dumps([report.added, list(report.rebuilt), report.is_folder_new]), flush=True)
    else:
        try:
            print(json.dumps(check_index().is_clean), flush=True)
        except VectorStoreUnavailable:
            print("false", flush=True)
"""
FILL = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from knowledge.indexing import repair_index
from tests.stored import fill_database
fill_database()
repair_index()
"""


class Talk:
    """A process that has the folder open. Where it dies of the damage, the next one takes its place."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.deaths = 0
        self._start()

    def _start(self) -> None:
        self.process = start_python(self.data_dir, TALK)
        assert line_of(self.process) == "ready"

    def __call__(self, command: str) -> object:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for _attempt in range(2):
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            if answer:
                return json.loads(answer)
            ended = self.process.wait(HANG_SECONDS)
            assert self.process.stderr is not None
            assert ended < 0, self.process.stderr.read()  # of a signal, not of an error
            self.deaths += 1
            self._start()
        raise AssertionError("a second process died of it as well")

    def restart(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        self.process.communicate(timeout=HANG_SECONDS)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    assert manage(folder, "migrate", "--verbosity", "0").returncode == 0
    filled = start_python(folder, FILL)
    _out, err = filled.communicate(timeout=300)
    assert filled.returncode == 0, err
    assert list((folder / "index").glob("*/index_metadata.pickle"))  # there is a graph to be damaged
    return folder


@pytest.fixture
def talk(data_dir):
    talk = Talk(data_dir)
    if not is_whole(talk):  # what an earlier test left behind is no reason for this one to fail
        shutil.rmtree(data_dir / "index")
        talk("repair")
        assert is_whole(talk)
        talk.restart()  # into the files with it: what SQLite still has in its journal would hide their damage
        talk.deaths = 0
    yield talk
    talk.stop()


def asked(talk):
    return talk("ask " + " ".join(map(str, QUESTIONS)))


def is_whole(talk):
    return asked(talk) == list(QUESTIONS) and talk("check") is True


@pytest.mark.parametrize("name", GRAPH_DAMAGE)
def test_a_damaged_graph_is_set_aside_and_made_anew(data_dir, talk, name):
    talk.stop()
    GRAPH_DAMAGE[name](data_dir / "index")
    talk.restart()
    answered = asked(talk)
    added, rebuilt, is_folder_new = talk("repair")
    assert rebuilt or added == PASSAGES
    assert talk.deaths <= 1
    assert is_whole(talk)
    if talk.deaths or "list of ids" in name:  # otherwise half of the graph is a guess at most a minute old
        assert answered == list(QUESTIONS)
    assert not is_folder_new or list(data_dir.glob("index.damaged-*"))


@pytest.mark.parametrize("name", FILE_DAMAGE)
@pytest.mark.parametrize("is_running", [True, False])
def test_damaged_tables_are_set_aside_with_their_folder(data_dir, talk, name, is_running):
    before = set(data_dir.glob("index.damaged-*"))
    if not is_running:
        talk.stop()
    FILE_DAMAGE[name](data_dir / "index")
    if not is_running:
        talk.restart()
    assert asked(talk) == list(QUESTIONS)
    added, _rebuilt, is_folder_new = talk("repair")
    kept = set(data_dir.glob("index.damaged-*"))
    assert (added, is_folder_new) == (PASSAGES, True)
    assert kept - before
    assert is_whole(talk)
    assert len(kept) <= 2
    assert talk.deaths == 0


def test_a_folder_deleted_under_a_running_process_is_filled_again(data_dir, talk):
    shutil.rmtree(data_dir / "index")
    assert asked(talk) == list(QUESTIONS)
    assert talk("repair")[0] == PASSAGES
    assert is_whole(talk)


def test_an_owner_that_was_killed_costs_no_rebuild(data_dir, talk):
    """The next one looks twice at a folder that was left in a hurry, and finds nothing wrong with it."""
    talk.process.kill()
    assert talk.process.wait() < 0
    assert ownership.read_owner(data_dir / "index") is not None
    before = set(data_dir.glob("index.damaged-*"))
    talk.restart()
    assert is_whole(talk)
    assert talk("repair") == [0, [], False]
    assert set(data_dir.glob("index.damaged-*")) == before


# --- a server ------------------------------------------------------------------------------------------------


class Server:
    """`chroma run` under CHROMA_URL, with its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._running = contextlib.ExitStack()

    def start(self):
        self.process = self._running.enter_context(chroma_server(self.folder, self.port))

    def stop(self):
        self._running.close()


@pytest.fixture
def server(db, settings, tmp_path):
    fill_database()
    server = Server(tmp_path / "chroma")
    server.start()
    reset_store()
    settings.CHROMA_URL = f"http://127.0.0.1:{server.port}"
    use_embedder(Asker())
    drift._deadly_reads.clear()
    repair_index()
    yield server
    use_embedder(None)
    reset_store()
    server.stop()


def numbers_found():
    return [number_found(question) for question in QUESTIONS]


def key():
    return CollectionKey("public", "en", current_recipe().fingerprint)


def names_of_collections():
    return get_store()._connected().names()


@pytest.mark.parametrize("name", GRAPH_DAMAGE)
def test_of_a_server_a_damaged_graph_is_set_aside_and_made_anew(server, name):
    server.stop()
    GRAPH_DAMAGE[name](server.folder)
    server.start()
    deaths, report = 0, None
    while report is None:
        assert deaths <= 3
        try:
            report = repair_index()
        except VectorStoreUnavailable:
            # Who supervises the server starts it again, and it meets the same graph.
            assert server.process.wait(HANG_SECONDS) < 0
            assert numbers_found() == list(QUESTIONS)
            deaths += 1
            server.stop()
            server.start()
    assert report.rebuilt == (key().name,)
    assert check_index().is_clean
    assert numbers_found() == list(QUESTIONS)
    assert [one for one in names_of_collections() if one.startswith("damaged.")]


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_a_few_that_no_query_finds_are_no_damage_and_many_are(server, share):
    """A graph of many vectors, new and whole, leads to some of them from nowhere."""
    ids = sorted(get_store().ids(key()))[: int(PASSAGES * share)]
    elsewhere = np.stack([vector_number(PASSAGES + number) for number in range(len(ids))])
    get_store().upsert(key(), ids, elsewhere)
    is_damage = share > drift._UNREACHABLE_SHARE
    assert check_index().is_clean is not is_damage
    assert repair_index().rebuilt == ((key().name,) if is_damage else ())
    assert check_index().is_clean


def test_as_many_damaged_collections_are_kept_as_are_worth_a_look(server):
    for _n in range(4):
        get_store().set_collection_aside(key())
        assert repair_index().rebuilt == (key().name,)
    kept = [one for one in names_of_collections() if one.startswith("damaged.")]
    assert len(kept) == 2
    assert all(one.endswith(key().name) for one in kept)
    assert check_index().is_clean


def test_what_another_process_set_aside_is_neither_read_nor_written_for_long(server):
    """A collection's id goes on working under the new name."""
    store, other = (
        get_store(),
        VectorStore(folder=server.folder / "unused", url=f"http://127.0.0.1:{server.port}"),
    )
    assert number_found(5) == 5
    other.set_collection_aside(key())
    other.replace(key(), [([1], vector_number(1)[None])])
    store.upsert(key(), [2], vector_number(2)[None])
    assert other.ids(key()) == {1, 2}
    wait_until(
        lambda: len(store.query(key(), vector_number(1), 10)) == 2,
        seconds=HANG_SECONDS,
        what="the new is read",
    )


def test_a_collection_with_another_distance_makes_room(server):
    store = get_store()
    store.drop(key())
    link = store._connected()
    link.patient.create_collection(key().name, **link.scope)
    assert numbers_found() == list(QUESTIONS)
    assert repair_index().rebuilt == (key().name,)
    assert check_index().is_clean


@pytest.mark.parametrize("name", FILE_DAMAGE)
def test_files_of_a_server_elsewhere_are_its_operators_to_move(server, name):
    FILE_DAMAGE[name](server.folder)
    assert numbers_found() == list(QUESTIONS)
    with pytest.raises(
        VectorStoreUnavailable, match="Stop it, move its folder away and start it again"
    ) as told:
        repair_index()
    assert told.value.is_damage
    begin_anew(server)


def test_a_folder_deleted_under_a_server_elsewhere_costs_no_answer(server):
    """The server goes on from memory and open files, so that nothing is wrong before it is started again."""
    shutil.rmtree(server.folder)
    assert numbers_found() == list(QUESTIONS)
    begin_anew(server)


def begin_anew(server):
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)
    server.start()
    assert numbers_found() == list(QUESTIONS)
    assert repair_index().added == PASSAGES
    assert check_index().is_clean
    assert numbers_found() == list(QUESTIONS)


def test_passages_withdrawn_while_they_are_asked_for_are_no_damage(server):
    store = get_store()
    query_many = store.query_many

    def withdrawing(one, vectors, limit):
        gone = list(Passage.objects.values_list("pk", flat=True)[:500])
        store.delete(one, gone)
        Passage.objects.filter(pk__in=gone).update(revision=0)
        return query_many(one, vectors, limit)

    store.query_many = withdrawing  # type: ignore[method-assign]
    assert repair_index().rebuilt == ()


# --- serve ---------------------------------------------------------------------------------------------------


@pytest.mark.xdist_group("serve")
def test_serve_gets_over_damaged_tables(data_dir):
    """The process that repairs moves the folder away, and the one that runs the server starts another."""
    served = start_serve(data_dir, free_port())
    before = set(data_dir.glob("index.damaged*"))
    try:
        scribble(data_dir / "index" / "chroma.sqlite3", first_share=0.5)
        deadline = time.monotonic() + 60
        while not (set(data_dir.glob("index.damaged*")) - before and _is_whole_by_command(data_dir)):
            assert time.monotonic() < deadline
            assert get(f"http://127.0.0.1:{served.port}/en/search/?q=text", timeout=HANG_SECONDS)
            time.sleep(0.2)
    finally:
        served.process.terminate()
        assert served.process.wait(HANG_SECONDS) == 0


def _is_whole_by_command(data_dir):
    return manage(data_dir, "sync_index", "--check").returncode == 0
