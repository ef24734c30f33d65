"""Whether a person wrote a mail. What a robot sent is stored and shown, and nobody answers it.

Promise: pure. Every mark here is one that its senders set on purpose (RFC 3834, RFC 3464, RFC 5230) or that common
programs are known by; words in a subject count only together with nobody answering being meant: an out-of-office.
"""

import re
from collections.abc import Mapping, Sequence

from django.db import models
from django.utils.translation import gettext_lazy as _


class Robot(models.TextChoices):
    """Why a mail counts as not written by a person."""

    OWN = "own", _("It is one of our own e-mails, come back")
    BOUNCE = "bounce", _("A mail server reports on a delivery")
    EMPTY_SENDER = "empty_sender", _("Sent without a return address, as only mail servers do")
    AUTO_SUBMITTED = "auto_submitted", _("Marked as automatic by its sender")
    OUT_OF_OFFICE = "out_of_office", _("Out of office")
    BULK = "bulk", _("Sent to many, by a list or a newsletter")
    LOOP = "loop", _("It has passed here before")
    NO_REPLY = "no_reply", _("From an address that takes no replies")
    FLOOD = "flood", _("One of very many from the same address within an hour")


Headers = Mapping[str, Sequence[str]]  # by lower-case name

LOOP_MARK = "X-Helpcenter-Loop"  # set on everything that leaves

_OUT_OF_OFFICE = re.compile(
    r"\s*(?:(?:auto(?:matic|mated)?[ -]?(?:reply|response|replied)|out[ -]of[ -](?:the[ -])?office|abwesenheit\w*"
    r"|automatische (?:antwort|rückmeldung)|auto-antwort|ooo)\b|(?:ich bin )?(?:derzeit |zur ?zeit )?"
    r"(?:nicht im büro|im urlaub)\b)",
    re.IGNORECASE,
)
_NO_REPLY = re.compile(
    r"(?:no|do[-_.]?not|nicht)[-_.]?(?:reply|respond|antworten)\b.*|mailer-daemon|postmaster", re.I
)
_TOO_MANY_HOPS = 50  # "Received" headers; mail servers give up at about that many


def robot_of(
    headers: Headers,
    *,
    sender: str,
    subject: str,
    content_type: str,
    is_report: bool,
    return_path: str | None,
    loop_value: str,
) -> Robot | None:
    """`return_path` is the address the delivery names, "" for an empty one, None where it is not known."""

    def values(name: str) -> list[str]:
        return [value.strip().lower() for value in headers.get(name, ())]

    if loop_value.lower() in values(LOOP_MARK.lower()) or len(headers.get("received", ())) > _TOO_MANY_HOPS:
        return Robot.LOOP
    if is_report or content_type == "multipart/report":
        return Robot.BOUNCE
    if sender.partition("@")[0].lower() in ("mailer-daemon", "postmaster") or headers.get(
        "x-failed-recipients"
    ):
        return Robot.BOUNCE
    submitted = values("auto-submitted")
    suppressed = " ".join(values("x-auto-response-suppress"))
    replies = (
        any(value.startswith("auto-replied") for value in submitted)
        or bool(headers.get("x-autoreply") or headers.get("x-autorespond") or headers.get("x-autoresponder"))
        or "auto_reply" in values("precedence")
    )
    if replies or _OUT_OF_OFFICE.match(subject):
        return Robot.OUT_OF_OFFICE
    if return_path == "":
        return Robot.EMPTY_SENDER
    if any(value and not value.startswith("no") for value in submitted):
        return Robot.AUTO_SUBMITTED
    if values("x-auto-response-suppress") and ("all" in suppressed or "autoreply" in suppressed):
        # Exchange sets it on what its rules send; people's own mails go without.
        return Robot.AUTO_SUBMITTED
    if (
        set(values("precedence")) & {"bulk", "list", "junk"}
        or headers.get("list-id")
        or headers.get("list-unsubscribe")
    ):
        return Robot.BULK
    if headers.get("x-loop"):
        return Robot.LOOP
    return Robot.NO_REPLY if takes_no_replies(sender) else None


def takes_no_replies(address: str) -> bool:
    return bool(_NO_REPLY.fullmatch(address.partition("@")[0]))
