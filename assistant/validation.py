"""What may be typed. Every refusal names the field, what was wrong and what is allowed, in the reader's language.

Shared by page, API and command line, so that they cannot disagree. Nothing here touches the database.
"""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from assistant.models import MAX_DETAIL_LENGTH, MAX_QUESTION_LENGTH

_ALLOWED_CONTROLS = "\n\t"
_CONTROL_CATEGORIES = frozenset(["Cc", "Cs", "Co", "Cn"])
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MAX_NAME_LENGTH = 120
_MAX_KEY_LENGTH = 200


class InvalidInput(Exception):
    """The customer can mend it. `field` names what to mend, `message` says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidQuestion(InvalidInput):
    pass


def without_controls(text: str) -> str:
    """NFC text without control and direction-override characters; line ends become \\n."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(
        character
        for character in text
        if character in _ALLOWED_CONTROLS
        or (
            unicodedata.category(character) not in _CONTROL_CATEGORIES
            and character not in _DIRECTION_OVERRIDES
        )
    )


def clean_question_text(text: str) -> str:
    cleaned = without_controls(text).strip()
    if not cleaned:
        raise InvalidQuestion("question", _("Please type a question. The field is empty."))
    if len(cleaned) > MAX_QUESTION_LENGTH:
        raise InvalidQuestion(
            "question",
            _("Your question has %(length)d characters. At most %(limit)d are allowed; please shorten it.")
            % {"length": len(cleaned), "limit": MAX_QUESTION_LENGTH},
        )
    if not re.search(r"\w", cleaned):
        raise InvalidQuestion(
            "question", _("Your question holds only punctuation. Please use words, such as “change address”.")
        )
    return cleaned


def clean_email(value: str, *, field: str = "contact_email") -> str:
    cleaned = without_controls(value).strip()
    if not cleaned:
        raise InvalidInput(field, _("Please give an e-mail address, so that we can reply."))
    try:
        validate_email(cleaned)
    except ValidationError:
        raise InvalidInput(
            field, _("This is not an e-mail address. It looks like name@example.org.")
        ) from None
    if len(cleaned) > 254:
        raise InvalidInput(field, _("An e-mail address has at most 254 characters."))
    return cleaned


def clean_text(value: str, *, field: str, limit: int = MAX_DETAIL_LENGTH, required: bool = False) -> str:
    cleaned = without_controls(value).strip()
    if required and not cleaned:
        raise InvalidInput(field, _("Please write something here. The field is empty."))
    if len(cleaned) > limit:
        raise InvalidInput(
            field,
            _("This text has %(length)d characters. At most %(limit)d are allowed; please shorten it.")
            % {"length": len(cleaned), "limit": limit},
        )
    return cleaned


def clean_name(value: str, *, field: str = "contact_name") -> str:
    return " ".join(clean_text(value, field=field, limit=_MAX_NAME_LENGTH).split())


def clean_idempotency_key(value: str) -> str:
    """At most 200 printable ASCII characters; empty means none."""
    if value and not re.fullmatch(rf"[\x21-\x7e]{{1,{_MAX_KEY_LENGTH}}}", value):
        raise InvalidInput(
            "idempotency_key",
            _("An idempotency key has 1 to %(limit)d printable ASCII characters without spaces.")
            % {"limit": _MAX_KEY_LENGTH},
        )
    return value
