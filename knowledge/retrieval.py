"""Finds the passages that may answer a question: both retrievers propose, the gate decides, fusion orders.

Whatever an index returns, the database decides which passages take part (published, allowed to this reader,
current revision, of the live generation). Vectors for the final cosine come from that same query, so a Chroma that
is behind, damaged or down can cost a candidate but never show a wrong one. Does not decide whether the best is good
enough.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from knowledge import exact, generations, word_index
from knowledge.chunking import embedded_text
from knowledge.embeddings import EmbedderUnavailable
from knowledge.followups import last_answer, together
from knowledge.lexical import LexicalIndex, QuestionTerm
from knowledge.models import Article, Generation, Language, Passage, Reader, SynonymGroup, audiences_for
from knowledge.ranking import Placed, Reading, Stored, order
from knowledge.reranking import reranked
from knowledge.synonyms import Synonyms, read_synonyms
from knowledge.vectors import CollectionKey, VectorStoreUnavailable, get_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

POOL = 60  # candidates asked of each retriever
PASSAGES = 12  # passages that leave here
ENOUGH_RESULTS = 3  # in the reader's language; with fewer, a search looks into the other one
SIMILAR_SHARE = 0.3  # of an article's own BM25 for its title, from which on another is called similar
SEARCH_TAIL = 0.5  # share of the best ranking value below which a search result only adds length


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
    article_language = article_language or language
    audiences = audiences_for(user)
    generation = generations.live()
    recipe, version = (generation.recipe, generation.version) if generation is not None else ("", 0)
    lexical = word_index.word_index(word_index.Key(audiences, article_language, recipe), version)
    synonyms = _synonyms()
    readings = [
        Reading(
            wording,
            lexical.terms(wording, language=language, synonyms=synonyms),
            _question_vector(generation, wording, language),
        )
        for wording in (question, together(question, history))
        if wording
    ]

    candidates_stored = Passage.objects.filter(recipe=recipe).exclude(article_id__in=excluded_article_ids)
    if only_article_ids is None:
        room = POOL + _passages_of(excluded_article_ids)
        keys = [CollectionKey(audience, article_language, recipe) for audience in audiences]
        proposed: set[int] = set()
        for reading in readings:
            if reading.vector is not None:
                proposed.update(_nearest(keys, reading.vector, room, version))
            proposed.update(passage_id for passage_id, _bm25 in lexical.search(reading.terms, room))
    else:
        proposed = set(candidates_stored.filter(article_id__in=only_article_ids).values_list("pk", flat=True))

    rows = candidates_stored.answerable_by_id(proposed, user, language=article_language)
    found = order(
        readings,
        {
            key: Stored(row.article_id, bytes(row.vector), bytes(row.heading_vector), bytes(row.unit_vectors))
            for key, row in rows.items()
        },
        lexical,
        language=language,
        is_other_language=article_language != language,
        last_answer=lexical.terms(last_answer(history), language=language),
    )
    placed = reranked(found, lambda key: _read_text(rows[key]))
    return Retrieval(
        question=found.reading.text,
        question_language=language,
        article_language=article_language,
        recipe=recipe,
        passages=tuple(
            _retrieved(rows[one.candidate.passage_id], rank, one)
            for rank, one in enumerate(placed[:limit], start=1)
        ),
        article_ids=tuple(dict.fromkeys(one.candidate.article_id for one in placed)),
        lexical=lexical,
        terms=found.reading.terms,
        history=found.history,
    )


def search_articles(
    query: str,
    *,
    language: str,
    user: Reader = None,
    limit: int = 20,
    article_languages: Sequence[str] = (),
) -> list[tuple[Article, RetrievedPassage]]:
    """Articles for a search box, best first, each with its best passage.

    In the languages that were asked for, one after the other. Where none was, those in another language than the
    reader's follow only if the reader's own has next to nothing.
    """
    found: dict[int, RetrievedPassage] = {}
    others = (code for code in Language.values if code != language)
    for article_language in article_languages or (language, *others):
        if len(found) >= ENOUGH_RESULTS and not article_languages:
            break
        retrieval = retrieve(
            query, language=language, article_language=article_language, user=user, limit=POOL
        )
        best = retrieval.passages[0].fused if retrieval.passages else 0.0
        for passage in retrieval.passages:
            if passage.fused >= SEARCH_TAIL * best:
                found.setdefault(passage.article_id, passage)
    readable = Article.objects.published().visible_to(user).defer("body")
    articles = readable.select_related("category__parent__parent").in_bulk(list(found))
    return [(articles[key], passage) for key, passage in found.items() if key in articles][:limit]


def readable_words(*, language: str, user: Reader = None) -> LexicalIndex | None:
    """The words of what this reader could read a moment ago; None while there is no index yet.

    Who may read what now is for the caller's query.
    """
    generation = generations.live()
    if generation is None:
        return None
    key = word_index.Key(audiences_for(user), language, generation.recipe)
    return word_index.word_index(key, generation.version)


def similar_article_ids(article: Article, *, user: Reader = None, limit: int = 5) -> list[int]:
    """Articles that share the rarest words with its title, nearest first, by BM25 alone: no model is asked.

    As of `readable_words`: the caller asks the gate.
    """
    lexical = readable_words(language=article.language, user=user)
    if lexical is None:
        return []
    own = 0.0
    near: dict[int, None] = {}
    for article_id, value in lexical.search_articles(lexical.terms(article.title), POOL):
        if article_id == article.pk:
            own = max(own, value)
        elif value >= SIMILAR_SHARE * own:
            near.setdefault(article_id)
    return list(near)[:limit]


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


def _question_vector(
    generation: Generation | None, question: str, language: str
) -> "NDArray[np.float32] | None":
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


def _synonyms() -> Synonyms:
    return read_synonyms(tuple(SynonymGroup.objects.order_by("pk").values_list("language", "words")))


def _passages_of(article_ids: Collection[int]) -> int:
    return Passage.objects.current().filter(article_id__in=article_ids).count() if article_ids else 0


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
