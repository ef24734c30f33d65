"""Public pages, the administration and the API's documentation in a real browser: nothing is refused by the policy,
and the box can be used by keyboard."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from knowledge.models import Article
from tests.browsing import open_page
from tests.conftest import MakeArticle

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pause(make_article: MakeArticle, make_category) -> Article:
    plans = make_category("Plans", slug="plans")
    body = "First.\n\n## One\n\nPause it.\n\n## Two\n\nMore.\n\n## Three\n\n![Map](https://elsewhere.example/map.png)"
    return make_article("Pause your subscription", body, slug="pause", category=plans)


def watched(browser: Browser, live_server, **options: Any) -> tuple[Page, list[str]]:
    page, watch = open_page(browser, live_server.url, **options)
    return page, watch.problems


def test_no_page_is_refused_anything_by_its_policy(browser, live_server, pause, staff):
    page, problems = watched(browser, live_server)
    public = [
        "/en/",
        "/en/search/?q=pause",
        "/en/categories/plans/",
        "/en/ask/",
        "/en/contact/",
        "/en/login/",
        "/de/x/",
    ]
    article = f"/en/articles/pause/?quote=0-6.{pause.revision}"
    for address in [*public, article, "/api/v1/docs/"]:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert problems == [], address
    expect(page.locator("#swagger-ui .info")).to_be_visible()
    page.goto("/admin/login/")
    page.fill("#id_username", "staff")
    page.fill("#id_password", "a good passphrase")
    page.click("[type=submit]")
    desk = [
        "knowledge/article/",
        f"knowledge/article/{pause.pk}/change/",
        f"knowledge/article/{pause.pk}/history/",
        f"knowledge/article/{pause.pk}/compare/",
        "knowledge/sitesettings/add/",
        "assistant/ticket/",
    ]
    for address in desk:
        page.goto(f"/admin/{address}")
        page.wait_for_load_state("networkidle")
        assert problems == [], address
    # Django's own script has run: the slug follows the title.
    page.goto("/admin/knowledge/category/add/")
    page.locator("#id_name").press_sequentially("Neue Tarife")
    expect(page.locator("#id_slug")).to_have_value("neue-tarife")
    assert problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_an_article_is_found_by_keyboard_while_typing(browser, live_server, pause, width):
    page, problems = watched(browser, live_server, viewport={"width": width, "height": 800})
    page.goto("/en/")
    box = page.locator("#ask-text")
    box.focus()
    box.press_sequentially("p")
    page.wait_for_timeout(300)
    expect(page.locator(".suggestions:visible")).to_have_count(0)
    box.press_sequentially("aus")
    option = page.get_by_role("option", name="Pause your subscription")
    expect(option).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="One matching article")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    page.keyboard.press("Escape")
    expect(option).to_be_hidden()
    expect(box).to_have_value("paus")
    box.press_sequentially("e")
    expect(option).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Pause your subscription")
    assert problems == []


def test_enter_sends_what_was_typed_and_not_what_was_offered(browser, live_server, pause):
    page, problems = watched(browser, live_server)
    page.goto("/en/search/")
    box = page.get_by_role("combobox", name="Search terms")
    box.press_sequentially("pause")
    expect(page.get_by_role("option")).to_have_count(1)
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{live_server.url}/en/search/?q=pause")
    assert problems == []


def test_without_javascript_the_box_still_searches(browser, live_server, pause):
    page, problems = watched(browser, live_server, java_script_enabled=False)
    page.goto("/en/")
    page.fill("#ask-text", "pause")
    page.click("button[value=search]")
    expect(page.locator(".results h2")).to_have_text("Pause your subscription")
    page.click(".results h2 a")
    page.click("button[value=yes]")
    expect(page.locator("#vote")).to_contain_text("Thank you")
    assert problems == []
