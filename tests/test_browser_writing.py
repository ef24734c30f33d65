"""The form of an article in a browser: the preview follows, links go in, and what was typed is not lost."""

import pytest
from playwright.sync_api import Browser, Page, expect

from knowledge.models import Article

KEPT = "Object.keys(localStorage).filter(key => key.startsWith('helpcenter-draft:')).length"
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _sign_in(browser: Browser, address: str) -> Page:
    page = browser.new_page(base_url=address)
    page.goto("/admin/login/?next=/admin/knowledge/article/add/")
    page.fill("#id_username", "staff")
    page.fill("#id_password", "a good passphrase")
    page.click("[type=submit]")
    return page


def test_write_with_preview_and_link_lose_nothing_and_save(
    browser: Browser, live_server, staff, make_article
):
    make_article("Prices", translation_group="prices", synced=False)
    page = _sign_in(browser, live_server.url)
    page.fill("#id_title", "Pause")
    page.select_option("#id_language", "en")
    page.fill("#id_body", "## Before you pause\n\nSee ")
    page.click("[data-live]")
    preview = page.frame_locator(".hc-preview")
    expect(preview.locator("h2")).to_have_text("Before you pause")

    page.click("[data-link]")
    page.fill("#hc-link-words", "price")
    page.click("#hc-link-found button")
    expect(page.locator("#id_body")).to_have_value("## Before you pause\n\nSee [Prices](article:prices)")
    expect(preview.locator(".prose a")).to_have_attribute("href", "/en/articles/" + _slug("Prices") + "/")

    page.wait_for_function(f"{KEPT} === 1")
    page.reload()
    page.click(".hc-restore button >> nth=0")
    expect(page.locator("#id_body")).to_have_value("## Before you pause\n\nSee [Prices](article:prices)")

    page.select_option("#id_language", "en")
    page.fill("#id_slug", "pause")
    page.click("[name=_save] >> nth=0")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert Article.objects.get(slug="pause").body == "## Before you pause\n\nSee [Prices](article:prices)"
    assert page.evaluate(KEPT) == 0


def _slug(title: str) -> str:
    return Article.objects.get(title=title).slug
