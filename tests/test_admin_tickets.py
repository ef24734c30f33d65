"""The support desk: the queue, the story of a ticket, its thread, and what cannot be done without contact."""

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.models import (
    Answer,
    Citation,
    ConsideredPassage,
    Conversation,
    Feedback,
    Mail,
    Priority,
    Question,
    Ticket,
    TicketMessage,
    TicketReason,
    TicketStatus,
)
from assistant.outbox import send_due
from assistant.services import add_customer_message, add_staff_message
from knowledge.models import Article

LIST = "/admin/assistant/ticket/"
QUESTIONS = "/admin/assistant/question/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def article(db) -> Article:
    return Article.objects.create(title="Sponsoring", slug="s", body="We sponsor nobody.", language="en")


def make_question(article: Article | None = None, text: str = "Do you sponsor clubs?", **fields) -> Question:
    values = {
        "conversation": fields.pop("conversation", None) or Conversation.objects.create(),
        "text": text,
        "language": "en",
        "channel": "page",
        "status": "escalated",
        "confidence_score": 0.2134,
        "confidence_threshold": 0.7,
        "confidence_level": "low",
        "confidence_signals": {"cosine": 0.4123, "question_terms": 7.0},
    }
    question = Question.objects.create(**values | fields)
    if article is not None:
        for rank in (1, 2):
            ConsideredPassage.objects.create(
                question=question,
                rank=rank,
                article=article,
                article_revision=1,
                title=article.title,
                heading_path=["Money"],
                text="We sponsor nobody. <script>alert(1)</script>",
                cosine=0.4123,
                bm25=None,
                fused=0.5,
            )
    return question


def make_ticket(question: Question | None = None, **fields) -> Ticket:
    values = {
        "question": question,
        "subject": question.text if question else "Invoice",
        "reason": TicketReason.LOW_CONFIDENCE,
        "language": "en",
        "contact_email": "ada@example.org",
        "status": TicketStatus.OPEN,
    }
    return Ticket.objects.create(**values | fields)


def waiting(**fields) -> Ticket:
    return make_ticket(contact_email="", status=TicketStatus.AWAITING_CONTACT, **fields)


def form(ticket: Ticket, **changes) -> dict[str, object]:
    values = {
        "status": ticket.status,
        "priority": ticket.priority,
        "assignee": ticket.assignee_id or "",
        "contact_email": "",
        "contact_name": "",
        "messages-TOTAL_FORMS": 1,
        "messages-INITIAL_FORMS": 0,
        "messages-0-body": "",
    }
    return values | changes


def post(agent, ticket: Ticket, **changes):
    return agent.post(f"{LIST}{ticket.pk}/change/", form(ticket, **changes))


def test_the_page_tells_the_whole_story(agent, article):
    ticket = make_ticket(make_question(article), detail="FC Potsdam\nsince 1907")
    page = agent.get(f"{LIST}{ticket.pk}/change/").content.decode()
    for part in (
        "Do you sponsor clubs?",
        "21 %",
        "70 %",
        "Sponsoring",
        "0.412",
        "FC Potsdam",
        "ada@example.org",
        f"/admin/knowledge/article/{article.pk}/change/",
    ):
        assert part in page
    assert "<script>alert(1)" not in page


def test_status_priority_and_assignee_are_changed_with_history(agent, staff):
    ticket = make_ticket()
    assert post(agent, ticket, status="pending", priority=4, assignee=staff.pk).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.status, ticket.priority, ticket.assignee) == ("pending", Priority.URGENT, staff)
    assert ticket.history.latest().history_user == staff


def test_a_customer_cannot_be_an_assignee(agent, customer):
    ticket = make_ticket()
    response = post(agent, ticket, assignee=customer.pk)
    assert list(response.context["adminform"].form.errors) == ["assignee"]


def test_a_reply_is_mailed_and_the_ticket_waits(agent, staff, django_capture_on_commit_callbacks):
    ticket = make_ticket()
    with django_capture_on_commit_callbacks(execute=True):
        post(agent, ticket, **{"messages-0-body": "We do not, sorry."})
    message = TicketMessage.objects.get()
    assert (message.author, message.author_kind, message.is_internal) == (staff, "staff", False)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.PENDING
    assert not mail.outbox, "it can be taken back for ten seconds"
    Mail.objects.update(due_at=timezone.now())
    send_due()
    assert [sent.to for sent in mail.outbox] == [["ada@example.org"]]


def test_a_reply_that_settles_it_leaves_it_settled(agent):
    ticket = make_ticket()
    post(agent, ticket, status="solved", **{"messages-0-body": "Done."})
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.SOLVED


def test_an_internal_note_is_never_mailed(agent, django_capture_on_commit_callbacks):
    ticket = waiting()
    with django_capture_on_commit_callbacks(execute=True):
        response = post(agent, ticket, **{"messages-0-body": "Seen before.", "messages-0-is_internal": "on"})
    assert response.status_code == 302
    assert TicketMessage.objects.get().is_internal
    assert not mail.outbox


