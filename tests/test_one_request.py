"""Several questions of one conversation that nobody could answer are one request to the team."""

import pytest
from django.core import mail

from assistant import desk
from assistant.models import Priority, Ticket, TicketStatus
from assistant.queue_figures import reply_time
from tests.pages import answered, escalated, owns, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(client):
    """One conversation of three questions that wait for contact; the second is urgent."""
    first = escalated(text="Welcher Wein?", language="de")
    second = escalated(text="Mein Akku raucht!", language="de", conversation=first.conversation)
    third = escalated(text="Und welches Bier?", language="de", conversation=first.conversation)
    Ticket.objects.filter(question=second).update(priority=Priority.URGENT)
    owns(client, first)
    return first, second, third


def give_contact(client, asked, email="anna@example.org"):
    return client.post(
        f"/de/answers/{asked.public_id}/contact/", {"contact_email": email, "contact_name": "Anna"}
    )


def test_one_address_settles_all_that_waits(client, three, django_capture_on_commit_callbacks):
    first, second, third = three
    somebody_else = escalated(text="Fremde Frage", language="de")
    with django_capture_on_commit_callbacks(execute=True):
        page = client.get(give_contact(client, second)["Location"])
    lead = Ticket.objects.get(question=second)
    assert lead.status == TicketStatus.OPEN
    for asked in (first, third):
        merged = Ticket.objects.get(question=asked)
        assert (merged.status, merged.leading, merged.contact_email) == ("closed", lead, "anna@example.org")
        assert merged.completed_at is None  # nobody waits for a reply to it
    assert Ticket.objects.get(question=somebody_else).status == TicketStatus.AWAITING_CONTACT
    (message,) = mail.outbox
    for question in three:  # the whole of it is shown, in the mail and on the page
        assert question.text in message.body
        assert question.text in text_of(page.content)
    for question in (first, third):
        shown = client.get(f"/de/answers/{question.public_id}/").content.decode()
        assert lead.reference in shown and lead.token in shown
        assert 'name="contact_email"' not in shown
    assert reply_time() is None


def test_the_request_is_as_urgent_as_the_most_urgent_question(client, three):
    _first, _second, third = three
    give_contact(client, third)
    lead = Ticket.objects.get(question=third)
    assert lead.priority == Priority.URGENT
    assert {one.leading for one in Ticket.objects.all()} == {lead}


def test_a_person_asked_for_after_an_answer_gets_the_open_questions_too(client, three, make_article):
    first, _second, _third = three
    shown = answered(
        make_article("Pause", synced=False), conversation=first.conversation, text="Was kostet es?"
    )
    client.post("/de/contact/", {"question": str(shown.public_id), "contact_email": "anna@example.org"})
    lead = Ticket.objects.get(question=shown)
    assert lead.status == TicketStatus.OPEN
    assert lead.merged.count() == 3


def test_the_address_of_what_was_merged_leads_on(client, three):
    first, second, _third = three
    give_contact(client, second)
    merged, lead = Ticket.objects.get(question=first), Ticket.objects.get(question=second)
    assert client.get(f"/de/tickets/{merged.token}/")["Location"] == f"/de/tickets/{lead.token}/"
    assert client.get(f"/api/v1/tickets/{merged.token}/").json()["reference"] == lead.reference
    asked = client.get(f"/api/v1/questions/{first.public_id}/").json()
    assert asked["ticket"] == {"reference": lead.reference, "reason": "low_confidence", "status": "open"}
    # A form that was open elsewhere reaches the one request as well.
    assert give_contact(client, first)["Location"] == f"/de/tickets/{lead.token}/"
    assert Ticket.objects.get(pk=lead.pk).merged.count() == 2


def test_what_staff_have_merged_before_anybody_gave_an_address_is_completed_as_one(client, staff, three):
    first, second, _third = three
    lead = Ticket.objects.get(question=second)
    desk.merge_tickets(kept=lead, duplicates=[Ticket.objects.get(question=first)], by=staff)
    shown = client.get(f"/de/answers/{first.public_id}/").content.decode()
    assert 'name="contact_email"' in shown
    assert give_contact(client, first)["Location"] == f"/de/tickets/{lead.token}/"
    lead.refresh_from_db()
    assert (lead.status, lead.contact_email) == (TicketStatus.OPEN, "anna@example.org")


def test_what_has_its_contact_stays_its_own(client, three):
    first, second, third = three
    give_contact(client, first)
    later = escalated(text="Noch etwas?", language="de", conversation=first.conversation)
    give_contact(client, later, email="ben@example.org")
    assert Ticket.objects.get(question=later).contact_email == "ben@example.org"
    lead = Ticket.objects.get(question=first)
    assert (lead.merged_into, lead.contact_email, lead.merged.count()) == (None, "anna@example.org", 2)
    assert {Ticket.objects.get(question=one).leading for one in (second, third)} == {lead}
