"""Which questions mean the same: average linkage over cosines, after what all of them have in common is taken out.

Promise: pure; the same vectors in the same order give the same groups. A question that is near to no other is a group
of its own. How well it does, and what else was tried, is in docs/editing.md; `measure_grouping` measures it anew.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUT: Final = 0.45  # mean cosine that the questions of two groups need to become one
# How many questions it takes until their own mean says as much of what a site is about as its articles do.
_ENOUGH: Final = 20


def features_of(
    vectors: "NDArray[np.float32]", *, articles: "NDArray[np.float32] | None" = None
) -> "NDArray[np.float32]":
    """What tells the questions apart: (n, dimension), unit length.

    Everybody who asks a bank asks about accounts. That common part, the mean, is in every cosine and hides the rest; of
    few questions the mean of the site's passages stands in for it. (The first step of "all-but-the-top", Mu and
    Viswanath 2018, arXiv 1702.01417.) `articles`: that mean, (dimension,).
    """
    share = len(vectors) / (len(vectors) + _ENOUGH) if articles is not None else 1.0
    common = share * vectors.mean(axis=0)
    if articles is not None:
        common = common + (1 - share) * articles
    apart = vectors - common
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    features: NDArray[np.float32] = (apart / np.maximum(lengths, 1e-9)).astype(np.float32)
    return features


def groups_of(features: "NDArray[np.float32]", *, cut: float = CUT) -> list[list[int]]:
    """Rows by group; the largest first."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    count = len(features)
    if count < 2:
        return [[row] for row in range(count)]
    distances = np.clip(1.0 - features @ features.T, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), method="average")
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(fcluster(tree, t=1.0 - cut, criterion="distance")):
        groups.setdefault(int(group), []).append(row)
    return sorted(groups.values(), key=lambda rows: (-len(rows), rows[0]))


def centre_of(features: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Their mean, not of unit length: a vector's product with it is its mean cosine to all of them."""
    centre: NDArray[np.float32] = features.mean(axis=0, dtype=np.float32)
    return centre


def nearest_centre(
    feature: "NDArray[np.float32]", centres: "Sequence[NDArray[np.float32]]", *, cut: float = CUT
) -> int | None:
    """Index of the group that it belongs to by the rule above; None where it belongs to none."""
    if not centres:
        return None
    cosines = np.stack(centres) @ feature
    best = int(cosines.argmax())
    return best if cosines[best] >= cut else None