def test_nobody_can_be_answered_without_an_address(agent):
    ticket = waiting()
    response = post(agent, ticket, **{"messages-0-body": "Hello?"})
    assert response.status_code == 200
    assert "e-mail" in str(response.context["inline_admin_formsets"][0].formset.errors)
    assert "Hello?" in response.content.decode()
    assert not TicketMessage.objects.exists()


def test_a_reply_of_blanks_only_is_refused(agent):
    response = post(agent, make_ticket(), **{"messages-0-body": " \x00 ", "messages-0-is_internal": "on"})
    assert response.status_code == 200
    assert not TicketMessage.objects.exists()


def test_written_messages_cannot_be_changed_from_outside(agent, staff):
    ticket = make_ticket()
    note = add_staff_message(ticket=ticket, author=staff, body="As it was.", is_internal=True)
    changes = {
        "messages-TOTAL_FORMS": 1,
        "messages-INITIAL_FORMS": 1,
        "messages-0-id": note.pk,
        "messages-0-body": "Forged.",
    }
    post(agent, ticket, **changes)
    note.refresh_from_db()
    assert note.body == "As it was."


def test_the_thread_is_shown_with_who_and_what(agent, staff):
    ticket = make_ticket()
    add_customer_message(ticket=ticket, body="It is urgent.")
    add_staff_message(ticket=ticket, author=staff, body="Only for us.", is_internal=True)
    page = agent.get(f"{LIST}{ticket.pk}/change/").content.decode()
    assert page.index("It is urgent.") < page.index("Only for us.")
    assert "hc-internal" in page


@pytest.mark.parametrize("status", ["open", "pending", "solved", "closed"])
def test_without_contact_no_other_status_is_possible(agent, status):
    ticket = waiting()
    response = post(agent, ticket, status=status)
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == ["status"]
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.AWAITING_CONTACT


def test_staff_can_add_the_contact_and_the_customer_is_told(agent, django_capture_on_commit_callbacks):
    ticket = waiting(detail="By phone.")
    with django_capture_on_commit_callbacks(execute=True):
        response = post(agent, ticket, contact_email="ada@example.org", contact_name="Ada")
    assert response.status_code == 302
    ticket.refresh_from_db()
    assert (ticket.status, ticket.contact_email, ticket.contact_name) == ("open", "ada@example.org", "Ada")
    assert ticket.completed_at
    assert ticket.detail == "By phone."
    assert len(mail.outbox) == 1


def test_an_address_that_is_none_is_told_at_its_field(agent):
    response = post(agent, waiting(), contact_email="ada")
    assert list(response.context["adminform"].form.errors) == ["contact_email"]


def test_known_contact_is_not_the_forms_to_change(agent):
    ticket = make_ticket()
    post(agent, ticket, contact_email="eve@example.org")
    ticket.refresh_from_db()
    assert ticket.contact_email == "ada@example.org"


def test_actions_assign_solve_and_reopen(agent, staff):
    tickets = [make_ticket(), make_ticket()]
    chosen = {"_selected_action": [ticket.pk for ticket in tickets]}
    agent.post(LIST, {"action": "assign_to_me"} | chosen)
    assert set(Ticket.objects.values_list("assignee", flat=True)) == {staff.pk}
    agent.post(LIST, {"action": "solve"} | chosen)
    assert set(Ticket.objects.values_list("status", flat=True)) == {"solved"}
    agent.post(LIST, {"action": "reopen"} | chosen)
    assert set(Ticket.objects.values_list("status", flat=True)) == {"open"}
    assert tickets[0].history.count() == 4


@pytest.mark.parametrize("action", ["solve", "reopen"])
def test_actions_leave_tickets_without_contact_and_say_so(agent, action):
    ticket = waiting()
    response = agent.post(LIST, {"action": action, "_selected_action": [ticket.pk]}, follow=True)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.AWAITING_CONTACT
    assert "1 ticket has no contact yet" in response.content.decode()


def test_queues(agent, staff):
    mine, nobodys, lost = make_ticket(assignee=staff), make_ticket(), waiting()
    solved = make_ticket(status=TicketStatus.SOLVED)
    queues = {
        queue: set(agent.get(LIST, {"queue": queue}).context["cl"].queryset)
        for queue in ("open", "mine", "unassigned", "contact")
    }
    assert queues == {"open": {mine, nobodys}, "mine": {mine}, "unassigned": {nobodys}, "contact": {lost}}
    assert set(agent.get(LIST).context["cl"].queryset) == {mine, nobodys}
    assert set(agent.get(LIST, {"queue": "all"}).context["cl"].queryset) == {mine, nobodys, lost, solved}


