"""Tickets are opened in another help desk: once, with their number noted in ours, whatever is lost in between."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from assistant.hooks.handing_over import hand_over_due, owe_hand_off, try_again
from assistant.hooks.models import HandOff
from assistant.models import Ticket, TicketStatus
from assistant.services import complete_ticket, open_ticket
from tests.desk_servers import DeskServer, zammad, zendesk

pytestmark = pytest.mark.django_db

LINKS = {"zammad": "/#ticket/zoom/1", "zendesk": "/agent/tickets/35436"}
NUMBERS = {"zammad": "22001", "zendesk": "35436"}


@pytest.fixture(params=["zammad", "zendesk"])
def server(request, settings):
    server = DeskServer({"zammad": zammad, "zendesk": zendesk}[request.param])
    settings.HANDOFF_TO, settings.HANDOFF_URL, settings.HANDOFF_TOKEN = request.param, server.url, "s3cret"
    settings.HANDOFF_USER, settings.HANDOFF_GROUP, settings.HANDOFF_ALL = "agent@example.org", "Users", True
    yield server
    server.stop()


def asked_for() -> Ticket:
    return open_ticket(
        subject="Invoice",
        detail="It is missing.",
        contact_email="ada@example.org",
        contact_name="Ada",
        language="en",
    )


def time_passes() -> None:
    HandOff.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))


def test_a_new_ticket_is_opened_there_and_its_number_noted_here(server, settings, client):
    ticket = asked_for()
    hand_over_due()
    hand_off = HandOff.objects.get()
    name = settings.HANDOFF_TO
    assert hand_off.done_at and (hand_off.number, hand_off.link) == (NUMBERS[name], server.url + LINKS[name])
    note = ticket.messages.get()
    assert note.is_internal and hand_off.number in note.body and hand_off.link in note.body
    told = str(server.tickets)
    assert "ada@example.org" in told and "It is missing." in told and ticket.reference in told
    assert ticket.token not in told
    hand_over_due()
    assert len(server.tickets) == 1
    assert hand_off.link not in client.get(ticket.get_absolute_url()).content.decode()


def test_a_ticket_whose_answer_was_lost_is_found_and_not_opened_twice(server):
    asked_for()
    server.lose_answers = True
    hand_over_due()
    assert len(server.tickets) == 1 and HandOff.objects.get().error
    server.lose_answers = False
    time_passes()
    hand_over_due()
    assert len(server.tickets) == 1 and HandOff.objects.get().done_at


def test_an_outage_is_waited_for(server):
    asked_for()
    server.refusal = (503, {"error": "maintenance"})
    hand_over_due()
    hand_off = HandOff.objects.get()
    assert hand_off.due_at and hand_off.due_at > timezone.now() and "maintenance" in hand_off.error
    server.refusal = None
    time_passes()
    hand_over_due()
    assert HandOff.objects.get().done_at and len(server.tickets) == 1


def test_a_wrong_token_waits_for_a_person(server, settings, client, staff):
    settings.HANDOFF_TOKEN = "wrong"
    asked_for()
    hand_over_due()
    hand_off = HandOff.objects.get()
    assert hand_off.is_given_up and "HTTP 401" in hand_off.error and "wrong" not in hand_off.error
    settings.HANDOFF_TOKEN = "s3cret"
    client.force_login(staff)
    address = reverse("admin:assistant_handoff_changelist")
    assert "HTTP 401" in client.get(address).content.decode()
    client.post(address, {"action": "try_selected_again", "_selected_action": [hand_off.pk]})
    hand_over_due()
    hand_off.refresh_from_db()
    assert hand_off.done_at and not try_again(hand_off)


def test_only_chosen_tickets_go_where_not_all_do(server, settings, client, staff):
    settings.HANDOFF_ALL = False
    first, second = asked_for(), asked_for()
    assert not HandOff.objects.exists()
    client.force_login(staff)
    address = reverse("admin:assistant_ticket_changelist")
    client.post(address, {"action": "hand_over", "_selected_action": [second.pk]})
    assert HandOff.objects.get().ticket == second and first != second
    assert not owe_hand_off(second)


def test_a_ticket_without_contact_goes_once_it_has_one(server):
    ticket = Ticket.objects.create(subject="S", reason="low_confidence", language="en")
    assert ticket.status == TicketStatus.AWAITING_CONTACT and not HandOff.objects.exists()
    complete_ticket(ticket=ticket, contact_email="ada@example.org")
    hand_over_due()
    assert HandOff.objects.get().done_at


def test_without_a_setting_nothing_is_owed(settings):
    settings.HANDOFF_TO, settings.HANDOFF_ALL = "", False
    assert not owe_hand_off(asked_for())
    hand_over_due()
