"""A reply that could be sent, quoted from all articles the agent may read, and where each part comes from.

Promise: what the ticket's customer may not read is marked, part by part. Nothing is decided: no threshold keeps a
suggestion back, because a person reads it first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from assistant.asking import Decision, Inquiry, candidates
from assistant.models import MAX_QUESTION_LENGTH, StaffText, StaffTextKind, Ticket
from assistant.writers import Draft, WriterUnavailable
from knowledge.models import Article
from knowledge.plaintext import plain_text

_CLOSEST = 5


@dataclass(frozen=True)
class Source:
    number: int  # 1-based; 0: came close, is not quoted
    article: Article
    heading: str
    url: str
    is_hidden: bool  # from the ticket's customer

    @property
    def insertion(self) -> str:
        return f"{self.article.title}\n{self.url}"


@dataclass(frozen=True)
class Part:
    text: str  # plain, as a mail shows it
    sources: Sequence[Source]

    @property
    def is_hidden(self) -> bool:
        return any(source.is_hidden for source in self.sources)

    @property
    def insertion(self) -> str:
        """The text with the addresses where the customer can read on."""
        links = [source.url for source in self.sources if not source.is_hidden]
        return "\n".join([self.text, *links])


@dataclass(frozen=True)
class Suggestion:
    parts: Sequence[Part]
    closest: Sequence[Source]  # articles to point to, best first
    record: StaffText | None = None  # where a model took part: what it said, and what was dropped
    is_generated: bool = False  # otherwise quoted

    @property
    def insertion(self) -> str:
        """All that the customer may read."""
        return "\n\n".join(part.insertion for part in self.parts if not part.is_hidden)


def suggest(ticket: Ticket, agent: Any) -> Suggestion | None:
    """None where nothing came close, or the writer cannot be reached."""
    inquiry = Inquiry(text=ticket.asked[:MAX_QUESTION_LENGTH], language=ticket.language, reader=agent)
    try:
        decisions = candidates(inquiry)
    except WriterUnavailable:
        return None
    best = max(decisions, key=lambda one: (one.draft is not None, one.confidence.score), default=None)
    if best is None:
        return None
    articles = Article.objects.defer("body").in_bulk({one.article_id for one in best.passages})
    return Suggestion(
        _parts(best, articles, ticket),
        _closest(best, articles, ticket),
        *_generated(best.draft, ticket, agent),
    )


def _generated(draft: Draft | None, ticket: Ticket, agent: Any) -> tuple[StaffText | None, bool]:
    if draft is None or not draft.generations:
        return None, False
    record = StaffText.objects.create(
        kind=StaffTextKind.REPLY,
        ticket=ticket,
        generations=[one.as_record() for one in draft.generations],
        by=agent,
    )
    return record, any(not one.stands_in for one in draft.generations)


def _parts(decision: Decision, articles: dict[int, Article], ticket: Ticket) -> list[Part]:
    if decision.draft is None:
        return []
    sources = {
        citation.number: _source(
            articles[citation.passage.article_id],
            ticket,
            number=citation.number,
            heading=" › ".join(citation.passage.heading_path),
            path=citation.passage.url,
        )
        for citation in decision.draft.citations
        if citation.passage.article_id in articles
    }
    return [
        Part(plain_text(block.text), [sources[number] for number in block.citations if number in sources])
        for block in decision.draft.blocks
    ]


def _closest(decision: Decision, articles: dict[int, Article], ticket: Ticket) -> list[Source]:
    ranked = dict.fromkeys(passage.article_id for passage in decision.passages)
    return [_source(articles[key], ticket) for key in ranked if key in articles][:_CLOSEST]


def _source(
    article: Article, ticket: Ticket, *, number: int = 0, heading: str = "", path: str = ""
) -> Source:
    return Source(
        number=number,
        article=article,
        heading=heading,
        url=settings.SITE_URL + (path or article.get_absolute_url()),
        is_hidden=not article.is_visible_to(ticket.customer),
    )
