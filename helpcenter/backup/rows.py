"""All rows that a site consists of, out of one database and into another, whichever of the two kinds either is.

Promise: what `load` leaves behind equals what `dump` read: ids, times to the microsecond, vectors to the bit.
Rows are read and written as the migrations of that day describe them and brought forward afterwards, so that
an old backup fits into a newer version.

Refuses to decide: which database is read or written, and what a moment in time is (`databases`).
"""

import base64
import datetime
import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.color import no_style
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from helpcenter.backup.archive import BackupError, Migration

_ROWS_AT_ONCE = 250
_SUFFIX = ".jsonl"
_OF_THE_MOMENT = {"knowledge.checkup"}  # about the index, which is not in a backup either


def dump(alias: str, folder: Path) -> tuple[tuple[Migration, ...], dict[str, int]]:
    """One file a table: its columns in the first line, then a row a line. Returns migrations and row counts."""
    loader = MigrationLoader(connections[alias])
    applied = tuple(sorted(loader.applied_migrations))
    if not applied:
        raise BackupError("The database is empty; there is nothing to back up.")
    require_known(applied)
    counts = {}
    for model in _models(loader, applied):
        columns = _columns(model)
        count = 0
        with (folder / f"{model._meta.label_lower}{_SUFFIX}").open("w", encoding="utf-8") as file:
            file.write(json.dumps(columns) + "\n")
            rows = model._base_manager.using(alias).order_by("pk").values_list(*columns)
            for row in rows.iterator(chunk_size=_ROWS_AT_ONCE):
                # Keys sorted: PostgreSQL keeps those of a JSON field in an order of its own.
                line = json.dumps(row, ensure_ascii=False, sort_keys=True, default=_as_text)
                file.write(line + "\n")
                count += 1
        counts[model._meta.label_lower] = count
    return applied, counts


def load(folder: Path, migrations: tuple[Migration, ...]) -> None:
    """Fills `default`, an empty database, with what `dump` wrote and migrates it to this version."""
    connection = connections["default"]
    executor = MigrationExecutor(connection)
    executor.migrate(_newest(executor.loader, migrations))
    models = _models(executor.loader, migrations)
    expected = {f"{model._meta.label_lower}{_SUFFIX}" for model in models}
    if expected != {path.name for path in folder.iterdir()}:
        raise BackupError("The tables of the backup are not those that its migrations make.")
    with transaction.atomic(), connection.cursor() as cursor:
        for model in models:  # rows that migrations themselves made
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
        for model in models:
            _fill(model, folder / f"{model._meta.label_lower}{_SUFFIX}")
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
    forward = MigrationExecutor(connection)
    forward.migrate(forward.loader.graph.leaf_nodes())


def require_known(migrations: Iterable[Migration]) -> None:
    """A database from the future cannot be understood, only damaged."""
    known = MigrationLoader(None).disk_migrations
    unknown = [f"{app}.{name}" for app, name in migrations if (app, name) not in known]
    if unknown:
        raise BackupError(f"It comes from a newer version, with {unknown[0]}; upgrade this one first.")


def _newest(loader: MigrationLoader, applied: Iterable[Migration]) -> list[Migration]:
    """The last of each application: given an earlier one, the executor would migrate backwards to it."""
    known = {key for key in applied if key in loader.graph.nodes}
    return sorted(
        key
        for key in known
        if not any(
            child.key in known and child.key[0] == key[0] for child in loader.graph.node_map[key].children
        )
    )


def _models(loader: MigrationLoader, applied: Iterable[Migration]) -> list[type[Model]]:
    state = loader.project_state(_newest(loader, applied))
    every = state.apps.get_models(include_auto_created=True)
    return [
        model
        for model in every
        if model._meta.managed and not model._meta.proxy and model._meta.label_lower not in _OF_THE_MOMENT
    ]


def _columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields if not getattr(field, "generated", False)]


def _fill(model: type[Model], path: Path) -> None:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    for field in fields.values():
        # These models exist for this load alone; a restored row keeps the times that it was saved with.
        if hasattr(field, "auto_now"):
            field.auto_now = field.auto_now_add = False  # type: ignore[attr-defined]
    with path.open(encoding="utf-8") as file:
        columns = json.loads(next(file))
        if columns != _columns(model):
            raise BackupError(f"The columns of {path.stem} are not those that its migrations make.")
        made = (
            model(**{name: fields[name].to_python(value) for name, value in zip(columns, row, strict=True)})
            for row in map(json.loads, file)
        )
        while batch := list(islice(made, _ROWS_AT_ONCE)):
            model._base_manager.bulk_create(batch)


def _as_text(value: Any) -> str:
    """What JSON has no word for, in the form that the field's own `to_python` reads."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
