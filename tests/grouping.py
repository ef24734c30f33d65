"""Loaded by pytest: does what `--dist loadgroup` says.

pytest-xdist 3.8 and pytest 9.2 together lose the groups without a word. Here tests of one file whose `pytestmark`
names a group run one after the other: they share a `serve`, or a Redis database that each begins by emptying.
"""

import functools
import re
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid, root=config.rootpath)

    return ByGroup(config, log) if config.getoption("dist") == "loadgroup" else None


def scope_of(nodeid: str, *, root: Path) -> str:
    """What one worker does in one go: a file whose tests are a group, or one test."""
    file = nodeid.split("::")[0]
    return file if _is_group(root / file) else nodeid


@functools.cache
def _is_group(file: Path) -> bool:
    return bool(re.search(r"^pytestmark = .*xdist_group\(", file.read_text(), re.MULTILINE))
