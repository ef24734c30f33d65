"""The help center as it is and as it would be after a change, in memory, from one reading of the database.

Promise: both sides answer by the very `look` that `knowledge.retrieval.retrieve` is, over the passages that are and
that would be answerable; nothing is written anywhere. The vectors are searched exactly, on both sides. What is
compared is one moment: passages that are replaced meanwhile end the trial (`Overtaken`).

Refuses to decide: what a question is worth, and whose questions are asked. Where the vector of a question comes from
is the caller's business (`Encode`), so that a thousand questions need no model.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from django.db.models import Max

from knowledge import exact, generations, word_index
from knowledge.indexing.embedding import embed, passage_row, stored_vectors
from knowledge.indexing.planning import plan_article
from knowledge.lexical import LexicalIndex, LexicalRow
from knowledge.models import Article, Generation, Passage, Reader, audiences_for
from knowledge.retrieval import PASSAGES, Retrieval, look, site_synonyms
from knowledge.synonyms import Synonyms

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS: Final = 2000  # in one query
_SHOWN: Final = ("title", "slug", "language", "audience")  # of an article, where a passage of it is found
_LOOKS_REMEMBERED: Final = 8
_VECTORS_REMEMBERED: Final = 16  # a question is looked for in several ways, before and after

Encode: TypeAlias = "Callable[[str, str], NDArray[np.float32] | None]"  # of a wording and its language


class Overtaken(Exception):
    """Passages were replaced while they were being compared. Beginning again helps."""


@dataclass(frozen=True)
class Change:
    """What would be done at once."""

    published: tuple[
        Article, ...
    ] = ()  # stored articles with the text and audience they would have; never saved
    withdrawn: frozenset[int] = frozenset()  # articles that would be out of everybody's sight

    @property
    def article_ids(self) -> frozenset[int]:
        return self.withdrawn | {article.pk for article in self.published}


class Trial:
    """`before` and `after` a change. For one thread; 20 000 passages take about 300 MB."""

    def __init__(self, change: Change, encode: Encode) -> None:
        """Reads what would be published, and embeds it where that is new: raises EmbedderUnavailable."""
        generation = generations.in_service()
        self.recipe, self.version = generation.recipe, generation.version
        self.change = change
        self._shared = _Shared(generation, change, encode, site_synonyms(), _would_be(change, generation))
        self.before = View(self._shared, Change(), is_after=False)
        self.after = View(self._shared, change, is_after=True)

    def expect(self, wordings: Iterable[tuple[str, str]]) -> None:
        """(text, language) of what is looked for next: together they are compared several times as quickly."""
        vectors = (self._shared.encode(text, language) for text, language in wordings)
        known = {_as_bytes(vector): vector for vector in vectors if vector is not None}
        self._shared.expected = _Expected(
            {key: row for row, key in enumerate(known)},
            np.stack(list(known.values())) if known else np.zeros((0, 0), dtype=np.float32),
        )


class View:
    """One side of a trial."""

    def __init__(self, shared: "_Shared", change: Change, *, is_after: bool) -> None:
        self._shared = shared
        self._change = change  # that this side has seen
        self._is_after = is_after
        self.translation_of = lru_cache(maxsize=None)(self._translation_of)

    def retrieve(
        self,
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
        """As `knowledge.retrieval.retrieve`. Raises Overtaken."""
        shelf = self._shelf(article_language or language, audiences_for(user))
        only = None if only_article_ids is None else frozenset(only_article_ids)
        return shelf.retrieve(
            question, language, limit, tuple(history), frozenset(excluded_article_ids), only
        )

    def _translation_of(self, article_id: int, language: str) -> int | None:
        """As `knowledge.retrieval.translation_of`, which knows nothing of what is only planned."""
        planned = {article.pk: article for article in self._change.published}
        own = planned.get(article_id) or Article.objects.filter(pk=article_id).defer("body").first()
        if own is None or not own.translation_group:
            return None
        for article in planned.values():
            if (article.translation_group, article.language) == (own.translation_group, language):
                return article.pk
        linked = Article.objects.published().filter(
            translation_group=own.translation_group, language=language
        )
        return linked.exclude(pk__in=self._change.article_ids).values_list("pk", flat=True).first()

    def _shelf(self, language: str, audiences: tuple[str, ...]) -> "_Shelf":
        return self._shared.stock(language).shelf(self._is_after, audiences)


@dataclass(frozen=True)
class _Expected:
    """Vectors that are about to be looked for."""

    rows: Mapping[bytes, int]
    vectors: "NDArray[np.float32]"  # (rows, dimension)


@dataclass
class _Shared:
    """What both sides read."""

    generation: Generation
    change: Change
    encode: Encode
    synonyms: Synonyms
    planned: tuple[Passage, ...]  # with their articles
    stocks: "dict[str, _Stock]" = field(default_factory=dict)
    expected: _Expected = field(default_factory=lambda: _Expected({}, np.zeros((0, 0), dtype=np.float32)))

    def stock(self, language: str) -> "_Stock":
        if language not in self.stocks:
            self.stocks[language] = _Stock(self, language)
        return self.stocks[language]


class _Stock:
    """The passages of one language that are answerable before, after or both, in the order of their ids."""

    def __init__(self, shared: _Shared, language: str) -> None:
        self._shared = shared
        self.language = language
        recipe = shared.generation.recipe
        current = Passage.objects.current().filter(recipe=recipe, article__language=language)
        stored = list(word_index.lexical_rows(current))
        planned = [row for row in shared.planned if row.article.language == language]
        words = [row for _audience, row in stored] + [_lexical(row) for row in planned]
        order = sorted(
            range(len(words)), key=lambda place: words[place].passage_id
        )  # stable: stored ones first
        audiences = [audience for audience, _row in stored] + [row.article.audience for row in planned]
        touched = shared.change.article_ids
        self._words = [words[place] for place in order]
        self._audiences = np.array([str(audiences[place]) for place in order], dtype=np.str_)
        self._is_stored = np.array([place < len(stored) for place in order], dtype=bool)
        self._is_after = np.array(
            [place >= len(stored) or words[place].article_id not in touched for place in order], dtype=bool
        )
        self._rows: dict[int, Passage] = {
            place: planned[number - len(stored)]
            for place, number in enumerate(order)
            if number >= len(stored)
        }
        self._articles: dict[int, Article] = {}  # as stored
        self._matrix = self._read_vectors()
        self._one_by_one = lru_cache(maxsize=_VECTORS_REMEMBERED)(self._cosines)
        self._together: tuple[_Expected, NDArray[np.float32]] | None = None  # (vectors, passages)
        self._indexes: dict[tuple[str, ...], LexicalIndex] = {}
        self._shelves: dict[tuple[bool, tuple[str, ...]], _Shelf] = {}

    def shelf(self, is_after: bool, audiences: tuple[str, ...]) -> "_Shelf":
        """The same for both sides where the change is not about these passages."""
        readable = np.isin(self._audiences, [str(one) for one in audiences])
        sides = self._is_stored & readable, self._is_after & readable
        if np.array_equal(*sides):
            is_after = False
        if (is_after, audiences) not in self._shelves:
            self._shelves[is_after, audiences] = self._made(np.flatnonzero(sides[is_after]), audiences)
        return self._shelves[is_after, audiences]

    def _made(self, places: "NDArray[np.int64]", audiences: tuple[str, ...]) -> "_Shelf":
        key = word_index.Key(audiences, self.language, self._shared.generation.recipe)
        lexical = self._indexes[audiences] = LexicalIndex.build(
            (self._words[place] for place in places.tolist()),
            language=self.language,
            # Words are the work of it, and those of most passages were read for the other side.
            previous=self._indexes.get(audiences) or word_index.held(key),
        )
        return _Shelf(self, self._shared, places, lexical)

    def ids(self, places: Iterable[int]) -> list[int]:
        return [self._words[place].passage_id for place in places]

    def article_ids(self, places: Iterable[int]) -> list[int]:
        return [self._words[place].article_id for place in places]

    def passages(self, places: Sequence[int]) -> list[Passage]:
        """Their rows with their articles; each is read once. Raises Overtaken."""
        missing = [place for place in places if place not in self._rows]
        if missing:
            rows = Passage.objects.in_bulk(self.ids(missing))
            unknown = set(self.article_ids(missing)) - self._articles.keys()
            if unknown:
                self._articles |= Article.objects.only(*_SHOWN).in_bulk(unknown)
            for place in missing:
                words = self._words[place]
                row, article = rows.get(words.passage_id), self._articles.get(words.article_id)
                if row is None or article is None:
                    raise Overtaken
                row.article = article
                self._rows[place] = row
        return [self._rows[place] for place in places]

    def cosines(self, vector: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Of every passage, (passages,)."""
        key, expected = _as_bytes(vector), self._shared.expected
        row = expected.rows.get(key)
        if row is None:
            return self._one_by_one(key)
        if self._together is None or self._together[0] is not expected:
            self._together = expected, expected.vectors @ self._matrix.T
        return np.asarray(self._together[1][row], dtype=np.float32)

    def _cosines(self, vector: bytes) -> "NDArray[np.float32]":
        return np.asarray(self._matrix @ np.frombuffer(vector, dtype="<f4"), dtype=np.float32)

    def _read_vectors(self) -> "NDArray[np.float32]":
        stored = [place for place in range(len(self._words)) if place not in self._rows]
        found: dict[int, bytes] = {}
        for start in range(0, len(stored), _ROWS):
            rows = Passage.objects.filter(pk__in=self.ids(stored[start : start + _ROWS])).order_by()
            found.update((pk, bytes(vector)) for pk, vector in rows.values_list("pk", "vector"))
        if any(key not in found for key in self.ids(stored)):
            raise Overtaken
        vectors = [
            found[words.passage_id] if place not in self._rows else bytes(self._rows[place].vector)
            for place, words in enumerate(self._words)
        ]
        if not vectors:
            return np.zeros((0, 0), dtype=np.float32)
        return np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1)


