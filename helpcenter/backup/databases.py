"""The two kinds of database, as a backup needs them: one moment to read, and a new one to fill and put in place.

Promise: reading holds up no writer; a new database is made beside the live one and takes its place only when
it is whole; the old one is kept.

Refuses to decide: what is read or written.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections, transaction

from helpcenter.backup import unfinished
from helpcenter.backup.archive import BackupError
from knowledge import ownership

_SNAPSHOT = "snapshot"  # alias
_NEW_SCHEMA = "helpcenter_new"
# A site that was only started has rows of its own in other tables.
_WRITTEN_BY_PEOPLE = ("knowledge.Article", "knowledge.Category", "assistant.Conversation", "assistant.Ticket")
_SQLITE_FILES = ("", "-wal", "-shm", "-journal")


def kind() -> str:
    vendor = connections["default"].vendor
    if vendor not in {"sqlite", "postgresql"}:
        raise BackupError(f"Backups know SQLite and PostgreSQL, not {vendor}.")
    return vendor


@contextlib.contextmanager
def one_moment() -> Iterator[str]:
    """The alias of a database that stays as it is now, while others go on writing."""
    if kind() == "sqlite":
        with unfinished.folder(settings.DATA_DIR, unfinished.BACKUP) as folder:
            copy = folder / "db.sqlite3"
            _copy_sqlite(copy)
            with _alias(_SNAPSHOT, NAME=str(copy)):
                yield _SNAPSHOT
        return
    from psycopg import IsolationLevel

    options = _options(isolation_level=IsolationLevel.REPEATABLE_READ)
    with _alias(_SNAPSHOT, OPTIONS=options), transaction.atomic(using=_SNAPSHOT):
        yield _SNAPSHOT


def holds_something() -> bool:
    """Articles, questions, tickets or accounts. A database that cannot be read may hold all of them."""
    models = [*map(apps.get_model, _WRITTEN_BY_PEOPLE), get_user_model()]
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            present = set(connection.introspection.table_names(cursor))
            for table in {model._meta.db_table for model in models} & present:
                cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")  # noqa: S608
                if cursor.fetchone():
                    return True
    except DatabaseError:
        return True
    finally:
        connection.close()
    return False


@contextlib.contextmanager
def nobody_else() -> Iterator[None]:
    """Refuses while others use the site: they would go on writing into what is being set aside."""
    with contextlib.ExitStack() as held:
        if not settings.CHROMA_URL:
            try:
                lock = ownership.acquire(settings.INDEX_DIR, command="manage.py restore")
            except ownership.FolderIsOwned as error:
                raise BackupError(str(error)) from error
            held.callback(lock.release)
        if kind() == "postgresql" and (others := _other_sessions()):
            raise BackupError(
                f"{others} other connections use the database; stop the web server, worker and beat first."
            )
        yield


def replace(fill: Callable[[], None], stamp: str) -> str:
    """Has an empty database filled and puts it in the place of the live one. Says where that lies now.

    While `fill` runs, `default` is the new one: migrations speak to `default` whatever they are told.
    """
    return _replace_sqlite(fill, stamp) if kind() == "sqlite" else _replace_postgresql(fill, stamp)


def _replace_sqlite(fill: Callable[[], None], stamp: str) -> str:
    """All in the folder of the database, which may be on another file system than DATA_DIR."""
    live = Path(str(connections["default"].settings_dict["NAME"]))
    new, old = live.with_name(f"{live.name}.new"), live.with_name(f"{live.name}.{stamp}")
    _remove_sqlite(new)  # of a restore that was killed
    try:
        with _default_is(NAME=str(new)):
            fill()
        for suffix in _SQLITE_FILES:
            with contextlib.suppress(FileNotFoundError):
                live.with_name(live.name + suffix).rename(old.with_name(old.name + suffix))
        new.rename(live)
    finally:
        _remove_sqlite(new)
    return str(old)


def _replace_postgresql(fill: Callable[[], None], stamp: str) -> str:
    old, new = stamp.replace("-", "_"), _NEW_SCHEMA
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            live = cursor.fetchone()[0]
            cursor.execute(f'DROP SCHEMA IF EXISTS "{new}" CASCADE')  # of a restore that was killed
            cursor.execute(f'CREATE SCHEMA "{new}"')
    except DatabaseError as error:
        reason = str(error).strip()
        raise BackupError(
            f"The database role has to own the database to restore into it: {reason}"
        ) from error
    try:
        with _default_is(OPTIONS=_options(options=f"-c search_path={new}")):
            fill()
        with transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute(f'ALTER SCHEMA "{live}" RENAME TO "{old}"')
            cursor.execute(f'ALTER SCHEMA "{new}" RENAME TO "{live}"')
    except BaseException:
        with connections["default"].cursor() as cursor:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{new}" CASCADE')
        raise
    return f"schema {old} of the same database"


@contextlib.contextmanager
def _default_is(**changes: Any) -> Iterator[None]:
    live = connections.settings["default"]
    _disconnect()
    connections.settings["default"] = {**live, **changes}
    try:
        yield
    finally:
        _disconnect()
        connections.settings["default"] = live


def _disconnect() -> None:
    connection = connections["default"]
    connection.close()
    if connection.settings_dict["OPTIONS"].get("pool"):
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's
    del connections["default"]


@contextlib.contextmanager
def _alias(alias: str, **changes: Any) -> Iterator[None]:
    connections.settings[alias] = {**connections["default"].settings_dict, **changes}
    try:
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


def _options(**changes: Any) -> dict[str, Any]:
    """PostgreSQL's, for one connection of its own: a pool would hand out connections with other settings."""
    options = {**connections["default"].settings_dict["OPTIONS"], **changes}
    options.pop("pool", None)
    return options


def _copy_sqlite(target: Path) -> None:
    """SQLite's own online copy: one moment, and writers go on."""
    connection = connections["default"]
    connection.ensure_connection()
    copy = sqlite3.connect(target)
    try:
        connection.connection.backup(copy)
    finally:
        copy.close()


def _remove_sqlite(path: Path) -> None:
    for suffix in _SQLITE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _other_sessions() -> int:
    _disconnect()  # our own idle ones are none
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])
