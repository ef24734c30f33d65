"""A vote of the most similar solved tickets, and how often such votes were right in the past.

Promise: pure. `walk_forward` asks for each past ticket only those that were settled when it arrived: what it counts is
what would have been suggested then. A vote is shown with its count, and its confidence is a share of past votes.

Refuses to decide: what is suggested or applied (`assistant.desk.routing.suggestions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SIMILAR = 9  # tickets that vote
FEWEST_SIMILAR = 3
NEAR = 0.4  # cosine; below, two questions have little in common
_UNKNOWN = -1

# Shares of the similar tickets that agree; votes between two of them are counted as equally clear.
_CLARITY = (0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Past:
    """Solved tickets, n of them, in any order. Values are ids; -1: none, or none that a person stands for."""

    vectors: "NDArray[np.float32]"  # (n, dimension), unit length
    languages: "NDArray[np.int64]"  # (n,), only equal or not
    opened: "NDArray[np.float64]"  # (n,), seconds since 1970
    settled: "NDArray[np.float64]"  # (n,), likewise
    values: "NDArray[np.int64]"  # (n,), as each ticket ended
    by_rule: "NDArray[np.int64]"  # (n,), as the rules had it


@dataclass(frozen=True)
class Vote:
    value: int
    agreeing: int
    similar: int

    @property
    def clarity(self) -> int:
        """Which votes it is counted with: 0 (less than half agree) to 3 (all)."""
        share = self.agreeing / self.similar
        return sum(share >= least for least in _CLARITY)


@dataclass(frozen=True)
class Trial:
    """What would have been suggested for one past ticket, what the rules said, and how it ended."""

    vote: Vote | None
    by_rule: int
    by_majority: int  # the most frequent value until then; -1: there was none
    value: int


@dataclass(frozen=True)
class Record:
    """Of votes of one clarity."""

    tried: int = 0
    right: int = 0
    rule_right: int = 0


def vote(past: Past, vector: "NDArray[np.float32]", language: int) -> Vote | None:
    """`vector` of shape (dimension,), unit length. None where too few are similar."""
    if not len(past.vectors):
        return None
    cosines = past.vectors @ vector
    return _vote(cosines, (past.values != _UNKNOWN) & (past.languages == language), past.values)


def walk_forward(past: Past) -> list[Trial]:
    """One for each ticket that a person stands for, oldest first."""
    if not len(past.vectors):
        return []
    trials = []
    cosines = past.vectors @ past.vectors.T
    counted = past.values != _UNKNOWN
    for row in np.argsort(past.opened, kind="stable"):
        if not counted[row]:
            continue
        earlier = counted & (past.settled <= past.opened[row])
        earlier[row] = False
        alike = earlier & (past.languages == past.languages[row])
        trials.append(
            Trial(
                vote=_vote(cosines[row], alike, past.values),
                by_rule=int(past.by_rule[row]),
                by_majority=_most_frequent(past.values[earlier]),
                value=int(past.values[row]),
            )
        )
    return trials


def record_of(trials: Sequence[Trial], clarity: int) -> Record:
    alike = [one for one in trials if one.vote is not None and one.vote.clarity == clarity]
    return Record(
        tried=len(alike),
        right=sum(one.vote is not None and one.vote.value == one.value for one in alike),
        rule_right=sum(one.by_rule == one.value for one in alike),
    )


def _vote(
    cosines: "NDArray[np.float32]", allowed: "NDArray[np.bool_]", values: "NDArray[np.int64]"
) -> Vote | None:
    rows = np.flatnonzero(allowed & (cosines >= NEAR))
    if len(rows) > MOST_SIMILAR:
        rows = rows[np.argpartition(-cosines[rows], MOST_SIMILAR - 1)[:MOST_SIMILAR]]
    nearest = rows[np.argsort(-cosines[rows], kind="stable")]
    if len(nearest) < FEWEST_SIMILAR:
        return None
    voted = values[nearest]
    found, counts = np.unique(voted, return_counts=True)
    leading = found[counts == counts.max()]
    # Of values with as many votes, the one that is closer.
    value = max(leading, key=lambda one: float(cosines[nearest][voted == one].sum()))
    return Vote(int(value), int(counts.max()), len(nearest))


def _most_frequent(values: "NDArray[np.int64]") -> int:
    if not len(values):
        return _UNKNOWN
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])
