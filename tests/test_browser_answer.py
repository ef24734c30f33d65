"""What only a browser shows of a conversation: the wait, the answer that arrives, copies; the way without scripts."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from assistant.models import Question, Ticket
from assistant.services import ask_question, store_question
from tests.browsing import open_page
from tests.databases import locked_by_somebody_else

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ASKED = "How much is a pause of my subscription?"
ANSWER = "costs 9 euros a month"


def _open(browser: Browser, live_server, **options) -> tuple[Page, list[str]]:
    page, watch = open_page(browser, live_server.url, **options)
    return page, watch.problems


def _waiting(text: str) -> Question:
    """A question of which nobody knows yet: its page is the first to have it decided."""
    asked = store_question(text=text)
    Question.objects.filter(pk=asked.pk).update(created_at=timezone.now() - timedelta(seconds=10))
    return asked


def _ask(page, text):
    page.locator("#ask-text").fill(text)
    page.locator("button[value=ask]").click()


def test_the_page_says_what_is_being_done_and_the_answer_arrives_in_it(browser: Browser, live_server, pause):
    page, problems = _open(browser, live_server, permissions=["clipboard-read", "clipboard-write"])
    ask_question(text="Do you sell pineapples?")  # the model is loaded
    asked = _waiting(ASKED)
    with locked_by_somebody_else("assistant_question", mode="SHARE"):
        page.goto(f"/en/conversations/{asked.conversation.public_id}/")
        card = page.locator("[data-working]")
        expect(card.locator(".is-now")).to_have_text("Putting the answer together", timeout=15_000)
        expect(card.locator(".is-done")).to_have_count(2)
        expect(card.locator("[role=status]")).to_have_text("Putting the answer together")
        expect(card.locator("[data-finish]")).to_be_hidden()
        expect(page.locator("main")).to_contain_text("Talk to a person")
    page.evaluate("window.wasHereBefore = true")
    expect(page.locator(".answer")).to_contain_text(ANSWER, timeout=15_000)
    assert page.evaluate("window.wasHereBefore"), "the answer has to come without another page"
    expect(page.locator("[data-announce]")).to_have_text("The answer is here.")
    page.locator("#ask-text").fill("x" * 1900)
    expect(page.locator("[data-counter]")).to_contain_text("1900 of 2000")
    page.locator("#ask-text").fill("And how long does a pause of my subscription last?")
    page.locator("#ask-text").press("Enter")
    expect(page.locator("h1")).to_have_text("And how long does a pause of my subscription last?")
    expect(page.locator(".earlier summary")).to_contain_text(ASKED)
    page.reload()
    expect(page.locator(".earlier summary")).to_contain_text(ASKED)
    assert problems == []


def test_answer_and_link_are_copied(browser: Browser, live_server, pause):
    page, problems = _open(browser, live_server, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/en/ask/")
    _ask(page, ASKED)
    page.get_by_role("button", name="Copy answer").click()
    expect(page.get_by_text("Answer copied").first).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert ANSWER in copied
    assert "[1] Pause your subscription: http" in copied
    thread = page.url
    page.get_by_role("link", name="Link to this answer").click()
    expect(page.get_by_text("Link copied").first).to_be_visible()
    assert page.url == thread
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{live_server.url}/en/answers/{Question.objects.get().public_id}/"
    assert problems == []


@pytest.mark.parametrize("javascript", [True, False])
def test_ask_on_say_no_and_reach_a_person_with_all_of_it(browser: Browser, live_server, pause, javascript):
    page, problems = _open(browser, live_server, java_script_enabled=javascript)
    page.goto("/en/")
    _ask(page, ASKED)
    expect(page.locator(".answer")).to_contain_text(ANSWER)
    _ask(page, "And how long does a pause of my subscription last?")
    expect(page.locator("h1")).to_have_text("And how long does a pause of my subscription last?")
    expect(page.locator(".earlier summary")).to_contain_text(ASKED)
    expect(page.locator(".earlier .turn-body")).to_be_hidden()
    page.locator(".earlier summary").click()
    expect(page.locator(".earlier .turn-body")).to_contain_text(ANSWER)
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("et our team answer"))).to_be_visible()
    page.locator("#id_contact_email").fill("anna@example.org")
    page.get_by_role("button", name="Pass on to the team").click()
    ticket = Ticket.objects.get()
    expect(page.locator("main")).to_contain_text(ticket.reference)
    expect(page.locator(".sent-along .turn")).to_have_count(2)
    page.get_by_role("button", name="Close this request").click()
    expect(page.locator("main")).to_contain_text("This request is solved")
    page.get_by_role("button", name="Take it up again").click()
    expect(page.locator("main")).to_contain_text("Our team has your request")
    assert problems == []


def test_the_waiting_page_stands_still_where_no_motion_is_wanted(browser: Browser, live_server):
    page, _problems = _open(browser, live_server, reduced_motion="reduce", java_script_enabled=False)
    page.goto(f"/en/conversations/{store_question(text=ASKED).conversation.public_id}/")
    expect(page.locator(".pulse")).to_have_css("animation-name", "none")
