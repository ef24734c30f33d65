"""The search of the list of articles: the retriever that answers questions, then the words, and a note of both.

Promise: what customers find for these words comes first, in the retriever's order; after it every other article, drafts
included, whose title, address, text or id holds the words. Nothing that the words alone would find is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable
from knowledge.language import detect_language
from knowledge.models import Article, Language, Reader
from knowledge.searching import search_articles

MOST: Final = 15  # articles from the retriever; more are no better than their words


@dataclass(frozen=True)
class Found:
    by_retriever: int  # published articles that customers would find
    is_by_meaning: bool  # False: without the model, or before anything was indexed, words alone decide

    @property
    def note(self) -> str:
        if not self.by_retriever:
            return _("Found by its words alone: no published article is near in meaning.")
        first = ngettext(
            "First %(count)d article as customers find it",
            "First %(count)d articles as customers find them",
            self.by_retriever,
        ) % {"count": self.by_retriever}
        how = _("by meaning and words") if self.is_by_meaning else _("by words alone, the model is not there")
        return _("%(first)s (%(how)s), then every other one, drafts included, that holds the words.") % {
            "first": first,
            "how": how,
        }


def find_articles(
    articles: QuerySet[Article], words: str, *, by_words: QuerySet[Article], reader: Reader, is_ordered: bool
) -> tuple[QuerySet[Article], Found]:
    """`by_words` are those of `articles` that hold the words. `is_ordered`: somebody has chosen a column to sort by."""
    language = detect_language(words, fallback=Language.ENGLISH)
    languages = sorted(Language.values, key=lambda code: code != language)
    results = search_articles(words, language=language, user=reader, limit=MOST, article_languages=languages)
    near = [article.pk for article, _passage in results.best]
    found = Found(len(near), _is_model_there())
    if not near:
        return by_words, found
    both = articles.filter(Q(pk__in=near) | Q(pk__in=by_words.order_by().values("pk")))
    return (both if is_ordered else both.order_by(_place(near), *both.query.order_by, "pk")), found


def _place(near: Sequence[int]) -> Case:
    places = [When(pk=pk, then=Value(place)) for place, pk in enumerate(near)]
    return Case(*places, default=Value(len(near)), output_field=IntegerField())


def _is_model_there() -> bool:
    live = generations.live()
    if live is None:
        return False
    try:
        generations.embedder_of(live, is_awaited=True)
    except EmbedderUnavailable:
        return False
    return True
