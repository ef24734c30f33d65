"""Ask it yourself: the whole way of a question, for staff, with nothing stored.

What is shown is what `assistant.rehearsal` saw while it decided as for a customer; here are the form and the words.
"""

import copy
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from assistant.admin.story import TONES, Meter, readable, signal_name
from assistant.asking import Inquiry
from assistant.confidence import Confidence
from assistant.conversation_page import conversation_page
from assistant.explaining import Origin, Step, Why, steps_of, withheld_from
from assistant.labels import histories_of
from assistant.models import ConfidenceLevel, Matter, Question, TicketReason
from assistant.rehearsal import Rehearsal, rehearse, stored_for_a_moment
from assistant.services import TURNS_OF_HISTORY
from assistant.validation import InvalidInput, clean_question_text, without_controls
from assistant.views import answer_context
from knowledge.followups import ASSISTANT, USER
from knowledge.language import detect_language, reading_language
from knowledge.models import Audience, Language, Reader, audiences_for
from knowledge.site import as_customers_read

_UNPROCESSABLE: Final = 422
_MAX_HISTORY: Final = 8000  # characters

_ORIGINS: Final = {
    Origin.WRITTEN: "",
    Origin.SPELLING: gettext_lazy("spelt nearly so"),
    Origin.TRANSLATION: gettext_lazy("translated"),
    Origin.SYNONYM: gettext_lazy("synonym of the site"),
}
_WHYS: Final = {
    Why.GONE: gettext_lazy("The passage is not in the database any more; the index is behind."),
    Why.OTHER_INDEX: gettext_lazy("It belongs to another index than the one that answers."),
    Why.NOT_PUBLISHED: gettext_lazy("The article is not published."),
    Why.AUDIENCE: gettext_lazy("This reader may not have the article."),
    Why.EARLIER_TEXT: gettext_lazy("It is of an earlier text of the article; the new one is being indexed."),
}


class AskForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Question"),
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True, "class": "vLargeTextField"}),
        required=False,
    )
    reader = forms.ChoiceField(
        label=gettext_lazy("Asked by"),
        choices=[
            ("visitor", gettext_lazy("a visitor")),
            ("customer", gettext_lazy("a signed-in customer")),
            ("staff", gettext_lazy("staff")),
        ],
    )
    page = forms.ChoiceField(label=gettext_lazy("On a page in"), choices=Language.choices)
    language = forms.ChoiceField(
        label=gettext_lazy("Language of the question"),
        choices=[("", gettext_lazy("told from its words")), *Language.choices],
        required=False,
    )
    history = forms.CharField(
        label=gettext_lazy("Earlier turns"),
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        required=False,
        max_length=_MAX_HISTORY,
        help_text=gettext_lazy(
            "Oldest first. Begin each with “user:” or “assistant:”. As for customers, the last three questions count."
        ),
    )

    def clean_text(self) -> str:
        try:
            return clean_question_text(self.cleaned_data["text"])
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error

    def clean_history(self) -> tuple[str, ...]:
        turns: list[str] = []
        for line in without_controls(self.cleaned_data["history"]).splitlines():
            stripped = line.strip()
            begins = stripped.lower().startswith((USER, ASSISTANT))
            if begins:
                who, _colon, said = stripped.partition(":")
                turns.append(f"{who.lower()}: {said.strip()}")
            elif turns:
                turns[-1] = f"{turns[-1]}\n{line.rstrip()}".rstrip()
            elif stripped:
                raise forms.ValidationError(_("The first line begins with neither “user:” nor “assistant:”."))
        asked = [place for place, turn in enumerate(turns) if turn.startswith(USER)]
        return tuple(turns[asked[-TURNS_OF_HISTORY] :] if len(asked) > TURNS_OF_HISTORY else turns)


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perms(("knowledge.view_article", "assistant.view_question")):
        raise PermissionDenied
    initial = {
        "reader": "visitor",
        "page": reading_language(),
        **_of_question(request.GET.get("question", "")),
    }
    form = AskForm(request.POST or None, initial=initial)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Ask it yourself"),
        "form": form,
    }
    if form.is_valid():
        context |= _answered(request, form)
    status = _UNPROCESSABLE if form.is_bound and not form.is_valid() else 200
    return TemplateResponse(request, "admin/playground/page.html", context, status=status)


