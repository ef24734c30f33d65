"""What should be stored for an article: a pure function of its row, the recipe and the model's limit."""

import hashlib
from dataclasses import dataclass

from knowledge.chunking import Chunk, TokenCounter, embedded_text, split_article
from knowledge.markdown import anchor_at, heading_anchors
from knowledge.models import Article, Status
from knowledge.outbox import Edition, edition_of
from knowledge.units import MOST_VECTORS, places_in, split_units
from knowledge.vectors import CollectionKey

_LONGEST_ANCHOR = 200  # characters, what the column holds; the rest links to the top of the article


@dataclass(frozen=True)
class PlannedPassage:
    chunk: Chunk
    anchor: str  # of its heading on the article page, without '#'
    embedded: str  # what the model reads
    heading: str  # title and heading path alone, which the model reads as well
    # Where each of `knowledge.units.split_units(chunk.text)` stands in `embedded`; None where that cannot be told.
    units: tuple[tuple[int, int] | None, ...]
    language: str  # of the article, which decides how the model reads it
    content_hash: str  # SHA-256 of language and `embedded`


@dataclass(frozen=True)
class Plan:
    edition: Edition  # the plan holds while the row still is this
    revision: int
    text_fingerprint: str  # of what the passages are cut from
    key: CollectionKey
    is_published: bool
    passages: tuple[PlannedPassage, ...]  # none where the article is not published

    @property
    def article_id(self) -> int:
        return self.edition.article_id


def plan_article(article: Article, *, recipe: str, count_tokens: TokenCounter, max_tokens: int) -> Plan:
    """Raises ValueError where the model's limit leaves no room for text beside the title."""
    chunks = split_article(article.title, article.body, count_tokens=count_tokens, max_tokens=max_tokens)
    headings = heading_anchors(article.body)
    passages = []
    for chunk in chunks:
        embedded = embedded_text(article.title, chunk.heading_path, chunk.text, chunk.preface)
        digest = hashlib.sha256(f"{article.language}\n{embedded}".encode()).hexdigest()
        anchor = anchor_at(headings, chunk.start)
        heading = embedded_text(article.title, chunk.heading_path, "")
        passages.append(
            PlannedPassage(
                chunk=chunk,
                anchor=anchor if len(anchor) <= _LONGEST_ANCHOR else "",
                embedded=embedded,
                heading=heading,
                units=tuple(
                    places_in(
                        embedded, chunk.text, split_units(chunk.text)[:MOST_VECTORS], after=len(heading)
                    )
                ),
                language=article.language,
                content_hash=digest,
            )
        )
    return _plan(article, recipe, tuple(passages))


def plan_withdrawal(article: Article, *, recipe: str) -> Plan:
    """For an article that is not published; needs no model."""
    return _plan(article, recipe, ())


def _plan(article: Article, recipe: str, passages: tuple[PlannedPassage, ...]) -> Plan:
    return Plan(
        edition=edition_of(article),
        revision=article.revision,
        text_fingerprint=article.text_fingerprint,
        key=CollectionKey(article.audience, article.language, recipe),
        is_published=article.status == Status.PUBLISHED,
        passages=passages,
    )
