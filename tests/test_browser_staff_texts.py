"""An agent has a ticket summed up in a browser, and goes from a sentence to the message it stands on."""

import pytest
from playwright.sync_api import Browser, expect

from assistant.models import TicketMessage
from assistant.services import add_staff_message
from assistant.writers import forget_writers
from tests.browsing import DESKTOP, open_page
from tests.chat_server import ChatServer
from tests.desk_samples import arrived
from tests.test_staff_texts import ASKED, LATER, OPEN, PROMISED, SENT, TRIED, WANTS, says

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_messages_to_a_summary_and_back(browser: Browser, live_server, admin_user, settings):
    with ChatServer() as server:
        settings.ANSWER_WRITER = "openai:some-model"
        settings.WRITER_BASE_URL, settings.WRITER_API_KEY = server.url, "key"
        forget_writers()
        server.behaviour = says(WANTS, SENT, OPEN, PROMISED)
        ticket = arrived(subject="Display", detail=ASKED, contact_name="Ada Lovelace")
        sent = add_staff_message(ticket=ticket, author=admin_user, body=TRIED, is_internal=False)
        TicketMessage.objects.create(ticket=ticket, author_kind="customer", body=LATER)
        page, _watch = open_page(browser, live_server.url, viewport=DESKTOP)
        page.goto(f"/admin/login/?next=/admin/assistant/ticket/{ticket.pk}/change/")
        page.fill("#id_username", "admin")
        page.fill("#id_password", "password")
        page.click("[type=submit]")
        page.fill("#reply textarea", "Typed and not sent.")
        page.get_by_role("button", name="Have the messages summed up").click()
        summary = page.locator("#summary")
        expect(summary).to_contain_text(WANTS[1])
        expect(summary).not_to_contain_text("200 euros")
        expect(page.locator("#reply textarea")).to_have_value("Typed and not sent.")
        summary.get_by_role("link", name="message", exact=True).first.click()
        assert page.url.endswith(f"#message-{sent.pk}")
        page.reload()
        expect(summary).to_contain_text("Written by a language model from these messages")
        assert len(server.asked) == 1
        page.context.close()
    forget_writers()
