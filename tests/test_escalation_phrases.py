"""What goes to a person at once: wishes for one, complaints, sensitive matters; and what must not."""

import json

import pytest
from django.urls import reverse

from assistant.matters import Phrase, find_matter, parse_phrase
from assistant.models import EscalationPhrase, Priority, Question, Ticket, TicketReason, TicketStatus
from assistant.phrases import first_phrases
from tests.escalation_examples import ANSWERED, AT_ONCE
from tests.pages import text_of

PHRASES = tuple(first_phrases())
DEVELOPMENT_SETS = (
    "covid_faq/questions.jsonl",
    "doc2dial/questions.jsonl",
    "doc2dial/questions_followup.jsonl",
    "emanual/questions.jsonl",
    "mtrag/questions.jsonl",
    "xquad/questions.jsonl",
)


@pytest.mark.parametrize(("matter", "text"), AT_ONCE, ids=lambda value: value[:40])
def test_a_person_is_needed(matter, text):
    found = find_matter(text, PHRASES)
    assert found is not None
    assert found.matter == matter


@pytest.mark.parametrize("text", ANSWERED, ids=lambda value: value[:40])
def test_a_question_is_a_question(text):
    assert find_matter(text, PHRASES) is None


def test_every_matter_has_phrases_in_both_languages():
    assert len({(one.matter, one.language) for one in PHRASES}) == 14
    for one in PHRASES:
        parse_phrase(one.text, one.language)


def test_real_questions_are_left_to_the_articles(shared_data):
    """At most one in two hundred; what is found there names a complaint or a wish for a person itself."""
    asked = taken = 0
    for name in DEVELOPMENT_SETS:
        for line in (shared_data / name).read_text().splitlines():
            row = json.loads(line)
            if row.get("is_question", True):
                asked += 1
                taken += find_matter(row["question"], PHRASES) is not None
    assert asked > 3000
    assert taken <= asked * 0.005


@pytest.mark.parametrize(
    ("phrase", "text", "stands"),
    [
        ("mit * mensch sprechen", "Mit einem sehr netten Menschen spreche ich gern", True),
        ("mit * mensch sprechen", "Mit einem und noch einem und dem nächsten Menschen sprechen", False),
        ("mit * mensch sprechen", "Ich komme mit. Kann der Mensch sprechen?", False),
        ("mensch/mitarbeiter", "Mitarbeiterinnen", True),
        ("mensch", "Unmenschlich", False),
        ("anwalt", "Ich brauche keinen Anwalt", False),
        ("anwalt", "Warum brauche ich keinen Anwalt?", True),
        ("anwalt", "Einen Anwalt brauche ich nicht", False),
        ("anwalt", "Ich gehe zum Anwalt, nicht zu Ihnen", True),
    ],
)
def test_how_a_phrase_is_read(phrase, text, stands):
    assert (find_matter(text, [Phrase("legal", "de", phrase)]) is not None) is stands


def test_a_phrase_that_counts_alone_does_so_among_courtesies():
    alone = [Phrase("person", "en", "agent", only_alone=True)]
    assert find_matter("An agent, please!", alone)
    assert not find_matter("Which user agent is supported?", alone)


def test_an_exception_takes_its_matter_back_and_no_other():
    lists = [
        Phrase("legal", "de", "anwalt"),
        Phrase("legal", "de", "anwalt suche", is_exception=True),
        Phrase("complaint", "de", "frechheit"),
    ]
    assert find_matter("Wie geht die Anwalt-Suche?", lists) is None
    found = find_matter("Die Anwalt-Suche ist eine Frechheit", lists)
    assert found is not None
    assert found.matter == "complaint"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "reason", "matter", "priority"),
    [
        ("I want to talk to a human", TicketReason.CUSTOMER_REQUEST, "person", Priority.NORMAL),
        ("I will take legal action against you", TicketReason.SENSITIVE, "legal", Priority.HIGH),
        ("The battery caught fire", TicketReason.SENSITIVE, "danger", Priority.URGENT),
    ],
)
def test_it_becomes_a_ticket_even_where_an_article_would_answer(
    client, phrases, make_article, text, reason, matter, priority
):
    make_article("Contact", f"{text}: this is what our article says about it.")
    client.post("/en/ask/", {"text": text})
    ticket = Ticket.objects.get()
    assert (ticket.reason, ticket.matter, ticket.priority) == (reason, matter, priority)
    assert ticket.status == TicketStatus.AWAITING_CONTACT
    assert Question.objects.get().status == "escalated"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("de", "Ich will nicht mehr leben", ("0800 111 0 111", "112", "Sie sind nicht allein")),
        ("en", "I want to kill myself", ("112", "You are not alone")),
        ("de", "Der Akku brennt!", ("112",)),
        ("de", "Ich möchte mit einem Menschen sprechen", ("Gern", "E‑Mail")),
    ],
)
def test_the_page_says_what_helps_now(client, phrases, language, text, said):
    page = text_of(client.post(f"/{language}/ask/", {"text": text}, follow=True).content)
    for words in said:
        assert words in page
    assert "no reliable answer" not in page
    assert "keine verlässliche Antwort" not in page


@pytest.mark.django_db
def test_the_lists_are_edited_in_the_admin_and_count_at_once(client, staff, phrases):
    client.force_login(staff)
    add = reverse("admin:assistant_escalationphrase_add")
    form = {"matter": "complaint", "language": "de", "text": "kokosnuss * gestohlen", "is_active": "on"}
    client.post("/de/ask/", {"text": "Wer hat die Kokosnuss gestohlen?"})
    assert Ticket.objects.filter(matter="complaint").count() == 0
    page = client.post(add, form, follow=True)
    assert "this phrase stands in 1" in text_of(page.content)
    client.post("/de/ask/", {"text": "Meine Kokosnüsse wurden gestohlen!"})
    assert Ticket.objects.filter(matter="complaint").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["* mensch", "mensch *", "…", "*"])
def test_a_phrase_that_cannot_be_read_is_refused_with_the_reason(client, staff, text):
    client.force_login(staff)
    form = {"matter": "complaint", "language": "de", "text": text, "is_active": "on"}
    page = client.post(reverse("admin:assistant_escalationphrase_add"), form)
    assert "cannot be read" in text_of(page.content)
    assert not EscalationPhrase.objects.filter(text=text).exists()
