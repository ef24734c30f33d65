"""The widget over HTTP: no cookie, a pass for one site and its conversations, and the pages' own flows inside it."""

import re
import time
from html import unescape

import pytest
from django.core import mail
from django.test import Client

from assistant.models import Citation, Feedback, Question, Rating, Ticket
from assistant.services import open_ticket
from assistant.widget.hosts import may_embed, origin_of
from assistant.widget.passes import LIFETIME_SECONDS, BadPass, Pass
from knowledge.site import SiteSettings
from tests.pages import text_of

SHOP = "https://shop.example"
QUESTION = "How much is a pause of my subscription?"


@pytest.fixture
def hosts(db):
    return SiteSettings.objects.create(pk=1, widget_hosts=f"{SHOP}\nhttps://*.partner.example")


@pytest.fixture
def pause(make_article):
    make_article("Paying by PayPal", "We accept PayPal in Germany and Austria. Link it under Payment.")
    return make_article(
        "Pause your subscription",
        "A pause of your subscription costs 9 euros a month and lasts three months.",
    )


def begin(client: Client, language: str = "en", origin: str = SHOP, **query: str) -> str:
    """The address of the widget's first page for a visitor of `origin`."""
    response = client.get(f"/{language}/widget/", query, headers={"Referer": f"{origin}/"})
    assert response.status_code == 302
    return response["Location"]


def form_of(content: bytes, part_of_action: str) -> tuple[str, dict[str, str]]:
    """Address and hidden fields of the form that leads to such an address."""
    for form in re.findall(r"<form.*?</form>", content.decode(), re.DOTALL):
        action = re.search(r'action="([^"]+)"', form)
        if action is not None and part_of_action in action[1]:
            fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
            return unescape(action[1]), {name: unescape(value) for name, value in fields}
    raise AssertionError(f"no form leads to {part_of_action}")


def policy(response) -> str:
    found = re.search(r"frame-ancestors ([^;]+)", response["Content-Security-Policy"])
    assert found is not None
    return found[1].strip()


def test_a_conversation_without_a_single_cookie(hosts, pause):
    client = Client(enforce_csrf_checks=True)
    start = client.get(begin(client))
    action, fields = form_of(start.content, "/ask/")
    assert action.startswith("/w/")
    asked = client.post(action, fields | {"text": QUESTION})
    assert asked.status_code == 302 and asked["Location"].startswith("/w/")
    thread = client.get(asked["Location"])
    assert "costs 9 euros a month" in text_of(thread.content)

    action, fields = form_of(thread.content, "/ask/")
    followed = client.post(action, fields | {"text": "And how long does it last?"})
    assert Question.objects.count() == 2
    assert Question.objects.values("conversation").distinct().count() == 1
    thread = client.get(followed["Location"])

    action, fields = form_of(thread.content, "/feedback/")
    judged = client.post(action, fields | {"helpful": "yes"})
    assert judged.status_code == 302 and judged["Location"].startswith("/w/")
    assert Feedback.objects.get().helpful
    assert not client.cookies
    assert all(question.channel == "widget" for question in Question.objects.all())
    assert all(url.startswith("/en/") for url in Citation.objects.values_list("url", flat=True))


@pytest.mark.django_db(transaction=True)  # the mail leaves within the request
def test_a_person_from_inside_the_widget(hosts):
    client = Client(enforce_csrf_checks=True)
    start = client.get(begin(client, "de"))
    link = re.search(r'href="(/w/[^"]+/de/contact/)"', start.content.decode())
    assert link is not None
    page = client.get(link[1])
    action, fields = form_of(page.content, "/contact/")
    sent = client.post(
        action, fields | {"subject": "Bremse", "detail": "Sie quietscht.", "contact_email": "ada@example.org"}
    )
    assert sent.status_code == 302 and sent["Location"].startswith("/w/")
    told = client.get(sent["Location"])
    assert Ticket.objects.get().contact_email == "ada@example.org"
    assert "/de/tickets/" in mail.outbox[0].body and "/w/" not in mail.outbox[0].body
    assert "Vielen Dank" in text_of(told.content) or "Danke" in text_of(told.content)
    again = re.search(r'href="(/w/[^"]+/de/widget/)"', told.content.decode())
    assert again is not None
    assert "notice-good" not in client.get(again[1]).content.decode()  # thanked once
    assert not client.cookies


@pytest.mark.django_db
def test_only_the_site_that_the_pass_was_made_for_may_frame_it(hosts, client):
    page = client.get(begin(client))
    assert policy(page) == SHOP
    assert "X-Frame-Options" not in page
    assert not page.cookies
    hosts.widget_hosts = "https://other.example"
    hosts.save()
    withdrawn = client.get(begin_with(Pass(SHOP)))
    assert policy(withdrawn) == "'none'" and withdrawn["X-Frame-Options"] == "DENY"


def begin_with(shown: Pass, path: str = "/en/widget/") -> str:
    return f"/w/{shown.signed()}{path}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://shop.example", "https://shop.example.evil.example"]
)
def test_other_sites_get_no_pass(hosts, client, origin):
    refused = client.get("/en/widget/", headers={"Referer": f"{origin}/"})
    assert refused.status_code == 403
    assert policy(refused) == "'none'"
    lied = client.get(f"/en/widget/?host={SHOP}", headers={"Referer": f"{origin}/"})
    assert lied.status_code == 403


