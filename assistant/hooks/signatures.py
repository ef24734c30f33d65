"""Signatures of the Standard Webhooks specification 1.0.0: HMAC-SHA256 over "id.timestamp.body".

Promise: pure, and compared in constant time. Used for what leaves (`deliveries`) and what comes in
(`assistant.mailroom.receiving`).
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence

TOLERANCE_SECONDS = 300  # by which a timestamp may be off, either way
_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret


class BadSignature(Exception):
    """Not from somebody who knows the secret, or not from now. `why` is for the sender."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not whsec_ followed by base64") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"{len(key)} bytes; {_SHORTEST} to {_LONGEST} are allowed")
    return key


def sign(secrets_in_force: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature: one signature a secret, the newest first."""
    return " ".join(
        f"v1,{_signature(key_of(secret), message_id, timestamp, body)}" for secret in secrets_in_force
    )


def verify(
    secrets_in_force: Sequence[str],
    *,
    message_id: str,
    timestamp: str,
    signature: str,
    body: bytes,
    now: float,
) -> None:
    """Raises BadSignature."""
    if not message_id or not timestamp or not signature:
        raise BadSignature("webhook-id, webhook-timestamp and webhook-signature are needed")
    if not re.fullmatch(r"\d{1,12}", timestamp):
        raise BadSignature("webhook-timestamp is no number of seconds since 1970")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise BadSignature(f"webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from now")
    given = [part.removeprefix("v1,") for part in signature.split() if part.startswith("v1,")]
    expected = [_signature(key_of(secret), message_id, int(timestamp), body) for secret in secrets_in_force]
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given):
        raise BadSignature("webhook-signature does not match")


def _signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
