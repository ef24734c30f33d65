"""Everything that staff do to a ticket stands in its history, with who did it and in words."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from assistant.hooks.models import HandOff
from assistant.models import CannedReply, KnownProblem, Mail, MailKind, Priority, Ticket, TicketStatus
from tests.desk import as_, member
from tests.desk_samples import arrived
from tests.test_admin_tickets import form, make_question

LIST = "/admin/assistant/ticket/"
pytestmark = pytest.mark.django_db

Deed = Callable[[Client, Ticket], Any]


def _save(**changes: Any) -> Deed:
    def do(client: Client, ticket: Ticket) -> Any:
        return client.post(f"{LIST}{ticket.pk}/change/", form(ticket, **changes))

    return do


def _act(action: str, **more: Any) -> Deed:
    def do(client: Client, ticket: Ticket) -> Any:
        return client.post(LIST, {"action": action, "_selected_action": [ticket.pk]} | more)

    return do


def _merge(client: Client, ticket: Ticket) -> Any:
    kept = arrived(contact_email=ticket.contact_email)
    both = [kept.pk, ticket.pk]
    return client.post(LIST, {"action": "merge", "_selected_action": both, "kept": kept.pk})


def _link(client: Client, ticket: Ticket) -> Any:
    problem = KnownProblem.objects.create(title="Payments fail")
    return _act("link_to_problem", chosen="1", problem=problem.pk, title="")(client, ticket)


def _write_from_a_canned_reply(client: Client, ticket: Ticket) -> Any:
    CannedReply.objects.create(title="Greeting", language="en", body="Thank you for {reference}.")
    body = f"Hello!\n\nThank you for {ticket.reference}.\n\nAnna"
    return _save(**{"messages-0-body": body})(client, ticket)


def _take_back(client: Client, ticket: Ticket) -> Any:
    _save(**{"messages-0-body": "Oops."})(client, ticket)
    message = ticket.messages.get()
    return client.post(f"{LIST}{ticket.pk}/take-back/{message.pk}/")


def _mention(client: Client, ticket: Ticket) -> Any:
    member("Support", "bob")
    return _save(**{"messages-0-body": "@bob, have a look.", "messages-0-is_internal": "on"})(client, ticket)


def _teach(client: Client, ticket: Ticket) -> Any:
    return _save(lesson="missing", lesson_text="Nothing on sponsoring.")(client, ticket)


def _send_again(client: Client, ticket: Ticket) -> Any:
    Mail.objects.create(ticket=ticket, kind=MailKind.CONFIRMATION, error="451 later", attempts=5, due_at=None)
    return _act("send_mail_again")(client, ticket)


def _assign_to_herself(client: Client, ticket: Ticket) -> Any:
    return _save(assignee=User.objects.get(username="anna").pk)(client, ticket)


DEEDS: dict[
    str, tuple[Deed, str, str]
] = {  # what is done, the field that changes, and the word in the history
    "status in the form": (_save(status="solved"), "status", ""),
    "priority in the form": (_save(priority=Priority.URGENT), "priority", ""),
    "assignee in the form": (_assign_to_herself, "assignee", ""),
    "assign to me": (_act("assign_to_me"), "assignee", ""),
    "priority": (_act("make_high"), "priority", ""),
    "solve": (_act("solve"), "status", ""),
    "merge": (_merge, "merged_into", "Merged into"),
    "spam": (_act("spam"), "is_spam", ""),
    "link to a problem": (_link, "problem", ""),
    "reply": (_save(**{"messages-0-body": "Here it is."}), "", "Reply to the customer"),
    "canned reply": (_write_from_a_canned_reply, "", "from the canned reply “Greeting”"),
    "reply taken back": (_take_back, "", "Reply taken back"),
    "note": (
        _save(**{"messages-0-body": "A reseller.", "messages-0-is_internal": "on"}),
        "",
        "Internal note",
    ),
    "mention": (_mention, "", "Mentioned in a note: bob"),
    "label": (_teach, "", "What it teaches: "),
    "e-mails again": (_send_again, "", "Failed e-mails sent again"),
    "hand over": (_act("hand_over"), "", "To be opened in the other help desk"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_staff_do_is_in_the_history(settings, deed):
    settings.HANDOFF_TO = "zammad"
    do, field, word = DEEDS[deed]
    anna = member("Leads", "anna")
    ticket = arrived(question=make_question())
    before = ticket.history.latest()
    do(as_(anna), ticket)
    since = [one for one in ticket.history.order_by("history_id") if one.history_id > before.history_id]
    assert since and {one.history_user for one in since} == {anna}
    if field:
        assert getattr(since[-1], field) != getattr(before, field)
    assert any(word in (one.history_change_reason or "") for one in since)
    page = as_(anna).get(f"{LIST}{ticket.pk}/history/").content.decode()
    assert "anna" in page and word in page


@pytest.mark.parametrize(
    ("first", "then"), [("solve", "reopen"), ("spam", "no_spam"), ("assign_to_me", "give_back")]
)
def test_and_what_takes_it_back(first, then):
    client, ticket = as_(member("Leads", "anna")), arrived()
    for action in (first, then):
        count = ticket.history.count()
        _act(action)(client, ticket)
        assert ticket.history.count() == count + 1


def test_whoever_says_nothing_new_leaves_no_trace(settings):
    settings.HANDOFF_TO = "zammad"
    client, ticket = as_(member("Leads", "anna")), arrived()
    HandOff.objects.create(ticket=ticket)
    count = ticket.history.count()
    for action in ("hand_over", "send_mail_again", "no_spam", "give_back"):
        _act(action)(client, ticket)
    assert ticket.history.count() == count


def test_a_reason_that_is_too_long_is_cut_and_loses_no_reply():
    for name in ("a" * 60, "b" * 60):
        member("Support", name)
    client, ticket = as_(member("Leads", "anna")), arrived()
    both = f"@{'a' * 60} @{'b' * 60} please."
    assert (
        _save(**{"messages-0-body": both, "messages-0-is_internal": "on"})(client, ticket).status_code == 302
    )
    assert ticket.messages.get().body == both
    assert len(ticket.history.latest().history_change_reason) == 100


def test_a_reply_and_a_status_in_one_form_are_both_told():
    client, ticket = as_(member("Leads", "anna")), arrived()
    _save(status="solved", **{"messages-0-body": "Done."})(client, ticket)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.SOLVED
    told = list(ticket.history.values_list("status", "history_change_reason"))
    assert ("solved", "Reply to the customer") in told