class _Shelf:
    """`knowledge.retrieval.Shelf` over a part of a stock."""

    def __init__(
        self, stock: _Stock, shared: _Shared, places: "NDArray[np.int64]", lexical: LexicalIndex
    ) -> None:
        self.language, self.recipe = stock.language, shared.generation.recipe
        self.synonyms, self.lexical = shared.synonyms, lexical
        self._stock, self._encode, self._places = stock, shared.encode, places
        self._ids = np.array(stock.ids(places.tolist()), dtype=np.int64)
        self._place_of = dict(zip(self._ids.tolist(), places.tolist(), strict=True))
        self._of_article: dict[int, list[int]] = {}
        for passage_id, article_id in zip(
            self._ids.tolist(), stock.article_ids(places.tolist()), strict=True
        ):
            self._of_article.setdefault(article_id, []).append(passage_id)

        # Both sides of an unchanged shelf ask the same, one after the other.
        self.retrieve = lru_cache(maxsize=_LOOKS_REMEMBERED)(self._retrieve)

    def _retrieve(
        self,
        question: str,
        language: str,
        limit: int,
        history: tuple[str, ...],
        excluded: frozenset[int],
        only: frozenset[int] | None,
    ) -> Retrieval:
        return look(
            self,
            question,
            language=language,
            limit=limit,
            history=history,
            excluded_article_ids=excluded,
            only_article_ids=only,
        ).retrieval

    def vector(self, wording: str, language: str) -> "NDArray[np.float32] | None":
        return self._encode(wording, language)

    def nearest(self, vector: "NDArray[np.float32]", limit: int) -> list[int]:
        if not len(self._ids):
            return []
        cosines = self._stock.cosines(vector)[self._places]
        return [int(self._ids[place]) for place in exact.highest(cosines, limit)]

    def passages_of(self, article_ids: Collection[int]) -> list[int]:
        return [key for article_id in article_ids for key in self._of_article.get(article_id, ())]

    def answerable(self, passage_ids: Collection[int]) -> Mapping[int, Passage]:
        known = [key for key in passage_ids if key in self._place_of]
        rows = self._stock.passages([self._place_of[key] for key in known])
        return dict(zip(known, rows, strict=True))


