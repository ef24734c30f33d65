"""Vectors of planned passages: looked up where the same text was embedded before, computed where not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.embeddings import Recipe, get_embedder
from knowledge.indexing.planning import PlannedPassage
from knowledge.models import Passage

_TEXTS_IN_A_CALL = 16  # a customer's question waits for one call at most
_HASHES_IN_A_QUERY = 500


@dataclass(frozen=True)
class PassageVectors:
    """Float32, little endian, unit length."""

    text: bytes
    heading: bytes  # of title and heading path alone


def stored_vectors(hashes: Sequence[str], recipe: Recipe) -> dict[str, PassageVectors]:
    """By content hash, whichever article they were computed for."""
    vectors: dict[str, PassageVectors] = {}
    for start in range(0, len(hashes), _HASHES_IN_A_QUERY):
        rows = Passage.objects.filter(
            recipe=recipe.fingerprint, content_hash__in=hashes[start : start + _HASHES_IN_A_QUERY]
        )
        for found, text, heading in rows.values_list("content_hash", "vector", "heading_vector"):
            vectors[found] = PassageVectors(bytes(text), bytes(heading))
    return vectors


def embed(passages: Sequence[PlannedPassage]) -> dict[str, PassageVectors]:
    """By content hash. Raises EmbedderUnavailable, and RuntimeError where the model fails on a text."""
    embedder = get_embedder()
    texts = {text for passage in passages for text in (passage.embedded, passage.heading)}
    # Neighbours in length share a call, so that short texts are not padded to the longest.
    ordered = sorted(texts, key=lambda text: (len(text), text))
    known: dict[str, bytes] = {}
    for start in range(0, len(ordered), _TEXTS_IN_A_CALL):
        part = ordered[start : start + _TEXTS_IN_A_CALL]
        for text, row in zip(part, embedder.encode_passages(part), strict=True):
            known[text] = np.asarray(row, dtype="<f4").tobytes()
    return {
        passage.content_hash: PassageVectors(known[passage.embedded], known[passage.heading])
        for passage in passages
    }
