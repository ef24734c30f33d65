"""What an open ticket page asks for every few seconds, and the way back from a reply that was sent by mistake."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from assistant.admin.evidence import parts_of
from assistant.admin.tickets.forms import TicketForm
from assistant.admin.tickets.thread import thread_of
from assistant.attachments import as_download
from assistant.desk import presence
from assistant.desk.collisions import FIELDS, Seen, raw_value, unseen_messages, written
from assistant.desk.context import summary_of
from assistant.desk.leaks import leaks
from assistant.desk.suggesting import suggest
from assistant.desk.summing_up import kept_summary, sum_up
from assistant.desk.taking_back import take_back
from assistant.mail import reply_as_mailed
from assistant.models import MAX_DETAIL_LENGTH, Ticket, TicketFile, TicketMessage
from assistant.validation import InvalidInput, clean_text
from assistant.writers import assisting


def pulse(request: HttpRequest, form_class: type[TicketForm], pk: int) -> JsonResponse:
    """Says that the reader is here; returns who else is, and what has changed since the page was shown."""
    ticket = get_object_or_404(Ticket, pk=pk)
    if request.POST.get("leaving"):
        presence.leave(ticket=ticket, user=request.user)
        return JsonResponse({})
    others = presence.be_there(
        ticket=ticket, user=request.user, is_writing=request.POST.get("writing") == "1"
    )
    answer: dict[str, Any] = {"others": [others_in_words(one) for one in others]}
    seen = Seen.read(request.POST.get("seen", ""))
    now = Seen.of(ticket)
    if seen is not None and seen != now:
        written_since = unseen_messages(ticket, seen, reader=request.user)
        answer |= {
            "seen": str(now),
            "news": _news(ticket, form_class, seen, written_since),
            "values": {field: written(raw_value(ticket, field)) for field in FIELDS},
            "thread": render_to_string(
                "admin/assistant/ticket/_messages.html",
                {"thread": thread_of(ticket, request.user, unseen=written_since), "original": ticket},
                request,
            ),
        }
    return JsonResponse(answer)


def suggestion(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel with a suggested reply, for a page that is already open."""
    ticket = get_object_or_404(Ticket.objects.select_related("question", "customer"), pk=pk)
    context = suggestion_context(ticket, request.user) | {"original": ticket}
    return render(request, "admin/assistant/ticket/_suggestion.html", context)


def file(request: HttpRequest, pk: int, file_id: int) -> HttpResponse:  # noqa: ARG001 (the admin checks the reader)
    found = get_object_or_404(TicketFile.objects.select_related("content"), pk=file_id, ticket=pk)
    return as_download(bytes(found.content.content), found.name, found.content_type)


def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """What the customer would get for what is in the box now. A panel for a page that is open, else a page."""
    ticket = get_object_or_404(Ticket.objects.select_related("customer"), pk=pk)
    body = str(request.POST.get("messages-0-body", ""))
    context: dict[str, Any] = {
        "original": ticket,
        "title": _("Preview"),
        "is_note": bool(request.POST.get("messages-0-is_internal")),
        "file_names": [one.name for one in request.FILES.getlist("messages-0-attachments")]
        + request.POST.getlist("file_name"),
    }
    try:
        context["body"] = clean_text(body, field="body", limit=MAX_DETAIL_LENGTH, required=True)
    except InvalidInput as error:
        context["refused"] = error.message
    else:
        if not context["is_note"]:
            context["mail"] = reply_as_mailed(ticket=ticket, body=context["body"])
            context["leaks"] = leaks(context["body"], reader=ticket.customer)
    template = "_preview.html" if request.POST.get("part") else "preview.html"
    return render(request, f"admin/assistant/ticket/{template}", {**site.each_context(request), **context})


def suggestion_context(ticket: Ticket, user: Any) -> dict[str, Any]:
    suggested = suggest(ticket, user)
    record = suggested.record if suggested is not None else None
    sentences = [one for part in parts_of(record) for one in part.sentences] if record is not None else []
    return {
        "suggestion": suggested,
        "dropped": [one for one in sentences if one.reasons],
        "is_asked_for": True,
    }


def summary(request: HttpRequest, pk: int) -> HttpResponse:
    """Has the thread summed up; the panel for a page that is open, or the page itself."""
    ticket = get_object_or_404(Ticket.objects.select_related("question"), pk=pk)
    written = sum_up(ticket, by=request.user) if assisting.is_possible() else None
    if "panel" not in request.GET:
        return HttpResponseRedirect(reverse("admin:assistant_ticket_change", args=[pk]) + "#summary")
    context = summary_context(ticket) | {
        "written": written,
        "is_refused": written is None,
        "summary": summary_of(ticket),
        "original": ticket,
    }
    return render(request, "admin/assistant/ticket/_summary.html", context)


def summary_context(ticket: Ticket) -> dict[str, Any]:
    may_sum_up = assisting.is_possible()
    return {"may_sum_up": may_sum_up, "written": kept_summary(ticket) if may_sum_up else None}


def others_in_words(other: presence.Other) -> str:
    if other.is_writing:
        return _("%(name)s is writing in this ticket.") % {"name": other.name}
    return _("%(name)s has this ticket open.") % {"name": other.name}


def take_back_view(request: HttpRequest, pk: int, message_id: int) -> HttpResponse:
    if request.method != "POST":
        raise PermissionDenied
    message = get_object_or_404(TicketMessage.objects.select_related("ticket"), pk=message_id, ticket=pk)
    address = reverse("admin:assistant_ticket_change", args=[pk])
    if take_back(message=message, by=request.user):
        messages.success(
            request, _("Taken back: the reply was not sent. Its text is in the box below again.")
        )
        return HttpResponseRedirect(f"{address}?again={message.pk}#reply")
    messages.error(request, _("Too late: the reply is on its way."))
    return HttpResponseRedirect(address)


def _news(
    ticket: Ticket, form_class: type[TicketForm], seen: Seen, written_since: list[TicketMessage]
) -> list[str]:
    """In words: each new message, and each value that is another now."""
    said = []
    for message in written_since:
        who = message.author or message.get_author_kind_display()
        if message.is_internal:
            said.append(_("%(who)s has left a note.") % {"who": who})
        else:
            said.append(_("%(who)s has written.") % {"who": who})
    form = form_class(instance=ticket)
    for field in FIELDS:
        now = written(raw_value(ticket, field))
        if now != seen.value(field) and field in form.fields:
            said.append(
                _("%(field)s is “%(value)s” now.")
                % {"field": form.fields[field].label, "value": form.shown(field, now)}
            )
    return said
