"""Passages of other articles that are near to those of one article, by the vectors that search uses.

Promise: what is stored is not computed again; the draft itself is embedded, and nothing of it is stored. One
query reads the vectors of a language: 30 MB at 20 000 passages.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from knowledge import generations
from knowledge.models import Article, Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from knowledge.indexing.planning import PlannedPassage

NEAREST: Final = 20  # passages for each of the article's own


@dataclass(frozen=True)
class Pair:
    own: "PlannedPassage"
    other: Passage  # with its article
    similarity: float  # cosine, -1..1


def planned_passages(article: Article) -> "tuple[PlannedPassage, ...]":
    """As they would be stored. Raises EmbedderUnavailable."""
    from knowledge.indexing.planning import plan_article

    generation = generations.in_service()
    embedder = generations.embedder_of(generation)
    plan = plan_article(
        article,
        recipe=generation.recipe,
        count_tokens=lambda text: embedder.count_tokens(text, language=article.language),
        max_tokens=embedder.max_tokens,
    )
    return plan.passages


def vectors_of(passages: "tuple[PlannedPassage, ...]") -> "NDArray[np.float32]":
    """One row a passage, unit length. Raises EmbedderUnavailable."""
    import numpy as np

    from knowledge.indexing.embedding import embed, stored_vectors

    generation = generations.in_service()
    known = stored_vectors([passage.content_hash for passage in passages], generation)
    missing = [passage for passage in passages if passage.content_hash not in known]
    known |= embed(missing, generation)
    rows = [np.frombuffer(known[passage.content_hash].text, dtype="<f4") for passage in passages]
    return np.stack(rows) if rows else np.zeros((0, 1), dtype="<f4")


def near_pairs(
    article: Article,
    passages: "tuple[PlannedPassage, ...]",
    *,
    at_least: float,
    replaced: Collection[int] = (),
) -> list[Pair]:
    """The nearest first; those of `replaced` articles are left out. Raises EmbedderUnavailable."""
    import numpy as np

    if not passages:
        return []
    stored = (
        Passage.objects.filter(recipe=generations.live_recipe(), article__language=article.language)
        .exclude(article_id__in=[article.pk, *replaced])
        .order_by("pk")
        .values_list("pk", "vector")
    )
    ids: list[int] = []
    rows: list[bytes] = []
    for pk, vector in stored.iterator(chunk_size=2_000):
        ids.append(pk)
        rows.append(bytes(vector))
    if not ids:
        return []
    matrix = np.frombuffer(b"".join(rows), dtype="<f4").reshape(len(ids), -1)
    cosines = vectors_of(passages) @ matrix.T
    wanted: list[tuple[float, int, int]] = []
    for number, row in enumerate(cosines):
        for place in np.argsort(-row)[:NEAREST]:
            if row[place] >= at_least:
                wanted.append((float(row[place]), number, ids[int(place)]))
    found = (
        Passage.objects.as_written()
        .select_related("article")
        .defer("vector", "heading_vector", "unit_vectors", "article__body")
    )
    others = found.in_bulk({pk for _similarity, _number, pk in wanted})
    wanted.sort(reverse=True)
    return [Pair(passages[number], others[pk], value) for value, number, pk in wanted if pk in others]


def pairs_between(
    passages: "tuple[PlannedPassage, ...]", others: Sequence[Article], *, at_least: float
) -> list[Pair]:
    """The same with articles whose texts are not stored, such as drafts. Raises EmbedderUnavailable."""
    found: list[Pair] = []
    for other in others:
        planned = planned_passages(other)
        if not passages or not planned:
            continue
        cosines = vectors_of(passages) @ vectors_of(planned).T
        found += [
            Pair(own, Passage(article=other, text=one.chunk.text), float(cosines[row, column]))
            for row, own in enumerate(passages)
            for column, one in enumerate(planned)
            if cosines[row, column] >= at_least
        ]
    return sorted(found, key=lambda pair: -pair.similarity)
