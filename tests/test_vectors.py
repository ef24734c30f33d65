"""The vector store: what it finds, what it refuses, and how it fails."""

import http.server
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from knowledge import ownership
from knowledge.vectors import (
    CollectionKey,
    IndexFolderOwned,
    VectorStore,
    VectorStoreUnavailable,
    parse_server_url,
)
from tests.processes import chroma_server, free_port

KEY = CollectionKey("signed_in", "de", "ab" * 32)
HANG_SECONDS = 20.0  # what waits without a limit of its own takes longer
OTHER = CollectionKey("public", "en", "ab" * 32)


def unit_vectors(count, dimension=32, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def store(tmp_path):
    store = VectorStore(folder=tmp_path / "index")
    yield store
    store.close()


def test_what_was_written_is_found_with_its_cosine(store):
    vectors = unit_vectors(50)
    store.upsert(KEY, range(100, 150), vectors)
    found = store.query(KEY, vectors[7], 3)
    assert found[0] == (107, pytest.approx(1.0, abs=1e-5))
    expected = sorted((float(row @ vectors[7]) for row in vectors), reverse=True)[:3]
    assert [cosine for _pk, cosine in found] == pytest.approx(expected, abs=1e-5)
    assert store.ids(KEY) == set(range(100, 150))


def test_audiences_and_languages_do_not_see_one_another(store):
    store.upsert(KEY, [1], unit_vectors(1))
    store.upsert(OTHER, [2], unit_vectors(1))
    assert [pk for pk, _cosine in store.query(OTHER, unit_vectors(1)[0], 10)] == [2]
    assert store.collections() == [OTHER, KEY]
    store.drop(OTHER)
    assert store.collections() == [KEY]


def test_a_collection_that_does_not_exist_is_empty(store):
    assert store.query(KEY, unit_vectors(1)[0], 5) == []
    assert store.ids(KEY) == set()
    store.delete(KEY, [1, 2])
    store.drop(KEY)


def test_deleted_ids_are_gone_and_unknown_ones_do_not_matter(store):
    vectors = unit_vectors(3)
    store.upsert(KEY, [1, 2, 3], vectors)
    store.delete(KEY, [2, 99])
    assert {pk for pk, _cosine in store.query(KEY, vectors[1], 10)} == {1, 3}


def test_more_vectors_than_chroma_takes_at_once(store):
    vectors = unit_vectors(6000, dimension=8)
    store.upsert(KEY, range(6000), vectors)
    assert len(store.ids(KEY)) == 6000
    store.delete(KEY, range(5999))
    assert store.ids(KEY) == {5999}


def test_nearly_all_of_the_nearest_are_found(store):
    """HNSW is approximate; the parameters have to keep it near to exact."""
    vectors = unit_vectors(3000, dimension=64)
    store.upsert(KEY, range(3000), vectors)
    questions = unit_vectors(40, dimension=64, seed=1)
    shares = []
    for question, found in zip(questions, store.query_many(KEY, questions, 20), strict=True):
        exact = set(np.argsort(-(vectors @ question))[:20].tolist())
        shares.append(len(exact & {pk for pk, _cosine in found}) / 20)
    assert np.mean(shares) >= 0.97


def test_a_replacement_answers_under_the_same_name(store):
    store.upsert(KEY, [1, 2], unit_vectors(2))
    new = unit_vectors(4, seed=5)
    store.replace(KEY, [([10, 11], new[:2]), ([12, 13], new[2:])])
    assert store.ids(KEY) == {10, 11, 12, 13}
    assert store.query(KEY, new[3], 1)[0][0] == 13
    assert store.collections() == [KEY]


def test_another_store_drops_a_collection_that_this_one_remembers(tmp_path):
    with chroma_server(tmp_path / "server", port := free_port()):
        first = VectorStore(folder=tmp_path / "unused", url=f"http://127.0.0.1:{port}")
        second = VectorStore(folder=tmp_path / "unused", url=f"http://127.0.0.1:{port}")
        first.upsert(KEY, [1], unit_vectors(1))
        second.drop(KEY)
        assert first.query(KEY, unit_vectors(1)[0], 5) == []
        second.upsert(KEY, [2], unit_vectors(1))
        assert [pk for pk, _cosine in first.query(KEY, unit_vectors(1)[0], 5)] == [2]


def test_a_collection_that_does_not_measure_cosine_is_refused(store):
    store.upsert(OTHER, [1], unit_vectors(1))
    link = store._connected()
    link.patient.create_collection(KEY.name, **link.scope)  # Chroma's own default is l2
    with pytest.raises(VectorStoreUnavailable, match=r"l2, not cosine.*sync_index --rebuild") as caught:
        store.query(KEY, unit_vectors(1)[0], 1)
    assert caught.value.permanent
    store.replace(KEY, [([1], unit_vectors(1))])
    assert store.ids(KEY) == {1}


def test_vectors_of_another_dimension_are_refused_by_name(store):
    store.upsert(KEY, [1], unit_vectors(1, dimension=8))
    with pytest.raises(VectorStoreUnavailable, match="dimension"):
        store.upsert(KEY, [2], unit_vectors(1, dimension=9))


def test_threads_share_one_store(store):
    errors = []

    def work(number):
        try:
            for step in range(5):
                vectors = unit_vectors(4, seed=number * 100 + step)
                first = number * 1000 + step * 4
                store.upsert(KEY, range(first, first + 4), vectors)
                assert store.query(KEY, vectors[0], 1)[0][0] == first
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.ids(KEY)) == 6 * 5 * 4


