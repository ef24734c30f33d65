"""The way to a person: give contact, write to the team, read the thread, reply, close and take up again.

The same promises as in `assistant.views`; in addition nobody is asked for what is known already, and whoever sends
something has seen all of it.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from assistant import services, settling
from assistant.answer_page import AnswerPage, answer_page
from assistant.attachments import Upload, as_download
from assistant.conversation_page import turns_of
from assistant.forms import ContactForm, FollowUpTicketForm, RatingForm, ReplyForm, TicketForm
from assistant.models import Question, Ticket, TicketStatus
from assistant.queue_figures import reply_time
from assistant.services import IdempotencyConflict
from assistant.validation import InvalidInput
from assistant.views import (
    UNPROCESSABLE,
    add_error,
    alternates,
    find_question,
    form_key,
    private,
    render_answer,
)
from assistant.visitor import (
    address_of,
    interface_language,
    is_own,
    known_contact,
    question_named,
    remember,
)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Completes the ticket of an unanswered question with the address to reply to."""
    question = find_question(public_id)
    own: Ticket | None = getattr(question, "ticket", None)
    found = own.leading if own is not None else None
    address = f"{address_of(request, question)}#contact"
    if request.method != "POST" or found is None:
        return redirect(address)
    if found.status != TicketStatus.AWAITING_CONTACT:
        # It takes no more contact: whoever holds the answer's link could add to it. A double click of the one who
        # asked arrives where the first click did.
        return redirect(found if is_own(request, question) else address)
    form = ContactForm(request.POST)
    if form.is_valid():
        try:
            completed = services.complete_ticket(ticket=found, **form.cleaned_data)
        except InvalidInput as error:
            add_error(form, error)
        else:
            if completed.contact_email != form.cleaned_data["contact_email"]:
                return redirect(address)  # somebody else was faster: the thread is theirs
            remember(request, question.conversation)
            return _to_new_ticket(request, completed)
    return render_answer(request, question, contact_form=form, status=UNPROCESSABLE)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def new_ticket(request: HttpRequest) -> HttpResponse:
    """A person, without an unanswered question first, or about a question that was answered."""
    question = question_named(request, request.GET.get("question") or request.POST.get("question", ""))
    if question is not None and hasattr(question, "ticket"):
        leading = question.ticket.leading
        if leading.status != TicketStatus.AWAITING_CONTACT:
            return redirect(leading)  # a double click arrives where the first click did
        return redirect(f"{address_of(request, question)}#contact")
    form_class = FollowUpTicketForm if question is not None else TicketForm
    if request.method != "POST":
        return _render_new_ticket(request, form_class(initial=known_contact(request, question)), question)
    form = form_class(request.POST, request.FILES)
    if form.is_valid():
        try:
            opened = _opened(request, form.cleaned_data, question)
        except InvalidInput as error:
            add_error(form, error)
        else:
            return _to_new_ticket(request, opened)
    return _render_new_ticket(request, form, question, status=UNPROCESSABLE)


@never_cache
@require_safe
def ticket(request: HttpRequest, token: str) -> HttpResponse:
    found = _find_ticket(token)
    # A link to what was merged leads on; one thread has one address.
    return _render_ticket(request, found) if found.token == token else redirect(found)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_reply(request: HttpRequest, token: str) -> HttpResponse:
    found = _find_ticket(token)
    if request.method != "POST" or not found.takes_replies:
        return redirect(found)
    form = ReplyForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            _replied(request, found, form.cleaned_data["body"], form.cleaned_data["attachments"])
        except InvalidInput as error:
            add_error(form, error)
        else:
            messages.success(request, _("Your reply has been added. We will answer by e-mail."))
            return redirect(found)
    return _render_ticket(request, found, form=form, status=UNPROCESSABLE)


