"""Every route of the site and who may open it: the table in role_matrix.txt, and what real requests find.

A route is open to a role whose request is served: with a page, with a form that names what is missing, or with a
redirect that does not lead to signing in. The table is read by people; `ROLE_MATRIX=write pytest
tests/test_role_matrix.py` writes what is found, to be looked at before it is committed.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group, User
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import translation

from assistant.roles import ROLES, ensure_groups

TABLE: Final = Path(__file__).with_name("role_matrix.txt")
ANONYMOUS, SUPERUSER = "anonymous", "superuser"
COLUMNS: Final = (ANONYMOUS, *ROLES, SUPERUSER)  # Customers are the first of ROLES
STAFF: Final = tuple(name for name in COLUMNS if name not in (ANONYMOUS, "Customers"))
_GROUPS: Final = {  # words for sets of roles, the widest first
    "everybody": frozenset(COLUMNS),
    "accounts": frozenset(COLUMNS) - {ANONYMOUS},
    "staff": frozenset(STAFF),
}
EMBEDDING_SITE: Final = "https://shop.example.org"
METHODS: Final = ("GET", "POST")
_REFUSED: Final = (401, 403, 404, 405)

Allowed = dict[str, frozenset[str]]  # by method


@dataclass(frozen=True)
class Route:
    name: str  # with its namespace; the pattern, where it has no name
    pattern: str  # all of it, from the root
    arguments: tuple[str, ...]


def routes() -> list[Route]:
    """Of the URL resolver, each once; pages exist in each language and are taken in English."""
    with translation.override("en"):
        found = {route.name: route for route in _walk(get_resolver(), "", "")}
    return list(found.values())


def _walk(resolver: URLResolver, namespace: str, before: str) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        written = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry, inner, written)
            continue
        arguments = tuple(entry.pattern.regex.groupindex)
        inherited = tuple(re.findall(r"<(?:\w+:)?(\w+)>", before))
        yield Route(
            f"{namespace}{entry.name}" if entry.name else f"({written})", written, inherited + arguments
        )


def address(route: Route, values: Mapping[str, object]) -> str:
    """The pattern with its places filled in; KeyError names a place that the sample rows have nothing for."""
    nameless = iter(("object_id", "version_id"))  # of django-simple-history, which names none
    text = re.sub(r"\(\[\^/\]\+\)", lambda _place: str(values[next(nameless)]), route.pattern)
    text = re.sub(r"\(\?P<(\w+)>[^()]*(?:\([^()]*\)[^()]*)*\)", lambda place: str(values[place[1]]), text)
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda place: str(values[place[1]]), text)
    found = "/" + re.sub(r"\\([.])", r"\1", text).replace("^", "").replace("$", "")
    assert not set(found) & set("()[]<>\\"), f"{route.name}: {found} is no address"
    return found


def account_of(role: str) -> User | None:
    """Staff with a second factor, as an installation that requires one has them."""
    if role == ANONYMOUS:
        return None
    if role == SUPERUSER:
        user = User.objects.create_superuser("root", "root@example.org", "a good passphrase")
    else:
        ensure_groups()
        name = role.lower()
        user = User.objects.create_user(
            name, f"{name}@example.org", "a good passphrase", is_staff=role != "Customers"
        )
        user.groups.add(Group.objects.get(name=role))
    if user.is_staff:
        TOTP.activate(user, generate_totp_secret())
        RecoveryCodes.activate(user)
    return user


class Visitor:
    """One role's session. Each request is as if it were the first: what it changes is rolled back."""

    def __init__(self, account: User | None) -> None:
        client = Client()
        if account is not None:
            client.force_login(account)
            session = client.session
            session["account_authentication_methods"] = [
                {"method": method, "at": time.time()} for method in ("password", "mfa")
            ]
            session["account_authentication_methods_user"] = str(account.pk)
            session.save()
        self._client = client  # one, because each loads the middleware for itself
        self._cookies = {name: morsel.value for name, morsel in client.cookies.items()}

    def is_served(self, method: str, path: str) -> bool:
        response = self._asked(method, path)
        _put_away(response)
        if response.status_code in _REFUSED:
            return False
        where = response.headers.get("Location", "").split("?")[0]
        return where not in ("/admin/login/", "/en/login/", "/de/login/") or path.startswith(where)

    def get(self, path: str) -> bytes:
        """All of the page; nothing, where it is no page."""
        response = self._asked("GET", path)
        if response.streaming or response.status_code != 200:
            _put_away(response)
            return b""
        return bytes(response.content)

    def _asked(self, method: str, path: str) -> Any:
        is_api = path.startswith("/api/")
        headers = {
            "accept": "application/json" if is_api else "text/html",
            "referer": f"{EMBEDDING_SITE}/",
        }
        self._client.cookies.clear()
        for name, value in self._cookies.items():
            self._client.cookies[name] = value
        body = "{}" if is_api and method == "POST" else ""
        kind = "application/json" if is_api else "application/x-www-form-urlencoded"
        with transaction.atomic():
            response = self._client.generic(method, path, body, kind, headers=headers)
            transaction.set_rollback(True)
        return response


