"""One working day on the demo's articles: from a question that is too weak to the gap at the editors' desk.

Nothing is sent and nothing comes in but through what production has: SMTP to a server on a port, and the signed webhook
for mail.
"""

import os
import time
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from playwright.sync_api import Browser, Page, expect

from assistant.desk.sweep import keep_the_rules
from assistant.hooks.signatures import new_secret, sign
from assistant.labels import site_labels
from assistant.mailroom.inbox import process_due
from assistant.mailroom.models import InboundMail
from assistant.models import Mail, Ticket, TicketMessage
from assistant.outbox import send_due
from helpcenter.management.commands.demo import CONTENT
from tests.browsing import DESKTOP, open_page
from tests.desk import member
from tests.smtp_sink import SmtpSink

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GAP = "Can I ride the bike with a trailer for my two dogs?"
SHOTS = os.environ.get("DAY_SHOTS")  # a folder for pictures of each station, to be looked at


@pytest.fixture
def post_office(settings):
    sink = SmtpSink()
    sink.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", sink.port, 20
    settings.MAIL_ADDRESS = "help@example.net"
    settings.MAIL_WEBHOOK_SECRETS = [new_secret()]
    yield sink
    sink.stop()


def sign_in(page: Page, name: str, to: str) -> None:
    page.context.clear_cookies()
    page.goto(f"/admin/login/?next={to}")
    page.fill("#id_username", name)
    page.fill("#id_password", "a good passphrase")
    page.click("[type=submit]")


def look(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def post_mail(site: str, raw: bytes) -> int:
    """As a mail service does it."""
    moment, message_id = int(time.time()), "msg_of_a_day"
    signature = sign(settings.MAIL_WEBHOOK_SECRETS, message_id=message_id, timestamp=moment, body=raw)
    request = urllib.request.Request(
        f"{site}/inbound/mail/",
        data=raw,
        headers={
            "webhook-id": message_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature,
            "Content-Type": "message/rfc822",
        },
    )
    with urllib.request.urlopen(request) as response:
        return int(response.status)


def test_one_day(browser: Browser, live_server, post_office: SmtpSink, phrases):
    call_command("import_articles", str(CONTENT / "en"), publish=True, source="demo", verbosity=0)
    agent, _editor = member("Support"), member("Editors")
    page, watch = open_page(browser, live_server.url, viewport=DESKTOP)

    # 9:00 a customer asks what no article answers, and leaves an address
    page.goto("/en/")
    page.locator("form[action='/en/ask/'] textarea, form[action='/en/ask/'] input[name=text]").first.fill(GAP)
    page.keyboard.press("Enter")
    page.wait_for_url("**/conversations/**")
    email = page.locator("input[name=contact_email]").first
    expect(email).to_be_visible()
    look(page, "1-declined")
    email.fill("ada@example.org")
    page.locator("form:has(input[name=contact_email]) button[type=submit]").first.click()
    expect(page.locator("main")).to_contain_text("T-")
    ticket = Ticket.objects.get()
    assert ticket.question is not None and ticket.question.text == GAP and ticket.status == "open"
    look(page, "2-ticket-of-the-customer")
    send_due()
    assert post_office.mails[-1]["To"] == "ada@example.org"  # the confirmation

    # 9:05 the queue: an agent takes it
    sign_in(page, "support", "/admin/assistant/ticket/")
    keep_the_rules()
    look(page, "3-queue")
    page.get_by_role("link", name=ticket.reference).first.click()
    page.locator("#id_assignee").select_option(str(agent.pk))

    # 9:10 a suggested reply, edited, and sent
    page.get_by_role("link", name="Suggest a reply").click()
    expect(page.locator("#suggestion")).to_contain_text("Articles to point to")
    look(page, "4-suggestion")
    page.locator("#suggestion button[data-insert]").first.click()
    text = page.locator(".hc-reply textarea")
    suggested = text.input_value()
    assert suggested
    text.fill(f"Dear Ada,\n\ntrailers are fine up to 40 kg. How heavy are your dogs?\n\n{suggested}")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#hc-thread")).to_contain_text("leaves in a moment")
    look(page, "5-sent")
    reply = TicketMessage.objects.get(author=agent)
    TicketMessage.objects.update(held_until=reply.created_at)  # ten seconds later
    Mail.objects.filter(message=reply).update(due_at=reply.created_at)
    send_due()
    ticket.refresh_from_db()
    assert ticket.assignee == agent and ticket.status == "pending"
    out = post_office.mails[-1]
    assert "How heavy are your dogs?" in str(out)

    # 11:00 the customer answers that mail
    answer = (
        f"From: Ada <ada@example.org>\r\nTo: {out['Reply-To']}\r\nSubject: Re: {out['Subject']}\r\n"
        f"Message-ID: <day@example.org>\r\nIn-Reply-To: {out['Message-ID']}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        "Both together 31 kg.\r\n\r\nOn Monday, Support wrote:\r\n> How heavy are your dogs?\r\n"
    )
    assert post_mail(live_server.url, answer.encode()) == 202
    process_due()
    assert InboundMail.objects.get().ticket == ticket
    page.goto("/admin/assistant/ticket/")
    expect(page.locator("#result_list")).to_contain_text(ticket.reference)  # it waits for us again
    page.get_by_role("link", name=ticket.reference).first.click()
    expect(page.locator("#hc-thread")).to_contain_text("Both together 31 kg.")
    look(page, "6-answered-by-mail")

    # 11:10 solved, with what it teaches
    before = len(site_labels().questions)
    page.locator(".hc-reply textarea").fill("Then a trailer is fine. Have a good ride!")
    page.locator("#id_lesson label", has_text="An article is missing").click()
    page.get_by_role("button", name="Send and mark as solved").click()
    expect(page.locator("#hc-thread")).to_contain_text("Have a good ride!")
    ticket.refresh_from_db()
    assert ticket.status == "solved" and ticket.lesson.kind == "missing"
    look(page, "7-solved")
    assert len(site_labels().questions) == before + 1  # what calibration learns from

    # 14:00 the editors' desk
    sign_in(page, "editors", "/admin/gaps/")
    page.get_by_role("button", name="Group anew").click()
    page.goto("/admin/gaps/?show=single")  # loads itself anew until they are grouped
    expect(page.locator("#content")).to_contain_text(GAP)
    look(page, "8-gap")
    assert watch.problems == []
