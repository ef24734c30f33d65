"""Gunicorn's configuration under `manage.py serve`: the web process is where the sweep lives.

The model, the lexical index and the connection to Chroma are loaded once, after the fork, in the process that
answers questions; so that is where stale articles are embedded as well.
"""

import contextlib
import json
import os
from typing import Any

STATUS_VARIABLE = "HELPCENTER_STATUS_FD"  # where `serve` hears that the first question will be quick

_sweeper: Any = None


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 (gunicorn's signature)
    global _sweeper
    from knowledge.indexing import Sweeper

    _sweeper = Sweeper(on_warm=_report)
    _sweeper.start()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 (gunicorn's signature)
    if _sweeper is not None:
        _sweeper.stop(timeout_seconds=10.0)


def _report(problem: str) -> None:
    """Once. `serve` may have stopped listening, which is no reason to fail."""
    descriptor = os.environ.get(STATUS_VARIABLE, "")
    if descriptor:
        with contextlib.suppress(OSError):
            os.write(int(descriptor), json.dumps({"problem": problem}).encode() + b"\n")
