"""Pages around a question: ask, wait, read, go on asking, judge.

Views parse, call one service and render. What may be typed is decided in `assistant.validation`, what may be
seen by knowledge's gate, whose conversation it is in `assistant.visitor`. A form that could not be accepted comes back
with everything that was typed. The way to a person is in `assistant.ticket_views`.
"""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_safe

from assistant import progress, services
from assistant.answer_page import AnswerPage, answer_page
from assistant.conversation_page import comfort_after, conversation_page
from assistant.forms import AskForm, ContactForm, FeedbackForm
from assistant.models import Conversation, FeedbackReason, Question, QuestionStatus, Stage
from assistant.queue_figures import reply_time
from assistant.services import IdempotencyConflict
from assistant.validation import InvalidInput, without_controls
from assistant.visitor import (
    address_of,
    channel_of,
    interface_language,
    is_own,
    known_contact,
    may_continue,
    question_named,
    remember,
)
from knowledge.models import Language

UNPROCESSABLE = 422
_KEY = re.compile(r"[0-9a-f]{32}")

# No shared cache keeps these pages. The browser may for its back button, so that typed text is still there;
# only the pages of a ticket are never stored (`never_cache`).
private = cache_control(private=True, max_age=0, must_revalidate=True)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        typed = without_controls(request.GET.get("q", ""))
        return render(request, "assistant/ask.html", {"text": typed})
    text = request.POST.get("text", "")
    if request.POST.get("action") == "search":
        query = urlencode({"q": " ".join(without_controls(text).split())})
        return redirect(f"{reverse('search')}?{query}")
    form = AskForm(request.POST)
    follow_up = question_named(request, request.POST.get("follow_up", ""))
    if form.is_valid():
        question = _asked(request, form.cleaned_data["text"], follow_up)
        if question is not None:
            remember(request, question.conversation)
            return redirect("conversation", public_id=question.conversation.public_id)
        form.add_error(None, _("This question could not be accepted. Please send it again."))
    context = {"text": text, "form": form, "follow_up": follow_up}
    return render(request, "assistant/ask.html", context, status=UNPROCESSABLE)


