"""An evaluation as one HTML file: pictures of the quality page, in the language of the site; it loads nothing."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from assistant.evaluation import Report
from assistant.models import TicketReason
from assistant.quality import charts
from assistant.quality.figures import Found, Summary, summarise
from assistant.quality.records import known_from_outcomes
from knowledge.models import Language


def as_html(report: Report, *, name: str, articles: str, is_gold_hidden: bool) -> str:
    first = report.outcomes[0].decision
    with translation.override(settings.LANGUAGE_CODE):
        summary = summarise(known_from_outcomes(report.outcomes), threshold=first.confidence.threshold)
        return render_to_string(
            "admin/quality/report.html",
            {
                "name": name,
                "language": settings.LANGUAGE_CODE,
                "site_name": settings.SITE_NAME,
                "articles": articles,
                "is_gold_hidden": is_gold_hidden,
                "now": timezone.localtime(),
                "calibration": first.confidence.calibration,
                "is_calibrated": first.confidence.calibrated,
                "recipe": first.retrieval.recipe[:12],
                "threshold": charts.percent(first.confidence.threshold, 1),
                "numbers": numbers_of(summary),
                "count": summary.count,
                "charts": [
                    charts.risk_coverage(summary, _nowhere),
                    charts.reliability(summary, _nowhere),
                ],
                "retrieval": retrieval_tables(summary, lambda _field, _name: ""),
                "reasons": _reasons(report),
                "style": _stylesheet(),
                "latency": report.figures()["latency_ms"],
            },
        )


def numbers_of(summary: Summary) -> dict[str, str]:
    return {
        "coverage": charts.percent(summary.coverage, 1),
        "risk": charts.percent(summary.risk, 1),
        "ece": charts.number(summary.ece, 3),
    }


def retrieval_tables(summary: Summary, address: Any, *, most: int = 15) -> list[tuple[str, charts.Table]]:
    """By language and by category. `address` takes the field (language, category) and the value."""
    names = dict(Language.choices)
    tables = []
    for title, field, groups in (
        (_("By language"), "language", summary.by_language),
        (_("By category"), "category", summary.by_category[:most]),
    ):

        def row(one: Found, field: str = field) -> tuple[charts.Cell, ...]:
            return (
                charts.Cell(str(names.get(one.name, one.name)) or _("no category"), is_number=False),
                charts.Cell(charts.number(one.count), address(field, one.name)),
                charts.Cell(charts.percent(one.hit_1, 1)),
                charts.Cell(charts.percent(one.hit_5, 1)),
                charts.Cell(charts.number(one.mrr, 3)),
            )

        if groups:
            headings = (title, _("Questions"), "hit@1", "hit@5", "MRR")
            tables.append((title, charts.Table(headings, tuple(row(one) for one in groups))))
    return tables


def _reasons(report: Report) -> charts.Table | None:
    counts: dict[TicketReason, int] = {}
    for outcome in report.outcomes:
        if outcome.decision.reason is not None:
            counts[outcome.decision.reason] = counts.get(outcome.decision.reason, 0) + 1
    if not counts:
        return None
    return reasons_table({reason: (count, "") for reason, count in counts.items()})


def reasons_table(counts: dict[TicketReason, tuple[int, str]]) -> charts.Table:
    """The most frequent first; each with its count and the address of the questions."""
    total = sum(count for count, _address in counts.values())
    return charts.Table(
        (_("Passed on because"), _("Questions"), _("Share")),
        tuple(
            (
                charts.Cell(str(reason.label), is_number=False),
                charts.Cell(charts.number(count), address),
                charts.Cell(charts.percent(count / total)),
            )
            for reason, (count, address) in sorted(counts.items(), key=lambda item: -item[1][0])
        ),
    )


def _nowhere(**_filters: object) -> str:
    return ""


def _stylesheet() -> str:
    found = finders.find("admin_helpcenter/quality.css")
    return Path(str(found)).read_text(encoding="utf-8") if found else ""
