"""What the answer page shows of a question, for one reader, now.

Everything quoted passes the gate again: an answer of which one cited article may no longer be read shows none
of its text. Refuses to decide how it looks; renders Markdown only through `knowledge.markdown`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assistant.certainty import Certainty, certainty_of
from assistant.models import Answer, Citation, Question, QuestionStatus, Ticket
from assistant.payload import AnswerState, answer_state, closest_articles, quoted_place
from knowledge.links import LinkSource, link_resolver
from knowledge.markdown import plain_text, render_fragment
from knowledge.models import Article, Reader

WORKING_FOR = timedelta(seconds=60)  # after that an undecided question was interrupted
OLD_AFTER = timedelta(days=365)
EXCERPT_LENGTH = 160  # characters; a quote that is not much longer is shown whole
EXCERPT_LINES = 5


@dataclass(frozen=True)
class Source:
    number: int  # 1-based
    title: str
    headings: tuple[str, ...]
    url: str  # of the quoted place in the article
    quote: SafeString
    excerpt: str  # the beginning of a long quote as plain text; empty where the quote is short
    language: str
    updated_at: datetime
    age: str  # in words
    is_old: bool
    has_changed: bool  # since the answer was written


@dataclass(frozen=True)
class Block:
    html: SafeString
    sources: tuple[Source, ...]
    heading: (
        str  # that a quoted block stands under in its article, unless the block before says it; may be empty
    )


@dataclass(frozen=True)
class Shown:
    """An answer that may be shown."""

    blocks: tuple[Block, ...]
    sources: tuple[Source, ...]
    language: str
    is_other_language: bool  # than the question's
    is_verbatim: bool  # quoted from the articles, not rewritten
    age: str  # of the cited articles, in words: of the one that was changed longest ago
    as_text: str  # answer and sources without markup, to be copied


@dataclass(frozen=True)
class AnswerPage:
    question: Question
    shown: Shown | None
    is_withdrawn: bool
    certainty: Certainty | None
    closest: tuple[Article, ...]
    ticket: Ticket | None

    @property
    def is_escalated(self) -> bool:
        return self.question.status == QuestionStatus.ESCALATED

    @property
    def is_undecided(self) -> bool:
        return self.question.status == QuestionStatus.RECEIVED

    @property
    def is_working(self) -> bool:
        """Undecided, and asked so lately that somebody is at it."""
        return self.is_undecided and self.question.created_at > timezone.now() - WORKING_FOR

    @property
    def is_unfinished(self) -> bool:
        return self.is_undecided and not self.is_working


def answer_page(question: Question, *, reader: Reader) -> AnswerPage:
    answer: Answer | None = getattr(question, "answer", None)
    is_withdrawn = answer is not None and answer_state(answer, reader) == AnswerState.WITHDRAWN
    shown = _shown(question, answer, reader) if answer is not None and not is_withdrawn else None
    return AnswerPage(
        question=question,
        shown=shown,
        is_withdrawn=is_withdrawn,
        certainty=certainty_of(question) if shown is not None else None,
        closest=tuple(closest_articles(question, reader)),
        ticket=getattr(question, "ticket", None),
    )


def age_in_words(moment: datetime) -> str:
    days = (timezone.localdate() - timezone.localtime(moment).date()).days
    if days < 1:
        return _("today")
    if days < 60:
        return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}
    if days < 730:
        months = days // 30
        return ngettext("%(count)d month ago", "%(count)d months ago", months) % {"count": months}
    years = days // 365
    return ngettext("%(count)d year ago", "%(count)d years ago", years) % {"count": years}


def _shown(question: Question, answer: Answer, reader: Reader) -> Shown:
    citations = list(answer.citations.select_related("article", "passage"))
    sources = {citation.number: _source(citation, reader) for citation in citations}
    by_number = {citation.number: citation for citation in citations}

    is_verbatim = answer.writer.startswith("extractive")
    blocks: list[Block] = []
    told = ""  # the heading that the reader saw last
    for one in answer.blocks:
        cited = [by_number[number] for number in one["citations"] if number in by_number]
        # A quoted block is shown with its own table head and its own article's links.
        origin = next(
            (citation for citation in cited if citation.quote == one["text"]), next(iter(cited), None)
        )
        heading = (
            origin.heading_path[-1] if is_verbatim and origin is not None and origin.heading_path else ""
        )
        blocks.append(
            Block(
                html=_rendered(one["text"], origin, answer.language, reader),
                sources=tuple(sources[citation.number] for citation in cited),
                heading=heading if heading != told else "",
            )
        )
        told = heading

    return Shown(
        blocks=tuple(blocks),
        sources=tuple(sources.values()),
        language=answer.language,
        is_other_language=answer.language != question.language,
        is_verbatim=is_verbatim,
        age=age_in_words(min(source.updated_at for source in sources.values())) if sources else "",
        as_text=_as_text(answer, list(sources.values())),
    )


def _as_text(answer: Answer, sources: list[Source]) -> str:
    lines = [plain_text(answer.text), ""]
    lines += [
        f"[{source.number}] {source.title}: {settings.SITE_URL}{source.url.partition('?')[0]}"
        for source in sources
    ]
    return "\n".join(lines)


def _source(citation: Citation, reader: Reader) -> Source:
    article = citation.article
    assert article is not None  # the gate let the answer through: each cited article exists
    return Source(
        number=citation.number,
        title=article.title,
        headings=tuple(citation.heading_path),
        url=quoted_place(citation, article),
        quote=_rendered(citation.quote, citation, article.language, reader),
        excerpt=_excerpt(citation.quote),
        language=article.language,
        updated_at=article.updated_at,
        age=age_in_words(article.updated_at),
        is_old=article.updated_at < timezone.now() - OLD_AFTER,
        has_changed=article.revision != citation.article_revision,
    )


def _rendered(text: str, origin: Citation | None, language: str, reader: Reader) -> SafeString:
    article = origin.article if origin is not None else None
    preface = origin.passage.preface if origin is not None and origin.passage is not None else ""
    resolve = link_resolver(
        text,
        language=language,
        user=reader,
        stands_in=LinkSource.of(article) if article is not None else None,
    )
    return render_fragment(text, preface=preface, resolve_link=resolve)


def _excerpt(quote: str) -> str:
    lines = plain_text(quote, list_markers=False).splitlines()
    line = " ".join(lines)
    if len(line) <= EXCERPT_LENGTH * 1.5 and len(lines) <= EXCERPT_LINES:
        return ""
    if len(line) <= EXCERPT_LENGTH:
        return line
    return line[: line.rfind(" ", 0, EXCERPT_LENGTH)].rstrip(" ,;:–") + "\u00a0…"  # never alone on a line
