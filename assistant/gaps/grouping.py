"""Which questions mean the same: average linkage over cosines, cut where the labelled sets say.

Promise: pure; the same vectors in the same order give the same groups. A question that is near to no other is a group
of its own. The cut is a property of the model's vectors; `measure_grouping` finds it anew for another one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Mean cosine that the questions of two groups need to become one (docs/editing.md, "How questions are grouped").
CUT: Final = 0.6
MOST: Final = 3000  # the distances of all pairs take four bytes each, and twice that while they are linked


def groups_of(vectors: "NDArray[np.float32]", *, cut: float = CUT) -> list[list[int]]:
    """Rows of `vectors` (n, dimension), unit length, by group; the largest first."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    count = len(vectors)
    if count < 2:
        return [[row] for row in range(count)]
    distances = np.clip(1.0 - vectors @ vectors.T, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), method="average")
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(fcluster(tree, t=1.0 - cut, criterion="distance")):
        groups.setdefault(int(group), []).append(row)
    return sorted(groups.values(), key=lambda rows: (-len(rows), rows[0]))


def centre_of(vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Their mean, not of unit length: a vector's product with it is its mean cosine to all of them."""
    centre: NDArray[np.float32] = vectors.mean(axis=0, dtype=np.float32)
    return centre


def nearest_centre(
    vector: "NDArray[np.float32]", centres: "Sequence[NDArray[np.float32]]", *, cut: float = CUT
) -> int | None:
    """Index of the group that the vector belongs to by the rule above; None where it belongs to none."""
    if not centres:
        return None
    cosines = np.stack(centres) @ vector
    best = int(cosines.argmax())
    return best if cosines[best] >= cut else None
