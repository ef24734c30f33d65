"""Vectors of past questions: kept in rows, for whoever asks a thousand of them again or compares them.

Promise: a vector is the model's for exactly that wording, or it is not there; what is not there is computed, and kept
where it belongs to a stored question. Rows of a model that no index is made with are removed.

Refuses to decide which wordings a question is looked for in (`assistant.asking.wordings`).
"""

import contextlib
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from django.db import DatabaseError, IntegrityError, transaction

from assistant.asking import Inquiry, wordings
from assistant.models import Question
from assistant.replays import QuestionVector
from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable
from knowledge.models import Generation
from knowledge.retrieval import question_vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_QUESTIONS_IN_A_QUERY = 500
_TEXTS_IN_A_CALL = 32  # about a fifth of a second on two cores


@dataclass(frozen=True)
class Wording:
    text: str
    language: str
    question_id: int | None  # that its vector is kept for; None: of no stored question

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.language}\n{self.text}".encode()).hexdigest()


def wordings_of(inquiry: Inquiry, question_id: int | None) -> list[Wording]:
    return [Wording(text, inquiry.language, question_id) for text in wordings(inquiry)]


class KnownVectors:
    """Of many wordings, in memory; made by `load`."""

    def __init__(self, by_digest: "dict[str, NDArray[np.float32]]", generation: Generation) -> None:
        self._by_digest = by_digest
        self._generation = generation

    def __call__(self, text: str, language: str) -> "NDArray[np.float32] | None":
        """`knowledge.trial.Encode`. Of a wording that was not loaded, the model is asked."""
        known = self._by_digest.get(Wording(text, language, None).digest)
        return known if known is not None else question_vector(self._generation, text, language)

    def of(self, wording: Wording) -> "NDArray[np.float32]":
        """Float32 of shape (dimension,), unit length. Raises KeyError for one that was not loaded."""
        return self._by_digest[wording.digest]


def question_vectors(
    questions: Sequence[Question], *, progress: Callable[[], None] = lambda: None
) -> "dict[int, NDArray[np.float32]]":
    """Of each question as it was worded, by its id: float32 of shape (dimension,), unit length.

    Reads id, text and language. Raises EmbedderUnavailable where one has to be encoded and the model is away.
    """
    wanted = [Wording(one.text, one.language, one.pk) for one in questions]
    vectors = load(wanted, progress=progress)
    return {question.pk: vectors.of(wording) for question, wording in zip(questions, wanted, strict=True)}


def vectors_kept(questions: Sequence[Question]) -> "dict[int, NDArray[np.float32]]":
    """As `question_vectors`, of those that have their row: no model is asked."""
    generation = generations.live()
    if generation is None:
        return {}
    known = _read([one.pk for one in questions], _space(generation))
    wanted = [Wording(one.text, one.language, one.pk) for one in questions]
    return {
        question.pk: known[question.pk, wording.digest]
        for question, wording in zip(questions, wanted, strict=True)
        if (question.pk, wording.digest) in known
    }


def load(wanted: Sequence[Wording], *, progress: Callable[[], None] = lambda: None) -> KnownVectors:
    """From the rows, and from the model what is not there. Raises EmbedderUnavailable where that is away.

    `progress` is called now and then while the model works; what it made until then is kept, should it fail.
    """
    generation = generations.in_service()
    space = _space(generation)
    _forget_other_models()
    ids = sorted({one.question_id for one in wanted if one.question_id is not None})
    kept = _read(ids, space)
    known = {digest: vector for (_question, digest), vector in kept.items()}
    new = [one for one in wanted if (one.question_id, one.digest) not in kept]
    _store_new([one for one in new if one.digest in known], known, space)
    alike: dict[str, dict[str, list[Wording]]] = {}  # by language and digest
    for one in new:
        if one.digest not in known:
            alike.setdefault(one.language, {}).setdefault(one.digest, []).append(one)
    for language, by_digest in alike.items():
        embedder = generations.embedder_of(generation)
        digests = list(by_digest)
        for start in range(0, len(digests), _TEXTS_IN_A_CALL):
            part = digests[start : start + _TEXTS_IN_A_CALL]
            texts = [by_digest[digest][0].text for digest in part]
            known.update(zip(part, embedder.encode_questions(texts, language=language), strict=True))
            _store_new([one for digest in part for one in by_digest[digest]], known, space)
            progress()
    return KnownVectors(known, generation)


def _read(ids: Sequence[int], space: str) -> "dict[tuple[int | None, str], NDArray[np.float32]]":
    """What is kept of these questions, by question and digest."""
    kept: dict[tuple[int | None, str], NDArray[np.float32]] = {}
    for start in range(0, len(ids), _QUESTIONS_IN_A_QUERY):
        part = ids[start : start + _QUESTIONS_IN_A_QUERY]
        rows = QuestionVector.objects.filter(space=space, question_id__in=part)
        for question_id, digest, vector in rows.values_list("question_id", "digest", "vector"):
            kept[question_id, digest] = np.frombuffer(bytes(vector), dtype="<f4")
    return kept


def keep(question: Question, inquiry: Inquiry) -> None:
    """What the model made of a question that was just decided: it remembers, so this costs one insert.

    A convenience: where it fails, the next replay computes them.
    """
    generation = generations.live()
    if generation is None:
        return
    try:
        embedder = generations.embedder_of(generation, is_awaited=True)
        wanted = wordings_of(inquiry, question.pk)
        known = {one.digest: embedder.encode_question(one.text, language=one.language) for one in wanted}
        _store(wanted, known, _space(generation))
    except (EmbedderUnavailable, DatabaseError) as error:
        log.info("the vectors of question %d were not kept: %s", question.pk, type(error).__name__)


def _store_new(wanted: Sequence[Wording], known: "dict[str, NDArray[np.float32]]", space: str) -> None:
    """Of a question that was deleted meanwhile nothing is kept; the next who asks keeps those of the others."""
    with contextlib.suppress(IntegrityError):
        _store(wanted, known, space)


def _store(wanted: Sequence[Wording], known: "dict[str, NDArray[np.float32]]", space: str) -> None:
    rows = [
        QuestionVector(
            question_id=one.question_id,
            space=space,
            digest=one.digest,
            vector=np.asarray(known[one.digest], dtype="<f4").tobytes(),
        )
        for one in wanted
        if one.question_id is not None
    ]
    with transaction.atomic():
        QuestionVector.objects.bulk_create(rows, batch_size=_QUESTIONS_IN_A_QUERY, ignore_conflicts=True)


def _forget_other_models() -> None:
    """A model that follows another one is asked anew; one that is retired and may come back still has its row."""
    spaces = {_space(generation) for generation in Generation.objects.all()}
    QuestionVector.objects.exclude(space__in=spaces).delete()


def _space(generation: Generation) -> str:
    return generation.space or generation.recipe
