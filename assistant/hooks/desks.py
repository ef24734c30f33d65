"""Other help desks, as far as it takes to open a ticket in them: Zammad and Zendesk, by their public APIs.

Promise: one request opens a ticket, and `find` says whether an earlier one, of which nobody heard the end, has. What
is asked of each: docs.zammad.org/en/latest/api/ticket, developer.zendesk.com/api-reference/ticketing.
"""

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from django.conf import settings

from assistant.hooks.targets import connection_to, target_of

_LONGEST_ANSWER = 2_000_000  # bytes


class DeskRefused(Exception):
    """The other desk's answer. `is_final`: a retry changes nothing until somebody mends the settings."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}: {words}"[:500])
        self.is_final = 400 <= status < 500 and status not in (408, 409, 425, 429)


@dataclass(frozen=True)
class Case:
    """A ticket as it leaves."""

    reference: str
    subject: str
    body: str
    email: str
    name: str
    priority: int  # 1 low … 4 urgent


@dataclass(frozen=True)
class Opened:
    number: str
    link: str  # for staff


class Desk(Protocol):
    name: str

    def find(self, case: Case) -> Opened | None: ...

    def open(self, case: Case) -> Opened: ...


def desk_of_settings() -> Desk | None:
    match settings.HANDOFF_TO:
        case "zammad":
            return Zammad(settings.HANDOFF_URL, settings.HANDOFF_TOKEN, settings.HANDOFF_GROUP)
        case "zendesk":
            return Zendesk(settings.HANDOFF_URL, settings.HANDOFF_USER, settings.HANDOFF_TOKEN)
    return None


class Zammad:
    name = "Zammad"
    _PRIORITIES = {1: "1 low", 2: "2 normal", 3: "3 high", 4: "3 high"}

    def __init__(self, url: str, token: str, group: str) -> None:
        self._url, self._group = url.rstrip("/"), group
        self._headers = {"Authorization": f"Token token={token}"}

    def find(self, case: Case) -> Opened | None:
        query = urlencode({"query": case.reference, "limit": 10, "expand": "true"})
        found = _ask("GET", f"{self._url}/api/v1/tickets/search?{query}", self._headers)
        for ticket in found if isinstance(found, list) else []:
            if str(ticket.get("title", "")).startswith(f"[{case.reference}]"):
                return self._opened(ticket)
        return None

    def open(self, case: Case) -> Opened:
        made = _ask(
            "POST",
            f"{self._url}/api/v1/tickets",
            self._headers,
            {
                "title": f"[{case.reference}] {case.subject}",
                "group": self._group,
                "customer_id": f"guess:{case.email}",
                "priority": self._PRIORITIES[case.priority],
                "article": {
                    "subject": case.subject,
                    "body": case.body,
                    "content_type": "text/plain",
                    "type": "web",
                    "sender": "Customer",
                    "internal": False,
                },
            },
        )
        return self._opened(made)

    def _opened(self, ticket: dict[str, Any]) -> Opened:
        return Opened(str(ticket.get("number") or ticket["id"]), f"{self._url}/#ticket/zoom/{ticket['id']}")


class Zendesk:
    name = "Zendesk"
    _PRIORITIES = {1: "low", 2: "normal", 3: "high", 4: "urgent"}

    def __init__(self, url: str, user: str, token: str) -> None:
        self._url = url.rstrip("/")
        signed = base64.b64encode(f"{user}/token:{token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {signed}"}

    def find(self, case: Case) -> Opened | None:
        query = urlencode({"external_id": case.reference})
        found = _ask("GET", f"{self._url}/api/v2/tickets.json?{query}", self._headers)
        tickets = found.get("tickets", [])
        return self._opened(tickets[0]) if tickets else None

    def open(self, case: Case) -> Opened:
        requester = {"email": case.email, "name": case.name or case.email}
        made = _ask(
            "POST",
            f"{self._url}/api/v2/tickets.json",
            self._headers | {"Idempotency-Key": f"helpcenter-{case.reference}"},
            {
                "ticket": {
                    "subject": case.subject,
                    "comment": {"body": case.body},
                    "requester": requester,
                    "external_id": case.reference,
                    "priority": self._PRIORITIES[case.priority],
                }
            },
        )
        return self._opened(made["ticket"])

    def _opened(self, ticket: dict[str, Any]) -> Opened:
        return Opened(str(ticket["id"]), f"{self._url}/agent/tickets/{ticket['id']}")


def _ask(method: str, url: str, headers: dict[str, str], body: dict[str, Any] | None = None) -> Any:
    """The answer's JSON. Raises DeskRefused, OSError and HTTPException."""
    target = target_of(url, is_trusted=True)  # an operator's setting, not a page's
    connection = connection_to(target)
    try:
        content = json.dumps(body).encode() if body is not None else None
        connection.request(
            method,
            target.path,
            content,
            headers | {"Content-Type": "application/json", "Accept": "application/json"},
        )
        answer = connection.getresponse()
        words = answer.read(_LONGEST_ANSWER)
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise DeskRefused(answer.status, words[:300].decode(errors="replace"))
    try:
        return json.loads(words)
    except ValueError as error:
        raise http.client.HTTPException("the answer is no JSON") from error
