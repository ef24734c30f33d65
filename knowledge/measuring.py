"""What an embedding model is worth on labelled questions, on sentence pairs and on a probe; no database.

Passages are cut, indexed and ranked as on a site, and searched exactly. `measured` tells the signals apart:
vectors of the passages alone, with the headings', BM25 alone, and the mix that customers get. `knowledge.pools`
makes of it what is fitted on.
"""

import json
import pickle
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge.embeddings import Embedder, current_recipe, get_embedder
from knowledge.followups import last_answer, together
from knowledge.fusion import Mix
from knowledge.fusion_fitting import LabelledPool, Measured, measure
from knowledge.importers import Entry, UnusablePath, open_source
from knowledge.indexing import PlannedPassage, plan_article
from knowledge.labelled import LabelledQuestion
from knowledge.language import SHORT, detect_language, most_likely_language
from knowledge.lexical import LexicalIndex, LexicalRow
from knowledge.models import Article, Language, Reader
from knowledge.plaintext import join_preface
from knowledge.ranking import Placed, Reading, Stored, order
from knowledge.reranking import reranked
from knowledge.retrieval import PASSAGES, POOL, Retrieval, RetrievedPassage
from knowledge.units import rows_to_int8

if TYPE_CHECKING:
    from numpy.typing import NDArray


DEMO = Path(__file__).with_name("demo")
_TEXTS_IN_A_CALL = 32
_NUMBERS_APART = 1_000_000  # article numbers of two languages
PROBE = Path(__file__).with_name("german") / "probe.jsonl"


@dataclass(frozen=True)
class IndexedArticles:
    """The passages of a help center in one language, in memory; a passage's id is its place."""

    language: str
    numbers: dict[str, int]  # external id -> article number here
    titles: dict[int, str]  # by article number
    passages: tuple[PlannedPassage, ...]
    stored: tuple[Stored, ...]  # of each passage, as the database would hold it
    vectors: "NDArray[np.float32]"  # (passages, dimension), unit length
    lexical: LexicalIndex


class QuestionReader:
    """An embedder that reads many questions at once and remembers them."""

    def __init__(self, embedder: Embedder, *, kept: Path | None = None) -> None:
        """`kept` is where `keep` leaves the vectors for the next time."""
        self._embedder = embedder
        self._kept = kept
        self._known: dict[tuple[str, str], NDArray[np.float32]] = {}
        if kept is not None and kept.exists():
            self._known = pickle.loads(kept.read_bytes())  # noqa: S301 - our own file

    def keep(self) -> None:
        if self._kept is not None:
            self._kept.write_bytes(pickle.dumps(self._known))

    def learn(self, texts: Iterable[tuple[str, str]]) -> None:
        """(language, text) of questions that will be asked."""
        by_language: dict[str, list[str]] = {}
        for language, text in dict.fromkeys(texts):
            if (language, text) not in self._known:
                by_language.setdefault(language, []).append(text)
        for language, new in by_language.items():
            vectors = self._embedder.encode_questions(new, language=language)
            self._known.update(((language, text), row) for text, row in zip(new, vectors, strict=True))

    def encode_question(self, text: str, *, language: str) -> "NDArray[np.float32]":
        if (language, text) not in self._known:
            self.learn([(language, text)])
        return self._known[language, text]


def read_set(folder: Path, *, work: Path | None = None) -> dict[str, IndexedArticles]:
    """The articles of a set, a folder with `articles.jsonl` or with files as `import_articles` reads them, by language.

    In `work` they are kept with their vectors, for as long as the recipe is the same. Raises UnusablePath where there
    are none in any language.
    """
    source = folder / "articles.jsonl"
    found: dict[str, IndexedArticles] = {}
    problem: UnusablePath | None = None
    for place, language in enumerate(Language.values):
        kept = work / f"{folder.name}.{language}.{_recipe()}.pickle" if work is not None else None
        try:
            if kept is not None and kept.exists():
                found[language] = pickle.loads(kept.read_bytes())  # noqa: S301 - our own file
                continue
            found[language] = index_articles(
                source if source.exists() else folder,
                language=language,
                embedder=get_embedder(),
                first_number=place * _NUMBERS_APART,
            )
            if kept is not None:
                kept.write_bytes(pickle.dumps(found[language]))
        except UnusablePath as error:  # a set may be in one language alone
            problem = error
    if not found and problem is not None:
        raise problem
    return found


def kept_questions(folder: Path, work: Path) -> Path:
    """Where a set's questions are kept with their vectors."""
    return work / f"{folder.name}.questions.{_recipe()}.pickle"


def _recipe() -> str:
    return current_recipe().fingerprint[:16]


