"""Vectors of the parts of a text from one reading of the whole (late chunking)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling

Span = tuple[int, int]  # characters of the text, the end exclusive


def gives_parts(model: SentenceTransformer) -> bool:
    """Whether the mean of some of its tokens lies in the space of its texts, and we can tell which tokens."""
    first, *others = model
    if (
        not others
        or not isinstance(others[0], Pooling)
        or not all(isinstance(one, Normalize) for one in others[1:])
    ):
        return False
    knows_places = hasattr(first, "offsets") or bool(getattr(model.tokenizer, "is_fast", False))
    return knows_places and others[0].pooling_mode == "mean" and others[0].include_prompt


def encode_with_parts(
    model: SentenceTransformer,
    texts: Sequence[str],
    parts: Sequence[Sequence[Span | None]],
    prompt_name: str | None,
    language: str | None,
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """As `SentenceTransformerEmbeddings.encode_with_parts` promises; the model has to be one that `gives_parts`."""
    prompt = model.prompts.get(prompt_name or "", "") or ""
    prompted = [f"{prompt}{text}" for text in texts]
    routing: dict[str, Any] = {"language": language} if hasattr(model[0], "offsets") else {}
    read: Any = model.encode(
        prompted, output_value="token_embeddings", convert_to_numpy=False, show_progress_bar=False, **routing
    )
    offsets = _offsets(model, prompted, language)
    wholes: list[NDArray[np.float32]] = []
    found: list[NDArray[np.float32]] = []
    for tokens, places, spans in zip(read, offsets, parts, strict=True):
        matrix = tokens.float().cpu().numpy()
        whole = _unit_length(matrix.mean(axis=0))
        at = np.array(places[: len(matrix)], dtype=np.int64).reshape(-1, 2) - len(prompt)
        rows = [_of_span(matrix, at, span, whole) for span in spans]
        wholes.append(whole)
        found.append(np.stack(rows) if rows else np.zeros((0, len(whole)), dtype=np.float32))
    return np.stack(wholes), found


def _of_span(
    matrix: NDArray[np.float32], at: NDArray[np.int64], span: Span | None, whole: NDArray[np.float32]
) -> NDArray[np.float32]:
    if span is None:
        return whole
    # Special tokens stand nowhere: their places are empty.
    inside = (at[:, 0] >= span[0]) & (at[:, 1] <= span[1]) & (at[:, 1] > at[:, 0])
    return _unit_length(matrix[inside].mean(axis=0)) if inside.any() else whole


def _unit_length(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def _offsets(model: SentenceTransformer, texts: Sequence[str], language: str | None) -> list[list[Span]]:
    first: Any = model[0]
    if hasattr(first, "offsets"):
        found: list[list[Span]] = first.offsets(texts, language)
        return found
    tokenizer: Any = model.tokenizer
    encoded = tokenizer(
        list(texts), truncation=True, max_length=model.max_seq_length, return_offsets_mapping=True
    )
    return [[tuple(span) for span in row] for row in encoded["offset_mapping"]]
