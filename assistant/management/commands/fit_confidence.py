"""Fits the confidence model from the signals that `evaluate --signals-out` wrote."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from assistant.confidence import DEFAULT_FILE
from assistant.evaluation import auroc, expected_calibration_error
from knowledge.embeddings import current_recipe

_MIN_ROWS = 100


# The terms for the threshold that ships; see docs/quality.md.
_MAX_RISK, _MAX_OUTSIDE, _MAX_NEAR_MISS, _HIGH_RISK = 0.05, 0.02, 0.15, 0.02
_OUTSIDE_WEIGHT = (
    0.5  # of the questions that nothing answers, against those of a set; near misses count in full
)
_PLAIN, _HIDDEN, _OUTSIDE = "plain", "hidden", "outside"
# What a set's rows of a kind weigh where its labels name few of several acceptable articles: a question that counts as
# wrongly answered may be answered, and a near miss most of all, because another article answers it as well.
_INCOMPLETE_WEIGHT = {_PLAIN: 0.5, _HIDDEN: 0.25, _OUTSIDE: 1.0}


class Command(BaseCommand):
    help = (
        "Fits the logistic confidence model on files of signals as `measure_sets --signals` writes them, and finds the "
        "lowest threshold at which, when every set is scored by a model that has seen it in neither language, the "
        "risk among the answered, the share of near misses answered (right articles hidden) and the share of off-topic "
        "questions answered stay within their limits. Every set counts the same, whatever its size. Writes "
        "coefficients, threshold and provenance as JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rows", nargs="+", type=Path, help="JSONL files of signals.")
        parser.add_argument("--max-risk", type=float, default=_MAX_RISK, help="Share wrong among answered.")
        parser.add_argument("--max-near-miss", type=float, default=_MAX_NEAR_MISS, help="Share answered.")
        parser.add_argument("--max-outside", type=float, default=_MAX_OUTSIDE, help="Share answered.")
        parser.add_argument("--high-risk", type=float, default=_HIGH_RISK, help="Share wrong at level high.")
        parser.add_argument(
            "--incomplete",
            nargs="*",
            default=[],
            metavar="SET",
            help="Sets whose labels name few of several acceptable articles: they count less in the fit, and "
            "their risk is reported and sets no limit.",
        )
        parser.add_argument("--out", type=Path, default=DEFAULT_FILE, help="Where to write the model.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [row for path in options["rows"] for row in _read(path)]
        if len(rows) < _MIN_ROWS:
            raise CommandError(f"{len(rows)} rows are too few to fit on; at least {_MIN_ROWS} are needed.")
        table = _Table.of(rows, options["incomplete"])
        held_out = np.zeros(len(rows))
        fitted: dict[bool, _Fit] = {}
        for other in np.unique(table.is_other).tolist():
            kind = table.is_other == other
            for folder in np.unique(table.folder[kind]):
                mine, others = kind & (table.folder == folder), kind & (table.folder != folder)
                if not others.any() or table.right[others].all() or not table.right[others].any():
                    # Gold across languages is in one set alone: its figures are in-sample, and said to be so.
                    others = kind
                if table.right[others].all() or not table.right[others].any():
                    raise CommandError(f"{folder}: a fit needs right and wrong answers in the other sets.")
                held_out[mine] = table.fit(others).score(table.matrix[mine])
            fitted[other] = table.fit(kind)
        if False not in fitted:
            raise CommandError("None of the rows was answered in the language of its question.")
        limits = _Limits(options["max_risk"], options["max_near_miss"], options["max_outside"])
        own = ~table.is_other
        threshold = _threshold(table, held_out, own, limits)
        high = max(
            threshold,
            _threshold(table, held_out, own, replace(limits, risk=options["high_risk"])),
        )
        report = {
            name: _figures(table, held_out, table.names == name, threshold, limits.risk)
            for name in np.unique(table.names).tolist()
        }
        recipe = current_recipe()
        counts = Counter(row["set"] for row in rows)
        pairs = own & np.isin(table.kind, [_PLAIN, _HIDDEN])
        complete = pairs & ~np.isin(table.folder, list(table.incomplete))
        overall = {
            **_overall(table, held_out, own, threshold),
            "auroc_with_near_misses": auroc(held_out[pairs], table.right[pairs]),
            "ece_with_near_misses": expected_calibration_error(held_out[pairs], table.right[pairs]),
            "ece_where_labels_are_complete": expected_calibration_error(
                held_out[complete], table.right[complete]
            ),
        }
        model = {
            "features": list(table.features),
            "same_language": fitted[False].as_data(),
            "other_language": fitted[True].as_data() if True in fitted else None,
            "threshold": round(threshold, 4),
            "high": round(high, 4),
            "recipe": recipe.fingerprint,
            "reranker": settings.RERANKER_MODEL,
            "fitted_on": f"{len(counts)} public question sets, {len(rows)} rows, {timezone.now():%Y-%m-%d}",
            "provenance": {
                "method": "L2 logistic regression on standardised signals, sets weighted equally, near misses as much "
                "as their questions, both less where labels are incomplete; threshold and figures from scores of "
                "models that have seen the set in no language",
                "command": f"manage.py fit_confidence --max-risk {limits.risk} --max-near-miss {limits.near_miss} "
                f"--max-outside {limits.outside} --high-risk {options['high_risk']}"
                + (f" --incomplete {' '.join(options['incomplete'])}" if options["incomplete"] else ""),
                "embedder": recipe.embedder,
                "rows": dict(sorted(counts.items())),
                "overall": overall,
                "held_out": report,
            },
        }
        options["out"].write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
        for name, figures in report.items():
            self.stdout.write(f"{name}: {figures}")
        self.stdout.write(f"threshold {threshold:.3f}, high {high:.3f}, {overall} -> {options['out']}")


@dataclass(frozen=True)
class _Limits:
    risk: float
    near_miss: float
    outside: float


@dataclass(frozen=True)
class _Table:
    """Rows of signals as columns."""

    features: tuple[str, ...]
    matrix: Any  # (rows, features)
    right: Any  # (rows,) whether the first article is a right one
    folder: Any  # (rows,) the set, in whichever language
    names: Any  # (rows,) set, languages and kind, for people
    kind: Any  # (rows,) plain, hidden or outside
    is_other: Any  # (rows,) whether the article is in another language than the question
    incomplete: frozenset[str]  # sets

    @classmethod
    def of(cls, rows: list[dict[str, Any]], incomplete: list[str]) -> "_Table":
        features = tuple(sorted(rows[0]["signals"]))
        return cls(
            features=features,
            matrix=np.array([[row["signals"][name] for name in features] for row in rows]),
            right=np.array([bool(row["right"]) for row in rows]),
            folder=np.array([row["set"] for row in rows]),
            names=np.array([f"{_set_name(row)} {row.get('kind', _PLAIN)}" for row in rows]),
            kind=np.array([_kind(row) for row in rows]),
            is_other=np.array([row["article_language"] != row["language"] for row in rows]),
            incomplete=frozenset(incomplete),
        )

    def fit(self, chosen: Any) -> "_Fit":
        weights = np.zeros(len(self.right))
        # Across languages only one set has answers, and whoever asks there has found nothing in the own language.
        outside = 1.0 if self.is_other[chosen].all() else _OUTSIDE_WEIGHT
        for folder in np.unique(self.folder[chosen]):
            for kind, share in ((_PLAIN, 1.0), (_HIDDEN, 1.0), (_OUTSIDE, outside)):
                members = chosen & (self.folder == folder) & (self.kind == kind)
                if folder in self.incomplete:
                    share *= _INCOMPLETE_WEIGHT[kind]
                if members.any():
                    weights[members] = share / members.sum()
        weights *= chosen.sum() / weights.sum()
        return _Fit(self.matrix[chosen], self.right[chosen], weights[chosen])


def _kind(row: dict[str, Any]) -> str:
    if _HIDDEN in row.get("kind", ""):
        return _HIDDEN
    return _PLAIN if row["answerable"] else _OUTSIDE


def _threshold(table: _Table, scores: Any, own: Any, limits: _Limits) -> float:
    """The lowest score from which on all three shares stay within their limits, each a mean over sets."""
    for threshold in np.unique(np.round(scores[own], 3)):
        figures = _overall(table, scores, own, float(threshold))
        if (
            figures["risk"] <= limits.risk
            and figures["near_misses_answered"] <= limits.near_miss
            and figures["outside_answered"] <= limits.outside
        ):
            return float(threshold)
    raise CommandError(f"No threshold keeps within {limits}; more or better labels are needed.")


def _overall(table: _Table, scores: Any, own: Any, threshold: float) -> dict[str, float]:
    """Means over sets and languages, within a language; risk of those whose labels are complete."""
    answered = scores >= threshold
    means: dict[str, list[float]] = {"risk": [], "near_misses": [], "outside": [], "coverage": []}
    for name in np.unique(table.names[own]):
        members = own & (table.names == name)
        kind = table.kind[members][0]
        if kind == _PLAIN:
            means["coverage"].append(float(answered[members].mean()))
            if table.folder[members][0] not in table.incomplete:
                taken = members & answered
                means["risk"].append(float((~table.right[taken]).mean()) if taken.any() else 0.0)
        else:
            means["near_misses" if kind == _HIDDEN else "outside"].append(float(answered[members].mean()))
    return {
        "coverage": _mean(means["coverage"]),
        "risk": _mean(means["risk"]),
        "near_misses_answered": _mean(means["near_misses"]),
        "outside_answered": _mean(means["outside"]),
    }


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def _figures(
    table: _Table, scores: Any, members: Any, threshold: float, max_risk: float
) -> dict[str, float | int | None]:
    answered = scores[members] >= threshold
    right = table.right[members]
    # With its near misses: the same set's rows with the right articles hidden.
    base = str(table.names[members][0]).removesuffix(" across")
    twin = members | np.isin(table.names, [f"{base} {_HIDDEN}", f"{base} {_HIDDEN} across"])
    return {
        "rows": int(members.sum()),
        "answered": round(float(answered.mean()), 4),
        "risk": round(float((~right)[answered].mean()), 4) if answered.any() else None,
        "coverage_at_max_risk": _coverage_at(scores[members], right, max_risk),
        "auroc_with_near_misses": auroc(scores[twin], table.right[twin]),
        "ece_with_near_misses": expected_calibration_error(scores[twin], table.right[twin]),
    }


def _coverage_at(scores: Any, right: Any, max_risk: float) -> float:
    """The most that a threshold of the set's own could answer with at most `max_risk` wrong; 0..1."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1) + 1  # equal scores go together
    wrong = np.cumsum(~right[order])[ends - 1]
    return round(float(ends[wrong <= max_risk * ends].max(initial=0)) / len(order), 4)


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


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values]
