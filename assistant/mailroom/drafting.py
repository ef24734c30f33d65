"""What the assistant would answer to a mail that opened a ticket: a note for staff, and nothing else.

Promise: no word of it reaches the customer by itself. The note has the draft with its citations and the confidence
behind it, or says that there is none, why, and which articles came closest. Nothing is held across the model's work.
"""

import re
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from assistant.asking import Decision, Inquiry, decide
from assistant.mailroom.folding import Kind
from assistant.mailroom.models import InboundMail, Step
from assistant.mailroom.notes import add_note
from assistant.models import MAX_DETAIL_LENGTH, MAX_QUESTION_LENGTH, TicketReason
from knowledge.plaintext import plain_text

_CLOSEST = 3  # articles named where there is no draft
_LONGEST_QUOTE = 300  # characters
_GREETING = re.compile(
    r"\s*(?:hallo|hi|hello|hey|dear|liebe[rs]?|sehr geehrte[rs]?|guten (?:tag|morgen|abend)|moin|servus|grüezi"
    r"|good (?:morning|afternoon|evening))\b[^.?!\n]{0,60}[,!.]?\s*",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\s*(?:mit (?:freundlichen|besten|herzlichen|lieben|vielen) \w+"
    r"|(?:viele|beste|liebe|herzliche|freundliche) gr(?:ü|ue)(?:ß|ss)e"
    r"|gr(?:uß|ü(?:ß|ss)e)|mfg|vg|lg|(?:kind|best|warm) regards|regards|best|thanks|thank you|many thanks|cheers"
    r"|sincerely|yours \w+|(?:vielen |besten |herzlichen )?dank(?:e)?)\b.{0,30}",
    re.IGNORECASE,
)


def draft_for(mail: InboundMail) -> None:
    """Safe to repeat: who marks the row as done first writes the note."""
    ticket = mail.ticket
    if ticket is None:
        InboundMail.objects.filter(pk=mail.pk).update(step=Step.DONE, due_at=None, error="")
        return
    text = question_of(mail.subject, mail.texts(Kind.TEXT))
    # As anybody would be answered: a sender's address proves no account.
    decision = decide(Inquiry(text=text, language=ticket.language)) if re.search(r"\w", text) else None
    with transaction.atomic(), translation.override(settings.LANGUAGE_CODE):
        claimed = InboundMail.objects.filter(pk=mail.pk, step=Step.FILED)
        if claimed.update(step=Step.DONE, due_at=None, error="") and decision is not None:
            body = "\n\n".join(_note(decision))
            add_note(ticket, body[:MAX_DETAIL_LENGTH])


def question_of(subject: str, text: str) -> str:
    """What the mail asks, without its greeting and what follows its closing words."""
    lines = text.strip().split("\n")
    if lines and _GREETING.fullmatch(lines[0]):
        lines = lines[1:]
    for index in range(len(lines) - 1, 0, -1):
        if _CLOSING.fullmatch(lines[index]):
            lines = lines[:index]
    asked = "\n".join(lines).strip()
    subject = re.sub(
        r"^\s*(?:(?:re|aw|fwd?|wg)\s*:\s*|\[[^\]]{1,30}\]\s*)+", "", subject, flags=re.IGNORECASE
    ).strip()
    if subject and subject.lower() not in asked.lower():
        asked = f"{subject}\n{asked}".strip()
    return asked[:MAX_QUESTION_LENGTH].strip()


def _note(decision: Decision) -> Iterator[str]:
    confidence = decision.confidence
    shares = {"score": round(confidence.score * 100), "threshold": round(confidence.threshold * 100)}
    if decision.draft is None:
        values = {"reason": TicketReason(decision.reason or "").label} | shares
        yield (
            _(
                "The assistant has no draft for this e-mail (%(reason)s; confidence %(score)d %%, needed "
                "%(threshold)d %%)."
            )
            % values
        )
        closest = dict.fromkeys((passage.title, passage.url) for passage in decision.passages)
        if closest:
            named = "\n".join(f"- {title} · {_address(url)}" for title, url in list(closest)[:_CLOSEST])
            yield _("The articles that came closest:") + f"\n{named}"
        return
    yield (
        _(
            "Draft by the assistant, not sent (confidence %(score)d %%, needed %(threshold)d %%). Check it before you "
            "use it:"
        )
        % shares
    )
    for block in decision.draft.blocks:
        marks = "".join(f" [{number}]" for number in block.citations)
        yield f"{plain_text(block.text)}{marks}"
    for citation in decision.draft.citations:
        quote = " ".join(citation.quote.split())
        quote = quote if len(quote) <= _LONGEST_QUOTE else f"{quote[:_LONGEST_QUOTE]}…"
        yield f"[{citation.number}] {citation.passage.title} · {_address(citation.passage.url)}\n“{quote}”"


def _address(url: str) -> str:
    return url if "://" in url else f"{settings.SITE_URL}{url}"
