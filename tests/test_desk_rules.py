"""The rules of the desk: what is due when, what happens by itself, and what administrators see of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.utils import timezone

from assistant.desk import dry_run, rules
from assistant.desk.clock import next_due
from assistant.desk.sweep import keep_the_rules
from assistant.models import (
    DeskRules,
    Holiday,
    Mail,
    MailKind,
    Priority,
    RotaMember,
    Ticket,
    TicketMessage,
    TicketStatus,
)
from assistant.outbox import send_due
from assistant.services import add_customer_message, add_staff_message, ask_question, open_ticket
from tests.desk_samples import arrived, at, desk_rules, move, office_hours, waited

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/assistant/deskrules/"
NOW = timezone.now


def again(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(pk=ticket.pk)


# --- what is due when ---------------------------------------------------------------------------------


def test_due_times_follow_priority_opening_hours_and_holidays():
    office_hours()
    Holiday.objects.create(date=date(2026, 6, 4))
    ticket = arrived(at("2026-06-03 15:00"), priority=Priority.HIGH)
    assert ticket.first_reply_due_at == at("2026-06-05 11:00"), "4 hours: 2 on Wednesday, 2 on Friday"
    assert ticket.solve_due_at == at("2026-06-08 15:00")
    assert ticket.due_at == ticket.first_reply_due_at


def test_the_clock_stands_while_the_ticket_waits_for_its_customer():
    office_hours()
    ticket = arrived(at("2026-06-01 09:00"))
    assert ticket.solve_due_at == at("2026-06-05 17:00")
    ticket.first_replied_at = at("2026-06-01 10:00")
    move(ticket, "pending", at("2026-06-01 10:00"))
    assert ticket.due_at is None
    move(ticket, "open", at("2026-06-02 11:00"))
    assert ticket.solve_due_at == at("2026-06-09 10:00"), "9 hours of business later"
    assert ticket.due_at == ticket.solve_due_at, "the first reply is no longer due"
    move(ticket, "solved", at("2026-06-02 12:00"))
    move(ticket, "open", at("2026-06-06 12:00"))
    assert ticket.paused_seconds == (9 + 5 + 3 * 8) * 3600
    assert ticket.solved_at is None


def test_everything_that_people_do_keeps_the_time(staff):
    ticket = open_ticket(subject="Help", contact_email="ada@example.org", language="en")
    assert ticket.due_at == ticket.first_reply_due_at
    add_staff_message(ticket=ticket, author=staff, body="Which one?")
    ticket = again(ticket)
    assert ticket.status == "pending" and ticket.first_replied_at and ticket.due_at is None
    add_customer_message(ticket=ticket, body="The blue one.")
    ticket = again(ticket)
    assert ticket.status == "open" and ticket.due_at == ticket.solve_due_at == next_due(ticket)
    assert ticket.customer_wrote_at and ticket.first_replied_at
    assert ticket.customer_wrote_at > ticket.first_replied_at


def test_a_ticket_takes_the_category_of_the_article_that_came_closest(make_article, make_category):
    category = make_category("Payment")
    make_article("Paying by PayPal", "We accept PayPal in Germany and Austria.", category=category)
    question = ask_question(
        text="Can I pay a camper van in Bolivia by PayPal?", contact_email="ada@example.org"
    )
    if question.status == "escalated":
        assert question.ticket.category == category
    else:
        pytest.fail("the question was to be escalated")


def test_new_rules_reach_tickets_that_were_counted_with_others():
    ticket, settled = arrived(), arrived()
    move(settled, "solved", NOW())
    desk_rules(normal_reply="2", normal_solve="3")
    stale = again(ticket).first_reply_due_at
    keep_the_rules()
    assert ticket.completed_at and stale
    assert again(ticket).first_reply_due_at == ticket.completed_at + timedelta(hours=2) < stale
    office_hours()
    keep_the_rules()
    assert again(ticket).counted_with == rules.current().fingerprint
    assert again(settled).counted_with != rules.current().fingerprint, "nothing is due any more"
    assert ticket.history.count() == 1, "nobody did anything to it"


def test_no_target_is_never_due():
    desk_rules(normal_reply=None, normal_solve=None)
    ticket = arrived(at("2020-01-01 10:00"))
    keep_the_rules()
    assert again(ticket).due_at is None and not again(ticket).reply_missed_at


def test_overdue_is_the_same_for_a_row_and_for_a_query():
    now = NOW()
    tickets = [
        arrived(now - timedelta(days=300)),
        arrived(now),
        arrived(now - timedelta(days=300), status=TicketStatus.PENDING),
        arrived(now - timedelta(days=300), status=TicketStatus.SOLVED),
    ]
    assert list(Ticket.objects.overdue(now)) == [one for one in tickets if one.is_overdue(now)] == tickets[:1]


# --- missed targets -----------------------------------------------------------------------------------


def test_a_missed_target_is_told_once(staff):
    desk_rules(escalates=True, escalation_emails="lead@example.org, staff@example.org")
    ticket = arrived(NOW() - timedelta(hours=9), assignee=staff, subject="Broken wheel")
    arrived()
    keep_the_rules()
    keep_the_rules()
    told = Mail.objects.filter(kind=MailKind.MISSED)
    assert sorted(told.values_list("staff_email", flat=True)) == ["lead@example.org", "staff@example.org"]
    assert again(ticket).reply_missed_at and not again(ticket).solve_missed_at
    assert ticket.history.latest().history_change_reason == "First reply overdue"
    send_due()
    sent = next(one for one in mail.outbox if one.to == ["lead@example.org"])
    assert ticket.reference in sent.subject and "Broken wheel" in sent.body
    assert f"/admin/assistant/ticket/{ticket.pk}/change/" in sent.body
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    assert ticket.token not in sent.body, "the customer's link is the customer's"
    Ticket.objects.filter(pk=ticket.pk).update(solve_due_at=NOW(), due_at=NOW())
    keep_the_rules()
    assert again(ticket).solve_missed_at and told.count() == 4


def test_what_was_missed_before_mails_were_wanted_is_not_mailed_later():
    ticket = arrived(NOW() - timedelta(days=300))
    keep_the_rules()
    desk_rules(escalates=True, escalation_emails="lead@example.org")
    keep_the_rules()
    assert again(ticket).solve_missed_at
    assert not Mail.objects.filter(kind=MailKind.MISSED).exists()


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_tell_once():
    desk_rules(escalates=True, escalation_emails="lead@example.org")
    for _number in range(5):
        arrived(NOW() - timedelta(hours=9))

    def sweep(_number: int) -> None:
        try:
            keep_the_rules()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(sweep, range(3)))
    assert Mail.objects.filter(kind=MailKind.MISSED).count() == 5


# --- who gets it --------------------------------------------------------------------------------------


@pytest.fixture
def agents(db) -> list[User]:
    users = [User.objects.create_user(name, is_staff=True) for name in ("ann", "bob", "cy")]
    for user in users:
        RotaMember.objects.create(user=user)
    return users


def test_nobody_gets_a_ticket_unless_the_rules_say_so(agents):
    assert arrived().assignee is None


def test_in_turn_everybody_here_gets_as_many(agents):
    desk_rules(assignment="round_robin")
    RotaMember.objects.filter(user=agents[1]).update(is_here=False)
    agents[2].is_active = True
    given = [arrived().assignee for _number in range(4)]
    assert given == [agents[0], agents[2], agents[0], agents[2]]
    User.objects.filter(pk=agents[2].pk).update(is_active=False)
    assert [arrived().assignee for _number in range(2)] == [agents[0], agents[0]]


def test_the_fewest_that_wait_for_us_decide(agents):
    desk_rules(assignment="fewest")
    for owner, status in ((0, "open"), (0, "open"), (1, "open"), (2, "pending"), (2, "solved")):
        arrived(assignee=agents[owner], status=status)
    assert [arrived().assignee for _number in range(3)] == [agents[2], agents[1], agents[2]]


def test_with_nobody_here_a_ticket_belongs_to_nobody():
    desk_rules(assignment="round_robin")
    assert arrived().assignee is None


# --- silence ------------------------------------------------------------------------------------------


def test_silence_brings_a_notice_then_the_end_and_a_word_stops_it():
    desk_rules(silence_days=7, grace_days=3, close_days=14)
    silent, heard, recent = arrived(language="de"), arrived(), arrived()
    waited(silent, 8)
    waited(heard, 8)
    waited(recent, 6)
    keep_the_rules()
    keep_the_rules()
    notice = TicketMessage.objects.get(ticket=silent)
    assert notice.is_automatic and "nichts von Ihnen gehört" in notice.body
    assert notice.mail.kind == MailKind.REPLY
    assert not recent.messages.exists()
    add_customer_message(ticket=heard, body="Still broken.")
    Ticket.objects.filter(noticed_at__isnull=False).update(noticed_at=NOW() - timedelta(days=4))
    keep_the_rules()
    assert (again(silent).status, again(heard).status, again(recent).status) == ("solved", "open", "pending")
    assert silent.history.latest().history_change_reason == "Solved after silence"
    Ticket.objects.filter(pk=silent.pk).update(solved_at=NOW() - timedelta(days=15))
    keep_the_rules()
    assert again(silent).status == "closed"
    send_due()
    headers = next(one.extra_headers for one in mail.outbox if one.to == [silent.contact_email])
    assert headers["Auto-Submitted"] == "auto-generated"


def test_our_own_later_word_begins_the_silence_anew(staff):
    desk_rules(silence_days=7)
    ticket = arrived()
    waited(ticket, 8)
    add_staff_message(ticket=ticket, author=staff, body="One more thing.")
    keep_the_rules()
    assert ticket.messages.count() == 1


def test_by_default_nothing_ends_by_itself():
    ticket = arrived()
    waited(ticket, 300)
    keep_the_rules()
    assert again(ticket).status == "pending" and not ticket.messages.exists()


# --- dry run ------------------------------------------------------------------------------------------


def past(
    opened: str, *stays: tuple[str, str], replied: str = "", priority=Priority.NORMAL
) -> dry_run.PastTicket:
    """`stays` are (status, until)."""
    starts = [opened, *(end for _status, end in stays[:-1])]
    return dry_run.PastTicket(
        pk=1,
        reference="T-1",
        subject="S",
        priority=priority,
        opened=at(opened),
        first_replied=at(replied) if replied else None,
        stays=tuple(
            dry_run.Stay(status, at(start), at(end))
            for start, (status, end) in zip(starts, stays, strict=True)
        ),
    )


def test_a_replay_counts_what_was_in_time_as_it_really_went():
    policy = rules.policy_of(
        DeskRules(normal_reply=2, normal_solve=4, silence_days=3, grace_days=1, close_days=10), []
    )
    tickets = [
        past("2026-06-01 10:00", ("open", "2026-06-01 11:00"), ("solved", "2026-06-20 10:00")),
        past(
            "2026-06-01 10:00",
            ("open", "2026-06-01 13:00"),
            ("pending", "2026-06-04 14:00"),
            ("open", "2026-06-04 15:30"),
            ("solved", "2026-06-05 10:00"),
            replied="2026-06-01 13:00",
        ),
        past(
            "2026-06-01 10:00",
            ("open", "2026-06-01 11:00"),
            ("pending", "2026-06-20 11:00"),
            replied="2026-06-01 11:00",
        ),
    ]
    report = dry_run.replay(tickets, policy, [], at("2026-06-20 10:00"))
    tally = report.tallies[Priority.NORMAL]
    assert (tally.reply_met, tally.reply_missed, tally.solve_met, tally.solve_missed) == (2, 1, 1, 1)
    assert [one.what for one in report.examples] == ["solve", "reply"]
    assert report.examples[0].due == at("2026-06-04 15:00"), "3 hours on Monday, one after the pause"
    assert (report.notices, report.settled, report.closed) == (2, 1, 1)


def test_the_past_is_read_from_the_history(django_assert_num_queries):
    ticket = arrived(NOW() - timedelta(days=2))
    move(ticket, "pending", NOW())
    move(ticket, "open", NOW())
    arrived(is_spam=True, status="closed")
    with django_assert_num_queries(2):
        found = dry_run.past_tickets()
    assert [[stay.status for stay in one.stays] for one in found] == [["open", "pending", "open"]]


# --- the page -----------------------------------------------------------------------------------------


def typed(**changes: object) -> dict[str, object]:
    fields = {
        f"{name}_{what}": "" for name in ("urgent", "high", "normal", "low") for what in ("reply", "solve")
    }
    return fields | {"assignment": "off", "grace_days": 3, "escalation_emails": ""} | changes


@pytest.mark.parametrize("language", ["de", "en"])
def test_rules_are_explained_tried_and_saved(client, staff, agents, language):
    client.force_login(staff)
    office_hours()
    for number in range(3):
        arrived(NOW() - timedelta(days=number), priority=Priority.HIGH)
    headers = {"Accept-Language": language}
    page = client.get(ADDRESS, headers=headers, follow=True).content.decode()
    assert "09:00–17:00" in page
    values = typed(high_reply="0.25", high_solve="8", assignment="round_robin", silence_days=5)
    tried = client.post(f"{ADDRESS}add/", values | {"_dry_run": "1"}, headers=headers)
    assert not DeskRules.objects.exists(), "a dry run saves nothing"
    report = tried.context["report"]
    assert report.tallies[Priority.HIGH].tickets == 3 and report.tallies[Priority.HIGH].reply_missed >= 1
    assert dict(report.given) == {"ann": 1, "bob": 1, "cy": 1}
    assert 'value="0.25"' in tried.content.decode(), "what was typed is still there"
    assert client.post(f"{ADDRESS}add/", values, headers=headers).status_code == 302
    page = client.get(ADDRESS, headers=headers, follow=True).content.decode()
    assert "ann, bob, cy" in page
    assert DeskRules.objects.get().history.latest().history_user == staff
    for name in ("holiday", "rotamember", "knownproblem"):
        assert client.get(f"/admin/assistant/{name}/", headers=headers).status_code == 200


def test_what_makes_no_sense_is_refused_at_its_field(client, staff):
    client.force_login(staff)
    wrong = typed(high_reply="8", high_solve="4", low_reply="0", escalation_emails="lead@example.org, bob")
    for button in ({}, {"_dry_run": "1"}):
        response = client.post(f"{ADDRESS}add/", wrong | button)
        errors = response.context["adminform"].form.errors
        assert set(errors) == {"high_solve", "low_reply", "escalation_emails"}
        assert "bob" in str(errors["escalation_emails"])
    assert not DeskRules.objects.exists()
