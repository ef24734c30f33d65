"""Answering at the desk: what is suggested, what must not leave the house, and what a solved ticket leaves behind."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from assistant.desk.canned import canned_for, filled
from assistant.desk.context import surroundings_of
from assistant.desk.leaks import leaks
from assistant.desk.mentions import mentioned
from assistant.desk.suggesting import suggest
from assistant.desk.sweep import keep_the_rules
from assistant.measured import Label
from assistant.models import (
    CannedReply,
    Lesson,
    Mail,
    MailKind,
    Rating,
    Ticket,
    TicketMessage,
)
from assistant.outbox import send_due
from assistant.services import add_staff_message, ask_question, rate_ticket
from assistant.validation import InvalidInput
from tests.desk_samples import arrived, desk_rules, move
from tests.test_admin_tickets import form, make_question, make_ticket

LIST = "/admin/assistant/ticket/"
NOW = timezone.now
SECRET = (
    "Goodwill refunds above fifty euros need the signature of the team lead and are booked on account 4711."
)
pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def internal(make_article):
    return make_article("Goodwill refunds", SECRET, audience="internal")


def address(ticket: Ticket) -> str:
    return f"{LIST}{ticket.pk}/change/"


def save(client: Client, ticket: Ticket, **changes: object):
    ticket.refresh_from_db()
    return client.post(address(ticket), form(ticket, **changes))


def errors_of(response) -> str:
    return str(response.context["inline_admin_formsets"][0].formset.forms[0].errors)


# --- suggestions --------------------------------------------------------------------------------------


def test_a_suggestion_quotes_all_articles_and_marks_what_the_customer_may_not_read(
    agent, staff, internal, pause
):
    secret = suggest(arrived(subject="Who signs goodwill refunds above fifty euros?"), staff)
    assert secret is not None
    assert secret.parts[0].sources[0].article == internal and secret.parts[0].is_hidden
    assert "signature" not in secret.insertion, "not a word of it is put into the reply by one click"

    ticket = arrived(subject="What does a pause of my subscription cost a month?")
    page = agent.get(address(ticket), {"suggest": 1}).content.decode()
    assert "A pause of your subscription costs 9 euros a month" in page
    assert f"http://localhost:8000/en/articles/{pause.slug}/" in page
    panel = agent.get(f"{LIST}{ticket.pk}/suggestion/").content.decode()
    assert "costs 9 euros" in panel and "data-insert" in panel


def test_with_nothing_to_quote_it_says_so(agent):
    ticket = arrived()
    assert "No article comes close" in agent.get(f"{LIST}{ticket.pk}/suggestion/").content.decode()


def test_a_reply_that_quotes_an_internal_article_is_held_until_it_is_meant(agent, internal):
    ticket = arrived()
    reply = "Hello,\ngoodwill refunds above FIFTY euros need the *signature* of the team lead. Bye"
    response = save(agent, ticket, **{"messages-0-body": reply})
    assert "Goodwill refunds" in errors_of(response) and "goodwill refunds above FIFTY euros" in errors_of(
        response
    )
    assert "send_hidden" in response.content.decode() and not TicketMessage.objects.exists()
    assert reply.splitlines()[1] in response.content.decode(), "nothing typed is lost"
    save(agent, ticket, **{"messages-0-body": reply, "messages-0-is_internal": "on"})
    assert TicketMessage.objects.get().is_internal, "among ourselves it may be quoted"
    save(agent, ticket, **{"messages-0-body": reply, "messages-0-send_hidden": "on"})
    assert TicketMessage.objects.filter(is_internal=False).count() == 1


def test_what_counts_as_a_leak(internal, make_article, customer):
    seven = "Goodwill refunds above fifty euros need the approval of somebody"
    assert leaks(seven, reader=None) == []
    assert [leak.article for leak in leaks(SECRET, reader=None)] == [internal]
    assert leaks(SECRET, reader=customer), "signed in is not staff"
    assert not leaks(SECRET, reader=User.objects.create_user("agent", is_staff=True))
    draft = make_article("Draft", SECRET.replace("fifty", "sixty"), status="draft", synced=False)
    assert draft in [leak.article for leak in leaks(draft.body, reader=None)]
    make_article("Public", f"By the way: {SECRET}")
    assert leaks(SECRET, reader=None) == [], "what everybody can read is no secret"
    assert leaks("", reader=None) == []


# --- canned replies, mentions -------------------------------------------------------------------------


def test_canned_replies_are_filled_in_and_customers_bring_no_places(agent, staff):
    body = "Hello {name}, {reference} “{subject}”: {link} – {agent}, {site}"
    CannedReply.objects.create(title="Greeting", language="en", body=body)
    CannedReply.objects.create(title="Gruß", language="de", body=body)
    CannedReply.objects.create(title="Old", language="en", body=body, is_active=False)
    ticket = arrived(contact_name="{link}", subject="S")
    (canned,) = canned_for(ticket, staff)
    status = f"http://localhost:8000/en/tickets/{ticket.token}/"
    assert canned.text == f"Hello {{link}}, {ticket.reference} “S”: {status} – staff, Help center"
    page = agent.get(address(ticket), {"canned": canned.pk})
    assert page.context["inline_admin_formsets"][0].formset.forms[0].initial["body"] == canned.text
    assert filled("{unknown} {", {}) == "{unknown} {"
    refused = agent.post(
        "/admin/assistant/cannedreply/add/", {"title": "T", "language": "en", "body": "Hi {nmae}"}
    )
    assert "{nmae}" in str(refused.context["adminform"].form.errors["body"])


def test_whoever_is_mentioned_in_a_note_gets_it_by_mail(agent, staff, mailoutbox):
    bob = User.objects.create_user("bob", "bob@example.org", is_staff=True)
    bob.user_permissions.add(Permission.objects.get(codename="view_ticket"))
    User.objects.create_user("carl", "carl@example.org", is_staff=True)  # may not see tickets
    User.objects.create_user("ada", "ada@example.org")
    text = "Could @Bob. look? cc @carl @ada @staff @nobody mail@bob.org"
    assert set(mentioned(text)) == {bob, staff}
    ticket = arrived(contact_email="customer@example.org")
    save(agent, ticket, **{"messages-0-body": text, "messages-0-is_internal": "on"})
    assert list(Mail.objects.filter(kind=MailKind.MENTION).values_list("staff_email", flat=True)) == [
        "bob@example.org"
    ]
    send_due()
    assert mailoutbox[0].to == ["bob@example.org"] and text in mailoutbox[0].body
    assert address(ticket) in mailoutbox[0].body
    save(agent, ticket, **{"messages-0-body": "Dear @bob"})
    assert Mail.objects.filter(kind=MailKind.MENTION).count() == 1, (
        "a reply to the customer tells nobody else"
    )


# --- the page ----------------------------------------------------------------------------------------


def test_the_page_knows_the_customers_other_tickets_and_similar_solved_ones(agent, staff, make_article):
    article = make_article("Sponsoring", "We sponsor nobody.")
    solved = make_ticket(make_question(article), status="solved", subject="Sponsor our club")
    Lesson.objects.create(ticket=solved, kind="article", article=article)
    make_ticket(make_question(make_article("Other", "Other.")), status="solved", subject="Unrelated")
    ticket = make_ticket(make_question(article), contact_email="Ada@Example.org")
    earlier = arrived(contact_email="ada@example.org", subject="Earlier")
    found = surroundings_of(ticket)
    assert list(found.similar) == [solved]
    assert {earlier, solved} <= set(found.earlier) and ticket not in found.earlier
    page = agent.get(address(ticket)).content.decode()
    assert "Sponsor our club" in page and "Unrelated" not in page.split("hc-earlier")[0]
    add_staff_message(ticket=ticket, author=staff, body="We do not.")
    summary = dict(surroundings_of(Ticket.objects.get(pk=ticket.pk)).summary)
    assert summary["Asked"] == "Do you sponsor clubs?"
    assert summary["Tried"] == "1 reply of ours"
    assert summary["Missing"] == "the customer's answer to our last message"


# --- lessons -----------------------------------------------------------------------------------------


def test_what_a_solved_ticket_teaches_is_a_label_and_goes_to_the_editors(agent, staff, pause):
    question = ask_question(text="Who repairs the roof of a camper van?", contact_email="ada@example.org")
    ticket = question.ticket
    assert (
        "answered_by"
        in save(agent, ticket, status="solved", lesson="assistant").context["adminform"].form.errors
    )
    assert (
        "lesson_text"
        in save(agent, ticket, lesson="wrong", answered_by=pause.title).context["adminform"].form.errors
    )
    assert not Lesson.objects.exists()
    save(agent, ticket, status="solved", lesson="assistant", answered_by=f"#{pause.pk}")
    label = Label.objects.get()
    assert (label.verdict, label.source, list(label.articles.all())) == ("article", "ticket", [pause])
    save(agent, ticket, lesson="missing")
    assert Label.objects.get().verdict == "no_article"
    lesson = Lesson.objects.get()
    assert lesson.text == question.text and lesson.taught_by == staff
    page = agent.get("/admin/assistant/lesson/").content.decode()
    assert "camper van" in page and ticket.reference in page
    save(agent, ticket, lesson="wrong", answered_by=f"#{pause.pk}", lesson_text="Prices of last year.")
    assert Label.objects.get().verdict == "no_article", (
        "that an article is wrong says nothing about the question"
    )
    agent.post(
        "/admin/assistant/lesson/", {"action": "mark_done", "_selected_action": [Lesson.objects.get().pk]}
    )
    assert Lesson.objects.get().is_done
    save(
        agent,
        ticket,
        lesson="wrong",
        answered_by=f"#{pause.pk} {pause.title}",
        lesson_text="Prices of last year.",
    )
    assert Lesson.objects.get().is_done, "saving the form again says nothing new"


def test_editors_see_lessons_and_no_tickets(client, pause):
    from assistant.roles import ensure_groups

    ensure_groups()
    editor = User.objects.create_user("editor", is_staff=True)
    editor.groups.add(next(group for group in editor.groups.model.objects.all() if group.name == "Editors"))
    lesson = Lesson.objects.create(ticket=arrived(), kind="missing", text="Roof racks")
    client.force_login(editor)
    assert "Roof racks" in client.get("/admin/assistant/lesson/").content.decode()
    page = client.get(f"/admin/assistant/lesson/{lesson.pk}/change/")
    assert page.status_code == 200
    assert client.get(LIST).status_code == 403


# --- satisfaction -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "en"])
def test_customers_say_on_the_tickets_page_whether_they_were_content(language):
    ticket = arrived()
    client = Client()
    rate = f"/{language}/tickets/{ticket.token}/rate/"
    client.post(rate, {"content": "yes"})
    assert not Rating.objects.exists(), "it is not settled yet"
    with pytest.raises(InvalidInput):
        rate_ticket(ticket=ticket, is_content=True)
    move(ticket, "solved", NOW())
    refused = client.post(rate, {"content": "perhaps", "comment": "Hm."})
    assert refused.status_code == 422 and "Hm." in refused.content.decode()
    client.post(rate, {"content": "no"})
    page = client.get(f"/{language}/tickets/{ticket.token}/").content.decode()
    assert 'name="comment"' in page
    client.post(rate, {"content": "no", "comment": "It took a week."})
    rating = Rating.objects.get()
    assert (rating.is_content, rating.comment) == (False, "It took a week.")
    assert client.get(rate).status_code == 302


def test_the_mail_about_it_leaves_once_and_not_for_long_ago(mailoutbox):
    tickets = [arrived(contact_name="Ada") for _number in range(4)]
    for ticket in tickets:
        move(ticket, "solved", NOW() - timedelta(hours=2))
    Ticket.objects.filter(pk=tickets[1].pk).update(solved_at=NOW())
    Ticket.objects.filter(pk=tickets[2].pk).update(solved_at=NOW() - timedelta(days=30))
    Rating.objects.create(ticket=tickets[3], is_content=True)
    keep_the_rules()
    assert not Mail.objects.exists(), "off unless it is wanted"
    desk_rules(surveys=True)
    keep_the_rules()
    keep_the_rules()
    assert [mail.ticket for mail in Mail.objects.filter(kind=MailKind.SURVEY)] == [tickets[0]]
    send_due()
    (sent,) = mailoutbox
    assert f"/en/tickets/{tickets[0].token}/#rating" in sent.body and "Hello Ada" in sent.body
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    move(tickets[0], "open", NOW())
    move(tickets[0], "solved", NOW() - timedelta(hours=2))
    keep_the_rules()
    assert Mail.objects.filter(kind=MailKind.SURVEY).count() == 1
