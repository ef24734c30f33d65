"""Calibrates: asks the labelled questions, finds the promise, says what would change, keeps what was found.

`work_out` changes nothing. What it found waits as a proposal until somebody puts it in force.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
from django.db import IntegrityError, close_old_connections, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerUnreachable

from assistant import outbox
from assistant.calibration.promise import (
    GRID,
    NothingToPromise,
    Promise,
    Trial,
    TrialTable,
    clopper_pearson,
    find_promise,
)
from assistant.calibration.rescaling import fit_rescale
from assistant.calibration.store import Binding, rescale_of, standing
from assistant.calibration.trials import run_trials
from assistant.confidence import Rescale
from assistant.evaluation import Articles, expected_calibration_error
from assistant.labels import site_labels
from assistant.measured import Calibration, CalibrationState
from assistant.writers import WriterUnavailable
from knowledge.labelled import LabelledQuestion

log = logging.getLogger(__name__)

MAX_RISK = 0.05
CONFIDENCE = 0.95
SITE = "site"  # stored as the source of what was calibrated on the site's own labels
_BEAT_EVERY = 10  # questions
_SILENCE = timedelta(seconds=120)  # after which nobody is taken to work on it any more

Progress = Callable[[Iterable[LabelledQuestion]], Iterable[LabelledQuestion]]


@dataclass(frozen=True)
class Figures:
    """How the labelled questions fare at one threshold."""

    threshold: float  # 0..1, as it is shown
    labelled: int
    answered: int
    wrong: int
    coverage: float  # 0..1
    risk: float | None  # 0..1; None where nothing is answered
    risk_range: tuple[float, float] | None  # 95 % interval of it
    ece: float | None  # 0..1, over all labelled questions for which something was found


@dataclass(frozen=True)
class Result:
    binding: Binding
    max_risk: float
    confidence: float
    promise: Promise | None
    refusal: NothingToPromise | None
    rescale: Rescale | None
    before: Figures  # with what is in force now
    after: Figures | None
    curve: tuple[tuple[float, int, int], ...]  # threshold on the model's own scale, answered, wrong
    labelled: int
    hidden: int
    unmatched_gold: int

    def report(self) -> dict[str, Any]:
        """For people and for the record."""
        found: dict[str, Any] = {
            "before": asdict(self.before),
            "after": asdict(self.after) if self.after is not None else None,
            "curve": self.curve,
            "hidden": self.hidden,
            "unmatched_gold": self.unmatched_gold,
        }
        if self.promise is not None:
            found["coverage_range"] = self.promise.coverage_range
        if self.refusal is not None:
            closest = self.refusal.closest
            found |= {
                "needed": self.refusal.needed,
                "answerable_labels": self.refusal.answered,
                "is_too_few": self.refusal.is_too_few,
                "closest": {"answered": closest.answered, "wrong": closest.wrong} if closest else None,
            }
        return found


def work_out(
    questions: Sequence[LabelledQuestion],
    *,
    max_risk: float = MAX_RISK,
    confidence: float = CONFIDENCE,
    hidden_share: float = 0.0,
    articles: Articles = "all",
    rescales: bool = True,
    progress: Progress = iter,
) -> Result:
    """Raises WriterUnavailable, and ValueError for levels outside 0..1."""
    now, binding = standing(), Binding.now()
    asked = run_trials(questions, hidden_share=hidden_share, articles=articles, progress=progress)
    trials = asked.trials
    promise, refusal = None, None
    try:
        promise = find_promise(trials, max_risk=max_risk, confidence=confidence)
    except NothingToPromise as reason:
        refusal = reason
    live_rescale = rescale_of(now.live) if now.is_site and now.live is not None else None
    scores, right = observed(trials, now.raw_threshold)
    before = _figures(trials, now.raw_threshold, live_rescale, [_shown(live_rescale, one) for one in scores])
    after, rescale, table = None, None, TrialTable.of(trials)
    if promise is not None:
        scores, right = observed(trials, promise.threshold)
        fitted = fit_rescale(scores, right) if rescales else None
        rescale = fitted.rescale if fitted is not None else None
        held_out = fitted.held_out if fitted is not None else scores
        after = _figures(trials, promise.threshold, rescale, held_out)
    return Result(
        binding=binding,
        max_risk=max_risk,
        confidence=confidence,
        promise=promise,
        refusal=refusal,
        rescale=rescale,
        before=before,
        after=after,
        curve=tuple((level, *table.answered_and_wrong(level)) for level in GRID.tolist()),
        labelled=len(trials),
        hidden=asked.hidden,
        unmatched_gold=asked.unmatched_gold,
    )


def keep(result: Result, *, source: str, by: Any = None, row: Calibration | None = None) -> Calibration:
    """Stores what was found, as a proposal or as a refusal; neither changes a threshold."""
    row = row or Calibration(source=source, created_by=by, hidden_share=0)
    promise = result.promise
    row.state = CalibrationState.PROPOSED if promise is not None else CalibrationState.REFUSED
    row.recipe, row.writer, row.model = (
        result.binding.recipe,
        result.binding.writer,
        result.binding.model,
    )
    row.max_risk, row.confidence = result.max_risk, result.confidence
    row.labelled = result.labelled
    row.hidden_share = result.hidden / result.labelled if result.labelled else 0.0
    if promise is not None:
        row.threshold, row.answered, row.wrong = promise.threshold, promise.answered, promise.wrong
    if result.rescale is not None:
        row.slope, row.intercept = result.rescale.slope, result.rescale.intercept
    row.report = result.report()
    row.done = row.total = result.labelled
    with transaction.atomic():
        # An older proposal was made with fewer labels, or for another risk: one at a time waits to be confirmed.
        Calibration.objects.filter(state=CalibrationState.PROPOSED).update(state=CalibrationState.DISCARDED)
        row.save()
    return row


class AlreadyRunning(Exception):
    """One at a time: they would compete for the processor."""


def start(*, by: Any, max_risk: float, confidence: float, hidden_share: float = 0.0) -> Calibration:
    """Calibrates on the site's labels in the background. Raises AlreadyRunning."""
    give_up_silent()
    try:
        with transaction.atomic():
            row = Calibration.objects.create(
                source=SITE,
                created_by=by,
                max_risk=max_risk,
                confidence=confidence,
                hidden_share=hidden_share,
                total=len(site_labels().questions),
            )
            transaction.on_commit(partial(_ring, row.pk), robust=True)
    except IntegrityError as error:
        raise AlreadyRunning from error
    return row


