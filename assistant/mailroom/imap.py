"""Fetches mails from a mailbox by IMAP (RFC 9051, and the older servers' RFC 3501).

Promise: a mail is marked as seen, or moved, only after its row is committed; killed in between, it is fetched again
and is the row that is there. A mail that somebody opened in a mail program meanwhile is taken all the same: how far
the mailbox was read is a row, not only a flag. A mail that cannot be taken holds up no other.
"""

import contextlib
import imaplib
import ipaddress
import logging
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.utils import timezone

from assistant.mailroom import inbox
from assistant.mailroom.models import Mailbox, Source

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
_MAILS_A_VISIT = 100
_SCHEMES = {"imaps": 993, "imap": 143}


class MailboxUnavailable(Exception):
    """It could not be reached, or refused us. A retry may help; the words are the server's."""


@dataclass(frozen=True)
class Account:
    host: str
    port: int
    user: str
    password: str
    folder: str
    done_folder: str  # where mails go once they are taken; empty: they stay, marked as seen
    is_encrypted: bool

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}/{self.folder}"


def account_of(url: str, password: str = "") -> Account:
    """From imaps://user:password@host:993/INBOX?done=Archive. Raises ValueError that names what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(
            "allowed: imaps://user@host:993/INBOX?done=Folder, and imap:// on this machine alone"
        )
    try:
        port = parts.port or _SCHEMES[parts.scheme]
    except ValueError:
        raise ValueError("the port is no number from 1 to 65535") from None
    if not parts.hostname or not parts.username:
        raise ValueError("user and host are needed, as in imaps://help%40example.org@mail.example.org")
    secret = password or unquote(parts.password or "")
    if not secret:
        raise ValueError("a password is needed: IMAP_PASSWORD_FILE, IMAP_PASSWORD, or in the address")
    if parts.scheme == "imap" and not _is_loopback(parts.hostname):
        raise ValueError("imap:// sends the password for all to read, and is allowed on this machine alone")
    if not unquote(parts.path + parts.query).isascii():
        raise ValueError("a folder's name has to be written as the server keeps it, in modified UTF-7")
    options = parse_qs(parts.query)
    if unknown := options.keys() - {"done"}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; allowed: done")
    return Account(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=secret,
        folder=unquote(parts.path.strip("/")) or "INBOX",
        done_folder=options.get("done", [""])[0],
        is_encrypted=parts.scheme == "imaps",
    )


def fetch(account: Account) -> int:
    """How many mails were new. Raises MailboxUnavailable; what it says stands in the mailbox's row, too."""
    box, _is_new = Mailbox.objects.get_or_create(address=account.name[:300])
    box.error = ""
    try:
        with _signed_in(account) as connection:
            return _fetch(connection, account, box)
    except (imaplib.IMAP4.error, OSError, EOFError) as error:
        # The server's words; never the password, which imaplib does not repeat.
        box.error = f"{type(error).__name__}: {_words(error)}"[:500]
        raise MailboxUnavailable(box.error) from error
    finally:
        box.checked_at = timezone.now()
        box.save()


