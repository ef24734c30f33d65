"""The same form or request, sent fifty times at once to a real server, is stored once."""

import http.client
import json
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest
from django.core.servers.basehttp import WSGIServer

from assistant.models import Conversation, Mail, Question, Ticket, TicketMessage, TicketStatus
from tests.pages import answered, escalated

TIMES = 50
# Connections that wait to be accepted. With Django's ten, the system resets some of fifty when it is busy.
WSGIServer.request_queue_size = 128
UNANSWERABLE = "Which wine goes with roasted duck?"
FORM = "application/x-www-form-urlencoded"
pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Reply:
    status: int
    location: str
    body: bytes


class Visitor:
    """A browser's cookie and form token, and as many connections at once as it takes."""

    def __init__(self, address: str, cookies: dict[str, str] | None = None) -> None:
        self._host = urlsplit(address).netloc
        self._cookies = cookies or {}
        self._token = ""

    def opens(self, path: str) -> None:
        reply, headers = self._request("GET", path, "", {})
        assert reply.status == 200, reply
        self._token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', reply.body.decode())[0]
        for name, value in headers:
            if name.lower() == "set-cookie":
                key, _equals, rest = value.partition("=")
                self._cookies[key] = rest.partition(";")[0]

    def posts(self, path: str, fields: dict[str, str]) -> Reply:
        body = urlencode(fields | {"csrfmiddlewaretoken": self._token})
        return self._until_served("POST", path, body, {"Content-Type": FORM})

    def calls(self, path: str, body: dict[str, str], key: str) -> Reply:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._until_served("POST", path, json.dumps(body), headers)

    def _until_served(self, method: str, path: str, body: str, headers: dict[str, str]) -> Reply:
        """503 asks to come back: with fifty at once a database may be busy for longer than one waits."""
        for _attempt in range(10):
            reply, _headers = self._request(method, path, body, headers)
            if reply.status != 503:
                return reply
            time.sleep(0.5)
        return reply

    def _request(
        self, method: str, path: str, body: str, headers: dict[str, str]
    ) -> tuple[Reply, list[tuple[str, str]]]:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        try:
            cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            connection.request(method, path, body.encode(), headers | {"Cookie": cookie})
            response = connection.getresponse()
            reply = Reply(response.status, response.getheader("Location", ""), response.read())
            return reply, response.getheaders()
        finally:
            connection.close()


def at_once(send) -> list[Reply]:
    with ThreadPoolExecutor(TIMES) as pool:
        return list(pool.map(lambda _number: send(), range(TIMES)))


@pytest.fixture
def visitor(live_server, client):
    """Somebody who has a session already."""

    def make(*own: Question) -> Visitor:
        session = client.session
        session["conversations"] = [str(question.conversation.public_id) for question in own]
        session.save()
        made = Visitor(live_server.url, {"sessionid": client.cookies["sessionid"].value})
        made.opens("/en/ask/")
        return made

    return make


def test_a_question_form(visitor, make_article):
    make_article("Battery range", "A full battery lasts for about 60 kilometres on flat ground.")
    form = {"text": UNANSWERABLE, "idempotency_key": "0" * 32, "action": "ask"}
    one = visitor()
    replies = at_once(lambda: one.posts("/en/ask/", form))
    question = Question.objects.get()
    assert {(reply.status, reply.location) for reply in replies} == {
        (302, f"/en/conversations/{question.conversation.public_id}/")
    }
    assert Ticket.objects.count() == Conversation.objects.count() == 1


def test_a_question_to_the_api(live_server, make_article):
    make_article("Battery range", "A full battery lasts for about 60 kilometres on flat ground.")
    body = {"question": UNANSWERABLE, "contact_email": "ada@example.org"}
    visitor = Visitor(live_server.url)
    replies = at_once(lambda: visitor.calls("/api/v1/questions/", body, "q-1"))
    assert {reply.status for reply in replies} <= {200, 201}
    assert len({json.dumps(_without_time(reply.body), sort_keys=True) for reply in replies}) == 1
    assert Question.objects.count() == Ticket.objects.count() == Mail.objects.count() == 1


def test_a_message_to_a_person(visitor):
    form = {
        **{"subject": "Invoice", "detail": "It is missing.", "contact_email": "ada@example.org"},
        "idempotency_key": "1" * 32,
    }
    one = visitor()
    replies = at_once(lambda: one.posts("/en/contact/", form))
    ticket = Ticket.objects.get()
    assert {(reply.status, reply.location) for reply in replies} == {(302, f"/en/tickets/{ticket.token}/")}
    assert Mail.objects.count() == 1


def test_a_message_about_an_answered_question(visitor, make_article):
    question = answered(make_article("Pause", synced=False))
    form = {
        **{"question": str(question.public_id), "contact_email": "ada@example.org", "detail": "Which month?"},
        "idempotency_key": "2" * 32,
    }
    one = visitor(question)
    replies = at_once(lambda: one.posts("/en/contact/", form))
    ticket = Ticket.objects.get()
    assert {(reply.status, reply.location) for reply in replies} == {(302, f"/en/tickets/{ticket.token}/")}
    assert not TicketMessage.objects.exists()


