"""The link from a citation to its passage: `?quote=START-END.REVISION#quote` on an article's page.

START and END are character offsets into the article's source at that REVISION. Where the article has been edited
since, the passage is looked for word for word in today's text: if it still stands there, it is what was cited; if not,
the page says so and points to the heading that it stood under. Nothing of an old revision is ever shown.
"""

import re
from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString

from knowledge.markdown import Heading, LinkResolver, anchor_at, heading_anchors, render_with_quote
from knowledge.models import Article

PARAMETER: Final = "quote"
_FORM: Final = re.compile(r"(\d{1,9})-(\d{1,9})\.(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class QuoteLink:
    start: int  # character offset into the body
    end: int
    revision: int

    @classmethod
    def read(cls, text: str) -> "QuoteLink | None":
        found = _FORM.fullmatch(text)
        return cls(int(found[1]), int(found[2]), int(found[3])) if found else None

    def __str__(self) -> str:
        return f"{self.start}-{self.end}.{self.revision}"


@dataclass(frozen=True)
class Quoted:
    """What became of a cited passage on today's page."""

    body: SafeString | None  # with its marks; None: it does not stand there any more
    heading: Heading | None = None  # that it stood under, where today's text still has it


def find_quote(
    article: Article, link: QuoteLink, *, headings: list[Heading], resolve_link: LinkResolver
) -> Quoted:
    if link.revision == article.revision:
        return Quoted(_marked(article, link.start, link.end, resolve_link))
    old = article.history.filter(revision=link.revision).values_list("body", flat=True).first()
    if old is None or not 0 <= link.start < link.end <= len(old):
        return Quoted(None)
    passage = old[link.start : link.end]
    if article.body.count(passage) == 1:
        start = article.body.index(passage)
        marked = _marked(article, start, start + len(passage), resolve_link)
        if marked is not None:
            return Quoted(marked)
    anchor = anchor_at(heading_anchors(old), link.start)
    return Quoted(None, next((one for one in headings if one.anchor == anchor), None))


def _marked(article: Article, start: int, end: int, resolve_link: LinkResolver) -> SafeString | None:
    return render_with_quote(article.body, start, end, resolve_link=resolve_link, language=article.language)
