"""The one shape in which a question and what became of it leave the project: API and `ask --json`.

Reading is gated like everything else: an answer whose articles the reader may no longer see keeps its place
and its ticket, but none of its text.
"""

from enum import StrEnum
from typing import Any, TypedDict

from django.conf import settings
from django.http import HttpRequest

from assistant.models import Answer, Citation, Question, QuestionStatus, Ticket
from knowledge.markdown import QUOTE_ID
from knowledge.models import Article, Reader
from knowledge.quoting import PARAMETER, QuoteLink

CLOSEST = 3  # articles offered where there is no answer
_NEAR = 0.2  # cosine; what is further away than this is about something else, and offering it annoys


class AnswerState(StrEnum):
    CURRENT = "current"  # every cited article is as it was
    CHANGED = "changed"  # a cited article has a newer revision
    WITHDRAWN = "withdrawn"  # a cited article may no longer be read: the text must not be shown


class AnswerPayload(TypedDict):
    text: str
    blocks: list[dict[str, Any]]  # [{"text": Markdown, "citations": [1-based int]}]
    writer: str
    language: str


class CitationPayload(TypedDict):
    number: int  # 1-based
    article: str  # external id where the article has one, else its number
    article_id: int
    title: str
    url: str  # of the quoted place, marked in its article
    quote: str
    start: int  # character offsets into the article body
    end: int


class ConfidencePayload(TypedDict):
    score: float | None  # 0..1
    level: str
    threshold: float | None  # 0..1
    calibrated: bool


class ClosestPayload(TypedDict):
    article: str
    article_id: int
    title: str
    url: str
    language: str


class QuestionPayload(TypedDict):
    id: str
    conversation: str
    question: str
    status: str
    answer_state: str | None
    answer: AnswerPayload | None
    citations: list[CitationPayload]
    confidence: ConfidencePayload
    ticket: dict[str, str] | None
    closest: list[ClosestPayload]
    language: str
    ai_generated: bool
    elapsed_ms: int | None


def question_payload(
    question: Question,
    *,
    reader: Reader = None,
    request: HttpRequest | None = None,
    to_asker: bool = False,
) -> QuestionPayload:
    """`to_asker`: the way to the ticket's thread is added. A link to an answer may be passed on; that may not."""
    answer: Answer | None = getattr(question, "answer", None)
    state = answer_state(answer, reader) if answer is not None else None
    shown = answer if state in (AnswerState.CURRENT, AnswerState.CHANGED) else None
    ticket = getattr(question, "ticket", None)
    return QuestionPayload(
        id=str(question.public_id),
        conversation=str(question.conversation.public_id),
        question=question.text,
        status=question.status,
        answer_state=state,
        answer=_answer(shown) if shown is not None else None,
        citations=_citations(shown, request) if shown is not None else [],
        confidence=ConfidencePayload(
            score=_rounded(question.confidence_score),
            level=question.confidence_level,
            threshold=_rounded(question.confidence_threshold),
            calibrated=question.calibrated,
        ),
        ticket=_ticket(ticket, request, to_asker=to_asker) if ticket is not None else None,
        closest=[
            ClosestPayload(
                article=article.external_id or str(article.pk),
                article_id=article.pk,
                title=article.title,
                url=absolute(article.get_absolute_url(), request),
                language=article.language,
            )
            for article in closest_articles(question, reader)
        ],
        language=question.language,
        ai_generated=answer is not None,
        elapsed_ms=question.elapsed_ms,
    )


def answer_state(answer: Answer, reader: Reader) -> AnswerState:
    """Whether the answer's text may still be shown to `reader`, by the gate that decided when it was written."""
    citations = list(answer.citations.all())
    cited = {citation.article_id for citation in citations}
    visible = {
        article.pk: article.revision
        for article in Article.objects.published()
        .visible_to(reader)
        .filter(pk__in=[pk for pk in cited if pk is not None])
        .only("pk", "revision")
    }
    if cited - visible.keys():
        return AnswerState.WITHDRAWN
    if any(visible.get(citation.article_id or 0) != citation.article_revision for citation in citations):
        return AnswerState.CHANGED
    return AnswerState.CURRENT


def closest_articles(question: Question, reader: Reader, *, limit: int = CLOSEST) -> list[Article]:
    """The articles that came closest, best first, as far as `reader` may see them now; none that is far off."""
    cited: set[int | None] = set()
    if question.status == QuestionStatus.ANSWERED:
        cited = set(question.answer.citations.values_list("article_id", flat=True))
    near = [
        article_id
        for article_id, cosine in question.considered.values_list("article_id", "cosine")
        if cosine is None or cosine >= _NEAR
    ]
    ranked = [key for key in dict.fromkeys(near) if key is not None and key not in cited]
    visible = Article.objects.published().visible_to(reader).defer("body").in_bulk(ranked)
    return [visible[article_id] for article_id in ranked if article_id in visible][:limit]


def quoted_place(citation: Citation, article: Article) -> str:
    """The quote, marked in its article as it reads now. The article may have moved to another slug since."""
    link = QuoteLink(citation.start, citation.end, citation.article_revision)
    return f"{article.get_absolute_url()}?{PARAMETER}={link}#{QUOTE_ID}"


def absolute(path: str, request: HttpRequest | None) -> str:
    return request.build_absolute_uri(path) if request is not None else settings.SITE_URL + path


def _ticket(ticket: Ticket, request: HttpRequest | None, *, to_asker: bool) -> dict[str, str]:
    leading = ticket.leading
    shown = {"reference": leading.reference, "reason": ticket.reason, "status": leading.status}
    if to_asker:
        shown |= {"token": ticket.token, "url": absolute(ticket.get_absolute_url(), request)}
    return shown


def _answer(answer: Answer) -> AnswerPayload:
    return AnswerPayload(
        text=answer.text, blocks=answer.blocks, writer=answer.writer, language=answer.language
    )


def _citations(answer: Answer, request: HttpRequest | None) -> list[CitationPayload]:
    """Of an answer that may be shown, so each article is there."""
    return [
        CitationPayload(
            number=citation.number,
            article=article.external_id or str(article.pk),
            article_id=article.pk,
            title=citation.title,
            url=absolute(quoted_place(citation, article), request),
            quote=citation.quote,
            start=citation.start,
            end=citation.end,
        )
        for citation in answer.citations.select_related("article")
        if (article := citation.article) is not None
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
