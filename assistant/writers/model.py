"""One language model behind LangChain: asked within a time and a budget, and heard while it speaks.

Promise: whatever the server does (nothing, errors, a byte a second, for ever), an answer or NoReply comes back within
the seconds that are given. A call and its tokens are taken from the visitor's and the day's budget before it is asked,
and the tokens settled after; a failure opens the breaker. What comes back is untrusted text.

Refuses to decide what is asked (`prompting`, `rewriting`) and what a reply is worth (`verified`, `rewriting`).
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from assistant.writers import spending
from assistant.writers.replies import LONGEST_REPLY
from knowledge.breaker import Breaker

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

_AT_ONCE = 8  # calls of one process; one that never ends keeps its place
_NOT_TAKEN = (400, 404, 415, 422, 501)  # how servers say that they know no structured output, or no stream
_CHARACTERS_A_TOKEN = 3  # at least; what is reserved is rather too much


class NoReply(Exception):
    """Why there is none, for the record and for staff."""


class _TooLate(NoReply):
    pass


class _Enough(BaseException):
    """Nobody waits for the rest of what a model says. No Exception: LangChain logs those of its callbacks."""


@dataclass(frozen=True)
class Prompt:
    rules_for_json: str  # for a server that takes a schema
    rules_for_text: str
    schema: dict[str, Any]
    data: str  # JSON: everything that somebody else wrote


@dataclass(frozen=True)
class Reply:
    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    is_cached: bool = False
    elapsed_ms: int = 0


Hearing = Callable[[str], None]  # all that the model has said so far; called in the thread that asked


@dataclass(frozen=True)
class _Mode:
    is_structured: bool
    is_streamed: bool


@dataclass
class _Call:
    """One call, in a thread of its own: a server that sends a byte a second outlasts every time-out of its client."""

    messages: "list[BaseMessage]"
    schema: dict[str, Any] | None  # None: lines of text
    is_streamed: bool
    outcome: "Future[AIMessage]" = field(default_factory=Future)
    pieces: "queue.SimpleQueue[str | None]" = field(default_factory=queue.SimpleQueue)  # None: it is over
    is_abandoned: bool = False


class ChatModel:
    """`name` is `provider:model` as LangChain's init_chat_model takes it."""

    def __init__(self, name: str, model: "BaseChatModel | None" = None) -> None:
        self.name = name
        self._model = model
        self._loading = threading.Lock()
        self._takes_schema = settings.WRITER_OUTPUT != "text"
        self._streams = True
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self.breaker = Breaker("The chat model", first_pause_seconds=10.0, longest_pause_seconds=300.0)

    def ask(
        self,
        prompt: Prompt,
        *,
        seconds: float,
        on_text: Hearing | None = None,
        is_slowness_failure: bool = True,
    ) -> Reply:
        """Raises NoReply. With `on_text` the reply is streamed, where the server can.

        `is_slowness_failure`: False where `seconds` are fewer than a model may take; being late then opens no breaker.
        """
        attempt = self.breaker.attempt()
        if attempt is None:
            raise NoReply(f"it is left alone after a failure: {self.breaker.reason}")
        if not spending.may_ask():
            attempt.succeeded()
            raise NoReply("this visitor's budget is spent")
        reservation = spending.reserve(len(prompt.data) // _CHARACTERS_A_TOKEN + settings.WRITER_MAX_TOKENS)
        if reservation is None:
            attempt.succeeded()
            raise NoReply("the day's budget is spent")
        started = time.monotonic()
        try:
            message = self._asked(prompt, started + seconds, on_text)
        except NoReply as reason:
            if attempt.is_trial or is_slowness_failure or not isinstance(reason, _TooLate):
                attempt.failed(str(reason))
            spending.failed(reservation)
            raise
        attempt.succeeded()
        usage = message.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        reply = Reply(
            _text_of(message),
            int(usage["input_tokens"]),
            int(usage["output_tokens"]),
            elapsed_ms=round((time.monotonic() - started) * 1000),
        )
        spending.settle(reservation, reply.input_tokens, reply.output_tokens)
        return reply

    def _asked(self, prompt: Prompt, deadline: float, on_text: Hearing | None) -> "AIMessage":
        """In the best way that the server takes; which one that is, is remembered by this process."""
        modes = self._modes(is_heard=on_text is not None)
        for number, mode in enumerate(modes, start=1):
            try:
                message = self._called(prompt, mode, deadline, on_text)
            except NoReply as reason:
                if number == len(modes) or not _is_refused(reason.__cause__):
                    raise
            else:
                if number > 1:  # it was the schema, or the stream, that the server did not take
                    self._takes_schema = mode.is_structured
                    self._streams = self._streams and (mode.is_streamed or on_text is None)
                return message
        raise AssertionError("there is a mode at least")

    def _modes(self, *, is_heard: bool) -> list[_Mode]:
        structured = [self._takes_schema]
        if self._takes_schema and settings.WRITER_OUTPUT != "structured":
            structured.append(False)
        streamed = [True, False] if is_heard and self._streams else [False]
        return [_Mode(schema, stream) for stream in streamed for schema in structured]

    def _called(self, prompt: Prompt, mode: _Mode, deadline: float, on_text: Hearing | None) -> "AIMessage":
        rules = prompt.rules_for_json if mode.is_structured else prompt.rules_for_text
        call = _Call(
            _messages(rules, prompt.data), prompt.schema if mode.is_structured else None, mode.is_streamed
        )
        if not self._slots.acquire(blocking=False):
            raise NoReply("too many questions wait for it")
        _let_connection_go()
        threading.Thread(target=self._call, args=(call,), name="chat model", daemon=True).start()
        try:
            _listen(call, deadline, on_text)
        finally:
            call.is_abandoned = True
        try:
            return call.outcome.result(timeout=0)
        except Exception as error:  # every provider raises its own kinds
            raise NoReply(_reason(error)) from error

    def _call(self, call: _Call) -> None:
        try:
            model: Any = self._loaded()
            if call.schema is not None:
                model = model.with_structured_output(call.schema, method="json_schema", include_raw=True)
            if call.is_streamed:
                call.outcome.set_result(_streamed(model, call))
            else:
                answer = model.invoke(call.messages)
                call.outcome.set_result(answer["raw"] if call.schema is not None else answer)
        except BaseException as error:
            call.outcome.set_exception(error)
        finally:
            self._slots.release()
            call.pieces.put(None)

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
    if name.startswith("openai:"):
        options["stream_usage"] = (
            True  # behind another address than OpenAI's it would not ask what a stream cost
        )
    if name.startswith("ollama:"):  # names of its own for two of them
        options["num_predict"] = options.pop("max_tokens")
        options["client_kwargs"] = {"timeout": options.pop("timeout")}
        options.pop("max_retries")
    model: BaseChatModel = init_chat_model(name, **options)
    return model


def _listen(call: _Call, deadline: float, on_text: Hearing | None) -> None:
    """Until it is over. What comes while a sentence is checked is heard together. Raises NoReply."""
    said = ""
    while True:
        try:
            pieces = [call.pieces.get(timeout=max(0.0, deadline - time.monotonic()))]
        except queue.Empty as error:
            raise _TooLate("it took too long") from error
        while pieces[-1] is not None and not call.pieces.empty():
            pieces.append(call.pieces.get())
        said += "".join(piece for piece in pieces if piece is not None)
        is_over = pieces[-1] is None
        if on_text is not None and len(said) <= LONGEST_REPLY and not (is_over and call.outcome.exception()):
            on_text(said)
        if is_over:
            return
        _let_connection_go()


def _streamed(model: Any, call: _Call) -> "AIMessage":
    """The whole message; its pieces are put aside as they come. Cut where it is endless."""
    from langchain_core.messages import AIMessage

    listener = _listener(call)
    try:
        for _part in model.stream(call.messages, config={"callbacks": [listener]}):
            pass
    except _Enough:
        return AIMessage(content="".join(listener.said))
    return listener.message or AIMessage(content="".join(listener.said))


def _listener(call: _Call) -> Any:
    """LangChain's ways to stream differ by provider and by output; a callback hears all of them."""
    from langchain_core.callbacks import BaseCallbackHandler

    class Listener(BaseCallbackHandler):
        raise_error = True  # otherwise nothing here could end a stream

        def __init__(self) -> None:
            self.said: list[str] = []
            self.length = 0
            self.message: AIMessage | None = None

        def on_llm_new_token(self, token: object, **_more: Any) -> None:
            if call.is_abandoned or self.length > LONGEST_REPLY:
                raise _Enough
            if isinstance(token, str) and token:
                self.said.append(token)
                self.length += len(token)
                call.pieces.put(token)

        def on_llm_end(self, response: Any, **_more: Any) -> None:
            self.message = response.generations[0][0].message

    return Listener()


def _is_refused(cause: BaseException | None) -> bool:
    return getattr(cause, "status_code", None) in _NOT_TAKEN or isinstance(cause, NotImplementedError)


def _let_connection_go() -> None:
    """Nobody keeps one while they wait."""
    if not connection.in_atomic_block:
        connection.close()


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
