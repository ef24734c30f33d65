"""The quality page: how sure, how right, how quick, and the threshold that follows from what staff have judged.

Who may see it and who may change the threshold are two permissions (`assistant.view_quality`,
`assistant.recalibrate`). Nothing here counts (`assistant.quality`) or calibrates (`assistant.calibration`).
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import formats
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from assistant.admin import drilling
from assistant.calibration import store
from assistant.labels import site_labels
from assistant.measured import Calibration, CalibrationState, EvaluationRun, Label
from assistant.models import TicketReason
from assistant.quality import charts
from assistant.quality.figures import Summary, summarise
from assistant.quality.records import MOST_RUNS, Week, known_from_run, known_from_site, weeks
from assistant.quality.report import numbers_of, reasons_table, retrieval_tables

WEEKS = (4, 12, 26, 52)
_HISTORY = 10  # calibrations
_STATE_TONES = {
    CalibrationState.RUNNING: "notice",
    CalibrationState.PROPOSED: "notice",
    CalibrationState.LIVE: "good",
    CalibrationState.RETIRED: "quiet",
    CalibrationState.REFUSED: "bad",
    CalibrationState.FAILED: "bad",
    CalibrationState.DISCARDED: "quiet",
}


class CalibrateForm(forms.Form):
    max_risk = forms.FloatField(
        label=gettext_lazy("At most this many of 100 answers may be wrong"),
        min_value=0.5,
        max_value=50,
        initial=5,
    )
    confidence = forms.FloatField(
        label=gettext_lazy("How certain that has to be, in percent"), min_value=50, max_value=99.9, initial=95
    )
    hidden_share = forms.FloatField(
        label=gettext_lazy("Of 100 questions, hide the right article of this many"),
        help_text=gettext_lazy(
            "Stands for questions that no article answers, where your judgements hold too few of them. "
            "Leave 0 if you judged a fair sample."
        ),
        min_value=0,
        max_value=90,
        initial=0,
    )


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    _require(request, "assistant.view_quality")
    return _page(request, CalibrateForm())


@require_POST
def start_view(request: HttpRequest) -> HttpResponse:
    """Begins a calibration. What it finds has to be confirmed on its own page."""
    _require(request, "assistant.recalibrate")
    form = CalibrateForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    if not site_labels().questions:
        form.add_error(None, _("Nothing has been judged yet; there is nothing to calibrate with."))
        return _page(request, form)
    from assistant.calibration.running import AlreadyRunning, start

    try:
        calibration = start(
            by=request.user,
            max_risk=form.cleaned_data["max_risk"] / 100,
            confidence=form.cleaned_data["confidence"] / 100,
            hidden_share=form.cleaned_data["hidden_share"] / 100,
        )
    except AlreadyRunning:
        running = Calibration.objects.filter(state=CalibrationState.RUNNING).first()
        messages.info(request, _("A calibration is running already."))
        return HttpResponseRedirect(_address(running.pk) if running else reverse("admin:quality"))
    return HttpResponseRedirect(_address(calibration.pk))


@require_GET
def calibration_view(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request, "assistant.view_quality")
    from assistant.calibration.running import give_up_silent

    give_up_silent()
    calibration = get_object_or_404(Calibration.objects.select_related("created_by"), pk=pk)
    standing = store.standing()
    differences = store.Binding.of(calibration).differences(store.Binding.now())
    is_held = calibration.state in (CalibrationState.PROPOSED, CalibrationState.RETIRED)
    response = TemplateResponse(
        request,
        "admin/quality/calibration.html",
        {
            **admin.site.each_context(request),
            "title": _("Calibration"),
            "calibration": calibration,
            "tone": _STATE_TONES[CalibrationState(calibration.state)],
            "steps": _steps(calibration.report),
            "coverage_range": _range(calibration.report.get("coverage_range")),
            "promise": _promise(calibration),
            "refusal": _refusal(calibration),
            "standing": standing,
            "differences": [_DIFFERENCES[name] for name in differences],
            "may_decide": request.user.has_perm("assistant.recalibrate"),
            "can_be_put_in_force": is_held and not differences,
            "progress": round(100 * calibration.done / calibration.total) if calibration.total else 0,
        },
    )
    if calibration.state == CalibrationState.RUNNING:
        response.headers["Refresh"] = "3"  # seconds; needs no script
    return response


@require_POST
def decide_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Puts a calibration in force, or throws the proposal away."""
    _require(request, "assistant.recalibrate")
    calibration = get_object_or_404(Calibration, pk=pk)
    if "discard" in request.POST:
        Calibration.objects.filter(pk=pk, state=CalibrationState.PROPOSED).update(
            state=CalibrationState.DISCARDED
        )
        _log(request, calibration, "discarded")
        messages.success(request, _("The proposal was discarded. The threshold is what it was."))
        return HttpResponseRedirect(reverse("admin:quality"))
    try:
        store.put_in_force(calibration)
    except store.NotToBePutInForce:
        messages.error(
            request,
            _("This calibration cannot be put in force (any more): calibrate again with what is in use now."),
        )
        return HttpResponseRedirect(_address(pk))
    _log(request, calibration, "put in force")
    messages.success(request, _("In force. The new threshold decides from the next question on."))
    return HttpResponseRedirect(reverse("admin:quality"))


