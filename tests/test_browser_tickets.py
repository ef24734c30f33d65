"""A working day at the desk, in a browser: keys, news while typing, a suggestion, a reply taken back and sent."""

import re

import pytest
from playwright.sync_api import expect

from assistant.models import Mail, Ticket, TicketMessage
from assistant.outbox import send_due
from assistant.services import add_customer_message, add_staff_message, ask_question
from tests.browsing import DESKTOP, open_page
from tests.desk_samples import arrived

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"  # the page asks at once


def test_a_working_day_at_the_desk(browser, live_server, client, staff, pause, mailoutbox, customer):
    question = ask_question(
        text="What does a pause cost for a unicorn carriage?",
        contact_email="ada@example.org",
        contact_name="Ada",
    )
    other = arrived(subject="Old invoice")
    ticket = (
        question.ticket
        if question.status == "escalated"
        else arrived(question=question, subject="Pause cost")
    )
    client.force_login(staff)
    page, watch = open_page(browser, live_server.url, viewport=DESKTOP)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )

    # the queue, by keys
    page.goto("/admin/assistant/ticket/")
    page.keyboard.press("?")
    expect(page.locator("#hc-shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    page.locator("#searchbar").press("j")
    expect(page.locator("tr.hc-marked")).to_have_count(0)  # typing is typing
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.locator(".messagelist")).to_contain_text("2 tickets were changed")
    assert set(Ticket.objects.values_list("assignee", flat=True)) == {staff.pk}

    # it keeps itself up to date, and what is selected stays selected
    page.locator(f"input.action-select[value='{other.pk}']").check()
    add_customer_message(ticket=other, body="Any news?")
    arrived(subject="Brand new")
    page.evaluate(LOOK)
    expect(page.locator("#result_list")).to_contain_text("Brand new")
    expect(page.locator("#hc-live .hc-news")).to_contain_text(f"New in {other.reference}")
    expect(page.locator(f"input.action-select[value='{other.pk}']")).to_be_checked()
    expect(page.locator(".hc-queues [data-queue=open] .hc-count")).to_have_text("3")

    # news do not touch what is being typed
    page.goto(f"/admin/assistant/ticket/{ticket.pk}/change/")
    page.keyboard.press("r")
    text = page.locator(".hc-reply textarea")
    expect(text).to_be_focused()
    text.type("Dear Ada,")
    # In this order: the page looks by itself as well, and may do so between the two.
    Ticket.objects.filter(pk=ticket.pk).update(priority=4)
    add_customer_message(ticket=ticket, body="It is for a wedding.")
    page.evaluate(LOOK)
    expect(page.locator(".hc-fresh")).to_contain_text("Customer has written.")
    page.get_by_role("button", name="Show it here").click()
    expect(page.locator("#hc-thread .hc-new")).to_contain_text("It is for a wedding.")
    expect(page.locator("#id_priority")).to_have_value("4")
    expect(text).to_have_value("Dear Ada,")

    # a suggestion is put into the text
    page.get_by_role("link", name="Suggest a reply").click()
    page.get_by_role("button", name="Insert all that the customer may read").click()
    expect(text).to_have_value(re.compile(r"^Dear Ada,\n\n.*9 euros", re.DOTALL))

    # sent, taken back, sent for good
    text.press("Control+Enter")
    page.get_by_role("button", name="Take back").click()
    expect(text).to_have_value(re.compile("^Dear Ada,"))
    assert not Mail.objects.filter(message__isnull=False).exists()
    page.locator("#id_lesson label", has_text="The assistant should have answered").click()
    page.locator("#id_answered_by").fill(f"#{pause.pk}")
    page.get_by_role("button", name="Send and mark as solved").click()
    expect(page.locator("#hc-thread")).to_contain_text("leaves in a moment")
    assert Ticket.objects.get(pk=ticket.pk).status == "solved"
    assert not mailoutbox or all("Dear Ada" not in one.body for one in mailoutbox)
    sent = TicketMessage.objects.get(withdrawn_at=None, is_internal=False, author=staff)
    Mail.objects.filter(message=sent).update(due_at=sent.created_at)
    TicketMessage.objects.filter(pk=sent.pk).update(held_until=sent.created_at)
    send_due()
    assert "9 euros" in mailoutbox[-1].body
    assert Ticket.objects.get(pk=ticket.pk).lesson.article == pause

    # the customer says how it went
    page.goto(f"/en/tickets/{ticket.token}/")
    page.locator("#rating").get_by_role("button", name="Yes").click()
    expect(page.locator("#rating")).to_contain_text("Good to hear")
    assert Ticket.objects.get(pk=ticket.pk).rating.is_content
    add_staff_message(ticket=ticket, author=staff, body="Note", is_internal=True)
    assert watch.problems == []
