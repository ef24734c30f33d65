"""Where webhooks may go: to the internet, and to nothing inside our own network that nobody has allowed.

Promise: the address that was checked is the address that is connected to, so that a name cannot mean another machine
a moment later. No redirect is followed and no proxy used.
"""

import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

TIMEOUT_SECONDS = 10.0


class TargetRefused(Exception):
    """Not an address that may be asked. Permanent, until the address or the settings change."""


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    path: str  # with its query
    is_encrypted: bool
    address: str  # of the machine, as it was checked


def target_of(url: str, *, is_trusted: bool = False) -> Target:
    """Looks the name up. `is_trusted`: an operator wrote the address, it may be anywhere.

    Raises TargetRefused, and OSError where there is no such name.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        raise TargetRefused(_("The port is no number from 1 to 65535.")) from None
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise TargetRefused(_("Allowed are addresses like https://example.org/hook."))
    is_allowed = is_trusted or host in settings.WEBHOOK_PRIVATE_HOSTS
    if parts.scheme == "http" and not is_allowed:
        raise TargetRefused(_("Only https:// is allowed: what is sent is about customers."))
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not is_allowed and (inside := next((one for one in addresses if not _is_public(one)), None)):
        raise TargetRefused(
            _(
                "%(host)s is a machine of an internal network (%(address)s). An operator can allow it: "
                "WEBHOOK_PRIVATE_HOSTS=%(host)s."
            )
            % {"host": host, "address": inside}
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port, path, parts.scheme == "https", addresses[0])


def connection_to(target: Target) -> http.client.HTTPConnection:
    """Connected to the checked address; the certificate has to be the name's. Raises OSError."""
    raw = socket.create_connection((target.address, target.port), timeout=TIMEOUT_SECONDS)
    connection = http.client.HTTPConnection(target.host, target.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(raw, server_hostname=target.host)
            if target.is_encrypted
            else raw
        )
    except BaseException:
        raw.close()
        raise
    return connection


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if mapped is not None:
        found = mapped
    return found.is_global and not found.is_multicast and not found.is_reserved
