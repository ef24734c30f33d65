"""Files that customers and staff send along with a message.

Promise: a file is looked at before it is stored, by what it begins with and not by its name alone; it goes out only
as a download, to staff and to whoever holds its ticket's link; and it is stored with its message or not at all.
Nothing is opened or unpacked, and no virus is looked for: types that run on the reader's machine are refused.

They lie in the database (decision 29): one transaction, one backup, every process sees them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Sum
from django.http import HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from assistant.mailroom.files import Refusal, download_name, download_type, refusal_of
from assistant.mailroom.reading import Attachment
from assistant.models import Ticket, TicketFile, TicketFileContent, TicketMessage
from assistant.validation import InvalidInput, without_controls

MOST_FILES: Final = 5  # with one message
MAX_FILE_BYTES: Final = 10 * 1024 * 1024
# With one message: mail programs make a third more of it, and many servers refuse more than 20 MB.
MAX_TOGETHER_BYTES: Final = 14 * 1024 * 1024
MAX_TICKET_BYTES: Final = 100 * 1024 * 1024
_MAX_NAME: Final = 150  # characters, of TicketFile.name


@dataclass(frozen=True)
class Upload:
    name: str
    content_type: str  # what it goes out as, whatever the browser said
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def checked(files: Sequence["UploadedFile[Any]"]) -> tuple[Upload, ...]:
    """Raises InvalidInput, which names the file, what is wrong with it and what is allowed."""
    if len(files) > MOST_FILES:
        _refuse(
            _("At most %(limit)d files go with one message; you have chosen %(found)d.")
            % {"limit": MOST_FILES, "found": len(files)}
        )
    together = sum(file.size or 0 for file in files)
    for file in files:
        if (file.size or 0) > MAX_FILE_BYTES:
            _refuse(
                _("“%(name)s” has %(found)s. A file may have up to %(limit)s.")
                % {
                    "name": file.name,
                    "found": filesizeformat(file.size or 0),
                    "limit": filesizeformat(MAX_FILE_BYTES),
                }
            )
    if together > MAX_TOGETHER_BYTES:
        _refuse(
            _("Together these files have %(found)s. Up to %(limit)s go with one message.")
            % {"found": filesizeformat(together), "limit": filesizeformat(MAX_TOGETHER_BYTES)}
        )
    return tuple(_looked_at(file) for file in files)


def attach(uploads: Sequence[Upload], *, ticket: Ticket, message: TicketMessage | None = None) -> None:
    """Part of the caller's transaction, which holds the ticket. Raises InvalidInput where the ticket is full."""
    if not uploads:
        return
    there = ticket.files.aggregate(size=Sum("size"))["size"] or 0
    if there + sum(len(one.content) for one in uploads) > MAX_TICKET_BYTES:
        _refuse(
            _("This request holds %(found)s of files already. Up to %(limit)s fit into one request.")
            % {"found": filesizeformat(there), "limit": filesizeformat(MAX_TICKET_BYTES)}
        )
    for upload in uploads:
        file = TicketFile.objects.create(
            ticket=ticket,
            message=message,
            name=upload.name,
            content_type=upload.content_type,
            size=len(upload.content),
        )
        TicketFileContent.objects.create(file=file, content=upload.content)


def contents_of(message: TicketMessage) -> Iterable[Upload]:
    """For its mail."""
    for file in message.files.select_related("content"):
        yield Upload(file.name, file.content_type, bytes(file.content.content))


def as_download(content: bytes, name: str, kind: str) -> HttpResponse:
    """Never a page: what somebody has sent acts nowhere in this site."""
    return HttpResponse(
        content,
        content_type=kind,
        headers={
            "Content-Disposition": content_disposition_header(True, name) or "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",  # should a browser show it all the same
            "Cache-Control": "private, no-store",
        },
    )


class _Chooser(forms.ClearableFileInput):
    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list["UploadedFile[Any]"]:  # noqa: ARG002 (Django's)
        return (
            list(files.getlist(name)) if hasattr(files, "getlist") else []
        )  # a form without files has a dict

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:  # noqa: ARG002 (Django's)
        return name not in files


class FilesField(forms.Field):
    """Any number of files, as `Upload`s. A browser sends them once: a form that comes back asks for them again."""

    widget = _Chooser

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> tuple[Upload, ...]:
        try:
            return checked(value or [])
        except InvalidInput as error:
            raise ValidationError(error.message) from error

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ARG002 (Django's signature)
        return bool(data)


def _looked_at(file: "UploadedFile[Any]") -> Upload:
    found = Attachment(0, _name_of(file), file.content_type or "", file.read())
    if not found.content:
        _refuse(_("“%(name)s” is empty.") % {"name": found.name})
    match refusal_of(found):
        case Refusal.TYPE:
            _refuse(
                _(
                    "Files like “%(name)s” are not taken. Pictures, PDF, text, tables, office documents, audio, video "
                    "and ZIP are."
                )
                % {"name": found.name}
            )
        case Refusal.LIES:
            _refuse(
                _("“%(name)s” is not what its name says. Please send it as what it is.")
                % {"name": found.name}
            )
    return Upload(download_name(found), download_type(found), found.content)


def _name_of(file: "UploadedFile[Any]") -> str:
    """Without folders and controls, and short; what it ends with stays, because its type is told by that."""
    name = " ".join(without_controls(PurePath(file.name or "").name).split()) or "file"
    suffix = PurePath(name).suffix[:20]
    return name if len(name) <= _MAX_NAME - 5 else name[: _MAX_NAME - 5 - len(suffix)] + suffix


def _refuse(why: str) -> None:
    raise InvalidInput("attachments", why)
