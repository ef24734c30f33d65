"""Published passages with vectors of their own, made without a model: what an index can be rebuilt from."""

import numpy as np

from knowledge.embeddings import EmbedderUnavailable
from knowledge.generations import in_service
from knowledge.indexing import bell_held
from knowledge.models import Article, Passage
from tests.marks import mark_indexed

PASSAGES = 1500  # enough for Chroma to write its graph to files
DIMENSION = 384  # as the default model has, so that questions to it meet no other
_ARTICLES = 15


def vector_number(number: int) -> np.ndarray:
    row = np.random.default_rng(number).normal(size=DIMENSION)
    return (row / np.linalg.norm(row)).astype(np.float32)


def fill_database() -> None:
    recipe = in_service().recipe
    with bell_held():
        for first in range(0, PASSAGES, PASSAGES // _ARTICLES):
            article = Article.objects.create(
                title="Stored", slug=f"stored-{first}", body="Text.", language="en", status="published"
            )
            mark_indexed(article, recipe=recipe)
            Passage.objects.bulk_create(
                Passage(
                    article=article,
                    revision=article.revision,
                    text_fingerprint=article.text_fingerprint,
                    recipe=recipe,
                    position=position,
                    text="Text.",
                    start=0,
                    end=5,
                    content_hash=f"{first + position:064d}",
                    vector=vector_number(first + position).tobytes(),
                    heading_vector=vector_number(first + position).tobytes(),
                )
                for position in range(PASSAGES // _ARTICLES)
            )


class Asker:
    """Knows the vector of a question that is a number, and can embed nothing else."""

    dimension = DIMENSION

    def encode_question(self, text: str, *, language: str | None = None) -> np.ndarray:
        return vector_number(int(text)) if text.isdigit() else vector_number(0)

    def encode_passages(self, *_arguments: object, **_options: object) -> np.ndarray:
        raise EmbedderUnavailable("a rebuild needs no model")


def number_found(question: int) -> int:
    """The number of the passage that comes first for the question; lexical search knows none of the words."""
    from knowledge.retrieval import retrieve

    best = retrieve(str(question), language="en").passages[0]
    return int(Passage.objects.values_list("content_hash", flat=True).get(pk=best.passage_id))
