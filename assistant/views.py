"""Pages around a question: ask, answer, feedback, and the way to a person.

Views parse, call one service and render. What may be typed is decided in `assistant.validation`, what may be
seen by knowledge's gate. A form that could not be accepted comes back with everything that was typed.
"""

import re
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods

from assistant import services
from assistant.answer_page import answer_page
from assistant.forms import AskForm, ContactForm, FeedbackForm, FollowUpTicketForm, ReplyForm, TicketForm
from assistant.models import (
    Channel,
    Conversation,
    FeedbackReason,
    Question,
    Ticket,
    TicketStatus,
)
from assistant.services import IdempotencyConflict
from assistant.validation import InvalidInput, without_controls
from knowledge.models import Language

UNPROCESSABLE = 422
CONVERSATIONS_KEPT = 20  # in the session, to know one's own questions again
_KEY = re.compile(r"[0-9a-f]{32}")

# No shared cache keeps these pages. The browser may for its back button, so that typed text is still there;
# only the pages of a ticket are never stored (`never_cache`).
_private = cache_control(private=True, max_age=0, must_revalidate=True)


@_private
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
    follow_up = _own_question(request, request.POST.get("follow_up", ""))
    if form.is_valid():
        question = _asked(request, form.cleaned_data["text"], follow_up)
        if question is not None:
            _remember(request, question.conversation)
            return redirect("answer", public_id=question.public_id)
        form.add_error(None, _("This question could not be accepted. Please send it again."))
    context = {"text": text, "form": form, "follow_up": follow_up}
    return render(request, "assistant/ask.html", context, status=UNPROCESSABLE)


