"""E-mail that comes in: taken once, put where it belongs, never answered where no person wrote it."""

import io
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail as outgoing
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from assistant import outbox
from assistant.hooks.signatures import new_secret, sign
from assistant.mailroom import filing, inbox
from assistant.mailroom.addresses import reply_address, ticket_of_address
from assistant.mailroom.files import Refusal
from assistant.mailroom.models import InboundMail, Outcome, Source, Step
from assistant.models import Mail, MessageAuthor, Ticket, TicketMessage, TicketReason, TicketStatus
from assistant.services import add_staff_message, open_ticket
from tests.mail_corpus import PERSON, _file, bounce, corpus, mail, multipart, part

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_comes_in(settings):
    settings.MAIL_ADDRESS = "help@example.net"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def ticket() -> Ticket:
    return open_ticket(
        subject="Invoice", detail="It is missing.", contact_email="Ada@example.org", language="en"
    )


def take(raw: bytes, **options) -> Any:
    """Accepted and filed; a draft that is owed is left alone."""
    row, _is_new = inbox.accept(raw, source=Source.PIPE, **options)
    if row.step == Step.RECEIVED:
        filing.file_mail(row)
    row.refresh_from_db()
    return row


def answering(ticket: Ticket, body: str = "Here it is.", **options) -> bytes:
    return mail(body, headers=f"In-Reply-To: <ticket-{ticket.pk}@localhost>\n", **options)


def sent_to(address: str, body: str = "Here it is.", **options) -> bytes:
    return mail(body, headers=f"Delivered-To: {address}\n", **options)


def address_of(ticket: Ticket) -> str:
    address = reply_address(ticket)
    assert address is not None
    return address


# --- matching ---------------------------------------------------------------------------------------------


def test_a_reply_to_our_mail_joins_its_thread_and_the_quote_is_folded_away(ticket, staff):
    message = add_staff_message(ticket=ticket, author=staff, body="What is your number?")
    outbox.send_due()
    ours = outgoing.outbox[-1]
    assert ours.reply_to == [address_of(ticket)] and ours.extra_headers["X-Helpcenter-Loop"] == "localhost"
    body = "4711\n\nOn 12/03/2026 10:22, Help wrote:\n> What is your number?\n\n-- \nAda"
    row = take(
        mail(body, headers=f"References: <ticket-{ticket.pk}@localhost> <message-{message.pk}@localhost>\n")
    )
    ticket.refresh_from_db()
    assert (row.outcome, row.ticket, row.step) == (Outcome.REPLY, ticket, Step.DONE)
    assert row.message.body == "4711" and row.message.author_kind == MessageAuthor.CUSTOMER
    assert "What is your number?" in row.quoted and "Ada" in row.signature
    assert ticket.status == TicketStatus.OPEN


@pytest.mark.parametrize("status", [TicketStatus.PENDING, TicketStatus.SOLVED, TicketStatus.CLOSED])
def test_a_reply_opens_a_settled_ticket_again(ticket, status):
    Ticket.objects.filter(pk=ticket.pk).update(status=status)
    take(answering(ticket))
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_the_signed_address_finds_the_ticket_where_the_ids_were_changed_underway(ticket):
    row = take(sent_to(address_of(ticket).upper()))
    assert (row.outcome, row.ticket) == (Outcome.REPLY, ticket)


def test_a_number_in_the_subject_serves_the_customer_and_nobody_else(ticket):
    own = take(mail("Mine.", subject=f"AW: [{ticket.reference}] Our reply"))
    assert (own.outcome, own.ticket) == (Outcome.REPLY, ticket)
    strange = take(
        mail("Let me in.", subject=f"[{ticket.reference}] Our reply", sender="Eve <eve@example.org>")
    )
    assert strange.outcome == Outcome.TICKET and strange.ticket != ticket


def test_a_stranger_who_guesses_our_ids_gets_a_ticket_of_their_own(ticket):
    row = take(answering(ticket, sender="Eve <eve@example.org>"))
    assert row.outcome == Outcome.TICKET and row.ticket.contact_email == "eve@example.org"
    assert not ticket.messages.exists()


def test_a_stranger_at_the_signed_address_is_read_by_staff_alone(ticket, client):
    row = take(sent_to(address_of(ticket), "I am her colleague.", sender="Bob <bob@example.org>"))
    assert (row.outcome, row.ticket) == (Outcome.NOTE, ticket)
    assert row.message.is_internal and "bob@example.org" in row.message.body
    assert "colleague" not in client.get(ticket.get_absolute_url()).content.decode()


