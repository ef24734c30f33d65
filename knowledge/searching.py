"""What a search box finds, what resembles an article, and the words that a reader could meet.

Promise: articles come through the gate; what says otherwise in its docstring leaves that to the caller.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from knowledge import generations, word_index
from knowledge.lexical import LexicalIndex
from knowledge.models import Article, Language, Reader, audiences_for
from knowledge.retrieval import POOL, Retrieval, RetrievedPassage, retrieve

ENOUGH_RESULTS = 3  # in the reader's language; with fewer, a search looks into the other one
SIMILAR_SHARE = 0.3  # of an article's own BM25 for its title, from which on another is called similar
SEARCH_TAIL = 0.5  # share of the best ranking value below which a search result only adds length


@dataclass(frozen=True)
class SearchResults:
    """What a search box finds."""

    best: tuple[tuple[Article, RetrievedPassage], ...]  # first is best; each article with its best passage
    further: frozenset[int]  # articles that hold words of the query as well and were not compared; not gated


def search_articles(
    query: str,
    *,
    language: str,
    user: Reader = None,
    limit: int = 20,
    article_languages: Sequence[str] = (),
    only_article_ids: Collection[int] | None = None,
) -> SearchResults:
    """Articles for a search box, best first, each with its best passage.

    In the languages that were asked for, one after the other. Where none was, those in another language than the
    reader's follow only if the reader's own has next to nothing.
    """
    found: dict[int, RetrievedPassage] = {}
    looked: list[Retrieval] = []
    is_whole = True
    others = (code for code in Language.values if code != language)
    for article_language in article_languages or (language, *others):
        if len(found) >= ENOUGH_RESULTS and not article_languages:
            break
        retrieval = retrieve(
            query,
            language=language,
            article_language=article_language,
            user=user,
            limit=POOL,
            only_article_ids=only_article_ids,
        )
        looked.append(retrieval)
        tail = SEARCH_TAIL * retrieval.passages[0].fused if retrieval.passages else 0.0
        good = [passage for passage in retrieval.passages if passage.fused >= tail]
        for passage in good:
            found.setdefault(passage.article_id, passage)
        is_whole = is_whole and len(good) < POOL
    readable = Article.objects.published().visible_to(user).defer("body")
    articles = readable.select_related("category__parent__parent").in_bulk(list(found))
    readable_best = [(articles[key], passage) for key, passage in found.items() if key in articles]
    best = tuple(readable_best[:limit])
    if is_whole and len(best) == len(readable_best):
        return SearchResults(best, frozenset())
    holding = {
        article_id
        for one in looked
        for article_id, _bm25 in one.lexical.search_articles(one.terms, len(one.lexical))
    }
    return SearchResults(best, frozenset(holding - {article.pk for article, _passage in best}))


def readable_words(*, language: str, user: Reader = None) -> LexicalIndex | None:
    """The words of what this reader could read a moment ago; None while there is no index yet.

    Who may read what now is for the caller's query.
    """
    generation = generations.live()
    if generation is None:
        return None
    key = word_index.Key(audiences_for(user), language, generation.recipe)
    return word_index.word_index(key, generation.version)


def similar_article_ids(article: Article, *, user: Reader = None, limit: int = 5) -> list[int]:
    """Articles that share the rarest words with its title, nearest first, by BM25 alone: no model is asked.

    As of `readable_words`: the caller asks the gate.
    """
    lexical = readable_words(language=article.language, user=user)
    if lexical is None:
        return []
    own = 0.0
    near: dict[int, None] = {}
    for article_id, value in lexical.search_articles(lexical.terms(article.title), POOL):
        if article_id == article.pk:
            own = max(own, value)
        elif value >= SIMILAR_SHARE * own:
            near.setdefault(article_id)
    return list(near)[:limit]
