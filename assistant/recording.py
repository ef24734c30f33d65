"""Writes down what became of a question: the claim, the passages considered, the answer or the ticket.

Called by `assistant.services` inside one short transaction, after everything slow is done.
"""

from typing import Any

from django.utils import timezone

from assistant.asking import Decision
from assistant.desk.clock import arrive
from assistant.models import (
    Answer,
    AnswerEvidence,
    Citation,
    ConsideredPassage,
    Priority,
    Question,
    QuestionStatus,
    Ticket,
    TicketReason,
    TicketStatus,
)
from assistant.outbox import owe_confirmation
from knowledge.models import Passage


def claim(question: Question, decision: Decision, elapsed_ms: int) -> bool:
    """Takes the right to store the outcome; False where another process was faster."""
    confidence = decision.confidence
    return _claim(
        question,
        QuestionStatus.ANSWERED if decision.draft is not None else QuestionStatus.ESCALATED,
        confidence_score=confidence.score,
        confidence_threshold=confidence.threshold,
        confidence_level=confidence.level,
        confidence_signals=confidence.signals,
        calibrated=confidence.calibrated,
        calibration=confidence.calibration,
        recipe=decision.retrieval.recipe,
        elapsed_ms=elapsed_ms,
    )


def claim_undecided(question: Question) -> bool:
    """The same for a question that goes to a person as it is."""
    return _claim(question, QuestionStatus.ESCALATED)


def is_overtaken(question: Question, decision: Decision) -> bool:
    """Whether the gate would no longer let pass what the answer cites. Deciding takes a while, editors do not wait."""
    if decision.draft is None:
        return False
    cited = {citation.passage.passage_id for citation in decision.draft.citations}
    language = decision.retrieval.article_language
    return Passage.objects.answerable_by_id(cited, question.user, language=language).keys() != cited


def store_considered(question: Question, decision: Decision) -> None:
    ConsideredPassage.objects.bulk_create(
        ConsideredPassage(
            question=question,
            rank=passage.rank,
            article_id=passage.article_id,
            article_revision=passage.revision,
            title=passage.title,
            heading_path=list(passage.heading_path),
            text=passage.text,
            cosine=passage.cosine,
            bm25=passage.bm25,
            fused=passage.fused,
        )
        for passage in decision.passages
    )


def store_evidence(question: Question, decision: Decision) -> None:
    """Of a ticket's question too, where a model made it another one."""
    generations = decision.draft.generations if decision.draft is not None else ()
    rewriting = decision.rewriting
    if generations or rewriting is not None:
        AnswerEvidence.objects.create(
            question=question,
            generations=[one.as_record() for one in generations],
            rewriting=rewriting.as_record() if rewriting is not None else None,
        )


def publish_answer(question: Question, decision: Decision) -> None:
    draft = decision.draft
    assert draft is not None
    answer = Answer.objects.create(
        question=question,
        text=draft.text,
        blocks=[{"text": block.text, "citations": list(block.citations)} for block in draft.blocks],
        writer=draft.writer,
        language=decision.retrieval.article_language,
    )
    Citation.objects.bulk_create(
        Citation(
            answer=answer,
            number=citation.number,
            article_id=citation.passage.article_id,
            article_revision=citation.passage.revision,
            passage_id=citation.passage.passage_id,
            title=citation.passage.title,
            heading_path=list(citation.passage.heading_path),
            url=citation.passage.url,
            quote=citation.quote,
            start=citation.start,
            end=citation.end,
        )
        for citation in draft.citations
    )


def escalate(
    question: Question,
    reason: TicketReason,
    *,
    matter: str = "",
    priority: Priority = Priority.NORMAL,
) -> None:
    has_contact = bool(question.contact_email)
    ticket = Ticket(
        question=question,
        conversation=question.conversation,
        subject=question.text[:300].replace("\n", " "),
        reason=reason,
        matter=matter,
        priority=priority,
        language=question.language,
        customer=question.user,
        contact_email=question.contact_email,
        contact_name=question.contact_name,
        status=TicketStatus.OPEN if has_contact else TicketStatus.AWAITING_CONTACT,
        completed_at=timezone.now() if has_contact else None,
    )
    if has_contact:
        arrive(ticket)
    ticket.save()
    if has_contact:
        owe_confirmation(ticket)


def _claim(question: Question, status: QuestionStatus, **outcome: Any) -> bool:
    """The contact leaves the question's row with it; `escalate` takes it along from the object in hand.

    So does what was told while it was written: the answer has taken its place.
    """
    claimed = Question.objects.filter(pk=question.pk, status=QuestionStatus.RECEIVED).update(
        status=status, contact_email="", contact_name="", told=None, **outcome
    )
    question.status = status
    return claimed == 1
