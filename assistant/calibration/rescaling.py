"""Makes the model's score the probability on this site, where there are labels enough to know it better.

Platt's two numbers (Platt 1999, "Probabilistic Outputs for Support Vector Machines") on the log-odds of the score.
A rising function: it changes what a score is called, not which of two is higher, so the promise about a threshold
stays what it is. Isotonic regression would tie scores that the promise tells apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.confidence import Rescale

_FEWEST = 100  # labelled questions
_FEWEST_OF_A_KIND = 20  # right ones, wrong ones
_FOLDS = 5


@dataclass(frozen=True)
class Fitted:
    rescale: Rescale
    held_out: tuple[float, ...]  # 0..1, of each question by a fit that has not seen it


def fit_rescale(scores: Sequence[float], right: Sequence[bool]) -> Fitted | None:
    """None where the labels are too few, or where it does not predict questions it has not seen any better."""
    values, labels = np.asarray(scores, dtype=float), np.asarray(right, dtype=bool)
    kinds = min(int(labels.sum()), int((~labels).sum()))
    if len(labels) < _FEWEST or kinds < _FEWEST_OF_A_KIND:
        return None
    from sklearn.model_selection import StratifiedKFold

    held_out = np.zeros(len(labels))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(values, labels):
        fitted = _fit(values[train], labels[train])
        if fitted is None:
            return None
        held_out[test] = [fitted.apply(value) for value in values[test]]
    if _log_loss(held_out, labels) >= _log_loss(values, labels):
        return None
    rescale = _fit(values, labels)
    return Fitted(rescale, tuple(held_out.tolist())) if rescale is not None else None


def _fit(scores: Any, right: Any) -> Rescale | None:
    from sklearn.linear_model import LogisticRegression

    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    odds = np.log(clipped / (1 - clipped))
    # Nearly no penalty: two numbers from a hundred labels do not overfit.
    regression = LogisticRegression(C=100.0).fit(odds[:, np.newaxis], right)
    slope, intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    # A falling one would say that the surest answers are the worst: then the score is at fault, not its scale.
    return Rescale(slope=slope, intercept=intercept) if slope > 0 else None


def _log_loss(scores: Any, right: Any) -> float:
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(right, np.log(clipped), np.log(1 - clipped))))
