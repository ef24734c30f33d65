"""What a browser shows while a model writes: sentences that passed, one by one, and a calm end."""

import os
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from assistant.services import ask_question
from assistant.writers import forget_writers
from tests.browsing import DESKTOP, PHONE, open_page
from tests.chat_server import Asked, ChatServer, Said, sentences

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COST = "A pause of your subscription costs 9 euros a month."
LASTS = "A pause of your subscription lasts one to three months."
ASKED = "How much is a pause of my subscription?"
TRUE = "The pause costs 9 euros a month."
SECOND = "The pause of your subscription lasts one to three months."


@pytest.fixture
def center(make_article, settings):
    make_article("Paying by PayPal", "We accept PayPal in Germany and Austria.")
    make_article("Pause your subscription", f"{COST} {LASTS}")
    with ChatServer() as server:
        settings.ANSWER_WRITER = "openai:some-model"
        settings.WRITER_BASE_URL, settings.WRITER_API_KEY = server.url, "key"
        settings.WRITER_SECONDS = 8.0
        forget_writers()
        ask_question(text="Do you take PayPal?")  # client and model are loaded
        yield server
    forget_writers()


def held(gate: threading.Event, **more: object):
    def behave(asked: Asked) -> Said:
        number = next(one["number"] for one in asked.passages if COST in one["text"])
        content = sentences((TRUE, number, COST), (SECOND, number, LASTS))
        return Said(content, piece_seconds=0.005, hold_before=SECOND[:30], may_go_on=gate, **more)  # type: ignore[arg-type]

    return behave


def ask(page, text: str) -> None:
    page.locator("#ask-text").fill(text)
    page.locator("button[value=ask]").click()


@pytest.mark.parametrize(
    ("language", "title", "source", "ready"),
    [
        ("en", "The answer is being written", "Source 1: the quoted place in", "The answer is here."),
        ("de", "Die Antwort wird geschrieben", "Quelle 1: die zitierte Stelle in", "Die Antwort ist da."),
    ],
)
def test_sentences_appear_one_by_one_and_stay(
    browser: Browser, live_server, center, language, title, source, ready
):
    gate = threading.Event()
    center.behaviour = held(gate)
    page, watch = open_page(browser, live_server.url, viewport=PHONE)
    page.goto(f"/{language}/ask/")
    ask(page, ASKED)
    told = page.locator("[data-told]")
    expect(told).to_contain_text(TRUE)
    expect(page.locator("#working-title")).to_have_text(title)
    expect(told.locator(".mark")).to_have_attribute("aria-label", re.compile(source))
    expect(told).not_to_contain_text(SECOND)
    expect(page.locator(".stages")).to_be_hidden()
    _picture(page, f"told-{language}")
    gate.set()
    expect(page.locator(".answer .answer-text")).to_contain_text(SECOND)
    expect(page.locator("[data-outcome] > .notice")).to_have_count(0)
    expect(page.locator("[data-announce]")).to_have_text(ready)
    assert watch.problems == []


def test_what_takes_the_place_of_what_was_told_says_so(browser: Browser, live_server, center):
    gate = threading.Event()
    content_end = 200
    center.behaviour = held(gate, error_after=content_end)
    page, watch = open_page(browser, live_server.url, viewport=PHONE)
    page.goto("/en/ask/")
    ask(page, ASKED)
    expect(page.locator("[data-told]")).to_contain_text(TRUE)
    gate.set()
    note = "did not make a whole answer"
    expect(page.locator("[data-outcome] > .notice")).to_contain_text(note)
    expect(page.locator(".answer .answer-text")).to_contain_text(COST)
    expect(page.locator("[data-announce]")).to_contain_text(note)
    _picture(page, "replaced")
    assert watch.problems == []


def _picture(page, name: str) -> None:
    """For whoever looks: `PICTURES=folder` keeps the page in both widths and both schemes."""
    folder = os.environ.get("PICTURES", "")
    if not folder:
        return
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size in (PHONE, DESKTOP):
            page.set_viewport_size(size)
            page.screenshot(path=str(Path(folder) / f"{name}-{scheme}-{size['width']}.png"), full_page=True)
