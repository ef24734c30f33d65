"""Which sites may embed the widget: those of the site's settings, matched as browsers match `frame-ancestors`."""

from urllib.parse import urlsplit

from knowledge import site

MAX_ORIGIN_LENGTH = 200  # characters


def allowed_hosts() -> tuple[str, ...]:
    return tuple(site.current().widget_hosts.split())


def origin_of(address: str) -> str:
    """`https://shop.example:8443` of an address; empty where it has none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(address) > 10 * MAX_ORIGIN_LENGTH:
        return ""
    is_usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{port}"
    return origin if len(origin) <= MAX_ORIGIN_LENGTH else ""


def may_embed(origin: str) -> bool:
    return bool(origin) and any(_matches(pattern, origin) for pattern in allowed_hosts())


def _matches(pattern: str, origin: str) -> bool:
    """CSP 3, section 6.7.2.8: `*.` stands for one or more labels, never for none."""
    scheme, _sep, host = pattern.lower().partition("://")
    if not host.startswith("*."):
        return origin_of(pattern.lower()) == origin
    found, _sep, label = origin.partition("://")
    return found == scheme and label.endswith(host[1:]) and label != host[1:]
