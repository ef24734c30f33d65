"""An open way to Chroma, whether it runs in this process or behind HTTP. The only importer of chromadb.

Promise: no call waits for ever, no call leaves this machine for a server on it, every collection measures
cosine, and every error of Chroma or of the network is named.

Refuses to decide: whose turn it is to open the folder.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge.vectors.names import CollectionGone, ServerAddress, VectorStoreUnavailable

_CONNECT_SECONDS = 1.0
_QUERY_SECONDS = 2.0
_WRITE_SECONDS = 120.0  # Chroma now and then rewrites its graph during a write
# Measured on 20 000 clustered vectors of 384 dimensions: recall@50 0.997 at 1.7 ms a query (Chroma's own
# ef_search of 100: 0.991). A denser graph doubles the time of a rebuild for another 0.001.
_HNSW = {"space": "cosine", "ef_search": 200}


@dataclass
class Link:
    """Reading and writing have clients of their own because their time-outs differ."""

    reader: Any  # chromadb.api.ServerAPI
    writer: Any
    systems: tuple[Any, ...]
    where: str  # for people
    scope: dict[str, str]  # tenant and database
    embedded: bool
    collections: dict[str, Any] = field(default_factory=dict)  # name -> chromadb's model, which has its id

    def collection(self, name: str, *, create: bool = False, writing: bool = False) -> Any | None:
        from chromadb.api.models.Collection import Collection
        from chromadb.errors import NotFoundError

        client = self.writer if writing else self.reader
        model = self.collections.get(name)
        if model is None:
            try:
                model = client.get_collection(name, **self.scope)
            except NotFoundError:
                if not create:
                    return None
                model = client.create_collection(
                    name, configuration={"hnsw": _HNSW}, get_or_create=True, **self.scope
                )
            _require_cosine(name, model.configuration_json)
            self.collections[name] = model
        return Collection(client=client, model=model, embedding_function=None, data_loader=None)

    def names(self) -> list[str]:
        return [model.name for model in self.reader.list_collections(**self.scope)]

    def drop(self, name: str) -> None:
        from chromadb.errors import NotFoundError

        self.collections.pop(name, None)
        with contextlib.suppress(NotFoundError):
            self.writer.delete_collection(name, **self.scope)

    def rename(self, name: str, new_name: str) -> None:
        collection = self.collection(name, writing=True)
        if collection is not None:
            self.collections.pop(name, None)
            collection.modify(name=new_name)

    def close(self) -> None:
        for system in self.systems:
            system.stop()


def link_to_server(address: ServerAddress) -> Link:
    with chroma_errors_named(str(address), embedded=False):
        reader, reading = _start_http_client(address, _QUERY_SECONDS)
        writer, writing = _start_http_client(address, _WRITE_SECONDS)
        scope = {"tenant": address.tenant, "database": address.database}
        _ensure_database(reader, **scope)
    return Link(reader, writer, (reading, writing), str(address), scope, embedded=False)


def link_to_folder(folder: Path) -> Link:
    """Only for the owner of the folder: a second client loses vectors without an error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with chroma_errors_named(str(folder), embedded=True):
            client, system = _start_client(is_persistent=True, persist_directory=str(folder))
            scope = {"tenant": ServerAddress.tenant, "database": database_of(folder)}
            _ensure_database(client, **scope)
    except (VectorStoreUnavailable, OSError) as error:
        raise VectorStoreUnavailable(
            f"The index folder {folder} cannot be opened ({error}). All of it can be made anew from the "
            "database: run `manage.py sync_index --rebuild`.",
            permanent=True,
        ) from error
    return Link(client, client, (system,), str(folder), scope, embedded=True)


def database_of(folder: Path) -> str:
    """The name of this folder's database inside Chroma.

    Ports are reused: a client that reconnects to what is now another instance's server finds nothing there.
    """
    return "index-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


@contextlib.contextmanager
def chroma_errors_named(where: str, *, embedded: bool) -> Iterator[None]:
    import httpx
    from chromadb.errors import ChromaError, InternalError, NotFoundError

    try:
        yield
    except httpx.TimeoutException as error:
        raise VectorStoreUnavailable(f"Chroma at {where} did not answer in time.") from error
    except (httpx.NetworkError, httpx.ProtocolError) as error:
        raise VectorStoreUnavailable(
            f"Chroma at {where} cannot be reached: {error}", connection_lost=True
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VectorStoreUnavailable(f"Chroma at {where}: {error}") from error
    except NotFoundError as error:
        raise CollectionGone(str(error)) from error
    except InternalError as error:
        # Of an embedded Chroma this is what a folder deleted from under it looks like: opening it anew helps.
        raise VectorStoreUnavailable(
            f"Chroma at {where}: {error}", connection_lost=embedded, is_internal=True
        ) from error
    except ChromaError as error:
        raise VectorStoreUnavailable(f"Chroma at {where}: {error}", permanent=True) from error
    except VectorStoreUnavailable:
        raise
    except json.JSONDecodeError as error:
        raise VectorStoreUnavailable(f"What answers at {where} is not Chroma.") from error
    except Exception as error:
        # chromadb raises a bare Exception with the body of an answer that it does not know (a proxy's 502).
        if type(error) is not Exception:
            raise
        raise VectorStoreUnavailable(f"Chroma at {where}: {str(error)[:200]}") from error


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
            permanent=True,
        )