@_private
@require_http_methods(["GET", "HEAD"])
def answer(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _render_answer(request, _question(public_id))


@_private
@require_http_methods(["GET", "HEAD", "POST"])
def feedback(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    question = _question(public_id)
    address = f"{reverse('answer', kwargs={'public_id': public_id})}#feedback"
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
            _add_error(form, error)
        else:
            return redirect(address)
    return _render_answer(request, question, feedback_form=form, status=UNPROCESSABLE)


@_private
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Completes the ticket of an unanswered question with the address to reply to."""
    question = _question(public_id)
    found: Ticket | None = getattr(question, "ticket", None)
    # A complete ticket takes no more contact: whoever holds the answer's link could add to it.
    if request.method != "POST" or found is None or found.status != TicketStatus.AWAITING_CONTACT:
        return redirect(f"{reverse('answer', kwargs={'public_id': public_id})}#contact")
    form = ContactForm(request.POST)
    if form.is_valid():
        try:
            completed = services.complete_ticket(ticket=found, **form.cleaned_data)
        except InvalidInput as error:
            _add_error(form, error)
        else:
            if completed.contact_email != form.cleaned_data["contact_email"]:
                # Somebody else was faster: the thread is theirs.
                return redirect(f"{reverse('answer', kwargs={'public_id': public_id})}#contact")
            _remember(request, question.conversation)
            return _to_new_ticket(request, completed)
    return _render_answer(request, question, contact_form=form, status=UNPROCESSABLE)


@_private
@require_http_methods(["GET", "HEAD", "POST"])
def new_ticket(request: HttpRequest) -> HttpResponse:
    """A person, without an unanswered question first, or about a question that was answered."""
    question = _own_question(request, request.GET.get("question") or request.POST.get("question", ""))
    if question is not None and hasattr(question, "ticket"):
        if question.ticket.status != TicketStatus.AWAITING_CONTACT:
            return redirect(question.ticket)  # a double click arrives where the first click did
        return redirect(f"{reverse('answer', kwargs={'public_id': question.public_id})}#contact")
    form_class = FollowUpTicketForm if question is not None else TicketForm
    if request.method != "POST":
        context = {"form": form_class(initial=_known_contact(request)), "question": question}
        return render(request, "assistant/new_ticket.html", context)
    form = form_class(request.POST)
    if form.is_valid():
        try:
            opened = _opened(request, form.cleaned_data, question)
        except InvalidInput as error:
            _add_error(form, error)
        else:
            return _to_new_ticket(request, opened)
    context = {"form": form, "question": question}
    return render(request, "assistant/new_ticket.html", context, status=UNPROCESSABLE)


@never_cache
@require_http_methods(["GET", "HEAD"])
def ticket(request: HttpRequest, token: str) -> HttpResponse:
    return _render_ticket(request, get_object_or_404(Ticket, token=token))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_reply(request: HttpRequest, token: str) -> HttpResponse:
    found = get_object_or_404(Ticket, token=token)
    if request.method != "POST" or not _takes_replies(found):
        return redirect(found)
    form = ReplyForm(request.POST)
    if form.is_valid():
        try:
            _replied(request, found, form.cleaned_data["body"])
        except InvalidInput as error:
            _add_error(form, error)
        else:
            messages.success(request, _("Your reply has been added. We will answer by e-mail."))
            return redirect(found)
    return _render_ticket(request, found, form=form, status=UNPROCESSABLE)


def _asked(request: HttpRequest, text: str, follow_up: Question | None) -> Question | None:
    """The stored question. Under a key that another text has used (the browser's back button), a new key."""
    user = request.user
    for key in (_form_key(request), uuid.uuid4().hex):
        try:
            return services.ask_question(
                text=text,
                interface_language=_language(),
                user=user,
                channel=Channel.PAGE,
                conversation=follow_up.conversation if follow_up else None,
                idempotency_key=f"page-{key}",
            )
        except IdempotencyConflict:
            continue
    return None


def _opened(request: HttpRequest, data: dict[str, str], question: Question | None) -> Ticket:
    for key in (_form_key(request), uuid.uuid4().hex):
        try:
            return services.open_ticket(
                subject=data["subject"] or (" ".join(question.text.split())[:300] if question else ""),
                detail=data["detail"],
                contact_email=data["contact_email"],
                contact_name=data["contact_name"],
                language=_language(),
                user=request.user,
                question=question,
                idempotency_key=f"page-{key}",
            )
        except IdempotencyConflict:
            continue
    raise InvalidInput("detail", _("This message could not be accepted. Please send it again."))


def _replied(request: HttpRequest, found: Ticket, body: str) -> None:
    for key in (_form_key(request), uuid.uuid4().hex):
        try:
            services.add_customer_message(ticket=found, body=body, idempotency_key=f"page-{key}")
        except IdempotencyConflict:
            continue
        return
    raise InvalidInput("body", _("This message could not be accepted. Please send it again."))


def _render_answer(
    request: HttpRequest,
    question: Question,
    *,
    contact_form: ContactForm | None = None,
    feedback_form: FeedbackForm | None = None,
    status: int = 200,
) -> HttpResponse:
    address = {"public_id": question.public_id}
    context = {
        "page": answer_page(question, reader=request.user),
        "is_own": _is_own(request, question),
        "contact_form": contact_form or ContactForm(initial=_known_contact(request)),
        "feedback": getattr(question, "feedback", None),
        "feedback_form": feedback_form,
        "reasons": FeedbackReason.choices,
        "alternates": _alternates("answer", address),
    }
    return render(request, "assistant/answer.html", context, status=status)


def _render_ticket(
    request: HttpRequest, found: Ticket, *, form: ReplyForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "ticket": found,
        "thread": found.messages.filter(is_internal=False),
        "masked_email": _masked(found.contact_email),
        "takes_replies": _takes_replies(found),
        "form": form,
        "alternates": _alternates("ticket", {"token": found.token}),
    }
    return render(request, "assistant/ticket.html", context, status=status)


def _to_new_ticket(request: HttpRequest, found: Ticket) -> HttpResponse:
    messages.success(request, _("Thank you, your request has reached us."))
    return redirect(found)


def _question(public_id: uuid.UUID) -> Question:
    questions = Question.objects.select_related("conversation", "answer", "ticket", "feedback")
    return get_object_or_404(questions, public_id=public_id)


def _own_question(request: HttpRequest, typed: str) -> Question | None:
    """The question named in a form or an address, if it is this visitor's own."""
    try:
        public_id = uuid.UUID(typed)
    except ValueError:
        return None
    question = Question.objects.select_related("conversation", "ticket").filter(public_id=public_id).first()
    return question if question is not None and _is_own(request, question) else None


def _is_own(request: HttpRequest, question: Question) -> bool:
    if request.user.is_authenticated and question.user_id == request.user.pk:
        return True
    return str(question.conversation.public_id) in request.session.get("conversations", [])


def _remember(request: HttpRequest, conversation: Conversation) -> None:
    public_id = str(conversation.public_id)
    known = [one for one in request.session.get("conversations", []) if one != public_id]
    request.session["conversations"] = [public_id, *known][:CONVERSATIONS_KEPT]


def _known_contact(request: HttpRequest) -> dict[str, str]:
    user = request.user
    if not isinstance(user, User):
        return {}
    return {"contact_email": user.email, "contact_name": user.get_full_name()}


def _takes_replies(found: Ticket) -> bool:
    return found.status in (TicketStatus.OPEN, TicketStatus.PENDING, TicketStatus.SOLVED)


def _form_key(request: HttpRequest) -> str:
    typed = request.POST.get("idempotency_key", "")
    return typed if _KEY.fullmatch(typed) else uuid.uuid4().hex


def _add_error(form: Form, error: InvalidInput) -> None:
    form.add_error(error.field if error.field in form.fields else None, error.message)


def _masked(email: str) -> str:
    """Enough to recognise one's own address, too little for whoever finds the link."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}…{at}{domain}" if at else ""


def _alternates(name: str, kwargs: dict[str, Any]) -> dict[str, str]:
    here = reverse(name, kwargs=kwargs)
    prefix = f"/{_language()}/"
    return {code: f"/{code}/{here.removeprefix(prefix)}" for code in Language.values}


def _language() -> str:
    language = get_language()
    return language if language in Language.values else Language.ENGLISH
