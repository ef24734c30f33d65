"""The suggested category and priority on a ticket's page, in words, and the two buttons beside each."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assistant.desk.routing import accept, reject
from assistant.desk.routing.history import value_of
from assistant.desk.routing.suggestions import label_of
from assistant.models import RoutedField, RoutingSuggestion, Ticket
from assistant.models.routing import ENOUGH_HISTORY


@dataclass(frozen=True)
class Line:
    suggestion: RoutingSuggestion
    field: str
    value: str
    similar: str
    past: str
    is_current: bool
    is_open: bool  # waits for an answer


@dataclass(frozen=True)
class Panel:
    lines: Sequence[Line]  # what is suggested, or was
    stands: Sequence[str]  # why nothing is suggested, once each


def panel_of(ticket: Ticket) -> Panel:
    """Two queries; empty before the sweep has looked at the ticket."""
    lines, stands = [], []
    for one in ticket.routing.select_related("answered_by").order_by("field"):
        label = label_of(one) if one.is_offered or one.answer else ""
        if label:
            lines.append(_line(ticket, one, label))
        else:
            stands.append(_why_not(one))
    return Panel(lines, list(dict.fromkeys(stands)))


def answer_view(request: HttpRequest, pk: int, suggestion_id: int, answer: str) -> HttpResponse:
    """A click: for an open page its panel anew, and the field that has changed; otherwise the page."""
    suggestion = get_object_or_404(
        RoutingSuggestion.objects.select_related("ticket"), pk=suggestion_id, ticket=pk
    )
    if answer not in ("accept", "reject"):
        raise Http404
    did = accept if answer == "accept" else reject
    is_done = did(suggestion=suggestion, by=request.user)
    if request.headers.get("Accept") != "application/json":
        if not is_done:
            messages.warning(request, _("This suggestion has been answered already."))
        return HttpResponseRedirect(reverse("admin:assistant_ticket_change", args=[pk]))
    ticket = Ticket.objects.get(pk=pk)
    context = {"routing": panel_of(ticket), "may_route": True, "original": ticket}
    html = render_to_string("admin/assistant/ticket/_routing.html", context, request)
    return JsonResponse(
        {
            "html": html,
            "field": suggestion.field,
            "value": str(value_of(ticket, RoutedField(suggestion.field)) or ""),
        }
    )


def _line(ticket: Ticket, one: RoutingSuggestion, label: str) -> Line:
    return Line(
        suggestion=one,
        field=str(RoutedField(one.field).label),
        value=label,
        similar=_similar(one, label),
        past=_past(one),
        is_current=value_of(ticket, RoutedField(one.field)) == one.value,
        is_open=not one.answer,
    )


def _similar(one: RoutingSuggestion, label: str) -> str:
    said = {"agreeing": one.agreeing, "similar": one.similar, "value": label}
    if one.field == RoutedField.CATEGORY:
        return _("%(agreeing)d of %(similar)d similar tickets went to %(value)s.") % said
    return _("%(agreeing)d of %(similar)d similar tickets had the priority %(value)s.") % said


def _past(one: RoutingSuggestion) -> str:
    return _(
        "Of %(tried)d past suggestions as clear as this one, %(right)d were right (the rules: %(rules)d)."
    ) % {"tried": one.tried, "right": one.right, "rules": one.rule_right}


def _why_not(one: RoutingSuggestion) -> str:
    if one.learned_from < ENOUGH_HISTORY:
        return ngettext(
            "The rules' value stands: %(count)d solved ticket to learn from, %(needed)d are needed.",
            "The rules' value stands: %(count)d solved tickets to learn from, %(needed)d are needed.",
            one.learned_from,
        ) % {"count": one.learned_from, "needed": ENOUGH_HISTORY}
    if one.value is None:
        return _("The rules' value stands: too few solved tickets are similar.")
    return _("The rules' value stands: similar tickets disagree too often. %(past)s") % {"past": _past(one)}
