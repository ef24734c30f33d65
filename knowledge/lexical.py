"""Lexical search: BM25 over the passages of one language, held in memory.

Promise: an index is immutable and a pure function of its rows; `build(rows, previous=old)` equals
`build(rows)` and only saves the tokenising of rows that did not change. Any passage can be asked for its BM25
value, also one that another retriever found.

Refuses to decide who may see a passage, how BM25 is mixed with other signals, and whether a value is high
enough.

Method: BM25, Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework"; title and headings count as
weighted fields by repetition, as in BM25F (Robertson, Zaragoza & Taylor 2004). The only module that imports
bm25s.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from knowledge.labels import Labels
from knowledge.text import is_stopword, split_compound, stem, words

K1: Final = 0.7  # passages are short and of one length: a repeated word adds little
B: Final = 0.5
TITLE_WEIGHT: Final = 2  # times a title word counts
HEADING_WEIGHT: Final = 1
PART_WEIGHT: Final = 0.5  # of a whole word, for the parts of a compound in a question


@dataclass(frozen=True, slots=True)
class LexicalRow:
    """One passage as the index takes it in."""

    passage_id: int
    article_id: int
    title: str
    headings: str  # heading path as text, "" when there is none
    text: str


@dataclass(frozen=True, slots=True)
class QuestionTerm:
    """One distinct term of a question."""

    term: str  # stem, as indexed
    weight: float  # 0..1 per occurrence summed; compound parts count less than words
    idf: float  # >= 0; of a term the corpus does not know: the highest possible
    is_known: bool  # whether any passage contains it


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The cached words of a row, and the row they were made from."""

    row: LexicalRow
    title: tuple[str, ...]
    headings: tuple[str, ...]
    text: tuple[str, ...]


@dataclass(frozen=True)
class LexicalIndex:
    """Immutable BM25 index; safe to share between threads, replaced as a whole."""

    language: str
    passage_ids: NDArray[np.int64]
    article_ids: NDArray[np.int64]
    _tokens: Mapping[int, _Tokens] = field(repr=False)
    _terms: Mapping[str, int] = field(repr=False)  # term -> column
    word_counts: Mapping[str, int] = field(repr=False)  # folded words as written, stop words included
    _frequencies: Mapping[str, int] = field(repr=False)  # stems of whole words, for splitting compounds
    _document_frequency: NDArray[np.int64] = field(repr=False)
    _row_of: Mapping[int, int] = field(repr=False)
    _postings: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]] = field(repr=False)

    @classmethod
    def build(
        cls, rows: Iterable[LexicalRow], *, language: str, previous: LexicalIndex | None = None
    ) -> LexicalIndex:
        """Index the rows; words of rows that `previous` already holds unchanged are taken from there."""
        known = previous._tokens if previous is not None and previous.language == language else {}
        tokens: dict[int, _Tokens] = {}
        for row in rows:
            cached = known.get(row.passage_id)
            if cached is None or cached.row != row:
                cached = _tokenise(row, language)
            tokens[row.passage_id] = cached
        ordered = [tokens[passage_id] for passage_id in sorted(tokens)]
        counts = Counter(chain.from_iterable(chain(t.title, t.headings, t.text) for t in ordered))
        frequencies: Counter[str] = Counter()
        for word, count in counts.items():
            if not is_stopword(word, language):
                frequencies[stem(word, language)] += count
        vocabulary: dict[str, int] = {}
        columns = {word: _columns(word, language, frequencies, vocabulary) for word in counts}
        documents = [_document(t, columns) for t in ordered]
        passage_ids = np.array([t.row.passage_id for t in ordered], dtype=np.int64)
        postings = _postings(documents, vocabulary)
        return cls(
            language=language,
            passage_ids=passage_ids,
            article_ids=np.array([t.row.article_id for t in ordered], dtype=np.int64),
            _tokens=tokens,
            word_counts=counts,
            _terms=vocabulary,
            _frequencies=frequencies,
            _document_frequency=np.diff(postings[2]),
            _row_of={int(passage_id): row for row, passage_id in enumerate(passage_ids)},
            _postings=postings,
        )

    def __len__(self) -> int:
        return len(self.passage_ids)

    @cached_property
    def labels(self) -> Labels:
        """The words of titles and headings by themselves."""
        rows = (
            (passage_id, tokens.row.article_id, tokens.title, tokens.headings)
            for passage_id, tokens in self._tokens.items()
        )
        return Labels.read(rows)

    def search(self, question: str, limit: int) -> list[tuple[int, float]]:
        """The best passages with a common term, as (passage id, BM25 > 0), best first, ties by passage id."""
        values = self._values(question)
        found = np.flatnonzero(values > 0)
        order = np.lexsort((self.passage_ids[found], -values[found]))[:limit]
        return [(int(self.passage_ids[row]), float(values[row])) for row in found[order]]

    def search_articles(self, question: str, limit: int) -> list[tuple[int, float]]:
        """The articles of the best passages, as (article id, BM25 > 0) of each passage, best first."""
        values = self._values(question)
        found = np.flatnonzero(values > 0)
        order = np.lexsort((self.passage_ids[found], -values[found]))[:limit]
        return [(int(self.article_ids[row]), float(values[row])) for row in found[order]]

    def scores(self, question: str, passage_ids: Sequence[int]) -> list[float | None]:
        """BM25 (>= 0) of each passage, in the order asked; None for a passage this index does not hold."""
        values = self._values(question)
        rows = (self._row_of.get(passage_id) for passage_id in passage_ids)
        return [None if row is None else float(values[row]) for row in rows]

    def terms(self, question: str) -> list[QuestionTerm]:
        """Distinct terms of a question with idf, in reading order."""
        return [
            QuestionTerm(term=term, weight=weight, idf=self.idf(term), is_known=term in self._terms)
            for term, weight in self._weights(question).items()
        ]

    @property
    def highest_idf(self) -> float:
        """Of a term that no passage holds; grows with the size of the corpus, and BM25 with it."""
        return float(np.log(1.0 + (len(self) + 0.5) / 0.5))

    def idf(self, term: str) -> float:
        """Robertson-Sparck Jones idf, never negative; highest for a term seen nowhere."""
        column = self._terms.get(term)
        frequency = 0 if column is None else int(self._document_frequency[column])
        return float(np.log(1.0 + (len(self) - frequency + 0.5) / (frequency + 0.5)))

    def holds(self, term: str, passage_id: int) -> bool:
        """Whether a passage can be found under a term."""
        return bool(np.any(self.passage_ids[self._rows_with(term)] == passage_id))

    def _rows_with(self, term: str) -> NDArray[np.int32]:
        column = self._terms.get(term)
        _data, rows, starts = self._postings
        return rows[:0] if column is None else rows[int(starts[column]) : int(starts[column + 1])]

    def _weights(self, question: str) -> dict[str, float]:
        weights: dict[str, float] = {}
        for word in words(question, self.language):
            if is_stopword(word, self.language):
                continue
            whole, *parts = _analyse(word, self.language, self._frequencies)
            weights[whole] = weights.get(whole, 0.0) + 1.0
            for part in parts:
                weights[part] = weights.get(part, 0.0) + PART_WEIGHT
        return weights

    def _values(self, question: str) -> NDArray[np.float32]:
        data, rows, starts = self._postings
        values = np.zeros(len(self), dtype=np.float32)
        for term, weight in self._weights(question).items():
            column = self._terms.get(term)
            if column is not None:
                # A passage occurs once in the postings of a term, so plain indexing adds every value.
                span = slice(int(starts[column]), int(starts[column + 1]))
                values[rows[span]] += np.float32(weight) * data[span]
        return values


