"""Counts over questions whose right answer is known. Pure.

Risk–coverage curve: El-Yaniv & Wiener 2010, "On the Foundations of Noise-free Selective Classification".
Reliability diagram: Niculescu-Mizil & Caruana 2005; expected calibration error over equally filled bins: Naeini et
al. 2015.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.evaluation import ECE_BINS, expected_calibration_error

_MOST_POINTS = 60  # of a curve

Values = NDArray[Any]


@dataclass(frozen=True)
class Known:
    """A question of which it is known whether the outcome was right."""

    language: str
    category: str  # of the article that answers it; empty where there is none, or where it has none
    score: float  # 0..1, confidence as it was shown
    is_answered: bool
    is_right: bool  # first citation; where nothing was answered, the best article
    has_gold: bool  # it is known which article answers it
    rank: int | None  # 1-based, of that article; None: not found


@dataclass(frozen=True)
class CurvePoint:
    threshold: float  # 0..1
    answered: int
    wrong: int
    of: int

    @property
    def coverage(self) -> float:
        return self.answered / self.of

    @property
    def risk(self) -> float:
        return self.wrong / self.answered if self.answered else 0.0


@dataclass(frozen=True)
class Bin:
    low: float  # 0..1, lowest score in it
    high: float  # 0..1, highest
    mean: float  # 0..1
    right: float  # 0..1, share
    count: int


@dataclass(frozen=True)
class Found:
    """How well the right article was found, in one group."""

    name: str
    count: int
    hit_1: float  # 0..1
    hit_5: float  # 0..1
    mrr: float  # 0..1


@dataclass(frozen=True)
class Summary:
    count: int
    answered: int
    wrong: int
    curve: tuple[CurvePoint, ...]  # from the highest threshold down
    operating: CurvePoint | None  # at the threshold in force
    bins: tuple[Bin, ...]
    ece: float | None
    by_language: tuple[Found, ...]
    by_category: tuple[Found, ...]

    @property
    def coverage(self) -> float | None:
        return self.answered / self.count if self.count else None

    @property
    def risk(self) -> float | None:
        return self.wrong / self.answered if self.answered else None


def summarise(known: Sequence[Known], *, threshold: float) -> Summary:
    answered = [one for one in known if one.is_answered]
    scores = np.array([one.score for one in known], dtype=float)
    right = np.array([one.is_right for one in known], dtype=bool)
    return Summary(
        count=len(known),
        answered=len(answered),
        wrong=sum(not one.is_right for one in answered),
        curve=_curve(scores, right),
        operating=_at(scores, right, threshold) if len(known) else None,
        bins=_bins(scores, right),
        ece=expected_calibration_error(scores, right),
        by_language=_found(known, lambda one: one.language),
        by_category=_found(known, lambda one: one.category),
    )


def percentile(counts: Sequence[tuple[int, int]], share: float) -> int | None:
    """Of values with how often each occurs, the smallest that `share` of them do not exceed (nearest rank)."""
    ordered = sorted(counts)
    rank = share * sum(count for _value, count in ordered)
    seen = 0
    for value, count in ordered:
        seen += count
        if seen >= rank:
            return value
    return None


def _curve(scores: Values, right: Values) -> tuple[CurvePoint, ...]:
    levels = np.unique(scores)[::-1]
    if len(levels) > _MOST_POINTS:
        levels = levels[np.linspace(0, len(levels) - 1, _MOST_POINTS).round().astype(int)]
    return tuple(_at(scores, right, float(level)) for level in levels)


def _at(scores: Values, right: Values, threshold: float) -> CurvePoint:
    shown = scores >= threshold
    return CurvePoint(threshold, int(shown.sum()), int((shown & ~right).sum()), len(scores))


def _bins(scores: Values, right: Values) -> tuple[Bin, ...]:
    """The same equally filled bins as the calibration error is made of."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, min(ECE_BINS, max(len(order), 1))) if len(part)]
    return tuple(
        Bin(
            low=float(scores[part].min()),
            high=float(scores[part].max()),
            mean=float(scores[part].mean()),
            right=float(right[part].mean()),
            count=len(part),
        )
        for part in parts
    )


def _found(known: Sequence[Known], group: Callable[[Known], str]) -> tuple[Found, ...]:
    groups: dict[str, list[int | None]] = {}
    for one in known:
        if one.has_gold:
            groups.setdefault(group(one), []).append(one.rank)
    return tuple(
        Found(
            name=name,
            count=len(ranks),
            hit_1=_share(rank == 1 for rank in ranks),
            hit_5=_share(rank is not None and rank <= 5 for rank in ranks),
            mrr=sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
        )
        for name, ranks in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _share(values: Iterable[bool]) -> float:
    collected = list(values)
    return sum(collected) / len(collected)
