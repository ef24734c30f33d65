"""An open way to Chroma, whether it runs in this process or behind HTTP. The only importer of chromadb.

Promise: no call waits for ever, no call leaves this machine for a server on it, every collection measures
cosine, and every error of Chroma or of the network is named, panics of its Rust core included.

Refuses to decide: whose turn it is to open the folder, and what is done about damage.
"""

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge.background import Background
from knowledge.vectors.names import CollectionGone, ServerAddress, VectorStoreUnavailable

_CONNECT_SECONDS = 1.0
_QUERY_SECONDS = 1.0
_PATIENT_SECONDS = 30.0  # Chroma now and then rewrites its graph during a write
_NAME_SECONDS = 5.0  # for which a name is taken to mean the same collection
# Measured on 20 000 clustered vectors of 384 dimensions: recall@50 0.997 at 1.7 ms a query (Chroma's own
# ef_search of 100: 0.991). With Chroma's own 16 neighbours 178 of 16 456 vectors were found by no query at all, with
# 32 it was 12, for a fifth more time to build.
_HNSW = {"space": "cosine", "ef_search": 200, "max_neighbors": 32}

_SQLITE_CODE = re.compile(r"\(code: (\d+)\)")
_CORRUPT = {11, 26}  # malformed, and no database at all
# Busy, locked, out of memory, read-only, disk full, cannot be opened: nothing that a new set of files would mend.
_NO_DAMAGE = {5, 6, 7, 8, 13, 14}

_LOAD_SECONDS = 2.0  # for which a question waits; on idle cores it takes one

_loading = threading.Lock()
_load: Background[None] | None = None
_load_guard = threading.Lock()


@dataclass
class Link:
    """The reader serves people who wait for an answer; whatever else there is goes through the patient client."""

    reader: Any  # chromadb.api.ServerAPI
    patient: Any
    systems: tuple[Any, ...]
    where: str  # for people
    scope: dict[str, str]  # tenant and database
    folder: Path | None = None  # open in this process; None: behind HTTP
    _file: tuple[int, int] = (0, 0)  # device and inode of the open database file
    _known: dict[str, tuple[Any, float]] = field(
        default_factory=dict
    )  # name -> model with its id, when asked

    @property
    def is_embedded(self) -> bool:
        return self.folder is not None

    @property
    def is_current(self) -> bool:
        """Whether the open files are still those in the folder. One that was deleted goes on answering."""
        return self.folder is None or _file_of(self.folder) == self._file

    def collection(self, name: str, *, create: bool = False, patient: bool = False) -> Any | None:
        """Patient callers get what has the name now; a reader's answer may be some seconds old.

        Another process may have set a collection aside under another name, where its id goes on working.
        """
        from chromadb.api.models.Collection import Collection

        client = self.patient if patient else self.reader
        model, asked_at = self._known.get(name, (None, 0.0))
        if model is None or patient or time.monotonic() - asked_at > _NAME_SECONDS:
            model = self._look_up(client, name, create=create)
            if model is None:
                return None
            self._known[name] = (model, time.monotonic())
        return Collection(client=client, model=model, embedding_function=None, data_loader=None)

    def names(self) -> list[str]:
        return [model.name for model in self.reader.list_collections(**self.scope)]

    def drop(self, name: str) -> None:
        from chromadb.errors import NotFoundError

        self._known.pop(name, None)
        with contextlib.suppress(NotFoundError):
            self.patient.delete_collection(name, **self.scope)

    def rename(self, name: str, new_name: str) -> None:
        """Whatever distance it measures: a collection that is not ours has to make room as well."""
        from chromadb.api.models.Collection import Collection
        from chromadb.errors import NotFoundError

        self._known.pop(name, None)
        with contextlib.suppress(NotFoundError):
            model = self.patient.get_collection(name, **self.scope)
            Collection(client=self.patient, model=model, embedding_function=None, data_loader=None).modify(
                name=new_name
            )

    def forget_names(self) -> None:
        self._known.clear()

    def close(self) -> None:
        for system in self.systems:
            system.stop()

    def _look_up(self, client: Any, name: str, *, create: bool) -> Any | None:
        from chromadb.errors import NotFoundError

        try:
            model = client.get_collection(name, **self.scope)
        except NotFoundError:
            self._known.pop(name, None)
            if not create:
                return None
            model = client.create_collection(
                name, configuration={"hnsw": _HNSW}, get_or_create=True, **self.scope
            )
        _require_cosine(name, model.configuration_json)
        return model


