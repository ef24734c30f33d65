"""The page with the figures of the desk. `assistant.desk.figures` counts, `assistant.quality.charts` draws."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from assistant.admin.quality import short_day
from assistant.desk import figures, rules
from assistant.desk.figures import TELLING, DeskWeek, Numbers, Returning, Satisfaction, Waits
from assistant.models import TicketReason
from assistant.quality import charts

PERIODS = (7, 30, 90, 365)  # days
_DEFAULT = 30
_MOST_WEEKS = 26


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("assistant.view_quality"):
        raise PermissionDenied
    days = next((one for one in PERIODS if str(one) == request.GET.get("days")), _DEFAULT)
    now = timezone.now()
    start = now - timedelta(days=days)
    calendar = rules.current().calendar
    present = figures.numbers(start, now, calendar)
    past = figures.numbers(start - timedelta(days=days), start, calendar)
    weeks = figures.by_week(min(_MOST_WEEKS, max(6, days // 7)), now=now)
    may_read_tickets = request.user.has_perm("assistant.view_ticket")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Figures of the desk"),
        "periods": PERIODS,
        "days": days,
        "start": start,
        "rows": _rows(present, past),
        "is_empty": not (present.asked or present.tickets or past.asked or past.tickets),
        "is_cut": present.reply.is_cut or present.solve.is_cut,
        "hours": not calendar.is_round_the_clock,
        "charts": [_flow(weeks), _backlog(weeks)],
        "reasons": _reasons(present, past),
        "rising": figures.rising() if request.user.has_perm("assistant.view_question") else None,
        "returning": [_returning(one) for one in figures.returning(now=now)] if may_read_tickets else None,
        "returning_days": figures.RETURNING_DAYS,
        "often": figures.OFTEN,
    }
    return TemplateResponse(request, "admin/desk/figures.html", context)


PAGES = [("", page, "desk_figures")]


def _rows(now: Numbers, then: Numbers) -> list[tuple[str, str, str, str]]:
    """What it is, now, in the period before, and what it was counted from."""

    def row(name: str, show: Callable[[Numbers], str], basis: str) -> tuple[str, str, str, str]:
        return name, show(now), show(then), basis

    return [
        row(
            _("Settled without a person (deflection)"),
            lambda one: charts.percent(one.deflection) if one.asked >= TELLING else "–",
            _("%(count)s of %(all)s questions were answered, and no ticket followed in the same conversation")
            % {"count": charts.number(now.deflected), "all": charts.number(now.asked)},
        ),
        row(_("Tickets"), lambda one: charts.number(one.tickets), ""),
        row(_("First reply, half of them within"), lambda one: span(one.reply.median), _waited(now.reply)),
        row(_("First reply, nine of ten within"), lambda one: span(one.reply.p90), ""),
        row(_("First reply in time"), lambda one: charts.percent(one.reply.in_time), ""),
        row(_("Solved, half of them within"), lambda one: span(one.solve.median), _waited(now.solve)),
        row(_("Solved, nine of ten within"), lambda one: span(one.solve.p90), ""),
        row(_("Solved in time"), lambda one: charts.percent(one.solve.in_time), ""),
        row(
            _("Taken up again"),
            lambda one: charts.percent(one.reopen_rate, 1) if one.solved >= TELLING else "–",
            _("%(count)s against %(all)s solved ones")
            % {"count": charts.number(now.reopened), "all": charts.number(now.solved)},
        ),
        row(
            _("Content customers"),
            lambda one: charts.percent(one.satisfaction.share) if one.satisfaction.rated else "–",
            _rated(now.satisfaction),
        ),
    ]


def _waited(waits: Waits) -> str:
    return ngettext("from %(count)s ticket", "from %(count)s tickets", waits.count) % {
        "count": charts.number(waits.count)
    }


def _rated(found: Satisfaction) -> str:
    if not found.rated:
        return _("nobody has rated a ticket")
    return _("%(content)s of %(rated)s who said so; 95 %% interval %(low)s to %(high)s") % {
        "content": charts.number(found.content),
        "rated": charts.number(found.rated),
        "low": charts.percent(found.low),
        "high": charts.percent(found.high),
    }


def span(time: timedelta | None) -> str:
    """To be read at a glance: two units at most."""
    if time is None:
        return "–"
    minutes = round(time.total_seconds() / 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return _("%(hours)s h") % {"hours": charts.number(hours)}
    if hours:
        return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes}
    return _("%(minutes)d min") % {"minutes": minutes}


def _flow(weeks: Sequence[DeskWeek]) -> charts.Chart:
    labels = [short_day(week.start) for week in weeks]
    nowhere = [""] * len(weeks)
    return charts.bars_over_time(
        key="flow",
        title=_("Opened tickets"),
        summary=_("Tickets whose contact is known, a week; how many were settled stands in the table."),
        y_label=_("tickets"),
        labels=labels,
        parts=[("hc-part-1", _("opened"), [week.opened for week in weeks], nowhere)],
        extra=[(_("settled"), [charts.number(week.settled) for week in weeks])],
    )


def _backlog(weeks: Sequence[DeskWeek]) -> charts.Chart:
    return charts.bars_over_time(
        key="backlog",
        title=_("Backlog"),
        summary=_("Tickets that were not settled at the end of each week, or are not now."),
        y_label=_("tickets"),
        labels=[short_day(week.start) for week in weeks],
        parts=[("hc-part-2", _("unsettled"), [week.backlog for week in weeks], [""] * len(weeks))],
    )


def _reasons(now: Numbers, then: Numbers) -> charts.Table | None:
    if not now.by_reason:
        return None
    return charts.Table(
        (_("Why a person was needed"), _("Tickets"), _("Share"), _("The period before")),
        tuple(
            (
                charts.Cell(str(TicketReason(reason).label), is_number=False),
                charts.Cell(charts.number(count), _tickets(queue="all", reason__exact=reason)),
                charts.Cell(charts.percent(count / now.tickets)),
                charts.Cell(charts.number(then.by_reason.get(reason, 0))),
            )
            for reason, count in now.by_reason.items()
        ),
    )


def _returning(one: Returning) -> dict[str, Any]:
    why = [ngettext("%(n)d ticket", "%(n)d tickets", one.tickets) % {"n": one.tickets}]
    if one.open:
        why.append(ngettext("%(n)d still open", "%(n)d still open", one.open) % {"n": one.open})
    if one.reopened:
        why.append(
            ngettext("%(n)d taken up again", "%(n)d taken up again", one.reopened) % {"n": one.reopened}
        )
    if one.not_content:
        why.append(
            ngettext("not content with %(n)d", "not content with %(n)d", one.not_content)
            % {"n": one.not_content}
        )
    if one.sensitive:
        why.append(
            ngettext("%(n)d sensitive matter", "%(n)d sensitive matters", one.sensitive)
            % {"n": one.sensitive}
        )
    return {
        "email": one.email,
        "why": ", ".join(why),
        "latest": one.latest,
        "address": _tickets(queue="all", q=one.email),
    }


def _tickets(**filters: str) -> str:
    return f"{reverse('admin:assistant_ticket_changelist')}?{urlencode(filters)}"
