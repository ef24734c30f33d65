"""Suggested category and priority: learned from solved tickets, with a confidence that was measured, never silent."""

import io
import random
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from assistant.desk import set_priority
from assistant.desk.routing.history import past_of_the_desk
from assistant.desk.routing.voting import Past, record_of, vote, walk_forward
from assistant.desk.sweep import keep_the_rules
from assistant.models import Priority, RoutedField, RoutingSuggestion, Ticket
from assistant.models.routing import ENOUGH_HISTORY
from tests.desk import as_, member
from tests.desk_samples import arrived, desk_rules
from tests.test_admin_tickets import make_question, make_ticket

BILLS = ("Why is my invoice of {} wrong?", "My invoice for {} shows the wrong amount")
BRAKES = ("The brakes of my bike squeal since {}", "My bike's brakes are broken since {}")
MONTHS = ["January", "March", "May", "June", "July", "October"]


def past(*tickets: tuple[list[float], int, int, float, float], languages: list[int] | None = None) -> Past:
    """Of (vector, value, by rule, opened, settled)."""
    vectors = np.array([one[0] for one in tickets], dtype=np.float32)
    return Past(
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        languages=np.array(languages or [0] * len(tickets)),
        opened=np.array([one[3] for one in tickets]),
        settled=np.array([one[4] for one in tickets]),
        values=np.array([one[1] for one in tickets]),
        by_rule=np.array([one[2] for one in tickets]),
    )


A, B = [1.0, 0.1], [0.1, 1.0]


def test_the_nearest_vote_and_the_far_ones_do_not():
    desk = past(*[(A, 7, 7, 0, 1)] * 3, (A, 8, 7, 0, 1), *[(B, 9, 7, 0, 1)] * 20)
    found = vote(desk, desk.vectors[0], 0)
    assert found is not None and (found.value, found.agreeing, found.similar) == (7, 3, 4)
    assert found.clarity == 2
    assert vote(desk, np.array([-1.0, 0.0], dtype=np.float32), 0) is None
    assert vote(desk, desk.vectors[0], 1) is None  # nobody was answered in that language yet


def test_the_past_is_asked_only_what_it_knew():
    """Each ticket arrives at its number and is settled half a unit later, but for one that took long."""
    tickets = [(A, 7, 5, n, n + 0.5) for n in range(5)]
    tickets[1] = (A, 8, 5, 1, 100)
    trials = walk_forward(past(*tickets))
    similar = [one.vote.similar if one.vote else 0 for one in trials]
    assert similar == [0, 0, 0, 0, 3]  # the one that took long never votes
    assert trials[0].by_majority == -1 and trials[4].by_majority == 7
    record = record_of(trials, 3)
    assert (record.tried, record.right, record.rule_right) == (1, 1, 0)


def test_a_value_for_which_nobody_stands_neither_votes_nor_counts():
    desk = past(*[(A, 7, 7, n, n + 0.5) for n in range(3)], (A, -1, 7, 4, 5), (A, 7, 7, 6, 7))
    trials = walk_forward(desk)
    latest = trials[-1].vote
    assert len(trials) == 4 and latest is not None and latest.similar == 3


# --- at the desk ------------------------------------------------------------------------------------------


@pytest.fixture
def categories(make_category):
    return make_category("Billing"), make_category("Workshop")


def solved(text: str, category, priority: int, days_ago: float) -> Ticket:
    """Arrived with the rules' values, sorted by a person, and solved within the hour."""
    ticket = make_ticket(make_question(text=text))
    ticket.category, ticket.priority, ticket.status = category, priority, "solved"
    ticket.save()
    moment = timezone.now() - timedelta(days=days_ago)
    Ticket.objects.filter(pk=ticket.pk).update(completed_at=moment, solved_at=moment + timedelta(hours=1))
    return ticket


@pytest.fixture
def history(pause, categories):
    """60 tickets: invoices went to Billing, brakes to the workshop and were urgent."""
    billing, workshop = categories
    for number in range(30):
        month = f"{MONTHS[number % 6]} {2000 + number}"
        solved(BILLS[number % 2].format(month), billing, 2, 100 - number)
        solved(BRAKES[number % 2].format(month), workshop, 4, 99.5 - number)


def waiting(text: str) -> Ticket:
    return make_ticket(make_question(text=text), completed_at=timezone.now())


def page_of(client, ticket: Ticket) -> str:
    page: str = client.get(f"/admin/assistant/ticket/{ticket.pk}/change/").content.decode()
    return page


def click(client, ticket: Ticket, field: str, answer: str, **headers: str):
    suggestion = ticket.routing.get(field=field)
    return client.post(
        f"/admin/assistant/ticket/{ticket.pk}/routing/{suggestion.pk}/{answer}/", headers=headers
    )