def _would_be(change: Change, generation: Generation) -> tuple[Passage, ...]:
    """The passages of what would be published, as a sync would leave them: new ones come last, as new ids do."""
    first_free = (Passage.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
    found: list[Passage] = []
    for article in change.published:
        rows = _as_stored(article, generation)
        if not rows:
            rows = _planned(article, generation)
            for number, row in enumerate(rows, start=first_free):
                row.pk = number
            first_free += len(rows)
        for row in rows:
            row.article = article
        found.extend(rows)
    return tuple(found)


def _as_stored(article: Article, generation: Generation) -> list[Passage]:
    """Those of a text that was indexed before: a sync leaves their rows alone."""
    stored = Article.objects.filter(pk=article.pk).first()
    if stored is None or _text(stored) != _text(article):
        return []
    written = Passage.objects.as_written().filter(article_id=article.pk, recipe=generation.recipe)
    return list(written.order_by("position"))


def _planned(article: Article, generation: Generation) -> list[Passage]:
    embedder = generations.embedder_of(generation)
    plan = plan_article(
        article,
        recipe=generation.recipe,
        count_tokens=partial(embedder.count_tokens, language=article.language),
        max_tokens=embedder.max_tokens,
    )
    vectors = stored_vectors([passage.content_hash for passage in plan.passages], generation)
    vectors |= embed(
        [passage for passage in plan.passages if passage.content_hash not in vectors], generation
    )
    return [
        passage_row(plan, passage, vectors[passage.content_hash], generation) for passage in plan.passages
    ]


def _as_bytes(vector: "NDArray[np.float32]") -> bytes:
    return np.asarray(vector, dtype="<f4").tobytes()


def _text(article: Article) -> tuple[str, str, str]:
    return article.title, article.body, article.language


def _lexical(row: Passage) -> LexicalRow:
    assert row.pk is not None
    return word_index.lexical_row(
        row.pk, row.article_id, row.article.title, row.heading_path, row.preface, row.text
    )
