"""A server that speaks OpenAI's protocol over a real port, and behaves as a test says."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """What a request put to the model."""

    rules: str
    passages: list[dict[str, Any]]
    before: list[dict[str, str]] | None  # earlier turns, where a follow-up is to be rewritten
    question: str
    is_structured: bool
    body: dict[str, Any]


@dataclass
class Said:
    """What the server does with a request. `content` None: a message without text."""

    content: str | None = ""
    status: int = 200
    message: dict[str, Any] = field(default_factory=dict)  # beside the content
    finish_reason: str = "stop"
    raw: bytes | None = None  # the whole body, instead of all above
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0  # between bytes
    piece_seconds: float = 0.0  # between the pieces of a stream
    piece_characters: int = 12
    hold_before: str = ""  # of a stream: the piece in which this begins waits for `may_go_on`
    may_go_on: threading.Event = field(default_factory=threading.Event)
    error_after: int | None = None  # characters of a stream, then the server says that it failed
    cut_after: int | None = None  # bytes of the body, then the connection is closed


Behaviour = Callable[[Asked], Said]


class ChatServer:
    def __init__(self) -> None:
        self.behaviour: Behaviour = lambda asked: Said('{"sentences": []}')
        self.asked: list[Asked] = []
        self.takes_schema = True
        self.stopping = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._serve(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        data = json.loads(body["messages"][-1]["content"])
        asked = Asked(
            rules=body["messages"][0]["content"],
            passages=data.get("passages", []),
            before=data.get("before"),
            question=data["question"],
            is_structured="response_format" in body,
            body=body,
        )
        self.asked.append(asked)
        is_refused = asked.is_structured and not self.takes_schema
        said = Said(status=400) if is_refused else self.behaviour(asked)
        if said.wait_seconds:
            self.stopping.wait(said.wait_seconds)
        is_stream = bool(body.get("stream")) and said.status == 200 and said.raw is None
        events = list(_events(said, body)) if is_stream else []
        content = b"".join(event for event, _end in events) if is_stream else said.raw
        if content is None:
            content = json.dumps(_completion(said, body)).encode()
        with contextlib.suppress(OSError):
            handler.send_response(said.status)
            handler.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            is_paced = is_stream and said.piece_seconds > 0
            for piece in self._paced(events, said) if is_paced else self._pieces(content, said):
                handler.wfile.write(piece)
                handler.wfile.flush()

    def _paced(self, events: list[tuple[bytes, int]], said: Said) -> Iterator[bytes]:
        held_at = (said.content or "").index(said.hold_before) if said.hold_before else None
        for event, end in events:
            if held_at is not None and end > held_at and not said.may_go_on.wait(5.0):
                return
            yield event
            if self.stopping.wait(said.piece_seconds):
                return

    def _pieces(self, content: bytes, said: Said) -> Iterator[bytes]:
        content = content[: said.cut_after]
        if not said.drip_seconds:
            yield content
            return
        for at in range(len(content)):
            if self.stopping.wait(said.drip_seconds):
                return
            yield content[at : at + 1]


def _completion(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    if said.status != 200:
        return {"error": {"message": "no", "type": "server_error", "code": None, "param": None}}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said.content, **said.message},
                "finish_reason": said.finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def _events(said: Said, body: dict[str, Any]) -> Iterator[tuple[bytes, int]]:
    """The same as a stream, what it used at the end; each piece with how many characters were said by then."""
    whole = _completion(said, body)
    choice, usage = whole["choices"][0], whole.pop("usage")
    whole["object"] = "chat.completion.chunk"
    message = {key: value for key, value in choice["message"].items() if key not in ("content", "role")}
    for number, call in enumerate(message.get("tool_calls", [])):
        call["index"] = number
    text = (said.content or "")[: said.error_after]
    size = max(said.piece_characters, len(text) // 2000)

    def piece(delta: dict[str, Any], end: str | None = None) -> bytes:
        return _event({**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})

    yield piece({"role": "assistant", **message}), 0
    for at in range(0, len(text), size):
        yield piece({"content": text[at : at + size]}), min(at + size, len(text))
    if said.error_after is not None:
        yield _event({"error": {"message": "overloaded", "type": "server_error"}}), len(text)
        return
    yield piece({}, said.finish_reason), len(text)
    yield _event({**whole, "choices": [], "usage": usage}), len(text)
    yield b"data: [DONE]\n\n", len(text)


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def sentences(*rows: tuple[str, object, str]) -> str:
    """A reply in the form that is asked for: text, number of the passage, quote."""
    return json.dumps(
        {"sentences": [{"text": text, "passage": number, "quote": quote} for text, number, quote in rows]},
        ensure_ascii=False,
    )
