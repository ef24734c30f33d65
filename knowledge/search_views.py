"""The box and what it finds: search results, and suggestions while somebody types."""

import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from knowledge import catalogue, suggesting
from knowledge.language import reading_language
from knowledge.markdown import plain_text
from knowledge.models import Article, Category, Language, Reader
from knowledge.searching import SearchResults, search_articles
from knowledge.snippets import Segment, highlighted, snippet
from knowledge.structured import absolute

MAX_QUERY_LENGTH = 500  # characters
RESULTS = 60  # at most, of a topic or of all; who reads that far asks a person
PER_PAGE = 10
GUESSES = 5
BOTH = "all"


@dataclass(frozen=True)
class SearchResult:
    article: Article
    title: list[Segment]
    snippet: list[Segment]
    url: str
    trail: list[Category]
    is_other_language: bool


@dataclass(frozen=True)
class Choice:
    """One way to narrow the results down."""

    label: str
    url: str
    count: int | None  # None: not known before it is chosen
    is_chosen: bool


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    language = reading_language()
    query = _typed(request.GET.get("q", ""))
    context: dict[str, object] = {"query": query, "error": ""}
    status = 200
    if len(query) > MAX_QUERY_LENGTH:
        context["error"] = _(
            "Your search has %(length)d characters. At most %(limit)d are allowed; please shorten it."
        ) % {"length": len(query), "limit": MAX_QUERY_LENGTH}
        status = 400
    elif query and not any(character.isalnum() for character in query):
        context["error"] = _("Your search holds only punctuation. Please use words, such as “battery”.")
        status = 400
    elif query:
        context |= _found(request, query, language)
    return render(request, "knowledge/search.html", context, status=status)


@cache_control(private=True, max_age=0)
@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """Articles for an unfinished query, as JSON; with `format=opensearch` as browsers' search bars want them."""
    language = reading_language()
    query = _typed(request.GET.get("q", ""))[: suggesting.LONGEST]
    found = suggesting.suggest(query, language=language, user=request.user)
    if request.GET.get("format") == "opensearch":
        names = ["".join(segment.text for segment in one.title) for one in found]
        places = [absolute(one.url) for one in found]
        body = [query, names, [one.category for one in found], places]
        return JsonResponse(body, safe=False, content_type="application/x-suggestions+json")
    return JsonResponse(
        {
            "query": query,
            "suggestions": [
                {
                    "title": _as_pairs(one.title),
                    "heading": _as_pairs(one.heading),
                    "category": one.category,
                    "url": one.url,
                }
                for one in found
            ],
        }
    )


def _found(request: HttpRequest, query: str, language: str) -> dict[str, object]:
    wanted = request.GET.get("language", "")
    languages = {BOTH: tuple(Language.values)}.get(wanted, (wanted,) if wanted in Language.values else ())
    look = partial(
        search_articles,
        query,
        language=language,
        user=request.user,
        limit=RESULTS,
        article_languages=languages,
    )
    everywhere = found = look()
    topics = _topics_of(everywhere, request.user)
    chosen = next((topic for topic in topics if topic.slug == request.GET.get("category")), None)
    if chosen is not None and everywhere.further:
        # What fits best in the topic need not be among the best of all: looked for again, inside it.
        found = look(only_article_ids=catalogue.article_ids_below(chosen, user=request.user))
    elif chosen is not None:
        found = replace(found, best=tuple(pair for pair in found.best if _topic_of(pair[0]) == chosen))
    # Meaning alone always finds something. Without a word in common that is a guess, and said to be one.
    is_guess = not any(passage.bm25 for _article, passage in found.best)
    results = [
        SearchResult(
            article=article,
            title=highlighted(article.title, query, article.language),
            snippet=snippet(plain_text(passage.text, list_markers=False), query, article.language),
            url=passage.url,
            trail=catalogue.ancestors(article.category),
            is_other_language=article.language != language,
        )
        for article, passage in (found.best[:GUESSES] if is_guess else found.best)
    ]
    kept = {"q": query, "language": wanted if languages else ""}
    page = Paginator(results, PER_PAGE).get_page(request.GET.get("page"))
    narrowed = kept | {"category": chosen.slug if chosen else ""}
    return {
        "page": page,
        "total": len(results),
        "has_more": bool(found.further),
        "is_guess": is_guess,
        "topics": _choices(topics, everywhere, chosen, kept) if len(topics) > 1 and not is_guess else [],
        "languages": _languages(query, wanted if languages else language),
        "better": suggesting.spelled_right(query, language=language, user=request.user),
        "near": [] if results else suggesting.suggest(query, language=language, user=request.user),
        "previous_url": _address(narrowed, page.previous_page_number()) if page.has_previous() else "",
        "next_url": _address(narrowed, page.next_page_number()) if page.has_next() else "",
    }


def _topic_of(article: Article) -> Category | None:
    return next(iter(catalogue.ancestors(article.category)), None)


def _topics_of(results: SearchResults, user: Reader) -> dict[Category, int]:
    """The outermost categories with something of it, and how many of the best each holds; the fullest first."""
    counted = Counter(topic for article, _passage in results.best if (topic := _topic_of(article)))
    further = catalogue.topics_of(results.further, user=user) if results.further else []
    return dict(counted.most_common()) | {topic: 0 for topic in further if topic not in counted}


def _choices(
    topics: dict[Category, int], everywhere: SearchResults, chosen: Category | None, kept: dict[str, str]
) -> list[Choice]:
    """With counts where everything was compared; else nobody knows them."""
    is_known = not everywhere.further
    return [
        Choice(_("All topics"), _address(kept), len(everywhere.best) if is_known else None, chosen is None),
        *(
            Choice(
                topic.name,
                _address(kept | {"category": topic.slug}),
                count if is_known else None,
                topic == chosen,
            )
            for topic, count in topics.items()
        ),
    ]


def _languages(query: str, chosen: str) -> list[Choice]:
    names = [*((code, str(label)) for code, label in Language.choices), (BOTH, _("Both languages"))]
    return [
        Choice(name, _address({"q": query, "language": code}), None, code == chosen) for code, name in names
    ]


def _address(values: dict[str, str], page: int = 1) -> str:
    told = {name: value for name, value in values.items() if value} | ({"page": page} if page > 1 else {})
    return f"{reverse('search')}?{urlencode(told)}"


def _as_pairs(segments: list[Segment]) -> list[tuple[str, bool]]:
    return [(segment.text, segment.is_match) for segment in segments]


def _typed(text: str) -> str:
    """What was typed, on one line and without control characters (PostgreSQL refuses NUL)."""
    printable = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in text)
    return " ".join(printable.split())