def index_articles(
    path: Path, *, language: str, embedder: Embedder, first_number: int = 0
) -> IndexedArticles:
    """Articles as `import_articles` reads them. Raises UnusablePath where none is in that language."""
    entries = [
        entry for entry in open_source(path).read() if isinstance(entry, Entry) and entry.language == language
    ]
    if not entries:
        raise UnusablePath(f"{path}: no article in {language!r}.")
    numbers: dict[str, int] = {}
    article_of: list[int] = []
    planned: list[PlannedPassage] = []
    rows: list[LexicalRow] = []
    for entry in entries:
        number = numbers.setdefault(entry.external_id, first_number + len(numbers))
        plan = plan_article(
            Article(language=language, title=entry.title, body=entry.body),
            recipe="",
            count_tokens=partial(embedder.count_tokens, language=language),
            max_tokens=embedder.max_tokens,
        )
        for passage in plan.passages:
            planned.append(passage)
            article_of.append(number)
            text = join_preface(passage.chunk.preface, passage.chunk.text)
            rows.append(
                LexicalRow(len(rows), number, entry.title, " ".join(passage.chunk.heading_path), text)
            )
    headings = {text: place for place, text in enumerate(dict.fromkeys(one.heading for one in planned))}
    of_headings = embedder.encode_passages(list(headings), language=language)
    vectors, units = _bodies(planned, embedder, language)
    return IndexedArticles(
        language=language,
        numbers=numbers,
        titles={numbers[entry.external_id]: entry.title for entry in entries},
        passages=tuple(planned),
        stored=tuple(
            Stored(number, row.tobytes(), of_headings[headings[passage.heading]].tobytes(), of_units)
            for number, row, passage, of_units in zip(article_of, vectors, planned, units, strict=True)
        ),
        vectors=vectors,
        lexical=LexicalIndex.build(rows, language=language),
    )


def _bodies(
    planned: Sequence[PlannedPassage], embedder: Embedder, language: str
) -> "tuple[NDArray[np.float32], tuple[bytes, ...]]":
    order_of_length = sorted(range(len(planned)), key=lambda place: len(planned[place].embedded))
    vectors = np.zeros((len(planned), embedder.dimension), dtype=np.float32)
    units: dict[int, bytes] = {}
    for start in range(0, len(order_of_length), _TEXTS_IN_A_CALL):
        places = order_of_length[start : start + _TEXTS_IN_A_CALL]
        rows, parts = embedder.encode_with_parts(
            [planned[place].embedded for place in places],
            [planned[place].units for place in places],
            language=language,
        )
        vectors[places] = rows
        units.update(zip(places, map(rows_to_int8, parts), strict=True))
    return vectors, tuple(units[place] for place in range(len(planned)))


def read_wording(
    articles: IndexedArticles, text: str, *, language: str, reader: QuestionReader
) -> tuple[Reading, set[int]]:
    """A question as the index reads it, and the places of the passages that both retrievers propose."""
    vector = reader.encode_question(text, language=language)
    reading = Reading(text, articles.lexical.terms(text, language=language), vector)
    nearest = np.argsort(-(articles.vectors @ vector), kind="stable")[:POOL].tolist()
    return reading, {*nearest, *(row for row, _bm25 in articles.lexical.search(reading.terms, POOL))}


class MemoryHelpCenter:
    """A help center without a database: `retrieve` answers as `knowledge.retrieval.retrieve` does."""

    def __init__(self, articles: Iterable[IndexedArticles], reader: QuestionReader) -> None:
        """Article numbers of two languages must not meet: see `first_number` of `index_articles`."""
        self._articles = {one.language: one for one in articles}
        self.reader = reader

    def article_ids(self) -> dict[str, list[int]]:
        """By external id."""
        found: dict[str, list[int]] = {}
        for articles in self._articles.values():
            for key, number in articles.numbers.items():
                found.setdefault(key, []).append(number)
        return found

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._articles)

    def retrieve(
        self,
        question: str,
        *,
        language: str,
        article_language: str | None = None,
        user: Reader = None,  # noqa: ARG002 - nothing is hidden from anybody here
        history: Sequence[str] = (),
        excluded_article_ids: Collection[int] = frozenset(),
        only_article_ids: Collection[int] | None = None,
    ) -> Retrieval:
        articles = self._articles.get(article_language or language)
        if articles is None:
            return self._nothing(question, language, article_language or language)
        hidden = set(excluded_article_ids)
        readings: list[Reading] = []
        proposed: set[int] = set()
        for wording in (question, together(question, history)):
            if wording:
                reading, found = read_wording(articles, wording, language=language, reader=self.reader)
                readings.append(reading)
                proposed |= found
        if hidden:
            proposed |= self._more(articles, readings, hidden)
        stored = {
            row: one
            for row in proposed
            if (one := articles.stored[row]).article_id not in hidden
            and (only_article_ids is None or one.article_id in only_article_ids)
        }
        ranked = order(
            readings,
            stored,
            articles.lexical,
            language=language,
            is_other_language=articles.language != language,
            last_answer=articles.lexical.terms(last_answer(history), language=language),
        )
        placed = reranked(ranked, lambda row: articles.passages[row].embedded)
        return Retrieval(
            question=ranked.reading.text,
            question_language=language,
            article_language=articles.language,
            recipe="",
            passages=tuple(
                self._passage(articles, rank, one) for rank, one in enumerate(placed[:PASSAGES], start=1)
            ),
            article_ids=tuple(dict.fromkeys(one.candidate.article_id for one in placed)),
            lexical=articles.lexical,
            terms=ranked.reading.terms,
            history=ranked.history,
        )

    def _more(self, articles: IndexedArticles, readings: Sequence[Reading], hidden: set[int]) -> set[int]:
        """As many proposals more as passages are hidden, as retrieval asks for."""
        room = POOL + sum(one.article_id in hidden for one in articles.stored)
        found: set[int] = set()
        for reading in readings:
            assert reading.vector is not None
            found.update(np.argsort(-(articles.vectors @ reading.vector), kind="stable")[:room].tolist())
            found.update(row for row, _bm25 in articles.lexical.search(reading.terms, room))
        return found

    def _passage(self, articles: IndexedArticles, rank: int, placed: Placed) -> RetrievedPassage:
        candidate = placed.candidate
        planned = articles.passages[candidate.passage_id]
        chunk = planned.chunk
        return RetrievedPassage(
            passage_id=candidate.passage_id,
            article_id=candidate.article_id,
            revision=1,
            title=articles.titles[candidate.article_id],
            heading_path=chunk.heading_path,
            url="",
            text=chunk.text,
            start=chunk.start,
            end=chunk.end,
            language=articles.language,
            rank=rank,
            cosine=candidate.cosine,
            bm25=candidate.bm25,
            fused=placed.fused,
            is_other_language=candidate.is_other_language,
            heading_cosine=candidate.heading_cosine,
            preface=chunk.preface,
            unit_cosines=placed.unit_cosines,
            nearness=candidate.nearness,
        )

    def _nothing(self, question: str, language: str, article_language: str) -> Retrieval:
        empty = LexicalIndex.build([], language=article_language)
        return Retrieval(
            question, language, article_language, "", (), (), empty, empty.terms(question, language=language)
        )


