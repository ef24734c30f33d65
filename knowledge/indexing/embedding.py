"""Vectors of planned passages: looked up where the same text was embedded before, computed where not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from knowledge.generations import embedder_of
from knowledge.indexing.planning import Plan, PlannedPassage
from knowledge.models import Generation, Passage
from knowledge.units import rows_to_int8

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEXTS_IN_A_CALL = 16  # a customer's question waits for one call at most
_HASHES_IN_A_QUERY = 500


@dataclass(frozen=True)
class PassageVectors:
    """Float32, little endian, unit length."""

    text: bytes
    heading: bytes  # of title and heading path alone
    units: bytes  # int8, row by row, of the text's units; not of unit length, only their directions count


def stored_vectors(hashes: Sequence[str], generation: Generation) -> dict[str, PassageVectors]:
    """By content hash, whichever article they were computed for, and under whichever chunker."""
    recipes = {generation.recipe}
    if generation.space:
        recipes.update(Generation.objects.filter(space=generation.space).values_list("recipe", flat=True))
    vectors: dict[str, PassageVectors] = {}
    for start in range(0, len(hashes), _HASHES_IN_A_QUERY):
        rows = Passage.objects.filter(
            recipe__in=recipes, content_hash__in=hashes[start : start + _HASHES_IN_A_QUERY]
        )
        for found, *stored in rows.values_list("content_hash", "vector", "heading_vector", "unit_vectors"):
            vectors[found] = PassageVectors(*(bytes(one) for one in stored))
    return vectors


def embed(passages: Sequence[PlannedPassage], generation: Generation) -> dict[str, PassageVectors]:
    """By content hash. Raises EmbedderUnavailable, and RuntimeError where the model fails on a text."""
    embedder = embedder_of(generation)
    headings: dict[tuple[str, str], bytes] = {}
    for language, texts in _batches({(passage.language, passage.heading) for passage in passages}):
        for text, row in zip(texts, embedder.encode_passages(texts, language=language), strict=True):
            headings[language, text] = _float32(row)
    units = {(passage.language, passage.embedded): passage.units for passage in passages}
    bodies: dict[tuple[str, str], tuple[bytes, bytes]] = {}
    for language, texts in _batches(units.keys()):
        vectors, parts = embedder.encode_with_parts(
            texts, [units[language, text] for text in texts], language=language
        )
        for text, row, of_units in zip(texts, vectors, parts, strict=True):
            bodies[language, text] = _float32(row), rows_to_int8(of_units)
    return {
        passage.content_hash: PassageVectors(
            text=bodies[passage.language, passage.embedded][0],
            heading=headings[passage.language, passage.heading],
            units=bodies[passage.language, passage.embedded][1],
        )
        for passage in passages
    }


def passage_row(
    plan: Plan, passage: PlannedPassage, vectors: PassageVectors, generation: Generation
) -> Passage:
    """As it is stored; not stored yet."""
    return Passage(
        article_id=plan.article_id,
        revision=plan.revision,
        text_fingerprint=plan.text_fingerprint,
        recipe=generation.recipe,
        position=passage.chunk.position,
        heading_path=list(passage.chunk.heading_path),
        anchor=passage.anchor,
        preface=passage.chunk.preface,
        text=passage.chunk.text,
        start=passage.chunk.start,
        end=passage.chunk.end,
        content_hash=passage.content_hash,
        vector=vectors.text,
        heading_vector=vectors.heading,
        unit_vectors=vectors.units,
    )


def _batches(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Neighbours in length share a call, so that short texts are not padded to the longest."""
    ordered = sorted(texts, key=lambda entry: (entry[0], len(entry[1]), entry[1]))
    for language, entries in groupby(ordered, key=lambda entry: entry[0]):
        of_language = [text for _language, text in entries]
        for start in range(0, len(of_language), _TEXTS_IN_A_CALL):
            yield language, of_language[start : start + _TEXTS_IN_A_CALL]


def _float32(row: "NDArray[np.float32]") -> bytes:
    return np.asarray(row, dtype="<f4").tobytes()
