"""Lets a cross-encoder put the first passages in its order, where RERANKER_MODEL names one.

Promise: without a model, or when it does not answer in time, the order is what it was. The places keep their ranking
values: what is first keeps the first one's value, so that values go on falling and margins stay what they were between
places. Refuses to decide how sure an answer is: under another order the confidence counts as not calibrated.
"""

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from knowledge.embeddings.cross_encoder import CrossEncoder, CrossEncoderUnavailable, Shelf
from knowledge.ranking import Order, Placed

FIRST = 10  # places that are put in order anew; reading a pair costs what embedding a passage does


def reranked(found: Order, text_of: Callable[[int], str]) -> tuple[Placed, ...]:
    """`text_of` gives what is read of a passage, by its id; asked only where a model reads it."""
    first, rest = found.placed[:FIRST], found.placed[FIRST:]
    model = shelf.model(settings.RERANKER_SECONDS) if first else None
    if model is None:
        return found.placed
    pairs = [(found.reading.text, text_of(one.candidate.passage_id)) for one in first]
    values = model.values(pairs, seconds=settings.RERANKER_SECONDS)
    if len(values) != len(pairs):  # not all of them were read in time
        return found.placed
    places = sorted(range(len(first)), key=lambda place: (-values[place][0], place))
    again = (replace(first[place], fused=held.fused) for place, held in zip(places, first, strict=True))
    return (*again, *rest)


def _gives_one_value(model: CrossEncoder) -> None:
    if model.values_a_pair != 1:
        raise CrossEncoderUnavailable(
            f"RERANKER_MODEL={settings.RERANKER_MODEL!r} gives {model.values_a_pair} values a pair. Allowed: a "
            "cross-encoder with one."
        )


shelf = Shelf("RERANKER_MODEL", "The reranker", suits=_gives_one_value)
