"""The one place that talks to MAPIE."""

import warnings
from collections.abc import Sequence

import numpy as np
from mapie.risk_control import BinaryClassificationController, BinaryRisk
from mapie.risk_control.fwer_control import FWERProcedure
from numpy.typing import NDArray

from assistant.calibration.promise import TrialTable, choose, is_wrong


def lowest_threshold(
    table: TrialTable,
    grid: NDArray[np.float64],
    starts: Sequence[int],
    *,
    max_risk: float,
    confidence: float,
) -> float | None:
    """The one of `grid` (falling) that answers most while every test from one of `starts` (places in it) down to it
    holds; None where the first of each fails.

    Of several with the same answers it is the highest: below them nothing was seen.
    """
    controller = BinaryClassificationController(
        predict_function=choose,
        risk=BinaryRisk(is_wrong, _is_answer, higher_is_better=False),
        target_level=max_risk,
        confidence_level=confidence,
        best_predict_param_choice=BinaryRisk(_is_answer, _always, higher_is_better=True),
        list_predict_params=grid[:, np.newaxis],
        fwer_method=_TopDown(starts),
    )
    with warnings.catch_warnings():  # it warns where all or none of the thresholds hold: the caller says so
        warnings.simplefilter("ignore", UserWarning)
        controller.calibrate(table.features, table.right)
    best = controller.best_predict_param
    return None if best is None else float(best[0])


class _TopDown(FWERProcedure):  # type: ignore[misc]  # MAPIE has no types
    """Fixed sequence testing in the order of the grid, from one place or several that share the level equally.

    From each place tests go on until the first failure. MAPIE's own turns the order round where the observed risks
    suggest it; an order that looks at the labels is no fixed one.
    """

    def __init__(self, starts: Sequence[int]) -> None:
        self._starts = tuple(starts)

    def _init_state(self, n_lambdas: int, delta: float) -> None:
        self._heads, self._count, self._level = list(self._starts), n_lambdas, delta / len(self._starts)

    def _select_next_hypothesis(self, p_values: NDArray[np.float64]) -> int | None:
        while self._heads:
            if self._heads[0] < self._count and p_values[self._heads[0]] <= self._level:
                return self._heads[0]
            self._heads.pop(0)
        return None

    def _local_significance_levels(self) -> NDArray[np.float64]:
        return np.full(self._count, self._level)

    def _update_on_reject(self, hypothesis_index: int) -> None:
        self._heads[0] = hypothesis_index + 1


# To MAPIE, which knows two classes and "no prediction", a prediction is the number of the candidate that is shown.


def _is_answer(right: NDArray[np.int_], chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
    return ~np.isnan(chosen)


def _always(right: NDArray[np.int_], chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.ones(len(right), dtype=bool)
