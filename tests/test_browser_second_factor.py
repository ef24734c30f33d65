"""A second factor in a browser, from setting it up to signing in with it: narrow, light and dark."""

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.browsing import open_page
from tests.desk import member
from tests.test_accessibility import NARROW, _violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def looked_at(page: Page) -> None:
    """Nothing to object to, and nothing that has to be moved sideways."""
    page.set_viewport_size(NARROW)
    page.evaluate(AXE_SCRIPT)
    page.add_style_tag(content="* { transition: none !important }")  # a colour on its way is no colour yet
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert _violations(page) == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], page.url


@pytest.mark.parametrize(
    ("language", "failed"), [("en", "This code is not right"), ("de", "Dieser Code stimmt")]
)
def test_from_the_first_password_to_the_next_sign_in(browser, live_server, settings, language, failed):
    settings.STAFF_MFA = "required"
    member("Support", "anna")
    page, watch = open_page(browser, live_server.url, language=language, bypass_csp=True)

    def sign_in() -> None:
        page.goto("/admin/login/?next=/admin/assistant/ticket/")
        page.fill("#id_username", "anna")
        page.fill("#id_password", "a good passphrase")
        page.press("#id_password", "Enter")

    page.goto("/admin/login/")
    looked_at(page)
    sign_in()
    expect(page.locator(".hc-account-picture")).to_be_visible()
    page.click("summary")
    secret = page.inner_text(".hc-account-secret")
    looked_at(page)

    def enter(code: str) -> None:
        page.fill("#id_code", code)
        page.press("#id_code", "Enter")

    enter("000000")
    expect(page.locator(".errorlist")).to_contain_text(failed)
    looked_at(page)
    page.click("summary")
    secret = page.inner_text(".hc-account-secret")
    enter(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    codes = page.locator(".hc-account-codes li").all_inner_texts()
    assert len(codes) == 10
    looked_at(page)
    page.goto("/admin/account/second-factor/")
    looked_at(page)
    page.locator(".hc-account-foot button.hc-link").click()
    sign_in()
    expect(page.locator("#id_code")).to_be_focused()
    looked_at(page)
    enter(codes[0])
    page.wait_for_url("**/admin/assistant/ticket/")
    assert watch.problems == []
