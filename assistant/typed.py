"""What was typed into a form that could not be taken, to be given back and sent again as it was.

Needs no database, no session and no context processor. Passwords are never given back.
"""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_LABELS: dict[str, str | Promise] = {
    "text": _("Your question"),
    "subject": _("Subject"),
    "detail": _("Your message"),
    "body": _("Your text"),
    "contact_email": _("E-mail address"),
    "contact_name": _("Name"),
    "comment": _("Your comment"),
}
_LONG_LINE = 60  # characters


@dataclass(frozen=True)
class Typed:
    """One field of the form."""

    name: str
    value: str
    label: str | Promise  # empty: sent along unseen
    is_long: bool
    is_files: bool = False  # `value` names them: a browser sends files once and wants them chosen again


def typed_fields(request: HttpRequest) -> list[Typed]:
    if request.method != "POST" or any("password" in name for name in request.POST):
        return []
    texts = [
        _field(name, str(value))
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken"
        for value in values
    ]
    files = [
        Typed(name, ", ".join(one.name or "" for one in values), _("Files"), is_long=False, is_files=True)
        for name, values in request.FILES.lists()
    ]
    return texts + files


def _field(name: str, value: str) -> Typed:
    is_long = len(value) > _LONG_LINE or "\n" in value
    label = _LABELS.get(name, _("Your text") if is_long and " " in value else "")
    return Typed(name, value, label, is_long or name in {"text", "detail", "body", "comment"})
