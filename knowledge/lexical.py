"""Lexical search: BM25 over the passages of one language, held in memory.

Promise: an index is immutable and a pure function of its rows; `build(rows, previous=old)` equals
`build(rows)` and only saves the tokenising of rows that did not change. A question is read once (`terms`), into words
with the forms that each can be found under: its stem, parts of a compound, a spelling that the articles have, the
site's synonyms, translations. Any passage can be asked for its BM25 value, also one that another retriever found.

Refuses to decide who may see a passage, how BM25 is mixed with other signals, and whether a value is high
enough.

Method: BM25, Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework"; title and headings count as
weighted fields by repetition, as in BM25F (Robertson, Zaragoza & Taylor 2004). A word counts as its best form
(translations: Pirkola 1998 with the probabilities of Darwish & Oard 2003). Nearness: pairs of neighbours in the
question that stand together in the passage (Metzler & Croft 2005, sequential dependence). The only module that
imports bm25s.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from knowledge.dictionary import is_listed, translations
from knowledge.labels import Labels
from knowledge.synonyms import NO_SYNONYMS, Alternative, Synonyms
from knowledge.text import is_stopword, names_in, split_compound, stem, words

K1: Final = 0.7  # passages are short and of one length: a repeated word adds little
B: Final = 0.5
TITLE_WEIGHT: Final = 2  # times a title word counts
HEADING_WEIGHT: Final = 1
PART_WEIGHT: Final = 0.5  # of a whole word, for the parts of a compound in a question
SYNONYM_WEIGHT: Final = 0.8  # of a word itself, for what the site says means the same
SHORTEST_MISSPELT: Final = 5  # letters; shorter words have too many neighbours
LONG_WORD: Final = 8  # letters; from here on two slips are forgiven
MISSPELT_WEIGHT: Final = (0.9, 0.7)  # of a word found by one slip, by two
MOST_SPELLINGS: Final = 3
LONGEST_ENDING: Final = 2  # letters; where a stem has lost more, it meets words of another family
_APART: Final = np.array([-1, -1], dtype=np.int32)


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
    """One distinct word of a question, and what it can be found under."""

    term: str  # stem, in the question's language
    weight: float  # 0..1 per occurrence summed; compound parts count less than words
    idf: float  # >= 0, of its rarest form; of a word that no passage holds: the highest possible
    forms: tuple[
        tuple[str, float], ...
    ]  # indexed terms with what each counts, 0..1, best first; none: unknown
    is_name: bool = False  # a number, a code, or spelt like a name in the question
    is_asked: bool = True  # False: not a word of the question but of a synonym of several words

    @property
    def is_known(self) -> bool:
        """Whether any passage can be found under it."""
        return bool(self.forms)

    @property
    def stands_there(self) -> bool:
        """Whether a passage holds the word itself, and not only what it may stand for."""
        return any(form == self.term for form, _share in self.forms)

    @property
    def mass(self) -> float:
        """How much of the question it is."""
        return self.weight * self.idf if self.is_asked else 0.0


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
    _sequences: tuple[NDArray[np.int32], ...] = field(
        repr=False
    )  # by row: columns of its words in reading order
    _words: Mapping[str, int] = field(repr=False)  # as written, folded, with their counts: for spelling

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
            _sequences=tuple(_sequence(t, columns) for t in ordered),
            _words={
                word: count
                for word, count in counts.items()
                if len(word) >= SHORTEST_MISSPELT and word.isalpha()
            },
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

    def terms(
        self, question: str, *, language: str | None = None, synonyms: Synonyms = NO_SYNONYMS
    ) -> tuple[QuestionTerm, ...]:
        """The distinct words of a question in reading order; `language` is the question's, by default the index's.

        A word of the other language is looked for as it stands, which finds names, and by its translations. A word
        that neither the articles nor the dictionary know is taken for a slip of the pen.
        """
        language = language or self.language
        found: dict[str, QuestionTerm] = {}
        asked: list[str] = []
        names = names_in(question, language)
        for word in words(question, language):
            if is_stopword(word, language):
                continue
            own, *parts = self._read(word, language)
            asked.append(own.term)
            for entry in (own, *parts):
                known = found.get(entry.term)
                weight = entry.weight + (known.weight if known is not None else 0.0)
                found[entry.term] = replace(known or entry, weight=weight, is_name=word in names)
        for alternative in synonyms.of(asked, language, self.language):
            self._add_synonym(found, alternative)
        return tuple(found.values())

    def search(self, terms: Sequence[QuestionTerm], limit: int) -> list[tuple[int, float]]:
        """The best passages with a common term, as (passage id, BM25 > 0), best first, ties by passage id."""
        values = self._values(terms)
        found = np.flatnonzero(values > 0)
        order = np.lexsort((self.passage_ids[found], -values[found]))[:limit]
        return [(int(self.passage_ids[row]), float(values[row])) for row in found[order]]

    def search_articles(self, terms: Sequence[QuestionTerm], limit: int) -> list[tuple[int, float]]:
        """The articles of the best passages, as (article id, BM25 > 0) of each passage, best first."""
        return [
            (int(self.article_ids[self._row_of[passage_id]]), value)
            for passage_id, value in self.search(terms, limit)
        ]

    def scores(self, terms: Sequence[QuestionTerm], passage_ids: Sequence[int]) -> list[float | None]:
        """BM25 (>= 0) of each passage, in the order asked; None for a passage this index does not hold."""
        values = self._values(terms)
        rows = (self._row_of.get(passage_id) for passage_id in passage_ids)
        return [None if row is None else float(values[row]) for row in rows]

    def nearness(self, terms: Sequence[QuestionTerm], passage_ids: Sequence[int]) -> list[float]:
        """How much of the question stands together in each passage: idf mass, >= 0.

        A pair of neighbours counts the lower of its idfs, half of it with one word between; stop words do not count
        as words here.
        """
        rows = [self._row_of.get(passage_id) for passage_id in passage_ids]
        # Two places apart, so that the end of one passage is not near the beginning of the next.
        parts = [_APART if row is None else np.concatenate((self._sequences[row], _APART)) for row in rows]
        if not parts:
            return []
        sequence = np.concatenate(parts)
        starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        near = np.zeros(len(parts))
        places = [self._places(term, sequence) for term in terms if term.weight >= 1.0 and term.is_asked]
        idfs = [term.idf for term in terms if term.weight >= 1.0 and term.is_asked]
        for (one, other), idf in zip(pairwise(places), pairwise(idfs), strict=True):
            if one is None or other is None:
                continue
            together = np.zeros(len(sequence))
            for gap, share in ((2, 0.5), (1, 1.0)):
                together[:-gap][(one[:-gap] & other[gap:]) | (other[:-gap] & one[gap:])] = share
            near += min(idf) * np.maximum.reduceat(together, starts)
        return [float(value) for value in near]

    @property
    def highest_idf(self) -> float:
        """Of a term that no passage holds; grows with the size of the corpus, and BM25 with it."""
        return float(np.log(1.0 + (len(self) + 0.5) / 0.5))

    def idf(self, term: str) -> float:
        """Robertson-Sparck Jones idf, never negative; highest for a term seen nowhere."""
        column = self._terms.get(term)
        frequency = 0 if column is None else int(self._document_frequency[column])
        return float(np.log(1.0 + (len(self) - frequency + 0.5) / (frequency + 0.5)))

    def holds(self, term: QuestionTerm, passage_id: int) -> float:
        """How far a passage can be found under a word: what its best form there counts, 0..1; 0: it cannot."""
        row = self._row_of.get(passage_id)
        shares = (
            share for form, share in term.forms if row is not None and np.any(self._rows_with(form) == row)
        )
        return max(shares, default=0.0)

    def _rows_with(self, term: str) -> NDArray[np.int32]:
        column = self._terms.get(term)
        _data, rows, starts = self._postings
        return rows[:0] if column is None else rows[int(starts[column]) : int(starts[column + 1])]

    def _places(self, term: QuestionTerm, sequence: NDArray[np.int32]) -> NDArray[np.bool_] | None:
        columns = [self._terms[form] for form, _share in term.forms]
        return np.isin(sequence, columns) if columns else None

    def _read(self, word: str, language: str) -> list[QuestionTerm]:
        """The word first, then the parts of a compound, which count less."""
        if language != self.language:
            own = stem(word, language)
            forms = {stem(word, self.language): 1.0}
            for other, probability in translations(own, word, language, self.language):
                # The root: a rare but right translation is worth more than its probability says.
                forms[other] = max(forms.get(other, 0.0), probability**0.5)
            return [self._term(own, 1.0, forms)]
        whole, *parts = _analyse(word, language, self._frequencies)
        known_parts = [self._term(part, PART_WEIGHT, {part: 1.0}) for part in parts]
        forms = {whole: 1.0}
        if whole not in self._terms and not parts:
            forms = self._respelt(word, whole)
        return [self._term(whole, 1.0, forms), *known_parts]

    def _term(self, term: str, weight: float, forms: Mapping[str, float]) -> QuestionTerm:
        known = sorted(
            ((form, share) for form, share in forms.items() if form in self._terms), key=_best_first
        )
        idf = max((self.idf(form) for form, _share in known), default=self.highest_idf)
        return QuestionTerm(term, weight, idf, tuple(known))

    def _respelt(self, word: str, term: str) -> dict[str, float]:
        """Stems of the articles' words that a misspelt one may stand for: those that differ least."""
        if len(word) < SHORTEST_MISSPELT or not word.isalpha():
            return {}
        if len(word) - len(term) <= LONGEST_ENDING and is_listed(term, self.language):
            return {}
        from rapidfuzz import process  # compiled extension: loaded with the first unknown word
        from rapidfuzz.distance import OSA

        most = 1 if len(word) < LONG_WORD else 2
        near = process.extract(word, self._words.keys(), scorer=OSA.distance, score_cutoff=most, limit=20)
        if not near:
            return {}
        least = min(distance for _found, distance, _key in near)
        ranked = sorted(
            (found for found, distance, _key in near if distance == least),
            key=lambda found: (found[0] != word[0], -self._words[found], found),
        )
        share = MISSPELT_WEIGHT[int(least) - 1]
        return {stem(found, self.language): share for found in reversed(ranked[:MOST_SPELLINGS])}

    def _add_synonym(self, found: dict[str, QuestionTerm], alternative: Alternative) -> None:
        replaced, instead = alternative
        if len(replaced) == 1 and len(instead) == 1:
            entry = found[replaced[0]]
            if instead[0] in self._terms and instead[0] not in dict(entry.forms):
                forms = dict(entry.forms) | {instead[0]: SYNONYM_WEIGHT}
                found[replaced[0]] = replace(self._term(entry.term, entry.weight, forms), idf=entry.idf)
            return
        for term in instead:
            if term not in found and term in self._terms:
                weight = SYNONYM_WEIGHT * len(replaced) / len(instead)
                found[term] = QuestionTerm(term, weight, self.idf(term), ((term, 1.0),), is_asked=False)

    def _values(self, terms: Sequence[QuestionTerm]) -> NDArray[np.float32]:
        data, rows, starts = self._postings
        values = np.zeros(len(self), dtype=np.float32)
        for term in terms:
            of_word = values if len(term.forms) == 1 else np.zeros(len(self), dtype=np.float32)
            for form, share in term.forms:
                column = self._terms[form]
                # A passage occurs once in the postings of a term, so plain indexing reaches every value.
                span = slice(int(starts[column]), int(starts[column + 1]))
                gained = np.float32(term.weight * share) * data[span]
                if of_word is values:
                    values[rows[span]] += gained
                else:
                    of_word[rows[span]] = np.maximum(of_word[rows[span]], gained)
            if of_word is not values and term.forms:
                values += of_word
        return values


def _best_first(form: tuple[str, float]) -> tuple[float, str]:
    return -form[1], form[0]


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


def _sequence(tokens: _Tokens, columns: Mapping[str, tuple[int, ...]]) -> NDArray[np.int32]:
    fields: list[int] = []
    for part in (tokens.title, tokens.headings, tokens.text):
        fields.extend(columns[word][0] for word in part if columns[word])
        fields.extend(_APART.tolist())
    return np.array(fields, dtype=np.int32)


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
