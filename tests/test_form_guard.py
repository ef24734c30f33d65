"""Honeypot and haste: a program is asked to prove itself by hand, a person loses a click and never a word."""

import re
import time

import pytest
from django.test import Client

from assistant.abuse import middleware
from assistant.models import Feedback, Rating, Ticket
from assistant.services import open_ticket
from knowledge.votes import ArticleVote
from tests.pages import answered

WRITTEN = {
    "subject": "Brakes <squeal>",
    "detail": "Since Monday,\nonly in the rain.",
    "contact_email": "ada@example.org",
    "contact_name": "Ada",
}


@pytest.fixture
def clock(settings, monkeypatch):
    """Seconds that pass for the forms. The guard is on as it is shipped."""
    middleware.forget()
    settings.ABUSE_PROTECTION = True
    settings.FORM_SECONDS = 2.0
    settings.BUDGETS = dict.fromkeys(settings.BUDGETS, ("off", "off"))
    settings.BUDGET_REQUESTS = "off"
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def hidden_fields(content: bytes) -> dict[str, str]:
    """What a browser sends without being asked."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', content.decode())
    return {name: value for name, value in found if name != "next"}


def opened_form(client: Client) -> dict[str, str]:
    return hidden_fields(client.get("/en/contact/").content)


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [3.1, 4 * 3600, 6 * 86_400])
def test_a_person_notices_nothing_however_slow(clock, client, seconds):
    form = opened_form(client)
    clock(seconds)
    assert client.post("/en/contact/", form | WRITTEN).status_code == 302
    assert Ticket.objects.get().detail == "Since Monday,\nonly in the rain."


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["haste", "trap", "no mark", "forged mark", "last week's tab"])
def test_what_looks_like_a_program_is_asked_once_more_and_loses_nothing(clock, client, how):
    form = opened_form(client)
    if how != "haste":
        clock(3.1)
    match how:
        case "trap":
            form["homepage"] = "https://spam.example"
        case "no mark":
            del form["form_opened"]
        case "forged mark":
            form["form_opened"] = "form:1ABCDE:" + "x" * 43
        case "last week's tab":
            clock(8 * 86_400)
    page = client.post("/en/contact/", form | WRITTEN)
    assert page.status_code == 422
    assert not Ticket.objects.exists()
    html = page.content.decode()
    assert "Brakes &lt;squeal&gt;" in html and "spam.example" not in html
    assert "only in the rain." in html
    again = hidden_fields(page.content)
    assert again["idempotency_key"] == form["idempotency_key"]
    clock(2.5)
    assert client.post("/en/contact/", again | WRITTEN).status_code == 302
    assert Ticket.objects.get().contact_email == "ada@example.org"


@pytest.mark.django_db
def test_a_program_that_sends_the_answer_back_at_once_is_asked_again(clock, client):
    page = client.post("/en/contact/", opened_form(client) | WRITTEN)
    again = client.post("/en/contact/", hidden_fields(page.content) | WRITTEN)
    assert again.status_code == 422
    assert not Ticket.objects.exists()


@pytest.mark.django_db
def test_feedback_has_the_guard_too(clock, client, make_article):
    asked = answered(make_article("Pausing", "A pause costs 9 euros.", synced=False))
    page = client.get(f"/en/answers/{asked.public_id}/")
    form = {"form_opened": hidden_fields(page.content)["form_opened"], "helpful": "yes"}
    address = f"/en/answers/{asked.public_id}/feedback/"
    assert client.post(address, form | {"homepage": "x"}).status_code == 422
    assert not Feedback.objects.exists()
    clock(3.1)
    assert client.post(address, form).status_code == 302
    assert Feedback.objects.get().helpful


@pytest.mark.django_db
def test_votes_on_articles_have_it_too(clock, client, make_article):
    make_article("Pausing", "A pause costs 9 euros.", slug="pausing", synced=False)
    address = "/en/articles/pausing/vote/"
    form = {"form_opened": hidden_fields(client.get("/en/articles/pausing/").content)["form_opened"]}
    clock(3.1)
    page = client.post(address, form | {"helpful": "no", "homepage": "x"})
    assert page.status_code == 422 and not ArticleVote.objects.exists()
    clock(2.5)
    again = hidden_fields(page.content)
    assert again["helpful"] == "no"
    assert client.post(address, again).status_code == 302
    # Whoever has voted may change it, from a page with marks of its own.
    form = {"form_opened": hidden_fields(client.get("/en/articles/pausing/").content)["form_opened"]}
    clock(3.1)
    client.post(address, form | {"helpful": "yes"})
    assert ArticleVote.objects.get().is_helpful


@pytest.mark.django_db
def test_the_trap_is_out_of_sight_and_out_of_reach(clock, client):
    html = client.get("/en/contact/").content.decode()
    trap = re.search(r'<div class="visually-hidden" aria-hidden="true">.*?name="homepage".*?</div>', html)
    assert trap is not None
    assert 'tabindex="-1"' in trap[0] and 'autocomplete="off"' in trap[0]
    assert "leave this field empty" in trap[0]


@pytest.mark.django_db
def test_the_rating_of_a_settled_request_has_it_too(clock, client):
    settled = open_ticket(subject="Brakes", detail="", contact_email="ada@example.org", language="en")
    Ticket.objects.filter(pk=settled.pk).update(status="solved")
    address = f"/en/tickets/{settled.token}/"
    form = hidden_fields(client.get(address).content) | {"content": "yes"}
    clock(3.1)
    page = client.post(f"{address}rate/", form | {"homepage": "x"})
    assert page.status_code == 422 and not Rating.objects.exists()
    clock(2.5)
    again = hidden_fields(page.content)
    assert again["content"] == "yes"
    assert client.post(f"{address}rate/", again).status_code == 302
    assert Rating.objects.get().is_content
