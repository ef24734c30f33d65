"""Does one text follow from another, or contradict it? By a cross-encoder for that, which `GROUNDING_MODEL` names.

Promise: off where none is named; within the time given or not at all, and whoever asks is told which of the two it was.
What the model calls its values is read from its own configuration, in whatever order: of a model whose labels say
nothing no guess is made. A text in a language that the model does not read (`GROUNDING_LANGUAGES`) is not put to it.

Refuses to decide from which probability on something counts, and what is done then.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.conf import settings

from knowledge.background import do_visitors_wait
from knowledge.embeddings.cross_encoder import (
    CrossEncoder,
    CrossEncoderUnavailable,
    ModelState,
    Shelf,
    configured_labels,
    place_of,
)

SETTING: Final = "GROUNDING_MODEL"
_LONG: Final = 3_600.0  # seconds, for whom nobody waits


@dataclass(frozen=True)
class Pair:
    premise: str
    hypothesis: str
    languages: frozenset[str]  # of both


@dataclass(frozen=True)
class Inference:
    entailment: float  # 0..1, that the hypothesis follows from the premise
    contradiction: float | None  # 0..1; None: the model does not tell it from what merely does not follow


class Heard(StrEnum):
    """What became of the pairs that were put to the model."""

    OFF = "off"
    ALL = "all"
    SOME = "some"  # the time was not enough for the others, or they are in languages that it does not read
    NONE = "none"


@dataclass(frozen=True)
class Reading:
    model: str  # value of GROUNDING_MODEL; empty: off
    heard: Heard
    inferences: tuple[Inference | None, ...]  # one a pair


@dataclass(frozen=True)
class Labels:
    """Which of a model's values is which."""

    entailment: int
    contradiction: int | None


_WORDS: Final = {
    "entailment": "entailment entails entailed entail supported supports support",
    "contradiction": "contradiction contradicts contradictory contradicted contradict refuted refutes",
    "neutral": "neutral neither unknown undetermined unrelated",
    "other": "notentailment nonentailment notentailed notentails unsupported notsupported",
}
_MEANS: Final = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_KINDS: Final = ({"entailment", "neutral", "contradiction"}, {"entailment", "other"})


def labels_of(id2label: Mapping[int, str] | None) -> Labels:
    """Raises CrossEncoderUnavailable, with what was found and what is allowed."""
    said = dict(id2label or {})
    kinds = {place: _MEANS.get(re.sub(r"[^a-z]", "", label.casefold())) for place, label in said.items()}
    places = {kind: place for place, kind in kinds.items() if kind is not None}
    if set(places) not in _KINDS or len(places) != len(said):
        shown = ", ".join(f"{place}: {label!r}" for place, label in sorted(said.items())) or "none"
        raise CrossEncoderUnavailable(
            f"{SETTING}={settings.GROUNDING_MODEL!r} has the labels {shown}. Allowed: a model for natural language "
            "inference whose config.json names them in id2label, either entailment, neutral and contradiction or "
            "entailment and not_entailment, in any order. A model with one value a pair belongs to RERANKER_MODEL."
        )
    return Labels(places["entailment"], places.get("contradiction"))


def check_model(name: str) -> None:
    """What can be told of a value of GROUNDING_MODEL without loading it. Raises CrossEncoderUnavailable."""
    folder = place_of(SETTING, name)
    labels = configured_labels(folder) if folder is not None else None
    if labels is not None:
        labels_of(labels)


def infer(pairs: Sequence[Pair], *, seconds: float | None) -> Reading:
    """`seconds` for all of them, where visitors wait that for the model to be loaded included; None: as long as it
    takes."""
    name = shelf.name
    nothing: tuple[Inference | None, ...] = (None,) * len(pairs)
    if not name:
        return Reading("", Heard.OFF, nothing)
    readable = [at for at, pair in enumerate(pairs) if pair.languages <= set(settings.GROUNDING_LANGUAGES)]
    if not readable:
        return Reading(name, Heard.NONE if pairs else Heard.ALL, nothing)
    began_at = time.monotonic()
    model = shelf.model(_LONG if seconds is None else seconds)
    if model is None:
        return Reading(name, Heard.NONE, nothing)
    labels = labels_of(model.labels)
    waited = (
        time.monotonic() - began_at if do_visitors_wait() else 0.0
    )  # elsewhere a model is loaded to its end
    left = None if seconds is None else seconds - waited
    values = model.values([(pairs[at].premise, pairs[at].hypothesis) for at in readable], seconds=left)
    found = list(nothing)
    for at, logits in zip(readable, values, strict=False):  # fewer where the time was over
        found[at] = _inference(logits, labels)
    heard = Heard.NONE if not values else Heard.ALL if len(values) == len(pairs) else Heard.SOME
    return Reading(name, heard, tuple(found))


def tells_contradictions() -> bool:
    """Whether a model is set that may tell them; what a model on a hub tells is known once it is loaded."""
    if not shelf.name:
        return False
    folder = place_of(SETTING, shelf.name)
    labels = configured_labels(folder) if folder is not None else None
    return labels is None or labels_of(labels).contradiction is not None


def state() -> ModelState:
    """Loads nothing."""
    return shelf.state()


def _inference(logits: Sequence[float], labels: Labels) -> Inference:
    largest = max(logits)
    weights = [math.exp(value - largest) for value in logits]
    shares = [weight / sum(weights) for weight in weights]
    return Inference(
        shares[labels.entailment], None if labels.contradiction is None else shares[labels.contradiction]
    )


def _has_known_labels(model: CrossEncoder) -> None:
    labels_of(model.labels)
    if len(model.labels) != model.values_a_pair:
        raise CrossEncoderUnavailable(
            f"{SETTING}={settings.GROUNDING_MODEL!r} names {len(model.labels)} labels and gives {model.values_a_pair} "
            "values a pair. Allowed: as many of one as of the other."
        )


shelf = Shelf(SETTING, "The grounding model", suits=_has_known_labels)
