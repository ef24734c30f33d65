"""A file that somebody uploaded, as something that `open_source` can read; or a reason why not.

Promise: nothing is written outside of a folder of its own, which is gone afterwards. Sizes are counted while
unpacking, because the ones that an archive states are its author's. Only kinds of files that an import reads are
unpacked; links, encrypted entries and paths that lead elsewhere refuse the whole archive.
"""

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from knowledge.importers import site
from knowledge.media import PICTURE_SUFFIXES

MAX_UPLOAD_BYTES: Final = 20 * 1024 * 1024
MAX_ENTRIES: Final = 5_000
MAX_UNPACKED_BYTES: Final = 200 * 1024 * 1024
_MAX_PATH: Final = 400  # characters
_MAX_DEPTH: Final = 20
_BLOCK: Final = 64 * 1024
_READ: Final = site.SUFFIXES | PICTURE_SUFFIXES | {".json", ".jsonl", ".ndjson", ".csv", ".yml", ".yaml"}


class HostileFile(Exception):
    """Not unpacked, for the reason it states. Permanent: another file is needed."""


@contextmanager
def unpacked(name: str, content: bytes) -> Iterator[Path]:
    """The file, or the folder that a zip holds. Raises `HostileFile`."""
    if len(content) > MAX_UPLOAD_BYTES:
        raise HostileFile(
            _("The file has %(found).1f MB; at most %(limit)d MB are allowed.")
            % {"found": len(content) / 1024 / 1024, "limit": MAX_UPLOAD_BYTES // 1024 // 1024}
        )
    if not content:
        raise HostileFile(_("The file is empty."))
    safe = get_valid_filename(PurePosixPath(name.replace("\\", "/")).name[-100:] or "upload")
    with tempfile.TemporaryDirectory(prefix="import-") as temporary:
        place = Path(temporary) / safe
        if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            place = Path(temporary) / (Path(safe).stem or "upload")
            place.mkdir()
            _unpack(content, place)
            yield _inner(place)
        else:
            place.write_bytes(content)
            yield place


def _unpack(content: bytes, target: Path) -> None:
    import io

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise HostileFile(
                    _("The archive has %(found)d entries; at most %(limit)d are allowed.")
                    % {"found": len(entries), "limit": MAX_ENTRIES}
                )
            paths = [(entry, _checked(entry)) for entry in entries]  # all of them before one is written
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
                raise _too_large()
            left = MAX_UNPACKED_BYTES
            for entry, path in paths:
                if not entry.is_dir() and _is_read(path):
                    left -= _write(archive, entry, target / path, left)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise HostileFile(_("The archive is damaged or of a kind that is not known.")) from error
    except UnicodeDecodeError as error:
        raise HostileFile(_("The archive has names that are no text.")) from error


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = entry.filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if (
        "\\" in name
        or "\x00" in entry.orig_filename
        or path.is_absolute()
        or ".." in path.parts
        or (path.parts and ":" in path.parts[0])
    ):
        raise HostileFile(_("The archive has a path that leads elsewhere: %(path)s.") % {"path": name[:100]})
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise HostileFile(_("The archive has a link or a device: %(path)s.") % {"path": name[:100]})
    if entry.flag_bits & 0x1:
        raise HostileFile(_("The archive is encrypted."))
    if len(name) > _MAX_PATH or len(path.parts) > _MAX_DEPTH:
        raise HostileFile(_("The archive has a path that is too long: %(path)s.") % {"path": name[:100]})
    return path


def _is_read(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() in _READ


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path, left: int) -> int:
    """Returns how many bytes it had."""
    written = 0
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as packed, place.open("xb") as file:
            while block := packed.read(_BLOCK):
                written += len(block)
                if written > left:
                    raise _too_large()
                file.write(block)
    except (FileExistsError, NotADirectoryError) as error:
        twice = {"path": entry.filename[:100]}
        raise HostileFile(_("The archive has one path twice: %(path)s.") % twice) from error
    return written


def _too_large() -> HostileFile:
    limit = MAX_UNPACKED_BYTES // 1024 // 1024
    return HostileFile(_("Unpacked, the archive has more than %(limit)d MB.") % {"limit": limit})


def _inner(place: Path) -> Path:
    """The one folder that an archive of a folder holds, however deep."""
    for _level in range(_MAX_DEPTH):
        inside = list(place.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.lower() in ("de", "en", "_articles"):
            break
        place = inside[0]
    return place
