"""For which client this thread works now, for what is counted far behind the view: calls of a language model.

Refuses to decide what that may cost (`budgets`). Staff is nobody's client: what an agent asks for is held by the
site's budget alone.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest

from assistant.abuse.clients import client_address, client_name

_client: ContextVar[Callable[[], str | None] | None] = ContextVar("client", default=None)


def begin_request(request: HttpRequest) -> None:
    """Replaces whatever the thread's last request left. The session is looked at only once somebody asks."""
    _client.set(lambda: _of(request))


def current_client() -> str | None:
    """None: nobody's, or nobody is counted."""
    client = _client.get()
    return client() if client is not None else None


@contextlib.contextmanager
def working_for(client: str | None) -> Iterator[None]:
    """For a thread that goes on with what a request began."""
    token = _client.set(lambda: client)
    try:
        yield
    finally:
        _client.reset(token)


def _of(request: HttpRequest) -> str | None:
    if not settings.ABUSE_PROTECTION:
        return None
    name = client_name(request, client_address(request))
    is_account = name.startswith("account ")
    return None if is_account and request.user.is_staff else name