def test_an_address_with_a_wrong_signature_is_no_key(ticket):
    address = address_of(ticket)
    local, _at, domain = address.partition("@")
    forged = f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}"
    assert ticket_of_address(address) == ticket and ticket_of_address(forged) is None
    assert take(sent_to(forged, sender="Eve <eve@example.org>")).ticket != ticket


def test_without_tags_replies_go_to_the_address_itself_and_are_known_by_what_they_answer(ticket, settings):
    settings.MAIL_TAG_SEPARATOR = "none"
    assert address_of(ticket) == "help@example.net"
    assert take(answering(ticket)).outcome == Outcome.REPLY


def test_a_new_secret_key_ends_no_reply_address(ticket, settings):
    address = address_of(ticket)
    settings.SECRET_KEY = "another " * 8
    assert ticket_of_address(address) == ticket


def test_who_our_mail_server_found_forged_is_not_the_customer(ticket, settings):
    settings.MAIL_AUTHSERV_ID = "mx.example.net"
    verdict = (
        "Authentication-Results: {}; spf=pass smtp.mailfrom=eve.example; dmarc=fail header.from=example.org\n"
    )
    ids = f"In-Reply-To: <ticket-{ticket.pk}@localhost>\n"
    forged = take(mail("Send it to my new address.", headers=verdict.format("mx.example.net") + ids))
    assert forged.outcome == Outcome.TICKET and forged.ticket != ticket
    assert not Mail.objects.filter(
        ticket=forged.ticket
    ).exists()  # the named sender wrote nothing: no confirmation
    elsewhere = take(mail("Mine.", headers=verdict.format("mx.evil.example") + ids))
    assert elsewhere.outcome == Outcome.REPLY


def test_staff_who_answer_a_mail_leave_a_note(ticket, staff):
    row = take(answering(ticket, "I called her.", sender="staff@example.org"))
    assert row.outcome == Outcome.NOTE and row.message.is_internal and "I called her." in row.message.body


# --- new tickets ------------------------------------------------------------------------------------------


def test_an_unknown_sender_becomes_a_ticket_that_the_assistant_answers_as_a_draft_alone(pause, client):
    raw = mail(
        "Hello,\n\nwhat does a pause of my subscription cost?\n\nKind regards\nAda",
        subject="Pause",
    )
    row: Any = inbox.accept(raw, source=Source.PIPE)[0]
    inbox.process(row.pk)
    row.refresh_from_db()
    ticket = row.ticket
    assert (row.outcome, row.step, row.error) == (Outcome.TICKET, Step.DONE, "")
    assert (ticket.contact_email, ticket.contact_name) == ("ada@example.org", "Ada Lovelace")
    assert (ticket.subject, ticket.language, ticket.status) == ("Pause", "en", TicketStatus.OPEN)
    note = ticket.messages.get()
    assert note.is_internal and "9 euros a month" in note.body and "Pause your subscription" in note.body
    assert "[1]" in note.body and "%" in note.body
    outbox.send_due()
    assert [one.subject for one in outgoing.outbox] == [f"[{ticket.reference}] We have your request: Pause"]
    assert "9 euros" not in outgoing.outbox[0].body
    assert "9 euros" not in client.get(ticket.get_absolute_url()).content.decode()


def test_where_there_is_no_answer_the_note_says_why_and_what_came_closest(pause):
    row, _is_new = inbox.accept(
        mail("Where is the zeppelin museum of Friedrichshafen?", subject="Zeppelin"), source=Source.PIPE
    )
    inbox.process(row.pk)
    note = TicketMessage.objects.get()
    assert note.is_internal and "no draft" in note.body and "%" in note.body


def test_a_sensitive_matter_goes_to_a_person_without_a_draft(phrases):
    row = take(mail("I want to talk to my lawyer about this.", subject="Complaint"))
    assert row.ticket.reason == TicketReason.SENSITIVE and row.step == Step.DONE


def test_a_form_that_takes_no_replies_is_answered_where_it_says(settings):
    raw = mail("From the form.", sender="noreply@shop.example", headers="Reply-To: Ada <ada@example.org>\n")
    assert take(raw).ticket.contact_email == "ada@example.org"