def give_up_silent() -> None:
    """A run whose process has ended says so at last."""
    Calibration.objects.filter(state=CalibrationState.RUNNING, beat_at__lt=timezone.now() - _SILENCE).update(
        state=CalibrationState.FAILED, error="interrupted"
    )


def run(calibration_id: int) -> None:
    """Works out what `start` has asked for. Safe to repeat: one that is not running any more is left alone."""
    row = Calibration.objects.filter(pk=calibration_id, state=CalibrationState.RUNNING).first()
    if row is None:
        return
    labels = site_labels()
    Calibration.objects.filter(pk=row.pk).update(total=len(labels.questions), beat_at=timezone.now())

    def progress(questions: Iterable[LabelledQuestion]) -> Iterable[LabelledQuestion]:
        for number, question in enumerate(questions):
            if number % _BEAT_EVERY == 0:
                Calibration.objects.filter(pk=row.pk).update(done=number, beat_at=timezone.now())
            yield question

    try:
        result = work_out(
            labels.questions,
            max_risk=row.max_risk,
            confidence=row.confidence,
            hidden_share=row.hidden_share,
            progress=progress,
        )
        keep(result, source=SITE, row=row)
    except Exception as error:
        # The person who waits for it reads the reason on the page.
        Calibration.objects.filter(pk=row.pk).update(
            state=CalibrationState.FAILED, error=f"{type(error).__name__}: {error}"[:500]
        )
        log.exception("calibration %d failed", row.pk)
        if not isinstance(error, WriterUnavailable):
            raise


def observed(trials: Sequence[Trial], threshold: float) -> tuple[list[float], list[bool]]:
    """Score and rightness of what decides each question: the answer, or where there is none the first candidate."""
    chosen = [trial.at(threshold) or trial.candidates[0] for trial in trials if trial.candidates]
    return [one.score for one in chosen], [one.is_right for one in chosen]


def _figures(
    trials: Sequence[Trial], threshold: float, rescale: Rescale | None, shown: Sequence[float]
) -> Figures:
    answered, wrong = TrialTable.of(trials).answered_and_wrong(threshold)
    right = observed(trials, threshold)[1]
    return Figures(
        threshold=_shown(rescale, threshold),
        labelled=len(trials),
        answered=answered,
        wrong=wrong,
        coverage=answered / len(trials) if trials else 0.0,
        risk=wrong / answered if answered else None,
        risk_range=clopper_pearson(wrong, answered) if answered else None,
        ece=expected_calibration_error(np.array(shown), np.array(right)),
    )


def _shown(rescale: Rescale | None, score: float) -> float:
    return score if rescale is None else rescale.apply(score)


def _ring(calibration_id: int) -> None:
    if outbox.has_loop():
        # The web process of `serve`: nobody has to wait for it, and mails go on leaving.
        threading.Thread(
            target=_run_in_thread, args=(calibration_id,), name=f"calibration {calibration_id}", daemon=True
        ).start()
        return
    from assistant.tasks import calibrate_task

    try:
        calibrate_task.delay(calibration_id)
    except (BrokerUnreachable, OSError) as error:
        Calibration.objects.filter(pk=calibration_id).update(
            state=CalibrationState.FAILED, error=f"The broker cannot be reached: {type(error).__name__}"
        )


def _run_in_thread(calibration_id: int) -> None:
    try:
        run(calibration_id)
    finally:
        close_old_connections()
