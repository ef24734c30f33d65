"""How probable it is that an answer from these passages is right.

A logistic model over the signals of `assistant.signals`. Its coefficients, threshold and levels are data
(`confidence_default.json`, or the file named by CONFIDENCE_FILE), fitted by `manage.py fit_confidence` on
labelled questions and bound to the recipe they were fitted with: under another model or chunker the score is
shown as not calibrated. Does not decide what happens below the threshold.

Articles in another language than the question's have coefficients of their own: there a word in common means a
name, and having none means nothing.

A site that has calibrated itself (`assistant.calibration`) has a threshold of its own, and where its labels say so
another scale for the same score. It counts only beside the recipe and the model that it was found with.
"""

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from assistant.models import ConfidenceLevel
from assistant.signals import compute_signals
from assistant.writers import is_generating
from knowledge.retrieval import Retrieval

DEFAULT_FILE = Path(__file__).with_name("confidence_default.json")
# How the names of calibrations begin that a site has made itself: its rows, and the file that it set.
OF_SITE, OPERATORS = "#", "operator’s file"


@dataclass(frozen=True)
class Rescale:
    """A rising function of the score: Platt's, on its log-odds."""

    slope: float  # > 0
    intercept: float

    def apply(self, score: float) -> float:
        clipped = min(max(score, 1e-6), 1 - 1e-6)
        odds = self.slope * math.log(clipped / (1 - clipped)) + self.intercept
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


@dataclass(frozen=True)
class SiteCalibration:
    """The calibration that a site has put in force."""

    threshold: float  # 0..1, on the model's own scale
    rescale: Rescale | None
    recipe: str
    model: str  # fingerprint
    name: str  # for people


@dataclass(frozen=True)
class Confidence:
    score: float  # 0..1, estimated probability that an answer from these passages is correct
    threshold: float  # 0..1
    level: ConfidenceLevel
    signals: dict[str, float]
    calibration: str  # where the coefficients come from, for people
    calibrated: bool  # False: fitted for another recipe than the one in use
    raw: float = 0.0  # 0..1, the score on the model's own scale, which a calibration starts from

    @property
    def is_sufficient(self) -> bool:
        return self.score >= self.threshold


@dataclass(frozen=True)
class Regression:
    """A fitted logistic regression on standardised signals; one value a feature."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float

    def parts(self, values: Sequence[float]) -> list[float]:
        """What each value adds to the log-odds, the intercept apart."""
        return [
            weight * (value - mean) / scale
            for value, mean, scale, weight in zip(
                values, self.mean, self.scale, self.coefficients, strict=True
            )
        ]

    def probability(self, values: Sequence[float]) -> float:
        total = self.intercept
        for part in self.parts(values):
            total += part
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@dataclass(frozen=True)
class ConfidenceModel:
    """What `fit_confidence` writes."""

    features: tuple[str, ...]
    same_language: Regression
    other_language: Regression  # the same one where nothing across languages was fitted
    threshold: float  # 0..1, below it nothing is answered
    high: float  # 0..1, from here on the level is high
    recipe: str  # fingerprint it was fitted with
    reranker: str  # value of RERANKER_MODEL it was fitted with
    fitted_on: str  # sets, sizes and date, for people
    provenance: dict[str, Any]
    fingerprint: str  # of the file and, where there is one, of the reranker beside it
    is_own: bool  # CONFIDENCE_FILE names it; otherwise it is the shipped one

    @property
    def name(self) -> str:
        """Of the threshold that comes with the model. The shipped one has seen no question of the site."""
        return f"{OPERATORS if self.is_own else 'development sets'}: {self.fitted_on}"

    def fits(self, recipe: str) -> bool:
        """Whether it was fitted on what is retrieved now."""
        return (self.recipe, self.reranker) == (recipe, settings.RERANKER_MODEL)

    def regression(self, *, is_other_language: bool) -> Regression:
        return self.other_language if is_other_language else self.same_language

    def score(self, signals: dict[str, float], *, is_other_language: bool) -> float:
        regression = self.regression(is_other_language=is_other_language)
        return regression.probability([signals[name] for name in self.features])


def is_of_site(calibration: str) -> bool:
    """Whether the name of a calibration, as questions keep it, is that of one found on the site's own questions."""
    return calibration.startswith((OF_SITE, OPERATORS))


def assess(retrieval: Retrieval, site: SiteCalibration | None = None) -> Confidence:
    model = model_in_use()
    signals = {name: float(value) for name, value in asdict(compute_signals(retrieval)).items()}
    is_other = retrieval.article_language != retrieval.question_language
    raw = model.score(signals, is_other_language=is_other) if retrieval.passages else 0.0
    threshold, high, name = model.threshold, model.high, model.name
    # The shipped model was fitted on quotes: what a language model makes of the same passages it has not seen.
    score, calibrated = raw, model.fits(retrieval.recipe) and not is_generating()
    if site is not None and (site.recipe, site.model) == (retrieval.recipe, model.fingerprint):
        threshold, high, name, calibrated = site.threshold, max(model.high, site.threshold), site.name, True
        if site.rescale is not None and retrieval.passages:
            score, threshold, high = (site.rescale.apply(value) for value in (raw, threshold, high))
    level = ConfidenceLevel.LOW
    if score >= threshold:
        level = ConfidenceLevel.HIGH if score >= high else ConfidenceLevel.MEDIUM
    return Confidence(
        score=score,
        threshold=threshold,
        level=level,
        signals=signals,
        calibration=name,
        calibrated=calibrated,
        raw=raw,
    )


def model_in_use() -> ConfidenceModel:
    """Under another order of the passages it is another one: a calibration holds for what it was found with."""
    model = load_model(settings.CONFIDENCE_FILE)
    if not settings.RERANKER_MODEL:
        return model
    beside = f"{model.fingerprint}|{settings.RERANKER_MODEL}"
    return replace(model, fingerprint=hashlib.sha256(beside.encode()).hexdigest())


@functools.cache
def load_model(path: str) -> ConfidenceModel:
    """The model in `path`, or the shipped one where it is empty. Raises ImproperlyConfigured."""
    file = Path(path) if path else DEFAULT_FILE
    try:
        content = file.read_bytes()
        raw = json.loads(content)
        model = ConfidenceModel(
            features=tuple(raw["features"]),
            same_language=_regression(raw["same_language"]),
            other_language=_regression(raw["other_language"] or raw["same_language"]),
            threshold=raw["threshold"],
            high=raw["high"],
            recipe=raw["recipe"],
            reranker=raw.get("reranker", ""),
            fitted_on=raw["fitted_on"],
            provenance=raw["provenance"],
            fingerprint=hashlib.sha256(content).hexdigest(),
            is_own=bool(path),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImproperlyConfigured(
            f"CONFIDENCE_FILE: {file} is no confidence model ({error!r}). Allowed: a file written by "
            "`manage.py fit_confidence`."
        ) from error
    if not 0 <= model.threshold <= 1:
        raise ImproperlyConfigured(
            f"CONFIDENCE_FILE: {file} has threshold {model.threshold}, allowed is 0..1."
        )
    return model


def _regression(raw: dict[str, Any]) -> Regression:
    return Regression(tuple(raw["mean"]), tuple(raw["scale"]), tuple(raw["coefficients"]), raw["intercept"])
