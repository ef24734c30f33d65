"""Passages and retrievals made by hand, for the pure parts."""

from knowledge.embeddings import current_recipe
from knowledge.lexical import LexicalIndex, LexicalRow
from knowledge.retrieval import Retrieval, RetrievedPassage


def passage(text: str, *, rank: int = 1, article_id: int = 1, **fields: object) -> RetrievedPassage:
    values: dict[str, object] = {
        "passage_id": rank,
        "article_id": article_id,
        "revision": 1,
        "title": "Pause your subscription",
        "heading_path": (),
        "url": "/en/articles/pause/",
        "start": 0,
        "end": len(text),
        "language": "en",
        "cosine": 0.7 - rank / 100,
        "bm25": 5.0,
        "fused": 1.0 - rank / 100,
    } | fields
    return RetrievedPassage(text=text, rank=rank, **values)  # type: ignore[arg-type]


def retrieval(question: str, *passages: RetrievedPassage, language: str = "en") -> Retrieval:
    rows = [
        LexicalRow(one.passage_id, one.article_id, one.title, " ".join(one.heading_path), one.text)
        for one in passages
    ]
    lexical = LexicalIndex.build(rows, language=passages[0].language if passages else language)
    return Retrieval(
        question=question,
        question_language=language,
        article_language=passages[0].language if passages else language,
        recipe=current_recipe().fingerprint,
        passages=passages,
        article_ids=tuple(dict.fromkeys(one.article_id for one in passages)),
        lexical=lexical,
        terms=lexical.terms(question, language=language),
    )
