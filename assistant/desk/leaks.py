"""Keeps what is written for the team alone from being sent to a customer by accident.

Promise: whoever quotes eight words in a row of an article that the customer may not read is asked first, whatever the
case, markup or line breaks. Paraphrases pass: nobody can tell those from knowledge.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from knowledge.models import Article

_RUN = 8  # words; shorter runs are everybody's
_SHOWN = 14  # words of a quote that are shown
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Leak:
    article: Article
    quote: str  # how it begins, in the reply's own words


def leaks(text: str, *, reader: Any) -> list[Leak]:
    """Each article that `reader` may not read, and of which `text` quotes. What a readable one says as well is none."""
    words = _WORD.findall(text)
    runs = _runs(words)
    if not runs:
        return []
    hidden = Article.objects.exclude(pk__in=Article.objects.published().visible_to(reader).values("pk")).only(
        "title", "body", "language"
    )
    found = [(article, runs.keys() & _runs(_WORD.findall(article.body)).keys()) for article in hidden]
    found = [(article, shared) for article, shared in found if shared]
    if not found:
        return []
    shared_by_all = set().union(*(shared for _article, shared in found))
    known = _known(
        Article.objects.published().visible_to(reader).values_list("body", flat=True), shared_by_all
    )
    return [
        Leak(article, _quoted(words, min(runs[run] for run in shared - known), shared - known, runs))
        for article, shared in found
        if shared - known
    ]


def _runs(words: list[str]) -> dict[tuple[str, ...], int]:
    """Each run of eight words, folded, and where it begins."""
    folded = [word.casefold() for word in words]
    return {tuple(folded[at : at + _RUN]): at for at in reversed(range(len(folded) - _RUN + 1))}


def _known(bodies: Iterable[str], wanted: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    known: set[tuple[str, ...]] = set()
    for body in bodies:
        known |= wanted & _runs(_WORD.findall(body)).keys()
    return known


def _quoted(
    words: list[str], start: int, shared: set[tuple[str, ...]], runs: dict[tuple[str, ...], int]
) -> str:
    starts = {runs[run] for run in shared}
    end = start
    while end + 1 in starts:
        end += 1
    quote = words[start : end + _RUN]
    return " ".join(quote[:_SHOWN]) + (" …" if len(quote) > _SHOWN else "")
