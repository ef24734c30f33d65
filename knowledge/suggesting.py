"""What to offer while somebody types: articles by the words of their titles and headings, and words spelled right.

Promise: no model, no text, one lookup in memory and two small queries; the last word may be unfinished, a letter may
be wrong. Whatever is offered has passed the gate in the second of these queries. Refuses to decide what answers a
question: that is retrieval's.
"""

from dataclasses import dataclass
from typing import Final

from knowledge.labels import Labels, one_edit_away
from knowledge.lexical import LexicalIndex
from knowledge.models import Article, Passage, Reader
from knowledge.retrieval import readable_words
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
    asked = words(typed, language)[-_WORDS:]
    telling = [word for word in asked if not is_stopword(word, language)] or asked
    by_title: dict[int, dict[str, float]] = {}  # article -> what each word it meets is worth
    by_heading: dict[int, dict[str, float]] = {}  # passage -> the same
    for word in telling:
        for known, quality in labels.like(word):
            worth = quality * labels.rarity(known)
            for article_id in labels.titles.get(known, ()):
                _keep_best(by_title.setdefault(article_id, {}), word, worth)
            for passage_id in labels.headings.get(known, ()):
                _keep_best(by_heading.setdefault(passage_id, {}), word, worth * _HEADING)
    places: dict[int, int] = {}  # article -> the passage whose heading meets most
    for passage_id, met in by_heading.items():
        best = places.setdefault(labels.article_of[passage_id], passage_id)
        if (sum(met.values()), -passage_id) > (sum(by_heading[best].values()), -best):
            places[labels.article_of[passage_id]] = passage_id
    needed = (len(telling) + 1) // 2
    ranked = []
    for article_id in by_title.keys() | places.keys():
        title, place = by_title.get(article_id, {}), places.get(article_id)
        heading = by_heading[place] if place is not None else {}
        if len(title.keys() | heading.keys()) >= needed:
            adds = heading.keys() - title.keys()
            ranked.append((sum(title.values()) + sum(heading.values()), article_id, place if adds else None))
    ranked.sort(key=lambda one: (-one[0], one[1]))
    return [(article_id, passage_id) for _worth, article_id, passage_id in ranked]


def _keep_best(met: dict[str, float], word: str, worth: float) -> None:
    met[word] = max(met.get(word, 0.0), worth)


def _is_known(word: str, index: LexicalIndex, language: str) -> bool:
    if word in index.word_counts or is_stopword(word, language):
        return True
    return any(term.is_known for term in index.terms(word)) or stem(word, language) in index.word_counts