@require_POST
def revert_view(request: HttpRequest) -> HttpResponse:
    _require(request, "assistant.recalibrate")
    live = Calibration.objects.filter(state=CalibrationState.LIVE).first()
    if live is not None and store.retire():
        _log(request, live, "taken out of force")
        messages.success(request, _("The threshold that comes with the confidence model is in force again."))
    else:
        messages.info(request, _("It was in force already."))
    return HttpResponseRedirect(reverse("admin:quality"))


PAGES = (
    ("", page, "quality"),
    ("calibrate/", start_view, "quality_calibrate"),
    ("revert/", revert_view, "quality_revert"),
    ("calibrations/<int:pk>/", calibration_view, "quality_calibration"),
    ("calibrations/<int:pk>/decide/", decide_view, "quality_decide"),
)

_DIFFERENCES = {
    "recipe": gettext_lazy("the index was built with another embedding model or chunker"),
    "writer": gettext_lazy("another answer writer is set"),
    "model": gettext_lazy("another confidence model or reranker is in use"),
}


def _page(request: HttpRequest, form: CalibrateForm) -> HttpResponse:
    standing = store.standing()
    span = _chosen(request.GET.get("weeks"), WEEKS, default=12)
    by_week = weeks(span)
    runs = list(EvaluationRun.objects.defer("figures")[:MOST_RUNS])
    run = next((one for one in runs if f"run-{one.pk}" == request.GET.get("source")), None)
    known = known_from_run(run) if run is not None else known_from_site()
    summary = summarise(known, threshold=run.threshold if run is not None else standing.threshold)
    to_known = partial(drilling.of_run, run.pk) if run is not None else drilling.of_labels
    history = list(Calibration.objects.defer("report").select_related("created_by")[:_HISTORY])
    answered, escalated = sum(week.answered for week in by_week), sum(week.escalated for week in by_week)
    return TemplateResponse(
        request,
        "admin/quality/page.html",
        {
            **admin.site.each_context(request),
            "title": _("Quality"),
            "standing": standing,
            "standing_promise": _promise(standing.live) if standing.is_site and standing.live else "",
            "differences": [_DIFFERENCES[name] for name in standing.differences],
            "source": f"run-{run.pk}" if run is not None else "site",
            "run": run,
            "runs": runs,
            "span": span,
            "spans": WEEKS,
            "summary": summary,
            "numbers": {"threshold": charts.percent(standing.threshold, 1), **numbers_of(summary)},
            "charts": _charts(summary, to_known),
            "retrieval": retrieval_tables(summary, partial(_to_group, to_known, is_run=run is not None)),
            "trend": _trend(by_week) if answered + escalated else None,
            "reasons": _reasons(by_week),
            "answered": answered,
            "escalated": escalated,
            "labels": Label.objects.count(),
            "queue_url": drilling.questions_address(judgement="sample"),
            "voted_url": drilling.questions_address(judgement="voted"),
            "judged_url": drilling.questions_address(judgement="any"),
            "history": [(one, _STATE_TONES[CalibrationState(one.state)]) for one in history],
            "form": form,
            "may_calibrate": request.user.has_perm("assistant.recalibrate"),
            "may_judge": request.user.has_perm("assistant.add_label"),
        },
        status=400 if form.is_bound else 200,
    )


def _charts(summary: Summary, address: charts.Address) -> list[charts.Chart]:
    if not summary.count:
        return []
    return [charts.risk_coverage(summary, address), charts.reliability(summary, address)]


def _to_group(address: charts.Address, field: str, name: str, *, is_run: bool) -> str:
    """The questions of a group of which it is known which article answers them, as the figures beside it are."""
    if is_run:
        return address(**{f"{field}__exact": name, "is_answerable__exact": 1})
    if field == "language":
        return address(language__exact=name, judgement="with_article")
    return address(category=name) if name else ""