def test_a_reply(visitor):
    ticket = Ticket.objects.create(
        **{"subject": "Invoice", "reason": "customer_request", "language": "en"},
        **{"status": TicketStatus.SOLVED, "contact_email": "ada@example.org"},
    )
    form = {"body": "It is still missing.", "idempotency_key": "3" * 32}
    one = visitor()
    replies = at_once(lambda: one.posts(f"/en/tickets/{ticket.token}/reply/", form))
    assert {reply.status for reply in replies} == {302}
    assert TicketMessage.objects.get().body == "It is still missing."
    one.posts(f"/en/tickets/{ticket.token}/reply/", form | {"body": "And another thing."})
    assert TicketMessage.objects.count() == 2  # the browser's back button, and another text


def test_a_ticket_over_the_api(live_server):
    body = {"subject": "Invoice", "detail": "It is missing.", "contact_email": "ada@example.org"}
    visitor = Visitor(live_server.url)
    replies = at_once(lambda: visitor.calls("/api/v1/tickets/", body, "t-1"))
    assert {reply.status for reply in replies} <= {200, 201}
    assert len({reply.body for reply in replies}) == 1
    assert Ticket.objects.count() == Mail.objects.count() == 1


def test_contact_for_a_question_over_the_api(live_server):
    question = escalated()
    body = {"question": str(question.public_id), "contact_email": "ada@example.org", "detail": "FC 07"}
    visitor = Visitor(live_server.url)
    replies = at_once(lambda: visitor.calls("/api/v1/tickets/", body, "t-2"))
    assert {reply.status for reply in replies} <= {200, 201}
    assert len({reply.body for reply in replies}) == 1
    assert Mail.objects.count() == 1
    assert not TicketMessage.objects.exists()


def test_contact_from_several_people_at_once_is_one_persons(live_server):
    """A link to an unanswered question may be passed on; only who was first gets to see the thread."""
    question = escalated()
    address = f"/en/answers/{question.public_id}"
    people = [Visitor(live_server.url) for _person in range(20)]
    for one in people:
        one.opens(f"{address}/")

    def post(number: int):
        person = {"contact_email": f"person-{number}@example.org", "detail": f"From {number}."}
        return people[number].posts(f"{address}/contact/", person)

    with ThreadPoolExecutor(len(people)) as pool:
        replies = list(pool.map(post, range(len(people))))
    ticket = Ticket.objects.get()
    found = Counter(reply.location for reply in replies)
    assert found == {f"{address}/#contact": len(people) - 1, f"/en/tickets/{ticket.token}/": 1}
    first = next(number for number, reply in enumerate(replies) if ticket.token in reply.location)
    assert ticket.contact_email == f"person-{first}@example.org"
    assert not TicketMessage.objects.exists()
    assert Mail.objects.count() == 1


def test_contact_from_whoever_asked_leads_every_click_to_their_ticket(visitor):
    question = escalated()
    one = visitor(question)
    form = {"contact_email": "ada@example.org", "detail": "Which month?"}
    replies = at_once(lambda: one.posts(f"/en/answers/{question.public_id}/contact/", form))
    ticket = Ticket.objects.get()
    assert {reply.location for reply in replies} == {f"/en/tickets/{ticket.token}/"}
    assert (Mail.objects.count(), TicketMessage.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("questions", {"question": UNANSWERABLE}, {"question": "Which beer?"}),
        ("questions", {"question": UNANSWERABLE}, {"language": "de"}),
        ("questions", {"question": UNANSWERABLE}, {"contact_email": "ada@example.org"}),
        ("questions", {"question": UNANSWERABLE}, {"contact_name": "Ada"}),
        ("questions", {"question": UNANSWERABLE}, {"conversation": ""}),
        (
            "tickets",
            {"subject": "S", "detail": "D", "contact_email": "ada@example.org"},
            {"detail": "Other"},
        ),
        (
            "tickets",
            {"subject": "S", "detail": "D", "contact_email": "ada@example.org"},
            {"contact_email": "eve@example.org"},
        ),
        ("tickets", {"question": "", "contact_email": "ada@example.org"}, {"detail": "More"}),
    ],
)
def test_a_changed_body_under_the_same_key_is_refused(client, path, body, change):
    if "question" in body and path == "tickets":
        body = body | {"question": str(escalated().public_id)}
    if "conversation" in change:
        change = {"conversation": str(Conversation.objects.create().public_id)}

    def send(values):
        headers = {"Idempotency-Key": "k-1"}
        return client.post(f"/api/v1/{path}/", values, "application/json", headers=headers)

    assert send(body).status_code == 201
    changed = send(body | change)
    assert (changed.status_code, changed.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert send(body).status_code == 200
    assert Question.objects.count() + Ticket.objects.filter(question=None).count() == 1
    assert not TicketMessage.objects.exists()


def _without_time(body: bytes) -> dict[str, object]:
    return {name: value for name, value in json.loads(body).items() if name != "elapsed_ms"}
