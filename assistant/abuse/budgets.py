"""Budgets that all processes share: how much one client, and the whole site, may ask for in a time.

Each budget is one number in one row: the moment at which it is full again. Spending moves that moment on; where it
would lie further ahead than the budget's period, nothing is spent and the spender waits. That is the generic cell
rate algorithm (ITU-T I.371, virtual scheduling): no windows that all refill at once, one row however large the
budget, and an exact time to wait. Spending is one conditional upsert, so that no two processes spend the same.

Refuses to decide what a client is (`clients`) and what costs what (`routes`).
"""

import logging
import re
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError, connection, transaction

from assistant.abuse.clients import stored_key
from assistant.models import SpentBudget

log = logging.getLogger(__name__)

_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}
_RATE = re.compile(r"(?P<amount>[1-9]\d{0,8})/(?P<count>[1-9]\d{0,4})?(?P<unit>[a-z]+)")
_LOCKED_PATIENCE_MS = 200  # of SQLite; who cannot be counted is not kept waiting
_SITE = "site"

# Binary floating point: the sum of N shares of a period may exceed the period by a hair.
_SLACK = 1e-3  # of one share

_SPEND = """
INSERT INTO {table} (key, full_at) VALUES (%(key)s, %(now)s + %(share)s)
ON CONFLICT (key) DO UPDATE SET full_at = {base} + %(share)s
WHERE {base} + %(share)s <= %(now)s + %(period)s + %(slack)s
RETURNING full_at
"""
# Further ahead than a period no spending could have moved it: the clock was set back since.
_BASE = (
    "CASE WHEN {table}.full_at > %(now)s AND {table}.full_at <= %(now)s + %(period)s + %(slack)s "
    "THEN {table}.full_at ELSE %(now)s END"
)


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many again in each period, evenly spread."""

    amount: int
    period_seconds: int

    @property
    def share_seconds(self) -> float:
        return self.period_seconds / self.amount


@dataclass(frozen=True)
class Refusal:
    """Why a request is not served now. `rate` is None where no budget but this process is at its limit."""

    scope: str
    is_site_wide: bool
    rate: Rate | None
    wait_seconds: float


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


def parse_rate(text: str) -> Rate | None:
    """`20/min`, `100/10s`, `1000/day`; None for `off`. The settings have checked it."""
    if text == "off":
        return None
    found = _RATE.fullmatch(text)
    if found is None or found["unit"] not in _SECONDS:
        raise ValueError(text)
    return Rate(int(found["amount"]), int(found["count"] or 1) * _SECONDS[found["unit"]])


def spend(scope: str, client: str) -> Refusal | None:
    """Takes one from the client's budget and from the site's, or nothing from either and says why.

    While SQLite is locked by somebody else nobody is counted and nobody refused. A database that is away raises.
    """
    of_client, of_site = (parse_rate(text) for text in settings.BUDGETS[scope])
    if of_client is None and of_site is None:
        return None
    try:
        with _little_patience(), transaction.atomic():
            if of_client is not None:
                _take(scope, stored_key(scope, client), of_client, is_site_wide=False)
            if of_site is not None:
                _take(scope, f"{scope}:{_SITE}", of_site, is_site_wide=True)
    except _Refused as refused:
        return refused.refusal
    except OperationalError as error:
        if connection.vendor != "sqlite" or "locked" not in str(error):
            raise
        log.warning("A budget was not counted: %s", error)
    return None


def take(scope: str, client: str, rate: Rate) -> Refusal | None:
    """As `spend`, from a budget that no setting moves. `scope` is up to 24 characters."""
    try:
        with _little_patience(), transaction.atomic():
            _take(scope, stored_key(scope, client), rate, is_site_wide=False)
    except _Refused as refused:
        return refused.refusal
    return None


def forget_full_budgets() -> int:
    """Removes rows that say no more than none would. Safe to repeat, and beside spending."""
    return SpentBudget.objects.filter(full_at__lt=time.time() - 1).delete()[0]


def _take(scope: str, key: str, rate: Rate, *, is_site_wide: bool) -> None:
    now = time.time()
    share = rate.share_seconds
    table = SpentBudget._meta.db_table
    values: dict[str, str | float] = {
        "key": key,
        "now": now,
        "share": share,
        "period": float(rate.period_seconds),
        "slack": share * _SLACK,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SPEND.format(table=table, base=_BASE.format(table=table)), values)
        if cursor.fetchone() is not None:
            return
    full_at = SpentBudget.objects.values_list("full_at", flat=True).get(key=key)
    raise _Refused(Refusal(scope, is_site_wide, rate, max(full_at + share - rate.period_seconds - now, 0.0)))


class _little_patience:  # noqa: N801 (reads as what it is)
    """SQLite waits for a writer as long as a request may; counting it is not worth that."""

    def __enter__(self) -> None:
        self._is_sqlite = connection.vendor == "sqlite" and not connection.in_atomic_block
        if self._is_sqlite:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {_LOCKED_PATIENCE_MS}")

    def __exit__(self, *_error: object) -> None:
        if self._is_sqlite:
            patience_ms = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")
