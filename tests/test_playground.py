"""Ask it yourself: the truth about a question, step by step, and nothing of it stays."""

import html
import math

import pytest
from django.contrib.auth.models import User

from assistant.asking import Inquiry
from assistant.explaining import Origin, Why, steps_of, withheld_from
from assistant.models import Answer, Conversation, Question, Ticket
from assistant.rehearsal import rehearse
from assistant.services import ask_question
from knowledge.indexing import bell_held
from knowledge.models import Article, Status, SynonymGroup
from tests.judged import make_articles

pytestmark = pytest.mark.django_db
ASK = "/admin/ask/"


@pytest.fixture
def center(make_article):
    make_article(
        "Goodwill for a lost charger", "Staff may send a new charger free of charge.", audience="internal"
    )
    return make_articles(make_article)


@pytest.fixture(autouse=True)
def signed_in(client, staff):
    client.force_login(staff)


def asked(client, text: str, **more) -> str:
    response = client.post(ASK, {"text": text, "reader": "visitor", "page": "en", **more})
    assert response.status_code == 200
    return html.unescape(html.unescape(response.content.decode()))


@pytest.mark.parametrize(
    ("reader", "shown"),
    [("visitor", "45 euros"), ("customer", "45 euros"), ("staff", "free of charge")],
)
def test_it_shows_what_a_customer_gets_and_stores_nothing(client, center, reader, shown):
    models = (Question, Conversation, Answer, Ticket, User)
    before = [model.objects.count() for model in models]
    page = asked(client, "What does a new charger cost?", reader=reader)
    assert shown in page and "this decides" in page and "Answered" in page
    page = asked(client, "How tall is a giraffe?", reader=reader)
    assert "Goes to a person" in page and "Confidence too low" in page
    assert [model.objects.count() for model in models] == before


def test_its_figures_are_those_of_the_decision(center):
    stored = ask_question(text="What does a new charger cost?", language="en")
    rehearsal = rehearse(Inquiry(text=stored.text, language="en"))
    [step] = [one for one in steps_of(rehearsal) if one.is_decisive]
    assert rehearsal.decision.confidence.score == stored.confidence_score
    odds = step.intercept + sum(part.adds for part in step.parts)
    assert 1 / (1 + math.exp(-odds)) == pytest.approx(step.seen.confidence.raw)
    considered = list(stored.considered.values_list("title", "fused"))
    assert [(line.passage.title, line.passage.fused) for line in step.lines] == considered
    for line in step.lines:
        assert line.contribution.fused == pytest.approx(line.passage.fused)
    assert step.lines[0].found_by_meaning and step.lines[0].found_by_words


def test_how_words_are_read(center):
    SynonymGroup.objects.create(language="en", words="power brick, charger")
    SynonymGroup.objects.create(language="en", words="fee, costs")
    rehearsal = rehearse(Inquiry(text="Fee for a lost chargr and a zebra", language="en"))
    english = next(one for one in steps_of(rehearsal) if one.seen.look.retrieval.article_language == "en")
    read = {word.term: [(form.word, form.origin) for form in word.forms] for word in english.words}
    assert read["fee"] == [("cost", Origin.SYNONYM)]
    assert read["chargr"] == [("charger", Origin.SPELLING)]
    assert read["lost"] == [("lost", Origin.WRITTEN)]
    assert read["zebra"] == []


def test_what_the_gate_drops_and_why(client, center):
    inquiry = Inquiry(text="What does a new charger cost?", language="en")
    assert [article.title for article, _rank in withheld_from(rehearse(inquiry))] == [
        "Goodwill for a lost charger"
    ]
    with bell_held():  # the index does not hear of it
        Article.objects.filter(pk=center["charger"].pk).update(status=Status.ARCHIVED)
        changed = Article.objects.get(pk=center["paypal"].pk)
        changed.body = "We accept PayPal everywhere."
        changed.save()
    found = {one.article.title: one.why for one in steps_of(rehearse(inquiry))[0].kept_out if one.article}
    assert found == {"Lost charger": Why.NOT_PUBLISHED, "Paying by PayPal": Why.EARLIER_TEXT}
    page = asked(client, "What does a new charger cost?")
    assert "The article is not published." in page and "Kept from this reader" in page


def test_what_goes_to_a_person_at_once_names_the_phrase(client, center, phrases):
    page = asked(client, "I want to speak to a human being about a new charger")
    assert "It goes to a person at once (Wish for a person), because of the phrase" in page


def test_a_follow_up(client, center):
    first = asked(client, "How much is a pause of my subscription?")
    assert 'name="history" value="user: How much is a pause of my subscription?\nassistant: A pause' in first
    page = asked(client, "And for two months?", history="user: How much is a pause?\nassistant: 9 euros.")
    assert "The earlier conversation counts" in page
    refused = client.post(ASK, {"text": "And?", "reader": "visitor", "page": "en", "history": "How much?"})
    assert refused.status_code == 422
    assert "begins with neither" in refused.content.decode() and "How much?" in refused.content.decode()
    assert client.post(ASK, {"text": "  ", "reader": "visitor", "page": "en"}).status_code == 422


def test_a_stored_question_is_asked_again(client, center):
    question = ask_question(text="What does a new charger cost?", language="en")
    assert question.text in client.get(f"{ASK}?question={question.pk}").content.decode()


def test_only_who_may_read_questions_and_articles(client):
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get(ASK).status_code == 403
