"""Answers written by a LangChain chat model, each sentence checked against its passage before it is shown.

Promise: whatever the model does (nothing, rubbish, lies, for ever), a draft comes back within WRITER_SECONDS and the
time that a check takes: the model's supported sentences, or where they do not answer, the articles' own words. What the
model said, and what became of each sentence, comes with it.

Refuses to decide whether a question is answered at all: confidence did.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from assistant.grounding.meaning import EmbeddedMeaning
from assistant.writers import prompting, spending
from assistant.writers.base import (
    Draft,
    Generation,
    ShownPassage,
    WriterUnavailable,
    seconds_left,
    wants_no_stand_ins,
)
from assistant.writers.extractive import ExtractiveWriter
from assistant.writers.replies import LONGEST_REPLY, proposals_of
from assistant.writers.verified import verified
from knowledge.breaker import Breaker
from knowledge.retrieval import Retrieval, RetrievedPassage
from knowledge.site import current as current_site
from knowledge.text import normalise

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

log = logging.getLogger(__name__)

PASSAGES_SHOWN = 6
_AT_ONCE = 8  # calls of one process; one that never ends keeps its place
_LEAST_SECONDS = 0.5  # with less left, no model is asked
_NOT_TAKEN = (400, 404, 415, 422, 501)  # how servers say that they know no structured output
_CHARACTERS_A_TOKEN = 3  # at least; what is reserved is rather too much


class _NoReply(Exception):
    """Why there is none, for the record and for staff."""


@dataclass(frozen=True)
class _Reply:
    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    is_cached: bool = False
    elapsed_ms: int = 0


class ChatWriter:
    """`name` is `provider:model` as LangChain's init_chat_model takes it."""

    def __init__(self, name: str, model: "BaseChatModel | None" = None) -> None:
        self.name = name
        self._model = model
        self._loading = threading.Lock()
        self._takes_schema = settings.WRITER_OUTPUT != "text"
        self._extractive = ExtractiveWriter()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self.breaker = Breaker("The chat model", first_pause_seconds=10.0, longest_pause_seconds=300.0)

    def write(self, retrieval: Retrieval) -> Draft | None:
        """Raises WriterUnavailable only where nothing may stand in for the model (`no_stand_ins`)."""
        safe = [one for one in retrieval.passages if not _speaks_to_a_model(one)]
        shown = safe[:PASSAGES_SHOWN]
        is_informal = current_site().german_address == "informal"
        generation = Generation(
            model=self.name,
            prompt=prompting.PROMPT_VERSION,
            parameters={
                "temperature": settings.WRITER_TEMPERATURE,
                "max_tokens": settings.WRITER_MAX_TOKENS,
                "language": retrieval.question_language,
                "informal": is_informal,
            },
            question=retrieval.question,
            passages=tuple(
                ShownPassage(number, one.article_id, one.revision, one.start, one.end)
                for number, one in enumerate(shown, start=1)
            ),
            withheld=len(retrieval.passages) - len(safe),
        )
        trusted = replace(retrieval, passages=tuple(safe))
        if not shown:
            return None
        try:
            reply = self._reply(generation, retrieval, shown, is_informal=is_informal)
        except _NoReply as reason:
            if wants_no_stand_ins():
                raise WriterUnavailable(f"{self.name}: {reason}") from reason
            return self._quoted(trusted, replace(generation, stands_in=str(reason)))
        generation = replace(
            generation,
            reply=reply.text[:LONGEST_REPLY],
            is_cached=reply.is_cached,
            elapsed_ms=reply.elapsed_ms,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
        )
        proposals = proposals_of(reply.text)
        if proposals is None:
            return self._quoted(trusted, replace(generation, stands_in="its reply cannot be read"))
        checked = verified(
            proposals,
            shown,
            question=retrieval.question,
            language=retrieval.question_language,
            meaning=EmbeddedMeaning(is_awaited=True),
        )
        generation = replace(generation, sentences=checked.sentences, checked=checked.checked)
        spending.count_sentences(
            shown=len(checked.sentences) - sum(bool(one.problems) for one in checked.sentences),
            dropped=sum(bool(one.problems) for one in checked.sentences),
        )
        if not checked.answers:
            why = "what is left does not answer" if checked.blocks else "no sentence is supported"
            return self._quoted(
                trusted, replace(generation, stands_in=why if proposals else "it found no answer")
            )
        return Draft(checked.blocks, checked.citations, self.name, (generation,))

    def _quoted(self, retrieval: Retrieval, generation: Generation) -> Draft | None:
        log.info("%s: quoted instead: %s", self.name, generation.stands_in)
        draft = self._extractive.write(retrieval)
        return replace(draft, generations=(generation,)) if draft is not None else None

    # --- asking -----------------------------------------------------------------------------------------------

    def _reply(
        self,
        generation: Generation,
        retrieval: Retrieval,
        shown: Sequence[RetrievedPassage],
        *,
        is_informal: bool,
    ) -> _Reply:
        data = prompting.data(retrieval.question, shown)
        key = _key(generation, retrieval, shown)
        kept = spending.kept_reply(key)
        if kept is not None:
            return _Reply(kept, is_cached=True)
        seconds = seconds_left(settings.WRITER_SECONDS)
        if seconds < _LEAST_SECONDS:
            raise _NoReply("no time was left")
        attempt = self.breaker.attempt()
        if attempt is None:
            raise _NoReply(f"it is left alone after a failure: {self.breaker.reason}")
        estimate = len(data) // _CHARACTERS_A_TOKEN + settings.WRITER_MAX_TOKENS
        reservation = spending.reserve(estimate)
        if reservation is None:
            attempt.succeeded()
            raise _NoReply("the day's budget is spent")
        started = time.monotonic()
        try:
            message = self._asked(data, retrieval.question_language, is_informal, started + seconds)
        except _NoReply as reason:
            attempt.failed(str(reason))
            spending.failed(reservation)
            raise
        attempt.succeeded()
        usage = message.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        reply = _Reply(
            _text_of(message),
            int(usage["input_tokens"]),
            int(usage["output_tokens"]),
            elapsed_ms=round((time.monotonic() - started) * 1000),
        )
        spending.settle(reservation, reply.input_tokens, reply.output_tokens)
        if proposals_of(reply.text):
            spending.keep_reply(key, reply.text)
        return reply

    def _asked(self, data: str, language: str, is_informal: bool, deadline: float) -> "AIMessage":
        if self._takes_schema:
            try:
                return self._called(data, language, is_informal, deadline, is_structured=True)
            except _NoReply as reason:
                cause = reason.__cause__
                is_refused = getattr(cause, "status_code", None) in _NOT_TAKEN or isinstance(
                    cause, NotImplementedError
                )
                if settings.WRITER_OUTPUT == "structured" or not is_refused:
                    raise
            message = self._called(data, language, is_informal, deadline, is_structured=False)
            self._takes_schema = False  # for this process: it was the schema that the server did not take
            return message
        return self._called(data, language, is_informal, deadline, is_structured=False)

    def _called(
        self, data: str, language: str, is_informal: bool, deadline: float, *, is_structured: bool
    ) -> "AIMessage":
        """In a thread of its own: a server that sends a byte a second outlasts every time-out of its client."""
        messages = _messages(
            prompting.rules(language, is_informal=is_informal, is_structured=is_structured), data
        )
        if not self._slots.acquire(blocking=False):
            raise _NoReply("too many questions wait for it")
        if not connection.in_atomic_block:
            connection.close()  # nobody keeps one while they wait
        outcome: Future[AIMessage] = Future()
        threading.Thread(
            target=self._call, args=(messages, is_structured, outcome), name="chat model", daemon=True
        ).start()
        try:
            return outcome.result(timeout=max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            raise _NoReply("it took too long") from error
        except Exception as error:  # every provider raises its own kinds
            raise _NoReply(_reason(error)) from error

    def _call(self, messages: "list[BaseMessage]", is_structured: bool, outcome: "Future[AIMessage]") -> None:
        try:
            model = self._loaded()
            if is_structured:
                answer: Any = model.with_structured_output(
                    prompting.SCHEMA, method="json_schema", include_raw=True
                ).invoke(messages)
                outcome.set_result(answer["raw"])
            else:
                outcome.set_result(model.invoke(messages))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            self._slots.release()

    def _loaded(self) -> "BaseChatModel":
        with self._loading:
            if self._model is None:
                self._model = load_model(self.name)
            return self._model


def load_model(name: str) -> "BaseChatModel":
    """Seconds at first: the provider's package is imported. Raises what that raises."""
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {
        "temperature": settings.WRITER_TEMPERATURE,
        "max_tokens": settings.WRITER_MAX_TOKENS,
        "timeout": settings.WRITER_SECONDS,
        "max_retries": 0,
    }
    if settings.WRITER_BASE_URL:
        options["base_url"] = settings.WRITER_BASE_URL
    if settings.WRITER_API_KEY:
        options["api_key"] = settings.WRITER_API_KEY
    if name.startswith("ollama:"):  # names of its own for two of them
        options["num_predict"] = options.pop("max_tokens")
        options["client_kwargs"] = {"timeout": options.pop("timeout")}
        options.pop("max_retries")
    model: BaseChatModel = init_chat_model(name, **options)
    return model


def _messages(rules: str, data: str) -> "list[BaseMessage]":
    from langchain_core.messages import HumanMessage, SystemMessage

    return [SystemMessage(content=rules), HumanMessage(content=data)]


def _text_of(message: "AIMessage") -> str:
    text = message.text
    return str(text() if callable(text) and not isinstance(text, str) else text)


def _reason(error: Exception) -> str:
    """Without what a provider's error quotes: it may hold the question, or part of a key."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} ({status})" if status else type(error).__name__


def _speaks_to_a_model(passage: RetrievedPassage) -> bool:
    return prompting.speaks_to_a_model("\n".join([passage.title, *passage.heading_path, passage.text]))


def _key(generation: Generation, retrieval: Retrieval, shown: Sequence[RetrievedPassage]) -> str:
    """Of everything that shapes a reply; a hash, so that no question can be read from it."""
    parts = [
        generation.model,
        generation.prompt,
        generation.parameters,
        settings.WRITER_BASE_URL,
        retrieval.recipe,
        normalise(" ".join(retrieval.question.split())),
        [(one.article_id, one.revision, one.start, one.end, one.title) for one in shown],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
