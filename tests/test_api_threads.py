"""Conversations and ticket threads over the API: what the pages can, programs can."""

import uuid

import pytest

from assistant.models import Ticket, TicketStatus
from knowledge.models import Article
from tests.pages import answered, escalated

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(db):
    return Ticket.objects.create(
        subject="S", reason="customer_request", language="en", status="open", contact_email="ada@example.org"
    )


def _post(client, ticket, action, body=None, key=""):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(
        f"/api/v1/tickets/{ticket.token}/{action}/", body or {}, "application/json", headers=headers
    )


def test_a_conversation_is_read_in_order_and_gated(client, make_article):
    secret = make_article("Secret", "The code is Zanzibar.", synced=False)
    first = answered(secret, text="First?")
    escalated(conversation=first.conversation, text="Second?")
    address = f"/api/v1/conversations/{first.conversation.public_id}/"
    found = client.get(address).json()
    assert [one["question"] for one in found["questions"]] == ["First?", "Second?"]
    assert "Zanzibar" in found["questions"][0]["answer"]["text"]
    assert "token" not in found["questions"][1]["ticket"]
    Article.objects.filter(pk=secret.pk).update(status="draft")
    assert client.get(address).json()["questions"][0]["answer"] is None


def test_a_conversation_that_is_none(client):
    response = client.get(f"/api/v1/conversations/{uuid.uuid4()}/")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_a_reply_joins_the_thread_once_and_opens_the_ticket(client, ticket):
    Ticket.objects.update(status=TicketStatus.SOLVED)
    first = _post(client, ticket, "messages", {"body": "Still rattles."}, key="m-1")
    second = _post(client, ticket, "messages", {"body": "Still rattles."}, key="m-1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert [one["body"] for one in second.json()["messages"]] == ["Still rattles."]
    assert second.json()["status"] == "open"
    assert _post(client, ticket, "messages", {"body": "Other."}, key="m-1").status_code == 422


@pytest.mark.parametrize(
    "body", [{}, {"body": " "}, {"body": "x" * 5001}, {"body": 7}, {"body": "x", "y": 1}]
)
def test_a_reply_that_cannot_be_taken_names_why(client, ticket, body):
    response = _post(client, ticket, "messages", body)
    assert response.status_code == 400
    assert response.json()["error"]["fields"]


def test_a_ticket_is_closed_and_taken_up_again(client, ticket):
    assert _post(client, ticket, "close").json()["status"] == "solved"
    assert _post(client, ticket, "close").json()["status"] == "solved"
    assert _post(client, ticket, "reopen").json()["status"] == "open"
    assert _post(client, ticket, "reopen").json()["status"] == "open"


@pytest.mark.parametrize("status", ["closed", "awaiting_contact"])
@pytest.mark.parametrize("action", ["messages", "close", "reopen"])
def test_what_the_team_has_closed_stays_so(client, ticket, status, action):
    Ticket.objects.update(status=status)
    assert (
        _post(client, ticket, action, {"body": "Hello?"} if action == "messages" else None).status_code == 409
    )
    ticket.refresh_from_db()
    assert ticket.status == status


@pytest.mark.parametrize("action", ["messages", "close", "reopen"])
def test_a_wrong_token_finds_nothing(client, ticket, action):
    ticket.token = "wrong"
    assert _post(client, ticket, action, {"body": "x"} if action == "messages" else None).status_code == 404
