"""The receipt of an edit, in words: since when it is answerable, or what is pending and why.

Says what the article's row says and asks nobody else, so that a list of fifty costs no query more.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils import formats, timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.models import Article
from knowledge.outbox import Standing, pause_after, standing_of


@dataclass(frozen=True)
class Receipt:
    short: str  # for a column
    tone: str  # of its badge
    sentence: str


@dataclass(frozen=True)
class Indexed:
    """What the live generation has of an article as it is now."""

    at: datetime | None  # None: indexed before the moment was kept


def receipt_of(article: Article, *, indexed: Indexed | None, has_model: bool, now: datetime) -> Receipt:
    """`has_model`: that of the live generation is there, so that an edit can be indexed."""
    if article.is_over():
        ended = _("offline since %(moment)s") % {"moment": _moment(article.unpublish_at or now, now)}
        return Receipt(_("ended"), "quiet", ended)
    if article.is_scheduled() and indexed is not None:
        ready = _("in the index; answerable from %(moment)s on")
        return Receipt(_("scheduled"), "quiet", ready % {"moment": _moment(article.publish_at or now, now)})
    standing = standing_of(article, is_indexed=indexed is not None, now=now)
    if standing is Standing.NOT_PUBLISHED:
        return Receipt(_("not published"), "quiet", _("not published"))
    if indexed is not None:
        return _answerable(article, indexed.at, now)
    if not has_model:
        return Receipt(_("no model"), "bad", _("The embedding model of the index is missing."))
    match standing:
        case Standing.IN_HAND:
            return Receipt(_("being indexed"), "notice", _("being indexed now"))
        case Standing.FAILED:
            return Receipt(_("failed"), "bad", _failed(article, now))
        case Standing.GIVEN_UP:
            sentence = _(
                "given up after %(count)d attempts: %(error)s – edit the article, or try again from the list"
            )
            values = {"count": article.index_attempts, "error": article.index_error}
            return Receipt(_("given up"), "bad", sentence % values)
    return Receipt(_("waiting"), "notice", _waiting(article, now))


def _answerable(article: Article, since: datetime | None, now: datetime) -> Receipt:
    changed = article.content_changed_at
    moment = _moment(since or changed, now)
    if since is None or since < changed:
        # Indexed before the moment of an edit was kept.
        sentence = _("answerable since %(moment)s")
    elif changed == article.published_at:
        sentence = _("answerable since %(moment)s, %(delay)s after publishing")
    else:
        sentence = _("answerable since %(moment)s, %(delay)s after the last change")
    values = {"moment": moment, "delay": _duration(changed, since or changed)}
    return Receipt(_since(since or changed, now), "good", sentence % values)


def _waiting(article: Article, now: datetime) -> str:
    return _("waiting for the index since %(moment)s") % {"moment": _moment(article.content_changed_at, now)}


def _failed(article: Article, now: datetime) -> str:
    failed_at = article.index_failed_at
    # A clock that was set back: its turn is now.
    due = now if failed_at is None or failed_at > now else failed_at + pause_after(article.index_attempts)
    return ngettext(
        "failed %(count)d time – next try at %(moment)s: %(error)s",
        "failed %(count)d times – next try at %(moment)s: %(error)s",
        article.index_attempts,
    ) % {"count": article.index_attempts, "moment": _moment(max(due, now), now), "error": article.index_error}


def _since(moment: datetime, now: datetime) -> str:
    local = timezone.localtime(moment)
    if local.date() == timezone.localtime(now).date():
        return _("since %(time)s") % {"time": formats.date_format(local, "H:i:s")}
    return _("since %(day)s") % {"day": formats.date_format(local, "SHORT_DATE_FORMAT")}


def _moment(moment: datetime, now: datetime) -> str:
    """To the second; with the day where that is not today."""
    local = timezone.localtime(moment)
    time = formats.date_format(local, "H:i:s")
    if local.date() == timezone.localtime(now).date():
        return time
    return f"{formats.date_format(local, 'SHORT_DATE_FORMAT')}, {time}"


def _duration(start: datetime, end: datetime) -> str:
    seconds = (end - start).total_seconds()
    if seconds < 60:
        return f"{formats.number_format(max(seconds, 0.0), 1)} s"
    return timesince(start, end, depth=1)