def _tokenise(row: LexicalRow, language: str) -> _Tokens:
    return _Tokens(
        row=row,
        title=tuple(words(row.title, language)),
        headings=tuple(words(row.headings, language)),
        text=tuple(words(row.text, language)),
    )


def _analyse(word: str, language: str, frequencies: Mapping[str, int]) -> tuple[str, ...]:
    """The stem of a word first, then the stems of its parts when it is a compound of words of this corpus."""
    whole = stem(word, language)
    return (whole, *(part for part in split_compound(word, frequencies, language) if part != whole))


def _columns(
    word: str, language: str, frequencies: Mapping[str, int], vocabulary: dict[str, int]
) -> tuple[int, ...]:
    if is_stopword(word, language):
        return ()
    return tuple(
        vocabulary.setdefault(term, len(vocabulary)) for term in _analyse(word, language, frequencies)
    )


def _document(tokens: _Tokens, columns: Mapping[str, tuple[int, ...]]) -> list[int]:
    fields = chain(tokens.title * TITLE_WEIGHT, tokens.headings * HEADING_WEIGHT, tokens.text)
    return list(chain.from_iterable(columns[word] for word in fields))


def _postings(
    documents: Sequence[Sequence[int]], vocabulary: Mapping[str, int]
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
    """BM25 contributions term by term: values, their passage rows, and where each term starts."""
    if not vocabulary:
        return np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(1, np.int64)
    import bm25s  # loaded with the first index, not with the module

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it turns itself to DEBUG on import
    ranker = bm25s.BM25(k1=K1, b=B, method="lucene")
    ranker.index((documents, dict(vocabulary)), show_progress=False, create_empty_token=False)
    scores: dict[str, Any] = ranker.scores
    return (
        np.asarray(scores["data"], dtype=np.float32),
        np.asarray(scores["indices"], dtype=np.int32),
        np.asarray(scores["indptr"], dtype=np.int64),
    )
