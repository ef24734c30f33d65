"""Fits the confidence model from the signals that `evaluate --signals-out` wrote."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from assistant.confidence import DEFAULT_FILE
from assistant.evaluation import auroc, expected_calibration_error
from knowledge.embeddings import current_recipe

_MIN_ROWS = 100


class Command(BaseCommand):
    help = (
        "Fits the logistic confidence model on signal files written by `evaluate --signals-out`, one or more per "
        "labelled set (run each set plainly and with --hide-gold, and with --articles other what is to be answered "
        "in another language: that gets coefficients of its own). Every set counts the same, whatever its size. "
        "The threshold is the lowest at which the risk among the answered stays within --max-risk when every set "
        "is scored by a model that has not seen it. Writes coefficients, threshold and provenance as JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rows", nargs="+", type=Path, help="JSONL files of signals.")
        parser.add_argument("--max-risk", type=float, default=0.25, help="Share wrong among answered (0.25).")
        parser.add_argument("--high-risk", type=float, default=0.1, help="The same for the level high (0.1).")
        parser.add_argument("--out", type=Path, default=DEFAULT_FILE, help="Where to write the model.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [row for path in options["rows"] for row in _read(path)]
        if len(rows) < _MIN_ROWS:
            raise CommandError(f"{len(rows)} rows are too few to fit on; at least {_MIN_ROWS} are needed.")
        features = sorted(rows[0]["signals"])
        matrix = np.array([[row["signals"][name] for name in features] for row in rows])
        right = np.array([bool(row["right"]) for row in rows])
        sets = np.array([_set_name(row) for row in rows])
        weights = _equal_weights(sets)
        is_other = np.array([row["article_language"] != row["language"] for row in rows])

        held_out = np.zeros(len(rows))
        fitted: dict[bool, _Fit] = {}
        for other in np.unique(is_other).tolist():
            kind = is_other == other
            for name in np.unique(sets[kind]):
                mine, others = sets == name, kind & (sets != name)
                if not others.any():
                    raise CommandError(f"{name} is the only set of its kind; a fit needs at least two.")
                held_out[mine] = _Fit(matrix[others], right[others], _equal_weights(sets[others])).score(
                    matrix[mine]
                )
            fitted[other] = _Fit(matrix[kind], right[kind], weights[kind])
        if False not in fitted:
            raise CommandError("None of the rows was answered in the language of its question.")
        threshold = _threshold(held_out, right, weights, options["max_risk"])
        high = max(threshold, _threshold(held_out, right, weights, options["high_risk"]))
        report = {
            name: {
                "rows": int((sets == name).sum()),
                "auroc": auroc(held_out[sets == name], right[sets == name]),
                "ece": expected_calibration_error(held_out[sets == name], right[sets == name]),
                **_answering(held_out[sets == name], right[sets == name], threshold),
            }
            for name in np.unique(sets).tolist()
        }
        recipe = current_recipe()
        counts = Counter(row["set"] for row in rows)
        model = {
            "features": features,
            "same_language": fitted[False].as_data(),
            "other_language": fitted[True].as_data() if True in fitted else None,
            "threshold": round(threshold, 4),
            "high": round(high, 4),
            "recipe": recipe.fingerprint,
            "fitted_on": f"{len(counts)} public question sets, {len(rows)} rows, {timezone.now():%Y-%m-%d}",
            "provenance": {
                "method": "L2 logistic regression on standardised signals, sets weighted equally; threshold and "
                "figures from leave-one-set-out scores",
                "command": f"manage.py fit_confidence --max-risk {options['max_risk']} --high-risk "
                f"{options['high_risk']}",
                "embedder": recipe.embedder,
                "rows": dict(sorted(counts.items())),
                "max_risk": options["max_risk"],
                "held_out": report,
            },
        }
        options["out"].write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
        for name, figures in report.items():
            self.stdout.write(f"{name}: {figures}")
        pooled = _answering(held_out, right, threshold)
        self.stdout.write(
            f"threshold {threshold:.3f}, high {high:.3f}, pooled {pooled}, AUROC {auroc(held_out, right)}, "
            f"ECE {expected_calibration_error(held_out, right)} -> {options['out']}"
        )


class _Fit:
    """A logistic regression on standardised columns."""

    def __init__(self, matrix: Any, right: Any, weights: Any) -> None:
        from sklearn.linear_model import LogisticRegression

        self.mean = np.average(matrix, axis=0, weights=weights)
        spread = np.sqrt(np.average((matrix - self.mean) ** 2, axis=0, weights=weights))
        self.scale = np.where(spread > 0, spread, 1.0)
        regression = LogisticRegression(C=1.0, max_iter=1000)
        regression.fit((matrix - self.mean) / self.scale, right, sample_weight=weights)
        self.coefficients = regression.coef_[0]
        self.intercept = float(regression.intercept_[0])

    def as_data(self) -> dict[str, Any]:
        return {
            "mean": _rounded(self.mean),
            "scale": _rounded(self.scale),
            "coefficients": _rounded(self.coefficients),
            "intercept": round(self.intercept, 6),
        }

    def score(self, matrix: Any) -> Any:
        return 1 / (1 + np.exp(-(((matrix - self.mean) / self.scale) @ self.coefficients + self.intercept)))


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if all(row["signals"] and isinstance(row["right"], bool) and _set_name(row) for row in rows):
            return rows
        raise ValueError("a row without signals or label")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{path}: no file of signals as `evaluate --signals-out` writes it ({error})."
        ) from error


def _set_name(row: dict[str, Any]) -> str:
    if row["article_language"] == row["language"]:
        return f"{row['set']}/{row['language']}"
    return f"{row['set']}/{row['language']} in {row['article_language']}"


def _equal_weights(sets: Any) -> Any:
    """Row weights under which every set weighs the same; their mean is 1."""
    names, inverse, counts = np.unique(sets, return_inverse=True, return_counts=True)
    return len(sets) / (len(names) * counts[inverse])


def _threshold(scores: Any, right: Any, weights: Any, max_risk: float) -> float:
    """The lowest score from which on the weighted share wrong among the answered stays within `max_risk`."""
    order = np.argsort(-scores, kind="stable")
    wrong = np.cumsum((weights * ~right)[order]) / np.cumsum(weights[order])
    within = np.flatnonzero(wrong <= max_risk)
    if len(within) == 0:
        raise CommandError(
            f"No threshold keeps the risk within {max_risk}; more or better labels are needed."
        )
    return float(scores[order][within[-1]])


def _answering(scores: Any, right: Any, threshold: float) -> dict[str, float | None]:
    answered = scores >= threshold
    return {
        "coverage": round(float(answered.mean()), 4),
        "coverage_of_right": round(float(answered[right].mean()), 4) if right.any() else None,
        "risk": round(float((~right)[answered].mean()), 4) if answered.any() else None,
    }


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values]
