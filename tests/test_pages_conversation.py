"""The thread of a conversation: asked, waited for, asked on, judged, and still there when the session is gone."""

import json
import re
import threading
import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from assistant import progress
from assistant.models import (
    Conversation,
    Feedback,
    Question,
    QuestionStatus,
    Stage,
    Ticket,
    TicketReason,
    TicketStatus,
)
from assistant.services import settle_question, store_question
from knowledge.models import Article
from tests.pages import answered, escalated, owns, question, text_of

pytestmark = pytest.mark.django_db


def _thread(client, asked, language="en"):
    return client.get(f"/{language}/conversations/{asked.conversation.public_id}/")


def _events(response):
    content = b"".join(response.streaming_content).decode()
    return [
        (name, json.loads(data))
        for name, data in re.findall(r"^event: (\w+)\ndata: (.*)$", content, flags=re.MULTILINE)
    ]


def test_the_whole_thread_is_shown_older_turns_folded(client, make_article):
    first = answered(make_article("Pause", "Nine euros a month.", synced=False), text="What is a pause?")
    escalated(conversation=first.conversation, text="And a helicopter?")
    last = answered(
        make_article("Length", "Three months.", synced=False),
        conversation=first.conversation,
        text="How long?",
    )
    html = _thread(client, last).content.decode()
    page = text_of(html.encode())
    assert html.count('<details class="turn">') == 2
    assert page.index("What is a pause?") < page.index("And a helicopter?") < page.rindex("How long?")
    assert "Nine euros a month." in page
    assert "For our team" in page
    assert "Three months." in page
    assert "Start over" in page


def test_a_withdrawn_article_is_gone_from_older_turns_too(client, make_article):
    secret = make_article("Secret", "The code is Zanzibar.", synced=False)
    first = answered(secret, text="First?")
    last = answered(make_article("Other", synced=False), conversation=first.conversation)
    assert "Zanzibar" in _thread(client, last).content.decode()
    Article.objects.filter(pk=secret.pk).update(status="draft")
    assert "Zanzibar" not in _thread(client, last).content.decode()


