"""Reads a mail: any bytes that somebody called a message, by the standard library's parser.

Promise: never fails. What is broken is read as far as it goes, and a remark says what was; names, subjects and
types are data and nothing else. Limits keep a mail that was made to be expensive from being so.

Refuses to decide whose mail it is (`matching`), and what of its text is new (`folding`).
"""

import contextlib
import email.policy
import email.utils
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from assistant.mailroom.charsets import decode
from assistant.mailroom.html_mail import html_to_text
from assistant.mailroom.remarks import Remark
from assistant.validation import without_controls

MAX_PARTS = 200
_MAX_DEPTH = 20
_MAX_HEADER = 2000  # characters of a header that anybody looks at
_MAX_TEXT = 500_000  # characters
_MAX_REFERENCES = 100
_REPORTED = frozenset(["message/delivery-status", "text/rfc822-headers", "message/global-headers"])
_OF_ONE = frozenset(["from", "sender", "reply-to"])  # headers that name one person, nearly always
_PLACEHOLDER = 120  # characters; a plain part as short beside a long HTML part only says that there is one
# What the standard library's parser of headers is known to raise at headers that are broken enough.
_UNREADABLE = (
    MessageError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
)


@dataclass(frozen=True)
class Attachment:
    number: int  # 0-based, in the order of the mail
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Read:
    message_id: str  # with its angle brackets; empty where there is none
    referred: tuple[str, ...]  # ids that it refers to, the nearest last
    sender: str  # an address, or empty
    sender_name: str
    reply_to: str  # an address, or empty
    recipients: tuple[str, ...]  # addresses, in whatever header they stand
    subject: str
    sent_at: datetime | None  # as it claims itself
    text: str
    attachments: tuple[Attachment, ...]
    remarks: tuple[Remark, ...]
    content_type: str
    headers: Mapping[str, Sequence[str]] = field(repr=False)  # decoded, by lower-case name
    reported: tuple[str, ...] = ()  # ids of the mails that a report on a delivery is about
    report: str = ""  # what the report says about the delivery, for staff


@dataclass
class _Body:
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    remarks: set[Remark] = field(default_factory=set)
    parts: int = 0


def read_mail(raw: bytes) -> Read:
    message = _parse(raw)
    headers = _headers(message)
    body = _Body()
    _walk(message, body, 0)
    report, reported = _report(message)
    text = _text_of(body)
    sender, sender_name = _first_address(headers, "from")
    if not sender:
        sender, sender_name = _first_address(headers, "sender")
    if not sender:
        body.remarks.add(Remark.NO_SENDER)
    if not text.strip():
        body.remarks.add(Remark.EMPTY)
    referred = _ids(headers, "references")[-_MAX_REFERENCES:]
    return Read(
        message_id=next(iter(_ids(headers, "message-id")), ""),
        referred=tuple(dict.fromkeys([*referred, *_ids(headers, "in-reply-to")])),
        sender=sender,
        sender_name=sender_name,
        reply_to=_first_address(headers, "reply-to")[0],
        recipients=_recipients(headers),
        subject=_one_line(next(iter(headers.get("subject", ())), ""))[:300],
        sent_at=_moment(headers),
        text=text,
        attachments=tuple(body.attachments),
        remarks=tuple(sorted(body.remarks)),
        content_type=_content_type(message),
        headers=headers,
        reported=reported,
        report=report,
    )


def _parse(raw: bytes) -> EmailMessage:
    if raw.startswith(b"From "):  # the first line of a mailbox file, as some pipes hand it over
        raw = raw.partition(b"\n")[2]
    return BytesParser(policy=email.policy.default).parsebytes(raw)


# --- headers ------------------------------------------------------------------------------------------


def _headers(message: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), []).append(_decoded(name, str(value)))
    return found


