"""Finds the passages that may answer a question: both retrievers propose, the gate decides, fusion orders.

`retrieve` looks at the site as it is; `look` does the same over any `Shelf` (`knowledge.trial` has one of a site as it
would be), and tells everything that it saw on the way.

Whatever an index returns, the database decides which passages take part (published, allowed to this reader,
current revision, of the live generation). Vectors for the final cosine come from that same query, so a Chroma that
is behind, damaged or down can cost a candidate but never show a wrong one. Does not decide whether the best is good
enough.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from knowledge import exact, generations, word_index
from knowledge.chunking import embedded_text
from knowledge.embeddings import EmbedderUnavailable
from knowledge.followups import last_answer, together
from knowledge.lexical import LexicalIndex, QuestionTerm
from knowledge.models import Article, Generation, Language, Passage, Reader, SynonymGroup, audiences_for
from knowledge.ranking import Order, Placed, Reading, Stored, order
from knowledge.reranking import reranked
from knowledge.synonyms import Synonyms, read_synonyms
from knowledge.vectors import CollectionKey, VectorStoreUnavailable, get_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

POOL = 60  # candidates asked of each retriever
PASSAGES = 12  # passages that leave here
WITHIN = 1500  # passages of named articles that are all compared; of more, words choose


@dataclass(frozen=True)
class RetrievedPassage:
    passage_id: int
    article_id: int
    revision: int  # of the article, the one the passage was split from
    title: str
    heading_path: tuple[str, ...]  # outermost heading first
    url: str  # absolute path with an anchor, e.g. /de/articles/abo-pausieren/#voraussetzungen
    text: str  # verbatim: body[start:end] of that revision
    start: int  # character offsets into the article body
    end: int
    language: str  # de | en, of the article
    rank: int  # 1-based
    cosine: float | None  # -1..1; None when no vector was available
    bm25: float | None  # >= 0; None when the word index did not hold it yet
    fused: float  # orders the passages; never a threshold
    is_other_language: bool = False  # the article is not in the question's language
    heading_cosine: float | None = None  # -1..1, of title and heading path alone
    unit_cosines: tuple[
        float, ...
    ] = ()  # -1..1, of each of `knowledge.units.split_units(text)`; empty: not known
    nearness: float = 0.0  # >= 0, idf mass of neighbours in the question that stand together here
    preface: str = ""  # what the passage needs in front to be read (a table's header row); not part of it


@dataclass(frozen=True)
class Retrieval:
    """What was found for one question in the articles of one language."""

    question: str  # in the wording that counted most: as asked, or with what was asked before in front
    question_language: str
    article_language: str
    recipe: str  # of the generation that the passages are from; empty where there is none yet
    passages: tuple[RetrievedPassage, ...]  # best first, at most `limit`
    article_ids: tuple[int, ...]  # every article of the pool, in the order of its best passage
    lexical: LexicalIndex  # the snapshot the BM25 values come from
    terms: tuple[QuestionTerm, ...]  # the words of `question`, as that snapshot reads them
    history: float = 0.0  # 0..1, how much the earlier conversation counted


class Shelf(Protocol):
    """The articles of one language as one reader may have them: all that a look needs of them."""

    @property
    def language(self) -> str: ...

    @property
    def recipe(self) -> str: ...

    @property
    def lexical(self) -> LexicalIndex: ...

    @property
    def synonyms(self) -> Synonyms: ...

    def vector(self, wording: str, language: str) -> "NDArray[np.float32] | None":
        """None: there is no model."""
        ...

    def nearest(self, vector: "NDArray[np.float32]", limit: int) -> Sequence[int]:
        """Ids of passages, best first."""
        ...

    def passages_of(self, article_ids: Collection[int]) -> Collection[int]: ...

    def answerable(self, passage_ids: Collection[int]) -> Mapping[int, Passage]:
        """The gate: those that may take part, with their articles."""
        ...


@dataclass(frozen=True)
class Look:
    """Everything that one retrieval saw, for whoever explains it."""

    retrieval: Retrieval
    readings: tuple[Reading, ...]  # of the question alone and, after a history, together with it
    by_meaning: tuple[tuple[int, ...], ...]  # of each reading: passages the vectors proposed, nearest first
    by_words: tuple[tuple[int, ...], ...]  # the same by BM25
    kept_out: tuple[int, ...]  # proposed, and dropped by the gate
    order: Order  # of everything that it let through


def retrieve(
    question: str,
    *,
    language: str,
    article_language: str | None = None,
    user: Reader = None,
    limit: int = PASSAGES,
    history: Sequence[str] = (),
    excluded_article_ids: Collection[int] = frozenset(),
    only_article_ids: Collection[int] | None = None,
) -> Retrieval:
    """The best passages for `question` (in `language`) among the articles in `article_language`.

    `history` are earlier turns, oldest first, "user: …" or "assistant: …". `only_article_ids` looks at these articles
    alone. Works with what is there: without Chroma by exact search over the stored vectors, without the embedding
    model by BM25 alone.
    """
    return look(
        live_shelf(article_language or language, user),
        question,
        language=language,
        limit=limit,
        history=history,
        excluded_article_ids=excluded_article_ids,
        only_article_ids=only_article_ids,
    ).retrieval


def look(
    shelf: Shelf,
    question: str,
    *,
    language: str,
    limit: int = PASSAGES,
    history: Sequence[str] = (),
    excluded_article_ids: Collection[int] = frozenset(),
    only_article_ids: Collection[int] | None = None,
) -> Look:
    """What `retrieve` does, over the articles of `shelf`."""
    lexical = shelf.lexical
    readings = [
        Reading(
            wording,
            lexical.terms(wording, language=language, synonyms=shelf.synonyms),
            shelf.vector(wording, language),
        )
        for wording in (question, together(question, history))
        if wording
    ]
    by_meaning: list[tuple[int, ...]] = []
    by_words: list[tuple[int, ...]] = []
    if only_article_ids is None:
        room = POOL + (len(shelf.passages_of(excluded_article_ids)) if excluded_article_ids else 0)
        for reading in readings:
            by_meaning.append(() if reading.vector is None else tuple(shelf.nearest(reading.vector, room)))
            by_words.append(tuple(passage_id for passage_id, _bm25 in lexical.search(reading.terms, room)))
        proposed = {passage_id for found in (*by_meaning, *by_words) for passage_id in found}
    else:
        proposed = _within(shelf.passages_of(only_article_ids), readings, lexical)
    answerable = shelf.answerable(proposed)
    hidden = frozenset(excluded_article_ids)
    rows = {key: row for key, row in answerable.items() if row.article_id not in hidden}
    found = order(
        readings,
        {
            key: Stored(row.article_id, bytes(row.vector), bytes(row.heading_vector), bytes(row.unit_vectors))
            for key, row in rows.items()
        },
        lexical,
        language=language,
        is_other_language=shelf.language != language,
        last_answer=lexical.terms(last_answer(history), language=language),
    )
    placed = reranked(found, lambda key: _read_text(rows[key]))
    retrieval = Retrieval(
        question=found.reading.text,
        question_language=language,
        article_language=shelf.language,
        recipe=shelf.recipe,
        passages=tuple(
            _retrieved(rows[one.candidate.passage_id], rank, one)
            for rank, one in enumerate(placed[:limit], start=1)
        ),
        article_ids=tuple(dict.fromkeys(one.candidate.article_id for one in placed)),
        lexical=lexical,
        terms=found.reading.terms,
        history=found.history,
    )
    return Look(
        retrieval=retrieval,
        readings=tuple(readings),
        by_meaning=tuple(by_meaning),
        by_words=tuple(by_words),
        kept_out=tuple(sorted(proposed - answerable.keys())),
        order=found,
    )


def live_shelf(language: str, user: Reader) -> Shelf:
    """The articles in `language` as `user` may have them now, from the index and through the gate."""
    generation = generations.live()
    recipe, version = (generation.recipe, generation.version) if generation is not None else ("", 0)
    lexical = word_index.word_index(word_index.Key(audiences_for(user), language, recipe), version)
    return _LiveShelf(language, user, generation, site_synonyms(), lexical)


@dataclass(frozen=True)
class _LiveShelf:
    language: str
    user: Reader
    generation: Generation | None
    synonyms: Synonyms
    lexical: LexicalIndex

    @property
    def recipe(self) -> str:
        return self.generation.recipe if self.generation is not None else ""

    @property
    def _version(self) -> int:
        return self.generation.version if self.generation is not None else 0

    def vector(self, wording: str, language: str) -> "NDArray[np.float32] | None":
        return question_vector(self.generation, wording, language)

    def nearest(self, vector: "NDArray[np.float32]", limit: int) -> list[int]:
        keys = [CollectionKey(audience, self.language, self.recipe) for audience in audiences_for(self.user)]
        return _nearest(keys, vector, limit, self._version)

    def passages_of(self, article_ids: Collection[int]) -> list[int]:
        stored = Passage.objects.filter(recipe=self.recipe, article_id__in=article_ids)
        return list(stored.order_by().values_list("pk", flat=True))

    def answerable(self, passage_ids: Collection[int]) -> dict[int, Passage]:
        stored = Passage.objects.filter(recipe=self.recipe)
        return stored.answerable_by_id(passage_ids, self.user, language=self.language)


def translation_of(article_id: int, language: str) -> int | None:
    """The published article in `language` that the site links as the translation of this one."""
    groups = Article.objects.filter(pk=article_id).exclude(translation_group="").values("translation_group")
    linked = Article.objects.published().filter(translation_group__in=groups, language=language)
    return linked.values_list("pk", flat=True).first()


def _read_text(row: Passage) -> str:
    """What a model reads of a passage: as for its vector."""
    return embedded_text(row.article.title, tuple(row.heading_path), row.text, row.preface)


def _retrieved(row: Passage, rank: int, placed: Placed) -> RetrievedPassage:
    candidate = placed.candidate
    return RetrievedPassage(
        passage_id=row.pk,
        article_id=row.article_id,
        revision=row.revision,
        title=row.article.title,
        heading_path=tuple(row.heading_path),
        url=row.article.get_absolute_url() + (f"#{row.anchor}" if row.anchor else ""),
        text=row.text,
        start=row.start,
        end=row.end,
        language=row.article.language,
        rank=rank,
        cosine=candidate.cosine,
        bm25=candidate.bm25,
        fused=placed.fused,
        is_other_language=candidate.is_other_language,
        heading_cosine=candidate.heading_cosine,
        preface=row.preface,
        unit_cosines=placed.unit_cosines,
        nearness=candidate.nearness,
    )


def question_vector(
    generation: Generation | None, question: str, language: str
) -> "NDArray[np.float32] | None":
    """None where there is no model to make it."""
    if generation is None:
        return None
    try:
        embedder = generations.embedder_of(generation, is_awaited=True)
        return embedder.encode_question(question, language=language)
    except EmbedderUnavailable as error:
        log.debug("Retrieval goes on without vectors: %s", error)  # told once, where the model is loaded
        return None


def _nearest(
    keys: Sequence[CollectionKey], vector: "NDArray[np.float32]", limit: int, version: int
) -> list[int]:
    """Passage ids from the vector index, and by exact search from those collections that it cannot speak for."""
    try:
        answers = get_store().nearest(keys, vector, limit)
    except VectorStoreUnavailable as error:
        log.debug("Exact search instead of the vector index: %s", error)  # told once, by its breaker
        answers = [[] for _key in keys]
    # With fewer than `limit` a collection has given all that it has: it is small, and then exact search costs
    # nothing, or it is missing or being made anew.
    short = [key for key, found in zip(keys, answers, strict=True) if len(found) < limit]
    exact.release(key for key in keys if key not in short)
    answers += exact.nearest(short, vector, limit, version=version)
    best: dict[int, float] = {}
    for found in answers:
        best.update(found)
    return sorted(best, key=lambda passage_id: -best[passage_id])[:limit]


def _within(stored: Collection[int], readings: Sequence[Reading], lexical: LexicalIndex) -> set[int]:
    """All of these passages; of very many, those that hold most of the words."""
    own = set(stored)
    if len(own) <= WITHIN:
        return own
    return {
        passage_id
        for reading in readings
        for passage_id in [key for key, _bm25 in lexical.search(reading.terms, len(lexical)) if key in own][
            :POOL
        ]
    }


def site_synonyms() -> Synonyms:
    return read_synonyms(tuple(SynonymGroup.objects.order_by("pk").values_list("language", "words")))


def begin_word_indexes() -> None:
    """Has those made that anybody's first question needs."""
    generation = generations.live()
    if generation is not None:
        for language in Language.values:
            key = word_index.Key(audiences_for(None), language, generation.recipe)
            word_index.begin(key, generation.version)


def forget_lexical_indexes() -> None:
    """For tests, whose databases come and go under the same version numbers. The vectors held go as well."""
    word_index.forget()
    exact.forget()
