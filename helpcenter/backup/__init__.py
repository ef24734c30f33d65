"""Backup and restore: all that cannot be made anew, in one file.

Promise: a backup is one moment of the site and holds up nobody; a restore touches nothing before it has
verified the whole archive, fills a new database beside the live one, and keeps what was there. The index is
not in a backup: it is made anew from the vectors in the rows, without the embedding model.

Rows, not the dump of one database program: a backup then needs no client tools of the server's version, and
what SQLite wrote can be restored into PostgreSQL, which is how a site outgrows one machine.
"""

import datetime
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from helpcenter.backup import archive, databases, rows, unfinished
from helpcenter.backup.archive import BackupError, Manifest
from knowledge.embeddings import EmbedderUnavailable
from knowledge.indexing import rebuild_index
from knowledge.vectors import VectorStoreUnavailable

__all__ = ["BackupError", "Manifest", "Restored", "create", "restore"]

_ROWS, _MEDIA, _KEY = "rows", "media", "secret_key"
_OTHER_KEY = "{}; with another value than it had there, everybody has to sign in anew."


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    aside: Path  # folder of what was there before
    old_database: str  # where it lies now
    key_note: str  # what the operator has to know about the secret key; empty: nothing
    passages: int | None  # in the index now; None: it could not be made
    index_error: str = ""


def create(output: IO[bytes]) -> Manifest:
    kind = databases.kind()
    with unfinished.folder(settings.DATA_DIR, unfinished.BACKUP) as folder:
        (folder / _ROWS).mkdir()
        created_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with databases.one_moment() as alias:
            migrations, counts = rows.dump(alias, folder / _ROWS)
        if settings.MEDIA_ROOT.is_dir():
            shutil.copytree(settings.MEDIA_ROOT, folder / _MEDIA)
        if _key_is_generated():
            shutil.copy(_key_file(), folder / _KEY)
        return archive.pack(
            folder, output, created_at=created_at, database=kind, migrations=migrations, rows=counts
        )


def restore(source: IO[bytes], *, force: bool) -> Restored:
    """Raises BackupError with the site as it was. `force` allows a site that already holds something."""
    with unfinished.folder(settings.DATA_DIR, unfinished.RESTORE) as folder:
        manifest = archive.unpack(source, folder)
        rows.require_known(manifest.migrations)
        if not force and databases.holds_something():
            raise BackupError("This site is not empty. With --force it is set aside and replaced.")
        stamp = datetime.datetime.now(datetime.UTC).strftime("before-restore-%Y%m%d-%H%M%S")
        with databases.nobody_else():
            aside = settings.DATA_DIR / stamp
            old_database = databases.replace(lambda: rows.load(folder / _ROWS, manifest.migrations), stamp)
            aside.mkdir(mode=0o700)
            _swap_media(folder, aside)
            key_note = _swap_key(folder, aside)
            if not settings.CHROMA_URL:
                # Its ids are those of the old database and may mean other passages now.
                shutil.rmtree(settings.INDEX_DIR, ignore_errors=True)
    ContentType.objects.clear_cache()
    call_command("migrate", verbosity=0)  # permissions and groups follow every migration
    try:
        passages = rebuild_index()
    except (VectorStoreUnavailable, EmbedderUnavailable) as error:
        return Restored(manifest, aside, old_database, key_note, None, str(error))
    return Restored(manifest, aside, old_database, key_note, passages)


def _swap_media(folder: Path, aside: Path) -> None:
    if settings.MEDIA_ROOT.exists():
        settings.MEDIA_ROOT.rename(aside / _MEDIA)
    if (folder / _MEDIA).is_dir():
        (folder / _MEDIA).rename(settings.MEDIA_ROOT)


def _swap_key(folder: Path, aside: Path) -> str:
    restored = folder / _KEY
    generated = _key_is_generated()
    if not restored.exists():
        return _OTHER_KEY.format("The backup comes from a site with SECRET_KEY set") if generated else ""
    if not generated:
        return _OTHER_KEY.format("SECRET_KEY is set here and stays in force")
    _key_file().rename(aside / _KEY)
    restored.chmod(0o600)
    restored.rename(_key_file())
    return ""


def _key_file() -> Path:
    return Path(settings.DATA_DIR / _KEY)


def _key_is_generated() -> bool:
    """In force here, that is: with SECRET_KEY set, a file of an earlier day means nothing."""
    return _key_file().is_file() and _key_file().read_text().strip() == settings.SECRET_KEY
