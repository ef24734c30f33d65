"""Fills a database with shuffled copies of its own articles, to see how it behaves at a larger size.

For benchmarks alone. The copies' vectors are the originals' with noise, so that no hours go into embedding;
their words are the originals' words in another order, so that lexical search works on a real vocabulary.
"""

import hashlib
import random

import numpy as np
from django.db import transaction
from django.db.models import F

from knowledge.generations import live_recipe
from knowledge.indexing import bell_held
from knowledge.models import Article, Generation, IndexMark, Passage, Status
from knowledge.vectors import CollectionKey, get_store

NOISE = 0.6  # length of the noise added to a unit vector
_BATCH = 1000


def fill_up(passages: int, *, seed: int = 7) -> int:
    """Adds public passages until there are at least `passages`; returns how many were added."""
    recipe = live_recipe()
    originals = list(
        Passage.objects.filter(recipe=recipe).exclude(article__source="filler").select_related("article")
    )
    if not originals:
        raise ValueError("There is nothing to copy: import and index articles first.")
    shuffle = random.Random(seed)  # noqa: S311  (a benchmark, not a secret)
    noise = np.random.default_rng(seed)
    missing = max(0, passages - Passage.objects.filter(recipe=recipe).count())
    number = Article.objects.filter(source="filler").count()
    for start in range(0, missing, _BATCH):
        batch = [originals[shuffle.randrange(len(originals))] for _n in range(min(_BATCH, missing - start))]
        with transaction.atomic(), bell_held():
            for original in batch:
                number += 1
                _copy(original, number, recipe, shuffle, noise)
            Generation.objects.filter(recipe=recipe).update(version=F("version") + 1)
    _write_vectors(recipe)
    return missing


def _copy(
    original: Passage, number: int, recipe: str, shuffle: random.Random, noise: np.random.Generator
) -> None:
    words = original.text.split()
    shuffle.shuffle(words)
    text = " ".join(words)
    article = Article(
        title=f"{original.article.title} {number}",
        slug=f"filler-{number}",
        body=text,
        language=original.article.language,
        status=Status.PUBLISHED,
        source="filler",
        external_id=str(number),
    )
    article.save()
    IndexMark.objects.create(
        article=article,
        recipe=recipe,
        fingerprint=article.content_fingerprint,
        edition_at=article.content_changed_at,
        indexed_at=article.content_changed_at,
    )
    vector = np.frombuffer(bytes(original.vector), dtype="<f4").astype(np.float64)
    offset = noise.normal(size=len(vector))
    vector = vector + NOISE * offset / np.linalg.norm(offset)
    Passage.objects.create(
        article=article,
        revision=article.revision,
        text_fingerprint=article.text_fingerprint,
        recipe=recipe,
        position=0,
        text=text,
        start=0,
        end=len(text),
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        vector=(vector / np.linalg.norm(vector)).astype("<f4").tobytes(),
        heading_vector=bytes(original.heading_vector),
        unit_vectors=bytes(original.unit_vectors),
    )


def _write_vectors(recipe: str) -> None:
    store = get_store()
    rows = Passage.objects.filter(recipe=recipe, article__source="filler").select_related("article")
    groups: dict[CollectionKey, tuple[list[int], list[np.ndarray]]] = {}
    for row in rows.only("pk", "vector", "article__audience", "article__language").iterator():
        key = CollectionKey(row.article.audience, row.article.language, recipe)
        ids, vectors = groups.setdefault(key, ([], []))
        ids.append(row.pk)
        vectors.append(np.frombuffer(bytes(row.vector), dtype="<f4"))
    for key, (ids, vectors) in groups.items():
        store.upsert(key, ids, np.stack(vectors))