def _trend(by_week: Sequence[Week]) -> list[charts.Chart]:
    labels = [short_day(week.start) for week in by_week]

    def to(**filters: object) -> list[str]:
        return [drilling.of_week(week.start, week.end, **filters) for week in by_week]

    outcome = charts.bars_over_time(
        key="trend",
        title=_("Answered and passed on"),
        summary=_("Questions a week, by what became of them."),
        y_label=_("questions"),
        labels=labels,
        parts=[
            (
                "hc-part-1",
                _("answered"),
                [week.answered for week in by_week],
                to(status__exact="answered"),
            ),
            (
                "hc-part-2",
                _("passed on"),
                [week.escalated for week in by_week],
                to(status__exact="escalated"),
            ),
        ],
        extra=[
            (
                _("answered"),
                [charts.percent(week.answered / week.asked if week.asked else None) for week in by_week],
            ),
            (_("helpful"), [charts.number(week.helpful) for week in by_week]),
            (_("not helpful"), [charts.number(week.not_helpful) for week in by_week]),
        ],
    )
    return [outcome, charts.times_over_weeks(labels, [(week.p50_ms, week.p95_ms) for week in by_week])]


def _reasons(by_week: Sequence[Week]) -> charts.Table | None:
    first, last = by_week[0].start, by_week[-1].end
    counts: dict[TicketReason, tuple[int, str]] = {}
    for reason in TicketReason:
        count = sum(week.by_reason.get(reason, 0) for week in by_week)
        if count:
            counts[reason] = count, drilling.of_week(first, last, ticket__reason__exact=str(reason))
    return reasons_table(counts) if counts else None


def short_day(day: date) -> str:
    return str(formats.date_format(day, "j.n." if (get_language() or "").startswith("de") else "M j"))


def _promise(calibration: Calibration) -> str:
    if calibration.threshold is None or calibration.state == CalibrationState.RUNNING:
        return ""
    return _(
        "With %(confidence)s certainty at most %(risk)s of the answers are wrong: of %(labelled)s labelled questions "
        "%(answered)s would be answered, %(wrong)s of them wrongly."
    ) % {
        "confidence": charts.percent(calibration.confidence, 0 if calibration.confidence <= 0.99 else 1),
        "risk": charts.percent(calibration.max_risk, 1),
        "labelled": charts.number(calibration.labelled),
        "answered": charts.number(calibration.answered),
        "wrong": charts.number(calibration.wrong),
    }


def _refusal(calibration: Calibration) -> str:
    if calibration.state != CalibrationState.REFUSED:
        return ""
    report = calibration.report
    if report.get("is_too_few"):
        return _(
            "Too few judgements: %(answered)s of them are about questions that can be answered, and it takes "
            "%(needed)s even if not one of the answers is wrong."
        ) % {
            "answered": charts.number(report["answerable_labels"]),
            "needed": charts.number(report["needed"]),
        }
    closest = report.get("closest") or {"answered": 0, "wrong": 0}
    return _(
        "Too many of the answers are wrong: even of the surest %(answered)s it is %(wrong)s. Better articles, more "
        "judgements or a higher accepted share help."
    ) % {"answered": charts.number(closest["answered"]), "wrong": charts.number(closest["wrong"])}


def _steps(report: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Rows of the table: a word, then before and after."""
    sides = [report.get("before"), report.get("after")]
    if sides[0] is None:
        return []

    def row(name: str, show: Any) -> tuple[str, list[str]]:
        return name, [show(side) if side is not None else "–" for side in sides]

    return [
        row(_("Threshold"), lambda side: charts.percent(side["threshold"], 1)),
        row(
            _("Answered"),
            lambda side: f"{charts.percent(side['coverage'], 1)} ({charts.number(side['answered'])})",
        ),
        row(_("Wrong among the answered"), lambda side: _with_range(side["risk"], side["risk_range"])),
        row(_("Calibration error (ECE)"), lambda side: charts.number(side["ece"], 3)),
    ]


def _with_range(share: float | None, span: list[float] | None) -> str:
    return charts.percent(share, 1) if span is None else f"{charts.percent(share, 1)} ({_range(span)})"


def _range(span: Sequence[float] | None) -> str:
    return f"{charts.percent(span[0], 1)} – {charts.percent(span[1], 1)}" if span else ""


def _chosen(value: str | None, allowed: Sequence[int], *, default: int) -> int:
    return next((one for one in allowed if str(one) == value), default)


def _address(pk: int) -> str:
    return reverse("admin:quality_calibration", args=[pk])


def _log(request: HttpRequest, calibration: Calibration, message: str) -> None:
    """Who decided: the row names who had it made."""
    LogEntry.objects.log_actions(request.user.pk, [calibration], CHANGE, message)  # type: ignore[arg-type]


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
