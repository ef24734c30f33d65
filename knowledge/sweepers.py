"""Who looks after stale articles: this process, another one, or the writer himself.

Promise: a few facts about this process, light enough to be imported anywhere. Does not ring (`knowledge.bell`)
and does not sync (`knowledge.indexing`).
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from django.conf import settings

from knowledge import ownership

_held: ContextVar[bool] = ContextVar("bell_held", default=False)
_sweeps_here = False


@contextlib.contextmanager
def bell_held() -> Iterator[None]:
    """For writers of many articles, who call `sync_stale` themselves when they are done."""
    token = _held.set(True)
    try:
        yield
    finally:
        _held.reset(token)


def is_bell_held() -> bool:
    return _held.get()


@contextlib.contextmanager
def bell_held_for(is_long: bool) -> Iterator[None]:
    """While an editor changes many at once, where a sweep will find them: nobody waits for them to be embedded."""
    is_swept = not settings.CELERY_TASK_ALWAYS_EAGER or _sweeps_here or sweeper_elsewhere() is not None
    with bell_held() if is_long and is_swept else contextlib.nullcontext():
        yield


def declare_sweeper() -> None:
    """This process looks for stale articles itself, so it never leaves them to another one."""
    global _sweeps_here
    _sweeps_here = True


def is_sweeper() -> bool:
    return _sweeps_here


def sweeper_elsewhere() -> ownership.Owner | None:
    """The running `serve` whose sweep finds stale articles within seconds, unless this is a part of it.

    Its model is loaded; loading it here as well takes longer than the sweep.
    """
    if _sweeps_here:
        return None
    owner = ownership.read_owner(settings.INDEX_DIR)
    return owner if owner is not None and owner.sweeps and owner.is_alive else None
