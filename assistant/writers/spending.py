"""What a chat model may cost a day, what it has cost, and the replies that need not be paid for twice.

Promise: tokens are taken from the day's budget before a model is asked, by one conditional update, so that all
processes together stay below it; what was not used is given back after. Where the database is too busy to count, no
model is asked: an article's own words cost nothing.
"""

import logging
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from assistant.abuse.budgets import spend
from assistant.abuse.current import current_client
from assistant.models import ModelReply, ModelUsage

log = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=30)
_MILLION = 1_000_000


@dataclass(frozen=True)
class Reservation:
    day: date
    tokens: int
    cost_micros: int  # millionths of the currency that prices are in


def may_ask() -> bool:
    """Takes one call from the budget of whoever asks; of staff, and of work for nobody, none is taken."""
    client = current_client()
    try:
        return client is None or spend("model", client) is None
    except OperationalError as error:
        log.warning("A visitor's budget was not counted: %s", error)
        return False


def reserve(tokens: int) -> Reservation | None:
    """None where the day's budget does not hold so many more, or nobody can count."""
    cost = _cost_micros(0, tokens)
    day = timezone.localdate()
    room = ModelUsage.objects.filter(day=day)
    if settings.WRITER_TOKENS_PER_DAY:
        room = room.filter(tokens__lte=settings.WRITER_TOKENS_PER_DAY - tokens)
    if settings.WRITER_COST_PER_DAY:
        room = room.filter(cost_micros__lte=round(settings.WRITER_COST_PER_DAY * _MILLION) - cost)
    try:
        _begin(day)
        taken = room.update(
            tokens=F("tokens") + tokens, cost_micros=F("cost_micros") + cost, requests=F("requests") + 1
        )
    except OperationalError as error:
        log.warning("A model's budget was not counted: %s", error)
        return None
    return Reservation(day, tokens, cost) if taken else None


def settle(reservation: Reservation, input_tokens: int, output_tokens: int) -> None:
    """What was used, in place of what was reserved; a server that does not say is taken to have used all of it."""
    used = input_tokens + output_tokens
    cost = _cost_micros(input_tokens, output_tokens) if used else reservation.cost_micros
    _add(
        reservation.day,
        tokens=(used or reservation.tokens) - reservation.tokens,
        cost_micros=cost - reservation.cost_micros,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def failed(reservation: Reservation) -> None:
    """What was reserved stays spent: nobody knows what a model that gave no answer has read."""
    _add(reservation.day, failures=1)


def count_sentences(*, shown: int, dropped: int) -> None:
    _add(timezone.localdate(), sentences_shown=shown, sentences_dropped=dropped)


def kept_reply(key: str) -> str | None:
    row = ModelReply.objects.filter(key=key, created_at__gt=timezone.now() - KEPT_FOR).first()
    if row is None:
        return None
    _add(timezone.localdate(), cached=1)
    return row.text


def keep_reply(key: str, text: str) -> None:
    try:
        with transaction.atomic():
            ModelReply.objects.create(key=key, text=text)
    except (IntegrityError, OperationalError):  # somebody was faster, or the next one pays once more
        return


def forget_old_replies() -> int:
    """Safe to repeat."""
    return ModelReply.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _cost_micros(input_tokens: int, output_tokens: int) -> int:
    """Prices are for a million tokens, so that the price is the cost of one token in millionths."""
    cost: float = input_tokens * settings.WRITER_PRICE_INPUT + output_tokens * settings.WRITER_PRICE_OUTPUT
    return round(cost)


def _begin(day: date) -> None:
    ModelUsage.objects.get_or_create(day=day)


def _add(day: date, **counts: int) -> None:
    """A count that is lost costs a figure, not an answer."""
    changes = {name: F(name) + count for name, count in counts.items() if count}
    if not changes:
        return
    try:
        _begin(day)
        ModelUsage.objects.filter(day=day).update(**changes)
    except OperationalError as error:
        log.warning("A model's use was not counted: %s", error)
