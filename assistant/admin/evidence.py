"""How a model took part in an answer, as a panel for staff and as JSON for auditors; and what the model costs a day.

Shows what was stored then. Nothing here is edited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import formats
from django.utils.translation import gettext_lazy as _

from assistant.models import AnswerEvidence, ModelUsage, Question, StaffText
from knowledge.admin.display import STYLESHEET

if TYPE_CHECKING:
    _UsageAdmin = admin.ModelAdmin[ModelUsage]
else:
    _UsageAdmin = admin.ModelAdmin

_PROBLEMS = {  # as assistant.grounding.Problem names them
    "form": _("empty, too long or said before"),
    "citation": _("no passage has this number"),
    "quote": _("the quote does not stand in the passage"),
    "language": _("another language than the question"),
    "orphan": _("leans on a sentence that was dropped"),
    "address": _("an address that the quote does not have"),
    "number": _("a number that the quote does not have"),
    "unit": _("another unit than in the quote"),
    "date": _("a date that the quote does not have"),
    "name": _("a name that the quote does not have"),
    "negation": _("says yes where the quote says no, or no where it says yes"),
    "condition": _("a condition or limit is missing or added"),
    "quantifier": _("all, some or most differ"),
    "opposite": _("says the opposite"),
    "meaning": _("not near enough in meaning"),
    "entailment": _("does not follow from the quote, says the cross-encoder"),
}


@dataclass(frozen=True)
class Sentence:
    text: str
    quote: str
    passage: int | None
    reasons: tuple[str, ...]  # for people; empty: it was shown
    entailment: float | None  # 0..1, where a cross-encoder said it


@dataclass(frozen=True)
class Part:
    """One question that was put to a model."""

    record: dict[str, Any]
    sentences: tuple[Sentence, ...]


def parts_of(shown: Question | StaffText) -> Sequence[Part]:
    evidence: AnswerEvidence | StaffText | None = (
        shown if isinstance(shown, StaffText) else getattr(shown, "evidence", None)
    )
    if evidence is None:
        return ()
    return tuple(
        Part(one, tuple(_sentence(sentence) for sentence in one["sentences"])) for one in evidence.generations
    )


def rewriting_of(question: Question) -> dict[str, Any] | None:
    """Of a follow-up that a model was asked to make a question of its own: `assistant.writers.Rewriting`."""
    evidence: AnswerEvidence | None = getattr(question, "evidence", None)
    return evidence.rewriting if evidence is not None else None


def _sentence(record: dict[str, Any]) -> Sentence:
    reasons = tuple(
        f"{_PROBLEMS.get(kind, kind)}{f': {detail}' if detail else ''}" for kind, detail in record["problems"]
    )
    return Sentence(
        record["text"],
        record["quote"],
        record["passage"],
        reasons,
        record.get("entailment"),  # records of earlier versions have none
    )


def evidence_view(request: HttpRequest, question_id: int) -> JsonResponse:
    """All that is known of an answer, in one file."""
    if not request.user.has_perm("assistant.view_question"):
        raise PermissionDenied
    question = get_object_or_404(Question.objects.select_related("answer", "evidence"), pk=question_id)
    answer = getattr(question, "answer", None)
    evidence = getattr(question, "evidence", None)
    record = {
        "question": {
            "id": str(question.public_id),
            "text": question.text,
            "language": question.language,
            "asked_at": question.created_at,
            "status": question.status,
            "elapsed_ms": question.elapsed_ms,
        },
        "confidence": {
            "score": question.confidence_score,
            "threshold": question.confidence_threshold,
            "level": question.confidence_level,
            "calibrated": question.calibrated,
            "calibration": question.calibration,
            "signals": question.confidence_signals,
        },
        "recipe": question.recipe,
        "passages": [
            {
                "rank": one.rank,
                "article": one.article_id,
                "revision": one.article_revision,
                "title": one.title,
                "headings": one.heading_path,
                "text": one.text,
                "cosine": one.cosine,
                "bm25": one.bm25,
            }
            for one in question.considered.all()
        ],
        "answer": None
        if answer is None
        else {
            "text": answer.text,
            "blocks": answer.blocks,
            "writer": answer.writer,
            "language": answer.language,
            "citations": [
                {
                    "number": one.number,
                    "article": one.article_id,
                    "revision": one.article_revision,
                    "title": one.title,
                    "quote": one.quote,
                    "start": one.start,
                    "end": one.end,
                }
                for one in answer.citations.all()
            ],
        },
        "rewriting": evidence.rewriting if evidence is not None else None,
        "generations": evidence.generations if evidence is not None else [],
    }
    response = JsonResponse(record, json_dumps_params={"ensure_ascii": False, "indent": 2})
    response["Content-Disposition"] = f'attachment; filename="evidence-{question.public_id}.json"'
    return response


@admin.register(ModelUsage)
class ModelUsageAdmin(_UsageAdmin):
    list_display = (
        "day",
        "requests",
        "cached",
        "failures",
        "input_tokens",
        "output_tokens",
        "cost",
        "sentences_shown",
        "sentences_dropped",
    )
    list_per_page = 62
    date_hierarchy = "day"
    fields = (*list_display, "tokens")
    readonly_fields = ("cost",)

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelUsage | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelUsage | None = None) -> bool:
        return False

    @admin.display(description=_("cost"), ordering="cost_micros")
    def cost(self, usage: ModelUsage) -> str:
        return str(formats.number_format(usage.cost_micros / 1_000_000, decimal_pos=4))
