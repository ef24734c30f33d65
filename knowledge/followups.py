"""How far an earlier conversation is part of a question.

"And for two?" names nothing to search for; a new topic must not be dragged back to the old one. So a question with a
history is looked for twice, alone and together with what the same person asked before, and both orders are mixed. How
much the second one counts is read off three signs: whether the articles fit better with the history, whether the
article found with it fits the question alone, and whether that article is what the last answer was about.

Pure. `fit` finds what the signs count on labelled follow-ups (`manage.py fit_fusion`); `fusion_defaults.json` keeps it.
Method and figures: docs/quality-research.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

USER, ASSISTANT = "user:", "assistant:"

_MOST_CHARACTERS: Final = 600  # of earlier questions; more would push the question out of the model's window
_STEEPNESS: Final = 4.0  # of the mix; an infinite one would choose
UNKNOWN_ANSWER: Final = 0.5  # where nobody says what was answered before
_FEWEST: Final = 20  # follow-ups of a corpus in which one order is right and the other is not


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells a question that leans on the conversation from one that does not."""

    better_together: float  # best ranking value with the history, less that of the question alone
    fits_alone: float  # <= 0, of the article first with the history: its value alone, less the best alone
    in_last_answer: float  # 0..1, how well that article fits the last answer, against the best fit


@dataclass(frozen=True, slots=True)
class Leaning:
    """What the signs count: a logistic regression."""

    intercept: float
    better_together: float
    fits_alone: float
    in_last_answer: float

    def share(self, signs: Signs) -> float:
        """0..1, how much the order found with the history counts."""
        total = (
            self.intercept
            + self.better_together * signs.better_together
            + self.fits_alone * signs.fits_alone
            + self.in_last_answer * signs.in_last_answer
        )
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, _STEEPNESS * total))))


@dataclass(frozen=True)
class LabelledFollowUp:
    """A question with a history whose right articles are known, in both orders."""

    corpus: str  # every corpus weighs the same in a fit
    signs: Signs
    is_right: NDArray[np.bool_]  # (passages,), of a right article
    alone: NDArray[np.float64]  # (passages,), ranking values
    with_history: NDArray[np.float64]  # (passages,)

    def is_found(self, share: float) -> bool:
        """Whether a right article is first in the mix."""
        mixed = (1 - share) * self.alone + share * self.with_history
        right = mixed[self.is_right].max(initial=-np.inf)
        return bool(right > mixed[~self.is_right].max(initial=-np.inf))


def together(question: str, history: Sequence[str]) -> str:
    """What this person asked before and asks now, oldest first; empty where nothing came before."""
    earlier: list[str] = []
    room = _MOST_CHARACTERS
    for turn in reversed(history):
        if turn.startswith(USER) and (text := turn.removeprefix(USER).strip()):
            room -= len(text)
            if room < 0 and earlier:
                break
            earlier.insert(0, text[-_MOST_CHARACTERS:])
    return " ".join([*earlier, question]) if earlier else ""


def last_answer(history: Sequence[str]) -> str:
    """Empty where the last turn was nobody's answer."""
    turn = history[-1] if history else ""
    return turn.removeprefix(ASSISTANT).strip() if turn.startswith(ASSISTANT) else ""


def fit(observed: Sequence[LabelledFollowUp]) -> Leaning:
    """By those in which one order is right and the other is not, of corpora that have enough of them.

    Raises ValueError where none has.
    """
    telling = [one for one in observed if one.is_found(0.0) != one.is_found(1.0)]
    counts = Counter(one.corpus for one in telling)
    telling = [one for one in telling if counts[one.corpus] >= _FEWEST]
    leans = [one.is_found(1.0) for one in telling]
    if all(leans) or not any(leans):
        raise ValueError(
            f"no set has {_FEWEST} follow-ups that tell the two orders apart, in both directions"
        )
    from sklearn.linear_model import LogisticRegression

    weights = np.array([1 / counts[one.corpus] for one in telling])
    columns = [astuple(one.signs) for one in telling]
    regression = LogisticRegression(C=10.0).fit(
        np.array(columns), leans, sample_weight=weights * len(telling) / weights.sum()
    )
    coefficients = [round(float(value), 3) for value in regression.coef_[0]]
    return Leaning(round(float(regression.intercept_[0]), 3), *coefficients)


def found_first(observed: Sequence[LabelledFollowUp], leaning: Leaning) -> float:
    """hit@1, 0..1."""
    return (
        sum(one.is_found(leaning.share(one.signs)) for one in observed) / len(observed) if observed else 0.0
    )
