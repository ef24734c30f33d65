"""Finds the lowest threshold of which it can be promised that few answers above it are wrong.

Learn-then-Test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, "Learn then Test: Calibrating Predictive Algorithms
to Achieve Risk Control") through MAPIE: each threshold of a grid is a hypothesis "more than `max_risk` of what is
answered from here on is wrong", rejected by a binomial test; with probability `confidence` over the choice of the
labelled questions no rejected one is true. It holds for questions that come from where the labelled ones came
from, each as likely as any other (exchangeability), and for nothing else.

Pure: numbers in, numbers out. Refuses to decide what is labelled, and whether the promise is put to use.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Fixed before any label is seen, as the method asks for; a threshold finer than a percent means nothing to anybody.
GRID = np.round(np.linspace(0.99, 0.01, 99), 2)
# The tests begin where this share of the labelled questions is answered, and go down from there. The first failure
# ends them: begun among very few answers, one wrong one would end everything. With labels enough for two they begin in
# two places, each with half the level.
_FIRST_SHARES = (0.25, 0.5)


@dataclass(frozen=True)
class Candidate:
    """What is answered to a question from some threshold down."""

    score: float  # 0..1, of the confidence model: the highest threshold at which it is the answer
    is_right: bool
    is_written: bool = True  # False: the passages support no answer, so a person gets the question


@dataclass(frozen=True)
class Trial:
    """One labelled question. The first candidate whose score reaches the threshold decides what the customer gets."""

    candidates: tuple[
        Candidate, ...
    ]  # of each language, of several questions in one; empty: nothing was found

    def at(self, threshold: float) -> Candidate | None:
        """What is answered; None: nothing is."""
        chosen = next((one for one in self.candidates if one.score >= threshold), None)
        return chosen if chosen is not None and chosen.is_written else None


@dataclass(frozen=True)
class Promise:
    """At most `max_risk` of the answers from `threshold` on are wrong, with probability `confidence`."""

    threshold: float  # 0..1
    max_risk: float  # 0..1
    confidence: float  # 0..1
    labelled: int
    answered: int  # of the labelled
    wrong: int  # of the answered

    @property
    def coverage(self) -> float:
        """Expected share of questions that get an answer."""
        return self.answered / self.labelled

    @property
    def coverage_range(self) -> tuple[float, float]:
        """95 % interval of it."""
        return clopper_pearson(self.answered, self.labelled)


@dataclass(frozen=True)
class TrialTable:
    """The same trials as arrays, a row a question: what every threshold of the grid is counted on."""

    features: NDArray[np.float64]  # the scores, a column a candidate (-1: none), then 1 or 0 for written
    right: NDArray[np.int_]  # one bit a candidate, the first the lowest

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> "TrialTable":
        most = max((len(trial.candidates) for trial in trials), default=0) or 1
        features = np.zeros((len(trials), 2 * most))
        features[:, :most] = -1.0
        right = np.zeros(len(trials), dtype=int)
        for row, trial in enumerate(trials):
            for column, candidate in enumerate(trial.candidates):
                features[row, [column, most + column]] = candidate.score, candidate.is_written
                right[row] |= int(candidate.is_right) << column
        return cls(features, right)

    def answered_and_wrong(self, threshold: float) -> tuple[int, int]:
        chosen = choose(self.features, threshold)
        return int((~np.isnan(chosen)).sum()), int(is_wrong(self.right, chosen).sum())


def choose(features: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """The number of the candidate that is shown, NaN for none: `Trial.at` of many."""
    most = features.shape[1] // 2
    reaches = features[:, :most] >= threshold
    chosen = reaches.argmax(axis=1)
    is_written = features[np.arange(len(features)), most + chosen] == 1
    return np.where(reaches.any(axis=1) & is_written, chosen, np.nan)


def is_wrong(right: NDArray[np.int_], chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
    column = np.nan_to_num(chosen).astype(int)
    found: NDArray[np.bool_] = ~np.isnan(chosen) & ((right >> column) & 1 == 0)
    return found


class NothingToPromise(Exception):
    """The labels are too few, or too many of the answers are wrong. More labels help in the first case."""

    def __init__(self, *, labelled: int, answered: int, needed: int, closest: Promise | None) -> None:
        self.labelled = labelled
        self.answered = answered  # at the lowest threshold: so many labels there are to test with
        self.needed = needed  # answered labels, if not one of them is wrong
        self.closest = closest  # the first that was tested: the surest answers; not promised
        super().__init__(f"{answered} answered labels, {needed} needed without an error")

    @property
    def is_too_few(self) -> bool:
        return self.answered < self.needed


def labels_needed(max_risk: float, confidence: float, *, wrong: int = 0) -> int:
    """How many answered labels, `wrong` of them wrong, it takes to promise `max_risk`: 59 for 5 % at 95 %."""
    from scipy.stats import binom

    count = wrong + math.ceil(math.log(1 - confidence) / math.log(1 - max_risk))
    while binom.cdf(wrong, count, max_risk) > 1 - confidence:
        count += 1
    return count


def find_promise(trials: Sequence[Trial], *, max_risk: float, confidence: float) -> Promise:
    """The lowest threshold that can be promised. Raises NothingToPromise, and ValueError for bad levels."""
    for name, value in (("max_risk", max_risk), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name}: found {value}, allowed is a number above 0 and below 1.")
    needed = labels_needed(max_risk, confidence)
    table = TrialTable.of(trials)
    answered = np.array([table.answered_and_wrong(level)[0] for level in GRID.tolist()])
    most = int(answered.max(initial=0))
    of_two = labels_needed(max_risk, (1 + confidence) / 2)
    shares, fewest = (_FIRST_SHARES, of_two) if most >= 2 * of_two else (_FIRST_SHARES[:1], needed)
    begins = [max(fewest, math.ceil(share * len(trials))) for share in shares]
    # What is answered at the lowest threshold may still be enough, in a set where much is answered nowhere.
    begins = [begin if begin <= most else fewest for begin in begins]
    grid = GRID[answered >= min(begins)]
    if most < needed:
        raise NothingToPromise(labelled=len(trials), answered=most, needed=needed, closest=None)
    from assistant.calibration.learn_then_test import lowest_threshold

    counts = answered[answered >= min(begins)]
    starts = sorted({int(np.argmax(counts >= begin)) for begin in begins})
    threshold = lowest_threshold(table, grid, starts, max_risk=max_risk, confidence=confidence)
    counted = float(grid[0]) if threshold is None else threshold
    shown, wrong = table.answered_and_wrong(counted)
    found = Promise(counted, max_risk, confidence, labelled=len(trials), answered=shown, wrong=wrong)
    if threshold is None:
        raise NothingToPromise(labelled=len(trials), answered=most, needed=needed, closest=found)
    return found


def clopper_pearson(count: int, of: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share (Clopper & Pearson 1934)."""
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(1 - tail, count + 1, of - count))
    return low, high