@private
@require_safe
def conversation(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The whole thread, for whoever has its address."""
    found = get_object_or_404(Conversation, public_id=public_id)
    thread = conversation_page(found, reader=request.user)
    if thread is None:
        raise Http404
    context = answer_context(request, thread.current, is_thread=True) | {
        "thread": thread,
        "alternates": alternates("conversation", {"public_id": public_id}),
    }
    return render(request, "assistant/answer.html", context)


@private
@require_safe
def answer(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One question and its answer, for whoever was sent the link."""
    return render_answer(request, find_question(public_id))


@never_cache
@require_http_methods(["GET"])
def events(request: HttpRequest, public_id: uuid.UUID) -> StreamingHttpResponse:
    """What happens to a question, as server-sent events (WHATWG HTML, section 9.2), ending with its outcome."""
    response = StreamingHttpResponse(
        _stream(request, find_question(public_id), interface_language()), content_type="text/event-stream"
    )
    response["X-Accel-Buffering"] = "no"  # nginx would keep all of it until the end
    return response


@never_cache
@require_safe
def state(request: HttpRequest, public_id: uuid.UUID) -> JsonResponse:  # noqa: ARG001
    """The same in one look, for a page that has waited longer than a stream lasts."""
    question = find_question(public_id)
    return JsonResponse(
        {"is_settled": question.status != QuestionStatus.RECEIVED, "stage": progress.stage_of(question)}
    )


@private
@require_http_methods(["GET", "HEAD", "POST"])
def finish(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Decides a question that waits, for a browser that does not follow its events."""
    question = find_question(public_id)
    if request.method == "POST":
        services.settle_question(question=question)
    return redirect(address_of(request, question))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def feedback(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    question = find_question(public_id)
    address = f"{address_of(request, question)}#feedback"
    if request.method != "POST":
        return redirect(address)
    form = FeedbackForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            services.leave_feedback(
                question=question,
                helpful=data["helpful"] == "yes",
                reason=data["reason"],
                comment=data["comment"],
            )
        except InvalidInput as error:
            add_error(form, error)
        else:
            return redirect(address)
    return render_answer(request, question, feedback_form=form, status=UNPROCESSABLE)


def render_answer(
    request: HttpRequest,
    question: Question,
    *,
    contact_form: ContactForm | None = None,
    feedback_form: FeedbackForm | None = None,
    status: int = 200,
) -> HttpResponse:
    page = answer_page(question, reader=request.user)
    context = answer_context(request, page, contact_form=contact_form, feedback_form=feedback_form) | {
        "alternates": alternates("answer", {"public_id": question.public_id})
    }
    return render(request, "assistant/answer.html", context, status=status)


def answer_context(
    request: HttpRequest,
    page: AnswerPage,
    *,
    is_thread: bool = False,
    contact_form: ContactForm | None = None,
    feedback_form: FeedbackForm | None = None,
) -> dict[str, Any]:
    """What the outcome of a question needs to be shown; the same for a page and for the end of its events."""
    question = page.question
    verdict = getattr(question, "feedback", None)
    has_not_helped = verdict is not None and not verdict.helpful
    asks_contact = page.is_escalated or has_not_helped
    return {
        "page": page,
        "is_own": is_own(request, question),
        "may_continue": is_thread or may_continue(request, question),
        "contact_form": contact_form or ContactForm(initial=known_contact(request, question)),
        "feedback": verdict,
        "feedback_form": feedback_form,
        "reasons": FeedbackReason.choices,
        "comfort": comfort_after(page) if has_not_helped else None,
        "reply_time": reply_time() if asks_contact else None,
        "stages": Stage.choices,
        "stage": progress.stage_of(question) if page.is_undecided else "",
    }


def find_question(public_id: uuid.UUID) -> Question:
    questions = Question.objects.select_related("conversation", "answer", "ticket", "feedback")
    return get_object_or_404(questions, public_id=public_id)


def form_key(request: HttpRequest) -> str:
    typed = request.POST.get("idempotency_key", "")
    return typed if _KEY.fullmatch(typed) else uuid.uuid4().hex


def add_error(form: Form, error: InvalidInput) -> None:
    form.add_error(error.field if error.field in form.fields else None, error.message)


def alternates(name: str, kwargs: dict[str, Any]) -> dict[str, str]:
    here = reverse(name, kwargs=kwargs)
    prefix = f"/{interface_language()}/"
    return {code: f"/{code}/{here.removeprefix(prefix)}" for code in Language.values}


def _asked(request: HttpRequest, text: str, follow_up: Question | None) -> Question | None:
    """The stored question. Under a key that another text has used (the browser's back button), a new key.

    A page that can follow events opens at once and waits there; any other gets its answer with this request.
    """
    for key in (form_key(request), uuid.uuid4().hex):
        try:
            question = services.store_question(
                text=text,
                interface_language=interface_language(),
                user=request.user,
                channel=channel_of(request),
                conversation=follow_up.conversation if follow_up else None,
                idempotency_key=f"page-{key}",
            )
        except IdempotencyConflict:
            continue
        if request.POST.get("progressive"):
            progress.begin(question)
        else:
            services.settle_question(question=question)
        return question
    return None


def _stream(request: HttpRequest, question: Question, language: str) -> Iterator[str]:
    yield f"retry: {progress.RETRY_MS}\n\n"
    may_hear = question.user_id in (None, request.user.pk)  # what others may not read is not told to them
    for event in progress.follow(question):
        match event.kind:
            case progress.Kind.BUSY:
                return  # without a last word: the browser comes again
            case progress.Kind.BEAT:
                yield ": still at it\n\n"
            case progress.Kind.SENTENCE:
                if may_hear and event.told is not None:
                    yield _message("sentence", **asdict(event.told))
            case progress.Kind.SETTLED:
                with translation.override(language):
                    yield _message("settled", html=_outcome(request, question))
            case kind:
                yield _message(kind.value, stage=event.stage)


def _message(event: str, **data: object) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def _outcome(request: HttpRequest, question: Question) -> str:
    page = answer_page(find_question(question.public_id), reader=request.user)
    return render_to_string("assistant/_outcome.html", answer_context(request, page), request)
