"""An article's way in a browser: written with preview and links, kept through a crash and a lost session, published."""

import pytest
from playwright.sync_api import Browser, Page, expect

from knowledge.models import Article, Autosave, Status
from tests.browsing import DESKTOP, Watch, open_page
from tests.desk import LIST, member

KEPT = "Object.keys(localStorage).filter(key => key.startsWith('helpcenter-draft:')).length"
WRITTEN = "## Before you pause\n\nSee [Prices](article:prices)"
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _sign_in(browser: Browser, address: str, name: str, path: str) -> tuple[Page, Watch]:
    page, watch = open_page(browser, address, viewport=DESKTOP)
    _log_in(page, name, path)
    return page, watch


def _log_in(page: Page, name: str, path: str) -> None:
    page.goto(f"/admin/login/?next={path}")
    page.fill("#id_username", name)
    page.fill("#id_password", "a good passphrase")
    page.click("[type=submit]")


def test_write_lose_nothing_and_have_it_published(browser: Browser, live_server, make_article):
    member("Authors", "anna")
    member("Publishers", "paul")
    prices = make_article("Prices", translation_group="prices", synced=False)
    page, watch = _sign_in(browser, live_server.url, "anna", f"{LIST}add/")
    page.fill("#id_title", "Pause")
    page.select_option("#id_language", "en")
    page.fill("#id_body", "## Before you pause\n\nSee ")
    page.click("[data-live]")
    preview = page.frame_locator(".hc-preview")
    expect(preview.locator("h2")).to_have_text("Before you pause")
    page.click("[data-link]")
    page.fill("#hc-link-words", "price")
    page.click("#hc-link-found button")
    expect(page.locator("#id_body")).to_have_value(WRITTEN)
    expect(preview.locator(".prose a")).to_have_attribute("href", prices.get_absolute_url())

    # The machine goes down; another one offers the text.
    expect(page.locator(".hc-kept")).to_contain_text("Kept at")
    page.wait_for_timeout(100)
    while Autosave.objects.get().fields["body"] != WRITTEN:
        page.wait_for_timeout(100)
    page.context.close()
    page, watch = _sign_in(browser, live_server.url, "anna", f"{LIST}add/")
    expect(page.locator(".hc-offer")).to_contain_text("“Pause”")
    page.click(".hc-offer a")
    expect(page.locator("#id_body")).to_have_value(WRITTEN)
    expect(page.locator("#id_language")).to_have_value("en")
    page.fill("#id_slug", "pause")
    page.click("[name=_submit] >> nth=0")
    expect(page.locator(".messagelist .success").last).to_contain_text("Submitted for review")
    article = Article.objects.get(slug="pause")
    assert (article.status, article.body) == (Status.IN_REVIEW, WRITTEN)
    assert not Autosave.objects.exists()
    assert page.locator("[name=_publish]").count() == 0
    assert not watch.problems

    boss, watch = _sign_in(browser, live_server.url, "paul", f"{LIST}?to_do=in_review")
    boss.click("text=Pause")
    boss.click("[name=_publish] >> nth=0")
    expect(boss.locator(".messagelist .success").last).to_contain_text("Customers see it now")
    boss.goto(article.get_absolute_url())
    expect(boss.locator("h1")).to_have_text("Pause")

    # The author goes on; her session ends while she types, and nothing is lost.
    page.goto(f"{LIST}{article.pk}/change/")
    page.context.clear_cookies(name="sessionid")
    page.fill("#id_body", f"{WRITTEN}\n\nAnd more.")
    expect(page.locator(".hc-saved")).to_contain_text("You are signed out")
    page.click("[name=_save] >> nth=0")
    expect(page.locator("#id_username")).to_be_visible()
    _log_in(page, "anna", f"{LIST}{article.pk}/change/")
    page.click(".hc-restore button >> nth=0")
    expect(page.locator("#id_body")).to_have_value(f"{WRITTEN}\n\nAnd more.")
    page.click("[name=_save] >> nth=0")
    expect(page.locator(".messagelist .info").first).to_contain_text(
        "Customers go on reading the published text"
    )
    assert page.evaluate(KEPT) == 0
    article.refresh_from_db()
    assert (article.status, article.body) == (Status.PUBLISHED, WRITTEN)
    assert not watch.problems
