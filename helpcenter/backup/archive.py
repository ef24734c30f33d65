"""The file that a backup is: a compressed tar that begins with a manifest of everything else in it.

Promise: what `unpack` returns from is complete and unchanged, byte for byte; whatever else somebody put into
the file, nothing is written outside the folder it was given.

Refuses to decide: what belongs into a backup, and what becomes of it.
"""

import hashlib
import io
import json
import tarfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

FORMAT = 1  # raised when an older program could no longer read what is written here
_MANIFEST = "manifest.json"
_COMPRESSION = 3  # vectors hardly shrink at any level; text nearly does its best at this one
_PIECE_BYTES = 1 << 20

Migration = tuple[str, str]  # application and name, as Django records them


class BackupError(Exception):
    """One sentence for the operator. Nothing of the site has been touched."""


@dataclass(frozen=True)
class Part:
    name: str  # path inside the archive, with slashes
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    created_at: str  # ISO 8601, UTC
    database: str  # where it came from, for people: sqlite or postgresql
    migrations: tuple[Migration, ...]  # that had been applied
    rows: dict[str, int]  # by model
    parts: tuple[Part, ...] = ()


def pack(
    folder: Path,
    output: IO[bytes],
    *,
    created_at: str,
    database: str,
    migrations: tuple[Migration, ...],
    rows: dict[str, int],
) -> Manifest:
    """Writes every file below `folder`."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    parts = tuple(_part(folder, name) for name in names)
    manifest = Manifest(created_at, database, migrations, rows, parts)
    text = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode()
    with tarfile.open(fileobj=output, mode="w:gz", compresslevel=_COMPRESSION) as tar:
        head = tarfile.TarInfo(_MANIFEST)
        head.size, head.mode = len(text), 0o600
        tar.addfile(head, io.BytesIO(text))
        for part in parts:
            tar.add(folder / part.name, arcname=part.name, recursive=False, filter=_anonymous)
    return manifest


def unpack(source: IO[bytes], folder: Path) -> Manifest:
    try:
        with tarfile.open(fileobj=source, mode="r:gz") as tar:
            for member in tar:
                if not member.isfile():
                    raise BackupError(f"The backup holds {member.name!r}, which is no plain file.")
                tar.extract(member, folder, filter="data")
            # The checksum of the whole stands behind the last member.
            while tar.fileobj is not None and tar.fileobj.read(_PIECE_BYTES):
                pass
        manifest = _read_manifest(folder / _MANIFEST)
    except OSError as error:
        if error.errno is not None:
            raise BackupError(f"The backup cannot be unpacked: {error.strerror}.") from error
        raise BackupError(f"The backup is damaged: {error}.") from error
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"The backup is damaged: {error}.") from error
    _verify(folder, manifest)
    return manifest


def _read_manifest(path: Path) -> Manifest:
    if not path.is_file():
        raise BackupError("This is not a backup of a help center: it has no manifest.")
    fields = json.loads(path.read_text())
    path.unlink()
    if fields["format"] != FORMAT:
        raise BackupError(
            f"The backup has format {fields['format']!r}; this version reads format {FORMAT}. "
            "Restore it with the version that wrote it, or a newer one."
        )
    return Manifest(
        created_at=str(fields["created_at"]),
        database=str(fields["database"]),
        migrations=tuple((str(app), str(name)) for app, name in fields["migrations"]),
        rows={str(name): int(count) for name, count in fields["rows"].items()},
        parts=tuple(Part(**part) for part in fields["parts"]),
    )


def _verify(folder: Path, manifest: Manifest) -> None:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = {part.name for part in manifest.parts}
    if found != listed:
        raise BackupError(
            f"The backup is damaged: {len(listed - found)} files are missing, "
            f"{len(found - listed)} are not in its manifest."
        )
    for part in manifest.parts:
        if _part(folder, part.name) != part:
            raise BackupError(f"The backup is damaged: {part.name} differs from its checksum.")


def _part(folder: Path, name: str) -> Part:
    path = folder / name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Part(name, digest.hexdigest(), path.stat().st_size)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Accounts of the machine it was made on mean nothing elsewhere."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
