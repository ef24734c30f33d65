"""A mailbox is emptied into rows: nothing is marked before it is committed, and nothing is lost or taken twice."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from assistant.mailroom import imap, inbox
from assistant.mailroom.models import InboundMail, Mailbox, Outcome
from assistant.mailroom.visiting import visit, visit_quietly
from helpcenter.checks import mail_comes_in_safely
from tests.imap_server import ImapServer
from tests.mail_corpus import mail

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings):
    server = ImapServer()
    server.start()
    settings.IMAP_URL, settings.IMAP_PASSWORD = server.url, server.password
    yield server
    server.stop()


def test_new_mails_become_rows_and_are_marked_as_seen(server):
    stored = [server.deliver(mail(f"Number {number}.")) for number in range(3)]
    assert visit() == 3 and visit() == 0
    assert [bytes(row.content.raw) for row in InboundMail.objects.order_by("pk")] == [
        one.raw for one in stored
    ]
    assert all(one.flags == {r"\Seen"} for one in stored)
    assert Mailbox.objects.get().error == "" and Mailbox.objects.get().last_uid == 3


def test_a_visit_cut_off_before_the_mark_fetches_again_and_takes_once(server):
    server.deliver(mail("Hello."))

    def hang_up(_arguments: str) -> None:
        raise OSError("gone")

    server.at["STORE"] = hang_up
    with pytest.raises(imap.MailboxUnavailable):
        visit()
    assert InboundMail.objects.count() == 1 and Mailbox.objects.get().error
    server.at.clear()
    assert visit() == 0
    assert InboundMail.objects.count() == 1 and server.folders["INBOX"][0].flags == {r"\Seen"}


def test_a_mail_that_a_person_opened_first_is_taken_all_the_same(server):
    server.deliver(mail("One."))
    visit()
    server.deliver(mail("Two.")).flags.add(r"\Seen")
    assert visit() == 1


def test_old_mail_that_was_read_before_we_came_is_left_alone(server):
    server.deliver(mail("Old.")).flags.add(r"\Seen")
    server.deliver(mail("New."))
    assert visit() == 1
    server.validity += 1  # the mailbox was made anew: numbers mean other mails
    assert visit() == 0


@pytest.mark.parametrize("can_move", [True, False])
def test_taken_mails_go_to_their_folder(server, settings, can_move):
    server.can_move = can_move
    settings.IMAP_URL += "?done=Archive"
    server.deliver(mail("Hello."))
    visit()
    left = [one for one in server.folders["INBOX"] if r"\Deleted" not in one.flags]
    assert not left and len(server.folders["Archive"]) == 1
    assert visit() == 0 and InboundMail.objects.count() == 1


def test_a_folder_that_is_not_there_loses_nothing(server, settings):
    settings.IMAP_URL += "?done=Nowhere"
    server.deliver(mail("Hello."))
    assert visit() == 1 and server.folders["INBOX"][0].flags == {r"\Seen"}


def test_of_a_mail_that_is_too_large_the_head_comes_and_the_rest_stays(server, settings):
    settings.MAIL_MAX_MB, settings.IMAP_URL = 1, f"{settings.IMAP_URL}?done=Archive"
    server.deliver(mail("z" * 2_000_000, subject="My film"))
    assert visit() == 1
    row: Any = InboundMail.objects.get()
    assert not row.is_whole and row.size > 2_000_000 and len(row.content.raw) < 1000
    inbox.process(row.pk)
    row.refresh_from_db()
    assert row.outcome == Outcome.TICKET and row.ticket.subject == "My film"
    assert "1.9 MB" in row.ticket.detail and "at most 1 MB" in row.ticket.detail
    assert len(server.folders["INBOX"]) == 1 and visit() == 0


def test_a_wrong_password_is_told_and_never_repeated(server, settings, caplog):
    settings.IMAP_PASSWORD = "wrong horse"
    visit_quietly()
    assert "wrong password" in Mailbox.objects.get().error
    assert "wrong horse" not in caplog.text + Mailbox.objects.get().error
    with pytest.raises(CommandError) as failure:
        call_command("fetch_mail")
    assert failure.value.returncode == 75


def test_the_command_takes_and_files(server):
    server.deliver(mail("Hello."))
    out = io.StringIO()
    call_command("fetch_mail", stdout=out)
    assert out.getvalue() == "1 new\n" and InboundMail.objects.get().outcome == Outcome.TICKET


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("imap://u:p@mail.example.org", "this machine alone"),
        ("pop3://u:p@mail.example.org", "allowed: imaps://"),
        ("imaps://mail.example.org", "user and host"),
        ("imaps://u@mail.example.org", "password"),
        ("imaps://u:p@mail.example.org:99999", "port"),
        ("imaps://u:p@mail.example.org/INBOX?gone=X", "unknown: gone"),
    ],
)
def test_an_address_that_cannot_be_right_stops_start_up(settings, url, found):
    settings.IMAP_URL, settings.IMAP_PASSWORD, settings.MAIL_ADDRESS = url, "", "help@example.org"
    errors = mail_comes_in_safely(None)
    assert [error.id for error in errors] == ["helpcenter.E008"] and found in errors[0].msg
    assert "p@" not in errors[0].msg


def test_an_address_says_all_there_is_to_know():
    account = imap.account_of("imaps://help%40example.org@mail.example.org/Support?done=Done", "s3cret")
    assert (account.user, account.host, account.port) == ("help@example.org", "mail.example.org", 993)
    assert (account.folder, account.done_folder, account.password) == ("Support", "Done", "s3cret")
    assert account.is_encrypted
