"""Who may open the index folder: exactly one process, held by a lock of the operating system.

Promise: the lock is the truth and dies with its holder, however that ends; the record beside it only tells
people and other processes who holds it and where they can connect. Nobody waits here for longer than a dying
owner needs to disappear.

Refuses to decide: what lies in the folder and how it is opened (`knowledge.vectors`). Lock and record lie
beside the folder, not in it, so that the folder itself can be deleted at any time.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import lock_descriptor

# A killed owner's server is ended by the kernel a moment later and holds the lock until then.
_DYING_OWNER_SECONDS = 0.8
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Owner:
    pid: int
    command: str  # for people, e.g. "manage.py serve"
    address: str = ""  # http://127.0.0.1:port of the owner's vector server; empty where others cannot connect
    sweeps: bool = False  # the owner itself brings the index to the database within seconds

    @property
    def is_alive(self) -> bool:
        return _is_alive(self.pid)


class FolderIsOwned(Exception):
    """Another process holds the folder. Trying again helps once that process has ended."""

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        self.owner = owner
        super().__init__(_sentence(folder, owner))


class FolderLock:
    """The held lock; the operating system releases it when the last process that has it ends."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self.descriptor = descriptor  # a server child inherits it: locked while the server lives

    def announce(self, *, command: str, address: str = "", sweeps: bool = False) -> None:
        """Writes the record, in one step, so that a reader finds the old one or the new one."""
        record = json.dumps(asdict(Owner(os.getpid(), command, address, sweeps)))
        path = _record_path(self._folder)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(record)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def release(self) -> None:
        """The record goes first: once the lock is free it may already belong to someone else."""
        _record_path(self._folder).unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Closes this process's hold without a word; in a forked child the parent keeps the lock."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def acquire(folder: Path, *, command: str) -> FolderLock:
    """Takes the folder for this process or raises FolderIsOwned at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_lock_path(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _DYING_OWNER_SECONDS
        while not lock_descriptor(descriptor, blocking=False):
            owner = read_owner(folder)
            if owner is None or owner.is_alive or time.monotonic() > deadline:
                raise FolderIsOwned(folder, owner)
            time.sleep(_POLL_SECONDS)
        lock = FolderLock(folder, descriptor)
        lock.announce(command=command)
    except BaseException:
        os.close(descriptor)
        raise
    return lock


def read_owner(folder: Path) -> Owner | None:
    """What the record says; None when there is none. It may be out of date: only the lock is certain."""
    try:
        fields = json.loads(_record_path(folder).read_text())
        return Owner(
            pid=int(fields["pid"]),
            command=str(fields["command"]),
            address=str(fields["address"]),
            sweeps=bool(fields["sweeps"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def this_command() -> str:
    """How a person would recognise this process."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]).strip() or "python"


def _sentence(folder: Path, owner: Owner | None) -> str:
    if owner is None:
        return f"The index folder {folder} is being opened by another process; try again in a moment."
    who = f"process {owner.pid} ({owner.command})"
    if owner.sweeps:
        reachable = f", reachable at {owner.address}" if owner.address else ""
        return f"The index folder {folder} belongs to {who}{reachable}; stop it first."
    return (
        f"The index folder {folder} is in use by {who}; wait until it has finished or stop it. "
        "While `manage.py serve` runs, any number of commands share the index."
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def _record_path(folder: Path) -> Path:
    return folder.with_name(folder.name + ".owner.json")