def load() -> None:
    """Imports what a first call would: seconds that are no fault of Chroma's.

    By one thread at a time: chromadb imports itself in circles, and two that meet in them fail or see half of it.
    """
    with _loading:
        import chromadb.api.fastapi
        import chromadb.api.models.Collection  # noqa: F401


def load_soon() -> None:
    """The same for somebody who waits. Raises VectorStoreUnavailable where it has been going on for long."""
    global _load
    with _load_guard:
        if _load is None:
            _load = Background("chromadb", load)
    try:
        _load.within(_LOAD_SECONDS)
    except TimeoutError:
        raise VectorStoreUnavailable("Chroma's client is still being loaded.") from None


def link_to_server(address: ServerAddress) -> Link:
    with chroma_errors_named(str(address), reading=True):
        reader, reading = _start_http_client(address, _QUERY_SECONDS)
        patient, waiting = _start_http_client(address, _PATIENT_SECONDS)
        scope = {"tenant": address.tenant, "database": address.database}
        _ensure_database(reader, **scope)
    return Link(reader, patient, (reading, waiting), str(address), scope)


def link_to_folder(folder: Path) -> Link:
    """Only for the owner of the folder: a second client loses vectors without an error."""
    remedy = "All of it can be made anew from the database: run `manage.py sync_index --rebuild`."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with chroma_errors_named(str(folder), reading=True):
            client, system = _start_client(is_persistent=True, persist_directory=str(folder))
            scope = {"tenant": ServerAddress.tenant, "database": database_of(folder)}
            _ensure_database(client, **scope)
    except (VectorStoreUnavailable, OSError) as error:
        raise VectorStoreUnavailable(
            f"The index folder {folder} cannot be opened ({error}). {remedy}",
            reason="its folder cannot be opened",
            permanent=True,
            is_damage=isinstance(error, VectorStoreUnavailable) and error.is_damage,
            is_total=True,
        ) from error
    return Link(client, client, (system,), str(folder), scope, folder, _file_of(folder))


def database_of(folder: Path) -> str:
    """The name of this folder's database inside Chroma.

    Ports are reused: a client that reconnects to what is now another instance's server finds nothing there.
    """
    return "index-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def check_alive(address: ServerAddress) -> None:
    """Raises VectorStoreUnavailable within two seconds. Asks for a heartbeat, which reads no vectors."""
    import httpx

    url = f"{address}/api/v2/heartbeat"
    timeout = httpx.Timeout(_QUERY_SECONDS, connect=_CONNECT_SECONDS)
    headers = {"x-chroma-token": address.token} if address.token else {}
    with chroma_network_errors_named(str(address)):
        httpx.get(url, timeout=timeout, headers=headers, trust_env=not address.is_loopback).raise_for_status()


