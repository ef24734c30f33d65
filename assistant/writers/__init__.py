"""Who writes the answer. `ANSWER_WRITER` chooses; extractive is the default and needs no model."""

import functools
import importlib.util
import re
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from assistant.writers.base import (
    AnswerWriter,
    Audience,
    Block,
    Draft,
    DraftCitation,
    Generation,
    Rewriter,
    Rewriting,
    WriterUnavailable,
    joined,
    listener,
    no_stand_ins,
    patience,
    told_to,
)
from assistant.writers.extractive import ExtractiveWriter

__all__ = [
    "AnswerWriter",
    "Audience",
    "Block",
    "Draft",
    "DraftCitation",
    "Generation",
    "Rewriter",
    "Rewriting",
    "WriterUnavailable",
    "check_name",
    "get_writer",
    "is_generating",
    "joined",
    "listener",
    "no_stand_ins",
    "patience",
    "told_to",
]


EXTRACTIVE: Final = "extractive"
_MODEL: Final = re.compile(r"[a-z_0-9]+:\S+")
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_PACKAGES: Final = {  # of this project's extras
    "openai": "langchain_openai",
    "anthropic": "langchain_anthropic",
    "ollama": "langchain_ollama",
}


def check_name(name: str) -> None:
    """Raises ImproperlyConfigured. Imports no provider's package."""
    if name == EXTRACTIVE or _PATH.fullmatch(name):
        return
    if not _MODEL.fullmatch(name):
        raise ImproperlyConfigured(
            f"ANSWER_WRITER: found {name!r}. Allowed: 'extractive', a LangChain chat model as 'provider:model', for "
            "example 'openai:gpt-4.1-mini' or 'ollama:llama3.2', or the dotted path of a writer of your own."
        )
    provider = name.partition(":")[0]
    package = _PACKAGES.get(provider)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ImproperlyConfigured(
            f"ANSWER_WRITER: {name!r} needs the package {package.replace('_', '-')}. Install it with "
            f"`pip install .[{provider}]`."
        )


def is_generating() -> bool:
    """Whether answers are written anew, and not quoted."""
    return str(settings.ANSWER_WRITER) != EXTRACTIVE


@functools.cache
def _writer(name: str) -> AnswerWriter:
    check_name(name)
    if name == EXTRACTIVE:
        return ExtractiveWriter()
    if ":" in name:
        from assistant.writers.chat import ChatWriter

        return ChatWriter(name)
    from assistant.writers.custom import CheckedWriter

    try:
        return CheckedWriter(name, import_string(name)())
    except ImportError as error:
        raise ImproperlyConfigured(f"ANSWER_WRITER: {name!r} cannot be imported: {error}") from error


def get_writer() -> AnswerWriter:
    return _writer(settings.ANSWER_WRITER)


def forget_writers() -> None:
    """For tests: a writer remembers what its server did."""
    _writer.cache_clear()
