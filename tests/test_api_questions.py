"""POST /api/v1/questions/ and what can be read of a question afterwards."""

import json
import uuid

import pytest
from django.core import mail
from django.test import Client

from assistant.models import Feedback, Question, QuestionStatus, Ticket, TicketStatus
from assistant.payload import question_payload

QUESTIONS = "/api/v1/questions/"
PAUSE = (
    "You can pause your subscription for one to three months in a calendar year. It costs 9 euros a month."
)
pytestmark = pytest.mark.django_db


def ask(client: Client, question: str = "How long can I pause my subscription?", key: str = "", **fields):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(QUESTIONS, {"question": question, **fields}, "application/json", headers=headers)


@pytest.fixture
def answered(client, make_article):
    """A question with an answer, whatever the confidence model thinks of a help center with one article."""
    article = make_article("Pause your subscription", PAUSE)
    return answer_by_hand(ask(client).json()["id"], article)


def answer_by_hand(public_id: str, article) -> Question:
    from assistant.models import Answer, Citation

    question = Question.objects.get(public_id=public_id)
    Ticket.objects.filter(question=question).delete()
    question.status = QuestionStatus.ANSWERED
    question.save()
    answer, created = Answer.objects.get_or_create(
        question=question,
        defaults={
            "text": PAUSE,
            "blocks": [{"text": PAUSE, "citations": [1]}],
            "writer": "extractive",
            "language": "en",
        },
    )
    if created:
        Citation.objects.create(
            answer=answer,
            number=1,
            article=article,
            article_revision=article.revision,
            title=article.title,
            url=article.get_absolute_url(),
            quote=PAUSE,
            start=0,
            end=len(PAUSE),
        )
    return Question.objects.get(pk=question.pk)


def test_a_question_becomes_a_row_and_the_payload(client, make_article):
    make_article("Pause your subscription", PAUSE)
    response = ask(client)

    assert response.status_code == 201
    question = Question.objects.get()
    assert question.channel == "api"
    assert str(question.public_id) == response.json()["id"]
    request = response.wsgi_request
    assert response.json() == json.loads(
        json.dumps(question_payload(question, request=request, to_asker=True))
    )


def test_nothing_found_opens_a_ticket_and_contact_completes_it_at_once(
    client, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        response = ask(client, contact_email="ada@example.org", contact_name="Ada")

    body = response.json()
    assert body["status"] == "escalated"
    assert body["answer"] is None
    ticket = Ticket.objects.get()
    assert body["ticket"]["reference"] == ticket.reference
    assert (ticket.status, ticket.contact_email, ticket.contact_name) == ("open", "ada@example.org", "Ada")
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]


def test_a_signed_in_customer_needs_to_give_no_contact(client, customer):
    client.force_login(customer)
    ask(client)
    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.contact_email, ticket.customer) == ("open", customer.email, customer)


def test_without_contact_the_ticket_waits_for_it(client):
    assert ask(client).json()["ticket"]["status"] == "awaiting_contact"
    assert Ticket.objects.get().status == TicketStatus.AWAITING_CONTACT


def test_the_same_key_and_body_give_the_same_question_and_ticket(client):
    first, second = ask(client, key="a-1"), ask(client, key="a-1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["ticket"] == second.json()["ticket"]
    assert (Question.objects.count(), Ticket.objects.count()) == (1, 1)


def test_the_same_key_with_another_body_is_refused(client):
    ask(client, key="a-1")
    response = ask(client, "Where is my invoice?", key="a-1")
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "idempotency_key_reused"
    assert Question.objects.count() == 1


@pytest.mark.parametrize("key", ["with space", "ä", "x" * 201])
def test_a_key_that_is_none_is_named(client, key):
    response = ask(client, key=key)
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["error"]["fields"]


def test_a_follow_up_joins_its_conversation(client):
    first = ask(client).json()
    second = ask(client, "And for two bikes?", conversation=first["conversation"]).json()
    assert second["conversation"] == first["conversation"]
    assert Question.objects.values("conversation").distinct().count() == 1


def test_an_unknown_conversation_is_named(client):
    response = ask(client, conversation=str(uuid.uuid4()))
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["conversation"]
    assert not Question.objects.exists()


def test_reading_it_again_gives_the_same_but_no_way_into_the_ticket(client):
    asked = ask(client).json()
    response = client.get(f"{QUESTIONS}{asked['id']}/")
    assert response.status_code == 200
    secret = {key: asked["ticket"].pop(key) for key in ("token", "url")}
    assert response.json() == asked
    assert secret["token"] not in response.content.decode()


def test_an_unknown_id_is_not_found(client):
    response = client.get(f"{QUESTIONS}{uuid.uuid4()}/")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_the_payload_has_nothing_that_the_schema_does_not_name(client, answered):
    shown = client.get(f"{QUESTIONS}{answered.public_id}/")
    expected = question_payload(answered, request=shown.wsgi_request)
    assert shown.json() == json.loads(json.dumps(expected))
    assert shown.json()["citations"][0]["quote"] == PAUSE


def test_a_citation_leads_to_its_quote_marked_in_the_article(client, answered):
    (citation,) = client.get(f"{QUESTIONS}{answered.public_id}/").json()["citations"]
    assert citation["url"].endswith("#quote")
    html = client.get(citation["url"]).content.decode()
    assert f'<mark id="quote">{PAUSE}</mark>' in html


@pytest.mark.parametrize("body", [{"helpful": True}, {"helpful": False, "reason": "wrong", "comment": "No."}])
def test_feedback_is_kept_and_the_last_word_counts(client, answered, body):
    address = f"{QUESTIONS}{answered.public_id}/feedback/"
    client.post(address, {"helpful": False, "reason": "other"}, "application/json")
    response = client.post(address, body, "application/json")
    assert response.status_code == 200
    feedback = Feedback.objects.get()
    assert (feedback.helpful, feedback.reason) == (body["helpful"], body.get("reason", ""))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "helpful"),
        ({"helpful": "yes"}, "helpful"),
        ({"helpful": 1}, "helpful"),
        ({"helpful": None}, "helpful"),
        ({"helpful": False, "reason": "because"}, "reason"),
        ({"helpful": True, "reason": "wrong"}, "reason"),
        ({"helpful": True, "comment": "x" * 1001}, "comment"),
        ({"helpful": True, "stars": 5}, "stars"),
    ],
)
def test_feedback_that_is_none_is_named(client, answered, body, field):
    response = client.post(f"{QUESTIONS}{answered.public_id}/feedback/", body, "application/json")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not Feedback.objects.exists()


def test_a_question_without_an_answer_takes_no_feedback(client):
    asked = ask(client).json()
    response = client.post(f"{QUESTIONS}{asked['id']}/feedback/", {"helpful": True}, "application/json")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "no_answer"
