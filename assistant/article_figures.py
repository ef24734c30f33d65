"""How an article fares: read, quoted, judged, and not enough; each figure with the questions behind it.

Promise: a fixed number of queries, however much was asked. Says what was stored; nothing is asked again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet, Sum

from assistant.measured import Verdict
from assistant.models import Citation, ConsideredPassage, Question, QuestionStatus, Ticket
from knowledge.models import Article
from knowledge.viewing import PERIOD, ArticleViews
from knowledge.votes import ArticleVote

DAYS: Final = 30


@dataclass(frozen=True)
class Share:
    """Of the last 30 days, of the 30 before, and of all time."""

    recent: int
    before: int
    total: int


@dataclass(frozen=True)
class Figures:
    views: Share
    answered: Share  # questions that were answered with a quote from it
    first: int  # of all of them, those whose first quote is from it
    confidence: float | None  # 0..1, mean of the answered
    answer_yes: int  # customers' votes on these answers
    answer_no: int
    page_yes: int  # readers' votes on its page
    page_no: int
    tickets: int  # answered from it, and yet a ticket
    right: int  # judgements of staff
    not_right: int
    near: int  # it came first, and the question went to a person all the same

    @property
    def judged(self) -> int:
        return self.right + self.not_right


def figures_of(article: Article, now: datetime) -> Figures:
    recent = Q(created_at__gt=now - PERIOD)
    before = Q(created_at__gt=now - 2 * PERIOD, created_at__lte=now - PERIOD)
    asked = answered_from(article).aggregate(
        total=Count("pk"),
        recent=Count("pk", filter=recent),
        before=Count("pk", filter=before),
        first=Count("pk", filter=Q(Exists(_citations(article).filter(number=1)))),
        confidence=Avg("confidence_score"),
        yes=Count("pk", filter=Q(feedback__helpful=True)),
        no=Count("pk", filter=Q(feedback__helpful=False)),
        tickets=Count("pk", filter=with_ticket()),
        right=Count("pk", filter=Q(label__verdict=Verdict.RIGHT)),
        not_right=Count("pk", filter=not_right()),
    )
    votes = ArticleVote.objects.filter(article=article).aggregate(
        yes=Count("pk", filter=Q(is_helpful=True)), no=Count("pk", filter=Q(is_helpful=False))
    )
    return Figures(
        views=_views(article, now),
        answered=Share(asked["recent"], asked["before"], asked["total"]),
        first=asked["first"],
        confidence=asked["confidence"],
        answer_yes=asked["yes"],
        answer_no=asked["no"],
        page_yes=votes["yes"],
        page_no=votes["no"],
        tickets=asked["tickets"],
        right=asked["right"],
        not_right=asked["not_right"],
        near=near_misses(article).count(),
    )


def answered_from(article: Article) -> QuerySet[Question]:
    """Questions whose answer quotes it."""
    return Question.objects.filter(Exists(_citations(article)), status=QuestionStatus.ANSWERED)


def near_misses(article: Article) -> QuerySet[Question]:
    """Questions for which it came first, and which went to a person all the same."""
    first = ConsideredPassage.objects.filter(question=OuterRef("pk"), article=article, rank=1)
    return Question.objects.filter(Exists(first), status=QuestionStatus.ESCALATED)


def with_ticket() -> Q:
    """The question has a ticket of its own, or its conversation got one without a question later on."""
    later = Ticket.objects.filter(
        conversation=OuterRef("conversation"), question=None, created_at__gte=OuterRef("created_at")
    )
    return Q(ticket__isnull=False) | Q(Exists(later))


def not_right() -> Q:
    return Q(label__isnull=False) & ~Q(label__verdict=Verdict.RIGHT)


def _citations(article: Article) -> QuerySet[Citation]:
    return Citation.objects.filter(answer__question=OuterRef("pk"), article=article)


def _views(article: Article, now: datetime) -> Share:
    today = now.date()
    start, earlier = today - timedelta(days=DAYS), today - timedelta(days=2 * DAYS)
    found = ArticleViews.objects.filter(article=article).aggregate(
        recent=Sum("count", filter=Q(day__gt=start)),
        before=Sum("count", filter=Q(day__gt=earlier, day__lte=start)),
        total=Sum("count"),
    )
    return Share(found["recent"] or 0, found["before"] or 0, found["total"] or 0)
