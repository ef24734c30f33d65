"""The test database as another process sees it: its address, and a lock that somebody else holds."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

import psycopg
from django.db import connection


def database_url() -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    user, password, host, name = (
        quote(str(values[key]), safe="") for key in ("USER", "PASSWORD", "HOST", "NAME")
    )
    return f"postgres://{user}:{password}@{host}:{values['PORT'] or 5432}/{name}"


@contextmanager
def locked_by_somebody_else(*tables: str, mode: str = "ACCESS EXCLUSIVE") -> Iterator[None]:
    """SQLite: nobody else can write anything. PostgreSQL: nobody else can use these tables, or, in the mode SHARE,
    write to them.
    """
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")
        return
    with psycopg.connect(database_url()) as other_server:
        other_server.execute(f"LOCK TABLE {', '.join(tables)} IN {mode} MODE")
        try:
            yield
        finally:
            other_server.rollback()