def _decoded(name: str, value: str) -> str:
    """The header's words. Bytes that should not be there arrive as surrogates, and mostly are UTF-8."""
    raw = value[: 10 * _MAX_HEADER].encode("utf-8", errors="surrogateescape")
    text, _doubted = decode(raw, "")
    text = re.sub(r"\r?\n(?=[ \t])", "", text).strip()
    if "=?" in text and name.lower() not in ("message-id", "references", "in-reply-to"):
        with contextlib.suppress(*_UNREADABLE):
            text = str(
                email.policy.default.header_factory("Subject", text.replace("\n", " ").replace("\r", " "))
            )
    return without_controls(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ids(headers: Mapping[str, Sequence[str]], name: str) -> list[str]:
    text = " ".join(headers.get(name, ()))
    found = re.findall(r"<[^<>\s]{1,500}>", text)
    if not found and (bare := re.fullmatch(r"\s*([^<>\s]{3,500}@[^<>\s]{1,200})\s*", text)):
        return [f"<{bare[1]}>"]
    return found


def _addresses(headers: Mapping[str, Sequence[str]], name: str) -> list[tuple[str, str]]:
    """(name, address) pairs. What is no address is left out."""
    found = []
    for value in headers.get(name, ()):
        value = _one_line(value)[: 10 * _MAX_HEADER]
        shown, _angle, rest = value.partition("<")
        inside = rest.partition(">")[0].strip()
        # One address in angle brackets is what is meant, whatever the name before it looks like.
        if name in _OF_ONE and value.count("<") == 1 and _is_address(inside):
            found.append((shown.strip("\"' ")[:120], inside))
            continue
        for shown, address in email.utils.getaddresses([value]):
            address = address.strip("<> ")
            if _is_address(address):
                found.append((_one_line(shown)[:120], address))
        if not found:
            found.extend(("", one) for one in re.findall(r"<([^<>\s]{3,254})>", value) if _is_address(one))
    return found


def _is_address(text: str) -> bool:
    return len(text) <= 254 and bool(re.fullmatch(r"[^\s@<>,;\"()]{1,64}@[^\s@<>,;\"()]+", text))


def _first_address(headers: Mapping[str, Sequence[str]], name: str) -> tuple[str, str]:
    for shown, address in _addresses(headers, name):
        return address, shown
    return "", ""


def _recipients(headers: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    found: list[str] = []
    for name in (
        "to",
        "cc",
        "delivered-to",
        "x-original-to",
        "envelope-to",
        "x-envelope-to",
        "x-forwarded-to",
        "resent-to",
        "apparently-to",
    ):
        found.extend(address for _shown, address in _addresses(headers, name))
    return tuple(dict.fromkeys(found))


def _moment(headers: Mapping[str, Sequence[str]]) -> datetime | None:
    for value in headers.get("date", ()):
        try:
            moment = email.utils.parsedate_to_datetime(value)
            return moment if moment.tzinfo is not None else None
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


# --- body ---------------------------------------------------------------------------------------------


def _content_type(part: Any) -> str:
    try:
        return re.sub(r"[^\x21-\x7e]", "", str(part.get_content_type()).lower())
    except _UNREADABLE:
        return "text/plain" if "text" in str(part.get("content-type", "text")) else "application/octet-stream"


def _charset(part: Any) -> str:
    try:
        return str(part.get_content_charset() or "")
    except _UNREADABLE:
        return ""


def _file_name(part: Any) -> str:
    try:
        name = part.get_filename()
    except _UNREADABLE:
        name = None
    if not name:
        return ""
    cleaned = _one_line(_decoded("Subject", str(name))).replace("\\", "/").rpartition("/")[2].strip(". ")
    return cleaned if len(cleaned) <= 120 else f"{cleaned[:100]}…{cleaned[-15:]}"


def _disposition(part: Any) -> str:
    try:
        return str(part.get_content_disposition() or "")
    except _UNREADABLE:
        return ""


def _bytes_of(part: Any, body: _Body) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except _UNREADABLE:
        payload = None
    if payload is None:
        raw = part.get_payload()
        payload = raw.encode("utf-8", errors="surrogateescape") if isinstance(raw, str) else b""
        body.remarks.add(Remark.DAMAGED)
    if any(type(defect).__name__.startswith("InvalidBase64") for defect in part.defects):
        body.remarks.add(Remark.DAMAGED)
    return bytes(payload)


def _words_of(part: Any, body: _Body) -> str:
    text, doubted = decode(_bytes_of(part, body), _charset(part))
    if doubted:
        body.remarks.add(Remark.CHARSET)
    return text[: 4 * _MAX_TEXT]


def _children(part: Any) -> list[Any]:
    payload = part.get_payload()
    return list(payload) if isinstance(payload, list) else []


def _walk(part: Any, body: _Body, depth: int) -> None:
    body.parts += 1
    if depth > _MAX_DEPTH or body.parts > MAX_PARTS:
        body.remarks.add(Remark.TOO_MANY_PARTS)
        return
    kind = _content_type(part)
    children = _children(part)
    if kind in _REPORTED:
        return  # `_report` reads it, and nobody wants it as a file
    if kind == "message/rfc822" or (kind == "message/global" and children):
        _attach_message(part, children, body)
    elif kind == "multipart/alternative" and children:
        _walk_alternative(children, body, depth)
    elif kind == "multipart/encrypted":
        body.remarks.add(Remark.ENCRYPTED)
        for child in children:
            _attach(child, body)
    elif kind in ("multipart/related", "multipart/signed") and children:
        _walk(children[0], body, depth + 1)
        for child in children[1:]:
            _walk(child, body, depth + 1) if _children(child) else _attach(child, body)
    elif children:
        for child in children:
            _walk(child, body, depth + 1)
    elif _disposition(part) == "attachment" or kind not in ("text/plain", "text/html") or _file_name(part):
        _attach(part, body)
    elif kind == "text/html":
        body.html.append(_words_of(part, body))
        body.plain.append("")
    else:
        text = _words_of(part, body)
        body.plain.append(_unflowed(part, text))
        body.html.append("")


def _walk_alternative(children: Sequence[Any], body: _Body, depth: int) -> None:
    """The same in several forms: the plain one, unless it only says that there is another."""
    offers: list[_Body] = []
    for child in children:
        offer = _Body(parts=body.parts)
        _walk(child, offer, depth + 1)
        body.parts = offer.parts
        offers.append(offer)
    plain = "\n\n".join(text for offer in offers for text in offer.plain if text.strip()).strip()
    html = "\n\n".join(text for offer in offers for text in offer.html if text.strip())
    if plain and not (html and len(plain) < _PLACEHOLDER and len(html_to_text(html)) > 4 * len(plain)):
        body.plain.append(plain)
        body.html.append("")
    elif html:
        body.plain.append("")
        body.html.append(html)
    for offer in offers:
        for attachment in offer.attachments:
            _add(attachment.name, attachment.content_type, attachment.content, body)
        body.forwarded.extend(offer.forwarded)
        body.remarks |= offer.remarks


def _unflowed(part: Any, text: str) -> str:
    """Joins the lines that RFC 3676 (format=flowed) broke."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        parameters = part["content-type"].params if part["content-type"] is not None else {}
    except _UNREADABLE:
        return text
    if str(parameters.get("format", "")).lower() != "flowed":
        return text
    deletes = str(parameters.get("delsp", "")).lower() == "yes"
    lines: list[str] = []
    joins = False
    depth_before = 0
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:]
        if content.startswith(" "):
            content = content[1:]
        if joins and depth == depth_before and content != "-- ":
            lines[-1] += content
        else:
            lines.append(f"{'>' * depth} {content}" if depth else content)
        joins = content.endswith(" ") and content != "-- "
        if joins and deletes:
            lines[-1] = lines[-1][:-1]
        depth_before = depth
    return "\n".join(line if line == "-- " else line.rstrip() for line in lines)


def _attach(part: Any, body: _Body) -> None:
    kind = _content_type(part)
    name = _file_name(part)
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat":
        body.remarks.add(Remark.WINMAIL)
        name = name or "winmail.dat"
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        body.remarks.add(Remark.ENCRYPTED)
    content = (
        b"".join(bytes(child) for child in _children(part)) if _children(part) else _bytes_of(part, body)
    )
    _add(name, kind, content, body)


def _attach_message(part: Any, children: Sequence[Any], body: _Body) -> None:
    """A mail inside the mail: attached whole, and its text is told where the outer one has none of its own."""
    inner = children[0] if children else None
    if inner is None:
        _attach(part, body)
        return
    try:
        content = inner.as_bytes()
    except _UNREADABLE:
        content = str(inner.get_payload()).encode("utf-8", errors="replace")
        body.remarks.add(Remark.DAMAGED)
    headers = _headers(inner)
    subject = _one_line(next(iter(headers.get("subject", ())), ""))
    stem = re.sub(r"[^\w .-]", "", subject)[:60].strip() or "message"
    name = _file_name(part) or f"{stem}.eml"
    _add(name, "message/rfc822", content, body)
    read = _Body(parts=body.parts)
    for child in children:
        _walk(child, read, 1)
    body.parts = read.parts
    shown = [f"{label}: {value}" for label, value in _summary(headers) if value]
    body.forwarded.append("\n".join(["---------- Forwarded message ----------", *shown, "", _text_of(read)]))


def _summary(headers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for label in ("From", "Date", "Subject"):
        yield label, _one_line(next(iter(headers.get(label.lower(), ())), ""))[:200]


def _add(name: str, kind: str, content: bytes, body: _Body) -> None:
    number = len(body.attachments)
    body.attachments.append(Attachment(number, name or f"part-{number + 1}", kind, content))


def _text_of(body: _Body) -> str:
    parts: list[str] = []
    for plain, html in zip(body.plain, body.html, strict=True):
        if html:
            body.remarks.add(Remark.HTML_ONLY)
            parts.append(html_to_text(html))
        elif plain.strip():
            parts.append(plain)
    if not any(part.strip() for part in parts):
        parts = body.forwarded
    text = without_controls("\n\n".join(part.strip("\n") for part in parts)[:_MAX_TEXT])
    return re.sub(r"\n{3,}", "\n\n", text.replace("\u200b", "").replace("\xa0", " ")).strip("\n")


# --- reports on deliveries ----------------------------------------------------------------------------


def _report(message: Any) -> tuple[str, tuple[str, ...]]:
    """What RFC 3464 says about a delivery, and the ids of what was delivered or not."""
    if _content_type(message) != "multipart/report":
        return "", ()
    told: list[str] = []
    ids: list[str] = []
    for part in _children(message):
        kind = _content_type(part)
        if kind == "message/delivery-status":
            for block in _children(part):
                headers = _headers(block)
                told.extend(
                    f"{name.title()}: {_one_line(value)[:300]}"
                    for name in ("final-recipient", "action", "status", "diagnostic-code")
                    for value in headers.get(name, ())
                )
        elif kind in ("message/rfc822", "text/rfc822-headers", "message/global-headers"):
            inner = next(iter(_children(part)), None)
            if inner is None:
                inner = _parse(part.get_payload(decode=True) or b"")
            ids.extend(_ids(_headers(inner), "message-id"))
    return "\n".join(told[:20]), tuple(ids)
