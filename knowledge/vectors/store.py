"""Chroma as this process reaches it: a configured server, the folder owner's server, or the folder itself."""

import atexit
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from django.conf import settings

from knowledge import ownership
from knowledge.vectors import chroma
from knowledge.vectors.names import (
    CollectionGone,
    CollectionKey,
    IndexFolderOwned,
    ServerAddress,
    VectorStoreUnavailable,
    parse_server_url,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 2000  # ids in one write; Chroma refuses more than about 5 461
_REPLACEMENT = ".new"

Result = TypeVar("Result")


class VectorStore:
    """Connects with the first call and again after a failure. Threads share it."""

    def __init__(self, *, folder: Path, url: str = "") -> None:
        self._folder = folder
        self._url = url
        self._guard = threading.RLock()
        self._link: chroma.Link | None = None
        self._folder_lock: ownership.FolderLock | None = None

    @property
    def where(self) -> str:
        """The place of the index, for people."""
        return self._connected().where

    def upsert(self, key: CollectionKey, ids: Sequence[int], vectors: "NDArray[np.float32]") -> None:
        self._upsert(key.name, ids, vectors)

    def delete(self, key: CollectionKey, ids: Sequence[int]) -> None:
        """Ids that are not there are ignored."""
        for start in range(0, len(ids), BATCH):
            part = [str(identity) for identity in ids[start : start + BATCH]]

            def remove(link: chroma.Link, part: list[str] = part) -> None:
                collection = link.collection(key.name, writing=True)
                if collection is not None:
                    collection.delete(ids=part)

            self._run(remove)

    def query(self, key: CollectionKey, vector: "NDArray[np.float32]", limit: int) -> list[tuple[int, float]]:
        """Passage ids with cosine similarity (-1..1), best first; none where there is no collection."""
        return self.query_many(key, np.asarray(vector, dtype=np.float32)[np.newaxis], limit)[0]

    def query_many(
        self, key: CollectionKey, vectors: "NDArray[np.float32]", limit: int
    ) -> list[list[tuple[int, float]]]:
        def search(link: chroma.Link) -> list[list[tuple[int, float]]]:
            collection = link.collection(key.name)
            if collection is None:
                return [[] for _vector in vectors]
            found = collection.query(query_embeddings=list(vectors), n_results=limit, include=["distances"])
            return [
                [(int(identity), 1.0 - distance) for identity, distance in zip(ids, distances, strict=True)]
                for ids, distances in zip(found["ids"], found["distances"], strict=True)
            ]

        return self._run(search)

    def ids(self, key: CollectionKey) -> set[int]:
        """What the collection says it holds. No proof that a query finds it: only canaries prove that."""

        def listing(link: chroma.Link) -> set[int]:
            collection = link.collection(key.name, writing=True)
            return (
                set() if collection is None else {int(found) for found in collection.get(include=[])["ids"]}
            )

        return self._run(listing)

    def collections(self) -> list[CollectionKey]:
        keys = (CollectionKey.from_name(name) for name in self._run(chroma.Link.names))
        return sorted((key for key in keys if key is not None), key=lambda key: key.name)

    def drop(self, key: CollectionKey) -> None:
        self._run(lambda link: link.drop(key.name))

    def replace(
        self, key: CollectionKey, batches: Iterable[tuple[Sequence[int], "NDArray[np.float32]"]]
    ) -> None:
        """Fills a new collection beside the old one, which answers until the new one takes its name."""
        name = key.name + _REPLACEMENT
        self._run(lambda link: link.drop(name))
        for ids, vectors in batches:
            self._upsert(name, ids, vectors)
        self.drop(key)
        self._run(lambda link: link.rename(name, key.name))

    def clear(self) -> None:
        """Starts from an empty index, also where the folder is too damaged to be opened."""
        with self._guard:
            try:
                for key in self.collections():
                    self.drop(key)
            except VectorStoreUnavailable:
                if self._folder_lock is None:
                    raise
                self._link = None
                shutil.rmtree(self._folder, ignore_errors=True)

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

    def _upsert(self, name: str, ids: Sequence[int], vectors: "NDArray[np.float32]") -> None:
        for start in range(0, len(ids), BATCH):
            part = [str(identity) for identity in ids[start : start + BATCH]]
            rows = np.asarray(vectors[start : start + BATCH], dtype=np.float32)

            def write(link: chroma.Link, part: list[str] = part, rows: "NDArray[np.float32]" = rows) -> None:
                collection = link.collection(name, create=True, writing=True)
                if collection is not None:
                    collection.upsert(ids=part, embeddings=rows)

            self._run(write)

    def _run(self, operation: Callable[[chroma.Link], Result]) -> Result:
        """Runs a repeatable operation, a second time where the first met something that had left."""
        try:
            return self._run_once(operation)
        except CollectionGone:
            pass
        except VectorStoreUnavailable as error:
            if not error.connection_lost:
                raise
        try:
            return self._run_once(operation)
        except CollectionGone as error:
            raise VectorStoreUnavailable(f"Chroma keeps losing a collection: {error}") from error

    def _run_once(self, operation: Callable[[chroma.Link], Result]) -> Result:
        link = self._connected()
        try:
            with chroma.chroma_errors_named(link.where, embedded=link.embedded):
                return operation(link)
        except CollectionGone:
            link.collections.clear()
            raise
        except VectorStoreUnavailable as error:
            if error.connection_lost:
                self._disconnect(link)
            raise

    def _connected(self) -> chroma.Link:
        with self._guard:
            if self._link is None:
                self._link = self._connect()
            return self._link

    def _disconnect(self, link: chroma.Link) -> None:
        """Other threads may still be using the link, so it is dropped and not closed."""
        with self._guard:
            if self._link is link:
                self._link = None

    def _connect(self) -> chroma.Link:
        if self._url:
            try:
                address = parse_server_url(self._url)
            except ValueError as error:
                raise VectorStoreUnavailable(f"CHROMA_URL: {error}", permanent=True) from error
            return chroma.link_to_server(address)
        if self._folder_lock is None:
            try:
                self._folder_lock = ownership.acquire(self._folder, command=ownership.this_command())
            except ownership.FolderIsOwned as error:
                return self._link_to_owner(error)
            except OSError as error:
                raise VectorStoreUnavailable(
                    f"The index folder {self._folder} cannot be used: {error}", permanent=True
                ) from error
        return chroma.link_to_folder(self._folder)

    def _link_to_owner(self, owned: ownership.FolderIsOwned) -> chroma.Link:
        if owned.owner is None or not owned.owner.address:
            raise IndexFolderOwned(str(owned)) from owned
        server = parse_server_url(owned.owner.address)
        return chroma.link_to_server(
            ServerAddress(server.host, server.port, database=chroma.database_of(self._folder))
        )


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