def test_an_empty_or_unknown_conversation_does_not_exist(client):
    empty = Conversation.objects.create()
    assert client.get(f"/en/conversations/{empty.public_id}/").status_code == 404
    assert client.get("/en/conversations/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_its_address_is_enough_to_go_on_when_the_session_has_ended(client, make_article):
    first = answered(make_article("Pause", synced=False))
    html = _thread(client, first).content.decode()
    fields = dict(re.findall(r'name="(follow_up|conversation)" value="([^"]+)"', html))
    response = Client().post("/en/ask/", {"text": "And for two months?", **fields})
    assert response["Location"] == f"/en/conversations/{first.conversation.public_id}/"
    assert Question.objects.latest("pk").conversation == first.conversation


def test_a_link_to_an_answer_gives_no_right_to_its_conversation(client, make_article):
    first = answered(make_article("Pause", synced=False))
    html = client.get(f"/en/answers/{first.public_id}/").content.decode()
    assert str(first.conversation.public_id) not in html
    assert "To the whole conversation" not in html
    client.post("/en/ask/", {"text": "And for two?", "follow_up": str(first.public_id), "conversation": "x"})
    assert Question.objects.latest("pk").conversation != first.conversation


def test_the_answer_links_back_to_the_thread_for_whoever_asked(client, make_article):
    first = answered(make_article("Pause", synced=False))
    owns(client, first)
    html = client.get(f"/en/answers/{first.public_id}/").content.decode()
    assert f"/en/conversations/{first.conversation.public_id}/" in html


def test_an_escalated_question_stays_in_its_thread_when_asked_in_other_words(client):
    first = escalated()
    html = _thread(client, first).content.decode()
    assert f'name="follow_up" value="{first.public_id}"' in html


def test_a_no_offers_two_articles_then_the_team_and_only_once(client, make_article):
    others = [make_article(f"Article number {n}", synced=False) for n in range(1, 4)]
    first = answered(make_article("Pause", synced=False))
    _consider(first, *others)
    address = f"/en/answers/{first.public_id}/feedback/"
    held = {"conversation": str(first.conversation.public_id)}
    page = client.post(address, {"helpful": "no"} | held, follow=True)
    assert page.redirect_chain[0][0] == f"/en/conversations/{first.conversation.public_id}/#feedback"
    text = text_of(page.content)
    assert "Article number 3" not in text
    places = [text.index(part) for part in ("Article number 1", "Article number 2", "Or let our team answer")]
    assert places == sorted(places)
    assert text.index("Or let our team answer") < text.index("What went wrong?")
    second = answered(make_article("Again", synced=False), conversation=first.conversation, text="Once more?")
    _consider(second, *others)
    text = text_of(
        client.post(
            f"/en/answers/{second.public_id}/feedback/", {"helpful": "no"} | held, follow=True
        ).content
    )
    assert "Article number 1" not in text
    assert "Let our team answer" in text
    assert Feedback.objects.filter(helpful=False).count() == 2


def test_the_form_after_a_no_carries_the_question_to_the_team(client, make_article):
    first = answered(make_article("Pause", synced=False))
    held = {"conversation": str(first.conversation.public_id), "question": str(first.public_id)}
    client.post(f"/en/answers/{first.public_id}/feedback/", {"helpful": "no", **held})
    refused = client.post("/en/contact/", {"contact_email": "anna", "detail": "Size L", **held})
    assert refused.status_code == 422
    assert "Size L</textarea>" in refused.content.decode()
    assert "How do I pause?" in text_of(refused.content)
    client.post("/en/contact/", {"contact_email": "anna@example.org", "detail": "Size L", **held})
    ticket = Ticket.objects.get()
    assert (ticket.question, ticket.conversation, ticket.status) == (
        first,
        first.conversation,
        TicketStatus.OPEN,
    )
    page = text_of(_thread(client, first).content)
    assert "Our team has this question" in page


def test_what_was_given_once_in_a_conversation_is_not_asked_again(client, make_article):
    first = escalated()
    Ticket.objects.update(contact_email="anna@example.org", contact_name="Anna", status=TicketStatus.OPEN)
    second = answered(make_article("Pause", synced=False), conversation=first.conversation)
    address = f"/en/contact/?question={second.public_id}&conversation={first.conversation.public_id}"
    assert "anna@example.org" not in client.get(address).content.decode(), (
        "the address alone tells nobody's e-mail"
    )
    owns(client, first)
    page = client.get(address).content.decode()
    assert "We reply to anna@example.org" in page
    client.post("/en/contact/", {"question": str(second.public_id), "contact_email": "anna@example.org"})
    assert Ticket.objects.get(question=second).contact_email == "anna@example.org"


def test_the_form_shows_all_that_is_sent_along(client, make_article):
    first = answered(make_article("Pause", "Nine euros.", synced=False), text="What is a pause?")
    second = answered(
        make_article("Long", "Months.", synced=False), conversation=first.conversation, text="How long?"
    )
    answered(make_article("Later", synced=False), conversation=first.conversation, text="Something later?")
    owns(client, first)
    page = text_of(client.get(f"/en/contact/?question={second.public_id}").content)
    assert "What is a pause?" in page
    assert "Nine euros." in page
    assert "How long?" in page
    assert "Something later?" not in page


def test_a_question_given_to_the_team_while_it_is_looked_for_is_answered_by_nobody_else(client):
    asked = question(status=QuestionStatus.RECEIVED)
    owns(client, asked)
    client.post("/en/contact/", {"question": str(asked.public_id), "contact_email": "anna@example.org"})
    settled = settle_question(question=Question.objects.get(pk=asked.pk))
    assert settled.status == QuestionStatus.ESCALATED
    assert Ticket.objects.get().reason == TicketReason.CUSTOMER_REQUEST


def test_without_a_script_the_answer_comes_with_the_request(client):
    client.post("/en/ask/", {"text": "Do you sell pineapples?", "progressive": ""})
    assert Question.objects.get().status != QuestionStatus.RECEIVED


def test_a_page_that_waits_says_so_and_works_without_a_script(client):
    asked = question(status=QuestionStatus.RECEIVED, stage=Stage.CHECKING, stage_at=timezone.now())
    html = _thread(client, asked).content.decode()
    assert "We are looking for the answer" in html
    assert '<li data-stage="checking" class="is-now" aria-current="step">' in html
    assert "Show the answer" in html
    assert "Talk to a person" in html
    response = client.post(f"/en/answers/{asked.public_id}/finish/", follow=True)
    assert Question.objects.get().status != QuestionStatus.RECEIVED
    assert "We have found no reliable answer" in text_of(response.content)


def test_the_state_is_one_look(client):
    asked = question(status=QuestionStatus.RECEIVED, stage=Stage.WRITING, stage_at=timezone.now())
    address = f"/en/answers/{asked.public_id}/state/"
    assert client.get(address).json() == {"is_settled": False, "stage": "writing"}
    Question.objects.update(status=QuestionStatus.ESCALATED)
    assert client.get(address).json()["is_settled"] is True


@pytest.mark.django_db(transaction=True)
def test_the_answer_comes_as_events_in_the_readers_language(client, make_article):
    make_article(
        "Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."
    )
    make_article(
        "Pause your subscription",
        "A pause of your subscription costs 9 euros a month and lasts three months.",
    )
    response = client.post(
        "/de/ask/", {"text": "How much is a pause of my subscription?", "progressive": "1"}
    )
    assert response.status_code == 302
    asked = Question.objects.get()
    stream = client.get(f"/de/answers/{asked.public_id}/events/")
    assert stream["Content-Type"] == "text/event-stream"
    assert stream["X-Accel-Buffering"] == "no"
    events = _events(stream)
    name, data = events[-1]
    assert name == "settled"
    assert {name for name, _data in events[:-1]} <= {"waiting", "stage"}
    assert "costs 9 euros a month" in data["html"]
    assert "Hat Ihnen das geholfen?" in data["html"]
    assert "csrfmiddlewaretoken" in data["html"]
    again = _events(client.get(f"/de/answers/{asked.public_id}/events/"))
    assert [name for name, _data in again] == ["settled"]
    assert "costs 9 euros a month" in text_of(client.get(response["Location"]).content)


@pytest.mark.django_db(transaction=True)
def test_work_that_nobody_does_any_more_is_taken_over_by_whoever_looks(client):
    asked = store_question(text="Do you sell pineapples?")
    Question.objects.update(created_at=timezone.now() - timedelta(seconds=10))
    assert _events(client.get(f"/en/answers/{asked.public_id}/events/"))[-1][0] == "settled"
    assert Ticket.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_work_that_fails_is_begun_once_and_the_page_says_that_it_takes_long(settings, tmp_path, caplog):
    asked = store_question(text="Do you sell pineapples?")
    Question.objects.update(created_at=timezone.now() - timedelta(seconds=10))
    asked.refresh_from_db()
    settings.CONFIDENCE_FILE = str(tmp_path / "missing.json")
    kinds = [event.kind for event in progress.follow(asked, seconds=6)]
    assert kinds[-1] == progress.Kind.SLOW
    failures = [record for record in caplog.records if record.name == "assistant.progress"]
    assert len(failures) == 1
    assert asked.text not in caplog.text
    assert Question.objects.get().status == QuestionStatus.RECEIVED


@pytest.mark.django_db(transaction=True)
def test_a_listener_leaves_after_its_time_and_the_work_goes_on(monkeypatch):
    """Somebody elsewhere is at it: a fresh stage in the row, and no outcome yet."""
    asked = question(status=QuestionStatus.RECEIVED, stage=Stage.WRITING, stage_at=timezone.now())
    started = time.monotonic()
    kinds = [event.kind for event in progress.follow(asked, seconds=0.6)]
    assert time.monotonic() - started < 5
    assert kinds == [progress.Kind.STAGE, progress.Kind.SLOW]
    assert Question.objects.get().status == QuestionStatus.RECEIVED


@pytest.mark.django_db(transaction=True)
def test_too_many_listeners_are_sent_away_to_come_again():
    asked = question(status=QuestionStatus.RECEIVED, stage=Stage.WRITING, stage_at=timezone.now())
    listeners = [progress.follow(asked, seconds=5) for _listener in range(4)]
    for one in listeners:
        assert next(one).kind == progress.Kind.STAGE
    assert [event.kind for event in progress.follow(asked)] == [progress.Kind.BUSY]
    for one in listeners:
        one.close()  # what a closed connection does
    assert next(progress.follow(asked, seconds=0)).kind == progress.Kind.STAGE


@pytest.mark.django_db(transaction=True)
def test_two_pages_of_one_question_get_one_outcome(client):
    asked = store_question(text="Do you sell pineapples?")
    outcomes = []

    def look() -> None:
        progress.begin(asked)
        own = Question.objects.get(pk=asked.pk)
        outcomes.append([event.kind for event in progress.follow(own)][-1])

    threads = [threading.Thread(target=look) for _page in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes == [progress.Kind.SETTLED] * 3
    assert Ticket.objects.count() == 1


def _consider(asked, *articles):
    from assistant.models import ConsideredPassage

    for rank, article in enumerate(articles, start=1):
        ConsideredPassage.objects.create(
            question=asked,
            rank=rank,
            article=article,
            article_revision=article.revision,
            title=article.title,
            text=article.body,
            fused=1 / rank,
        )
