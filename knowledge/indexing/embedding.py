"""Vectors of planned passages: looked up where the same text was embedded before, computed where not."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from knowledge.generations import embedder_of
from knowledge.indexing.planning import PlannedPassage
from knowledge.models import Generation, Passage

_TEXTS_IN_A_CALL = 16  # a customer's question waits for one call at most
_HASHES_IN_A_QUERY = 500


@dataclass(frozen=True)
class PassageVectors:
    """Float32, little endian, unit length."""

    text: bytes
    heading: bytes  # of title and heading path alone


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
        for found, text, heading in rows.values_list("content_hash", "vector", "heading_vector"):
            vectors[found] = PassageVectors(bytes(text), bytes(heading))
    return vectors


def embed(passages: Sequence[PlannedPassage], generation: Generation) -> dict[str, PassageVectors]:
    """By content hash. Raises EmbedderUnavailable, and RuntimeError where the model fails on a text."""
    embedder = embedder_of(generation)
    texts = {(passage.language, text) for passage in passages for text in (passage.embedded, passage.heading)}
    # Neighbours in length share a call, so that short texts are not padded to the longest.
    ordered = sorted(texts, key=lambda entry: (entry[0], len(entry[1]), entry[1]))
    known: dict[tuple[str, str], bytes] = {}
    for language, entries in groupby(ordered, key=lambda entry: entry[0]):
        of_language = [text for _language, text in entries]
        for start in range(0, len(of_language), _TEXTS_IN_A_CALL):
            part = of_language[start : start + _TEXTS_IN_A_CALL]
            for text, row in zip(part, embedder.encode_passages(part, language=language), strict=True):
                known[language, text] = np.asarray(row, dtype="<f4").tobytes()
    return {
        passage.content_hash: PassageVectors(
            known[passage.language, passage.embedded], known[passage.language, passage.heading]
        )
        for passage in passages
    }
