"""The vectors of questions that were asked: made once, kept in rows, for whoever compares questions with each other.

Promise: `question_vectors` encodes what has no row of this model yet and nothing else. A row of another model is left
alone until its question goes; nothing mixes the two.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from assistant.replays import QuestionVector
from knowledge import generations

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.models import Question

_AT_ONCE: Final = 64  # questions a call of the model; between two calls somebody else may have it
_ROWS_AT_ONCE: Final = 500


def space_in_service() -> str:
    """Of the model whose vectors are compared; two spaces are never mixed."""
    generation = generations.in_service()
    return generation.space or generation.recipe


def question_vectors(
    questions: "Sequence[Question]", *, progress: Callable[[int], None] | None = None
) -> "dict[int, NDArray[np.float32]]":
    """Of each question as it was worded, by its id: float32 of shape (dimension,), unit length.

    Reads id, text and language. `progress` hears how many are there. Raises EmbedderUnavailable where one has to be
    encoded and the model is away.
    """
    import numpy as np

    space = space_in_service()
    digests = {question.pk: _digest(question) for question in questions}
    found: dict[int, NDArray[np.float32]] = {}
    wanted = list(digests)
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        rows = QuestionVector.objects.filter(question__in=wanted[start : start + _ROWS_AT_ONCE], space=space)
        for question_id, digest, vector in rows.values_list("question_id", "digest", "vector"):
            if digest == digests[question_id]:
                found[question_id] = np.frombuffer(bytes(vector), dtype="<f4")
    missing: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if question.pk not in found:
            missing[question.language].append(question)
    for language, lacking in missing.items():
        for start in range(0, len(lacking), _AT_ONCE):
            batch = lacking[start : start + _AT_ONCE]
            for question, vector in zip(batch, _encoded(batch, language), strict=True):
                found[question.pk] = vector
            QuestionVector.objects.bulk_create(
                (
                    QuestionVector(
                        question=one, space=space, digest=digests[one.pk], vector=found[one.pk].tobytes()
                    )
                    for one in batch
                ),
                ignore_conflicts=True,  # another process was at it as well
            )
            if progress is not None:
                progress(len(found))
    return found


def _digest(question: "Question") -> str:
    return hashlib.sha256(f"{question.language}\n{question.text}".encode()).hexdigest()


def _encoded(questions: "Sequence[Question]", language: str) -> "NDArray[np.float32]":
    import numpy as np

    embedder = generations.embedder_of(generations.in_service())
    vectors = embedder.encode_questions([question.text for question in questions], language=language)
    return np.ascontiguousarray(vectors, dtype="<f4")
