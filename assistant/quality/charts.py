"""From figures to lines, dots and bars in the units of an SVG. Pure; `admin/quality/_chart.html` draws them.

The picture is small on purpose: drawn 360 units wide its words are still read on a phone, and on a screen two of
them stand side by side. Each has its figures as a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from assistant.quality.figures import Bin, CurvePoint, Summary

WIDTH, HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 20, 12, 40  # margins around the plot

Address = Callable[..., str]  # of the questions behind something; empty: nothing to go to


@dataclass(frozen=True)
class Tick:
    at: float  # x or y in the picture
    label: str


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    kind: str  # CSS class
    title: str
    href: str


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str
    href: str


@dataclass(frozen=True)
class Line:
    points: str  # "x,y x,y"
    kind: str


@dataclass(frozen=True)
class Cell:
    text: str
    href: str = ""
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    headings: tuple[str, ...]  # the first one of words, the others of numbers
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Chart:
    key: str  # for ids
    title: str
    summary: str  # in one sentence, also for those who do not see the picture
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()  # CSS class, words
    table: Table | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def percent(share: float | None, digits: int = 0) -> str:
    return "–" if share is None else f"{formats.number_format(round(share * 100, digits), digits)} %"


def number(value: float | None, digits: int = 0) -> str:
    return (
        "–"
        if value is None
        else str(formats.number_format(round(value, digits), digits, force_grouping=True))
    )


def risk_coverage(summary: Summary, address: Address) -> Chart:
    highest = max([point.risk for point in summary.curve] + [0.05])
    top = next(step for step in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if highest <= step)
    shown = _thinned(summary.curve, 12)
    operating = summary.operating

    def place(point: CurvePoint) -> tuple[float, float]:
        return _x(point.coverage), _y(point.risk / top)

    dots = [
        Dot(*place(point), 3, "hc-dot", _of_point(point), address(score_from=point.threshold, wrong=True))
        for point in shown
    ]
    if operating is not None:
        dots.append(
            Dot(
                *place(operating),
                6,
                "hc-dot-now",
                _("Threshold: %(figures)s") % {"figures": _of_point(operating)},
                address(score_from=operating.threshold, wrong=True),
            )
        )
    now = _of_point(operating) if operating is not None else "–"
    rows = sorted({*shown, *([operating] if operating is not None else [])}, key=lambda one: -one.threshold)
    return Chart(
        key="risk",
        title=_("Risk and coverage"),
        summary=_("What would be wrong, were so many answered. At the threshold: %(now)s.") % {"now": now},
        x_label=_("answered"),
        y_label=_("wrong among the answered"),
        x_ticks=_x_shares(),
        y_ticks=tuple(
            Tick(_y(part / 4), percent(top * part / 4, 1 if top < 0.2 else 0)) for part in range(5)
        ),
        lines=(Line(_points(place(point) for point in summary.curve), "hc-line"),),
        dots=tuple(dots),
        legend=(("hc-dot-now", _("threshold")),) if operating is not None else (),
        table=Table(
            (_("Threshold"), _("Answered"), _("Coverage"), _("Wrong"), _("Risk")),
            tuple(
                (
                    Cell(percent(point.threshold, 1) + (" ◄" if point is operating else "")),
                    Cell(number(point.answered), address(score_from=point.threshold)),
                    Cell(percent(point.coverage, 1)),
                    Cell(number(point.wrong), address(score_from=point.threshold, wrong=True)),
                    Cell(percent(point.risk, 1)),
                )
                for point in rows
            ),
        ),
    )


def reliability(summary: Summary, address: Address) -> Chart:
    most = max((one.count for one in summary.bins), default=1)

    def dot(one: Bin) -> Dot:
        return Dot(
            _x(one.mean),
            _y(one.right),
            3 + 4 * (one.count / most) ** 0.5,
            "hc-dot",
            _("said %(said)s, right %(right)s, %(count)s questions")
            % {"said": percent(one.mean), "right": percent(one.right), "count": number(one.count)},
            address(score_from=one.low, score_to=one.high),
        )

    return Chart(
        key="reliability",
        title=_("Does the confidence mean what it says?"),
        summary=_("On the dashed line what was said came true. Mean distance from it (ECE): %(ece)s.")
        % {"ece": number(summary.ece, 3)},
        x_label=_("confidence"),
        y_label=_("really right"),
        x_ticks=_x_shares(),
        y_ticks=tuple(Tick(_y(part / 4), percent(part / 4)) for part in range(5)),
        lines=(
            Line(_points([(_x(0), _y(0)), (_x(1), _y(1))]), "hc-line-ideal"),
            Line(_points((_x(one.mean), _y(one.right)) for one in summary.bins), "hc-line"),
        ),
        dots=tuple(dot(one) for one in summary.bins),
        table=Table(
            (_("Confidence"), _("Questions"), _("Said"), _("Right")),
            tuple(
                (
                    Cell(f"{percent(one.low, 1)} – {percent(one.high, 1)}"),
                    Cell(number(one.count), address(score_from=one.low, score_to=one.high)),
                    Cell(percent(one.mean, 1)),
                    Cell(percent(one.right, 1)),
                )
                for one in summary.bins
            ),
        ),
    )


def bars_over_time(
    *,
    key: str,
    title: str,
    summary: str,
    y_label: str,
    labels: Sequence[str],
    parts: Sequence[tuple[str, str, Sequence[int], Sequence[str]]],  # CSS class, words, values, addresses
    extra: Sequence[tuple[str, Sequence[str]]] = (),  # more columns of the table
) -> Chart:
    """Parts stacked upon one another, one bar a period."""
    totals = [sum(values) for values in zip(*(values for _kind, _words, values, _href in parts), strict=True)]
    top = _round_up(max([*totals, 1]))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    bars, heights = [], [0.0] * len(labels)
    for kind, words, values, addresses in parts:
        for index, value in enumerate(values):
            if value:
                height = (HEIGHT - _TOP - _BOTTOM) * value / top
                heights[index] += height
                x, y = _LEFT + step * index + step * 0.12, HEIGHT - _BOTTOM - heights[index]
                tip = f"{labels[index]}: {words} {number(value)}"
                bars.append(Bar(_r(x), _r(y), _r(step * 0.76), _r(height), kind, tip, addresses[index]))
    every = max(1, -(-len(labels) // 6))
    return Chart(
        key=key,
        title=title,
        summary=summary,
        x_label=_("week from"),
        y_label=y_label,
        x_ticks=tuple(
            Tick(_r(_LEFT + step * (index + 0.5)), label)
            for index, label in enumerate(labels)
            if index % every == 0
        ),
        y_ticks=tuple(Tick(_y(part / 4), number(top * part / 4, 0 if top >= 4 else 1)) for part in range(5)),
        bars=tuple(bars),
        legend=tuple((kind, words) for kind, words, _values, _addresses in parts),
        table=Table(
            (
                _("Week from"),
                *(words for _kind, words, _values, _href in parts),
                *(name for name, _v in extra),
            ),
            tuple(
                (
                    Cell(label, is_number=False),
                    *(
                        Cell(number(values[i]), href[i] if values[i] else "")
                        for _k, _w, values, href in parts
                    ),
                    *(Cell(column[i]) for _name, column in extra),
                )
                for i, label in enumerate(labels)
            ),
        ),
    )


def times_over_weeks(labels: Sequence[str], times: Sequence[tuple[int | None, int | None]]) -> Chart:
    """Milliseconds a week: the median and what 95 of 100 questions do not exceed."""
    top = _round_up(max([one for pair in times for one in pair if one is not None] + [1]))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    kinds = (("hc-line", _("half of them (p50)")), ("hc-line-2", _("95 of 100 (p95)")))
    lines, dots = [], []
    for which, (kind, words) in enumerate(kinds):
        places = []
        for index, pair in enumerate(times):
            value = pair[which]
            if value is not None:
                places.append((_r(_LEFT + step * (index + 0.5)), _y(value / top)))
                tip = f"{labels[index]}: {words} {number(value)} ms"
                dots.append(Dot(*places[-1], 3, f"hc-dot-{which + 1}", tip, ""))
        lines.append(Line(_points(places), kind))
    every = max(1, -(-len(labels) // 6))
    return Chart(
        key="times",
        title=_("Time to an answer"),
        summary=_("Milliseconds from the stored question to the decision."),
        x_label=_("week from"),
        y_label="ms",
        x_ticks=tuple(
            Tick(_r(_LEFT + step * (index + 0.5)), label)
            for index, label in enumerate(labels)
            if index % every == 0
        ),
        y_ticks=tuple(Tick(_y(part / 4), number(top * part / 4)) for part in range(5)),
        lines=tuple(lines),
        dots=tuple(dots),
        legend=kinds,
        table=Table(
            (_("Week from"), _("p50 (ms)"), _("p95 (ms)")),
            tuple(
                (Cell(label, is_number=False), Cell(number(pair[0])), Cell(number(pair[1])))
                for label, pair in zip(labels, times, strict=True)
            ),
        ),
    )


def _of_point(point: CurvePoint) -> str:
    return _("from %(threshold)s on %(coverage)s answered, %(risk)s of them wrong") % {
        "threshold": percent(point.threshold, 1),
        "coverage": percent(point.coverage),
        "risk": percent(point.risk, 1),
    }


def _thinned(points: Sequence[CurvePoint], most: int) -> list[CurvePoint]:
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def _x(share: float) -> float:
    return _r(_LEFT + share * (WIDTH - _LEFT - _RIGHT))


def _y(share: float) -> float:
    return _r(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM))


def _r(value: float) -> float:
    return round(value, 1)


def _x_shares() -> tuple[Tick, ...]:
    return tuple(Tick(_x(part / 4), percent(part / 4)) for part in range(5))


def _points(places: Any) -> str:
    # Not through a template: there a number would get the comma of its reader's language.
    return " ".join(f"{x},{y}" for x, y in places)


def _round_up(value: int) -> int:
    """To a number that four grid lines divide well."""
    power = 1
    while True:
        for step in (4, 8, 12, 20, 32):
            if value <= step * power:
                return step * power
        power *= 10
