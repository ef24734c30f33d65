"""Files with a message: who gets them, what is refused and why, and that a preview sends nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox_of_tests
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.utils import timezone

from assistant.attachments import MOST_FILES, checked
from assistant.desk.merging import merge_tickets
from assistant.desk.taking_back import take_back
from assistant.models import Mail, Ticket, TicketFile, TicketMessage, TicketStatus
from assistant.outbox import send_due
from assistant.services import IdempotencyConflict, add_customer_message, add_staff_message, open_ticket
from assistant.validation import InvalidInput
from tests.test_admin_tickets import form, make_ticket

LIST = "/admin/assistant/ticket/"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
PDF = b"%PDF-1.7 a manual"
pytestmark = pytest.mark.django_db


def file(name: str = "screen.png", content: bytes = PNG, kind: str = "image/png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)


def uploads(*files: SimpleUploadedFile):
    return checked(files or [file()])


@pytest.fixture
def agent(client, staff):
    client.force_login(staff)
    return client


def ticket_of(email: str = "ada@example.org") -> Ticket:
    return make_ticket(status=TicketStatus.OPEN, contact_email=email, completed_at=timezone.now())


def test_a_reply_takes_its_files_to_the_customer(agent, client, django_capture_on_commit_callbacks):
    ticket = ticket_of()
    page = agent.get(f"{LIST}{ticket.pk}/change/").content.decode()
    assert 'enctype="multipart/form-data"' in page and 'name="messages-0-attachments"' in page
    values = form(
        ticket, **{"messages-0-body": "Here it is.", "messages-0-attachments": [file("manual.pdf", PDF)]}
    )
    assert agent.post(f"{LIST}{ticket.pk}/change/", values).status_code == 302
    stored = TicketFile.objects.get()
    assert (stored.name, stored.content_type, stored.size) == ("manual.pdf", "application/pdf", len(PDF))

    public = f"/en/tickets/{ticket.token}/"
    client.logout()
    # It can still be taken back: the customer sees neither the text nor the file.
    assert "manual.pdf" not in client.get(public).content.decode()
    assert client.get(f"{public}files/{stored.pk}/").status_code == 404
    TicketMessage.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    Mail.objects.update(due_at=timezone.now())
    send_due()
    (sent,) = [one for one in outbox_of_tests.outbox if "Our reply" in one.subject]
    assert sent.attachments == [("manual.pdf", PDF, "application/pdf")]
    assert f"files/{stored.pk}/" in client.get(public).content.decode()
    response = client.get(f"{public}files/{stored.pk}/")
    assert response.content == PDF
    assert response.headers["Content-Disposition"] == 'attachment; filename="manual.pdf"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "no-store" in response.headers["Cache-Control"]


def test_files_of_notes_of_others_and_of_what_was_taken_back_are_nobodys(client, staff):
    ticket, other = ticket_of(), ticket_of("bob@example.org")
    add_staff_message(ticket=ticket, author=staff, body="Note.", is_internal=True, files=uploads())
    taken = add_staff_message(
        ticket=ticket,
        author=staff,
        body="Oops.",
        held_for=timedelta(seconds=60),
        files=uploads(file("b.png")),
    )
    assert take_back(message=taken, by=staff)
    mine = add_customer_message(ticket=ticket, body="See picture.", files=uploads(file("mine.png")))
    for stored in TicketFile.objects.all():
        expected = 200 if stored.message_id == mine.pk else 404
        assert client.get(f"/en/tickets/{ticket.token}/files/{stored.pk}/").status_code == expected
        assert client.get(f"/en/tickets/{other.token}/files/{stored.pk}/").status_code == 404
        assert client.get(f"{LIST}{ticket.pk}/files/{stored.pk}/").status_code == 302  # to the sign-in
    client.force_login(staff)
    page = client.get(f"{LIST}{ticket.pk}/change/").content.decode()
    for stored in TicketFile.objects.all():
        address = f"{LIST}{ticket.pk}/files/{stored.pk}/"
        assert address in page
        response = client.get(address)
        assert response.content == PNG
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert client.get(f"{LIST}{other.pk}/files/{stored.pk}/").status_code == 404


def test_a_customer_sends_a_picture_with_the_request_and_with_a_reply(client):
    asked = {"subject": "Broken", "detail": "It rattles.", "contact_email": "ada@example.org"}
    response = client.post(
        "/en/contact/", asked | {"attachments": [file(), file("log.txt", b"lines", "text/plain")]}
    )
    ticket = Ticket.objects.get()
    assert response.headers["Location"] == ticket.get_absolute_url()
    assert [(one.name, one.message) for one in ticket.files.all()] == [
        ("screen.png", None),
        ("log.txt", None),
    ]
    client.post(
        f"/en/tickets/{ticket.token}/reply/", {"body": "One more.", "attachments": [file("more.png")]}
    )
    page = client.get(f"/en/tickets/{ticket.token}/").content.decode()
    for name in ("screen.png", "log.txt", "more.png"):
        assert name in page
    assert ticket.files.get(name="more.png", message__body="One more.")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([file("run.exe", b"MZ...", "image/png")], "Files like “run.exe” are not taken"),
        ([file("page.html", b"<html>", "text/html")], "Files like “page.html” are not taken"),
        ([file("art.svg", b"<svg>", "image/svg+xml")], "Files like “art.svg” are not taken"),
        ([file("photo.png", b"MZ program")], "“photo.png” is not what its name says"),
        ([file("photo.png", b"")], "“photo.png” is empty"),
        ([file("film.mp4", b"0" * (10 * 1024 * 1024 + 1))], "A file may have up to 10.0"),
        ([file(f"{n}.txt", b"0" * 8_000_000) for n in range(2)], "Up to 14.0"),
        ([file(f"{n}.png") for n in range(MOST_FILES + 1)], "At most 5 files go with one message"),
    ],
)
def test_what_is_refused_says_why_and_loses_nothing(client, files, why):
    ticket = ticket_of()
    response = client.post(
        f"/en/tickets/{ticket.token}/reply/", {"body": "See what I have attached.", "attachments": files}
    )
    page = response.content.decode().replace("\xa0", " ")
    assert response.status_code == 422 and why in page
    assert "See what I have attached." in page and "choose the files once more" in page
    assert not TicketMessage.objects.exists() and not TicketFile.objects.exists()


def test_an_agents_text_comes_back_when_a_file_is_refused(agent):
    ticket = ticket_of()
    values = form(
        ticket, **{"messages-0-body": "Long reply.", "messages-0-attachments": [file("run.exe", b"MZ")]}
    )
    page = agent.post(f"{LIST}{ticket.pk}/change/", values)
    assert page.status_code == 200 and "Long reply." in page.content.decode()
    assert "Files like “run.exe” are not taken" in page.content.decode()
    assert not TicketMessage.objects.exists() and not TicketFile.objects.exists()


def test_names_cannot_act(client):
    ticket = ticket_of()
    name = "..\\..\\<i>“x”\u202e" + "a" * 300 + ".png"
    client.post(f"/en/tickets/{ticket.token}/reply/", {"body": "See.", "attachments": [file(name)]})
    stored = TicketFile.objects.get()
    assert len(stored.name) <= 150 and stored.name.endswith(".png") and "\u202e" not in stored.name
    assert "<i>“" not in client.get(f"/en/tickets/{ticket.token}/").content.decode()
    header = client.get(f"/en/tickets/{ticket.token}/files/{stored.pk}/").headers["Content-Disposition"]
    assert header.startswith("attachment") and "\n" not in header


def test_a_ticket_holds_only_so_much(monkeypatch):
    ticket = ticket_of()
    monkeypatch.setattr("assistant.attachments.MAX_TICKET_BYTES", 2 * len(PNG))
    add_customer_message(ticket=ticket, body="One.", files=uploads(file(), file("b.png")))
    with pytest.raises(InvalidInput, match="fit into one request"):
        add_customer_message(ticket=ticket, body="Two.", files=uploads())
    assert ticket.messages.count() == 1  # the text waits in the form with the reason


def test_a_form_sent_twice_stores_its_files_once():
    values: dict[str, Any] = {
        "subject": "Broken",
        "contact_email": "ada@example.org",
        "language": "en",
        "idempotency_key": "k1",
    }
    ticket = open_ticket(**values, files=uploads())
    assert open_ticket(**values, files=uploads()) == ticket
    assert ticket.files.count() == 1
    with pytest.raises(IdempotencyConflict):
        open_ticket(**values, files=uploads(file("other.png", PNG + b"1")))
    for _time in range(2):
        add_customer_message(ticket=ticket, body="More.", idempotency_key="k2", files=uploads())
    assert ticket.files.count() == 2


def test_merging_takes_files_along_with_what_they_came_with(client):
    kept = ticket_of()
    values: dict[str, Any] = {"subject": "Again", "contact_email": "ada@example.org", "language": "en"}
    duplicate = open_ticket(**values, files=uploads(file("first.png")))
    add_customer_message(ticket=duplicate, body="More.", files=uploads(file("second.png")))
    merge_tickets(kept=kept, duplicates=[duplicate], by=None)
    assert set(TicketFile.objects.values_list("name", "message__body", "ticket")) == {
        ("first.png", "Again", kept.pk),
        ("second.png", "More.", kept.pk),
    }
    first = TicketFile.objects.get(name="first.png")
    assert client.get(f"/en/tickets/{duplicate.token}/files/{first.pk}/").content == PNG


def test_a_form_that_was_open_too_long_asks_for_the_files_again():
    from django.test import Client

    ticket = ticket_of()
    strict = Client(enforce_csrf_checks=True)
    response = strict.post(f"/en/tickets/{ticket.token}/reply/", {"body": "Typed.", "attachments": [file()]})
    page = response.content.decode()
    assert response.status_code == 403 and "Typed." in page
    assert "Please choose once more: screen.png" in page and 'type="file" name="attachments"' in page


def test_more_than_any_form_takes_is_not_read(client):
    too_much = {"CONTENT_LENGTH": str(49 * 1024 * 1024)}
    response = client.post("/en/contact/", b"", content_type="multipart/form-data; boundary=x", **too_much)
    assert response.status_code == 413
    assert "larger than 48 MB" in response.content.decode()
    with override_settings(MAIL_MAX_MB=60):
        allowed = client.post("/en/contact/", {"subject": "x"}, **{"HTTP_X_UNUSED": "1"})
        assert allowed.status_code == 422


def test_a_preview_shows_the_mail_and_sends_nothing(agent, make_article):
    ticket = ticket_of()
    secret = "Goodwill refunds above fifty euros need the signature of the team lead and are booked on account 4711."
    make_article("Goodwill refunds", secret, audience="internal")
    values = form(ticket, **{"messages-0-body": secret, "messages-0-attachments": [file("manual.pdf", PDF)]})
    page = agent.post(f"{LIST}{ticket.pk}/preview/", values).content.decode()
    for words in (
        "ada@example.org",
        f"[{ticket.reference}] Our reply",
        "manual.pdf",
        "which this customer may not read",
    ):
        assert words in page
    assert f"/en/tickets/{ticket.token}/" in page and "still in the tab" in page
    part = agent.post(
        f"{LIST}{ticket.pk}/preview/",
        {"part": "1", "messages-0-body": "Hello", "messages-0-is_internal": "on", "file_name": "a.png"},
    ).content.decode()
    assert "An internal note" in part and "<html" not in part
    empty = agent.post(f"{LIST}{ticket.pk}/preview/", {"part": "1", "messages-0-body": " "}).content.decode()
    assert "errornote" in empty
    assert (
        not TicketMessage.objects.exists() and not TicketFile.objects.exists() and not Mail.objects.exists()
    )
