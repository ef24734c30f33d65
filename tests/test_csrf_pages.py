"""A form whose token or session has expired: nothing typed is lost, and no other site gets words of its own in."""

import re
from html import unescape

import pytest
from django.test import Client

from assistant.models import Question, Ticket, TicketMessage
from tests.pages import answered, text_of

pytestmark = pytest.mark.django_db

FORM = {
    "subject": "Rattling",
    "detail": "Since <Monday>\r\nand on cobbles.",
    "contact_email": "anna@example.org",
    "idempotency_key": "3" * 32,
}


@pytest.fixture
def strict():
    return Client(enforce_csrf_checks=True)


def _fields(content):
    html = content.decode()
    form = html[html.index('<form class="card') : html.index("</form>", html.index('<form class="card'))]
    inputs = re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', form)
    texts = re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?([^<]*)</textarea>', form)
    return {name: unescape(value) for name, value in inputs + texts}


def test_an_expired_form_comes_back_with_all_of_it_and_is_taken_then(strict):
    page = strict.post("/de/contact/", FORM | {"csrfmiddlewaretoken": "old"})
    assert page.status_code == 403
    assert "Nichts ist verloren" in text_of(page.content)
    assert 'action="/de/contact/"' in page.content.decode()
    fields = _fields(page.content)
    assert fields["detail"].replace("\r\n", "\n") == FORM["detail"].replace("\r\n", "\n")
    assert strict.post("/de/contact/", fields).status_code == 302
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.detail) == ("Rattling", "Since <Monday>\nand on cobbles.")


def test_a_follow_up_from_an_ended_session_stays_in_its_conversation(strict, make_article):
    first = answered(make_article("Pause", synced=False))
    typed = {
        "text": "And for two?",
        "follow_up": str(first.public_id),
        "conversation": str(first.conversation.public_id),
        "csrfmiddlewaretoken": "old",
    }
    strict.post("/en/ask/", _fields(strict.post("/en/ask/", typed).content))
    assert Question.objects.latest("pk").conversation == first.conversation


def test_a_reply_is_kept_too(strict):
    ticket = Ticket.objects.create(
        subject="S", reason="customer_request", language="en", status="open", contact_email="a@b.de"
    )
    address = f"/en/tickets/{ticket.token}/reply/"
    strict.post(address, _fields(strict.post(address, {"body": "Still rattles."}).content))
    assert TicketMessage.objects.get().body == "Still rattles."


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_words_from_another_site_are_not_put_into_a_form(strict, site):
    page = strict.post("/en/contact/", FORM, headers={"Sec-Fetch-Site": site})
    assert page.status_code == 403
    assert "cobbles" not in page.content.decode()


@pytest.mark.parametrize("path", ["/en/login/", "/admin/login/", "/i18n/setlang/", "/admin/auth/user/add/"])
def test_other_forms_are_not_filled_in(strict, path):
    page = strict.post(path, {"username": "ada", "detail": "do it", "password": "x"})
    assert page.status_code in (302, 403)
    assert "do it" not in page.content.decode()
