"""Chroma as this process reaches it: a configured server, the folder owner's server, or the folder itself."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from django.conf import settings

from knowledge import ownership
from knowledge.breaker import Attempt, Breaker
from knowledge.vectors import chroma, folders
from knowledge.vectors.names import (
    CollectionGone,
    CollectionKey,
    IndexFolderOwned,
    ServerAddress,
    VectorStoreUnavailable,
    oldest_aside,
    parse_server_url,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

BATCH = 2000  # ids in one write; Chroma refuses more than about 5 461
QUESTION_SECONDS = 1.0  # for everything that one question wants of Chroma
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0  # a trial costs nobody any time, so that it need not be rare
_REPLACEMENT = ".new"

Found = list[tuple[int, float]]  # passage ids with cosine similarity (-1..1), best first
Result = TypeVar("Result")


class VectorStore:
    """Connects with the first call and again after a failure. Threads share it."""

    def __init__(self, *, folder: Path, url: str = "") -> None:
        self._folder = folder
        self._url = url
        self._guard = threading.RLock()
        self._link: chroma.Link | None = None
        self._folder_lock: ownership.FolderLock | None = None
        self._breaker = Breaker(
            "The vector index",
            first_pause_seconds=_FIRST_PAUSE_SECONDS,
            longest_pause_seconds=_LONGEST_PAUSE_SECONDS,
        )

    @property
    def where(self) -> str:
        """The place of the index, for people."""
        return self._connected().where

    # --- for questions -----------------------------------------------------------------------------------

    def nearest(
        self, keys: Sequence[CollectionKey], vector: "NDArray[np.float32]", limit: int
    ) -> list[Found]:
        """What each collection has near `vector`, for somebody who waits: within a second or not at all.

        Where that failed, the next callers are refused at once, until a trial has succeeded. Of a server that
        trial runs by itself, so that no question waits for it either.
        """
        chroma.load_soon()
        is_remote = self._is_remote()
        attempt = self._breaker.attempt()
        if attempt is None:
            raise VectorStoreUnavailable(f"The vector index rests: {self._breaker.reason}")
        answer: Future[list[Found]] = Future()

        def ask() -> None:
            started = time.monotonic()
            try:
                found = [self.query(key, vector, limit) for key in keys]
            except VectorStoreUnavailable as error:
                log.info("The vector index: %s", error)
                attempt.failed(error.reason)
                answer.set_exception(error)
            except BaseException as error:
                attempt.failed("it failed in an unexpected way, the log says how")
                answer.set_exception(error)
            else:
                _tell_duration(attempt, time.monotonic() - started)
                answer.set_result(found)

        if is_remote:
            threading.Thread(target=ask, name="vector-index", daemon=True).start()
            if attempt.is_trial:
                raise VectorStoreUnavailable("The vector index is being tried again")
        else:
            ask()  # what would be abandoned here is Chroma's own core, which a process cannot leave behind
        try:
            return answer.result(timeout=QUESTION_SECONDS)
        except TimeoutError as error:
            _tell_duration(attempt, QUESTION_SECONDS)
            raise VectorStoreUnavailable("The vector index did not answer in time") from error

    def trouble(self) -> str:
        """Why questions do without the index, in words for anybody; empty where nothing is known to be wrong.

        Takes two seconds at most and opens nothing: it asks how calls went, and a server for its heartbeat.
        """
        if self._breaker.reason:
            return self._breaker.reason
        try:
            address = self._server_address()
            if address is not None:
                chroma.check_alive(address)
        except VectorStoreUnavailable as error:
            return error.reason
        return ""

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    # --- for whoever keeps the index -------------------------------------------------------------------------

    def upsert(self, key: CollectionKey, ids: Sequence[int], vectors: "NDArray[np.float32]") -> None:
        self._upsert(key.name, ids, vectors)

    def delete(self, key: CollectionKey, ids: Sequence[int]) -> None:
        """Ids that are not there are ignored."""
        for start in range(0, len(ids), BATCH):
            part = [str(identity) for identity in ids[start : start + BATCH]]

            def remove(link: chroma.Link, part: list[str] = part) -> None:
                collection = link.collection(key.name, patient=True)
                if collection is not None:
                    collection.delete(ids=part)

            self._run(remove)

    def query(self, key: CollectionKey, vector: "NDArray[np.float32]", limit: int) -> Found:
        """None where there is no collection. Fewer than `limit` are all that the collection has."""
        one = np.asarray(vector, dtype=np.float32)[np.newaxis]
        return self._query(key, one, limit, patient=False)[0]

    def query_many(self, key: CollectionKey, vectors: "NDArray[np.float32]", limit: int) -> list[Found]:
        return self._query(key, vectors, limit, patient=True)

    def ids(self, key: CollectionKey) -> set[int]:
        """What the collection says it holds. No proof that a query finds it: only canaries prove that."""

        def listing(link: chroma.Link) -> set[int]:
            collection = link.collection(key.name, patient=True)
            return (
                set() if collection is None else {int(found) for found in collection.get(include=[])["ids"]}
            )

        return self._run(listing, reading=True)

    def collections(self) -> list[CollectionKey]:
        keys = (CollectionKey.from_name(name) for name in self._run(chroma.Link.names, reading=True))
        return sorted((key for key in keys if key is not None), key=lambda key: key.name)

    def drop(self, key: CollectionKey) -> None:
        self._drop(key.name)

    def replace(
        self, key: CollectionKey, batches: Iterable[tuple[Sequence[int], "NDArray[np.float32]"]]
    ) -> None:
        """Fills a new collection beside the old one, which answers until the new one takes its name."""
        name = key.name + _REPLACEMENT
        self._drop(name)
        for ids, vectors in batches:
            self._upsert(name, ids, vectors)
        self.drop(key)
        self._run(lambda link: link.rename(name, key.name))

    # --- damage ----------------------------------------------------------------------------------------------

    def set_collection_aside(self, key: CollectionKey) -> None:
        """Kept under another name, for inspection; nothing of it is read. The oldest of these go."""
        self._run(lambda link: link.rename(key.name, key.name_aside(datetime.now(UTC))))
        for name in oldest_aside(self._run(chroma.Link.names, reading=True), kept=folders.KEPT):
            self._drop(name)

    def has_damaged_tables(self) -> bool:
        """What Chroma itself may not notice while it answers from memory. False of a server elsewhere."""
        return not self._url and folders.has_damaged_tables(self._folder)

    def set_folder_aside(self) -> None:
        """Starts from an empty index, the old one being kept for inspection.

        Where `serve` runs a server on the folder, it starts another one as soon as it sees the files gone.
        """
        if self._url:
            raise VectorStoreUnavailable(
                f"The files of the Chroma server at {parse_server_url(self._url)} are damaged. Stop it, move its "
                "folder away and start it again: the database fills it within minutes.",
                reason="its files are damaged; move the server's folder away and restart it",
                permanent=True,
                is_damage=True,
            )
        with self._guard:
            self._link = None  # not closed: other threads may be using it
            folders.set_folder_aside(self._folder)

    def close(self) -> None:
        with self._guard:
            link, self._link = self._link, None
            if link is not None:
                link.close()
            if self._folder_lock is not None:
                self._folder_lock.release()
                self._folder_lock = None

    def abandon(self) -> None:
        """For a forked child: lets go of the parent's lock and leaves the client alone, which would hang."""
        if self._folder_lock is not None:
            self._folder_lock.abandon()

    # --- how calls are made ------------------------------------------------------------------------------------

    def _query(
        self, key: CollectionKey, vectors: "NDArray[np.float32]", limit: int, *, patient: bool
    ) -> list[Found]:
        def search(link: chroma.Link) -> list[Found]:
            collection = link.collection(key.name, patient=patient)
            if collection is None:
                return [[] for _vector in vectors]
            found = collection.query(query_embeddings=list(vectors), n_results=limit, include=["distances"])
            return [
                [(int(identity), 1.0 - distance) for identity, distance in zip(ids, distances, strict=True)]
                for ids, distances in zip(found["ids"], found["distances"], strict=True)
            ]

        return self._run(search, reading=True)

    def _upsert(self, name: str, ids: Sequence[int], vectors: "NDArray[np.float32]") -> None:
        for start in range(0, len(ids), BATCH):
            part = [str(identity) for identity in ids[start : start + BATCH]]
            rows = np.asarray(vectors[start : start + BATCH], dtype=np.float32)

            def write(link: chroma.Link, part: list[str] = part, rows: "NDArray[np.float32]" = rows) -> None:
                collection = link.collection(name, create=True, patient=True)
                if collection is not None:
                    collection.upsert(ids=part, embeddings=rows)

            self._run(write)

    def _drop(self, name: str) -> None:
        self._run(lambda link: link.drop(name))

    def _run(self, operation: Callable[[chroma.Link], Result], *, reading: bool = False) -> Result:
        """Runs a repeatable operation, a second time where the first met something that had left."""
        try:
            return self._run_once(operation, reading)
        except CollectionGone:
            pass
        except VectorStoreUnavailable as error:
            if not error.connection_lost:
                raise
        try:
            return self._run_once(operation, reading)
        except CollectionGone as error:
            raise VectorStoreUnavailable(f"Chroma keeps losing a collection: {error}") from error

    def _run_once(self, operation: Callable[[chroma.Link], Result], reading: bool) -> Result:
        link = self._connected()
        try:
            with chroma.chroma_errors_named(link.where, reading=reading):
                return operation(link)
        except CollectionGone:
            link.forget_names()
            if not link.is_embedded:
                self._disconnect(link)  # a server that started over has lost its database as well
            raise
        except VectorStoreUnavailable as error:
            error.connection_lost |= not link.is_current
            if error.connection_lost:
                self._disconnect(link)
            raise

    def _connected(self) -> chroma.Link:
        with self._guard:
            if self._link is not None and not self._link.is_current:
                log.warning("The index folder was deleted or replaced; opened anew")
                self._link = None
            if self._link is None:
                self._link = self._connect()
            return self._link

    def _disconnect(self, link: chroma.Link) -> None:
        """Other threads may still be using the link, so it is dropped and not closed."""
        with self._guard:
            if self._link is link:
                self._link = None

    def _connect(self) -> chroma.Link:
        chroma.load()
        if self._url:
            return chroma.link_to_server(self._configured_address())
        if self._folder_lock is None:
            previous = ownership.read_owner(self._folder)
            try:
                self._folder_lock = ownership.acquire(self._folder, command=ownership.this_command())
            except ownership.FolderIsOwned as error:
                return self._link_to_owner(error)
            except OSError as error:
                raise VectorStoreUnavailable(
                    f"The index folder {self._folder} cannot be used: {error}", permanent=True
                ) from error
            # Whoever ends in order takes his record along. It may be the folder that ended this one.
            if previous is not None and not folders.is_safe_to_open(self._folder):
                folders.set_folder_aside(self._folder)
        return chroma.link_to_folder(self._folder)

    def _link_to_owner(self, owned: ownership.FolderIsOwned) -> chroma.Link:
        if owned.owner is None or not owned.owner.address:
            raise IndexFolderOwned(str(owned)) from owned
        return chroma.link_to_server(self._address_of(owned.owner))

    def _is_remote(self) -> bool:
        """Whether calls go to another process, as far as can be told without connecting."""
        link = self._link
        return not link.is_embedded if link is not None else self._server_address() is not None

    def _server_address(self) -> ServerAddress | None:
        if self._url:
            return self._configured_address()
        owner = ownership.read_owner(self._folder) if self._folder_lock is None else None
        return self._address_of(owner) if owner is not None and owner.address and owner.is_alive else None

    def _configured_address(self) -> ServerAddress:
        try:
            return parse_server_url(self._url)
        except ValueError as error:
            raise VectorStoreUnavailable(
                f"CHROMA_URL: {error}", reason="CHROMA_URL is no address", permanent=True
            ) from error

    def _address_of(self, owner: ownership.Owner) -> ServerAddress:
        server = parse_server_url(owner.address)
        return ServerAddress(server.host, server.port, database=chroma.database_of(self._folder))


def _tell_duration(attempt: Attempt, seconds: float) -> None:
    if seconds < QUESTION_SECONDS:
        attempt.succeeded()
    else:
        attempt.failed("it did not answer in time")


_store: VectorStore | None = None
_store_guard = threading.Lock()
_abandoned: list[VectorStore] = []


def get_store() -> VectorStore:
    """The process's store, connected on first use. A forked child gets one of its own."""
    global _store
    with _store_guard:
        if _store is None:
            _store = VectorStore(folder=settings.INDEX_DIR, url=settings.CHROMA_URL)
        return _store


def reset_store() -> None:
    """Gives the index folder back; the next `get_store` starts anew."""
    global _store
    with _store_guard:
        store, _store = _store, None
    if store is not None:
        store.close()


def _forget_parent() -> None:
    global _store, _store_guard
    _store_guard = threading.Lock()
    if _store is not None:
        _store.abandon()
        _abandoned.append(_store)  # kept alive: taking a client apart in the child hangs
        _store = None


os.register_at_fork(after_in_child=_forget_parent)
atexit.register(reset_store)
