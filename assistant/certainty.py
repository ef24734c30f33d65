"""How sure an answer is, and why, in words for whoever reads it.

Promise: every sentence states what was measured for this question, never a guess at what the model made of it. A
measurement that is not there is not mentioned.

Refuses to decide whether it is sure enough: that was decided with the answer, and is told here.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from assistant.calibration.store import name_of
from assistant.confidence import is_of_site
from assistant.measured import Calibration, CalibrationState
from assistant.models import Question

# Of the signals, for the words that tell them; see `assistant.signals` for their ranges.
_MOST, _HALF = 0.75, 0.4  # share of the question's telling words
_NEAR, _APART = 0.55, 0.3  # cosine of question and passage
_AHEAD, _CLOSE = 0.2, 0.05  # ranking value in front of the next article


@dataclass(frozen=True)
class Reason:
    text: str
    speaks_for: bool | None  # the answer; None: neither


@dataclass(frozen=True)
class Promise:
    """What a calibration on this site's own judged answers guarantees (`assistant.calibration`)."""

    risk_percent: str  # of the answers shown are wrong at most
    certainty_percent: str  # that this holds
    answers: int  # judged, that it was found on
    since: datetime | None


@dataclass(frozen=True)
class Certainty:
    level: str  # ConfidenceLevel
    percent: int
    threshold_percent: int | None
    reasons: tuple[Reason, ...]
    is_calibrated: bool
    is_of_this_site: bool  # calibrated with questions of this help center
    promise: Promise | None  # of the site's own calibration that is in force, where this answer rests on it


def certainty_of(question: Question) -> Certainty | None:
    """None where no confidence was estimated."""
    if question.confidence_score is None:
        return None
    threshold = question.confidence_threshold
    is_of_this_site = question.calibrated and is_of_site(question.calibration)
    return Certainty(
        level=question.confidence_level,
        # Rounded down: nobody is told more than was estimated, and 99.6 % is not 100 %.
        percent=int(question.confidence_score * 100),
        threshold_percent=None if threshold is None else int(threshold * 100),
        reasons=tuple(_reasons(question.confidence_signals)),
        is_calibrated=question.calibrated,
        is_of_this_site=is_of_this_site,
        promise=_promise(question.calibration) if is_of_this_site else None,
    )


def _promise(name: str) -> Promise | None:
    live = Calibration.objects.filter(state=CalibrationState.LIVE).defer("report").first()
    if live is None or name_of(live) != name:
        return None
    return Promise(
        risk_percent=f"{live.max_risk * 100:g}",
        certainty_percent=f"{live.confidence * 100:g}",
        answers=live.answered,
        since=live.live_at,
    )


def _reasons(signals: dict[str, float]) -> list[Reason]:
    found = []
    if (coverage := signals.get("coverage")) is not None:
        if coverage >= _MOST:
            found.append(
                Reason(_("Most of the words that matter in the question stand in the passage quoted."), True)
            )
        elif coverage >= _HALF:
            found.append(
                Reason(
                    _("About half of the words that matter in the question stand in the passage quoted."),
                    None,
                )
            )
        else:
            found.append(Reason(_("The passage quoted uses other words than the question."), False))
    if (cosine := signals.get("cosine")) is not None and cosine != 0:  # 0: no vectors were there to compare
        if cosine >= _NEAR:
            found.append(Reason(_("Question and passage are very near in meaning."), True))
        elif cosine >= _APART:
            found.append(Reason(_("Question and passage are related in meaning."), None))
        else:
            found.append(Reason(_("Question and passage are not very near in meaning."), False))
    if (margin := signals.get("margin")) is not None:
        if margin >= _AHEAD:
            found.append(Reason(_("This article fits clearly better than any other."), True))
        elif margin < _CLOSE:
            found.append(Reason(_("Another article fits nearly as well."), False))
    if (known := signals.get("known")) is not None and known < _MOST:
        found.append(Reason(_("Some words of the question stand in none of our articles."), False))
    return found
