"""Which calibration is in force: one row of the database, read for every question, so that all processes agree.

A row counts only beside the recipe, the answer writer and the confidence model that it was found with; beside
others the model's own threshold is in force, and whoever asks is told why.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from assistant.confidence import OF_SITE, ConfidenceModel, Rescale, SiteCalibration, model_in_use
from assistant.measured import Calibration, CalibrationState
from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable, current_recipe


class NotToBePutInForce(Exception):
    """It was found with another recipe, writer or model, or promises nothing. A new calibration helps."""


@dataclass(frozen=True)
class Binding:
    """What a calibration was found with, and holds for."""

    recipe: str
    writer: str
    model: str  # fingerprint

    @classmethod
    def now(cls) -> "Binding":
        generation = generations.live()
        return cls(
            recipe=generation.recipe if generation is not None else _recipe_of_settings(),
            writer=settings.ANSWER_WRITER,
            model=model_in_use().fingerprint,
        )

    @classmethod
    def of(cls, calibration: Calibration) -> "Binding":
        return cls(calibration.recipe, calibration.writer, calibration.model)

    def differences(self, other: "Binding") -> list[str]:
        """Names of the fields that differ."""
        return [name for name in ("recipe", "writer", "model") if getattr(self, name) != getattr(other, name)]


@dataclass(frozen=True)
class Standing:
    """What decides at the moment whether a question is answered."""

    model: ConfidenceModel
    live: Calibration | None  # put in force by somebody, whether it fits or not
    differences: tuple[str, ...]  # recipe, writer, model: where the live one does not fit
    is_for_this_recipe: bool  # the model that ships its own threshold

    @property
    def is_site(self) -> bool:
        """Calibrated on this site's labels; otherwise the model's own threshold is in force."""
        return self.live is not None and not self.differences

    @property
    def threshold(self) -> float:
        """0..1, on the scale that is shown."""
        if not self.is_site or self.live is None or self.live.threshold is None:
            return self.model.threshold
        rescale = rescale_of(self.live)
        return self.live.threshold if rescale is None else rescale.apply(self.live.threshold)

    @property
    def raw_threshold(self) -> float:
        """0..1, on the model's own scale."""
        if not self.is_site or self.live is None or self.live.threshold is None:
            return self.model.threshold
        return self.live.threshold


def in_force() -> SiteCalibration | None:
    """The one that somebody put in force, where the writer is still the same; the rest `assess` compares."""
    row = Calibration.objects.filter(state=CalibrationState.LIVE).defer("report").first()
    if row is None or row.threshold is None or row.writer != settings.ANSWER_WRITER:
        return None
    return SiteCalibration(
        threshold=row.threshold,
        rescale=rescale_of(row),
        recipe=row.recipe,
        model=row.model,
        name=name_of(row),
    )


def standing() -> Standing:
    model = model_in_use()
    live = Calibration.objects.filter(state=CalibrationState.LIVE).first()
    now = Binding.now()
    return Standing(
        model=model,
        live=live,
        differences=tuple(Binding.of(live).differences(now)) if live is not None else (),
        is_for_this_recipe=model.fits(now.recipe),
    )


def put_in_force(calibration: Calibration) -> None:
    """From the next question on, in every process. Raises NotToBePutInForce."""
    if calibration.threshold is None or Binding.of(calibration).differences(Binding.now()):
        raise NotToBePutInForce
    allowed = [CalibrationState.PROPOSED, CalibrationState.RETIRED]
    try:
        with transaction.atomic():
            retire()
            changed = Calibration.objects.filter(pk=calibration.pk, state__in=allowed).update(
                state=CalibrationState.LIVE, live_at=timezone.now()
            )
            if not changed:
                raise NotToBePutInForce
    except IntegrityError as error:  # somebody else has put another one in force in this moment
        raise NotToBePutInForce from error
    calibration.refresh_from_db()


def retire() -> bool:
    """Back to the model's own threshold. False where it is in force already."""
    return bool(
        Calibration.objects.filter(state=CalibrationState.LIVE).update(state=CalibrationState.RETIRED)
    )


def rescale_of(row: Calibration) -> Rescale | None:
    if row.slope is None or row.intercept is None:
        return None
    return Rescale(slope=row.slope, intercept=row.intercept)


def name_of(row: Calibration) -> str:
    """Stored with each question that it decides."""
    day = timezone.localtime(row.live_at or row.created_at)
    return (
        f"{OF_SITE}{row.pk} {row.source}: at most {row.max_risk:.0%} wrong with {row.confidence:.0%} certainty, "
        f"{row.answered} of {row.labelled} labelled questions answered, {day:%Y-%m-%d}"
    )[:200]


def _recipe_of_settings() -> str:
    """Of the index that the first article will make."""
    try:
        return current_recipe().fingerprint
    except EmbedderUnavailable:
        return ""


def binding_fields(binding: Binding) -> dict[str, Any]:
    return {"recipe": binding.recipe, "writer": binding.writer, "model": binding.model}
