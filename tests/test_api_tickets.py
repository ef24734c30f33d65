"""Tickets over the API: asked for, completed, and read with the token alone."""

import uuid

import pytest

from assistant.models import Ticket, TicketMessage, TicketReason, TicketStatus
from assistant.services import add_staff_message

TICKETS = "/api/v1/tickets/"
REQUEST = {"subject": "Invoice", "detail": "It is missing.", "contact_email": "ada@example.org"}
pytestmark = pytest.mark.django_db


def post(client, body, key=""):
    return client.post(TICKETS, body, "application/json", headers={"Idempotency-Key": key} if key else {})


@pytest.fixture
def escalated(client):
    return client.post("/api/v1/questions/", {"question": "Do you sponsor clubs?"}, "application/json").json()


def test_a_request_for_a_person_becomes_an_open_ticket(client):
    response = post(client, REQUEST | {"contact_name": "Ada", "language": "de"})
    assert response.status_code == 201
    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.reason) == (TicketStatus.OPEN, TicketReason.CUSTOMER_REQUEST)
    assert (ticket.language, ticket.contact_name) == ("de", "Ada")
    assert response.json()["reference"] == ticket.reference
    assert response.json()["token"] == ticket.token


def test_the_language_of_the_reader_is_the_default(client):
    client.post(TICKETS, REQUEST, "application/json", headers={"Accept-Language": "de"})
    assert Ticket.objects.get().language == "de"


def test_the_same_key_opens_one_ticket(client):
    first, second = post(client, REQUEST, key="t-1"), post(client, REQUEST, key="t-1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["token"] == second.json()["token"]
    assert post(client, REQUEST | {"subject": "Another"}, key="t-1").status_code == 422
    assert Ticket.objects.count() == 1


def test_contact_completes_the_ticket_of_a_question(client, escalated):
    response = post(
        client, {"question": escalated["id"], "contact_email": "ada@example.org", "detail": "FC 07"}
    )
    assert response.status_code == 201
    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.contact_email, ticket.detail) == ("open", "ada@example.org", "FC 07")
    assert response.json()["reference"] == escalated["ticket"]["reference"]
    assert response.json()["question"] == escalated["id"]


def test_a_complete_ticket_is_handed_to_nobody_else(client, escalated):
    body = {"question": escalated["id"], "contact_email": "ada@example.org"}
    post(client, body)
    response = post(client, body | {"contact_email": "eve@example.org", "detail": "Mine now"})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "ticket_complete"
    assert Ticket.objects.get().token not in response.content.decode()
    assert Ticket.objects.get().contact_email == "ada@example.org"
    assert not TicketMessage.objects.exists()


def test_the_status_page_of_the_api_shows_no_internal_note(client, staff):
    token = post(client, REQUEST).json()["token"]
    ticket = Ticket.objects.get()
    add_staff_message(ticket=ticket, author=staff, body="Careful, a reseller.", is_internal=True)
    add_staff_message(ticket=ticket, author=staff, body="It is in your account.", is_internal=False)

    shown = client.get(f"{TICKETS}{token}/").json()

    assert [(message["author"], message["body"]) for message in shown["messages"]] == [
        ("staff", "It is in your account.")
    ]
    assert shown["status"] == "pending"
    assert not {"assignee", "priority", "contact_email"} & shown.keys()


@pytest.mark.parametrize("token", ["unknown", "x" * 300, "%00", "%F0%9F%9A%B2", "..%2f"])
def test_an_unknown_token_is_not_found(client, token):
    response = client.get(f"{TICKETS}{token}/")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"subject", "detail", "contact_email"}),
        (REQUEST | {"contact_email": "ada"}, {"contact_email"}),
        (REQUEST | {"contact_email": ""}, {"contact_email"}),
        (REQUEST | {"contact_email": 7}, {"contact_email"}),
        (REQUEST | {"subject": ""}, {"subject"}),
        (REQUEST | {"subject": "x" * 301}, {"subject"}),
        (REQUEST | {"detail": "x" * 5001}, {"detail"}),
        (REQUEST | {"detail": ["a"]}, {"detail"}),
        (REQUEST | {"contact_name": "x" * 121}, {"contact_name"}),
        (REQUEST | {"language": "fr"}, {"language"}),
        (REQUEST | {"priority": 4}, {"priority"}),
        (REQUEST | {"question": 5}, {"question"}),
        ({"question": str(uuid.uuid4()), "contact_email": "ada@example.org"}, {"question"}),
        (REQUEST | {"question": str(uuid.uuid4())}, {"subject"}),
    ],
)
def test_what_is_wrong_is_named(client, body, fields):
    response = post(client, body)
    assert response.status_code == 400
    assert set(response.json()["error"]["fields"]) == fields
    assert not Ticket.objects.exists()


def test_a_signed_in_customer_needs_no_address(client, customer):
    client.force_login(customer)
    response = post(client, {"subject": "Invoice", "detail": "Missing."})
    assert response.status_code == 201
    assert Ticket.objects.get().contact_email == customer.email