def test_search(agent):
    ticket = make_ticket(
        make_question(text="Where is the blue gate?"), subject="Gate", detail="near the canal"
    )
    make_ticket(contact_email="bob@example.org")
    for words in (ticket.reference, "ada@example", "blue gate", "canal", "gate canal"):
        assert list(agent.get(LIST, {"q": words}).context["cl"].queryset) == [ticket], words


def queries_of(client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in queries]


def test_lists_take_as_many_queries_for_fifty_rows_as_for_five(agent, staff, customer, article):
    def rows(amount: int) -> None:
        for _number in range(amount):
            question = make_question(article, user=customer)
            make_ticket(question, assignee=staff, customer=customer)
            Feedback.objects.create(question=question, helpful=False, reason="wrong")

    addresses = (LIST, QUESTIONS, "/admin/assistant/feedback/")
    rows(5)
    few = [len(queries_of(agent, address)) for address in addresses]
    rows(45)
    many = [queries_of(agent, address) for address in addresses]
    assert [len(queries) for queries in many] == few
    assert max(few) <= 13
    assert not [sql for sql in many[0] if '"assistant_ticket"."detail"' in sql]
    assert not [sql for sql in many[1] if '"confidence_signals"' in sql]


def test_a_page_takes_a_fixed_number_of_queries(agent, article):
    def page(passages: int) -> int:
        question = make_question(article)
        for rank in range(3, passages + 3):
            other = Article.objects.create(
                title="Other", slug=f"o{question.pk}-{rank}", body=".", language="en"
            )
            ConsideredPassage.objects.create(
                question=question,
                rank=rank,
                article=other,
                article_revision=1,
                title="Other",
                text=".",
                fused=0,
            )
        ticket = make_ticket(question)
        for _number in range(passages):
            add_customer_message(ticket=ticket, body="Hello?")
        return len(queries_of(agent, f"{LIST}{ticket.pk}/change/"))

    page(1)  # what a process remembers, such as content types, is asked for once
    assert page(1) == page(12)


def test_a_question_is_shown_with_its_answer_and_cannot_be_changed(agent, article):
    conversation = Conversation.objects.create()
    make_question(conversation=conversation, text="And before that?")
    question = make_question(article, conversation=conversation, status="answered")
    answer = Answer.objects.create(
        question=question,
        text="We sponsor nobody.",
        blocks=[{"text": "We sponsor nobody.", "citations": [1]}],
        writer="extractive",
        language="en",
    )
    Citation.objects.create(
        answer=answer,
        number=1,
        article=article,
        article_revision=1,
        title=article.title,
        url="/en/articles/s/",
        quote="We sponsor nobody.",
        start=0,
        end=18,
    )
    Feedback.objects.create(question=question, helpful=False, reason="wrong", comment="You do!")
    address = f"{QUESTIONS}{question.pk}/change/"
    page = agent.get(address).content.decode()
    for part in (
        "We sponsor nobody.",
        "[1]",
        "The answer is wrong",
        "You do!",
        "And before that?",
        "question terms",
    ):
        assert part in page
    assert agent.post(address, {"text": "Other"}).status_code == 403
    assert agent.post(f"{QUESTIONS}{question.pk}/delete/", {"post": "yes"}).status_code == 403
    assert agent.get(f"{QUESTIONS}add/").status_code == 403


def test_a_story_outlives_its_articles(agent, article):
    ticket = make_ticket(make_question(article))
    article.delete()
    page = agent.get(f"{LIST}{ticket.pk}/change/").content.decode()
    assert "Sponsoring" in page
    assert "deleted since" in page


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_of_the_desk_renders_in_both_languages(agent, article, language):
    question = make_question(article)
    tickets = [
        make_ticket(question),
        waiting(),
        make_ticket(customer=None, assignee=None, contact_name="Ada"),
    ]
    feedback = Feedback.objects.create(question=question, helpful=True)
    addresses = [LIST, QUESTIONS, f"{QUESTIONS}{question.pk}/change/", "/admin/assistant/feedback/"]
    addresses += [f"{LIST}{ticket.pk}/change/" for ticket in tickets]
    addresses += [f"/admin/assistant/feedback/{feedback.pk}/change/", f"{LIST}{tickets[0].pk}/history/"]
    addresses += [f"{LIST}{tickets[0].pk}/history/{tickets[0].history.latest().history_id}/"]
    for address in addresses:
        response = agent.get(address, headers={"Accept-Language": language})
        assert response.status_code == 200, address
        assert f'<html lang="{language}"' in response.content.decode()


def test_the_past_of_a_ticket_cannot_be_brought_back(agent):
    ticket = make_ticket()
    first = ticket.history.latest()
    page = agent.get(f"{LIST}{ticket.pk}/history/{first.history_id}/").content.decode()
    assert 'value="Revert' not in page
    ticket.status = TicketStatus.SOLVED
    ticket.save()
    address = f"{LIST}{ticket.pk}/history/{first.history_id}/"
    assert agent.post(address, form(ticket, status="open")).status_code == 403
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.SOLVED