@never_cache
@require_safe
def ticket_file(request: HttpRequest, token: str, pk: int) -> HttpResponse:  # noqa: ARG001 (the link is enough)
    """A download for whoever holds the ticket's link: of what its thread shows, and nothing else."""
    files = _find_ticket(token).files.for_customer(timezone.now()).select_related("content")
    file = get_object_or_404(files, pk=pk)
    return as_download(bytes(file.content.content), file.name, file.content_type)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_close(request: HttpRequest, token: str) -> HttpResponse:
    """The customer needs no more help. It can be taken up again, so nothing is asked twice."""
    found = _find_ticket(token)
    if request.method == "POST" and settling.close_request(ticket=found):
        messages.success(request, _("Good to hear. The request is closed; you can take it up again below."))
    return redirect(found)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_reopen(request: HttpRequest, token: str) -> HttpResponse:
    found = _find_ticket(token)
    if request.method == "POST" and settling.reopen_request(ticket=found):
        messages.success(request, _("The request is open again. Tell us below what is missing."))
    return redirect(found)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_rate(request: HttpRequest, token: str) -> HttpResponse:
    """Whether the customer was content with how it was settled."""
    found = _find_ticket(token)
    if request.method != "POST" or found.status not in (TicketStatus.SOLVED, TicketStatus.CLOSED):
        return redirect(found)
    form = RatingForm(request.POST)
    if form.is_valid():
        services.rate_ticket(
            ticket=found,
            is_content=form.cleaned_data["content"] == "yes",
            comment=form.cleaned_data["comment"],
        )
        return redirect(f"{found.get_absolute_url()}#rating")
    return _render_ticket(request, found, rating_form=form, status=UNPROCESSABLE)


def _find_ticket(token: str) -> Ticket:
    """The ticket of a link, or the one that it has become part of."""
    return get_object_or_404(Ticket.objects.select_related("merged_into"), token=token).leading


def _opened(request: HttpRequest, data: dict[str, Any], question: Question | None) -> Ticket:
    for key in (form_key(request), uuid.uuid4().hex):
        try:
            return services.open_ticket(
                subject=data["subject"] or (" ".join(question.text.split())[:300] if question else ""),
                detail=data["detail"],
                contact_email=data["contact_email"],
                contact_name=data["contact_name"],
                language=interface_language(),
                user=request.user,
                question=question,
                idempotency_key=f"page-{key}",
                files=data["attachments"],
            )
        except IdempotencyConflict:
            continue
    raise InvalidInput("detail", _("This message could not be accepted. Please send it again."))


def _replied(request: HttpRequest, found: Ticket, body: str, files: Sequence[Upload]) -> None:
    for key in (form_key(request), uuid.uuid4().hex):
        try:
            services.add_customer_message(ticket=found, body=body, idempotency_key=f"page-{key}", files=files)
        except IdempotencyConflict:
            continue
        return
    raise InvalidInput("body", _("This message could not be accepted. Please send it again."))


def _render_new_ticket(
    request: HttpRequest, form: TicketForm, question: Question | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "question": question,
        "turns": _sent_along(request, question),
        "knows_address": bool(known_contact(request, question)) and not form.errors,
        "reply_time": reply_time(),
    }
    return render(request, "assistant/new_ticket.html", context, status=status)


def _render_ticket(
    request: HttpRequest,
    found: Ticket,
    *,
    form: ReplyForm | None = None,
    rating_form: RatingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "ticket": found,
        "opening_files": found.files.filter(message=None),
        "thread": found.messages.for_customer(timezone.now()).prefetch_related("files"),
        "turns": _sent_along(request, found.question),
        "settled": settling.settled(found),
        "masked_email": _masked(found.contact_email),
        "takes_replies": found.takes_replies,
        "reply_time": reply_time() if found.status == TicketStatus.OPEN else None,
        "form": form,
        "rating": getattr(found, "rating", None),
        "rating_form": rating_form,
        "alternates": alternates("ticket", {"token": found.token}),
    }
    return render(request, "assistant/ticket.html", context, status=status)


def _sent_along(request: HttpRequest, question: Question | None) -> list[AnswerPage]:
    """The conversation up to the question, as the team gets it and as this reader may see it."""
    if question is None:
        return []
    turns = [turn for turn in turns_of(question.conversation) if turn.pk <= question.pk]
    return [answer_page(turn, reader=request.user) for turn in turns]


def _to_new_ticket(request: HttpRequest, found: Ticket) -> HttpResponse:
    messages.success(request, _("Thank you, your request has reached us."))
    return redirect(found)


def _masked(email: str) -> str:
    """Enough to recognise one's own address, too little for whoever finds the link."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}…\u2060{at}{domain}" if at else ""  # with a joiner: no line ends within it
