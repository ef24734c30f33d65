"""Mails of all kinds are read, folded and told from robots' as their families say."""

import pytest

from assistant.mailroom.addresses import is_our_id, loop_value
from assistant.mailroom.charsets import decode
from assistant.mailroom.folding import fold
from assistant.mailroom.html_mail import html_to_text
from assistant.mailroom.reading import read_mail
from assistant.mailroom.robots import robot_of
from tests.mail_corpus import PERSON, Sample, corpus

CORPUS = corpus()


def test_the_corpus_is_large_and_of_all_kinds():
    assert len(CORPUS) >= 200
    assert len({sample.name for sample in CORPUS}) == len(CORPUS)
    assert {sample.kind for sample in CORPUS} >= {
        PERSON, "own", "bounce", "empty_sender", "auto_submitted", "out_of_office", "bulk", "loop", "no_reply",
    }  # fmt: skip


@pytest.mark.parametrize("sample", CORPUS, ids=lambda sample: sample.name)
def test_a_mail_reads_as_its_family_says(sample: Sample):
    read = read_mail(sample.raw)
    folded = fold(read.text)
    if sample.text is not None:
        assert folded.new == sample.text
    if sample.quoted is not None:
        assert sample.quoted in folded.quoted and sample.quoted not in folded.new
    if sample.kind == PERSON:
        assert read.sender == sample.sender
    assert sample.remarks <= set(read.remarks)
    assert set(sample.files) <= {attachment.name for attachment in read.attachments}
    if sample.subject is not None:
        assert read.subject == sample.subject
    assert _kind(sample, read) == sample.kind


def _kind(sample: Sample, read) -> str:
    if is_our_id(read.message_id):
        return "own"
    named = read.headers.get("return-path")
    return (
        robot_of(
            read.headers,
            sender=read.sender,
            subject=read.subject,
            content_type=read.content_type,
            is_report=bool(read.report),
            return_path=sample.return_path if named is None else named[0].strip("<>"),
            loop_value=loop_value(),
        )
        or PERSON
    )


def test_folding_loses_no_line():
    for sample in CORPUS:
        text = read_mail(sample.raw).text
        lines = [line for piece in fold(text).pieces for line in piece.text.split("\n") if line.strip()]
        assert lines == [line for line in text.split("\n") if line.strip()], sample.name


@pytest.mark.parametrize(
    "text",
    [
        "On Monday I wrote:\nnothing came back.",
        "Am Montag schrieb ich Ihnen:\nes kam nichts zurück.",
        "From: the shop\nI bought it there.",
        "Von: meinem Konto wurde abgebucht.",
        "Two things:\n- one\n- two",
        "Mit freundlichen Grüßen\nAda",
        "5 > 3 and 3 < 5",
        "I got an error at 10:22 on 12.03.2026:\nIt does not start.",
    ],
)
def test_what_only_looks_like_a_quote_is_kept(text):
    assert fold(text).new == text


def test_a_report_names_the_mail_and_what_the_server_says():
    read = read_mail(next(sample.raw for sample in CORPUS if sample.name == "bounce"))
    assert read.reported == ("<ticket-1@localhost>",)
    assert "Status: 5.1.1" in read.report and "No such user" in read.report


def test_html_keeps_links_lists_and_order_and_drops_what_nobody_sees():
    html = (
        '<h1>Hi</h1><p>See <a href="https://example.org/a?b=1">this page</a> and '
        '<a href="https://example.org">example.org</a>.</p><ul><li>one</li><li>two</li></ul>'
        "<table><tr><td>a</td><td>b</td></tr></table><script>alert(1)</script><!-- no --><pre>x\n  y</pre>"
    )
    assert html_to_text(html) == (
        "Hi\n\nSee this page (https://example.org/a?b=1) and example.org.\n\n- one\n- two\n\na b\n\nx\n  y"
    )


def test_bytes_are_never_refused():
    for declared in ("", "utf-8", "utf-7", "idna", "hz", "rot13", "\x00", "x" * 300):
        text, _doubted = decode(bytes(range(256)), declared)
        assert text
