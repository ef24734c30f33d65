"""A question whose process was killed, or that failed on the way, ends in an answer or in a ticket."""

from datetime import timedelta

import pytest
from django.utils import timezone

from assistant.interrupted import settle_interrupted
from assistant.models import Conversation, Mail, Question, QuestionStatus, TicketReason, TicketStatus
from tests.databases import database_url
from tests.processes import kill, start_python, wait_until

PAUSE = "You can pause your subscription for one to three months. A pause costs 9 euros a month."
ASK = """
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from assistant.services import ask_question
ask_question(text="Which wine goes with roasted duck?", contact_email="ada@example.org", contact_name="Ada")
"""


def stuck(text: str = "What does a pause of my subscription cost?", *, seconds: int, **fields) -> Question:
    question = Question.objects.create(
        conversation=Conversation.objects.create(), text=text, language="en", channel="page", **fields
    )
    Question.objects.filter(pk=question.pk).update(created_at=timezone.now() - timedelta(seconds=seconds))
    return question


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_while_it_decides_leaves_a_question_that_the_sweep_settles(make_article, tmp_path):
    make_article("Pause your subscription", PAUSE)
    # The process loads the model first, which takes seconds: the row is there long before the decision.
    process = start_python(tmp_path, ASK, DATABASE_URL=database_url(), EMAIL_URL="file://")
    try:
        wait_until(Question.objects.exists, seconds=60, what="the question is stored")
    finally:
        kill(process)
    question = Question.objects.get()
    assert question.status == QuestionStatus.RECEIVED
    assert settle_interrupted() == 0  # it might still be at work

    Question.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    assert settle_interrupted() == 1
    question.refresh_from_db()
    assert question.status == QuestionStatus.ESCALATED
    ticket = question.ticket
    assert (ticket.status, ticket.contact_email, ticket.contact_name) == (
        TicketStatus.OPEN,
        "ada@example.org",
        "Ada",
    )
    assert Mail.objects.get().ticket == ticket
    assert (question.contact_email, question.contact_name) == ("", "")  # the ticket has them
    assert settle_interrupted() == 0


@pytest.mark.django_db
def test_what_can_be_answered_is_answered(make_article):
    make_article("Paying by PayPal", "We accept PayPal in Germany and Austria.")
    make_article("Battery range", "A full battery lasts for about 60 kilometres on flat ground.")
    make_article("Pause your subscription", PAUSE)
    question = stuck(seconds=90)
    settle_interrupted()
    question.refresh_from_db()
    assert question.status == QuestionStatus.ANSWERED
    assert "9 euros" in question.answer.text


@pytest.mark.django_db
def test_what_cannot_be_decided_for_minutes_goes_to_a_person_and_holds_up_nobody(
    make_article, settings, tmp_path
):
    make_article("Pause your subscription", PAUSE)
    broken = tmp_path / "confidence.json"
    broken.write_text('{"not": "a model"}')
    settings.CONFIDENCE_FILE = str(broken)
    young, old = stuck(seconds=90), stuck(seconds=400, contact_email="ada@example.org")
    assert settle_interrupted() == 1
    young.refresh_from_db()
    old.refresh_from_db()
    assert (young.status, old.status) == (QuestionStatus.RECEIVED, QuestionStatus.ESCALATED)
    assert old.ticket.reason == TicketReason.WRITER_UNAVAILABLE
    assert (old.ticket.status, old.ticket.contact_email) == (TicketStatus.OPEN, "ada@example.org")


@pytest.mark.django_db
def test_pages_and_api_show_a_question_that_was_never_decided(client):
    question = stuck(seconds=400)
    settle_interrupted()
    assert "cannot be reached" in client.get(f"/en/answers/{question.public_id}/").content.decode()
    shown = client.get(f"/api/v1/questions/{question.public_id}/").json()
    assert shown["status"] == "escalated"
    assert shown["ticket"]["status"] == "awaiting_contact"
    assert shown["confidence"]["score"] is None
