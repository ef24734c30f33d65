"""The ten journeys that matter, and a few things that have to hold on the way, in Debian's Chromium.

Each watches for script errors, violations of the policy and requests to anybody else, and finds none.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.urls import reverse
from playwright.sync_api import Page, expect

from assistant import services
from assistant.abuse import middleware
from assistant.models import Feedback, Question, Ticket, TicketStatus
from knowledge.site import SiteSettings
from tests.browsing import DESKTOP, open_page
from tests.databases import locked_by_somebody_else

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HOW_MUCH = "How much is a pause of my subscription?"
WINE = "Which wine goes with roast duck?"


@pytest.fixture
def shop(live_server):
    """Another site on another host (127.0.0.1 is not localhost to a browser), with the one script tag."""
    page = f"""<!doctype html><html lang="en"><title>Shop</title><h1>A shop</h1>
    <script src="{live_server.url}/widget/v1.js" data-accent="#7a1fa2"></script>"""

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ask(page: Page, text: str) -> None:
    page.locator("main textarea[name=text]").first.fill(text)
    page.locator("main button[name=action][value=ask]").first.click()


def answer_of(page: Page):
    return page.locator("main .answer").first


def fill_in_contact(page: Page, email: str = "anna@example.org") -> None:
    form = page.locator("main form", has=page.locator("input[name=contact_email]")).first
    form.locator("input[name=contact_email]").fill(email)
    form.locator("button[type=submit]").last.click()


def test_1_ask_and_get_an_answer(browser, live_server, pause):
    page, watch = open_page(browser, live_server.url)
    page.goto("/")
    expect(page).to_have_url(f"{live_server.url}/en/")
    expect(page.locator("main")).to_contain_text("AI")  # said before the first question
    ask(page, HOW_MUCH)
    expect(answer_of(page)).to_contain_text("costs 9 euros a month")
    expect(answer_of(page)).to_contain_text("AI")
    mark = page.locator("main .answer .mark").first
    expect(mark).to_have_text("1")
    mark.click()
    expect(page.locator("h1")).to_have_text("Pause your subscription")
    expect(page.locator("main .prose")).to_contain_text(pause.body)
    quoted = page.locator("main .prose mark#quote")  # the passage, at its place, in sight
    expect(quoted).to_contain_text("costs 9 euros a month")
    expect(quoted).to_be_in_viewport()
    page.go_back()
    expect(answer_of(page)).to_contain_text("costs 9 euros a month")
    assert Question.objects.get().status == "answered"
    assert watch.problems == []


def test_2_a_follow_up_stays_in_the_conversation_and_survives_a_reload(browser, live_server, pause):
    page, watch = open_page(browser, live_server.url, viewport=DESKTOP)
    page.goto("/en/")
    ask(page, HOW_MUCH)
    expect(answer_of(page)).to_be_visible()
    ask(page, "And how long does it last?")
    expect(page.locator("h1")).to_have_text("And how long does it last?")
    expect(answer_of(page)).to_contain_text(
        "lasts one to three months"
    )  # “it” is the pause of the first question
    expect(page.locator("main")).to_contain_text(HOW_MUCH)
    page.reload()
    expect(page.locator("main")).to_contain_text(HOW_MUCH)
    assert Question.objects.values("conversation").distinct().count() == 1
    address = page.url
    other, _watch = open_page(browser, live_server.url)  # the session is gone, the address is not
    other.goto(address)
    expect(other.locator("h1")).to_have_text("And how long does it last?")
    assert watch.problems == []


def test_3_not_helpful_leads_to_articles_and_then_to_a_person_once(browser, live_server, pause, make_article):
    make_article("Cancel your subscription", "You end your subscription in the app, under Profile.")
    page, watch = open_page(browser, live_server.url)
    page.goto("/en/")
    ask(page, HOW_MUCH)
    page.locator("main button[name=helpful][value=no]").click()
    comfort = page.locator("main .comfort")
    expect(comfort).to_be_visible()
    places = comfort.evaluate(
        "part => ['.list-card', 'input[type=email]'].map(one => part.querySelector(one)?.getBoundingClientRect().top)"
    )
    assert places[0] is not None and places[0] < places[1]  # articles first
    comfort.locator(".list-card a").first.click()
    expect(page.locator("h1")).to_have_text("Cancel your subscription")
    page.go_back()
    fill_in_contact(page)
    ticket = Ticket.objects.get()
    expect(page.locator("main")).to_contain_text(ticket.reference)
    assert ticket.status == TicketStatus.OPEN
    assert ticket.question == Question.objects.get()
    assert not Feedback.objects.get().helpful
    page.goto(reverse("conversation", kwargs={"public_id": ticket.question.conversation.public_id}))
    expect(page.locator("main input[name=contact_email]")).to_have_count(0)  # nobody is asked twice
    ask(page, "And how long does it last?")
    page.locator("main button[name=helpful][value=no]").click()
    expect(comfort.locator("h3").first).to_have_text("Let our team answer")  # once: never a loop
    assert watch.problems == []


def test_4_a_person_at_once(browser, live_server, phrases, pause):
    page, watch = open_page(browser, live_server.url, language="de")
    page.goto("/de/")
    ask(page, "Ich möchte mit einem Menschen sprechen")
    expect(page.locator("main .outcome")).to_contain_text("Mensch")
    fill_in_contact(page)
    ticket = Ticket.objects.get()
    expect(page.locator("main")).to_contain_text(ticket.reference)
    assert ticket.reason == "customer_request" and ticket.language == "de"
    assert watch.problems == []


def test_5_an_outage_keeps_the_message_until_it_is_a_ticket(browser, live_server, pause):
    page, watch = open_page(browser, live_server.url)
    page.goto("/en/contact/")
    page.locator("main input[name=subject]").fill("Brakes <squeal>")
    page.locator("main textarea[name=detail]").fill("Since Monday,\nonly in the rain.")
    with locked_by_somebody_else("assistant_ticket", "assistant_ticketmessage", "assistant_conversation"):
        fill_in_contact(page)
        expect(page.locator("h1")).to_contain_text("cannot be reached")
        if _can_read():
            assert not Ticket.objects.exists()
    expect(page.locator("textarea[name=detail]")).to_have_value("Since Monday,\nonly in the rain.")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("main")).to_contain_text("has your request")
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.contact_email) == ("Brakes <squeal>", "anna@example.org")
    assert ticket.detail.replace("\r", "") == "Since Monday,\nonly in the rain."
    assert watch.problems == []


def _can_read() -> bool:
    return connection.vendor == "sqlite"  # PostgreSQL's lock keeps readers out as well


def test_6_a_german_question_where_only_an_english_article_answers(browser, live_server, make_article):
    make_article(
        "Pause your subscription",
        "How do I pause my subscription? You can pause your subscription for up to three months in the app.",
    )
    make_article(
        "Battery range", "A full battery lasts for about 60 kilometres on flat ground, less in winter."
    )
    page, watch = open_page(browser, live_server.url, language="de")
    page.goto("/de/")
    ask(page, "Wie lange kann ich mein Abonnement pausieren?")
    expect(answer_of(page)).to_contain_text("nur einen englischen Artikel")
    expect(page.locator("main .answer-text")).to_have_attribute("lang", "en")
    expect(page.locator("main .answer-text")).to_contain_text("up to three months")
    assert Question.objects.get().language == "de"
    assert watch.problems == []


def test_7_the_widget_on_a_foreign_site(browser, live_server, shop, pause):
    SiteSettings.objects.create(pk=1, widget_hosts=shop)
    page, watch = open_page(browser, live_server.url, viewport=DESKTOP)
    page.goto(f"{shop}/bikes")
    button = page.get_by_role("button", name="Help")
    expect(button).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    frame = page.frame_locator("#helpcenter-widget iframe")
    expect(frame.locator("textarea[name=text]")).to_be_focused()
    page.keyboard.type("pause")
    expect(frame.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    with page.context.expect_page() as suggested:
        page.keyboard.press("Enter")
    expect(suggested.value.locator("h1")).to_have_text("Pause your subscription")
    suggested.value.close()
    page.context.clear_cookies()  # of the article, which is no part of the widget
    frame.locator("textarea[name=text]").fill(HOW_MUCH)
    frame.locator("textarea[name=text]").focus()
    page.keyboard.press("Enter")
    expect(frame.locator(".answer")).to_contain_text("costs 9 euros a month")
    expect(frame.locator(".site-header")).to_have_count(0)
    assert page.context.cookies() == []
    with page.context.expect_page() as opened:
        frame.locator(".answer .mark").first.click()
    expect(opened.value.locator("h1")).to_have_text("Pause your subscription")
    assert urlsplit(opened.value.url).path.startswith("/en/articles/")
    opened.value.close()
    page.reload()  # the shop's next page: the conversation is still there
    page.get_by_role("button", name="Help").click()
    expect(frame.locator(".answer")).to_contain_text("costs 9 euros a month")
    frame.locator(".ask-box textarea").fill("And how long does it last?")
    frame.locator("button[value=ask]").click()
    expect(frame.locator("h1")).to_have_text("And how long does it last?")
    frame.locator("a", has_text="Talk to a person").first.click()
    frame.locator("input[name=contact_email]").fill("anna@example.org")
    frame.locator("form", has=frame.locator("input[name=contact_email]")).locator(
        "button[type=submit]"
    ).last.click()
    expect(frame.locator("main")).to_contain_text("has your request")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Help")).to_be_focused()
    expect(page.get_by_role("button", name="Help")).to_have_attribute("aria-expanded", "false")
    assert Ticket.objects.get().conversation == Question.objects.all()[0].conversation
    assert {question.channel for question in Question.objects.all()} == {"widget"}
    assert [problem for problem in watch.problems if not problem.startswith(f"{shop}/")] == []


def test_7b_the_widget_is_not_shown_where_it_is_not_allowed(browser, live_server, shop):
    SiteSettings.objects.create(pk=1, widget_hosts="http://other.example")
    page, _watch = open_page(browser, live_server.url)
    page.goto(f"{shop}/")
    page.get_by_role("button", name="Help").click()
    link = page.get_by_role("link", name="Open the help center in a new tab")  # a way on
    expect(link).to_have_attribute("href", f"{live_server.url}/en/")
    page.wait_for_timeout(500)
    assert not any("ask-box" in frame.content() for frame in page.frames[1:])


def test_8_a_ticket_is_answered_replied_to_closed_and_taken_up_again(browser, live_server, staff):
    page, watch = open_page(browser, live_server.url)
    page.goto("/en/contact/")
    page.locator("main input[name=subject]").fill("Flat tyre")
    page.locator("main textarea[name=detail]").fill("Again!")
    fill_in_contact(page)
    expect(page.locator("main")).to_contain_text("has your request")
    ticket = Ticket.objects.get()
    services.add_staff_message(ticket=ticket, author=staff, body="We are sorry. Which wheel is it?")
    page.reload()
    expect(page.locator("main")).to_contain_text("Which wheel is it?")
    page.locator("main textarea[name=body]").fill("The front one.")
    page.get_by_role("button", name="Send reply").click()
    expect(page.locator("main .thread")).to_contain_text("The front one.")
    page.get_by_role("button", name="Close this request").click()
    expect(page.locator("main")).to_contain_text("solved")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.SOLVED
    page.get_by_role("button", name="Take it up again").click()
    expect(page.locator("main")).to_contain_text("open again")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert list(ticket.messages.values_list("body", flat=True)) == [
        "We are sorry. Which wheel is it?",
        "The front one.",
    ]
    assert watch.problems == []


def test_9_everything_works_without_javascript(browser, live_server, pause):
    page, watch = open_page(browser, live_server.url, java_script_enabled=False)
    page.goto("/en/")
    ask(page, HOW_MUCH)
    expect(answer_of(page)).to_contain_text("costs 9 euros a month")
    page.locator("main button[name=helpful][value=no]").click()
    fill_in_contact(page)
    expect(page.locator("main")).to_contain_text(Ticket.objects.get().reference)
    page.goto("/en/search/?q=pause")
    expect(page.locator("main")).to_contain_text("Pause")
    page.locator(".languages button").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert watch.problems == []


def test_10_everything_works_by_keyboard_alone(browser, live_server, pause):
    page, watch = open_page(browser, live_server.url, viewport=DESKTOP)
    page.goto("/en/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    _tab_to(page, "textarea[name=text]")
    page.keyboard.type(HOW_MUCH)
    page.keyboard.press("Enter")
    expect(answer_of(page)).to_contain_text("costs 9 euros a month")
    _tab_to(page, ".answer .mark")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    _tab_to(page, ".certainty summary")
    page.keyboard.press("Enter")
    expect(page.locator("main .certainty")).to_have_attribute("open", "")
    _tab_to(page, "button[name=helpful][value=no]")
    page.keyboard.press("Enter")
    page.locator("main .comfort").wait_for()
    _tab_to(page, "input[name=contact_email]")
    page.keyboard.type("anna@example.org")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("has your request")
    assert Ticket.objects.get().contact_email == "anna@example.org"
    assert watch.problems == []


def _tab_to(page: Page, selector: str) -> None:
    for _step in range(60):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_a_blocked_asker_writes_to_a_person_instead(browser, live_server, pause, settings):
    """With all protection on: the budget, the form that was filled in too fast, and nothing lost on the way."""
    middleware.forget()
    settings.ABUSE_PROTECTION = True
    settings.FORM_SECONDS = 2.0
    settings.BUDGET_REQUESTS = "off"
    settings.BUDGETS = dict.fromkeys(settings.BUDGETS, ("off", "off")) | {"questions": ("1/hour", "off")}
    page, watch = open_page(browser, live_server.url, language="de")
    page.goto("/de/")
    ask(page, "Was kostet eine Pause?")
    page.locator("main .answer, main .outcome").first.wait_for()
    page.goto("/de/")
    ask(page, "Warum klappert mein Rad?")
    expect(page.locator("h1")).to_have_text("Einen Moment, bitte")
    expect(page.locator("main textarea[name=detail]")).to_have_value("Warum klappert mein Rad?")
    fill_in_contact(page)
    expect(page.locator("h1")).to_have_text("Noch ein Klick, bitte")
    page.wait_for_timeout(2100)
    page.get_by_role("button", name="Absenden, ich bin ein Mensch").click()
    expect(page.locator("main")).to_contain_text(Ticket.objects.get().reference)
    assert Ticket.objects.get().detail == "Warum klappert mein Rad?"
    assert Question.objects.count() == 1
    assert watch.problems == []
    middleware.forget()


def test_no_answer_becomes_a_ticket_with_only_an_address(browser, live_server, pause):
    page, watch = open_page(browser, live_server.url)
    page.goto("/en/")
    ask(page, WINE)
    email = page.locator("main input[type=email]")
    email.evaluate("field => field.form.noValidate = true")
    fill_in_contact(page, "anna@")
    expect(page.locator("main")).to_contain_text("e-mail")
    expect(email).to_have_value("anna@")
    fill_in_contact(page)
    ticket = Ticket.objects.get()
    expect(page.locator("main")).to_contain_text(ticket.reference)
    assert (ticket.status, ticket.contact_email) == (TicketStatus.OPEN, "anna@example.org")
    assert watch.problems == []
