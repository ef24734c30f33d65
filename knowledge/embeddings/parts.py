"""Vectors of the parts of a text from one reading of the whole (late chunking).

A part's vector is the mean of its tokens after the whole text was read (Günther et al. 2024, arXiv 2409.04701). It does
not decide what the parts are, nor how a model weighs its tokens.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]  # characters of the text, the end exclusive


def vectors_of_parts(
    tokens: NDArray[np.float32],
    places: Sequence[Span],
    spans: Sequence[Span | None],
    whole: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(spans, dimension), of unit length; a part without a span, or without a token in it, gets `whole`.

    `tokens` is (tokens, dimension), each times what it counts; `places` says where each stands, and special tokens
    stand nowhere: their places are empty. `whole` is the text's own vector, (dimension,).
    """
    if not spans:
        return np.zeros((0, len(whole)), dtype=np.float32)
    at = np.array(places, dtype=np.int64).reshape(-1, 2)
    return np.stack([_of_span(tokens, at, span, whole) for span in spans])


def unit_length(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def _of_span(
    tokens: NDArray[np.float32], at: NDArray[np.int64], span: Span | None, whole: NDArray[np.float32]
) -> NDArray[np.float32]:
    if span is None:
        return whole
    inside = (at[:, 0] >= span[0]) & (at[:, 1] <= span[1]) & (at[:, 1] > at[:, 0])
    return unit_length(tokens[inside].mean(axis=0)) if inside.any() else whole