def test_nobody_elses_reply_to_makes_somebody_the_customer(ticket):
    raw = answering(ticket, sender="eve@example.org").replace(
        b"MIME-Version", b"Reply-To: ada@example.org\r\nMIME-Version"
    )
    row = take(raw)
    assert row.ticket != ticket and row.ticket.contact_email == "eve@example.org"


def test_a_mail_without_a_sender_waits_for_a_contact():
    row = take(mail("Hello?", left_out=("From",)))
    assert row.ticket.status == TicketStatus.AWAITING_CONTACT and row.ticket.detail == "Hello?"


def test_a_text_that_is_too_long_is_shortened_and_said_so():
    row = take(mail("word " * 3000))
    assert len(row.ticket.detail) <= 5000 and row.ticket.detail.endswith("[shortened]")
    assert "shortened" in row.remarks and len(row.pieces[0][1]) > 14_000


# --- robots -----------------------------------------------------------------------------------------------


def test_a_bounce_is_told_in_its_ticket_and_reopens_nothing(ticket):
    Ticket.objects.filter(pk=ticket.pk).update(status=TicketStatus.SOLVED)
    row = take(bounce(f"<ticket-{ticket.pk}@localhost>"))
    ticket.refresh_from_db()
    assert (row.outcome, row.robot, row.ticket) == (Outcome.NOTE, "bounce", ticket)
    assert "No such user" in row.message.body and row.message.is_internal
    assert ticket.status == TicketStatus.SOLVED


def test_an_out_of_office_reply_is_a_note_and_owes_nothing(ticket):
    Mail.objects.all().delete()
    row = take(answering(ticket, "I am away.", subject="Automatic reply: Invoice"))
    assert row.outcome == Outcome.NOTE and row.message.is_internal
    assert not Mail.objects.exists()


def test_our_own_mail_that_comes_back_opens_nothing(ticket):
    outbox.send_due()
    raw = outgoing.outbox[0].message().as_bytes()
    before = Ticket.objects.count()
    assert take(raw).robot in ("own", "loop")
    assert Ticket.objects.count() == before


def test_very_many_mails_of_one_sender_are_put_aside_until_somebody_wants_them(settings, staff):
    settings.MAIL_SENDER_PER_HOUR = 3
    rows = [take(mail(f"Number {number}.")) for number in range(5)]
    assert [row.outcome for row in rows] == [Outcome.TICKET] * 3 + [Outcome.ASIDE] * 2
    assert [row.robot for row in rows[3:]] == ["flood"] * 2
    Mail.objects.all().delete()
    wanted = filing.take_in(rows[3])
    assert wanted.detail == "Number 3." and filing.take_in(rows[3]) == wanted
    assert not Mail.objects.exists()


def test_of_the_whole_corpus_nothing_is_lost_and_no_robot_is_answered(settings):
    settings.MAIL_SENDER_PER_HOUR = 10_000
    samples = corpus()
    for sample in samples:
        row: Any
        row, is_new = inbox.accept(sample.raw, source=Source.PIPE, return_path=sample.return_path)
        assert is_new, sample.name
        filing.file_mail(row)
        row.refresh_from_db()
        is_by_person = sample.kind == PERSON
        assert bytes(row.content.raw) == sample.raw, sample.name
        assert (row.robot == "") == is_by_person, sample.name
        assert (row.outcome == Outcome.TICKET) == is_by_person, sample.name
        if sample.text and sample.kind == PERSON:
            assert row.ticket.detail == sample.text or "shortened" in row.remarks, sample.name
        if sample.language and is_by_person and len(sample.text or "") > 40:
            assert row.ticket.language == sample.language, sample.name
    assert InboundMail.objects.count() == len(samples)
    persons = {row.ticket_id for row in InboundMail.objects.filter(robot="")}
    assert set(Mail.objects.values_list("ticket", flat=True)) <= persons
    assert not TicketMessage.objects.filter(is_internal=False).exists()


# --- once, and never lost ---------------------------------------------------------------------------------


def test_the_same_mail_by_another_way_is_the_same_row(ticket):
    raw = answering(ticket)
    first = take(raw)
    again = take(b"Received: from elsewhere\r\n" + raw.replace(b"\r\n", b"\n"))
    assert again == first and ticket.messages.count() == 1


def test_another_mail_under_the_same_id_is_another_mail(ticket):
    first, second = (answering(ticket, body, message_id="<same@example.org>") for body in ("One.", "Two."))
    take(first)
    take(second)
    assert [message.body for message in ticket.messages.all()] == ["One.", "Two."]


