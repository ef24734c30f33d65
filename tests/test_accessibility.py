"""axe-core on every public page: both languages, light and dark, phone and desktop, no violation, nothing sideways.

The pages come from the site's own addresses: one that is added is looked at without anybody thinking of it, or the
test says that it has no example of it. What only an error shows is made as the site makes it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import LocalePrefixPattern, URLResolver, get_resolver, reverse
from django.utils import translation
from playwright.sync_api import Page, ViewportSize

from assistant.abuse.refusals import short_refusal
from assistant.models import FeedbackReason, Question, Ticket, TicketStatus
from assistant.services import add_staff_message, leave_feedback, open_ticket
from assistant.widget.passes import Pass
from helpcenter.outage import outage_response
from helpcenter.views import permission_denied, server_error
from knowledge.site import SiteSettings
from tests.browsing import DESKTOP, PHONE, open_page
from tests.pages import answered, escalated, question

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# WCAG 2.2 at levels A and AA, and what axe counts as good practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHOP = "http://shop.example"
NARROW: ViewportSize = {"width": 320, "height": 640}  # WCAG 1.4.10: 1280 at 400 %

_LOOKS: list[tuple[ViewportSize, Literal["light", "dark"]]] = [
    (DESKTOP, "light"),
    (PHONE, "light"),
    (PHONE, "dark"),
    (DESKTOP, "dark"),
]

# Addresses that show no page of their own: what they are instead.
NO_PAGE = {
    "answer_events": "a stream",
    "answer_state": "JSON",
    "contact": "takes a form, shows the answer",
    "feedback": "takes a form, shows the answer",
    "finish": "takes a form, shows the conversation",
    "logout": "takes a form",
    "ticket_close": "takes a form",
    "ticket_rate": "takes a form, shows the ticket",
    "ticket_reopen": "takes a form",
    "ticket_reply": "takes a form, shows the ticket",
    "ticket_file": "a download",
    "article_vote": "takes a form, shows the article",
    "set_language": "takes a form",
    "suggest": "JSON",
    "feed": "an Atom feed",
    "opensearch": "a description for browsers",
    "category_feed": "an Atom feed",
}


@pytest.fixture
def examples(make_article, make_category, staff) -> dict[str, dict[str, list[str]]]:
    """For each language and each named address with parts, the examples to look at."""
    SiteSettings.objects.create(pk=1, widget_hosts=SHOP, phone="030 1234567", monday="9–17")
    found: dict[str, dict[str, list[str]]] = {}
    only = {
        "de": make_article("Only English", language="en", synced=False),
        "en": make_article("Nur Deutsch", language="de", synced=False),
    }
    for language in ("de", "en"):
        category = make_category("Abo" if language == "de" else "Plans", language=language)
        article = make_article("Pause", _BODY, language=language, category=category, synced=False)
        other = make_article("Preise", "Text.", language=language, category=category, synced=False)
        shown = answered(article, other, text="Was kostet eine Pause?", language=language)
        judged = answered(article, text="Und wie lange?", language=language, conversation=shown.conversation)
        leave_feedback(question=judged, helpful=False, reason=FeedbackReason.WRONG, comment="Nein.")
        lost = escalated(article, text="Welcher Wein?", language=language)
        waiting = question("Warum?", language=language, status="received")
        grave = [_grave(matter, language) for matter in ("self_harm", "danger", "complaint")]
        tickets = [_ticket(language, status, staff) for status in TicketStatus.values]
        questions: list[Question] = [shown, judged, lost, waiting, *grave]
        found[language] = {
            # The quote marked, and one that is lost; and what the other language alone has.
            "article": [
                article.slug,
                f"{article.slug}?quote=0-5.1",
                f"{article.slug}?quote=0-5.7",
                only[language].slug,
            ],
            "category": [category.slug],
            "answer": [str(one.public_id) for one in questions],
            "conversation": [str(one.conversation.public_id) for one in questions[1:4]],
            "ticket": tickets,
        }
    return found


_BODY = """First [a link](https://example.org/) and a list:

- one
- two

## Steps

1. Open the app
2. Tap **Pause**

| Plan | Price |
|---|---|
| S | 9 € |

> **Note:** only once.

## Costs

`code` and more.

## Afterwards

The end.
"""


def _grave(matter: str, language: str) -> Question:
    asked = escalated(text="Hilfe!", language=language)
    Ticket.objects.filter(question=asked).update(matter=matter, reason="sensitive")
    return asked


def _ticket(language: str, status: str, staff: Any) -> str:
    if status == TicketStatus.AWAITING_CONTACT:
        return Ticket.objects.get(question=escalated(text="Wann?", language=language)).token
    opened = open_ticket(
        subject="Brakes", detail="They squeal.", contact_email="a@example.org", language=language
    )
    add_staff_message(ticket=opened, author=staff, body="Which wheel?")
    opened.status = status
    opened.save()
    return opened.token


def _localised(resolver: URLResolver) -> Iterator[Any]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _localised(entry)
        else:
            yield entry


def _pages(language: str, examples: dict[str, list[str]]) -> list[str]:
    """Every public page of one language, from the addresses themselves, and the errors that have no address."""
    localised = next(
        entry
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLResolver) and isinstance(entry.pattern, LocalePrefixPattern)
    )
    found = []
    for entry in _localised(localised):
        if entry.name in NO_PAGE:
            continue
        parts = list(entry.pattern.converters)
        if not parts:
            found.append(reverse(entry.name))
            continue
        assert entry.name in examples, (
            f"no example of “{entry.name}”: add one above, or say in NO_PAGE what it is"
        )
        for value in examples[entry.name]:
            value, _mark, query = value.partition("?")
            found.append(reverse(entry.name, kwargs={parts[0]: value}) + (f"?{query}" if query else ""))
    searches = [f"/{language}/search/?q=pause", f"/{language}/search/?q=qwertz", f"/{language}/search/?q=..."]
    widget = f"/w/{Pass(SHOP, accent='#7a1fa2').signed()}"
    shown = examples["conversation"][0]
    in_widget = [f"{widget}/{language}/{path}" for path in ("widget/", f"conversations/{shown}/", "contact/")]
    return [*found, *searches, *in_widget, f"/{language}/nothing-here/", f"/widget/demo/?language={language}"]


def _errors(language: str, settings: Any) -> dict[str, Any]:
    """Pages that no address shows when asked: made as the site makes them, and put under one."""
    site, factory = f"/{language}", RequestFactory()
    sent = factory.post(
        f"{site}/contact/", {"subject": "Rad", "detail": "Es quietscht.", "contact_email": "a@b.de"}
    )
    client, strict = Client(), Client(enforce_csrf_checks=True)
    long = b"text=" + b"x" * 2_000_000
    found: dict[str, Any] = {
        "400": client.get(f"{site}/", headers={"host": "..."}),
        "403-form": strict.post(f"{site}/contact/", sent.POST.dict()),
        "413": client.post(f"{site}/ask/", long, content_type="application/x-www-form-urlencoded"),
        "422-ask": client.post(f"{site}/ask/", {"text": ""}),
        "422-contact": client.post(f"{site}/contact/", {"subject": "Rad"}),
        "500": server_error(factory.get(f"{site}/")),
        "503": outage_response(factory.get(f"{site}/")),
        "503-typed": outage_response(sent),
    }
    settings.ABUSE_PROTECTION = True
    settings.FORM_SECONDS = 2.0
    settings.BUDGETS = dict.fromkeys(settings.BUDGETS, ("off", "off")) | {"questions": ("1/hour", "off")}
    found["422-program"] = client.post(f"{site}/contact/", sent.POST.dict())
    for _question in range(2):
        found["429"] = client.post(f"{site}/ask/", {"text": "Warum?"})
    forbidden = factory.get(f"{site}/")
    forbidden.user = AnonymousUser()
    with translation.override(language):
        found["429-short"] = short_refusal(forbidden, 3.0)
        found["403"] = permission_denied(forbidden, PermissionDenied())
    settings.ABUSE_PROTECTION = False
    for name, response in found.items():
        assert str(response.status_code) == name[:3]
    return found


def _violations(page: Page, rules: list[str] | None = None) -> list[str]:
    run_only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    found = page.evaluate(
        "options => axe.run(document, options)", {"runOnly": run_only, "resultTypes": ["violations"]}
    )
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in found["violations"]
    ]


def _short(address: str) -> str:
    return re.sub("/w/[^/]+", "/w/…", address)


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_page_has_a_violation(browser, live_server, examples, settings, language):
    settings.WIDGET_DEMO = True
    with translation.override(language):
        addresses = _pages(language, examples[language])
    page, watch = open_page(browser, live_server.url, language=language, bypass_csp=True)
    made = {f"/made/{name}/": one for name, one in _errors(language, settings).items()}
    page.route(
        "**/made/*/",
        lambda route: route.fulfill(
            body=made[urlsplit(route.request.url).path].content, content_type="text/html; charset=utf-8"
        ),
    )
    found: dict[str, list[str]] = {}
    for address in [*addresses, *made]:
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")
        page.goto(address, wait_until="load")
        page.evaluate(AXE_SCRIPT)
        for size, scheme in _LOOKS:
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            # What does not depend on colours was looked at in light already.
            wrong = _violations(page, ["color-contrast"] if scheme == "dark" else None)
            if wrong:
                found[f"{_short(address)} {size['width']} {scheme}"] = wrong
        page.set_viewport_size(NARROW)
        if page.evaluate("document.documentElement.scrollWidth") > NARROW["width"]:
            found[f"{_short(address)} {NARROW['width']}"] = ["scrolls sideways"]
    assert found == {}, json.dumps(found, indent=1, ensure_ascii=False)
    assert watch.problems == []
