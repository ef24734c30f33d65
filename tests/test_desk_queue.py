"""The queue of the desk: what stands first, what is done to many, and two agents at one ticket."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from assistant import desk
from assistant.desk.sweep import keep_the_rules
from assistant.models import (
    KnownProblem,
    Mail,
    Presence,
    Priority,
    Ticket,
    TicketMessage,
    TicketStatus,
)
from assistant.outbox import send_due
from assistant.services import add_customer_message, add_staff_message
from tests.desk_samples import arrived
from tests.test_admin_tickets import form, make_ticket

LIST = "/admin/assistant/ticket/"
NOW = timezone.now
pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def bob(db) -> Client:
    other = Client()
    other.force_login(User.objects.create_superuser("bob", "bob@example.org", "a good passphrase"))
    return other


def address(ticket: Ticket) -> str:
    return f"{LIST}{ticket.pk}/change/"


def again(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(pk=ticket.pk)


def act(client: Client, action: str, *tickets: Ticket, **more: object):
    chosen = {"action": action, "_selected_action": [ticket.pk for ticket in tickets]}
    return client.post(LIST, chosen | more, follow=True)


def shown(client: Client, **query: str) -> list[Ticket]:
    return list(client.get(LIST, query).context["cl"].result_list)


def opened(client: Client, ticket: Ticket) -> str:
    """What the page says it has shown, as its form sends it back."""
    return str(client.get(address(ticket)).context["seen"])


# --- queues -------------------------------------------------------------------------------------------


def test_what_is_due_first_comes_first_and_the_tabs_count(agent, staff):
    now = NOW()
    late = arrived(now - timedelta(hours=9))
    soon = arrived(now - timedelta(hours=7), assignee=staff)
    later = arrived(now, priority=Priority.LOW)
    urgent = arrived(now, priority=Priority.URGENT)
    waits = arrived(now, status=TicketStatus.PENDING)
    assert shown(agent) == [late, soon, urgent, later] or shown(agent) == [late, urgent, soon, later]
    assert shown(agent, queue="overdue") == [late]
    assert shown(agent, queue="pending") == [waits]
    response = agent.get(LIST)
    counts = {tab.name: tab.count for tab in response.context["tabs"]}
    assert counts == {"open": 4, "mine": 1, "unassigned": 4, "overdue": 1, "pending": 1, "all": None}
    page = response.content.decode()
    assert "overdue: 1" in page and "first reply" in page
    assert set(shown(agent, priority__exact="4")) == {urgent}
    assert set(shown(agent, agent=str(staff.pk))) == {soon}


def test_the_pulse_tells_of_new_replies_and_counts(agent):
    ticket = arrived()
    first = agent.get(f"{LIST}pulse/", {"since": NOW().isoformat()}).json()
    assert not first["changed"] and first["counts"]["open"] == 1
    add_customer_message(ticket=ticket, body="Hello?")
    second = agent.get(f"{LIST}pulse/", {"since": first["now"]}).json()
    assert second["changed"]
    assert [one["said"] for one in second["wrote"]] == [f"New in {ticket.reference}: {ticket.subject}"]
    assert second["wrote"][0]["url"] == address(ticket)
    for nonsense in ("", "yesterday", "2026-13-45T99:99", "2026-01-01T10:00"):
        assert agent.get(f"{LIST}pulse/", {"since": nonsense}).status_code == 200


def test_the_pulses_are_for_the_desk_alone(client, customer):
    ticket = arrived()
    for user in (None, customer):
        if user is not None:
            client.force_login(user)
        assert client.get(f"{LIST}pulse/").status_code == 302
        assert client.post(f"{LIST}{ticket.pk}/pulse/").status_code == 302
    editor = User.objects.create_user("editor", is_staff=True)
    client.force_login(editor)
    assert client.get(f"{LIST}pulse/").status_code == 403
    assert client.post(f"{LIST}{ticket.pk}/pulse/").status_code == 403
    assert not Presence.objects.exists()


def test_bulk_priority_assignment_and_spam_are_in_each_history(agent, staff):
    one, two = arrived(), arrived()
    before = one.first_reply_due_at
    act(agent, "make_urgent", one, two)
    due = again(one).first_reply_due_at
    assert again(one).priority == Priority.URGENT and before and due and before > due
    act(agent, "assign_to_me", one, two)
    act(agent, "give_back", two)
    assert (again(one).assignee, again(two).assignee) == (staff, None)
    Mail.objects.create(ticket=two)
    act(agent, "spam", two)
    assert not two.mails.exists(), "nobody writes to it"
    assert again(two).is_spam and again(two).status == "closed"
    assert shown(agent) == [one]
    add_customer_message(ticket=two, body="Buy!")
    assert again(two).status == "closed", "it comes back to no queue"
    act(agent, "no_spam", two)
    assert again(two).status == "open" and again(two).due_at
    assert two.mails.get().kind == "confirmation"
    assert "Duplicates" not in agent.get(f"{LIST}{two.pk}/history/").content.decode()
    assert [record.history_user for record in two.history.all()[:3]] == [staff, None, staff]


def test_what_was_selected_is_meant_though_it_has_left_the_queue(agent):
    ticket = arrived(status=TicketStatus.SOLVED)
    act(agent, "reopen", ticket)
    assert again(ticket).status == "open"


def test_tickets_are_linked_to_a_problem_that_may_be_new(agent):
    tickets = [arrived(), arrived()]
    page = act(agent, "link_to_problem", *tickets)
    assert "2 tickets will be linked" in page.content.decode()
    refused = act(agent, "link_to_problem", *tickets, chosen="1", title=" ")
    assert refused.context["form"].errors and not KnownProblem.objects.exists()
    act(agent, "link_to_problem", *tickets, chosen="1", title="Brakes squeal")
    problem = KnownProblem.objects.get()
    assert {again(ticket).problem for ticket in tickets} == {problem}
    assert set(shown(agent, problem__id__exact=str(problem.pk))) == set(tickets)
    assert "Brakes squeal" in agent.get("/admin/assistant/knownproblem/").content.decode()


# --- merging ------------------------------------------------------------------------------------------


def test_duplicates_become_one_thread_and_their_links_lead_on(agent, staff, client):
    kept, duplicate = arrived(contact_email="ada@example.org"), arrived(contact_email="ADA@example.org")
    add_customer_message(ticket=kept, body="First.")
    note = add_staff_message(ticket=duplicate, author=staff, body="Seen.", is_internal=True)
    add_customer_message(ticket=duplicate, body="Second.", idempotency_key="k")
    page = act(agent, "merge", kept, duplicate)
    assert "Which ticket stays?" in page.content.decode()
    act(agent, "merge", kept, duplicate, kept=str(kept.pk))
    duplicate = again(duplicate)
    assert (duplicate.merged_into, duplicate.status) == (kept, "closed")
    bodies = [message.body for message in kept.messages.filter(is_internal=False)]
    assert bodies == [duplicate.subject, "First.", "Second."], "in the order in which it was written"
    assert TicketMessage.objects.get(pk=note.pk).came_from == duplicate
    assert duplicate.history.latest().history_change_reason == f"Merged into {kept.reference}"
    assert kept.history.latest().history_change_reason == "Duplicates merged into it"
    assert "Duplicates merged into it" in agent.get(f"{LIST}{kept.pk}/history/").content.decode()
    assert f"{duplicate.reference} was merged" in agent.get(address(kept)).content.decode()
    assert kept.reference in agent.get(address(duplicate)).content.decode()

    public = client.get(f"/en/tickets/{duplicate.token}/", follow=True)
    assert public.redirect_chain[-1][0] == f"/en/tickets/{kept.token}/"
    assert "Second." in public.content.decode() and "Seen." not in public.content.decode()
    assert client.get(f"/api/v1/tickets/{duplicate.token}/").json()["reference"] == kept.reference
    add_customer_message(ticket=duplicate, body="Third.")
    assert kept.messages.filter(body="Third.").exists()
    assert add_customer_message(ticket=duplicate, body="Second.", idempotency_key="k").body == "Second."
    act(agent, "reopen", duplicate)
    assert again(duplicate).status == "closed", "the other one is the one to work on"


def test_a_chain_of_merges_ends_at_one_ticket(agent):
    first, second, third = (arrived(contact_email="ada@example.org") for _number in range(3))
    act(agent, "merge", second, third, kept=str(second.pk))
    act(agent, "merge", first, second, kept=str(first.pk))
    assert {again(one).merged_into for one in (second, third)} == {first}
    fourth = arrived(contact_email="ada@example.org")
    desk.merge_tickets(kept=third, duplicates=[fourth], by=None)
    assert again(fourth).merged_into == first


def test_tickets_of_two_customers_are_never_merged(agent):
    ada, eve = arrived(contact_email="ada@example.org"), arrived(contact_email="eve@example.org")
    page = act(agent, "merge", ada, eve, kept=str(ada.pk))
    assert "Nothing was merged" in page.content.decode()
    assert again(eve).merged_into is None and not TicketMessage.objects.exists()
    assert "select 2 to" in act(agent, "merge", ada).content.decode()


def test_what_still_waited_does_not_end_with_what_was_settled():
    solved = arrived(contact_email="ada@example.org", status=TicketStatus.SOLVED)
    waits = arrived(contact_email="ada@example.org")
    desk.merge_tickets(kept=solved, duplicates=[waits], by=None)
    assert again(solved).status == "open"


# --- two agents, one ticket ---------------------------------------------------------------------------


def pulse(client: Client, ticket: Ticket, **values: str):
    return client.post(f"{LIST}{ticket.pk}/pulse/", values).json()


def test_who_opens_a_ticket_sees_who_else_has_it_open(agent, bob):
    ticket = arrived()
    opened(agent, ticket)
    assert "staff has this ticket open" in bob.get(address(ticket)).content.decode()
    assert pulse(bob, ticket, writing="1")["others"] == ["staff has this ticket open."]
    assert pulse(agent, ticket)["others"] == ["bob is writing in this ticket."]
    pulse(bob, ticket, leaving="1")
    assert pulse(agent, ticket)["others"] == []
    Presence.objects.update(seen_at=NOW() - timedelta(minutes=2))
    assert pulse(bob, ticket)["others"] == [], "a page left open over night keeps nobody away"
    Presence.objects.update(seen_at=NOW() - timedelta(days=2))
    keep_the_rules()
    assert not Presence.objects.exists()


def test_changes_to_different_fields_are_both_kept(agent, bob, staff):
    ticket = arrived()
    seen = opened(agent, ticket)
    seen_by_bob = opened(bob, ticket)
    assert bob.post(address(ticket), form(ticket, priority=4, seen=seen_by_bob)).status_code == 302
    assert agent.post(address(ticket), form(ticket, assignee=staff.pk, seen=seen)).status_code == 302
    assert (again(ticket).priority, again(ticket).assignee) == (Priority.URGENT, staff)


def test_of_two_changes_to_one_field_neither_wins_unseen(agent, bob):
    ticket = arrived()
    seen, seen_by_bob = opened(agent, ticket), opened(bob, ticket)
    bob.post(address(ticket), form(ticket, status="solved", seen=seen_by_bob))
    typed = form(ticket, status="pending", seen=seen) | {
        "messages-0-body": "A note.",
        "messages-0-is_internal": "on",
    }
    response = agent.post(address(ticket), typed)
    assert "“Solved”" in str(response.context["adminform"].form.errors["status"])
    assert "A note." in response.content.decode(), "nothing typed is lost"
    assert again(ticket).status == "solved" and not TicketMessage.objects.exists()
    agent.post(address(ticket), typed | {"seen": str(response.context["seen"])})
    assert again(ticket).status == "pending" and TicketMessage.objects.count() == 1


def test_a_reply_does_not_leave_over_something_unseen(agent, bob):
    ticket = arrived()
    seen, seen_by_bob = opened(agent, ticket), opened(bob, ticket)
    bob.post(address(ticket), form(ticket, seen=seen_by_bob, **{"messages-0-body": "Bob's answer."}))
    typed = form(ticket, seen=seen, **{"messages-0-body": "My answer."})
    response = agent.post(address(ticket), typed)
    page = response.content.decode()
    assert "Something new was written" in page and "My answer." in page and "hc-new" in page
    assert TicketMessage.objects.count() == 1
    agent.post(address(ticket), typed | {"seen": str(response.context["seen"])})
    assert [message.body for message in ticket.messages.all()] == ["Bob's answer.", "My answer."]
    assert again(ticket).status == "pending", "what bob did to the status is kept as well"


def test_a_note_needs_no_second_look(agent, bob):
    ticket = arrived()
    seen = opened(agent, ticket)
    add_customer_message(ticket=ticket, body="By the way")
    note = {"messages-0-body": "Called her.", "messages-0-is_internal": "on"}
    assert agent.post(address(ticket), form(ticket, seen=seen, **note)).status_code == 302


def test_the_open_page_hears_what_changed_and_takes_it_over(agent, bob):
    ticket = arrived()
    seen, seen_by_bob = opened(agent, ticket), opened(bob, ticket)
    assert "news" not in pulse(agent, ticket, seen=seen)
    bob.post(address(ticket), form(ticket, priority=4, seen=seen_by_bob))
    add_customer_message(ticket=ticket, body="Are you <b>there</b>?")
    told = pulse(agent, ticket, seen=seen)
    assert told["news"] == ["Customer has written.", "Priority is “Urgent” now."]
    assert told["values"]["priority"] == "4"
    assert "Are you &lt;b&gt;there" in told["thread"] and "hc-new" in told["thread"]
    assert "news" not in pulse(agent, ticket, seen=told["seen"])
    assert pulse(agent, ticket, seen="nonsense") == {"others": told["others"]}


def test_what_no_page_has_written_is_no_lock(agent):
    ticket = arrived()
    for nonsense in ("", "open|2", "open|2||||x", "a|b|c|d|e|" + "9" * 30):
        assert agent.post(address(ticket), form(ticket, priority=3, seen=nonsense)).status_code == 302
    assert again(ticket).priority == 3


@pytest.mark.django_db(transaction=True)
def test_replies_notes_and_changes_at_the_same_moment_are_all_kept(staff):
    """Whoever reads a row and saves it later used to write the old status back over the new one."""
    ticket = arrived()
    works = [
        lambda n: add_customer_message(ticket=Ticket(pk=ticket.pk), body=f"customer {n}"),
        lambda n: add_staff_message(ticket=ticket, author=staff, body=f"note {n}", is_internal=True),
        lambda n: desk.set_priority(ticket=ticket, priority=Priority(n % 4 + 1)),
        lambda n: desk.assign_ticket(ticket=ticket, assignee=staff if n % 2 else None),
        lambda n: desk.solve_ticket(ticket=ticket),
    ]

    def work(number: int) -> None:
        try:
            works[number % len(works)](number)
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, range(30)))
    assert ticket.messages.count() == 12
    last = again(ticket)
    newest = ticket.history.latest()
    fields = ("status", "priority", "assignee_id")
    assert [getattr(newest, field) for field in fields] == [getattr(last, field) for field in fields]


# --- taking back --------------------------------------------------------------------------------------


def test_a_reply_can_be_taken_back_for_ten_seconds(agent, bob, client, mailoutbox):
    ticket = arrived()
    agent.post(address(ticket), form(ticket, seen=opened(agent, ticket), **{"messages-0-body": "Dear Bob,"}))
    message = TicketMessage.objects.get()
    back = f"{LIST}{ticket.pk}/take-back/{message.pk}/"
    assert back in agent.get(address(ticket)).content.decode()
    assert back not in bob.get(address(ticket)).content.decode()
    assert "Dear Bob" not in Client().get(f"/en/tickets/{ticket.token}/").content.decode()
    assert Client().get(f"/api/v1/tickets/{ticket.token}/").json()["messages"] == []
    send_due()
    assert not mailoutbox
    assert bob.post(back, follow=True).status_code == 200
    assert not TicketMessage.objects.get().withdrawn_at, "it is not bob's"
    page = agent.post(back, follow=True)
    assert page.context["inline_admin_formsets"][0].formset.forms[0].initial["body"] == "Dear Bob,"
    assert TicketMessage.objects.get().withdrawn_at and not Mail.objects.filter(message=message).exists()
    assert again(ticket).status == "open" and again(ticket).first_replied_at is None and again(ticket).due_at
    assert "taken back" in page.content.decode()
    assert agent.get(back).status_code == 405


def test_what_was_sent_with_a_status_goes_back_to_the_one_before(agent):
    ticket = arrived()
    typed = form(ticket, seen=opened(agent, ticket), **{"messages-0-body": "Done."}) | {"_solve": "1"}
    agent.post(address(ticket), typed)
    assert again(ticket).status == "solved"
    agent.post(f"{LIST}{ticket.pk}/take-back/{TicketMessage.objects.get().pk}/")
    assert again(ticket).status == "open" and again(ticket).solved_at is None


def test_what_is_on_its_way_cannot_be_taken_back(agent, mailoutbox):
    ticket = arrived()
    agent.post(address(ticket), form(ticket, seen=opened(agent, ticket), **{"messages-0-body": "Hello."}))
    message = TicketMessage.objects.get()
    past = NOW() - timedelta(seconds=1)
    Mail.objects.update(due_at=past)
    TicketMessage.objects.update(held_until=past)
    page = agent.post(f"{LIST}{ticket.pk}/take-back/{message.pk}/", follow=True).content.decode()
    assert "Too late" in page
    send_due()
    assert len(mailoutbox) == 1 and again(ticket).status == "pending"
    assert mailoutbox[0].extra_headers["In-Reply-To"] == f"<ticket-{ticket.pk}@localhost>"
    assert "Hello." in Client().get(f"/en/tickets/{ticket.token}/").content.decode()


def test_a_pulse_is_json_even_for_a_ticket_that_is_gone(agent):
    assert agent.post(f"{LIST}999999/pulse/").status_code == 404
    assert json.loads(agent.get(f"{LIST}pulse/").content)["counts"]["open"] == 0
    make_ticket()
    assert agent.get(f"{LIST}pulse/").json()["counts"]["open"] == 1
