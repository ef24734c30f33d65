"""What staff wrote to one customer, without what belongs to that customer alone.

Promise: pure, and careful in one direction: a salutation, a closing, addresses, numbers and the customer's name are
taken out where they are recognised; everything else stays, for a person to go over. Nothing here makes a text fit to
publish.
"""

import re
from collections.abc import Sequence
from typing import Final

TAKEN_OUT: Final = "…"

_SALUTATION: Final = re.compile(
    r"\s*(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|guten (?:tag|morgen|abend)|hallo|moin|servus"
    r"|grüezi|liebe[rs]?|sehr geehrte[rs]?)\b(?:[ \t]+[\w.'’-]+){0,5}[ \t]*(?:[,!:]|$)\s*",
    re.IGNORECASE | re.MULTILINE,
)
_THANKS: Final = re.compile(
    r"\s*(?:thank you|thanks|many thanks|vielen dank|herzlichen dank|danke)\b[^\n.!?]{0,90}[.!]\s*",
    re.IGNORECASE,
)
_CLOSING: Final = re.compile(
    r"^\s*(?:(?:with )?(?:best|kind|warm)(?: (?:regards|wishes))?|regards|yours (?:sincerely|truly|faithfully)"
    r"|sincerely|cheers|mit (?:freundlichen|besten|herzlichen|lieben) grüßen"
    r"|mit (?:freundlichem|bestem|herzlichem) gruß"
    r"|(?:viele|beste|liebe|freundliche|herzliche|schöne) grüße|freundliche grüsse|mit freundlichen grüssen"
    r"|(?:beste|liebe|viele) grüsse|lg|vg|mfg)\b[,.!]?[^\n]{0,60}$",
    re.IGNORECASE | re.MULTILINE,
)
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TICKET: Final = re.compile(r"\bT-[0-9A-Z]{7}\b")
# A telephone number, an account or an order: many digits with nothing else among them. A year or a price is shorter.
_LONG_NUMBER: Final = re.compile(r"(?<![\w.])(?:\+|00)?\d(?:[ /()-]?\d){7,}(?!\w)")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?\b")


def general_part(reply: str, *, names: Sequence[str] = ()) -> str:
    """Empty where nothing is left. `names` of the customer, as they are known."""
    text = reply.replace("\r\n", "\n").strip()
    closing = _last_closing(text)
    if closing is not None:
        text = text[:closing].rstrip()
    start = _SALUTATION.match(text)
    if start is not None:
        text = text[start.end() :]
    thanks = _THANKS.match(text)
    if thanks is not None:
        text = text[thanks.end() :]
    text = without_particulars(text, names=names).strip()
    return text[:1].upper() + text[1:]


def without_particulars(text: str, *, names: Sequence[str] = ()) -> str:
    """Without addresses, long numbers and the customer's name, where they are recognised; the rest as it is."""
    for pattern in (_MAIL, _TICKET, _IBAN, _LONG_NUMBER):
        text = pattern.sub(TAKEN_OUT, text)
    for name in names:
        for part in {name, *name.split()}:
            if len(part) > 2:
                text = re.sub(rf"\b{re.escape(part)}\b", TAKEN_OUT, text, flags=re.IGNORECASE)
    return text


def _last_closing(text: str) -> int | None:
    """Where the farewell begins, in the last lines alone: what follows it is a name and a signature."""
    found = [match.start() for match in _CLOSING.finditer(text)]
    return next((at for at in found if text[at:].count("\n") <= 12 and at > 0), None)
