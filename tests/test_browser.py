"""The journeys that matter, in a real browser: ask and get an answer, or a person; on a phone; without JavaScript."""

import os
from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from assistant.models import Question, Ticket, TicketStatus
from tests.conftest import CHROMIUM

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAUSE = "A pause of your subscription costs 9 euros a month and lasts one to three months."
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's loop runs in this thread, and Django then takes the thread for an async one.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def pause(make_article):
    make_article(
        "Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."
    )
    return make_article("Pause your subscription", PAUSE)


def _open(browser: Browser, live_server, *, language: str = "en", **options) -> tuple[Page, list[str]]:
    """A page as a phone shows it, and the list of what goes wrong on it: script errors, requests elsewhere."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale=language, base_url=live_server.url, **options
    )
    page = context.new_page()
    problems: list[str] = []

    def on_request(request: Request) -> None:
        if not request.url.startswith(live_server.url):
            problems.append(request.url)

    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", on_request)
    return page, problems


@pytest.mark.parametrize("javascript", [True, False])
def test_ask_and_get_a_cited_answer(browser, live_server, pause, javascript):
    page, problems = _open(browser, live_server, java_script_enabled=javascript)
    page.goto("/")
    expect(page).to_have_url(f"{live_server.url}/en/")
    page.locator("main textarea, main input[name=text]").first.fill("How much is a pause of my subscription?")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("main")).to_contain_text("costs 9 euros a month")
    expect(page.locator("main")).to_contain_text("AI")
    page.locator("main a", has_text="Pause your subscription").first.click()
    expect(page.locator("h1")).to_have_text("Pause your subscription")
    assert problems == []


def test_no_answer_becomes_a_ticket_with_only_an_address(browser, live_server, pause):
    page, problems = _open(browser, live_server, language="de")
    page.goto("/de/")
    page.locator("main textarea, main input[name=text]").first.fill("Welcher Wein passt zu Entenbraten?")
    page.locator("main form button[type=submit]").first.click()
    email = page.locator("input[type=email]")
    email.fill("anna@")
    page.locator("form", has=email).evaluate("form => form.noValidate = true")
    page.locator("form", has=email).locator("button[type=submit]").click()
    expect(page.locator("main")).to_contain_text("E-Mail")
    expect(page.locator("input[type=email]")).to_have_value("anna@")
    page.locator("input[type=email]").fill("anna@example.org")
    page.locator("form", has=page.locator("input[type=email]")).locator("button[type=submit]").click()
    ticket = Ticket.objects.get()
    expect(page.locator("main")).to_contain_text(ticket.reference)
    assert ticket.status == TicketStatus.OPEN
    assert ticket.contact_email == "anna@example.org"
    assert Question.objects.get().language == "de"
    assert problems == []


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_page_scrolls_sideways_on_a_phone(browser, live_server, pause, language):
    page, _problems = _open(browser, live_server, language=language)
    addresses = [f"/{language}/", f"/{language}/search/?q=pause", f"/{language}/ask/", reverse("new_ticket")]
    for address in [*addresses, pause.get_absolute_url(), f"/{language}/no-such-page/"]:
        page.goto(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{address} is {width} px wide"