def test_filing_twice_changes_nothing(ticket):
    row = take(answering(ticket))
    InboundMail.objects.filter(pk=row.pk).update(due_at=None)
    filing.file_mail(row)
    assert ticket.messages.count() == 1


def test_what_fails_waits_longer_each_time_then_for_a_person_who_tries_again(monkeypatch):
    row, _is_new = inbox.accept(mail("Hello."), source=Source.PIPE)

    def fail(_mail):
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(filing, "file_mail", fail)
    pauses = []
    for _try in range(inbox.MAX_ATTEMPTS):
        inbox.process_due()
        row.refresh_from_db()
        pauses.append(row.due_at)
        InboundMail.objects.filter(pk=row.pk, due_at__isnull=False).update(due_at=timezone.now())
    assert pauses[0] and pauses[0] > timezone.now() + timedelta(seconds=50) and pauses[-1] is None
    assert row.is_given_up and row.error == "ZeroDivisionError: by nought"
    assert bytes(row.content.raw).endswith(b"Hello.")
    monkeypatch.undo()
    assert inbox.try_again(row)
    inbox.process_due()
    row.refresh_from_db()
    assert row.outcome == Outcome.TICKET and row.error == ""


def test_a_lease_that_ran_out_is_taken_by_the_next(ticket):
    inbox.accept(answering(ticket), source=Source.PIPE)
    InboundMail.objects.update(attempts=1, due_at=timezone.now() + timedelta(seconds=200))
    inbox.process_due()
    assert not ticket.messages.exists()
    InboundMail.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    inbox.process_due()
    assert ticket.messages.count() == 1


# --- attachments ------------------------------------------------------------------------------------------


def test_attachments_are_checked_and_told(ticket, client, staff):
    parts = [
        part("See attached.", "text/plain"),
        _file(b"%PDF-1.7", "application/pdf", "bill.pdf"),
        _file(b"MZ\x90", "application/pdf", "bill2.pdf"),
        _file(b"MZ\x90", "application/octet-stream", "setup.exe"),
        _file(b"<script>alert(1)</script>", "text/html", "page.html"),
    ]
    row = take(multipart("mixed", *parts, headers=f"In-Reply-To: <ticket-{ticket.pk}@localhost>\n"))
    refused = {entry["name"]: entry["refused"] for entry in row.attachments}
    assert refused == {
        "bill.pdf": "",
        "bill2.pdf": Refusal.LIES,
        "setup.exe": Refusal.TYPE,
        "page.html": Refusal.TYPE,
    }
    client.force_login(staff)
    page = client.get(reverse("admin:assistant_ticket_change", args=[ticket.pk])).content.decode()
    fetched = [
        reverse("admin:assistant_inboundmail_attachment", args=[row.pk, number]) for number in range(4)
    ]
    assert fetched[0] in page and not any(address in page for address in fetched[1:])
    answer = client.get(fetched[0])
    assert (
        answer.content == b"%PDF-1.7" and answer["Content-Disposition"] == 'attachment; filename="bill.pdf"'
    )
    assert [client.get(address).status_code for address in fetched[1:]] == [404] * 3
    original = client.get(reverse("admin:assistant_inboundmail_original", args=[row.pk]))
    assert (
        original.content == bytes(row.content.raw) and original["Content-Type"] == "application/octet-stream"
    )


# --- the admin --------------------------------------------------------------------------------------------


def test_staff_see_what_failed_or_was_put_aside_and_act_on_it(client, staff):
    client.force_login(staff)
    aside: Any = take(mail("News!", headers="List-Id: <news.example.org>\n"))
    failed, _is_new = inbox.accept(mail("Hello."), source=Source.PIPE)
    InboundMail.objects.filter(pk=failed.pk).update(due_at=None, attempts=5, error="ValueError: odd")
    listed = client.get(
        reverse("admin:assistant_inboundmail_changelist"), {"look": "failed"}
    ).content.decode()
    assert "ValueError: odd" in listed and f"/{aside.pk}/change/" not in listed
    page = reverse("admin:assistant_inboundmail_change", args=[failed.pk])
    assert "could not be filed" in client.get(page).content.decode()
    client.post(page, {"_try_again": "1"})
    inbox.process_due()
    failed.refresh_from_db()
    assert failed.outcome == Outcome.TICKET
    page = reverse("admin:assistant_inboundmail_change", args=[aside.pk])
    answer = client.post(page, {"_take_in": "1"})
    aside.refresh_from_db()
    assert aside.ticket.detail == "News!"
    assert answer.url == reverse("admin:assistant_ticket_change", args=[aside.ticket.pk])