PAGES = (("", page, "playground"),)


def _answered(request: HttpRequest, form: AskForm) -> dict[str, Any]:
    values = form.cleaned_data
    detected = detect_language(values["text"], fallback=values["page"])
    inquiry = Inquiry(
        text=values["text"],
        language=values["language"] or detected,
        reader=_reader(request, values["reader"]),
        history=values["history"],
    )
    rehearsal = rehearse(inquiry)
    decision = rehearsal.decision
    html, answer = _as_shown(request, rehearsal, values["page"])
    return {
        "rehearsal": rehearsal,
        "decision": decision,
        "matter": Matter(rehearsal.matter.matter).label if rehearsal.matter else "",
        "reason": TicketReason(decision.reason).label if decision.reason else "",
        "meter": _meter(decision.confidence),
        "detected": Language(detected).label,
        "language": Language(inquiry.language).label,
        "is_language_told": not values["language"],
        "audiences": [Audience(one).label for one in audiences_for(inquiry.reader)],
        "has_vectors": all(
            reading.vector is not None for seen in rehearsal.seen for reading in seen.look.readings
        ),
        "steps": [_told(step) for step in steps_of(rehearsal)],
        "withheld": [(article, rank) for article, rank in withheld_from(rehearsal)],
        "shown": html,
        "follow_up": "\n".join(
            [*inquiry.history, f"{USER} {inquiry.text}", *([f"{ASSISTANT} {answer}"] if answer else [])]
        ),
    }


def _told(step: Step) -> dict[str, Any]:
    """A step with its words."""
    retrieval, confidence = step.seen.look.retrieval, step.seen.confidence
    return {
        "step": step,
        "retrieval": retrieval,
        "confidence": confidence,
        "meter": _meter(confidence),
        "question_language": Language(retrieval.question_language).label,
        "article_language": Language(retrieval.article_language).label,
        "history_percent": round(100 * retrieval.history),
        "words": [(word, [(form, _ORIGINS[form.origin]) for form in word.forms]) for word in step.words],
        "kept_out": [(one, _WHYS[one.why]) for one in step.kept_out],
        "parts": [(signal_name(part.name), readable(part.value), part.adds) for part in step.parts],
        "is_rescaled": confidence.score != confidence.raw,
        "raw_percent": int(confidence.raw * 100),
    }


def _as_shown(request: HttpRequest, rehearsal: Rehearsal, language: str) -> tuple[str, str]:
    """The page that the customer would get, and the answer on it as text; empty where there is none."""
    visitor = copy.copy(request)
    visitor.method = "GET"
    visitor.session = {}  # type: ignore[assignment]  # a visitor's, who has asked nothing before
    visitor._messages = []  # type: ignore[attr-defined]
    with stored_for_a_moment(rehearsal) as question, translation.override(language), as_customers_read():
        visitor.user = question.user or AnonymousUser()
        thread = conversation_page(question.conversation, reader=visitor.user)
        assert thread is not None  # it has this question
        context = answer_context(visitor, thread.current, is_thread=True) | {
            "is_own": True,
            "thread": thread,
            "alternates": {},
        }
        html = render_to_string("assistant/answer.html", context, visitor)
        return html, question.answer.text if thread.current.shown is not None else ""


def _reader(request: HttpRequest, kind: str) -> Reader:
    if kind == "staff":
        return request.user
    return get_user_model()(is_active=True) if kind == "customer" else None


def _of_question(typed: str) -> dict[str, str]:
    """What the form begins with for a stored question."""
    question = Question.objects.select_related("user").filter(pk=typed).first() if typed.isdecimal() else None
    if question is None:
        return {}
    reader = "visitor"
    if question.user is not None:
        reader = "staff" if question.user.is_staff else "customer"
    return {
        "text": question.text,
        "language": question.language,
        "page": question.language,
        "reader": reader,
        "history": "\n".join(histories_of([question])[question.pk]),
    }


def _meter(confidence: Confidence) -> Meter:
    level = ConfidenceLevel(confidence.level)
    return Meter(
        # Rounded down on both sides: 0.699 must not look as if it had reached 0.70.
        percent=int(confidence.score * 100),
        threshold_percent=int(confidence.threshold * 100),
        level=str(level.label),
        tone=TONES[level],
    )
