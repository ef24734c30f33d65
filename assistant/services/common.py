"""What asking and writing to a person have in common."""

import hashlib
import json
from typing import Any

from assistant.models import Matter, Priority
from knowledge.models import Reader

PRIORITIES = {  # high unless it says otherwise
    Matter.PERSON: Priority.NORMAL,
    Matter.DANGER: Priority.URGENT,
    Matter.SELF_HARM: Priority.URGENT,
}


class IdempotencyConflict(Exception):
    """The same idempotency key came with another body. A retry with a new key is fine."""


def account_of(user: Reader) -> Any:
    return user if user is not None and user.is_authenticated else None


def known_email(user: Reader) -> str:
    return str(getattr(user, "email", "") or "")


def digest_of(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
