"""Questions whose right answer is known, from where they are kept, in one shape; and counts of all the others.

Each function is a fixed number of queries, however many rows there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone

from assistant.evaluation import Outcome
from assistant.measured import EvaluatedQuestion, EvaluationRun, Label, Verdict
from assistant.models import ConsideredPassage, Question, QuestionStatus, Ticket
from assistant.quality.figures import Known, percentile
from knowledge.models import Category

MOST_LABELS = 3000  # the newest; more say nothing more, and a page has to come at once
MOST_RUNS = 20  # evaluations; they hold the text of their questions


@dataclass(frozen=True)
class Week:
    start: date  # Monday
    asked: int
    answered: int
    escalated: int
    by_reason: dict[str, int]
    p50_ms: int | None
    p95_ms: int | None
    helpful: int  # votes of customers
    not_helpful: int

    @property
    def end(self) -> date:
        """The next Monday."""
        return self.start + timedelta(days=7)


def known_from_site() -> list[Known]:
    """Judged questions as they were asked then, with the confidence they had."""
    labels = list(
        Label.objects.filter(question__confidence_score__isnull=False)
        .order_by("-judged_at", "-pk")
        .values_list(
            "pk",
            "verdict",
            "question_id",
            "question__language",
            "question__status",
            "question__confidence_score",
        )[:MOST_LABELS]
    )
    gold: dict[int, set[int]] = {}
    category: dict[int, str] = {}
    named = Label.articles.through.objects.filter(label__in=[row[0] for row in labels]).order_by("pk")
    for label_id, article_id, name in named.values_list("label_id", "article_id", "article__category__name"):
        gold.setdefault(label_id, set()).add(article_id)
        category.setdefault(label_id, name or "")
    rankings = _rankings([row[2] for row in labels])
    known = []
    for label_id, verdict, question_id, language, status, score in labels:
        right_articles, ranking = gold.get(label_id, set()), rankings.get(question_id, [])
        is_answered = status == QuestionStatus.ANSWERED
        known.append(
            Known(
                language=language,
                category=category.get(label_id, ""),
                score=score or 0.0,
                is_answered=is_answered,
                is_right=verdict == Verdict.RIGHT
                if is_answered
                else bool(ranking) and ranking[0] in right_articles,
                has_gold=bool(right_articles),
                rank=next((at for at, one in enumerate(ranking, start=1) if one in right_articles), None),
            )
        )
    return known


def known_from_run(run: EvaluationRun) -> list[Known]:
    rows = run.questions.values_list(
        "language", "category", "score", "is_answered", "is_right", "is_answerable", "rank"
    )
    return [Known(*row) for row in rows]


def known_from_outcomes(outcomes: Iterable[Outcome]) -> list[Known]:
    outcomes = list(outcomes)
    names = _category_names(outcomes)
    return [
        Known(
            language=one.question.language,
            category=_category(one, names),
            score=one.decision.confidence.score,
            is_answered=one.is_answered,
            is_right=one.is_citation_right if one.is_answered else one.is_top_right,
            has_gold=one.is_answerable,
            rank=_rank(one),
        )
        for one in outcomes
    ]


def store_run(
    outcomes: Sequence[Outcome], *, name: str, articles: str, hide_gold: bool, figures: dict[str, object]
) -> EvaluationRun:
    """Keeps an evaluation, with each question and its outcome, for the quality page; the oldest ones make room."""
    first = outcomes[0].decision
    run = EvaluationRun.objects.create(
        name=name[:200],
        articles=articles,
        hide_gold=hide_gold,
        recipe=first.retrieval.recipe,
        calibration=first.confidence.calibration[:200],
        threshold=first.confidence.threshold,
        figures=figures,
    )
    known = known_from_outcomes(outcomes)
    EvaluatedQuestion.objects.bulk_create(
        (
            EvaluatedQuestion(
                run=run,
                key=one.question.id[:200],
                text=one.question.text,
                language=counted.language,
                category=counted.category[:200],
                score=counted.score,
                is_answerable=counted.has_gold,
                is_answered=counted.is_answered,
                is_right=counted.is_right,
                rank=counted.rank,
                reason=one.decision.reason or "",
                elapsed_ms=one.elapsed_ms,
            )
            for one, counted in zip(outcomes, known, strict=True)
        ),
        batch_size=500,
    )
    kept = EvaluationRun.objects.values_list("pk", flat=True)[:MOST_RUNS]
    EvaluationRun.objects.exclude(pk__in=list(kept)).delete()
    return run


def weeks(count: int, *, now: datetime | None = None) -> list[Week]:
    """The last `count` weeks, oldest first, the one that has begun included; weeks without a question too."""
    today = timezone.localdate(now)
    first = today - timedelta(days=today.weekday() + 7 * (count - 1))
    since = timezone.make_aware(datetime.combine(first, datetime.min.time()))
    asked = Question.objects.filter(created_at__gte=since).annotate(week=TruncWeek("created_at"))
    counts = {
        _day(week): tuple(numbers)
        for week, *numbers in asked.order_by()
        .values("week")
        .annotate(
            asked=Count("pk"),
            answered=Count("pk", filter=Q(status=QuestionStatus.ANSWERED)),
            escalated=Count("pk", filter=Q(status=QuestionStatus.ESCALATED)),
            helpful=Count("feedback", filter=Q(feedback__helpful=True)),
            not_helpful=Count("feedback", filter=Q(feedback__helpful=False)),
        )
        .values_list("week", "asked", "answered", "escalated", "helpful", "not_helpful")
    }
    reasons: dict[date, dict[str, int]] = {}
    tickets = Ticket.objects.filter(
        question__created_at__gte=since, question__status=QuestionStatus.ESCALATED
    )
    by_reason = tickets.annotate(week=TruncWeek("question__created_at")).order_by().values("week", "reason")
    for week, reason, number in by_reason.annotate(count=Count("pk")).values_list("week", "reason", "count"):
        reasons.setdefault(_day(week), {})[reason] = number
    # Whole milliseconds: there are far fewer of them than questions.
    times: dict[date, list[tuple[int, int]]] = {}
    timed = asked.filter(elapsed_ms__isnull=False).order_by().values("week", "elapsed_ms")
    for week, elapsed_ms, number in timed.annotate(count=Count("pk")).values_list(
        "week", "elapsed_ms", "count"
    ):
        times.setdefault(_day(week), []).append((elapsed_ms or 0, number))
    found = []
    for index in range(count):
        start = first + timedelta(days=7 * index)
        asked_then, answered, escalated, helpful, not_helpful = counts.get(start, (0, 0, 0, 0, 0))
        found.append(
            Week(
                start=start,
                asked=asked_then,
                answered=answered,
                escalated=escalated,
                by_reason=reasons.get(start, {}),
                p50_ms=percentile(times.get(start, []), 0.5),
                p95_ms=percentile(times.get(start, []), 0.95),
                helpful=helpful,
                not_helpful=not_helpful,
            )
        )
    return found


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _rankings(question_ids: Sequence[int]) -> dict[int, list[int | None]]:
    """Of each question, the articles that were considered, best first."""
    found: dict[int, dict[int | None, None]] = {}
    passages = ConsideredPassage.objects.filter(question__in=question_ids).order_by("question_id", "rank")
    for question_id, article_id in passages.values_list("question_id", F("article_id")):
        found.setdefault(question_id, {})[article_id] = None
    return {question_id: list(articles) for question_id, articles in found.items()}


def _category_names(outcomes: Sequence[Outcome]) -> dict[int, str]:
    wanted = {pk for one in outcomes for pk in one.gold_article_ids}
    rows = Category.objects.filter(articles__in=wanted).values_list("articles", "name")
    return dict(rows)


def _category(outcome: Outcome, names: dict[int, str]) -> str:
    return next((names[pk] for pk in sorted(outcome.gold_article_ids) if pk in names), "")


def _rank(outcome: Outcome) -> int | None:
    ranking = outcome.decision.retrieval.article_ids
    return next((at for at, pk in enumerate(ranking, start=1) if pk in outcome.gold_article_ids), None)
