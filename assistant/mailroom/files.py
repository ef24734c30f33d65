"""What mails bring along: which of it staff may fetch, and as what.

Promise: nothing is opened, unpacked or believed. A file goes out only as a download, under a name and a type that
cannot act; what could run on the reader's machine, or is not what its name says, stays in the stored mail.
"""

from pathlib import PurePath

from django.db import models
from django.utils.translation import gettext_lazy as _

from assistant.mailroom.reading import Attachment

MAX_FILE_BYTES = 20 * 1024 * 1024
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = (b"\xd0\xcf\x11\xe0",)
_STARTS: dict[str, tuple[bytes, ...]] = {  # what a file of that name begins with; empty: anything
    "png": (b"\x89PNG\r\n",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF8",),
    "webp": (b"RIFF",),
    "heic": (b"",),
    "tif": (b"II*\x00", b"MM\x00*"),
    "tiff": (b"II*\x00", b"MM\x00*"),
    "bmp": (b"BM",),
    "pdf": (b"%PDF", b"\xef\xbb\xbf%PDF", b"\r\n%PDF", b"\n%PDF"),
    "zip": _ZIP,
    "docx": _ZIP,
    "xlsx": _ZIP,
    "pptx": _ZIP,
    "odt": _ZIP,
    "ods": _ZIP,
    "odp": _ZIP,
    "doc": (*_OLE, b"{\\rtf"),
    "xls": _OLE,
    "ppt": _OLE,
    "msg": _OLE,
    "rtf": (b"{\\rtf",),
    "mp3": (b"",),
    "mp4": (b"",),
    "mov": (b"",),
    "txt": (b"",),
    "log": (b"",),
    "csv": (b"",),
    "json": (b"",),
    "eml": (b"",),
    "ics": (b"",),
    "vcf": (b"",),
    "dat": (b"",),  # winmail.dat
    "asc": (b"",),
    "p7s": (b"",),
    "p7m": (b"",),
    "sig": (b"",),
}
_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xca\xfe\xba\xbe",
    b"\xcf\xfa\xed\xfe",
    b"<!doctype html",
    b"<html",
    b"<script",
)
_SHOWN_AS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "pdf": "application/pdf",
}
_BY_TYPE = {
    "text/plain": "txt",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "application/pdf": "pdf",
    "text/calendar": "ics",
    "message/rfc822": "eml",
    "text/csv": "csv",
}


class Refusal(models.TextChoices):
    TYPE = "type", _("This type is not offered: it could run on your machine.")
    LIES = "lies", _("It is not what its name says.")
    SIZE = "size", _("It is larger than 20 MB.")


def refusal_of(attachment: Attachment) -> str:
    """A value of `Refusal`, or "" where staff may fetch it."""
    if len(attachment.content) > MAX_FILE_BYTES:
        return Refusal.SIZE.value
    starts = _STARTS.get(_suffix(attachment))
    if starts is None:
        return Refusal.TYPE.value
    head = attachment.content[:64]
    if head.lower().lstrip().startswith(tuple(start.lower() for start in _PROGRAMS)):
        return Refusal.LIES.value
    if attachment.content and not head.startswith(starts):
        return Refusal.LIES.value
    return ""


def download_name(attachment: Attachment) -> str:
    return attachment.name if "." in attachment.name else f"{attachment.name}.{_suffix(attachment) or 'dat'}"


def download_type(attachment: Attachment) -> str:
    return _SHOWN_AS.get(_suffix(attachment), "application/octet-stream")


def _suffix(attachment: Attachment) -> str:
    suffix = PurePath(attachment.name).suffix.lower().lstrip(".")
    return suffix or _BY_TYPE.get(attachment.content_type, "")
