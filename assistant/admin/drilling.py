"""From a figure to the questions behind it: addresses of filtered lists, and words for what they are filtered by.

A list says what the ranges in its address mean, because Django's own filters show only those that they know.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import formats, timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _


def questions_address(**filters: object) -> str:
    return f"{reverse('admin:assistant_question_changelist')}?{urlencode(filters)}"


def evaluated_address(**filters: object) -> str:
    return f"{reverse('admin:assistant_evaluatedquestion_changelist')}?{urlencode(filters)}"


def of_labels(*, score_from: float | None = None, score_to: float | None = None, **more: object) -> str:
    """The judged questions behind a point of a curve. Scores are given in full: the list is as long as the figure."""
    is_wrong = more.pop("wrong", False)
    filters: dict[str, object] = {"judgement": "not_right" if is_wrong else "any", **more}
    if score_from is not None:
        filters["confidence_score__gte"] = repr(score_from)
    if score_to is not None:
        filters["confidence_score__lte"] = repr(score_to)
    return questions_address(**filters)


def of_run(
    run_id: int, *, score_from: float | None = None, score_to: float | None = None, **more: object
) -> str:
    """The evaluated questions behind one."""
    filters: dict[str, object] = {"run__id__exact": run_id}
    if more.pop("wrong", False):
        filters["is_right__exact"] = 0
    if score_from is not None:
        filters["score__gte"] = repr(score_from)
    if score_to is not None:
        filters["score__lte"] = repr(score_to)
    return evaluated_address(**filters, **more)


def of_week(start: date, end: date, **more: object) -> str:
    first, after = (timezone.make_aware(datetime.combine(day, time.min)).isoformat() for day in (start, end))
    return questions_address(created_at__gte=first, created_at__lt=after, **more)


def described(query: Mapping[str, str]) -> str:
    """In words, what a list is narrowed to beyond its own filters; empty where it is not."""
    words = []
    for name in ("confidence_score", "score"):
        if f"{name}__gte" in query:
            words.append(_("confidence from %(value)s on") % {"value": _percent(query[f"{name}__gte"])})
        if f"{name}__lte" in query:
            words.append(_("confidence up to %(value)s") % {"value": _percent(query[f"{name}__lte"])})
    if "created_at__gte" in query:
        words.append(_("asked from %(day)s on") % {"day": _day(query["created_at__gte"])})
    if "created_at__lt" in query:
        words.append(_("asked before %(day)s") % {"day": _day(query["created_at__lt"])})
    if "elapsed_ms__gte" in query:
        words.append(_("took %(ms)s ms or longer") % {"ms": query["elapsed_ms__gte"]})
    return ", ".join(words)


def _percent(value: str) -> str:
    try:
        return f"{formats.number_format(float(value) * 100, 1)} %"
    except ValueError:
        return value


def _day(value: str) -> str:
    try:
        day = parse_date(value[:10])
    except ValueError:
        day = None
    return str(formats.date_format(day, "SHORT_DATE_FORMAT")) if day is not None else value
