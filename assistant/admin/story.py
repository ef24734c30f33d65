"""What happened with a question, gathered for staff: one page's worth, in a fixed number of queries.

Shows what was stored then, the passages that were considered included, whatever became of the articles since.
Staff read everything; the customers' gate is not asked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import formats
from django.utils.translation import gettext_lazy as _

from assistant.models import Answer, Citation, ConfidenceLevel, ConsideredPassage, Question, Ticket

TONES: dict[str, str] = {
    ConfidenceLevel.HIGH: "good",
    ConfidenceLevel.MEDIUM: "notice",
    ConfidenceLevel.LOW: "bad",
}
# As assistant.signals names them; records of other times and models may hold others.
_SIGNAL_NAMES = {
    "cosine": _("Nearness in meaning (cosine)"),
    "bm25": _("Words in common (logarithm of BM25)"),
    "coverage": _("Share of the question's words that the passage holds"),
    "names": _("Share of the question's names and numbers that the article's passages lack"),
    "joint": _("Near in meaning and in words at once"),
    "known": _("Share of the question's words that any article holds"),
    "margin": _("Lead over the next article (ranking value)"),
    "length": _("Length of the question (logarithm of its words)"),
}
_CLOSEST = 3  # articles


@dataclass(frozen=True)
class Signal:
    name: str  # for people
    value: str


@dataclass(frozen=True)
class Meter:
    """A confidence as a bar with a mark at the threshold."""

    percent: int  # 0..100
    threshold_percent: int | None  # 0..100
    level: str  # for people
    tone: str  # good | notice | bad


@dataclass(frozen=True)
class Story:
    question: Question
    meter: Meter | None
    signals: Sequence[Signal]
    considered: Sequence[ConsideredPassage]
    closest: Sequence[ConsideredPassage]  # the best passage of each article
    answer: Answer | None
    citations: Sequence[Citation]
    others: Sequence[Question]  # of the same conversation
    ticket: Ticket | None


def story_of(question: Question) -> Story:
    considered = list(question.considered.select_related("article").defer("article__body"))
    best: dict[object, ConsideredPassage] = {}
    for passage in considered:
        best.setdefault(passage.article_id or passage.title, passage)
    answer: Answer | None = getattr(question, "answer", None)
    citations = (
        list(answer.citations.select_related("article").defer("article__body")) if answer is not None else []
    )
    return Story(
        question=question,
        meter=meter_of(question),
        signals=signals_of(question),
        considered=considered,
        closest=list(best.values())[:_CLOSEST],
        answer=answer,
        citations=citations,
        others=list(
            Question.objects.filter(conversation_id=question.conversation_id)
            .exclude(pk=question.pk)
            .only("text", "status", "created_at")
            .order_by("created_at", "pk")
        ),
        ticket=getattr(question, "ticket", None),
    )


def meter_of(question: Question) -> Meter | None:
    if question.confidence_score is None:
        return None
    threshold = question.confidence_threshold
    return Meter(
        # Rounded down on both sides: 0.699 must not look as if it had reached 0.70.
        percent=int(question.confidence_score * 100),
        threshold_percent=None if threshold is None else int(threshold * 100),
        level=question.get_confidence_level_display(),
        tone=TONES.get(question.confidence_level, "quiet"),
    )


def signals_of(question: Question) -> list[Signal]:
    return [Signal(signal_name(name), readable(value)) for name, value in question.confidence_signals.items()]


def signal_name(name: str) -> str:
    """Of a signal of `assistant.signals`, for people."""
    return str(_SIGNAL_NAMES.get(name, name.replace("_", " ")))


def readable(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    is_count = float(value).is_integer() and abs(value) >= 2
    return str(formats.number_format(value, decimal_pos=0 if is_count else 3))
