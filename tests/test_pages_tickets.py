"""The way to a person: from an unanswered question, without one, and the page where the thread is."""

import pytest
from django.core import mail

from assistant.models import Ticket, TicketMessage, TicketStatus
from tests.pages import answered, escalated, owns, text_of

pytestmark = pytest.mark.django_db

MESSAGE = {"subject": "Bike rattles", "detail": "Since Monday.", "contact_email": "anna@example.org"}


def _open(**fields):
    values = {"subject": "S", "reason": "customer_request", "language": "en", "status": TicketStatus.OPEN}
    return Ticket.objects.create(**values | {"contact_email": "anna@example.org"} | fields)


def test_an_address_completes_the_ticket_and_is_confirmed(client, django_capture_on_commit_callbacks):
    asked = escalated()
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(
            f"/en/answers/{asked.public_id}/contact/",
            {"contact_email": "anna@example.org", "contact_name": "Anna", "detail": "Size L"},
        )
    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.contact_name, ticket.detail) == (TicketStatus.OPEN, "Anna", "Size L")
    assert response["Location"] == f"/en/tickets/{ticket.token}/"
    assert [message.to for message in mail.outbox] == [["anna@example.org"]]
    page = text_of(client.get(response["Location"]).content)
    assert "your request has reached us" in page
    assert ticket.reference in page
    assert "How do I pause?" in page
    assert "Size L" in page


def test_a_complete_ticket_is_not_completed_again_by_whoever_has_the_link(client):
    asked = escalated()
    Ticket.objects.update(contact_email="anna@example.org", status=TicketStatus.OPEN)
    client.post(
        f"/en/answers/{asked.public_id}/contact/", {"contact_email": "eve@example.org", "detail": "Hi"}
    )
    assert Ticket.objects.get().contact_email == "anna@example.org"
    assert not TicketMessage.objects.exists()


def test_the_answer_page_links_the_ticket_for_whoever_asked_and_nobody_else(client):
    asked = escalated()
    Ticket.objects.update(contact_email="anna@example.org", status=TicketStatus.OPEN)
    address = f"/en/answers/{asked.public_id}/"
    ticket = Ticket.objects.get()
    stranger = client.get(address).content.decode()
    assert ticket.token not in stranger
    assert ticket.reference not in stranger
    owns(client, asked)
    own = client.get(address).content.decode()
    assert ticket.token in own
    assert ticket.reference in own


def test_a_person_can_be_reached_without_a_question(client):
    response = client.post("/en/contact/", MESSAGE)
    ticket = Ticket.objects.get()
    assert response["Location"] == f"/en/tickets/{ticket.token}/"
    assert (ticket.subject, ticket.reason, ticket.language) == ("Bike rattles", "customer_request", "en")


def test_the_same_message_sent_twice_is_one_ticket(client):
    form = MESSAGE | {"idempotency_key": "0" * 32}
    assert client.post("/en/contact/", form)["Location"] == client.post("/en/contact/", form)["Location"]
    client.post("/en/contact/", form | {"detail": "Something else."})
    assert Ticket.objects.count() == 2


def test_an_answered_question_goes_along_to_the_person(client, make_article):
    asked = answered(make_article("Pause", synced=False))
    owns(client, asked)
    client.post("/en/contact/", {"question": str(asked.public_id), "contact_email": "anna@example.org"})
    ticket = Ticket.objects.get()
    assert (ticket.question, ticket.subject) == (asked, "How do I pause?")


def test_somebody_elses_question_does_not_go_along(client, make_article):
    asked = answered(make_article("Pause", synced=False))
    client.post("/en/contact/", MESSAGE | {"question": str(asked.public_id)})
    assert Ticket.objects.get().question is None


def test_the_ticket_page_shows_the_thread_without_internal_notes_and_a_masked_address(client):
    ticket = _open(detail="Since Monday.")
    ticket.messages.create(author_kind="staff", body="We come on Thursday.")
    ticket.messages.create(author_kind="staff", body="Known troublemaker", is_internal=True)
    html = client.get(f"/en/tickets/{ticket.token}/").content.decode()
    assert "We come on Thursday." in html
    assert "Known troublemaker" not in html
    assert "anna@example.org" not in html
    assert "a…\u2060@example.org" in html
    assert "no-store" in client.get(f"/en/tickets/{ticket.token}/")["Cache-Control"]


def test_a_reply_reopens_a_solved_ticket(client):
    ticket = _open(status=TicketStatus.SOLVED)
    client.post(f"/en/tickets/{ticket.token}/reply/", {"body": "Still <b>rattles</b>."})
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert "Still &lt;b&gt;rattles&lt;/b&gt;." in client.get(f"/en/tickets/{ticket.token}/").content.decode()


def test_a_closed_ticket_takes_no_reply(client):
    ticket = _open(status=TicketStatus.CLOSED)
    assert 'name="body"' not in client.get(f"/en/tickets/{ticket.token}/").content.decode()
    client.post(f"/en/tickets/{ticket.token}/reply/", {"body": "Hello?"})
    assert not TicketMessage.objects.exists()


@pytest.mark.parametrize("token", ["x" * 43, "..", "a", "%00", "-" * 5000])
def test_a_wrong_token_is_a_page_that_does_not_exist(client, token):
    assert client.get(f"/en/tickets/{token}/").status_code == 404
    assert client.post(f"/en/tickets/{token}/reply/", {"body": "x"}).status_code == 404


def test_signed_in_customers_find_their_address_filled_in(client, customer):
    client.force_login(customer)
    assert 'value="customer@example.org"' in client.get("/en/contact/").content.decode()


def test_no_line_of_a_german_form_ends_within_the_word_e_mail(client, db):
    for page in (client.get("/de/contact/"), client.post("/de/contact/", {"contact_email": "ada@"})):
        html = page.content.decode()
        assert "E\u2011Mail" in html and "E-Mail" not in html
