"""The answer page: what is quoted, how sure it is, and what is not shown any more."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from assistant.calibration.store import name_of
from assistant.confidence import load_model
from assistant.measured import Calibration, CalibrationState
from assistant.models import Feedback, Question, QuestionStatus
from knowledge.models import Article
from tests.pages import answered, escalated, owns, question, text_of

pytestmark = pytest.mark.django_db


def _page(client, asked, language="en"):
    return client.get(f"/{language}/answers/{asked.public_id}/").content.decode()


def test_marks_and_sources_lead_to_the_quoted_place_in_the_article(client, make_article):
    article = make_article("Pause", "Tap **Pause**.", slug="pause", synced=False)
    html = _page(client, answered(article))
    place = "/en/articles/pause/?quote=0-14.1#quote"
    assert f'<a class="mark" href="{place}"' in html
    assert 'id="source-1"' in html
    assert f'<a href="{place}"' in html
    marked = client.get(place.partition("#")[0]).content.decode()
    assert '<mark id="quote"' in marked
    assert "Tap" in marked.partition('<mark id="quote"')[2][:40]
    assert "Tap <strong>Pause</strong>." in html
    assert "Picked by an AI, word for word" in html


def test_an_answer_of_a_model_is_called_written(client, make_article):
    asked = answered(make_article("Pause", synced=False), writer="ollama:llama3.2")
    assert "Written by an AI from the articles below." in _page(client, asked)


def test_confidence_is_told_in_words_and_explained_on_demand(client, make_article):
    page = text_of(_page(client, answered(make_article("Pause", synced=False))).encode())
    assert "Very likely correct" in page
    assert "probability of about 91%" in page
    assert "Below 60% we show no answer" in page
    assert "Question and passage are very near in meaning." in page
    assert "has not been checked yet" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"calibrated": True, "calibration": load_model("").name},
            "checked against questions to other help",
        ),
        (
            {"calibrated": True, "calibration": "#3 site: at most 5% wrong"},
            "checked against questions to this help center",
        ),
        ({"calibrated": False, "calibration": "#3 site: at most 5% wrong"}, "has not been checked yet"),
        ({"confidence_signals": {"coverage": 0.9}}, "Most of the words that matter"),
        ({"confidence_signals": {"coverage": 0.1}}, "uses other words than the question"),
        ({"confidence_signals": {"margin": 0.01}}, "Another article fits nearly as well"),
        ({"confidence_signals": {"margin": 0.5}}, "fits clearly better than any other"),
        ({"confidence_signals": {"known": 0.2}}, "stand in none of our articles"),
        ({"confidence_signals": {}}, "We estimate"),
    ],
)
def test_why_an_answer_is_sure_is_told_by_what_was_measured(client, make_article, fields, said):
    assert said in text_of(_page(client, answered(make_article("Pause", synced=False), **fields)).encode())


def test_what_the_sites_own_calibration_promises_is_told(client, make_article):
    live = Calibration.objects.create(
        state=CalibrationState.LIVE,
        source="this site",
        writer="extractive",
        model="m",
        recipe="r",
        max_risk=0.05,
        confidence=0.95,
        threshold=0.6,
        answered=312,
        live_at=timezone.now(),
    )
    asked = answered(make_article("Pause", synced=False), calibrated=True, calibration=name_of(live))
    said = "at most 5% are wrong; that holds with a certainty of 95%. It was found on 312 judged answers"
    assert said in text_of(_page(client, asked).encode())
    assert "höchstens 5 % falsch" in text_of(_page(client, asked, "de").encode())
    Calibration.objects.update(state=CalibrationState.RETIRED)
    assert said not in text_of(_page(client, asked).encode())


def test_an_answer_can_be_copied_with_its_sources_and_its_link(client, make_article):
    asked = answered(make_article("Pause", "Tap **Pause** & wait.", slug="pause", synced=False))
    html = _page(client, asked)
    found = re.search(r'data-copy="([^"]*)"', html)
    assert found is not None
    copied = unescape(found[1])
    assert copied == "Tap Pause & wait.\n\n[1] Pause: http://localhost:8000/en/articles/pause/"
    assert f'href="/en/answers/{asked.public_id}/" data-copy-address' in html


def test_quoted_text_cannot_run(client, make_article):
    article = make_article("T", "Fine <script>alert(1)</script> [x](javascript:alert(2))", synced=False)
    html = _page(client, answered(article, text="<script>alert(3)</script>"))
    assert "<script>alert" not in html
    assert 'href="javascript:' not in html
    assert "&lt;script&gt;alert(3)" in html


def test_an_answer_from_the_other_language_says_so(client, make_article):
    article = make_article("Pause", "Text.", language="en", synced=False)
    html = _page(client, answered(article, language="de", text="Wie geht das?"), "en")
    assert "We have this answer in English only" in html
    assert '<div class="answer-text" lang="en">' in html


def test_a_changed_or_old_source_is_marked(client, make_article):
    article = make_article("Pause", "Text.", synced=False)
    asked = answered(article)
    article.body = "Other text."
    article.save()
    page = _page(client, asked)
    assert "has been changed since this answer" in page
    assert f"?quote=0-5.{article.revision - 1}#quote" in page, "the article's page says what became of it"
    old = make_article("Old", "Text.", synced=False)
    Article.objects.filter(pk=old.pk).update(updated_at=timezone.now() - timedelta(days=800))
    page = _page(client, answered(old))
    assert "Older than a year" in page
    assert "2 years ago" in page


def test_an_unanswered_question_offers_the_closest_articles_and_asks_only_for_an_address(
    client, make_article
):
    close = make_article("Change your plan", slug="change", synced=False)
    page = _page(client, escalated(close))
    assert "We have found no reliable answer" in page
    assert "/en/articles/change/" in page
    assert 'name="contact_email"' in page
    assert "Your question is already noted" in page


def test_a_question_that_was_interrupted_can_be_asked_again(client):
    asked = question(status=QuestionStatus.RECEIVED)
    Question.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    page = _page(client, asked)
    assert "This question has not been finished" in page
    assert "How do I pause?</textarea>" in page


def test_feedback_is_one_click_and_a_reason_may_follow(client, make_article):
    asked = answered(make_article("Pause", synced=False))
    address = f"/en/answers/{asked.public_id}/feedback/"
    response = client.post(address, {"helpful": "no"}, follow=True)
    assert Feedback.objects.get().helpful is False
    assert "What went wrong?" in text_of(response.content)
    client.post(address, {"helpful": "no", "reason": "incomplete", "comment": "Price?"})
    feedback = Feedback.objects.get()
    assert (feedback.reason, feedback.comment) == ("incomplete", "Price?")
    client.post(address, {"helpful": "yes"})
    assert Feedback.objects.get().helpful is True


def test_only_whoever_asked_may_carry_the_question_to_a_person(client, make_article):
    asked = answered(make_article("Pause", synced=False))
    link = f"/en/contact/?question={asked.public_id}"
    assert link not in _page(client, asked)
    owns(client, asked)
    assert link in _page(client, asked)
    assert "How do I pause?" in text_of(client.get(link).content)


def test_the_answer_page_takes_a_fixed_number_of_queries(client, make_article, django_assert_max_num_queries):
    articles = [make_article(f"Article {number}", synced=False) for number in range(6)]
    asked = answered(*articles)
    with django_assert_max_num_queries(8):
        _page(client, asked)


def test_german_pages_are_german(client, make_article):
    article = make_article("Pausieren", "Tippen Sie auf Pause.", language="de", synced=False)
    asked = answered(article, language="de", text="Wie pausiere ich?")
    html = _page(client, asked, "de")
    assert '<html lang="de">' in html
    for english in (
        "Answer",
        "Source",
        "Did this help",
        "Ask a follow-up",
        "Talk to a person",
        "Last changed",
    ):
        assert english not in text_of(html.encode())
