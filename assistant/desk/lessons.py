"""Closing the loop: what a solved ticket teaches the assistant, and what it asks of the editors."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from assistant.desk.actions import note_in_history
from assistant.labels import judge
from assistant.measured import LabelSource, Verdict
from assistant.models import FOR_EDITORS, Lesson, LessonKind, QuestionStatus, Ticket
from assistant.validation import InvalidInput, clean_text
from knowledge.models import Article

_VERDICTS = {
    LessonKind.ARTICLE: Verdict.ARTICLE,
    LessonKind.ASSISTANT: Verdict.ARTICLE,
    LessonKind.MISSING: Verdict.NO_ARTICLE,
}


def teach(
    *, ticket: Ticket, kind: LessonKind, by: Any, article: Article | None = None, text: str = ""
) -> Lesson:
    """The last word counts. Where the ticket has a question, it becomes a label that calibration learns from.

    What is missing or wrong goes to the editors with `text`, or with the customer's own words. Raises InvalidInput.
    """
    if kind != LessonKind.MISSING and article is None:
        raise InvalidInput("answered_by", _("Please name the article that this is about."))
    said = clean_text(text, field="lesson_text", limit=2000)
    if kind == LessonKind.WRONG and not said:
        raise InvalidInput("lesson_text", _("Please say what is wrong or missing, so that it can be mended."))
    if kind == LessonKind.MISSING:
        article = None
        said = said or ticket.asked[:2000]
    with transaction.atomic():
        lesson, _is_new = Lesson.objects.update_or_create(
            ticket=ticket,
            defaults={
                "kind": kind,
                "article": article,
                "text": said if kind in FOR_EDITORS else "",
                "taught_by": by,
                "is_done": False,
            },
        )
        verdict = _VERDICTS.get(kind)
        question = ticket.question
        if verdict is not None and question is not None and question.status != QuestionStatus.RECEIVED:
            judge(
                question=question,
                verdict=verdict,
                articles=[article] if article is not None else [],
                by=by,
                source=LabelSource.TICKET,
            )
        note_in_history(
            ticket=ticket, why=_("What it teaches: %(lesson)s") % {"lesson": lesson.get_kind_display()}
        )
    return lesson
