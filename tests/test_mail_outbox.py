"""Mails that are owed: each arrives at least once, under one Message-ID, whatever fails in between."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from assistant import outbox
from assistant.models import Mail, Ticket, TicketStatus
from assistant.services import add_staff_message, complete_ticket, open_ticket
from assistant.sweeping import Sweeper
from tests.databases import database_url
from tests.processes import free_port, kill, start_python, wait_until
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)

SEND = """
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from assistant import outbox
outbox.send_due()
print("through", flush=True)
"""


@pytest.fixture
def smtp(settings):
    sink = SmtpSink()
    sink.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", sink.port, 20
    yield sink
    sink.stop()


def ask_for_a_person(email: str = "ada@example.org") -> Ticket:
    return open_ticket(subject="Invoice", detail="It is missing.", contact_email=email, language="en")


def owe(email: str = "ada@example.org") -> Mail:
    """A mail for which nobody rings, as after a crash right behind the commit."""
    ticket = Ticket.objects.create(
        subject="Invoice",
        reason="customer_request",
        language="en",
        status=TicketStatus.OPEN,
        contact_email=email,
    )
    return Mail.objects.create(ticket=ticket)


def time_passes() -> None:
    """Every pause and every lease is over."""
    Mail.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))


def test_a_confirmation_and_a_reply_leave_once_and_their_rows_say_so(smtp, staff):
    ticket = ask_for_a_person()
    message = add_staff_message(ticket=ticket, author=staff, body="Here it is.")
    outbox.send_due()
    ids = [mail["Message-ID"] for mail in smtp.mails]
    assert ids == [f"<ticket-{ticket.pk}@localhost>", f"<message-{message.pk}@localhost>"]
    assert [mail["To"] for mail in smtp.mails] == ["ada@example.org"] * 2
    assert all(mail.sent_at and mail.due_at is None for mail in Mail.objects.all())


def test_what_is_rolled_back_owes_nothing(smtp, staff):
    def fail_after(cause) -> None:
        with transaction.atomic():
            cause()
            raise ZeroDivisionError

    waiting = Ticket.objects.create(subject="S", reason="low_confidence", language="en")
    complete = owe().ticket
    Mail.objects.all().delete()
    for cause in (
        ask_for_a_person,
        lambda: complete_ticket(ticket=waiting, contact_email="ada@example.org"),
        lambda: add_staff_message(ticket=complete, author=staff, body="No."),
    ):
        with pytest.raises(ZeroDivisionError):
            fail_after(cause)
    assert not Mail.objects.exists()
    outbox.send_due()
    assert not smtp.mails


def test_an_internal_note_is_owed_to_nobody(staff):
    add_staff_message(ticket=ask_for_a_person(), author=staff, body="Careful.", is_internal=True)
    assert Mail.objects.get().message is None


def test_a_server_that_is_away_for_a_while_gets_the_mail_once_it_is_back(smtp, caplog):
    smtp.stop()
    with caplog.at_level(logging.WARNING):
        ticket = ask_for_a_person()
    mail = Mail.objects.get()
    assert ticket.status == TicketStatus.OPEN
    assert (mail.attempts, mail.sent_at) == (1, None)
    assert "refused" in mail.error
    assert "ada@example.org" not in caplog.text and "Invoice" not in caplog.text
    smtp.start()
    outbox.send_due()
    assert not smtp.mails  # it waits for its next try
    time_passes()
    outbox.send_due()
    assert [sent["To"] for sent in smtp.mails] == ["ada@example.org"]
    mail.refresh_from_db()
    assert mail.sent_at and mail.error == ""


def test_an_unreachable_server_is_asked_once_a_sweep_and_not_once_a_mail(smtp):
    for _number in range(3):
        owe()
    smtp.stop()
    outbox.send_due()
    assert sorted(Mail.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_an_address_that_is_refused_for_good_is_not_tried_again_and_holds_up_nobody(smtp):
    smtp.refusals["gone@example.org"] = "550 5.1.1 no such mailbox"
    refused, fine = owe("gone@example.org"), owe()
    outbox.send_due()
    refused.refresh_from_db()
    fine.refresh_from_db()
    assert refused.is_given_up and refused.attempts == 1
    assert refused.error == "550 5.1.1 no such mailbox"
    assert fine.sent_at
    time_passes()
    outbox.send_due()
    assert smtp.connections == 2


def test_a_mail_that_cannot_be_written_holds_up_nobody_either(smtp):
    broken, fine = owe("ada\n@example.org"), owe()
    outbox.send_due()
    broken.refresh_from_db()
    fine.refresh_from_db()
    assert fine.sent_at and not broken.sent_at
    assert broken.error


def test_after_five_tries_staff_see_the_error_correct_the_address_and_send_again(smtp, client, staff):
    smtp.refusals["ada@example.or"] = "451 4.4.4 cannot be reached"
    ticket = ask_for_a_person("ada@example.or")
    pauses = []
    while (mail := Mail.objects.get()).due_at is not None:
        assert mail.attempts < 20
        pauses.append(mail.due_at - timezone.now())
        time_passes()
        outbox.send_due()
    assert mail.attempts == outbox.MAX_ATTEMPTS == 5
    assert mail.is_given_up
    assert pauses == sorted(pauses) and pauses[-1] > timedelta(hours=8)

    client.force_login(staff)
    address = f"/admin/assistant/ticket/{ticket.pk}/change/"
    page = client.get(address).content.decode()
    assert "451 4.4.4 cannot be reached" in page
    assert 'name="_send_again"' in page
    tickets = "/admin/assistant/ticket/"
    assert list(client.get(tickets, {"queue": "mail"}).context["cl"].queryset) == [ticket]
    form = {
        **{"status": "open", "priority": 2, "contact_email": "", "_send_again": ""},
        **{"messages-TOTAL_FORMS": 0, "messages-INITIAL_FORMS": 0},
    }
    assert client.post(address, form).status_code == 200  # without an address it is refused
    assert client.post(address, form | {"contact_email": "ada@example.org"}).status_code == 302
    assert [sent["To"] for sent in smtp.mails] == ["ada@example.org"]
    page = client.get(address).content.decode()
    assert "451" not in page and 'name="_send_again"' not in page
    assert not client.get(tickets, {"queue": "mail"}).context["cl"].queryset


def test_a_list_of_tickets_can_be_sent_again_at_once(smtp, client, staff):
    smtp.refusals["ada@example.org"] = "550 5.7.1 not from you"
    tickets = [ask_for_a_person(), ask_for_a_person()]
    smtp.refusals.clear()
    client.force_login(staff)
    chosen = {"action": "send_mail_again", "_selected_action": [ticket.pk for ticket in tickets]}
    client.post("/admin/assistant/ticket/", chosen)
    client.post("/admin/assistant/ticket/", chosen)
    assert len(smtp.mails) == 2


@pytest.mark.parametrize("moment", ["connected", "taken"])
def test_a_process_that_is_killed_while_it_sends_leaves_the_mail_to_the_next_sweep(smtp, tmp_path, moment):
    """`connected`: between claim and sending. `taken`: the server has it, the row does not know yet."""
    ticket = owe().ticket
    reached, killed = threading.Event(), threading.Event()

    def wait_to_be_killed() -> None:
        reached.set()
        killed.wait(30)

    smtp.at[moment] = wait_to_be_killed
    process = start_python(
        tmp_path, SEND, DATABASE_URL=database_url(), EMAIL_URL=f"smtp://127.0.0.1:{smtp.port}"
    )
    try:
        wait_until(reached.is_set, seconds=60, what="the process talks to the server")
    finally:
        kill(process)
        killed.set()
    assert process.communicate()[0] == ""
    assert list(Mail.objects.values_list("sent_at", "attempts")) == [(None, 1)]

    smtp.at.clear()
    outbox.send_due()
    assert len(smtp.mails) == (moment == "taken")  # the lease of the killed process still runs
    time_passes()
    outbox.send_due()
    assert Mail.objects.get().sent_at
    assert {sent["Message-ID"] for sent in smtp.mails} == {f"<ticket-{ticket.pk}@localhost>"}
    assert len(smtp.mails) == 1 + (moment == "taken")


def test_many_senders_at_once_send_each_mail_once(smtp):
    for number in range(6):
        owe(f"customer-{number}@example.org")

    def send(_number: int) -> None:
        try:
            outbox.send_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))
    assert sorted(mail["To"] for mail in smtp.mails) == [f"customer-{n}@example.org" for n in range(6)]


def test_with_the_loop_of_serve_nobody_waits_for_the_mail_server(smtp, client):
    answers = threading.Event()
    smtp.at["connected"] = lambda: answers.wait(20)
    sweeper = Sweeper()
    sweeper.start()
    try:
        form = {"subject": "Invoice", "detail": "Missing.", "contact_email": "ada@example.org"}
        assert client.post("/en/contact/", form).status_code == 302
        wait_until(lambda: smtp.connections, seconds=120, what="the loop turns to the server")
        assert not smtp.mails  # the customer has a ticket, and the server has not said a word yet
        answers.set()
        wait_until(lambda: Mail.objects.get().sent_at, seconds=120, what="the mail is sent")
    finally:
        answers.set()
        sweeper.stop(timeout_seconds=120)
    assert not sweeper.is_alive()


def test_a_broker_that_is_away_costs_no_ticket_and_no_mail(smtp):
    from helpcenter.celery import app

    kept = app.conf.task_always_eager, app.conf.broker_write_url
    app.conf.update(task_always_eager=False, broker_write_url=f"redis://127.0.0.1:{free_port()}/0")
    try:
        ticket = ask_for_a_person()
    finally:
        app.conf.update(task_always_eager=kept[0], broker_write_url=kept[1])
    assert ticket.status == TicketStatus.OPEN
    assert not smtp.mails
    outbox.send_due()
    assert len(smtp.mails) == 1


def test_given_up_is_the_same_on_the_row_and_in_the_query():
    now = timezone.now()
    rows = [
        owe(),
        owe(),
        owe(),
    ]
    Mail.objects.filter(pk=rows[1].pk).update(due_at=None)
    Mail.objects.filter(pk=rows[2].pk).update(due_at=None, sent_at=now)
    assert set(Mail.objects.given_up()) == {mail for mail in Mail.objects.all() if mail.is_given_up}
    assert Mail.objects.given_up().get() == rows[1]