def _put_away(response: Any) -> None:
    """Files are closed; the connection to the database, which belongs to the test, is not."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


def read_table() -> dict[str, Allowed]:
    table: dict[str, Allowed] = {}
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, *cells = (part.strip() for part in line.split("|"))
        assert name not in table, f"{name} stands twice in {TABLE.name}"
        table[name] = {}
        for cell in cells:
            method, _colon, roles = cell.partition(":")
            assert method in METHODS, f"{name}: {method!r} is neither of {METHODS}"
            table[name][method] = _read(roles)
    return table


def write_table(table: Mapping[str, Allowed]) -> None:
    width = max(len(name) for name in table)
    lines = [
        "# Who may open what: each route of the site, and for GET and POST the roles that it is open to.",
        f"# The roles: {', '.join(COLUMNS)}.",
        f"# everybody: all of them; accounts: all but {ANONYMOUS}; staff: all but {ANONYMOUS} and Customers; nobody:",
        "# an address that only leads elsewhere, or needs something that the sample rows do not have.",
        "# tests/test_role_matrix.py asks every route as every role, and fails where this table says something else,",
        "# where it lacks a route and where it has one that is gone.",
        "",
    ]
    for name in sorted(table):
        cells = [f"{method}: {_written(roles)}" for method, roles in table[name].items()]
        lines.append(" | ".join([name.ljust(width), *cells]).rstrip())
    TABLE.write_text("\n".join(lines) + "\n")


def _read(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in (word.strip() for word in text.split(",")):
        if word in _GROUPS:
            found |= _GROUPS[word]
        elif word in COLUMNS:
            found.add(word)
        else:
            assert word == "nobody", f"{word!r} is no role; the roles are {', '.join(COLUMNS)}"
    return frozenset(found)


def _written(roles: frozenset[str]) -> str:
    for word, meant in _GROUPS.items():
        if roles == meant:
            return word
    return ", ".join(name for name in COLUMNS if name in roles) or "nobody"


_ACTIONS: Final = {  # of a model in the administration: letter, action, method
    "v": ("changelist", "GET"),
    "a": ("add", "GET"),
    "c": ("change", "POST"),
    "d": ("delete", "POST"),
}


def condensed(table: Mapping[str, Allowed]) -> str:
    """For the documentation: what staff may do with what, a row a model, in Markdown."""
    from django.contrib import admin

    head = ["", *(role for role in STAFF)]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---|' * len(STAFF)}"]
    for model in sorted(
        admin.site._registry, key=lambda one: (one._meta.app_label, one._meta.model_name or "")
    ):
        with translation.override("en"):
            cells = [str(model._meta.verbose_name_plural)]
        for role in STAFF:
            letters = [
                letter
                for letter, (action, method) in _ACTIONS.items()
                if role
                in table[f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}"].get(method, ())
            ]
            cells.append(" ".join(letters) or "–")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
