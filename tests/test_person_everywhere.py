"""The way to a person is on every screen, whatever has failed."""

from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from assistant.models import Question, QuestionStatus, Ticket
from helpcenter import outage, views
from knowledge.models import Article
from tests.pages import answered, escalated, question, text_of

pytestmark = pytest.mark.django_db
LABELS = {"de": "Mit einem Menschen sprechen", "en": "Talk to a person"}


@pytest.fixture
def places(make_article, make_category):
    """Each page of the site, in each of its states."""
    category = make_category("Billing", slug="billing")
    article = make_article("Pause", slug="pause", category=category, synced=False)
    gone = answered(make_article("Gone", slug="gone", synced=False))
    Article.objects.filter(slug="gone").update(status="draft")
    interrupted = question(status=QuestionStatus.RECEIVED)
    Question.objects.filter(pk=interrupted.pk).update(created_at=timezone.now() - timedelta(minutes=5))
    asked = [
        answered(article),
        escalated(article),
        gone,
        interrupted,
        question(status=QuestionStatus.RECEIVED),
    ]
    ticket = Ticket.objects.create(
        subject="S", reason="customer_request", language="en", status="open", contact_email="a@b.de"
    )
    return [
        *("", "ask/", "search/", "search/?q=zzz", "contact/", "login/", "no/such/page/"),
        *("categories/billing/", "articles/pause/"),
        *(f"answers/{one.public_id}/" for one in asked),
        *(f"conversations/{one.conversation.public_id}/" for one in asked),
        f"tickets/{ticket.token}/",
    ]


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_leads_to_a_person(client, places, language):
    without = []
    for place in places:
        path = f"/{language}/{place}"
        response = client.get(path, follow=True)
        html = response.content.decode()
        if 'href="/de/contact/' not in html and 'href="/en/contact/' not in html:
            without.append(path)
    assert without == []


@pytest.mark.parametrize("language", ["de", "en"])
def test_errors_lead_to_a_person(language):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    pages = [
        client.get(f"/{language}/nothing/"),
        client.post(f"/{language}/ask/", {"text": "x"}),
        client.post(f"/{language}/ask/", b"\xff", content_type="multipart/form-data; boundary="),
        Client().post(
            f"/{language}/ask/", b"text=" + b"x" * 2_000_000, content_type="application/x-www-form-urlencoded"
        ),
    ]
    assert {page.status_code for page in pages} >= {404, 403, 413}
    for page in pages:
        assert LABELS[language] in text_of(page.content), page.status_code


def test_a_failure_inside_leads_to_a_person_in_both_languages(settings):
    settings.CONTACT_EMAIL = "help@example.org"
    html = views.server_error(RequestFactory().get("/de/")).content.decode()
    for found in ('href="/de/contact/"', 'href="/en/contact/"', 'href="mailto:help@example.org"'):
        assert found in html


@pytest.mark.parametrize("email", ["", "help@example.org"])
def test_an_outage_leads_to_a_person_and_keeps_the_message(settings, email):
    settings.CONTACT_EMAIL = email
    factory = RequestFactory()
    for request in (factory.get("/en/"), factory.post("/en/ask/", {"text": "Why?"})):
        html = outage.outage_response(request).content.decode()
        assert 'action="/en/contact/"' in html
        assert 'name="detail"' in html
        assert ('href="mailto:help@example.org"' in html) is bool(email)
    typed = outage.outage_response(factory.post("/en/contact/", {"subject": "S", "detail": "It rattles."}))
    assert typed.content.decode().count('name="detail"') == 1
    assert "It rattles." in typed.content.decode()
