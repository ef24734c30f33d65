"""The list of tickets as queues: tabs with counts, columns, and what the page asks for every few seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import F, QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assistant.desk.queues import ORDER, Queue, counts, of_queue
from assistant.models import Priority, Ticket, TicketStatus
from knowledge.admin.display import badge, two_lines

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Ticket]
else:
    _Admin = object

SHORT = 80  # characters of a subject in the list
_SOON = timedelta(hours=1)
_NEWS_SHOWN = 5
_STATUS_TONES = {
    TicketStatus.AWAITING_CONTACT: "notice",
    TicketStatus.OPEN: "bad",
    TicketStatus.PENDING: "quiet",
    TicketStatus.SOLVED: "good",
    TicketStatus.CLOSED: "quiet",
}
_PRIORITY_TONES = {Priority.URGENT: "bad", Priority.HIGH: "notice"}
_NOT_FILTERS = {"o", "p", "all", "_facets"}


@dataclass(frozen=True)
class Tab:
    name: str
    label: str
    count: int | None
    address: str
    is_current: bool


class QueueFilter(admin.SimpleListFilter):
    """Without any choice the list is what waits for us; whoever searches or filters looks at everything."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        self.user = request.user
        self.is_narrowed = bool(set(request.GET) - _NOT_FILTERS - {self.parameter_name})
        return [(value, str(label)) for value, label in Queue.choices]

    @property
    def current(self) -> Queue:
        value = self.value()
        if value in Queue.values:
            return Queue(value)
        return Queue.ALL if self.is_narrowed else Queue.OPEN

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        if request.method == "POST" and request.POST.get("select_across") != "1":
            return queryset  # what was selected is meant, also where it has left the queue since
        return of_queue(queryset, self.current, user=request.user, now=timezone.now())  # type: ignore[arg-type]

    def tabs(self, changelist: Any, found: Any) -> list[Tab]:
        return [
            Tab(
                name=queue.value,
                label=str(queue.label),
                count=found.get(queue.value),
                address=changelist.get_query_string({self.parameter_name: queue.value}, ["p"]),
                is_current=queue == self.current,
            )
            for queue in Queue
            # A queue of trouble is shown where there is any.
            if queue not in (Queue.CONTACT, Queue.MAIL) or found.get(queue.value) or queue == self.current
        ]


@dataclass(frozen=True)
class Narrowing:
    """One of Django's filters as a menu: its name, what is chosen, and what else could be."""

    title: str
    choices: list[dict[str, Any]]
    chosen: str  # empty: nothing
    is_active: bool


def narrowings(changelist: Any) -> list[Narrowing]:
    found = []
    for spec in changelist.filter_specs:
        if isinstance(spec, QueueFilter):
            continue
        choices = list(spec.choices(changelist))
        chosen = next((str(one["display"]) for one in choices[1:] if one["selected"]), "")
        found.append(Narrowing(str(spec.title), choices, chosen, bool(chosen)))
    return found


class AgentFilter(admin.SimpleListFilter):
    """Of staff alone: the list of all accounts would be the list of all customers."""

    title = gettext_lazy("assignee")
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        agents = get_user_model()._default_manager.filter(is_staff=True, is_active=True).order_by("username")
        return [(str(agent.pk), str(agent)) for agent in agents]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        value = self.value()
        return queryset.filter(assignee=int(value)) if value and value.isdecimal() else None


