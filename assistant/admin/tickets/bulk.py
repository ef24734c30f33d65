"""What is done to several tickets at once. Each goes through the desk's own functions, so each has its history."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from assistant import desk
from assistant.desk import NotTheSameCustomer
from assistant.hooks.handing_over import owe_hand_off
from assistant.models import KnownProblem, Priority, Ticket

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Ticket]
else:
    _Admin = object

_MOST_MERGED = 20


class ProblemForm(forms.Form):
    problem = forms.ModelChoiceField(
        label=gettext_lazy("Known problem"),
        queryset=KnownProblem.objects.filter(is_open=True),
        required=False,
        empty_label=gettext_lazy("none of these"),
    )
    title = forms.CharField(
        label=gettext_lazy("or a new one"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("What many customers meet, in a few words."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if bool(values.get("problem")) == bool((values.get("title") or "").strip()) and not self.errors:
            raise forms.ValidationError(_("Choose a known problem, or give a new one its title; not both."))
        return values

    def chosen(self) -> KnownProblem:
        found = self.cleaned_data["problem"]
        return found or KnownProblem.objects.create(title=self.cleaned_data["title"].strip())


class BulkActions(_Admin):
    actions = (
        "assign_to_me",
        "give_back",
        "make_urgent",
        "make_high",
        "make_normal",
        "make_low",
        "solve",
        "reopen",
        "merge",
        "link_to_problem",
        "spam",
        "no_spam",
        "send_mail_again",
        "hand_over",
    )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if not settings.HANDOFF_TO:
            actions.pop("hand_over", None)
        return actions

    @admin.action(
        description=gettext_lazy("Open selected tickets in the other help desk"), permissions=["change"]
    )
    def hand_over(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, _hand_over)

    @admin.action(description=gettext_lazy("Assign selected tickets to me"), permissions=["change"])
    def assign_to_me(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(
            request, queryset, lambda ticket: desk.assign_ticket(ticket=ticket, assignee=request.user)
        )

    @admin.action(description=gettext_lazy("Assign selected tickets to nobody"), permissions=["change"])
    def give_back(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: desk.assign_ticket(ticket=ticket, assignee=None))

    @admin.action(description=gettext_lazy("Priority: urgent"), permissions=["change"])
    def make_urgent(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._prioritise(request, queryset, Priority.URGENT)

    @admin.action(description=gettext_lazy("Priority: high"), permissions=["change"])
    def make_high(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._prioritise(request, queryset, Priority.HIGH)

    @admin.action(description=gettext_lazy("Priority: normal"), permissions=["change"])
    def make_normal(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._prioritise(request, queryset, Priority.NORMAL)

    @admin.action(description=gettext_lazy("Priority: low"), permissions=["change"])
    def make_low(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._prioritise(request, queryset, Priority.LOW)

    @admin.action(description=gettext_lazy("Mark selected tickets as solved"), permissions=["change"])
    def solve(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: desk.solve_ticket(ticket=ticket))

    @admin.action(description=gettext_lazy("Reopen selected tickets"), permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: desk.reopen_ticket(ticket=ticket))

    @admin.action(description=gettext_lazy("Spam"), permissions=["change"])
    def spam(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: desk.mark_spam(ticket=ticket))

    @admin.action(description=gettext_lazy("No spam"), permissions=["change"])
    def no_spam(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: desk.unmark_spam(ticket=ticket))

    @admin.action(description=gettext_lazy("Send failed e-mails again"), permissions=["change"])
    def send_mail_again(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: desk.send_mail_again(ticket=ticket))

    @admin.action(description=gettext_lazy("Merge duplicates …"), permissions=["change"])
    def merge(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> HttpResponse | None:
        """First a page that asks which one stays; then the merge."""
        tickets = list(
            queryset.select_related("question", "customer").order_by("created_at")[: _MOST_MERGED + 1]
        )
        if not 2 <= len(tickets) <= _MOST_MERGED:
            self.message_user(
                request,
                _("Please select 2 to %(most)d tickets to merge.") % {"most": _MOST_MERGED},
                messages.WARNING,
            )
            return None
        kept = next((one for one in tickets if str(one.pk) == request.POST.get("kept")), None)
        if kept is None:
            return self._ask(request, "merge", tickets, {"title": _("Which ticket stays?")})
        try:
            merged = desk.merge_tickets(kept=kept, duplicates=tickets, by=request.user)
        except NotTheSameCustomer as error:
            self.message_user(
                request,
                _(
                    "Nothing was merged: %(reference)s is another customer's, and the link of one would show the "
                    "thread of the other. Link them to a known problem instead."
                )
                % {"reference": error.ticket.reference},
                messages.ERROR,
            )
            return None
        self.message_user(
            request,
            ngettext(
                "%(count)d ticket was merged into %(reference)s.",
                "%(count)d tickets were merged into %(reference)s.",
                merged,
            )
            % {"count": merged, "reference": desk.followed(kept).reference},
            messages.SUCCESS,
        )
        return None

    @admin.action(description=gettext_lazy("Link to a known problem …"), permissions=["change"])
    def link_to_problem(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> HttpResponse | None:
        form = ProblemForm(request.POST if "chosen" in request.POST else None)
        if not form.is_bound or not form.is_valid():
            page = {"title": _("Which problem is it?"), "form": form}
            return self._ask(request, "problem", list(queryset), page)
        link = partial(desk.link_problem, problem=form.chosen())
        self._apply(request, queryset, lambda ticket: link(ticket=ticket))
        return None

    def _ask(
        self, request: HttpRequest, page: str, tickets: list[Ticket], context: dict[str, Any]
    ) -> HttpResponse:
        values = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "tickets": tickets,
            "action": request.POST["action"],
            "checkbox": ACTION_CHECKBOX_NAME,
            "media": self.media,
            **context,
        }
        return TemplateResponse(request, f"admin/assistant/ticket/{page}.html", values)

    def _prioritise(self, request: HttpRequest, queryset: QuerySet[Ticket], priority: Priority) -> None:
        self._apply(request, queryset, lambda ticket: desk.set_priority(ticket=ticket, priority=priority))

    def _apply(
        self, request: HttpRequest, queryset: QuerySet[Ticket], service: Callable[[Ticket], bool]
    ) -> None:
        changed = without_contact = merged = 0
        for ticket in queryset:
            try:
                changed += service(ticket)
            except desk.ContactMissing:
                without_contact += 1
            except desk.Merged:
                merged += 1
        self.message_user(
            request,
            ngettext("%(count)d ticket was changed.", "%(count)d tickets were changed.", changed)
            % {"count": changed},
            messages.SUCCESS if changed else messages.INFO,
        )
        if without_contact:
            said = ngettext(
                "%(count)d ticket has no contact yet and stays as it is.",
                "%(count)d tickets have no contact yet and stay as they are.",
                without_contact,
            )
            self.message_user(request, said % {"count": without_contact}, messages.WARNING)
        if merged:
            said = ngettext(
                "%(count)d ticket is part of another one and stays as it is.",
                "%(count)d tickets are part of another one and stay as they are.",
                merged,
            )
            self.message_user(request, said % {"count": merged}, messages.WARNING)


def _hand_over(ticket: Ticket) -> bool:
    with transaction.atomic():
        is_new = owe_hand_off(ticket)
        if is_new:
            desk.note_in_history(ticket=ticket, why=_("To be opened in the other help desk"))
    return is_new
