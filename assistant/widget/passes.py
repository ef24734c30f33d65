"""A pass: what a browser shows the widget's pages in place of a session and a CSRF cookie.

Cookies of a framed site are blocked or kept apart by most browsers, so the pass stands in the address: signed,
for one embedding site, for the conversations begun under it, and for a few hours. It opens nothing but the widget's
pages, carries no account, and is worth as much to a thief as the address of those conversations.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from django.contrib.sessions.backends.base import SessionBase
from django.core import signing

LIFETIME_SECONDS = 12 * 3600  # from its last change
CONVERSATIONS_KEPT = 3  # an address has no room for more
_SALT = "assistant.widget.pass"
_CONVERSATIONS = "conversations"  # as in the session of the pages (`assistant.visitor`)
_MESSAGES = "_messages"  # Django's, for the next page alone


class BadPass(Exception):
    """Not signed by this site. Trying again does not help."""


@dataclass(frozen=True)
class Pass:
    origin: str  # of the embedding site
    accent: str = ""  # #rrggbb, as the embedding site wants it
    conversations: tuple[str, ...] = ()  # public ids, the latest first
    messages: Any = None  # shown once, on the next page
    is_expired: bool = field(default=False, compare=False)

    def signed(self) -> str:
        values: dict[str, Any] = {"o": self.origin}
        if self.accent:
            values["a"] = self.accent
        if self.conversations:
            values["c"] = self.conversations
        if self.messages:
            values["m"] = self.messages
        return signing.dumps(values, salt=_SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> Self:
        """An expired one keeps its origin and looks, and loses its conversations. Raises BadPass."""
        is_expired = False
        try:
            values = signing.loads(text, salt=_SALT, max_age=LIFETIME_SECONDS)
        except signing.SignatureExpired:
            is_expired = True
            values = {**signing.loads(text, salt=_SALT), "c": (), "m": None}
        except signing.BadSignature as error:
            raise BadPass from error
        return cls(
            origin=values["o"],
            accent=values.get("a", ""),
            conversations=tuple(values.get("c", ())),
            messages=values.get("m"),
            is_expired=is_expired,
        )

    @property
    def look_url(self) -> str:
        return f"/widget/look/{self.accent[1:]}.css" if self.accent else ""

    def for_links(self) -> Self:
        """Without what is shown now."""
        return replace(self, messages=None)

    def session(self) -> "PassSession":
        return PassSession(self)


class PassSession(SessionBase):
    """A session that lives in a pass: read from it, and written into the next one."""

    def __init__(self, shown: Pass) -> None:
        super().__init__()
        self._pass = shown
        self._session_cache: dict[str, Any] = {_CONVERSATIONS: list(shown.conversations)}
        if shown.messages:
            self._session_cache[_MESSAGES] = shown.messages

    def next_pass(self) -> Pass:
        return replace(
            self._pass,
            conversations=tuple(self._session_cache.get(_CONVERSATIONS, ())[:CONVERSATIONS_KEPT]),
            messages=self._session_cache.get(_MESSAGES),
        )

    def exists(self, session_key: str) -> bool:  # noqa: ARG002
        return False

    def create(self) -> None:
        """There is nothing to make: the pass is all of it."""

    def save(self, must_create: bool = False) -> None:
        """The middleware writes the next pass."""

    def delete(self, session_key: str | None = None) -> None:
        """A pass ends by its time."""

    def load(self) -> dict[str, Any]:
        return self._session_cache

    @classmethod
    def clear_expired(cls) -> None:
        """Nothing is kept."""