def test_a_folder_deleted_under_the_store_is_started_anew(store, tmp_path):
    store.upsert(KEY, [1], unit_vectors(1))
    shutil.rmtree(tmp_path / "index")
    store.upsert(KEY, [2], unit_vectors(1))
    assert store.ids(KEY) == {2}


def test_a_folder_that_is_no_chroma_is_named_and_can_be_set_aside(store, tmp_path):
    noise = os.urandom(5000)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "chroma.sqlite3").write_bytes(noise)
    with pytest.raises(
        VectorStoreUnavailable, match=r"index cannot be opened.*sync_index --rebuild"
    ) as caught:
        store.ids(KEY)
    assert caught.value.is_damage
    store.set_folder_aside()
    store.upsert(KEY, [1], unit_vectors(1))
    assert store.ids(KEY) == {1}
    (aside,) = tmp_path.glob("index.damaged-*")
    assert (aside / "chroma.sqlite3").read_bytes() == noise


def test_a_server_that_stops_answering_costs_a_time_out_and_not_more(tmp_path):
    with chroma_server(tmp_path / "server", port := free_port()) as server:
        store = VectorStore(folder=tmp_path / "unused", url=f"http://127.0.0.1:{port}")
        store.upsert(KEY, [1], unit_vectors(1))
        server.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(VectorStoreUnavailable, match="did not answer in time"):
            store.query(KEY, unit_vectors(1)[0], 1)
        assert time.monotonic() - started < HANG_SECONDS
        server.send_signal(signal.SIGCONT)
        assert store.query(KEY, unit_vectors(1)[0], 1)[0][0] == 1


def test_a_server_that_was_killed_is_reached_again_when_it_is_back(tmp_path):
    port = free_port()
    store = VectorStore(folder=tmp_path / "unused", url=f"http://127.0.0.1:{port}")
    with pytest.raises(VectorStoreUnavailable, match="cannot be reached"):
        store.collections()
    with chroma_server(tmp_path / "server", port):
        store.upsert(KEY, [1], unit_vectors(1))
    started = time.monotonic()
    with pytest.raises(VectorStoreUnavailable, match="cannot be reached"):
        store.query(KEY, unit_vectors(1)[0], 1)
    assert time.monotonic() - started < HANG_SECONDS
    with chroma_server(tmp_path / "server", port):
        assert store.query(KEY, unit_vectors(1)[0], 1)[0][0] == 1