@contextlib.contextmanager
def _signed_in(account: Account) -> Iterator[imaplib.IMAP4]:
    connection: imaplib.IMAP4
    if account.is_encrypted:
        connection = imaplib.IMAP4_SSL(
            account.host, account.port, ssl_context=ssl.create_default_context(), timeout=TIMEOUT_SECONDS
        )
    else:
        connection = imaplib.IMAP4(account.host, account.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.login(account.user, account.password)
        yield connection
    finally:
        # Whatever the connection is like by now: it is given up.
        with contextlib.suppress(imaplib.IMAP4.error, OSError, EOFError):
            connection.logout()


def _fetch(connection: imaplib.IMAP4, account: Account, box: Mailbox) -> int:
    status, data = connection.select(_quoted(account.folder))
    if status != "OK":
        raise imaplib.IMAP4.error(f"{account.folder}: {data[0]!r}")
    validity = _response_number(connection, "UIDVALIDITY")
    if box.uid_validity != validity:
        # Another mailbox under the same name: its numbers mean other mails.
        box.uid_validity, box.last_uid = validity, _highest_uid(connection)
    uids = _uids(connection, "UNSEEN") | {
        uid for uid in _uids(connection, "UID", f"{box.last_uid + 1}:*") if uid > box.last_uid
    }
    new = 0
    for uid in sorted(uids)[:_MAILS_A_VISIT]:
        new += _take(connection, account, uid)
        box.last_uid = max(box.last_uid, uid)
    return new


def _take(connection: imaplib.IMAP4, account: Account, uid: int) -> bool:
    size = _size(connection, uid)
    if size is None:
        return False  # somebody deleted or moved it just now
    is_small = size <= inbox.max_bytes()
    raw = _section(connection, uid, "BODY.PEEK[]" if is_small else "BODY.PEEK[HEADER]")
    if raw is None:
        return False
    if is_small and len(raw) > inbox.max_bytes():  # the server had it smaller
        is_small, size, raw = False, len(raw), raw.partition(b"\r\n\r\n")[0]
    _mail, is_new = inbox.accept(raw, source=Source.IMAP, whole_size=None if is_small else size)
    connection.uid("STORE", str(uid), "+FLAGS", r"(\Seen)")
    if account.done_folder and is_small:
        _move(connection, uid, account.done_folder)
    return is_new


def _move(connection: imaplib.IMAP4, uid: int, folder: str) -> None:
    if "MOVE" in connection.capabilities:
        status, data = connection.uid("MOVE", str(uid), _quoted(folder))
    else:
        status, data = connection.uid("COPY", str(uid), _quoted(folder))
        if status == "OK":
            connection.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
            if "UIDPLUS" in connection.capabilities:
                connection.uid("EXPUNGE", str(uid))
    if status != "OK":
        # The mail is safe in its row; that it stays where it was is for the log.
        log.warning("mail %d was not moved to %s: %r", uid, folder, data)


def _uids(connection: imaplib.IMAP4, *criteria: str) -> set[int]:
    status, data = connection.uid("SEARCH", *criteria)
    if status != "OK":
        raise imaplib.IMAP4.error(f"SEARCH: {data!r}")
    return {int(number) for number in b" ".join(part for part in data if isinstance(part, bytes)).split()}


def _highest_uid(connection: imaplib.IMAP4) -> int:
    return max(_uids(connection, "ALL"), default=0)


def _size(connection: imaplib.IMAP4, uid: int) -> int | None:
    status, data = connection.uid("FETCH", str(uid), "(UID RFC822.SIZE)")
    if status != "OK":
        raise imaplib.IMAP4.error(f"FETCH {uid}: {data!r}")
    for part in data:
        line = part[0] if isinstance(part, tuple) else part
        if isinstance(line, bytes) and (found := re.search(rb"RFC822\.SIZE (\d+)", line)):
            return int(found[1])
    return None


def _section(connection: imaplib.IMAP4, uid: int, section: str) -> bytes | None:
    status, data = connection.uid("FETCH", str(uid), f"({section})")
    if status != "OK":
        raise imaplib.IMAP4.error(f"FETCH {uid}: {data!r}")
    return next((bytes(part[1]) for part in data if isinstance(part, tuple)), None)


def _response_number(connection: imaplib.IMAP4, name: str) -> str:
    _name, values = connection.response(name)
    return next((value.decode() for value in values if isinstance(value, bytes)), "")


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(error: BaseException) -> str:
    words = error.args[0] if error.args else ""
    text = words.decode(errors="replace") if isinstance(words, bytes) else str(error)
    return text.replace("\x00", "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def configured() -> Account | None:
    """The mailbox of the settings; None where there is none. Raises ValueError."""
    return account_of(settings.IMAP_URL, settings.IMAP_PASSWORD) if settings.IMAP_URL else None
