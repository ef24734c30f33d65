"""What to offer while somebody types: articles by the words of their titles and headings, and words spelled right.

Promise: no model, no text, one lookup in memory and two small queries; the last word may be unfinished, a letter may
be wrong. Whatever is offered has passed the gate in the second of these queries. Refuses to decide what answers a
question: that is retrieval's.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge.labels import Labels, one_edit_away
from knowledge.lexical import LexicalIndex
from knowledge.models import Article, Passage, Reader
from knowledge.searching import readable_words
from knowledge.snippets import Segment, begun
from knowledge.text import is_stopword, stem, words

SHORTEST: Final = 2  # characters typed before anything is offered
LONGEST: Final = 200  # characters read of a query; a question's point comes early
LIMIT: Final = 6
_POOL: Final = 24  # before the gate
_WORDS: Final = 12  # of a query

_HEADING: Final = 0.6  # what a heading's word counts, of a title's
_SHORTEST_CORRECTED: Final = 4  # letters


@dataclass(frozen=True)
class Suggestion:
    title: list[Segment]
    heading: list[Segment]  # empty: the article as a whole
    url: str
    category: str


def suggest(typed: str, *, language: str, user: Reader = None) -> list[Suggestion]:
    """Articles whose titles or headings begin like what was typed, best first."""
    typed = typed.strip()[:LONGEST]
    index = readable_words(language=language, user=user) if len(typed) >= SHORTEST else None
    if index is None:
        return []
    ranked = _ranked(index.labels, typed, language)[:_POOL]
    articles = (
        Article.objects.published()
        .visible_to(user)
        .filter(language=language)
        .select_related("category")
        .defer("body")
        .in_bulk([article_id for article_id, _passage_id in ranked])
    )
    shown = [(articles[key], passage_id) for key, passage_id in ranked if key in articles][:LIMIT]
    places = (
        Passage.objects.as_written()
        .filter(pk__in=[passage_id for _article, passage_id in shown if passage_id])
        .values_list("pk", "anchor", "heading_path")
    )
    places_by_id = {pk: (anchor, path[-1] if path else "") for pk, anchor, path in places} if places else {}
    return [
        _suggestion(article, *places_by_id.get(passage_id or 0, ("", "")), typed)
        for article, passage_id in shown
    ]


def spelled_right(query: str, *, language: str, user: Reader = None) -> str:
    """The query with unknown words put right; empty where nothing is to be put right, or nothing is near."""
    index = readable_words(language=language, user=user)
    if index is None:
        return ""
    corrected = []
    for typed in query.split():
        better = ""
        for word in words(typed, language)[:1]:
            if len(word) >= _SHORTEST_CORRECTED and word.isalpha() and not _is_known(word, index, language):
                near = [one for one in one_edit_away(word) if one in index.word_counts]
                better = max(near, key=lambda one: (index.word_counts[one], one), default="")
        corrected.append((better.capitalize() if typed[:1].isupper() else better) or typed)
    return " ".join(corrected) if corrected != query.split() else ""


def _suggestion(article: Article, anchor: str, heading: str, typed: str) -> Suggestion:
    return Suggestion(
        title=begun(article.title, typed),
        heading=begun(heading, typed) if anchor else [],
        url=article.get_absolute_url() + (f"#{anchor}" if anchor else ""),
        category=article.category.name if article.category else "",
    )


def _ranked(labels: Labels, typed: str, language: str) -> list[tuple[int, int | None]]:
    """Article ids, best first, each with the passage whose heading adds to the title, if one does."""
    asked = list(dict.fromkeys(words(typed, language)))[-_WORDS:]
    telling = [word for word in asked if not is_stopword(word, language)] or asked
    # What each typed word is worth, in a row of its own: to articles by their titles, to passages by their headings.
    by_title = np.zeros((len(telling), len(labels.article_ids)), np.float32)
    by_heading = np.zeros((len(telling), len(labels.passage_ids)), np.float32)
    for row, word in enumerate(telling):
        for known, quality in labels.like(word):
            worth = quality * labels.rarity(known)
            _keep_best(by_title[row], labels.titles.get(known), worth)
            _keep_best(by_heading[row], labels.headings.get(known), worth * _HEADING)
    place = _best_headings(labels, by_heading.sum(axis=0))
    has_place = place >= 0
    heading = np.zeros_like(by_title)
    heading[:, has_place] = by_heading[:, place[has_place]]
    met = ((by_title > 0) | (heading > 0)).sum(axis=0)
    adds = ((by_title == 0) & (heading > 0)).any(axis=0)
    total = (by_title + heading).sum(axis=0)
    candidates = np.flatnonzero(met >= max(1, (len(telling) + 1) // 2))
    order = np.lexsort((labels.article_ids[candidates], -total[candidates]))[:_POOL]
    return [
        (int(labels.article_ids[row]), int(labels.passage_ids[place[row]]) if adds[row] else None)
        for row in candidates[order]
    ]


def _best_headings(labels: Labels, worth: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each article the row of the passage whose heading is worth most, the first of equals; -1 for none."""
    rows = np.flatnonzero(worth > 0)
    rows = rows[np.lexsort((labels.passage_ids[rows], -worth[rows]))]
    articles, first = np.unique(labels.article_of[rows], return_index=True)
    place = np.full(len(labels.article_ids), -1, np.int64)
    place[articles] = rows[first]
    return place


def _keep_best(values: NDArray[np.float32], rows: NDArray[np.int32] | None, worth: float) -> None:
    if rows is not None:
        values[rows] = np.maximum(values[rows], np.float32(worth))


def _is_known(word: str, index: LexicalIndex, language: str) -> bool:
    if word in index.word_counts or is_stopword(word, language):
        return True
    return any(term.stands_there for term in index.terms(word)) or stem(word, language) in index.word_counts