@pytest.mark.parametrize(("status", "told"), [(502, "Error code: 502"), (200, "is not Chroma")])
def test_what_is_no_chroma_is_an_outage_and_not_a_crash(tmp_path, status, told):
    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(status)

        def log_message(self, *_arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Gateway) as gateway:
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        store = VectorStore(folder=tmp_path, url=f"http://127.0.0.1:{gateway.server_port}")
        with pytest.raises(VectorStoreUnavailable, match=told):
            store.collections()
        gateway.shutdown()


def test_a_configured_proxy_is_not_asked_for_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with chroma_server(tmp_path / "server", port := free_port()):
        store = VectorStore(folder=tmp_path / "unused", url=f"http://127.0.0.1:{port}")
        assert store.collections() == []


@pytest.mark.parametrize("url", ["chroma:8000", "ftp://chroma", "http://", "http://chroma/api", ""])
def test_a_url_that_is_no_server_is_told_what_is_allowed(url):
    with pytest.raises(ValueError, match=r"http://host:port"):
        parse_server_url(url)


def test_the_parts_of_a_server_url():
    address = parse_server_url("https://:secret@api.example.org?tenant=t&database=d")
    assert (address.host, address.port, address.tls) == ("api.example.org", 443, True)
    assert (address.token, address.tenant, address.database) == ("secret", "t", "d")
    assert "secret" not in str(address)
    assert not address.is_loopback
    assert parse_server_url("http://[::1]:9000").is_loopback


def test_an_unusable_chroma_url_names_the_setting(tmp_path):
    store = VectorStore(folder=tmp_path, url="chroma:8000")
    with pytest.raises(VectorStoreUnavailable, match="CHROMA_URL"):
        store.collections()


def test_a_second_owner_is_told_at_once_who_has_the_folder(tmp_path):
    first, second = VectorStore(folder=tmp_path / "index"), VectorStore(folder=tmp_path / "index")
    first.upsert(KEY, [1], unit_vectors(1))
    started = time.monotonic()
    with pytest.raises(IndexFolderOwned, match=rf"process {os.getpid()} .*wait until it has finished"):
        second.query(KEY, unit_vectors(1)[0], 1)
    assert time.monotonic() - started < HANG_SECONDS
    first.close()
    assert second.ids(KEY) == {1}
    second.close()


def test_nothing_of_the_lock_lies_in_the_folder_that_may_be_deleted(store, tmp_path):
    store.upsert(KEY, [1], unit_vectors(1))
    assert (tmp_path / "index.lock").exists()
    owner = ownership.read_owner(tmp_path / "index")
    assert owner is not None
    assert (owner.pid, owner.address) == (os.getpid(), "")
    store.close()
    assert ownership.read_owner(tmp_path / "index") is None


def test_a_forked_child_neither_hangs_nor_takes_the_lock_along(settings, tmp_path):
    from knowledge.vectors import get_store, reset_store

    reset_store()
    settings.INDEX_DIR = tmp_path / "index"
    get_store().upsert(KEY, [1], unit_vectors(1))
    pid = os.fork()
    if pid == 0:  # the child says with its exit code what it met
        try:
            get_store().ids(KEY)
            os._exit(1)
        except IndexFolderOwned:
            os._exit(42)
        except BaseException:
            os._exit(2)
    assert _exit_code(pid, seconds=10) == 42
    assert get_store().ids(KEY) == {1}
    reset_store()


def _exit_code(pid: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")


def test_a_record_left_behind_does_not_lock_anybody_out(tmp_path):
    folder = Path(tmp_path / "index")
    lock = ownership.acquire(folder, command="killed")
    lock.announce(command="killed", address="http://127.0.0.1:9", sweeps=True)
    lock.abandon()  # what the kernel does for a killed process: the lock goes, the record stays
    taken = ownership.acquire(folder, command="next")
    assert ownership.read_owner(folder) == ownership.Owner(os.getpid(), "next")
    taken.release()
