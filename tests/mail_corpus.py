"""E-mails of all kinds, made as the programs that send them make them, each with what has to become of it.

`kind` is who wrote: "person" (a reply or a new request), or the value of `Robot`. `text` is what is new in it, line
by line as a reader has to see it; None where the family says nothing about it.
"""

import base64
import quopri
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.header import Header
from itertools import count

PERSON = "person"


@dataclass(frozen=True)
class Sample:
    name: str
    raw: bytes
    kind: str = PERSON
    text: str | None = None
    remarks: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    subject: str | None = None
    return_path: str | None = None
    sender: str = "ada@example.org"
    language: str = ""
    quoted: str | None = None  # words that have to be folded away
    extra: dict[str, str] = field(default_factory=dict)


_numbers = count(1)

TEXTS = {
    "en": [
        "The invoice is still missing.",
        "Thank you, that worked.\n\nOne more thing: can I pay by card?",
        "My number is 4711 – it costs 9 € a month.",
        "- it starts\n- it stops\n\nWhat now?",
    ],
    "de": [
        "Die Rechnung fehlt noch immer.",
        "Danke, das hat geklappt.\n\nNoch etwas: Kann ich für Müller & Söhne überweisen?",
        "Meine Nummer ist 4711 – das kostet 9 € im Monat.",
        "- er startet\n- er hält wieder an\n\nWas nun, größer stellen?",
    ],
}
OURS = {
    "en": "Hello,\n\nplease tell us your number.\n\nYour team",
    "de": "Guten Tag,\n\nbitte nennen Sie uns Ihre Nummer.\n\nIhr Team",
}


def mail(
    body: str | bytes,
    *,
    subject: str = "Re: Invoice",
    sender: str = "Ada Lovelace <ada@example.org>",
    content_type: str = "text/plain; charset=utf-8",
    encoding: str = "8bit",
    headers: str = "",
    message_id: str | None = None,
    left_out: tuple[str, ...] = (),
) -> bytes:
    number = next(_numbers)
    fields = {
        "From": sender,
        "To": "Help <help@example.net>",
        "Subject": subject if subject.isascii() else Header(subject, "utf-8").encode(),
        "Date": "Thu, 12 Mar 2026 10:22:03 +0100",
        "Message-ID": message_id or f"<sample-{number}@example.org>",
        "MIME-Version": "1.0",
        "Content-Type": content_type,
        "Content-Transfer-Encoding": encoding,
    }
    head = "".join(f"{name}: {value}\n" for name, value in fields.items() if name not in left_out)
    content = body.encode() if isinstance(body, str) else body
    return ((head + headers).encode() + b"\n" + content).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def part(body: str | bytes, content_type: str, headers: str = "") -> bytes:
    content = body.encode() if isinstance(body, str) else body
    return f"Content-Type: {content_type}\n{headers}\n".encode() + content


def multipart(kind: str, *parts: bytes, **options: object) -> bytes:
    number = next(_numbers)
    boundary = f"=_part_{number}"
    body = b"".join(b"--" + boundary.encode() + b"\n" + one + b"\n" for one in parts)
    body += b"--" + boundary.encode() + b"--\n"
    return mail(body, content_type=f'multipart/{kind}; boundary="{boundary}"', encoding="7bit", **options)  # type: ignore[arg-type]


def nested(kind: str, *parts: bytes) -> bytes:
    boundary = f"=_inner_{next(_numbers)}"
    body = b"".join(b"--" + boundary.encode() + b"\n" + one + b"\n" for one in parts)
    return (
        f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'.encode()
        + body
        + f"--{boundary}--\n".encode()
    )


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def html_of(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"<div>{line or '<br>'}</div>" for line in escaped.split("\n"))


# --- replies, as mail programs quote --------------------------------------------------------------------


