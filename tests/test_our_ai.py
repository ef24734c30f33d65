"""The page "How our AI works": it says what is set, counted and calibrated, and changes with it."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.calibration import store
from assistant.models import Channel, Feedback, QuestionStatus
from assistant.our_ai import ENOUGH_QUESTIONS, ENOUGH_VOTES, Destination, WriterKind, writer_in_use
from assistant.widget.passes import Pass
from knowledge.site import SiteSettings
from tests.judged import in_force
from tests.pages import answered, question, text_of

pytestmark = pytest.mark.django_db

PAGE = "/en/how-our-ai-works/"
SHOP = "https://shop.example"


def read(client: Client, page: str = PAGE) -> str:
    response = client.get(page)
    assert response.status_code == 200
    return text_of(re.search(rb"<main.*</main>", response.content, re.DOTALL)[0])  # type: ignore[index]


# --- where it is, and what leads there -------------------------------------------------------------------------


def test_both_languages_name_each_other_and_the_sitemap_names_both(client):
    html = client.get("/de/how-our-ai-works/").content.decode()
    assert "<h1>So arbeitet unsere KI</h1>" in html
    assert '<link rel="canonical" href="http://localhost:8000/de/how-our-ai-works/">' in html
    assert 'hreflang="en" href="http://localhost:8000/en/how-our-ai-works/"' in html
    sitemap = client.get("/sitemap.xml", headers={"host": "127.0.0.1"}).content.decode()
    for language in ("de", "en"):
        assert f"<loc>http://localhost:8000/{language}/how-our-ai-works/</loc>" in sitemap
    assert 'hreflang="de" href="http://localhost:8000/de/how-our-ai-works/"' in sitemap


def test_it_is_linked_before_the_first_question_beside_each_answer_and_on_every_page(client, make_article):
    link = f'href="{PAGE}"'
    home = client.get("/en/").content.decode()
    assert link in home.partition('id="ask-note"')[2].partition("</form>")[0]
    assert link in home.partition('<footer class="site-footer">')[2]
    asked = answered(make_article("Pause", "A pause costs 9 euros.", synced=False))
    page = client.get(f"/en/answers/{asked.public_id}/").content.decode()
    assert f'href="{PAGE}#sure"' in page.partition('class="certainty"')[2].partition("</details>")[0]


def test_from_the_widget_it_opens_beside_the_shop(client):
    SiteSettings.objects.create(pk=1, widget_hosts=SHOP)
    inside = f"/w/{Pass(SHOP).signed()}"
    page = client.get(f"{inside}/en/widget/").content.decode()
    link = re.search(r'<a href="([^"]*how-our-ai-works/)" target="_blank" rel="noopener">', page)
    assert link is not None
    out = client.get(link[1])
    assert (out.status_code, out["Location"]) == (302, PAGE)


# --- models, and where data goes -------------------------------------------------------------------------------


def test_quotes_stay_here_and_no_language_model_takes_part(client, make_article):
    make_article("Pause", "A pause costs 9 euros.")
    page = read(client)
    assert "No language model takes part" in page
    assert "No other company gets it" in page
    recipe = store.Binding.now().recipe
    assert f"version of the index: {recipe[:12]}" in page
    assert "quote its passage" not in page


@pytest.mark.parametrize(
    ("name", "base", "environment", "destination", "receiver"),
    [
        ("openai:gpt-4.1-mini", "", {}, Destination.ELSEWHERE, "OpenAI"),
        ("openai:llama-3", "http://localhost:8001/v1", {}, Destination.HERE, ""),
        ("openai:llama-3", "http://10.0.0.7:8001/v1", {}, Destination.OPERATOR, ""),
        ("openai:llama-3", "http://models:8001/v1", {}, Destination.OPERATOR, ""),
        ("openai:llama-3", "https://llm.example.com/v1", {}, Destination.ELSEWHERE, "llm.example.com"),
        ("openai:x", "", {"OPENAI_API_BASE": "https://eu.example.com/v1"}, Destination.ELSEWHERE, "eu.example.com"),
        ("ollama:llama3.2", "", {}, Destination.HERE, ""),
        ("ollama:llama3.2", "", {"OLLAMA_HOST": "gpu.internal:11434"}, Destination.OPERATOR, ""),
        ("newcomer:model", "", {}, Destination.ELSEWHERE, "newcomer"),
    ],
)  # fmt: skip
def test_where_a_question_goes_is_told_by_the_settings(
    settings, monkeypatch, name, base, environment, destination, receiver
):
    settings.ANSWER_WRITER, settings.WRITER_BASE_URL = name, base
    for key in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "OLLAMA_HOST"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    writer = writer_in_use()
    assert (writer.kind, writer.destination, writer.receiver) == (WriterKind.MODEL, destination, receiver)


def test_a_language_model_is_named_with_its_company_and_what_it_gets(client, settings):
    settings.ANSWER_WRITER, settings.WRITER_BASE_URL = "openai:gpt-4.1-mini", "https://llm.example.com/v1"
    page = read(client)
    assert "gpt-4.1-mini" in page and "OpenAI" in page
    assert "llm.example.com gets the question" in page and "up to 6 passages" in page
    assert "kept for 30 days" in page
    assert "No language model takes part" not in page
    # The shipped figures are those of quotes.
    assert "the estimate has not been checked yet" in page


def test_a_writer_of_the_operators_own_is_not_guessed_at(client, settings):
    settings.ANSWER_WRITER = "house.writers.Writer"
    page = read(client)
    assert "A program of this site’s operator" in page
    assert "house.writers" not in page and "No other company" not in page


def test_a_reranker_is_named_without_the_folder_that_it_lies_in(client, settings):
    assert "Order of the passages" not in read(client)
    settings.RERANKER_MODEL = "/srv/models/mmarco-reranker/"
    page = read(client)
    assert "Order of the passages mmarco-reranker runs here" in page and "/srv" not in page


def test_other_companies_servers_are_named(client, settings):
    settings.HANDOFF_TO, settings.HANDOFF_URL = "zendesk", "https://example.zendesk.com"
    settings.CHROMA_URL = "https://api.trychroma.com"
    page = read(client)
    assert "handed over to Zendesk at example.zendesk.com" in page
    assert "kept at api.trychroma.com" in page
    settings.HANDOFF_TO, settings.HANDOFF_URL = "zammad", "https://10.0.0.3"
    settings.CHROMA_URL = "http://chroma:8000"
    page = read(client)
    assert "handed over to Zammad in our own network" in page and "trychroma" not in page


# --- how sure is sure enough -----------------------------------------------------------------------------------


def test_the_shipped_threshold_says_where_it_comes_from(client, make_article):
    make_article("Pause", "A pause costs 9 euros.")
    page = read(client)
    standing = store.standing()
    overall = standing.model.provenance["overall"]
    assert f"From {int(standing.threshold * 100)}% on it is shown" in page
    assert "This threshold comes with the software" in page and "xquad" in page
    assert f"{overall['coverage'] * 100:.1f}% of the questions were answered" in page
    assert f"{overall['risk'] * 100:.1f}% of those answers were wrong" in page
    assert "the site’s own" not in page and "has not been checked yet" not in page


def test_a_calibration_in_force_takes_its_place(client, make_article):
    make_article("Pause", "A pause costs 9 euros.")
    in_force(0.61, labelled=240, answered=120, wrong=3, live_at=timezone.now(), max_risk=0.1, confidence=0.9)
    page = read(client)
    assert "From 61% on it is shown" in page and "At least 61% likely" in page
    assert "found on 240 questions to this help center" in page
    assert "120 of them are answered with it (50%), 3 of those answers are wrong (2.5%)" in page
    assert "with a certainty of 90%: at most 10% of the answers" in page
    assert "comes with the software" not in page


def test_one_that_does_not_fit_is_said_to_be_set_aside(client, make_article):
    make_article("Pause", "A pause costs 9 euros.")
    in_force(0.61, labelled=240, answered=120, writer="openai:other", live_at=timezone.now())
    page = read(client)
    assert "found with other models and is not in force" in page
    assert "From 61%" not in page and "comes with the software" in page


# --- articles, figures, contact --------------------------------------------------------------------------------


def test_articles_are_counted_as_the_public_may_read_them(client, make_article):
    assert "no article is published here" in read(client)
    for number in range(3):
        make_article(f"Public {number}", language="de", synced=False)
    make_article("Draft", status="draft", synced=False)
    make_article("Internal", audience="internal", synced=False)
    cache.clear()
    page = read(client)
    assert "German: 3 articles" in page and "3 published articles" in page
    assert "English:" not in page and "signed in, articles" not in page
    make_article("For customers", audience="signed_in", synced=False)
    cache.clear()
    page = read(client)
    assert "3 published articles" in page and "If you are signed in, articles for signed-in customers" in page


def test_no_share_is_told_of_so_few_that_it_could_point_to_somebody(client):
    for _number in range(ENOUGH_QUESTIONS - 1):
        question()
    question(channel=Channel.CLI)
    question(status=QuestionStatus.RECEIVED)
    old = question()
    type(old).objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=91))
    page = read(client)
    assert f"Fewer than {ENOUGH_QUESTIONS} questions" in page and "Passed on to a person" not in page


def test_shares_are_told_once_there_are_enough(client):
    asked = [question() for _number in range(ENOUGH_QUESTIONS - 10)]
    for _number in range(10):
        question(status=QuestionStatus.ESCALATED)
    for number, one in enumerate(asked[: ENOUGH_VOTES - 1]):
        Feedback.objects.create(question=one, helpful=number % 4 != 0)
    page = read(client)
    assert f"80% of {ENOUGH_QUESTIONS} questions in the last 90 days" in page
    assert "Passed on to a person 20%" in page
    assert "Too few people have voted" in page
    Feedback.objects.create(question=asked[-1], helpful=False)
    assert "Too few people have voted" in read(client)  # counted every few minutes, not for every reader
    cache.clear()
    assert f"70% of {ENOUGH_VOTES} answers" in read(client)


def test_whom_to_ask_is_the_sites_own_contact(client, settings):
    assert "By e-mail" not in read(client) and "By telephone" not in read(client)
    settings.CONTACT_EMAIL = "help@example.org"
    SiteSettings.objects.create(pk=1, name="Havelrad", phone="030 1234567")
    page = read(client)
    assert "Havelrad is responsible" in page
    assert "help@example.org" in page and "030 1234567" in page


def test_friends_are_spoken_to_as_friends(client):
    SiteSettings.objects.create(pk=1, german_address="informal")
    page = read(client, "/de/how-our-ai-works/")
    assert "was mit deiner Frage geschieht" in page
    assert not re.search(r"\b(?:Ihre|Ihnen|Ihren)\b", page)


def test_what_it_costs_does_not_grow_with_articles_and_questions(
    client, make_article, django_assert_num_queries
):
    def count() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            read(client)
        return len(queries)

    make_article("Pause", "A pause costs 9 euros.")
    few = count()
    for number in range(6):
        answered(make_article(f"More {number}", synced=False))
    assert count() == few
    with django_assert_num_queries(few - 3):  # articles, questions and votes are counted already
        read(client)
