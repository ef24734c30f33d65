"""What the vector index calls things: collections, servers, and the ways in which it fails."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

_SET_ASIDE = "damaged."
_COLLECTION_NAME = re.compile(
    r"passages\.(?P<audience>[a-z_]+)\.(?P<language>[a-z]{2})\.(?P<recipe>[0-9a-f]+)"
)


class VectorStoreUnavailable(Exception):
    """The vector index cannot be used now. A retry may help, unless `permanent`."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "it cannot be used, its log says why",
        connection_lost: bool = False,
        permanent: bool = False,
        is_damage: bool = False,
        is_total: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason  # for anybody's eyes: no address, no path
        self.connection_lost = connection_lost  # connecting anew may help at once
        self.permanent = permanent  # somebody has to change something first
        self.is_damage = is_damage  # Chroma was reached and failed on its own files
        self.is_total = is_total  # on those that all collections share


class IndexFolderOwned(VectorStoreUnavailable):
    """Another process holds the index folder and cannot be connected to."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="another process has its folder open")


class CollectionGone(Exception):
    """The collection was dropped or replaced since its id was looked up."""


@dataclass(frozen=True)
class CollectionKey:
    audience: str
    language: str
    recipe: str

    @property
    def name(self) -> str:
        return f"passages.{self.audience}.{self.language}.{self.recipe}"

    def name_aside(self, now: datetime) -> str:
        """What the collection is called once it is kept for inspection only. No key has such a name."""
        return f"{_SET_ASIDE}{stamp(now)}.{self.name}"

    @staticmethod
    def from_name(name: str) -> "CollectionKey | None":
        match = _COLLECTION_NAME.fullmatch(name)
        return CollectionKey(**match.groupdict()) if match else None


def stamp(now: datetime) -> str:
    """A moment as a part of a name; later ones sort behind."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%f")


def oldest_aside(names: Iterable[str], *, kept: int) -> list[str]:
    """Those of the collections set aside that are too many, the newest `kept` being left out."""
    return sorted(name for name in names if name.startswith(_SET_ASIDE))[:-kept]


@dataclass(frozen=True)
class ServerAddress:
    host: str
    port: int
    tls: bool = False
    token: str = ""
    tenant: str = "default_tenant"
    database: str = "default_database"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def parse_server_url(url: str) -> ServerAddress:
    """`http(s)://[:token@]host[:port][?tenant=…&database=…]`. Raises ValueError with what is allowed."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise ValueError("allowed: http://host:port or https://:token@host:port?tenant=…&database=…")
    tls = parts.scheme == "https"
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return ServerAddress(
        host=parts.hostname,
        port=parts.port or (443 if tls else 8000),
        tls=tls,
        token=parts.password or "",
        tenant=query.get("tenant", ServerAddress.tenant),
        database=query.get("database", ServerAddress.database),
    )