def _gmail_plain(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = (
        "Am Do., 12. März 2026 um 10:22 Uhr schrieb Hilfe <\nhelp@example.net>:"
        if de
        else "On Thu, Mar 12, 2026 at 10:22 AM Help <help@example.net>\nwrote:"
    )
    return mail(f"{text}\n\n{said}\n\n{quoted(ours)}\n"), text


def _gmail_html(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = "Am Do., 12. März 2026 um 10:22 schrieb Hilfe" if de else "On Thu, Mar 12, 2026 at 10:22 AM Help"
    said += ' &lt;<a href="mailto:help@example.net">help@example.net</a>&gt;' + (":" if de else " wrote:")
    html = (
        f'<div dir="ltr">{html_of(text)}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{said}'
        f'<br></div><blockquote class="gmail_quote" style="margin:0">{html_of(ours)}</blockquote></div>'
    )
    return mail(html, content_type="text/html; charset=utf-8"), text


def _outlook_plain(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    block = (
        "Von: Hilfe <help@example.net>\nGesendet: Donnerstag, 12. März 2026 10:22\nAn: Ada\nBetreff: Rechnung"
        if de
        else "From: Help <help@example.net>\nSent: Thursday, March 12, 2026 10:22 AM\nTo: Ada\nSubject: Invoice"
    )
    return mail(f"{text}\n\n{block}\n\n{ours}\n"), text


def _outlook_divider(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    divider = "-----Ursprüngliche Nachricht-----" if de else "-----Original Message-----"
    return mail(f"{text}\n\n{divider}\n{ours}\n"), text


def _outlook_html(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    names = ("Von", "Gesendet", "An", "Betreff") if de else ("From", "Sent", "To", "Subject")
    values = ("Help &lt;help@example.net&gt;", "12.03.2026 10:22", "Ada", "Invoice")
    block = "<br>".join(f"<b>{name}:</b> {value}" for name, value in zip(names, values, strict=True))
    html = (
        "<html xmlns:o='urn:schemas-microsoft-com:office:office'><head><style>p.MsoNormal{margin:0}</style></head>"
        f"<body lang=DE><div class=WordSection1>{html_of(text)}<div style='border:none;border-top:solid #E1E1E1 1.0pt;"
        f"padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal>{block}</p></div>{html_of(ours)}</div></body></html>"
    )
    return mail(html, content_type='text/html; charset="utf-8"'), text


def _outlook_web(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    names = ("Von", "Gesendet", "An", "Betreff") if de else ("From", "Sent", "To", "Subject")
    values = ("Help", "Thursday, March 12, 2026 10:22 AM", "Ada", "Invoice")
    block = "<br>".join(f"<b>{name}:</b> {value}" for name, value in zip(names, values, strict=True))
    html = f'{html_of(text)}<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{block}</div>{html_of(ours)}'
    plain = f"{text}\n________________________________\n" + "\n".join(
        f"{name}: {value}" for name, value in zip(names, values, strict=True)
    )
    return (
        multipart(
            "alternative",
            part(f"{plain}\n\n{ours}", "text/plain; charset=utf-8"),
            part(html, "text/html; charset=utf-8"),
        ),
        text,
    )


def _thunderbird(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = "Am 12.03.26 um 10:22 schrieb Hilfe:" if de else "On 12/03/2026 10:22, Help wrote:"
    signature = "-- \nAda Lovelace\nAnalytical Engines Ltd"
    return mail(f"{text}\n\n{said}\n{quoted(ours)}\n\n{signature}\n"), text


def _apple(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = (
        "Am 12.03.2026 um 10:22 schrieb Hilfe <help@example.net>:"
        if de
        else "On 12 Mar 2026, at 10:22, Help <help@example.net> wrote:"
    )
    mobile = "Von meinem iPhone gesendet" if de else "Sent from my iPhone"
    return mail(f"{text}\n\n{mobile}\n\n> {said}\n> \n{quoted(ours)}\n"), text


def _gmx(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    block = (
        "Gesendet: Donnerstag, 12. März 2026 um 10:22 Uhr\nVon: Hilfe <help@example.net>\nAn: ada@example.org\n"
        "Betreff: Rechnung"
        if de
        else "Sent: Thursday, March 12, 2026 at 10:22 AM\nFrom: Help <help@example.net>\nTo: ada@example.org\n"
        "Subject: Invoice"
    )
    return mail(f"{text}\n \n\n{block}\n{ours}\n"), text


def _yahoo(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = (
        "Am Donnerstag, 12. März 2026 um 10:22:03 MEZ hat Hilfe &lt;help@example.net&gt; Folgendes geschrieben:"
        if de
        else "On Thursday, March 12, 2026 at 10:22:03 AM GMT+1, Help &lt;help@example.net&gt; wrote:"
    )
    quote = f"<div><div>{said}</div></div>{html_of(ours)}"
    html = f'{html_of(text)}<div id="yahoo_quoted_1" class="yahoo_quoted">{quote}</div>'
    return mail(html, content_type="text/html; charset=utf-8"), text


def _proton(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = (
        "Am Donnerstag, 12. März 2026 um 10:22, schrieb Hilfe <help@example.net>:"
        if de
        else "On Thursday, March 12th, 2026 at 10:22 AM, Help <help@example.net> wrote:"
    )
    sent = "Gesendet mit Proton Mail sicherer E-Mail." if de else "Sent with Proton Mail secure email."
    return mail(f"{text}\n\n{sent}\n\n{said}\n\n{quoted(ours)}\n"), text


def _outlook_mobile(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    sent = "Outlook für iOS beziehen" if de else "Get Outlook for iOS"
    block = (
        "Von: Hilfe <help@example.net>\nGesendet: Donnerstag, März 12, 2026 10:22:03 AM\nAn: Ada\nBetreff: Rechnung"
        if de
        else "From: Help <help@example.net>\nSent: Thursday, March 12, 2026 10:22:03 AM\nTo: Ada\nSubject: Invoice"
    )
    rule = "________________________________"
    return mail(f"{text}\n\n{sent}<https://aka.ms/o0ukef>\n{rule}\n{block}\n\n{ours}\n"), text


def _bottom(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = "Am 12.03.26 um 10:22 schrieb Hilfe:" if de else "On 12/03/2026 10:22, Help wrote:"
    return mail(f"{said}\n{quoted(ours)}\n\n{text}\n"), text


def _flowed(text: str, ours: str, de: bool) -> tuple[bytes, str]:
    said = "Am 12.03.26 um 10:22 schrieb Hilfe:" if de else "On 12/03/2026 10:22, Help wrote:"
    broken = text.replace(" ", " \n", 1) if not text.startswith("-") else text
    return (
        mail(
            f"{broken}\n\n{said}\n{quoted(ours)}\n", content_type="text/plain; charset=utf-8; format=flowed"
        ),
        text,
    )


QUOTING = {
    function.__name__.strip("_"): function
    for function in (
        _gmail_plain,
        _gmail_html,
        _outlook_plain,
        _outlook_divider,
        _outlook_html,
        _outlook_web,
        _thunderbird,
        _apple,
        _gmx,
        _yahoo,
        _proton,
        _outlook_mobile,
        _bottom,
        _flowed,
    )
}


def replies() -> Iterator[Sample]:
    for style, make in QUOTING.items():
        for language in ("en", "de"):
            for number, text in enumerate(TEXTS[language]):
                raw, expected = make(text, OURS[language], language == "de")
                words = OURS[language].split("\n")[2]
                yield Sample(
                    f"{style}-{language}-{number}", raw, text=expected, quoted=words, language=language
                )


def interleaved() -> Iterator[Sample]:
    for language in ("en", "de"):
        said = (
            "Am 12.03.26 um 10:22 schrieb Hilfe:" if language == "de" else "On 12/03/2026 10:22, Help wrote:"
        )
        first, second = (
            ("Welche Nummer?", "Welche Farbe?") if language == "de" else ("What number?", "What colour?")
        )
        body = f"{said}\n> {first}\n\n4711\n\n> {second}\n\nBlau, blue\n"
        expected = f"> {first}\n\n4711\n\n> {second}\n\nBlau, blue"
        yield Sample(f"interleaved-{language}", mail(body), text=expected, language=language)


# --- character sets --------------------------------------------------------------------------------------

_UMLAUTS = "Grüße aus Köln: größer für 9 €"
_ACCENTS = "Voilà – the café’s “menu”"


def charsets() -> Iterator[Sample]:
    for text in (_UMLAUTS, _ACCENTS):
        plain = text.replace("€", "EUR")
        label = "umlauts" if text is _UMLAUTS else "accents"
        western = text.encode("cp1252")
        cases: list[tuple[str, bytes, str, str]] = [
            ("utf8", text.encode(), "utf-8", text),
            ("cp1252", western, "windows-1252", text),
            ("cp1252-as-latin1", western, "iso-8859-1", text),
            ("cp1252-undeclared", western, "", text),
            ("cp1252-as-ascii", western, "us-ascii", text),
            ("cp1252-as-utf8", western, "utf-8", text),
            ("cp1252-as-nonsense", western, "x-user-defined", text),
            ("utf8-as-latin1", text.encode(), "iso-8859-1", text),
            ("utf8-as-ascii", text.encode(), "us-ascii", text),
            ("utf8-undeclared", text.encode(), "", text),
            ("utf8-as-nonsense", text.encode(), "unicode-9-9", text),
            ("utf8-quoted-name", text.encode(), '"utf8"', text),
            ("utf8mb4", text.encode(), "utf8mb4", text),
        ]
        if text is _UMLAUTS:
            cases += [
                ("latin1", plain.encode("latin-1"), "iso-8859-1", plain),
                ("latin9", text.encode("iso-8859-15"), "iso-8859-15", text),
                ("cp850", plain.encode("cp850"), "cp850", plain),
                ("utf16", text.encode("utf-16"), "utf-16", text),
                ("base64-as-charset", text.encode(), "base64", text),
            ]
        for name, content, declared, expected in cases:
            kind = f"text/plain; charset={declared}" if declared else "text/plain"
            encoded = base64.encodebytes(content)
            yield Sample(
                f"{name}-{label}-base64", mail(encoded, content_type=kind, encoding="base64"), text=expected
            )
            if name != "utf16":
                quoted_printable = quopri.encodestring(content)
                raw = mail(quoted_printable, content_type=kind, encoding="quoted-printable")
                yield Sample(f"{name}-{label}-qp", raw, text=expected)


def headers() -> Iterator[Sample]:
    body = "Hello there."
    for name, subject, expected in (
        ("encoded-b", "=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("encoded-q", "=?iso-8859-1?Q?Gr=FC=DFe_an_alle?=", "Grüße an alle"),
        ("encoded-split", "=?utf-8?Q?Gr=C3=BC?=\n =?utf-8?Q?=C3=9Fe?=", "Grüße"),
        ("encoded-unknown", "=?x-nonsense?Q?Hello?=", "Hello"),
        ("encoded-broken", "=?utf-8?B?R3LDv", "=?utf-8?B?R3LDv"),
        ("folded", "one\n two\n\tthree", "one two three"),
        ("none", "", ""),
    ):
        raw = mail(body).replace(
            b"Subject: Re: Invoice", b"Subject: " + subject.replace("\n", "\r\n").encode()
        )
        yield Sample(f"subject-{name}", raw, text=body, subject=expected)
    for name, raw_subject in (("utf8", "Grüße".encode()), ("latin1", "Grüße".encode("latin-1"))):
        raw = mail(body).replace(b"Subject: Re: Invoice", b"Subject: " + raw_subject)
        yield Sample(f"subject-raw-{name}", raw, text=body, subject="Grüße")
    for name, sender in (
        ("bare", "ada@example.org"),
        ("comment", "ada@example.org (Ada Lovelace)"),
        ("quoted", '"Lovelace, Ada" <ada@example.org>'),
        ("encoded", "=?utf-8?B?QWTDoQ==?= <ada@example.org>"),
        ("unquoted-comma", "Lovelace, Ada <ada@example.org>"),
        ("at-in-name", "ada@work <ada@example.org>"),
        ("unbalanced", '"Ada <ada@example.org>'),
    ):
        yield Sample(f"from-{name}", mail(body, sender=sender), text=body)
    yield Sample("no-date", mail(body, left_out=("Date",)), text=body)
    yield Sample("no-message-id", mail(body, left_out=("Message-ID",)), text=body)
    yield Sample(
        "no-mime",
        mail(body, left_out=("MIME-Version", "Content-Type", "Content-Transfer-Encoding")),
        text=body,
    )
    yield Sample(
        "no-sender", mail(body, left_out=("From",)), text=body, sender="", remarks=frozenset(["no_sender"])
    )
    yield Sample("bad-date", mail(body).replace(b"Thu, 12 Mar 2026", b"Someday"), text=body)
    yield Sample("mbox-line", b"From ada@example.org Thu Mar 12 10:22:03 2026\r\n" + mail(body), text=body)
    yield Sample("bare-newlines", mail(body).replace(b"\r\n", b"\n"), text=body)
    yield Sample("junk-header", mail(body, headers="this is no header\n"), text=None)
    yield Sample("only-a-head", b"From: ada@example.org\r\nSubject: Hello\r\n", remarks=frozenset(["empty"]))
    yield Sample("nothing-of-a-mail", b"\x00\x01\x02\xff garbage", sender="")


# --- structure -------------------------------------------------------------------------------------------

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


def _file(content: bytes, kind: str, name: str, disposition: str = "attachment") -> bytes:
    return part(
        base64.encodebytes(content),
        f'{kind}; name="{name}"',
        f'Content-Disposition: {disposition}; filename="{name}"\nContent-Transfer-Encoding: base64\n',
    )


def structures() -> Iterator[Sample]:
    for language in ("en", "de"):
        text = TEXTS[language][1]
        plain = part(text, "text/plain; charset=utf-8")
        html = part(html_of(text), "text/html; charset=utf-8")
        made: dict[str, Sample] = {
            "html-only": Sample(
                "",
                mail(html_of(text), content_type="text/html; charset=utf-8"),
                text=text,
                remarks=frozenset(["html_only"]),
            ),
            "alternative": Sample("", multipart("alternative", plain, html), text=text),
            "alternative-placeholder": Sample(
                "",
                multipart(
                    "alternative",
                    part("This is HTML.", "text/plain"),
                    part(html_of(text * 3), "text/html; charset=utf-8"),
                ),
                remarks=frozenset(["html_only"]),
            ),
            "alternative-empty-plain": Sample(
                "", multipart("alternative", part("", "text/plain"), html), text=text
            ),
            "related": Sample(
                "",
                multipart(
                    "related",
                    nested("alternative", plain, html),
                    _file(_PNG, "image/png", "logo.png", "inline"),
                ),
                text=text,
                files=("logo.png",),
            ),
            "mixed-pdf": Sample(
                "",
                multipart("mixed", plain, _file(b"%PDF-1.7 x", "application/pdf", "a.pdf")),
                text=text,
                files=("a.pdf",),
            ),
            "mixed-two-texts": Sample(
                "", multipart("mixed", plain, part("And this.", "text/plain")), text=f"{text}\n\nAnd this."
            ),
            "winmail": Sample(
                "",
                multipart("mixed", plain, _file(b"\x78\x9f\x3e\x22", "application/ms-tnef", "winmail.dat")),
                text=text,
                files=("winmail.dat",),
                remarks=frozenset(["winmail"]),
            ),
            "winmail-only": Sample(
                "",
                mail(
                    base64.encodebytes(b"\x78\x9f\x3e\x22"),
                    content_type="application/ms-tnef",
                    encoding="base64",
                ),
                text="",
                files=("winmail.dat",),
                remarks=frozenset(["winmail", "empty"]),
            ),
            "attached-mail": Sample(
                "",
                multipart("mixed", plain, part(mail("Inside."), "message/rfc822")),
                text=text,
                files=("Re Invoice.eml",),
            ),
            "only-an-attached-mail": Sample(
                "", multipart("mixed", part(mail("Inside."), "message/rfc822")), files=("Re Invoice.eml",)
            ),
            "signed": Sample(
                "",
                multipart("signed", plain, _file(b"0", "application/pkcs7-signature", "smime.p7s")),
                text=text,
                files=("smime.p7s",),
            ),
            "encrypted": Sample(
                "",
                multipart(
                    "encrypted",
                    part("Version: 1", "application/pgp-encrypted"),
                    _file(b"-", "application/octet-stream", "e.asc"),
                ),
                text="",
                remarks=frozenset(["encrypted", "empty"]),
            ),
            "calendar": Sample(
                "",
                multipart("alternative", plain, part("BEGIN:VCALENDAR", "text/calendar; method=REQUEST")),
                text=text,
            ),
            "empty": Sample("", mail("\n\n"), text="", remarks=frozenset(["empty"])),
            "no-end-of-parts": Sample("", multipart("mixed", plain).rpartition(b"--=_part")[0], text=text),
            "no-boundary": Sample("", mail(text, content_type="multipart/mixed"), text=None),
            "broken-base64": Sample(
                "", mail("SGVsbG8gdGhlcmU*=\n=", content_type="text/plain", encoding="base64"), text=None
            ),
            "forward": Sample(
                "",
                mail(
                    f"{text}\n\n---------- Forwarded message ---------\nFrom: Shop <shop@example.com>\nDate: Mon\n"
                    "Subject: Order\nTo: Ada\n\nYour order 17."
                ),
                text=f"{text}\n\n---------- Forwarded message ---------\nFrom: Shop <shop@example.com>\nDate: Mon\n"
                "Subject: Order\nTo: Ada\n\nYour order 17.",
            ),
            "signature": Sample("", mail(f"{text}\n\n-- \nAda\n+49 30 1234\n"), text=text),
            "evil-name": Sample(
                "",
                multipart("mixed", plain, _file(b"x", "text/plain", "../../etc/passwd.txt")),
                text=text,
                files=("passwd.txt",),
            ),
            "hidden-preview": Sample(
                "",
                mail(
                    f'<div style="display:none">Read on</div><style>p{{}}</style>{html_of(text)}<img width="1" src="https://x.example">',
                    content_type="text/html; charset=utf-8",
                ),
                text=text,
            ),
        }
        for name, sample in made.items():
            yield _named(sample, f"{name}-{language}")
    yield Sample("deep", _deep(60), text=None)
    yield Sample("many-parts", multipart("mixed", *[part(str(n), "text/plain") for n in range(400)]))
    yield Sample("deep-html", mail("<div>" * 20_000 + "Hello", content_type="text/html"), text=None)
    yield Sample("long-line", mail("x" * 300_000), text="x" * 300_000)


def _named(sample: Sample, name: str) -> Sample:
    return Sample(**{**sample.__dict__, "name": name})


def _deep(levels: int) -> bytes:
    inner = part("Hello.", "text/plain")
    for _level in range(levels):
        inner = nested("mixed", inner)
    return multipart("mixed", inner)


# --- what no person wrote --------------------------------------------------------------------------------


def bounce(of: str = "<ticket-1@localhost>", *, status: str = "5.1.1") -> bytes:
    report = (
        "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; ada@example.org\nAction: failed\n"
    )
    report += f"Status: {status}\n"
    report += "Diagnostic-Code: smtp; 550 5.1.1 No such user\n"
    return multipart(
        "report; report-type=delivery-status",
        part("I could not deliver your message.", "text/plain"),
        part(report, "message/delivery-status"),
        part(f"Message-ID: {of}\nSubject: We have your request\n\n", "text/rfc822-headers"),
        subject="Undelivered Mail Returned to Sender",
        sender="MAILER-DAEMON@mx.example.org (Mail Delivery System)",
    )


def robots() -> Iterator[Sample]:
    for language, subject, words in (
        ("en", "Automatic reply: Your request", "I am away until Monday."),
        ("de", "Automatische Antwort: Ihre Anfrage", "Ich bin bis Montag nicht im Büro."),
    ):
        plain = "Re: Your request"
        made = {
            "auto-replied": (
                mail(words, subject=plain, headers="Auto-Submitted: auto-replied\n"),
                "out_of_office",
            ),
            "vacation": (
                mail(
                    words,
                    subject=plain,
                    headers="Auto-Submitted: auto-replied (vacation)\nPrecedence: bulk\n",
                ),
                "out_of_office",
            ),
            "subject-only": (mail(words, subject=subject), "out_of_office"),
            "exchange": (
                mail(words, subject=subject, headers="X-Auto-Response-Suppress: All\n"),
                "out_of_office",
            ),
            "x-autoreply": (mail(words, subject=plain, headers="X-Autoreply: yes\n"), "out_of_office"),
            "x-autorespond": (
                mail(words, subject=plain, headers="X-Autorespond: vacation\n"),
                "out_of_office",
            ),
            "precedence-auto": (
                mail(words, subject=plain, headers="Precedence: auto_reply\n"),
                "out_of_office",
            ),
            "generated": (
                mail(words, subject=plain, headers="Auto-Submitted: auto-generated\n"),
                "auto_submitted",
            ),
            "notified": (
                mail(words, subject=plain, headers="Auto-Submitted: auto-notified\n"),
                "auto_submitted",
            ),
            "suppress": (
                mail(words, subject=plain, headers="X-Auto-Response-Suppress: OOF, AutoReply\n"),
                "auto_submitted",
            ),
            "bulk": (mail(words, subject=plain, headers="Precedence: bulk\n"), "bulk"),
            "list": (mail(words, subject=plain, headers="List-Id: <news.example.org>\n"), "bulk"),
            "newsletter": (mail(words, headers="List-Unsubscribe: <https://example.org/u>\n"), "bulk"),
            "x-loop": (mail(words, subject=plain, headers="X-Loop: help@example.net\n"), "loop"),
            "own-mark": (mail(words, subject=plain, headers="X-Helpcenter-Loop: localhost\n"), "loop"),
            "hops": (
                mail(words, headers="Received: from a by b; Thu, 12 Mar 2026 10:22:03 +0100\n" * 60),
                "loop",
            ),
            "own-id": (mail(words, message_id=f"<message-{next(_numbers)}@localhost>"), "own"),
            "no-reply": (mail(words, sender="Shop <no-reply@shop.example>"), "no_reply"),
            "postmaster": (mail(words, sender="postmaster@example.org"), "bounce"),
            "failed-recipients": (mail(words, headers="X-Failed-Recipients: ada@example.org\n"), "bounce"),
        }
        for name, (raw, kind) in made.items():
            yield Sample(f"{name}-{language}", raw, kind=kind, text=words, language=language)
        yield Sample(f"null-sender-{language}", mail(words), kind="empty_sender", return_path="")
        yield Sample(
            f"null-return-path-{language}", mail(words, headers="Return-Path: <>\n"), kind="empty_sender"
        )
    yield Sample("bounce", bounce(), kind="bounce")
    yield Sample("bounce-delayed", bounce(status="4.4.7"), kind="bounce")
    yield Sample(
        "human-with-no-auto-submitted", mail("Hello.", headers="Auto-Submitted: no\n"), text="Hello."
    )
    yield Sample("human-named-normal", mail("Hello.", headers="Precedence: normal\n"), text="Hello.")


def corpus() -> list[Sample]:
    return [*replies(), *interleaved(), *charsets(), *headers(), *structures(), *robots()]
