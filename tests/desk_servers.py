"""Zammad and Zendesk as far as their documented APIs go for opening and finding a ticket, on a real port."""

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class DeskServer:
    """`lose_answers`: the ticket is opened, and the connection cut before anybody hears of it."""

    def __init__(
        self, answer: Callable[["DeskServer", str, str, dict[str, str], Any], tuple[int, Any]]
    ) -> None:
        self.tickets: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.refusal: tuple[int, Any] | None = None
        self.lose_answers = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append((self.command, self.path, headers))
                status, result = server.refusal or answer(server, self.command, self.path, headers, body)
                if server.lose_answers:
                    self.close_connection = True
                    return
                content = json.dumps(result).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def zammad(server: DeskServer, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
    parts = urlsplit(path)
    if headers.get("authorization") != "Token token=s3cret":
        return 401, {"error": "Invalid token"}
    if (method, parts.path) == ("GET", "/api/v1/tickets/search"):
        query = parse_qs(parts.query)
        assert query["expand"] == ["true"]
        return 200, [one for one in server.tickets if query["query"][0] in one["title"]]
    if (method, parts.path) == ("POST", "/api/v1/tickets"):
        if body["group"] != "Users":
            return 422, {"error": "No lookup value found for 'group'"}
        assert (
            body["customer_id"].startswith("guess:") and body["article"]["body"] and body["article"]["type"]
        )
        number = len(server.tickets) + 1
        server.tickets.append({"id": number, "number": f"2200{number}", **body})
        return 201, server.tickets[-1]
    return 404, {"error": "Not found"}


def zendesk(
    server: DeskServer, method: str, path: str, headers: dict[str, str], body: Any
) -> tuple[int, Any]:
    parts = urlsplit(path)
    wanted = base64.b64encode(b"agent@example.org/token:s3cret").decode()
    if headers.get("authorization") != f"Basic {wanted}":
        return 401, {"error": "Couldn't authenticate you"}
    if (method, parts.path) == ("GET", "/api/v2/tickets.json"):
        wanted_id = parse_qs(parts.query)["external_id"][0]
        return 200, {"tickets": [one for one in server.tickets if one["external_id"] == wanted_id]}
    if (method, parts.path) == ("POST", "/api/v2/tickets.json"):
        assert headers["idempotency-key"] and body["ticket"]["comment"]["body"]
        server.tickets.append({"id": 35436 + len(server.tickets), **body["ticket"]})
        return 201, {"ticket": server.tickets[-1]}
    return 404, {"error": "RecordNotFound"}