@pytest.mark.django_db
def test_a_suggestion_says_what_it_rests_on_and_waits_for_a_click(history, categories):
    ticket = waiting("My brakes squeal badly, what should I do with the bike?")
    keep_the_rules()
    ticket.refresh_from_db()
    assert ticket.category is None and ticket.priority == 2
    agent = as_(member("Support"))
    page = page_of(agent, ticket)
    assert "9 of 9 similar tickets went to Workshop." in page
    found = ticket.routing.get(field="category")
    assert found.tried >= 40 and found.right == found.tried and found.rule_right == 0
    assert (
        f"Of {found.tried} past suggestions as clear as this one, {found.right} were right (the rules: 0)."
        in page
    )

    assert click(agent, ticket, "category", "accept").status_code == 302
    answer = click(agent, ticket, "priority", "accept", Accept="application/json").json()
    assert (answer["field"], answer["value"]) == ("priority", "4") and "accepted" in answer["html"]
    ticket.refresh_from_db()
    assert ticket.category == categories[1] and ticket.priority == 4
    latest = ticket.history.first()
    assert latest.history_change_reason == "Suggestion accepted: Priority “Urgent”, 9 of 9"
    assert latest.history_user.username == "support"
    assert click(agent, ticket, "category", "reject").status_code == 302
    assert ticket.routing.get(field="category").answer == "accepted"  # answered is answered


@pytest.mark.django_db
def test_what_was_rejected_changes_nothing_and_is_not_suggested_again(history):
    ticket = waiting("The brakes of my bike are broken")
    keep_the_rules()
    agent = as_(member("Support"))
    click(agent, ticket, "category", "reject")
    ticket.refresh_from_db()
    assert ticket.category is None
    assert ticket.history.first().history_change_reason == "Suggestion rejected: Category “Workshop”, 9 of 9"
    RoutingSuggestion.objects.update(looked_at=timezone.now() - timedelta(days=2))
    keep_the_rules()
    assert ticket.routing.get(field="category").answer == "rejected"
    assert "rejected · support" in page_of(agent, ticket)


@pytest.mark.django_db
def test_without_enough_of_a_past_the_rules_stand_and_the_page_says_so(pause, categories, client, staff):
    for number in range(5):
        solved(BILLS[0].format(number), categories[0], 2, 10 - number)
    ticket = waiting("My invoice is wrong")
    keep_the_rules()
    client.force_login(staff)
    assert f"5 solved tickets to learn from, {ENOUGH_HISTORY} are needed" in page_of(client, ticket)
    assert not ticket.routing.get(field="category").is_offered


@pytest.mark.django_db
def test_what_no_past_is_like_is_left_to_the_rules(history, client, staff):
    ticket = waiting("Quantum chromodynamics lecture on Tuesday")
    keep_the_rules()
    client.force_login(staff)
    assert "too few solved tickets are similar" in page_of(client, ticket)


@pytest.mark.django_db
def test_a_desk_that_is_of_two_minds_is_told_so(pause, categories, client, staff):
    """Where the same question ended here and there, no vote of the past foretells the next."""
    coin = random.Random(3)
    for number in range(60):
        solved(BILLS[number % 2].format(number), coin.choice(categories), 2, 100 - number)
    ticket = waiting("Why is my invoice wrong?")
    keep_the_rules()
    found = ticket.routing.get(field="category")
    assert found.similar == 9 and not found.is_offered
    client.force_login(staff)
    assert "similar tickets disagree too often" in page_of(client, ticket)


@pytest.mark.django_db
def test_by_itself_only_where_the_rules_say_so_and_nobody_has_changed_it(history, staff, client, categories):
    client.force_login(staff)
    untouched, touched = waiting("The brakes of my bike squeal"), waiting("My brakes are broken")
    touched.history.update(history_user=staff)
    desk_rules(routes_from=95)
    keep_the_rules()
    untouched.refresh_from_db()
    touched.refresh_from_db()
    assert untouched.category == categories[1] and untouched.priority == 4
    assert touched.category is None
    assert untouched.history.first().history_change_reason.startswith("Suggestion applied by the desk: ")
    assert "applied by the desk" in page_of(client, untouched)

    # nobody's judgement teaches nothing, until somebody judges
    Ticket.objects.filter(pk=untouched.pk).update(status="solved", solved_at=timezone.now())
    assert (past_of_the_desk()[RoutedField.PRIORITY].values == -1).sum() == 1
    set_priority(ticket=untouched, priority=Priority.LOW)
    assert (past_of_the_desk()[RoutedField.PRIORITY].values == -1).sum() == 0


@pytest.mark.django_db
def test_what_came_by_mail_is_suggested_for_as_well(history, categories):
    ticket = arrived(subject="Squealing brakes", detail="The brakes of my bike squeal since Monday.")
    keep_the_rules()
    found = ticket.routing.get(field="category")
    assert found.is_offered and found.value == categories[1].pk


@pytest.mark.django_db
def test_a_click_needs_the_right_to_change_tickets(history):
    ticket = waiting("The brakes of my bike squeal")
    keep_the_rules()
    assert click(as_(member("Editors")), ticket, "category", "accept").status_code == 403
    ticket.refresh_from_db()
    assert ticket.category is None


@pytest.mark.django_db
def test_the_command_compares_with_the_rules_and_the_most_frequent(history):
    out = io.StringIO()
    call_command("measure_routing", stdout=out)
    said = out.getvalue()
    assert "category: 60 solved tickets" in said
    # Of each kind three had to come first.
    assert said.count("  suggested      right    54 of 54 (1.000)") == 2
    assert [line for line in said.splitlines() if line.startswith("  rules")] == [
        "  rules          right     0 of 54 (0.000)",
        "  rules          right    27 of 54 (0.500)",
    ]