class QueueColumns(_Admin):
    list_display = (
        "reference_code",
        "short_subject",
        "due",
        "status_badge",
        "priority_badge",
        "about",
        "assignee",
        "age",
    )
    list_display_links = ("reference_code", "short_subject")
    list_filter = (
        QueueFilter,
        "priority",
        AgentFilter,
        "reason",
        "matter",
        "category",
        "problem",
        "language",
        "status",
        "is_spam",
        "created_at",
    )
    list_select_related = ("assignee", "customer", "category", "merged_into")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("reference", "contact_email", "contact_name", "subject", "detail", "question__text")
    search_help_text = gettext_lazy("Reference, e-mail address, name or text")

    def get_ordering(self, request: HttpRequest) -> Any:
        return ORDER

    @admin.display(description=gettext_lazy("reference"), ordering="reference")
    def reference_code(self, ticket: Ticket) -> SafeString:
        return format_html('<span class="hc-nowrap">{}</span>', ticket.reference)

    @admin.display(description=gettext_lazy("subject and customer"), ordering="subject")
    def short_subject(self, ticket: Ticket) -> SafeString:
        known = ticket.contact_email or (ticket.customer.get_username() if ticket.customer else "–")
        customer = f"{ticket.contact_name} <{known}>" if ticket.contact_name else known
        return two_lines(Truncator(ticket.subject).chars(SHORT), f"{ticket.language.upper()} · {customer}")

    @admin.display(description=gettext_lazy("due"), ordering=F("due_at").asc(nulls_last=True))
    def due(self, ticket: Ticket) -> SafeString | str:
        return due_badge(ticket, timezone.now())

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, ticket: Ticket) -> SafeString:
        if ticket.is_spam:
            return badge(_("Spam"), "quiet")
        if ticket.merged_into is not None:
            return two_lines(badge(_("Merged"), "quiet"), ticket.merged_into.reference)
        shown = badge(ticket.get_status_display(), _STATUS_TONES[TicketStatus(ticket.status)])
        if has_new_reply(ticket):
            assert ticket.customer_wrote_at is not None
            return two_lines(
                shown, _("new reply · %(time)s") % {"time": timesince(ticket.customer_wrote_at, depth=1)}
            )
        return shown

    @admin.display(description=gettext_lazy("priority"), ordering="priority")
    def priority_badge(self, ticket: Ticket) -> str | SafeString:
        tone = _PRIORITY_TONES.get(Priority(ticket.priority))
        return badge(ticket.get_priority_display(), tone) if tone else ticket.get_priority_display()

    @admin.display(description=gettext_lazy("reason and category"), ordering="reason")
    def about(self, ticket: Ticket) -> SafeString | str:
        reason = ticket.get_matter_display() if ticket.matter else ticket.get_reason_display()
        return two_lines(reason, ticket.category) if ticket.category is not None else reason

    @admin.display(description=gettext_lazy("age"), ordering=F("created_at").desc())
    def age(self, ticket: Ticket) -> SafeString:
        return _moment(ticket.created_at, timesince(ticket.created_at, depth=1))


def has_new_reply(ticket: Ticket) -> bool:
    """The customer has answered us, and it is our turn."""
    return (
        ticket.status == TicketStatus.OPEN
        and ticket.customer_wrote_at is not None
        and ticket.first_replied_at is not None
        and ticket.customer_wrote_at > ticket.first_replied_at
    )


def due_badge(ticket: Ticket, now: datetime) -> SafeString | str:
    """What is due next and how near that is, in words and not by colour alone."""
    if ticket.status == TicketStatus.PENDING:
        return format_html('<span class="hc-quiet">{}</span>', _("stands"))
    if ticket.due_at is None or ticket.status != TicketStatus.OPEN:
        return "–"
    is_reply = not ticket.first_replied_at and ticket.due_at == ticket.first_reply_due_at
    what = _("first reply") if is_reply else _("solution")
    title = formats.date_format(timezone.localtime(ticket.due_at), "SHORT_DATETIME_FORMAT")
    if ticket.is_overdue(now):
        text = _("overdue: %(time)s") % {"time": timesince(ticket.due_at, now, depth=1)}
        return two_lines(badge(text, "bad", title), what)
    text = _("%(time)s left") % {"time": timeuntil(ticket.due_at, now, depth=1)}
    return two_lines(badge(text, "notice" if ticket.due_at - now < _SOON else "quiet", title), what)


def pulse(request: HttpRequest) -> JsonResponse:
    """Counts, whether anything has changed since `since`, and which customers have written; in five queries."""
    now = timezone.now()
    since = _since(request.GET.get("since", ""), now)
    changed = Ticket.objects.filter(updated_at__gt=since)
    wrote = (
        changed.filter(customer_wrote_at__gt=since, is_spam=False, merged_into=None)
        .only("reference", "subject", "assignee", "first_replied_at", "customer_wrote_at", "status")
        .order_by("-customer_wrote_at")[:_NEWS_SHOWN]
    )
    return JsonResponse(
        {
            "now": now.isoformat(),
            "counts": counts(user=request.user, now=now),
            "changed": changed.exists(),
            "wrote": [
                {
                    "said": _said(ticket),
                    "url": reverse("admin:assistant_ticket_change", args=[ticket.pk]),
                    "mine": ticket.assignee_id == request.user.pk,
                }
                for ticket in wrote
            ],
        }
    )


def _said(ticket: Ticket) -> str:
    values = {"reference": ticket.reference, "subject": Truncator(ticket.subject).chars(60)}
    if has_new_reply(ticket):
        return _("New reply in %(reference)s: %(subject)s") % values
    return _("New in %(reference)s: %(subject)s") % values


def _since(text: str, now: datetime) -> datetime:
    """What the page has been told; nothing before the last day, and nothing that cannot be read."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or timezone.is_naive(found):
        return now
    return max(found, now - timedelta(days=1))


def _moment(moment: datetime, shown: str) -> SafeString:
    return format_html(
        '<span title="{}">{}</span>',
        formats.date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT"),
        shown,
    )
