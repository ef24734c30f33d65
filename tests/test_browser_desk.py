"""An editor's afternoon in a browser: write, check, ask what it would change, publish, and see it answered."""

import pytest
from playwright.sync_api import Browser, expect

from assistant.models import Question
from assistant.services import ask_question
from knowledge.models import Article
from tests.browsing import DESKTOP, open_page
from tests.judged import make_articles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GAP = "Do you rent out camper vans for the summer holidays?"
VANS = "We also rent out camper vans. A camper van costs 89 euros a day in the summer holidays."


def test_write_check_what_if_publish_answer(browser: Browser, live_server, staff, make_article):
    make_articles(make_article)
    ask_question(text=GAP, language="en")
    page, watch = open_page(browser, live_server.url, viewport=DESKTOP)
    page.goto("/admin/login/?next=/admin/knowledge/article/add/")
    page.fill("#id_username", "staff")
    page.fill("#id_password", "a good passphrase")
    page.click("[type=submit]")

    page.fill("#id_title", "Camper vans")
    page.select_option("#id_language", "en")
    page.fill("#id_body", VANS.replace("89", "98"))
    page.click("[name=_save] >> nth=0")
    page.goto(f"/admin/knowledge/article/{Article.objects.get(slug='camper-vans').pk}/change/")
    page.click("text=Check >> nth=0")
    expect(page.locator("h1")).to_contain_text("Camper vans")
    page.go_back()

    page.fill("#id_body", VANS)  # typed and not saved: that is what is tried
    with page.expect_popup() as opened:
        page.get_by_role("button", name="What would this change?").click()
    tried = opened.value
    expect(tried.locator(".hc-compared")).to_contain_text(GAP)
    now, then = tried.locator(".hc-sides > section").all()
    expect(now).to_contain_text("Goes to a person")
    expect(then).to_contain_text("89 euros a day")
    tried.close()

    expect(page.locator("#id_body")).to_have_value(VANS)
    page.click("[name=_publish] >> nth=0")
    expect(page.locator(".messagelist .success").last).to_contain_text("Customers see it now")
    assert Article.objects.get(slug="camper-vans").body == VANS

    page.goto("/admin/ask/")
    page.fill("#id_text", GAP)
    page.get_by_role("button", name="Ask", exact=True).first.click()
    shown = page.frame_locator(".hc-shown")
    expect(shown.locator(".answer-text")).to_contain_text("89 euros a day")
    assert Question.objects.count() == 1  # asking it yourself leaves none
    watch.problems = [
        one for one in watch.problems if "about:srcdoc" not in one
    ]  # a page whose scripts may not run

    page.goto("/en/")
    page.locator("form[action='/en/ask/'] textarea, form[action='/en/ask/'] input[name=text]").first.fill(GAP)
    page.keyboard.press("Enter")
    expect(page.locator(".answer-text")).to_contain_text("89 euros a day")
    assert not watch.problems
