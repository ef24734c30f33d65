"""The figures of the desk, counted from rows whose figures are known beforehand."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.desk import figures, rules
from assistant.models import Conversation, Question, Rating, Ticket
from assistant.roles import ensure_groups
from assistant.wanted import Gap
from tests.desk_samples import arrived, at, move, office_hours

PAGE = "/admin/desk-figures/"
NOW = at("2026-11-25T12:00")  # a Wednesday
pytestmark = pytest.mark.django_db


def question(status: str, *, channel: str = "page", days_ago: float = 1) -> Question:
    made = Question.objects.create(
        conversation=Conversation.objects.create(), text="?", language="en", channel=channel, status=status
    )
    Question.objects.filter(pk=made.pk).update(created_at=NOW - timedelta(days=days_ago))
    made.refresh_from_db()
    return made


def ticket(opened: str, *, replied: str = "", solved: str = "", **fields: object) -> Ticket:
    made = arrived(at(opened), **fields)
    Ticket.objects.filter(pk=made.pk).update(created_at=at(opened))
    made.refresh_from_db()
    if replied:
        made.first_replied_at = at(replied)
        made.save()
    if solved:
        move(made, "solved", at(solved))
    return made


def counted(days: int = 30) -> figures.Numbers:
    return figures.numbers(NOW - timedelta(days=days), NOW, rules.current().calendar)


def test_deflection_is_what_no_ticket_followed():
    for _time in range(3):
        question("answered")
    unhelped = question("answered")
    later = arrived(conversation=unhelped.conversation)
    Ticket.objects.filter(pk=later.pk).update(created_at=unhelped.created_at + timedelta(hours=1))
    earlier = question("answered")
    before = arrived(conversation=earlier.conversation)
    Ticket.objects.filter(pk=before.pk).update(created_at=earlier.created_at - timedelta(hours=1))
    question("escalated")
    question("received")  # not decided yet
    question("answered", channel="cli")  # staff
    question("answered", days_ago=31)
    found = counted()
    assert (found.asked, found.answered, found.deflected) == (6, 5, 4)
    assert found.deflection == pytest.approx(4 / 6)


def test_times_are_of_business_and_leave_out_what_waited_for_the_customer():
    office_hours()
    # Thursday 16:00 to Friday 10:00 are two hours of business.
    for _time in range(5):
        ticket("2026-11-19T16:00", replied="2026-11-20T10:00", solved="2026-11-20T12:00")
    slow = ticket("2026-11-16T09:00", replied="2026-11-16T10:00")
    move(slow, "pending", at("2026-11-16T10:00"))
    move(slow, "open", at("2026-11-17T10:00"))
    move(slow, "solved", at("2026-11-17T11:00"))  # one hour, a day of waiting for the customer, one hour
    found = counted()
    assert (found.reply.count, found.reply.median) == (6, timedelta(hours=2))
    assert (found.solve.count, found.solve.median) == (6, timedelta(hours=4))
    spam = ticket("2026-11-19T16:00", replied="2026-11-19T16:01")
    Ticket.objects.filter(pk=spam.pk).update(status="closed", is_spam=True)
    assert counted().reply.count == 6
    assert counted().tickets == 6


def test_few_say_nothing():
    ticket("2026-11-20T10:00", replied="2026-11-20T11:00")
    found = counted()
    assert found.reply.count == 1 and found.reply.median is None and found.reply.p90 is None
    assert found.reopen_rate is None and found.satisfaction.share is None


def test_in_time_is_by_the_targets_of_each():
    on_time = ticket("2026-11-20T10:00", replied="2026-11-20T11:00")
    late = ticket("2026-11-20T10:00", replied="2026-11-20T11:00")
    without = ticket("2026-11-20T10:00", replied="2026-11-20T11:00")
    for one, due in ((on_time, at("2026-11-20T11:00")), (late, at("2026-11-20T10:59")), (without, None)):
        Ticket.objects.filter(pk=one.pk).update(first_reply_due_at=due)
    assert counted().reply.in_time == 0.5


def test_taken_up_again_is_read_from_the_history():
    kept = ticket("2026-11-20T10:00", solved="2026-11-20T12:00")
    again = ticket("2026-11-20T10:00", solved="2026-11-20T12:00")
    move(again, "open", at("2026-11-21T12:00"))
    move(again, "solved", at("2026-11-22T12:00"))
    move(again, "open", at("2026-11-23T12:00"))  # counts once
    end = timezone.now() + timedelta(minutes=1)  # the history has the moment of writing
    found = figures.numbers(end - timedelta(days=30), end, rules.current().calendar)
    assert found.reopened == 1
    assert kept.pk not in figures._reopened(end - timedelta(days=30), end)


@pytest.mark.parametrize(
    ("content", "rated", "low", "high"),
    [(8, 10, 0.490, 0.943), (0, 4, 0.0, 0.490), (4, 4, 0.510, 1.0)],  # Wilson's interval, published tables
)
def test_satisfaction_comes_with_what_it_is_worth(content, rated, low, high):
    found = figures.satisfaction(content=content, rated=rated)
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.001)


def test_the_backlog_is_what_was_not_settled_at_the_end_of_a_week():
    ticket("2026-11-02T10:00")  # still open
    ticket("2026-11-03T10:00", solved="2026-11-17T10:00")
    ticket("2026-11-18T10:00", solved="2026-11-19T10:00")
    ticket("2026-10-01T10:00", solved="2026-10-02T10:00")  # before all of this
    weeks = figures.by_week(4, now=NOW)
    assert [(week.start.isoformat(), week.opened, week.settled, week.backlog) for week in weeks] == [
        ("2026-11-02", 2, 0, 2),
        ("2026-11-09", 0, 0, 2),
        ("2026-11-16", 1, 2, 1),
        ("2026-11-23", 0, 0, 1),
    ]
    assert [week.backlog for week in figures.by_week(2, now=NOW)] == [1, 1]


def test_who_keeps_coming_back_and_why():
    same = [ticket("2026-11-20T10:00", contact_email=email) for email in ("Eve@example.org",) * 2]
    third = ticket("2026-11-24T10:00", contact_email="eve@example.org", solved="2026-11-24T11:00")
    Rating.objects.create(ticket=third, is_content=False)
    Ticket.objects.filter(pk=same[0].pk).update(matter="legal")
    for _time in range(2):
        ticket("2026-11-20T10:00", contact_email="rare@example.org")
    old = [ticket("2026-07-01T10:00", contact_email="old@example.org") for _time in range(3)]
    assert len(old) == 3
    (found,) = figures.returning(now=NOW)
    assert (found.email, found.tickets, found.open, found.not_content, found.sensitive) == (
        "eve@example.org",
        3,
        2,
        1,
        1,
    )
    assert found.latest == at("2026-11-24T10:00")


def test_the_page_in_both_languages(client, staff):
    client.force_login(staff)
    page = client.get(PAGE).content.decode()
    assert "Nobody has asked anything" in page and "Nobody." in page
    now = timezone.now()
    for _time in range(3):
        made = arrived(now - timedelta(days=1), contact_email="eve@example.org")
        Ticket.objects.filter(pk=made.pk).update(created_at=now - timedelta(days=1))
    Gap.objects.create(language="en", title="Do you rent vans?", size=5, recent=4, before=1)
    Gap.objects.create(language="en", title="Falling", size=5, recent=1, before=4)
    page = client.get(PAGE).content.decode()
    for words in ("eve@example.org", "3 tickets, 3 still open", "Do you rent vans?", "4 after 1", "<svg"):
        assert words in page
    assert "Falling" not in page
    assert 'value="30" selected' in page
    assert 'value="7" selected' in client.get(f"{PAGE}?days=7").content.decode()
    assert 'value="30" selected' in client.get(f"{PAGE}?days=nonsense").content.decode()
    german = client.get(PAGE, headers={"accept-language": "de"}).content.decode()
    for words in (
        "Kennzahlen des Supports",
        "Rückstand",
        "Wer immer wieder kommt",
        "3 Tickets, 3 noch offen",
    ):
        assert words in german


def test_analysts_see_no_customers(client):
    ensure_groups()
    analyst = User.objects.create_user("ana", password="x", is_staff=True)
    analyst.groups.add(Group.objects.get(name="Analysts"))
    for _time in range(3):
        arrived(contact_email="eve@example.org")
    client.force_login(analyst)
    page = client.get(PAGE)
    assert page.status_code == 200 and "eve@example.org" not in page.content.decode()
    author = User.objects.create_user("aut", password="x", is_staff=True)
    author.groups.add(Group.objects.get(name="Authors"))
    client.force_login(author)
    assert client.get(PAGE).status_code == 403


def test_the_page_asks_as_often_for_many_as_for_few(client, staff):
    client.force_login(staff)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(PAGE).status_code == 200
        return len(captured)

    for _time in range(3):
        arrived(contact_email="eve@example.org")
    queries()
    few = queries()
    for number in range(12):
        made = arrived(contact_email=f"eve{number % 3}@example.org")
        move(made, "solved", timezone.now())
        question("answered", days_ago=0)
    assert queries() == few
