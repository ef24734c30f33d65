"""The one place that talks to MAPIE."""

import warnings

import numpy as np
from mapie.risk_control import BinaryClassificationController, BinaryRisk
from mapie.risk_control.fwer_control import FWERProcedure
from numpy.typing import NDArray

from assistant.calibration.promise import TrialTable, choose, is_wrong


def lowest_threshold(
    table: TrialTable, grid: NDArray[np.float64], *, max_risk: float, confidence: float
) -> float | None:
    """The one of `grid` (falling) that answers most while every test down to it holds; None where the first fails.

    Of several with the same answers it is the highest: below them nothing was seen.
    """
    controller = BinaryClassificationController(
        predict_function=choose,
        risk=BinaryRisk(is_wrong, _is_answer, higher_is_better=False),
        target_level=max_risk,
        confidence_level=confidence,
        best_predict_param_choice=BinaryRisk(_is_answer, _always, higher_is_better=True),
        list_predict_params=grid[:, np.newaxis],
        fwer_method=_TopDown(),
    )
    with warnings.catch_warnings():  # it warns where all or none of the thresholds hold: the caller says so
        warnings.simplefilter("ignore", UserWarning)
        controller.calibrate(table.features, table.right)
    best = controller.best_predict_param
    return None if best is None else float(best[0])


class _TopDown(FWERProcedure):  # type: ignore[misc]  # MAPIE has no types
    """Fixed sequence testing in the order of the grid: each test at the full level, the first failure ends it.

    MAPIE's own turns the order round where the observed risks suggest it; an order that looks at the labels is no
    fixed one.
    """

    def _init_state(self, n_lambdas: int, delta: float) -> None:
        self._next, self._count, self._delta = 0, n_lambdas, delta

    def _select_next_hypothesis(self, p_values: NDArray[np.float64]) -> int | None:
        return self._next if self._next < self._count else None

    def _local_significance_levels(self) -> NDArray[np.float64]:
        return np.full(self._count, self._delta)

    def _update_on_reject(self, hypothesis_index: int) -> None:
        self._next = hypothesis_index + 1


# To MAPIE, which knows two classes and "no prediction", a prediction is the number of the candidate that is shown.


def _is_answer(right: NDArray[np.int_], chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
    return ~np.isnan(chosen)


def _always(right: NDArray[np.int_], chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.ones(len(right), dtype=bool)
