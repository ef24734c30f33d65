"""Who writes the answer. `ANSWER_WRITER` chooses; extractive is the default and needs no model."""

import functools
import re

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from assistant.writers.base import AnswerWriter, Block, Draft, DraftCitation, WriterUnavailable, joined
from assistant.writers.extractive import ExtractiveWriter

__all__ = [
    "AnswerWriter",
    "Block",
    "Draft",
    "DraftCitation",
    "WriterUnavailable",
    "check_name",
    "get_writer",
    "joined",
]


EXTRACTIVE = "extractive"


def check_name(name: str) -> None:
    if name != EXTRACTIVE and not re.fullmatch(r"[a-z_0-9]+:\S+", name):
        raise ImproperlyConfigured(
            f"ANSWER_WRITER: found {name!r}. Allowed: 'extractive', or a LangChain chat model as "
            "'provider:model', for example 'openai:gpt-4.1-mini' or 'ollama:llama3.2'."
        )


@functools.cache
def _writer(name: str) -> AnswerWriter:
    check_name(name)
    if name == EXTRACTIVE:
        return ExtractiveWriter()
    from assistant.writers.chat import ChatWriter

    return ChatWriter(name)


def get_writer() -> AnswerWriter:
    return _writer(settings.ANSWER_WRITER)
