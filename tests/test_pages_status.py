"""When a reply may be expected, and a request that its customer closes and takes up again."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from assistant import desk
from assistant.models import BY_CUSTOMER, MessageAuthor, Ticket, TicketStatus
from assistant.queue_figures import Wait, median_of, reply_time
from tests.pages import answered, escalated, text_of

HOUR = timedelta(hours=1)


def _waits(*hours, waiting=()):
    return [Wait(HOUR * one, True) for one in hours] + [Wait(HOUR * one, False) for one in waiting]


@pytest.mark.parametrize(
    ("waits", "hours", "is_at_least"),
    [
        (_waits(1, 2, 3, 4, 5), 3, False),
        (_waits(1, 2, 3, 4), 2, False),
        # Who has just come says nothing against the queue, who has waited long does.
        (_waits(1, 2, 3, waiting=[0.1, 0.1, 0.1, 0.1]), 2, False),
        (_waits(1, 2, 3, waiting=[40, 40, 40, 40]), 40, True),
        (_waits(waiting=[5, 6, 7, 8, 9]), 9, True),
    ],
)
def test_the_median_counts_those_who_wait_for_as_long_as_they_do(waits, hours, is_at_least):
    found = median_of(waits)
    assert (found.median, found.is_at_least) == (HOUR * hours, is_at_least)


def _open(**fields):
    values = {
        "subject": "S",
        "reason": "customer_request",
        "language": "en",
        "status": TicketStatus.OPEN,
        "contact_email": "anna@example.org",
        "completed_at": timezone.now(),
    }
    return Ticket.objects.create(**values | fields)


def _answered_after(hours, *, internal=False):
    asked_at = timezone.now() - timedelta(days=3)
    ticket = _open(completed_at=asked_at)
    message = ticket.messages.create(author_kind=MessageAuthor.STAFF, body="Hello", is_internal=internal)
    ticket.messages.filter(pk=message.pk).update(created_at=asked_at + HOUR * hours)
    return ticket


@pytest.mark.django_db
def test_too_few_requests_promise_nothing(client):
    for _request in range(4):
        _answered_after(2)
    assert reply_time() is None
    assert "first reply within" not in text_of(client.get("/en/contact/").content)


@pytest.mark.django_db
def test_the_queue_tells_its_own_figure_wherever_somebody_waits(client, make_article):
    for hours in (1.5, 2, 2.5, 3, 30):
        _answered_after(hours)
    _answered_after(0.1, internal=True)  # a note is no reply
    _open(
        status=TicketStatus.SOLVED, completed_at=timezone.now() - timedelta(days=2)
    )  # settled without a word
    english = "Lately about half of all requests had a first reply within 3 hours."
    assert english in text_of(client.get("/en/contact/").content)
    assert "innerhalb von 3 Stunden" in text_of(client.get("/de/contact/").content)
    assert english in text_of(client.get(f"/en/answers/{escalated().public_id}/").content)
    assert english in text_of(client.get(_open().get_absolute_url()).content)


@pytest.mark.django_db
def test_the_confirmation_says_so_too_and_leads_to_the_state(client, django_capture_on_commit_callbacks):
    for _request in range(5):
        _answered_after(2)
    form = {"subject": "Rattling", "detail": "Since Monday.", "contact_email": "anna@example.org"}
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/de/contact/", form)
    (confirmation,) = mail.outbox
    assert "innerhalb von 2 Stunden" in confirmation.body
    assert Ticket.objects.latest("pk").get_absolute_url() in confirmation.body


@pytest.mark.django_db
def test_a_customer_closes_a_request_and_takes_it_up_again(client):
    ticket = _open()
    address = f"/en/tickets/{ticket.token}/"
    assert "Close this request" in text_of(client.get(address).content)
    page = client.post(f"{address}close/", follow=True)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.SOLVED
    assert "You closed it on" in text_of(page.content)
    page = client.post(f"{address}reopen/", follow=True)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert "The request is open again" in text_of(page.content)


@pytest.mark.django_db
def test_who_settled_a_request_stands_in_its_history_and_on_its_page(client, staff):
    ticket = _open()
    address = f"/en/tickets/{ticket.token}/"
    client.post(f"{address}close/")
    client.post(f"{address}reply/", {"body": "It rattles again."})
    desk.solve_ticket(ticket=ticket)
    assert "Our team settled it on" in text_of(client.get(address).content)
    records = ticket.history.order_by("history_id").values_list("status", "history_change_reason")
    assert list(records) == [
        ("open", None),
        ("solved", BY_CUSTOMER),
        ("open", BY_CUSTOMER),
        ("solved", None),
    ]
    client.force_login(staff)
    history = client.get(f"/admin/assistant/ticket/{ticket.pk}/history/").content
    assert text_of(history).count("Customer") == 2


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["close", "reopen"])
@pytest.mark.parametrize("status", [TicketStatus.CLOSED, TicketStatus.AWAITING_CONTACT])
def test_what_the_team_has_closed_or_cannot_answer_stays_so(client, action, status):
    ticket = _open(status=status)
    assert client.post(f"/en/tickets/{ticket.token}/{action}/").status_code == 302
    assert client.get(f"/en/tickets/{ticket.token}/{action}/").status_code == 302
    ticket.refresh_from_db()
    assert ticket.status == status


@pytest.mark.django_db
def test_the_status_page_shows_the_conversation_that_came_before(client, make_article):
    first = answered(make_article("Pause", "Nine euros.", synced=False), text="What is a pause?")
    second = escalated(conversation=first.conversation, text="And for two?")
    Ticket.objects.filter(question=second).update(status=TicketStatus.OPEN, contact_email="anna@example.org")
    page = text_of(client.get(Ticket.objects.get(question=second).get_absolute_url()).content)
    assert "What is a pause?" in page
    assert "Nine euros." in page
