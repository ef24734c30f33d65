"""From a question to a cited answer or a ticket: the main job, through the services that page and API use."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.db import connection

from assistant.models import (
    Conversation,
    Question,
    QuestionStatus,
    Ticket,
    TicketReason,
    TicketStatus,
)
from assistant.payload import AnswerState, answer_state, question_payload
from assistant.services import (
    IdempotencyConflict,
    add_customer_message,
    add_staff_message,
    ask_question,
    complete_ticket,
    leave_feedback,
    open_ticket,
    settle_question,
)
from assistant.validation import InvalidInput
from knowledge.models import Article, Audience, Status
from knowledge.services import archive_article

PAUSE = (
    "You can pause your subscription for one to three months per calendar year. A pause costs 9 euros a month.\n\n"
    "1. Open **Profile**.\n2. Choose **Subscription** and then **Pause**.\n3. Pick the first day of the pause."
)
PAUSE_DE = (
    "Sie können Ihr Abo ein bis drei Monate im Kalenderjahr pausieren. Eine Pause kostet 9 Euro im Monat.\n\n"
    "1. Öffnen Sie **Profil**.\n2. Wählen Sie **Abo** und dann **Pausieren**.\n3. Wählen Sie den ersten Tag."
)
QUESTION = "How do I pause my subscription and what does a pause cost?"
UNANSWERABLE = "Which wine goes with roasted duck?"

pytestmark = pytest.mark.django_db


@pytest.fixture
def pause(make_article):
    make_article(
        "Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."
    )
    make_article(
        "Battery range", "A full battery lasts for about 60 kilometres on flat ground, less in winter."
    )
    return make_article("Pause your subscription", PAUSE)


def _confidence(question: Question) -> float:
    """Above (>= 0) or below the threshold, and by how much."""
    assert question.confidence_score is not None
    assert question.confidence_threshold is not None
    return question.confidence_score - question.confidence_threshold


def test_answer_quotes_the_article_word_for_word(pause):
    question = ask_question(text=QUESTION)
    assert question.status == QuestionStatus.ANSWERED
    citation = question.answer.citations.get(number=1)
    assert citation.article == pause
    assert pause.body[citation.start : citation.end] == citation.quote
    assert "9 euros" in question.answer.text
    assert _confidence(question) >= 0
    assert question.calibrated
    assert question.considered.count() >= 1
    assert not Ticket.objects.exists()


def test_weak_retrieval_opens_a_ticket_that_waits_for_contact(pause):
    question = ask_question(text=UNANSWERABLE)
    assert question.status == QuestionStatus.ESCALATED
    ticket = question.ticket
    assert (ticket.reason, ticket.status) == (TicketReason.LOW_CONFIDENCE, TicketStatus.AWAITING_CONTACT)
    assert ticket.subject == UNANSWERABLE
    assert _confidence(question) < 0
    assert question.considered.exists()
    assert not hasattr(question, "answer")


def test_empty_help_center_declines():
    question = ask_question(text=QUESTION)
    assert question.ticket.reason == TicketReason.NO_PASSAGES


def test_german_question_is_answered_from_german_articles(pause, make_article):
    make_article("Akku laden", "Laden Sie den Akku bei 0 bis 40 Grad.", language="de")
    make_article("Lieferung", "Wir liefern in Städten in drei bis sechs Werktagen.", language="de")
    german = make_article("Abo pausieren", PAUSE_DE, language="de")
    question = ask_question(text="Wie viele Monate kann ich mein Abo pausieren und was kostet eine Pause?")
    assert question.language == "de"
    assert question.answer.citations.get(number=1).article == german
    assert question.answer.language == "de"


def test_what_only_the_other_language_answers_is_answered_from_there_and_said_so(client, pause, make_article):
    make_article("Lieferung", "Wir liefern in Städten in drei bis sechs Werktagen.", language="de")
    question = ask_question(text="Wie viel kostet es, mein Abo zu pausieren?")
    assert question.language == "de"
    assert question.answer.language == "en"
    citation = question.answer.citations.get(number=1)
    assert citation.article == pause
    assert citation.quote in pause.body, "quoted as it stands, not translated"
    payload = question_payload(question)
    assert payload["answer"] is not None
    assert (payload["language"], payload["answer"]["language"]) == ("de", "en")
    page = client.get(question.get_absolute_url().replace("/en/", "/de/")).content.decode()
    assert "Dazu haben wir nur einen englischen Artikel" in page


@pytest.mark.parametrize("change", ["unpublish", "archive", "internal", "delete"])
def test_what_is_taken_back_is_never_cited_again(pause, change):
    """The index is left as it was: the gate alone has to hold."""
    answered = ask_question(text=QUESTION)
    if change == "unpublish":
        Article.objects.filter(pk=pause.pk).update(status=Status.DRAFT)
    elif change == "archive":
        archive_article(article=pause)
    elif change == "internal":
        Article.objects.filter(pk=pause.pk).update(audience=Audience.INTERNAL)
    else:
        Article.objects.filter(pk=pause.pk).delete()
    again = ask_question(text=QUESTION)
    assert again.status == QuestionStatus.ESCALATED
    assert not again.considered.filter(title=pause.title).exists()
    assert answer_state(answered.answer, None) is AnswerState.WITHDRAWN
    payload = question_payload(Question.objects.get(pk=answered.pk))
    assert payload["answer"] is None and payload["citations"] == []
    assert "9 euros" not in str(payload)


def test_edited_text_is_not_quoted_before_it_is_indexed(pause):
    pause.body = "Pausing is no longer possible."
    Article.objects.filter(pk=pause.pk).update(body=pause.body, revision=pause.revision + 1)
    question = ask_question(text=QUESTION)
    assert question.status == QuestionStatus.ESCALATED


def test_internal_articles_answer_staff_only(make_article, staff, customer):
    make_article("Battery range", "A full battery lasts for about 60 kilometres on flat ground.")
    make_article("Paying by PayPal", "We accept PayPal in Germany and Austria.")
    make_article("Pause your subscription", PAUSE, audience=Audience.INTERNAL)
    assert ask_question(text=QUESTION, user=customer).status == QuestionStatus.ESCALATED
    assert ask_question(text=QUESTION, user=staff).status == QuestionStatus.ANSWERED


def test_same_key_same_question_and_ticket(pause):
    first = ask_question(text=UNANSWERABLE, idempotency_key="abc")
    again = ask_question(text=UNANSWERABLE, idempotency_key="abc")
    assert first.pk == again.pk and first.ticket.pk == again.ticket.pk
    assert Ticket.objects.count() == 1
    with pytest.raises(IdempotencyConflict):
        ask_question(text=QUESTION, idempotency_key="abc")


@pytest.mark.django_db(transaction=True)
def test_one_form_sent_many_times_at_once_is_one_ticket(pause):
    def send(_attempt: int) -> str:
        try:
            return ask_question(text=UNANSWERABLE, idempotency_key="double-click").ticket.reference
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        references = set(pool.map(send, range(24)))
    assert len(references) == 1
    assert Ticket.objects.count() == Question.objects.count() == 1


def test_a_question_that_a_crash_left_behind_can_be_settled(pause):
    stuck = Question.objects.create(
        conversation=Conversation.objects.create(), text=QUESTION, language="en", channel="page"
    )
    settled = settle_question(question=stuck)
    assert settled.status == QuestionStatus.ANSWERED
    assert settle_question(question=settled).answer.pk == settled.answer.pk


def test_follow_up_leans_on_the_question_before(pause):
    conversation = Conversation.objects.create()
    ask_question(text="How do I pause my subscription?", conversation=conversation)
    follow_up = ask_question(text="And what does it cost?", conversation=conversation)
    assert follow_up.considered.get(rank=1).article == pause


def test_contact_completes_the_ticket_and_confirms_by_mail(pause, django_capture_on_commit_callbacks):
    ticket = ask_question(text=UNANSWERABLE).ticket
    with django_capture_on_commit_callbacks(execute=True):
        complete_ticket(ticket=ticket, contact_email="anna@example.org", detail="It is for Sunday.")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN and ticket.completed_at and ticket.mails.get().sent_at
    [message] = mail.outbox
    assert message.to == ["anna@example.org"]
    assert ticket.reference in message.subject
    assert ticket.token in message.body and UNANSWERABLE in message.body


def test_confirmation_speaks_the_language_of_the_question(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        open_ticket(subject="Rahmen gebrochen", contact_email="anna@example.org", language="de")
    assert "Ihre Anfrage" in mail.outbox[0].body


def test_known_contact_is_not_asked_for(pause, customer):
    by_account = ask_question(text=UNANSWERABLE, user=customer)
    by_field = ask_question(text=UNANSWERABLE, contact_email="x@example.org")
    assert by_account.ticket.status == by_field.ticket.status == TicketStatus.OPEN
    assert by_account.ticket.contact_email == customer.email


def test_a_person_can_be_asked_for_without_a_question():
    ticket = open_ticket(subject="Call me", contact_email="a@example.org", language="en", idempotency_key="k")
    again = open_ticket(subject="Call me", contact_email="a@example.org", language="en", idempotency_key="k")
    assert ticket.pk == again.pk and ticket.reason == TicketReason.CUSTOMER_REQUEST
    with pytest.raises(IdempotencyConflict):
        open_ticket(subject="Other", contact_email="a@example.org", language="en", idempotency_key="k")


def test_thread_between_customer_and_staff(staff, django_capture_on_commit_callbacks):
    ticket = open_ticket(subject="Broken frame", contact_email="a@example.org", language="en")
    with django_capture_on_commit_callbacks(execute=True):
        add_staff_message(ticket=ticket, author=staff, body="For our eyes only.", is_internal=True)
        add_staff_message(ticket=ticket, author=staff, body="A mechanic comes on Monday.")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.PENDING
    assert any("Monday" in one.body for one in mail.outbox)
    assert not any("our eyes" in one.body for one in mail.outbox)
    add_customer_message(ticket=ticket, body="Thank you!")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert ticket.history.count() >= 3


def test_feedback_keeps_the_last_word(pause):
    question = ask_question(text=QUESTION)
    leave_feedback(question=question, helpful=False, reason="incomplete", comment="Which month?")
    feedback = leave_feedback(question=question, helpful=True)
    assert feedback.helpful and feedback.reason == ""
    with pytest.raises(InvalidInput):
        leave_feedback(question=question, helpful=False, reason="because")
    with pytest.raises(InvalidInput):
        leave_feedback(question=ask_question(text=UNANSWERABLE), helpful=True)


@pytest.mark.parametrize(
    ("text", "language", "word"),
    [
        ("", "en", "empty"),
        ("  \n\t ", "de", "leer"),
        ("\x00\x01", "en", "empty"),
        ("?!… --- ///", "de", "Satzzeichen"),
        ("x" * 2001, "de", "2000"),
        ("x" * 2001, "en", "2000"),
    ],
)
def test_refusals_name_field_and_limit_in_the_readers_language(text, language, word):
    from django.utils import translation

    with translation.override(language), pytest.raises(InvalidInput) as refusal:
        ask_question(text=text)
    assert refusal.value.field == "question"
    assert word in refusal.value.message
    assert not Question.objects.exists()