@pytest.mark.django_db
def test_a_site_that_hides_its_address_may_name_itself_and_gains_nothing(hosts, client):
    issued = client.get(f"/en/widget/?host={SHOP}")
    assert issued.status_code == 302
    assert policy(client.get(issued["Location"])) == SHOP


@pytest.mark.django_db
def test_a_forged_pass_opens_nothing(hosts, client):
    good = Pass(SHOP).signed()
    for bad in (good[:-2] + "xx", "x" * 60):
        response = client.get(f"/w/{bad}/en/ask/")
        assert response.status_code == 302 and response["Location"] == "/en/ask/"
        with pytest.raises(BadPass):
            Pass.read(bad)
    foreign = client.post(
        f"/w/{good}/en/ask/", {"text": QUESTION}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert (
        client.post(
            f"/w/{good}/en/ask/", {"text": QUESTION}, headers={"Sec-Fetch-Site": "cross-site"}
        ).status_code
        == 403
    )
    assert not Question.objects.exists()


@pytest.mark.django_db
def test_a_pass_is_no_session_of_the_site(hosts, client, staff):
    """Nobody's account comes along, and nothing but the widget's pages is there."""
    client.force_login(staff)
    page = client.get(begin(client))
    assert "Signed in" not in page.content.decode()
    outside = client.get(begin_with(Pass(SHOP), "/en/search/?q=pause"))
    assert outside.status_code == 302 and outside["Location"] == "/en/search/?q=pause"
    assert client.get(begin_with(Pass(SHOP), "/admin/"))["Location"] == "/admin/"
    asked = client.post(begin_with(Pass(SHOP), "/en/ask/"), {"text": QUESTION})
    assert asked.status_code == 302
    assert Question.objects.get().user is None


@pytest.mark.django_db
def test_an_expired_pass_keeps_the_site_and_forgets_the_conversation(hosts, client, monkeypatch):
    old = Pass(SHOP, accent="#b00020", conversations=("8b2cc862-7da6-480a-93d5-543d76d76646",))
    signed = old.signed()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LIFETIME_SECONDS + 1)
    read = Pass.read(signed)
    assert read.is_expired and read.origin == SHOP and read.accent == "#b00020" and read.conversations == ()
    page = client.get(f"/w/{signed}/en/widget/")
    action, fields = form_of(page.content, "/ask/")
    assert signed not in action  # from here on with a new one
    assert client.post(action, fields | {"text": QUESTION}).status_code == 302


@pytest.mark.django_db
def test_the_script_is_small_cached_and_says_when_it_has_not_changed(client):
    first = client.get("/widget/v1.js")
    assert first.status_code == 200 and len(first.content) < 10_000
    assert first["Content-Type"].startswith("text/javascript")
    assert "max-age=3600" in first["Cache-Control"] and "public" in first["Cache-Control"]
    assert first["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert not first.cookies and "Cookie" not in first.get("Vary", "")
    again = client.get("/widget.js", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


@pytest.mark.django_db
def test_colours_are_checked_and_made_readable(hosts, client):
    page = client.get(begin(client, accent="FFEE00")).content.decode()
    assert "/widget/look/ffee00.css" in page
    css = client.get("/widget/look/ffee00.css")
    assert css.status_code == 200 and "--accent:" in css.content.decode()
    assert "--accent:#ffee00" not in css.content.decode().split("@media")[0]  # too pale on white
    assert client.get("/widget/look/red.css").status_code == 404
    assert "look/" not in client.get(begin(client, accent="}body{display:none")).content.decode()


@pytest.mark.django_db
def test_the_demonstration_is_for_those_who_want_it(client, settings):
    assert client.get("/widget/demo/").status_code == 404
    settings.WIDGET_DEMO = True
    page = client.get("/widget/demo/?language=de")
    assert page.status_code == 200
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert "data-helpcenter-open" in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("origin", "may"),
    [
        (SHOP, True),
        ("https://a.partner.example", True),
        ("https://a.b.partner.example", True),
        ("https://partner.example", False),
        ("https://evilpartner.example", False),
        ("http://a.partner.example", False),
        ("https://shop.example:8443", False),
        ("", False),
    ],
)
def test_hosts_are_matched_as_browsers_match_them(hosts, origin, may):
    assert may_embed(origin) is may


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Shop.example/a?b#c", "https://shop.example"),
        ("https://shop.example:443/", "https://shop.example"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"),
        ("https://user:password@shop.example/", "https://shop.example"),
        ("javascript:alert(1)", ""),
        ("null", ""),
        ("https://shop.example:99999/", ""),
    ],
)
def test_origins(address, origin):
    assert origin_of(address) == origin


def test_a_settled_request_is_rated_inside(client, hosts):
    settled = open_ticket(subject="Brakes", detail="", contact_email="ada@example.org", language="en")
    Ticket.objects.filter(pk=settled.pk).update(status="solved")
    prefix = begin(client).partition("/en/")[0]
    page = client.get(f"{prefix}/en/tickets/{settled.token}/")
    action, fields = form_of(page.content, "/rate/")
    assert action.startswith("/w/")
    response = client.post(action, fields | {"content": "yes"})
    assert response.status_code == 302 and response["Location"].startswith("/w/")
    assert Rating.objects.get(ticket=settled).is_content