def test_a_support_agent_may_look_and_act_and_an_editor_may_not(client):
    row = take(mail("News!", headers="List-Id: <news.example.org>\n"))
    for group, status in (("Support", 200), ("Editors", 403)):
        user = User.objects.create_user(group, is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        client.force_login(user)
        for address in (
            reverse("admin:assistant_inboundmail_change", args=[row.pk]),
            reverse("admin:assistant_inboundmail_original", args=[row.pk]),
        ):
            assert client.get(address).status_code == status, (group, address)


def test_the_list_of_mails_takes_the_same_queries_however_long_it_is(
    client, staff, django_assert_max_num_queries
):
    client.force_login(staff)
    for number in range(15):
        take(mail(f"Number {number}."))
    with django_assert_max_num_queries(8):
        client.get(reverse("admin:assistant_inboundmail_changelist"))


# --- ways in ----------------------------------------------------------------------------------------------


def post(client, raw: bytes, secret: str, *, message_id="msg_1", moment: float | None = None, **headers: Any):
    timestamp = int(moment if moment is not None else time.time())
    signature = sign([secret], message_id=message_id, timestamp=timestamp, body=raw)
    return client.generic(
        "POST",
        reverse("receive-mail"),
        raw,
        content_type="message/rfc822",
        headers={
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        | headers,
    )


def test_the_webhook_takes_what_is_signed_now_and_once(client, settings, ticket):
    secret, raw = new_secret(), answering(ticket)
    assert post(client, raw, secret).status_code == 404  # not set up
    settings.MAIL_WEBHOOK_SECRETS = [new_secret(), secret]
    taken = post(client, raw, secret)
    assert taken.status_code == 202 and taken.json()["new"] is True
    assert post(client, raw, secret).json() == {"id": taken.json()["id"], "new": False}
    assert InboundMail.objects.get().source == Source.WEBHOOK


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"moment": 1_000_000}, 401, "bad_signature"),
        ({"webhook-signature": "v1,AAAA"}, 401, "bad_signature"),
        ({"webhook-signature": ""}, 401, "bad_signature"),
        ({"webhook-timestamp": "soon"}, 401, "bad_signature"),
        ({"webhook-id": "msg_other"}, 401, "bad_signature"),
        ({"raw": b"  "}, 400, "empty"),
        ({"raw": b"x" * (1024 * 1024 + 1)}, 413, "too_large"),
    ],
)
def test_what_the_webhook_does_not_take_it_refuses_with_a_reason(client, settings, change, status, code):
    secret = new_secret()
    settings.MAIL_WEBHOOK_SECRETS, settings.MAIL_MAX_MB = [secret], 1
    raw = change.pop("raw", mail("Hello."))
    answer = post(client, raw, secret, **change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not InboundMail.objects.exists()


def test_the_webhook_takes_large_mails_and_bounces(client, settings):
    secret = new_secret()
    settings.MAIL_WEBHOOK_SECRETS = [secret]
    assert (
        post(client, mail("y" * 3_000_000), secret, moment=None, **{"X-Envelope-From": "<>"}).status_code
        == 202
    )
    assert InboundMail.objects.get().return_path == ""


def test_a_pipe_stores_and_says_how_it_went(monkeypatch, settings, ticket):
    settings.MAIL_MAX_MB = 1

    def pipe(raw: bytes, *arguments: str) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        out = io.StringIO()
        call_command("receive_mail", *arguments, stdout=out)
        return out.getvalue()

    raw = answering(ticket)
    assert pipe(raw, "--file", "--from", "ada@example.org").startswith("stored")
    assert pipe(raw).startswith("known")
    assert ticket.messages.count() == 1
    for bad in (b"", b"x" * 1_100_000):
        with pytest.raises(CommandError) as failure:
            pipe(bad)
        assert failure.value.returncode == 65


def test_a_mail_of_a_customer_account_counts_as_theirs(ticket):
    ticket.customer = User.objects.create_user("ada", "ada.private@example.org")
    ticket.save()
    assert take(answering(ticket, sender="ada.private@example.org")).outcome == Outcome.REPLY