@contextlib.contextmanager
def chroma_network_errors_named(where: str) -> Iterator[None]:
    import httpx

    try:
        yield
    except httpx.TimeoutException as error:
        raise VectorStoreUnavailable(
            f"Chroma at {where} did not answer in time.", reason="it did not answer in time"
        ) from error
    except (httpx.NetworkError, httpx.ProtocolError) as error:
        raise VectorStoreUnavailable(
            f"Chroma at {where} cannot be reached: {error}",
            reason="it cannot be reached",
            connection_lost=True,
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VectorStoreUnavailable(f"Chroma at {where}: {error}", reason="it cannot be reached") from error


@contextlib.contextmanager
def chroma_errors_named(where: str, *, reading: bool) -> Iterator[None]:
    """`reading`: nothing was to be changed, so that a full disk or a read-only one is no explanation."""
    from chromadb.errors import ChromaError, InternalError, InvalidArgumentError, NotFoundError

    try:
        with chroma_network_errors_named(where):
            yield
    except NotFoundError as error:
        raise CollectionGone(str(error)) from error
    except InternalError as error:
        raise _failed_inside(where, error, is_damage=_tells_of_damage(str(error), reading)) from error
    except ChromaError as error:
        # A bad argument as well is what damaged files look like to whoever asks for something reasonable.
        is_damage = isinstance(error, InvalidArgumentError) and _tells_of_damage(str(error), reading)
        raise _failed_inside(where, error, is_damage=is_damage, permanent=True) from error
    except VectorStoreUnavailable:
        raise
    except json.JSONDecodeError as error:
        raise VectorStoreUnavailable(
            f"What answers at {where} is not Chroma.", reason="what answers there is not Chroma"
        ) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of pyo3, which exports no such name, and no Exception
            raise _failed_inside(where, error, is_damage=True) from error
        # chromadb raises a bare Exception with the body of an answer that it does not know (a proxy's 502).
        if type(error) is not Exception:
            raise
        raise VectorStoreUnavailable(f"Chroma at {where}: {str(error)[:200]}") from error


def _failed_inside(
    where: str, error: BaseException, *, is_damage: bool, permanent: bool = False
) -> VectorStoreUnavailable:
    return VectorStoreUnavailable(
        f"Chroma at {where}: {error}",
        reason="its files are damaged" if is_damage else "it refuses, its log says why",
        permanent=permanent and not is_damage,
        is_damage=is_damage,
        is_total=_sqlite_code(str(error)) in _CORRUPT,
    )


def _tells_of_damage(message: str, reading: bool) -> bool:
    code = _sqlite_code(message)
    return code not in _NO_DAMAGE if reading else code in _CORRUPT


def _sqlite_code(message: str) -> int | None:
    found = _SQLITE_CODE.search(message)
    return int(found.group(1)) & 0xFF if found else None  # the upper bits only tell variants apart


def _file_of(folder: Path) -> tuple[int, int]:
    try:
        status = (folder / "chroma.sqlite3").stat()
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _start_http_client(address: ServerAddress, timeout_seconds: float) -> tuple[Any, Any]:
    import httpx

    client, system = _start_client(
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host=address.host,
        chroma_server_http_port=address.port,
        chroma_server_ssl_enabled=address.tls,
        chroma_server_headers={"x-chroma-token": address.token} if address.token else {},
    )
    # chromadb's own session waits for ever and would send loopback traffic through a configured proxy.
    client._session = httpx.Client(
        timeout=httpx.Timeout(timeout_seconds, connect=_CONNECT_SECONDS),
        limits=client.http_limits,
        headers=client._session.headers,
        trust_env=not address.is_loopback,
    )
    return client, system


def _start_client(**options: Any) -> tuple[Any, Any]:
    """One level below chromadb's HttpClient and PersistentClient.

    Those remember clients by folder, and they already talk to the server before a time-out can be set.
    """
    from chromadb.api import ServerAPI
    from chromadb.config import Settings, System

    system: Any = System(Settings(anonymized_telemetry=False, **options))
    client = system.instance(ServerAPI)
    system.start()
    return client, system


def _ensure_database(client: Any, *, tenant: str, database: str) -> None:
    from chromadb.errors import ChromaError, NotFoundError

    try:
        client.get_database(database, tenant=tenant)
    except NotFoundError:
        with contextlib.suppress(ChromaError):  # somebody else was faster
            client.create_database(database, tenant=tenant)
        client.get_database(database, tenant=tenant)


def _require_cosine(name: str, configuration: dict[str, Any]) -> None:
    index = configuration.get("hnsw") or configuration.get("spann") or {}
    if index.get("space") != "cosine":
        raise VectorStoreUnavailable(
            f"Chroma collection {name} measures {index.get('space', 'an unknown distance')}, not cosine: it "
            "was not made by this program. Run `manage.py sync_index --rebuild` to replace it.",
            reason="a collection of it was not made by this program",
            permanent=True,
            is_damage=True,
        )
