"""Folders of the index that cannot be trusted: examined without risk, and set aside for inspection.

Promise: whatever lies in a folder, looking at it here ends no process of ours, and setting it aside loses
nothing but older folders that were set aside before. Works while a server has the folder open; whoever runs
that server notices that its files have left.

Refuses to decide: when a folder is damaged. Light enough for the supervisor of `serve`.
"""

import contextlib
import logging
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from knowledge.vectors.names import CollectionKey, stamp

log = logging.getLogger(__name__)

_TABLES = "chroma.sqlite3"
KEPT = 2  # folders, or collections, of those set aside
_EXAMINATION_SECONDS = 60.0
_VECTORS_EXAMINED = 2000  # of each collection
_VECTORS_IN_A_QUERY = 100
_LOOK_AT_TABLES = """
import sqlite3, sys
try:
    found = sqlite3.connect(sys.argv[1], uri=True).execute("PRAGMA quick_check(1)").fetchall()
    print("whole" if found == [("ok",)] else "damaged")
except sqlite3.OperationalError:  # locked, or not there
    print("unknown")
except sqlite3.DatabaseError:
    print("damaged")
"""
_PROJECT = Path(__file__).resolve().parents[2]


def set_folder_aside(folder: Path) -> None:
    """The folder's own path is free afterwards."""
    aside = folder.with_name(f"{folder.name}.damaged-{stamp(datetime.now(UTC))}")
    with contextlib.suppress(FileNotFoundError):  # somebody else was faster
        folder.rename(aside)
        log.error("The index folder is damaged; set aside as %s, the database fills a new one", aside.name)
    for old in sorted(folder.parent.glob(f"{folder.name}.damaged-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def is_safe_to_open(folder: Path) -> bool:
    """Whether a process that opens the folder and asks it lives through that, tried out by one that may die.

    Random bytes in a graph end the process that follows them, at its first question or a later one.
    """
    if not any(folder.glob("*/index_metadata.pickle")):  # no graph was ever written
        return True
    command = [
        sys.executable,
        "-c",
        f"import sys; from {__name__} import examine; examine(sys.argv[1])",
        str(folder),
    ]
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            command,
            cwd=_PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_EXAMINATION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def has_damaged_tables(folder: Path) -> bool:
    """Whether SQLite itself finds fault with Chroma's tables. A full disk is none, and what is locked tells nothing.

    Looked at by another process: Chroma brings a SQLite of its own, and where two in one process open the same file,
    closing the one takes the other's locks (https://www.sqlite.org/howtocorrupt.html, "Multiple copies of SQLite
    linked into the same application").
    """
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, "-I", "-c", _LOOK_AT_TABLES, f"file:{quote(str(folder / _TABLES))}?mode=ro"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_EXAMINATION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.strip() == "damaged"


def examine(folder: str) -> None:
    """Reads and follows the graphs of all collections. May end this process."""
    from knowledge.vectors import chroma

    link = chroma.link_to_folder(Path(folder))
    for name in link.names():
        collection = link.collection(name) if CollectionKey.from_name(name) else None
        if collection is None:
            continue
        vectors = collection.get(include=["embeddings"], limit=_VECTORS_EXAMINED)["embeddings"]
        for start in range(0, len(vectors), _VECTORS_IN_A_QUERY):
            part = list(vectors[start : start + _VECTORS_IN_A_QUERY])
            collection.query(query_embeddings=part, n_results=10, include=["distances"])
