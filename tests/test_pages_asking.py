"""From the box to the answer's address: post, store, redirect, and once only."""

import re
from uuid import uuid4

import pytest

from assistant.models import Question, Ticket, TicketStatus
from tests.pages import owns, question, text_of

pytestmark = pytest.mark.django_db


def _form(client, path="/en/ask/"):
    html = client.get(path).content.decode()
    found = re.search(r'name="idempotency_key" value="(\w+)"', html)
    assert found is not None
    return found[1]


def test_a_question_is_answered_at_an_address_of_its_own(client, make_article):
    make_article(
        "Pause your subscription",
        "You can pause your subscription for up to three months. A pause costs 9 euros a month.",
    )
    response = client.post(
        "/en/ask/", {"text": "How do I pause my subscription?", "idempotency_key": _form(client)}
    )
    asked = Question.objects.get()
    thread = f"/en/conversations/{asked.conversation.public_id}/"
    assert (response.status_code, response["Location"]) == (302, thread)
    assert asked.channel == "page"
    assert asked.status in ("answered", "escalated")
    page = client.get(response["Location"])
    assert "How do I pause my subscription?" in text_of(page.content)
    assert '<meta name="robots" content="noindex">' in page.content.decode()


def test_the_same_form_sent_twice_is_one_question(client):
    form = {"text": "Do you sell pineapples?", "idempotency_key": _form(client)}
    first, second = client.post("/en/ask/", form), client.post("/en/ask/", form)
    assert first["Location"] == second["Location"]
    assert Question.objects.count() == 1


def test_another_text_under_the_key_of_an_old_form_is_a_question_of_its_own(client):
    key = _form(client)
    client.post("/en/ask/", {"text": "Do you sell pineapples?", "idempotency_key": key})
    client.post("/en/ask/", {"text": "Do you sell mangoes?", "idempotency_key": key})
    assert sorted(Question.objects.values_list("text", flat=True)) == [
        "Do you sell mangoes?",
        "Do you sell pineapples?",
    ]


def test_a_form_without_a_usable_key_is_accepted(client):
    assert client.post("/en/ask/", {"text": "Hello there?", "idempotency_key": "ä" * 300}).status_code == 302


def test_searching_from_the_box_keeps_tokens_out_of_the_address(client):
    response = client.post("/de/ask/", {"text": "Akku  laden", "action": "search", "idempotency_key": "x"})
    assert response["Location"] == "/de/search/?q=Akku+laden"
    assert not Question.objects.exists()


def test_a_follow_up_stays_in_the_conversation_of_whoever_asked(client):
    first = question()
    form = {"text": "And for two months?", "follow_up": str(first.public_id)}
    client.post("/en/ask/", form)
    stranger = Question.objects.latest("pk")
    assert stranger.conversation_id != first.conversation_id
    owns(client, first)
    client.post("/en/ask/", form)
    assert Question.objects.latest("pk").conversation_id == first.conversation_id


def test_a_fresh_question_starts_a_conversation(client):
    client.post("/en/ask/", {"text": "Do you sell pineapples?"})
    client.post("/en/ask/", {"text": "Do you sell mangoes?"})
    assert len(set(Question.objects.values_list("conversation_id", flat=True))) == 2


def test_signed_in_customers_give_contact_at_once(client, customer):
    client.force_login(customer)
    client.post("/en/ask/", {"text": "Do you sell pineapples?"})
    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.contact_email) == (TicketStatus.OPEN, "customer@example.org")


def test_a_language_that_is_neither_german_nor_english_still_gets_a_page(client):
    response = client.post(
        "/de/ask/", {"text": "¿Cómo puedo cancelar mi suscripción? 如何取消？"}, follow=True
    )
    assert response.status_code == 200
    assert "¿Cómo puedo cancelar" in text_of(response.content)


def test_the_address_can_fill_the_box(client):
    html = client.get("/en/ask/", {"q": "<b>Battery</b>"}).content.decode()
    assert "&lt;b&gt;Battery&lt;/b&gt;</textarea>" in html


def test_an_unknown_answer_is_a_page_that_does_not_exist(client):
    assert client.get(f"/en/answers/{uuid4()}/").status_code == 404
    assert client.get("/en/answers/not-a-uuid/").status_code == 404
