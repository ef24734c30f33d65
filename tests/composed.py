"""compose.yaml as the tests read it: its settings filled in as `docker compose` would, its commands runnable here."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT

# What an operator writes into .env.
FILLED_IN = {
    "SECRET_KEY": "k" * 30 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "POSTGRES_PASSWORD": "letters0and1digits",
    "ALLOWED_HOSTS": "help.example.org",
    "SITE_URL": "https://help.example.org",
    "EMAIL_URL": "submission://user:password@mail.example.org:587",
    "DEFAULT_FROM_EMAIL": "help@example.org",
}
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>(?:[^{}]|\{[^{}]*\})*))?\}")
_PROGRAMS = ("celery", "chroma", "gunicorn")


class Required(Exception):
    """A variable without a default was not given."""


def text() -> str:
    return (ROOT / "compose.yaml").read_text()


def variables() -> set[str]:
    return {str(match["name"]) for match in _VARIABLE.finditer(text()) if match["name"]}


def load(values: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = _filled(yaml.safe_load(text()), values)
    return found


def command(service: str, values: Mapping[str, str], replaced: Mapping[str, str]) -> list[str]:
    """The service's command, word for word but for `replaced`, which is what differs outside a container."""
    words: list[str] = load(values)["services"][service]["command"]
    return _runnable([_replaced(word, replaced) for word in words])


def healthcheck(service: str, values: Mapping[str, str], replaced: Mapping[str, str]) -> list[str]:
    kind, *words = load(values)["services"][service]["healthcheck"]["test"]
    words = [_replaced(word, replaced) for word in words]
    if kind == "CMD":
        return _runnable(words)
    assert kind == "CMD-SHELL"
    return ["/bin/sh", "-c", words[0]]


def _runnable(words: list[str]) -> list[str]:
    """Of the environment that runs the tests, as the image's PATH chooses that of the image."""
    if words[0] == "python":
        return [sys.executable, *words[1:]]
    if words[0] in _PROGRAMS:
        return [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    return words


def _replaced(word: str, replaced: Mapping[str, str]) -> str:
    for old, new in replaced.items():
        word = word.replace(old, new)
    return word


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    if not isinstance(node, str):
        return node

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if value := values.get(match["name"]):
            return value
        if match["kind"] == ":?":
            raise Required(f"{match['name']}: {match['rest']}")
        return match["rest"] or ""

    return _VARIABLE.sub(fill, node)
