"""Who counts as one client: the address behind the configured number of proxies, or the signed-in account.

Refuses to decide how much a client may do. An address leaves this module only inside a keyed hash that is
another one the next day; what is written to the database cannot be traced back once the day is over and the
secret key is not known.
"""

import hashlib
import hmac
import logging
import time
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

log = logging.getLogger(__name__)

_IPV6_SITE_BITS = 64  # one household or machine gets at least this much: RFC 6177, RFC 7934
_DAY_SECONDS = 86_400
_UNKNOWN = "unknown"  # a Unix socket has no address
_warned = False


def client_address(request: HttpRequest) -> str:
    """The visitor's address, canonical; an IPv6 address as its /64.

    X-Forwarded-For is read from the right, one entry for each of `NUM_PROXIES`: what stands further left was sent
    by the visitor, who may write what he likes.
    """
    peer = _canonical(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    proxies: int = settings.NUM_PROXIES
    if not forwarded:
        return peer or _UNKNOWN
    if not proxies:
        _warn_of_a_proxy(request.META.get("REMOTE_ADDR", ""))
        return peer or _UNKNOWN
    entries = forwarded.split(",")
    return _canonical(entries[-min(proxies, len(entries))]) or peer or _UNKNOWN


def client_name(request: HttpRequest, address: str) -> str:
    """A signed-in account counts as itself wherever it is. The session is looked at only where there is one."""
    if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
        return f"account {request.user.pk}"
    return f"address {address}"


def stored_key(scope: str, client: str) -> str:
    """What stands for a client in the database: BLAKE2b with a key of the day, 16 bytes in hexadecimal."""
    digest = hashlib.blake2b(
        f"{scope} {client}".encode(), digest_size=16, key=_key_of(int(time.time()) // _DAY_SECONDS)
    )
    return f"{scope}:{digest.hexdigest()}"


@lru_cache(maxsize=2)
def _key_of(day: int) -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), f"client of day {day}".encode(), "sha256")


def _canonical(written: str) -> str:
    """Empty where it is no address. Some proxies add the port: 192.0.2.1:443, [2001:db8::1]:443."""
    text = written.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, _IPV6_SITE_BITS), strict=False))
    return str(address)


def _warn_of_a_proxy(peer: str) -> None:
    global _warned
    try:
        is_near = ip_address(peer).is_private
    except ValueError:
        is_near = True
    if is_near and not _warned:
        _warned = True
        log.warning(
            "Requests carry X-Forwarded-For and NUM_PROXIES is 0: all visitors behind that proxy count as one "
            "and will be refused together. Set NUM_PROXIES to the number of proxies in front."
        )
