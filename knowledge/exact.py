"""Exact search over the vectors in the database: what answers while the vector index cannot.

Promise: of each audience exactly the nearest passages, whatever state the index is in. The vectors are read once
for as long as they are needed, and after an edit only those that are new (an id means one text forever).

Refuses to decide: who may read what is found. What it holds is as old as the last sync, so the gate comes after.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from knowledge.models import Passage
from knowledge.vectors import CollectionKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 2000  # in one query


@dataclass(frozen=True)
class _Vectors:
    version: int  # of the recipe's passages when this was read
    ids: "NDArray[np.int64]"  # ascending
    rows: "NDArray[np.float32]"  # one for each id


_held: dict[CollectionKey, _Vectors] = {}
_guard = threading.Lock()  # one reads, the others find it read


def nearest(
    keys: Sequence[CollectionKey], vector: "NDArray[np.float32]", limit: int, *, version: int
) -> list[list[tuple[int, float]]]:
    """For each key passage ids with cosine similarity (-1..1), best first."""
    return [_nearest(_vectors(key, version), vector, limit) for key in keys]


def release(keys: Iterable[CollectionKey]) -> None:
    """Gives back the memory (30 MB for 20 000 passages) once the index answers again."""
    for key in keys:
        _held.pop(key, None)


def forget() -> None:
    """For tests, whose databases come and go under the same ids."""
    _held.clear()


def _nearest(held: _Vectors, vector: "NDArray[np.float32]", limit: int) -> list[tuple[int, float]]:
    if not len(held.ids):
        return []
    cosines = held.rows @ vector
    return [(int(held.ids[index]), float(cosines[index])) for index in highest(cosines, limit)]


def highest(cosines: "NDArray[np.float32]", limit: int) -> "NDArray[np.int64]":
    """Where the highest values stand, best first."""
    best = np.argpartition(-cosines, min(limit, len(cosines)) - 1)[:limit]
    return best[np.argsort(-cosines[best], kind="stable")]


def _vectors(key: CollectionKey, version: int) -> _Vectors:
    with _guard:
        held = _held.get(key)
        if held is None or held.version != version:
            release([other for other in _held if other.recipe != key.recipe])  # of a generation that was
            held = _held[key] = _read(key, version, held)
        return held


def _read(key: CollectionKey, version: int, before: _Vectors | None) -> _Vectors:
    current = Passage.objects.current().filter(
        recipe=key.recipe, article__language=key.language, article__audience=key.audience
    )
    # Ids first: the join with the articles is quick as long as it need not carry vectors along.
    ids = np.sort(np.fromiter(current.order_by().values_list("pk", flat=True), dtype=np.int64))
    parts = [(np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.float32))]
    if before is not None:
        kept = np.isin(before.ids, ids, assume_unique=True)
        parts.append((before.ids[kept], before.rows[kept]))
        ids = np.setdiff1d(ids, before.ids, assume_unique=True)
    for start in range(0, len(ids), _ROWS):
        rows = Passage.objects.filter(pk__in=ids[start : start + _ROWS].tolist()).values_list("pk", "vector")
        found = list(rows.order_by())
        if found:
            stored = np.frombuffer(b"".join(bytes(raw) for _pk, raw in found), dtype="<f4")
            parts.append((np.array([pk for pk, _raw in found]), stored.reshape(len(found), -1)))
    parts = [part for part in parts if len(part[0])] or parts[:1]
    all_ids = np.concatenate([part[0] for part in parts])
    order = np.argsort(all_ids)
    return _Vectors(version, all_ids[order], np.concatenate([part[1] for part in parts])[order])
