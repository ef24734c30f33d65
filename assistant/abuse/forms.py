"""Signs that a program filled in a form: a field that people do not see, and haste.

Promise: nobody is turned away and nothing is lost. A form that looks like a program's comes back with all that was
typed and one button for a person; a password manager that fills in the hidden field costs its owner that click.
No captcha and no third party. It keeps out programs that know nothing of this site, which is nearly all of them.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest

TRAP_FIELD = "homepage"
OPENED_FIELD = "form_opened"
CONFIRMED_FIELD = "form_confirmed"
_CONFIRM_SECONDS = 1.0  # nobody reads the question and clicks in less
_OLDEST_SECONDS = 7 * 86_400  # a tab of last week asks once more

_opened = TimestampSigner(salt="assistant.abuse.forms.opened")
_confirmed = TimestampSigner(salt="assistant.abuse.forms.confirmed")


@dataclass(frozen=True)
class FormMarks:
    """What a form carries to be recognised later."""

    trap_field: str
    opened_field: str
    opened: str


def form_marks() -> FormMarks:
    return FormMarks(TRAP_FIELD, OPENED_FIELD, _opened.sign("form"))


def confirmation() -> str:
    return _confirmed.sign("person")


def looks_automatic(request: HttpRequest) -> bool:
    if not settings.FORM_SECONDS:
        return False
    posted = request.POST
    if _is_older(_confirmed, posted.get(CONFIRMED_FIELD, ""), _CONFIRM_SECONDS):
        return False
    return bool(posted.get(TRAP_FIELD)) or not _is_older(
        _opened, posted.get(OPENED_FIELD, ""), settings.FORM_SECONDS
    )


def _is_older(signer: TimestampSigner, signed: str, seconds: float) -> bool:
    """Signed by us, and at least so long ago. A second is the clock's step, so the shortest is not exact."""
    try:
        signer.unsign(signed, max_age=_OLDEST_SECONDS)
    except BadSignature:
        return False
    try:
        signer.unsign(signed, max_age=timedelta(seconds=seconds))
    except BadSignature:
        return True
    return False
