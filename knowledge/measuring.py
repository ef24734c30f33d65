"""What an embedding model is worth on labelled questions, on sentence pairs and on a probe; no database.

Passages are cut, indexed and ranked as on a site, and searched exactly. `measured` tells the signals apart:
vectors of the passages alone, with the headings', BM25 alone, and the mix that customers get. `pools` is what
`knowledge.fusion.fit` learns from.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge.embeddings import Embedder
from knowledge.fusion import Candidate, LabelledPool, Measured, Mix, measure
from knowledge.importers import Entry, UnusablePath, open_source
from knowledge.indexing import PlannedPassage, plan_article
from knowledge.labelled import LabelledQuestion
from knowledge.language import SHORT, detect_language, most_likely_language
from knowledge.lexical import LexicalIndex, LexicalRow
from knowledge.models import Article, Language
from knowledge.plaintext import join_preface
from knowledge.retrieval import POOL

if TYPE_CHECKING:
    from numpy.typing import NDArray


DEMO = Path(__file__).with_name("demo")
PROBE = Path(__file__).with_name("german") / "probe.jsonl"


@dataclass(frozen=True)
class IndexedArticles:
    """The passages of a help center in one language, in memory."""

    language: str
    numbers: dict[str, int]  # external id -> article number here
    article_of: "NDArray[np.int64]"  # (passages,) article numbers
    vectors: "NDArray[np.float32]"  # (passages, dimension), unit length
    heading_vectors: "NDArray[np.float32]"  # the same of title and heading path alone
    lexical: LexicalIndex


def index_articles(path: Path, *, language: str, embedder: Embedder) -> IndexedArticles:
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
        number = numbers.setdefault(entry.external_id, len(numbers))
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
    return IndexedArticles(
        language=language,
        numbers=numbers,
        article_of=np.array(article_of),
        vectors=embedder.encode_passages([one.embedded for one in planned], language=language),
        heading_vectors=of_headings[[headings[one.heading] for one in planned]],
        lexical=LexicalIndex.build(rows, language=language),
    )


def pools(
    articles: IndexedArticles,
    questions: Sequence[LabelledQuestion],
    *,
    embedder: Embedder,
    corpus: str = "",
) -> list[LabelledPool]:
    """The candidates of every question, as retrieval proposes them; questions without gold are left out."""
    found: list[LabelledPool] = []
    for question in questions:
        gold = frozenset(articles.numbers[key] for key in question.gold if key in articles.numbers)
        if not gold:
            continue
        vector = embedder.encode_question(question.text, language=question.language)
        cosines = articles.vectors @ vector
        headings = articles.heading_vectors @ vector
        nearest = np.argsort(-cosines, kind="stable")[:POOL].tolist()
        proposed = sorted({*nearest, *(row for row, _bm25 in articles.lexical.search(question.text, POOL))})
        bm25 = articles.lexical.scores(question.text, proposed)
        found.append(
            LabelledPool(
                corpus=corpus,
                language=question.language,
                candidates=tuple(
                    Candidate(
                        row,
                        int(articles.article_of[row]),
                        cosine=float(cosines[row]),
                        bm25=value,
                        is_other_language=question.language != articles.language,
                        heading_cosine=float(headings[row]),
                    )
                    for row, value in zip(proposed, bm25, strict=True)
                ),
                article_ids=gold,
            )
        )
    return found


def measured(found: Sequence[LabelledPool], mix: Mix) -> dict[str, Measured]:
    """What each signal is worth alone, and the mix."""
    signals: dict[str, dict[str, Any]] = {
        "dense": {"bm25": None, "heading_cosine": None},
        "dense with headings": {"bm25": None},
        "BM25": {"cosine": None, "heading_cosine": None},
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
            wording: articles.article_of[(asked @ articles.vectors.T).argmax(axis=1)].tolist()
            for wording, asked in vectors.items()
        }
        hits = {
            f"{wording} hit@1": float(np.mean([one in right for one, right in zip(found, gold, strict=True)]))
            for wording, found in nearest.items()
        }
        cosine = float((vectors["plain"] * vectors["variant"]).sum(axis=1).mean())
        figures[kind] = {**hits, "cosine": cosine, "questions": len(members)}
    return figures