def measured(found: Sequence[LabelledPool], mix: Mix) -> dict[str, Measured]:
    """What each signal is worth alone, and the mix."""
    signals: dict[str, dict[str, Any]] = {
        "dense": {"bm25": None, "heading_cosine": None, "unit_cosine": None, "nearness": 0.0},
        "dense with headings": {"bm25": None, "unit_cosine": None, "nearness": 0.0},
        "BM25": {"cosine": None, "heading_cosine": None, "unit_cosine": None, "nearness": 0.0},
        "mixed": {},
    }
    return {
        name: measure(
            [
                replace(pool, candidates=tuple(replace(one, **left_out) for one in pool.candidates))
                for pool in found
            ],
            mix,
        )
        for name, left_out in signals.items()
    }


def translation_accuracy(
    german: Sequence[str], english: Sequence[str], *, embedder: Embedder
) -> dict[str, float]:
    """Share of texts whose translation is the nearest of all, each way, and the mean cosine of translations."""
    first = embedder.encode_passages(german, language="de")
    second = embedder.encode_passages(english, language="en")
    cosines = first @ second.T
    right = np.arange(len(german))
    return {
        "German to English": float((cosines.argmax(axis=1) == right).mean()),
        "English to German": float((cosines.argmax(axis=0) == right).mean()),
        "mean cosine": float(np.diag(cosines).mean()),
    }


def routing_accuracy(questions: Sequence[LabelledQuestion]) -> dict[str, dict[str, float]]:
    """By language and length: the share of questions told right by their words alone, and with the page's help."""
    figures: dict[str, dict[str, float]] = {}
    for language in Language.values:
        own = [question.text for question in questions if question.language == language]
        for name, texts in (
            (f"{language}, short", [text for text in own if len(text) < SHORT]),
            (f"{language}, longer", [text for text in own if len(text) >= SHORT]),
        ):
            if texts:
                alone = [most_likely_language(text, tuple(Language.values)) for text in texts]
                helped = [detect_language(text, fallback=language) for text in texts]
                figures[name] = {
                    "by its words": alone.count(language) / len(texts),
                    "on a page in its language": helped.count(language) / len(texts),
                    "questions": len(texts),
                }
    return figures


def probe_accuracy(
    articles: IndexedArticles, probe: Path, *, embedder: Embedder
) -> dict[str, dict[str, float]]:
    """By kind of spelling: hit@1 of the plain question and of its variant by vectors alone, and their cosine."""
    rows = [json.loads(line) for line in probe.read_text(encoding="utf-8").splitlines()]
    figures: dict[str, dict[str, float]] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        members = [row for row in rows if row["kind"] == kind]
        gold = [{articles.numbers[key] for key in row["article_ids"]} for row in members]
        vectors = {
            wording: np.stack([embedder.encode_question(row[wording], language="de") for row in members])
            for wording in ("plain", "variant")
        }
        nearest = {
            wording: [articles.stored[row].article_id for row in (asked @ articles.vectors.T).argmax(axis=1)]
            for wording, asked in vectors.items()
        }
        hits = {
            f"{wording} hit@1": float(np.mean([one in right for one, right in zip(found, gold, strict=True)]))
            for wording, found in nearest.items()
        }
        cosine = float((vectors["plain"] * vectors["variant"]).sum(axis=1).mean())
        figures[kind] = {**hits, "cosine": cosine, "questions": len(members)}
    return figures
