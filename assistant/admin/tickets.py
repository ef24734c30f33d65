"""Tickets: the queue, the whole story of one, and the thread with its customer.

Contact, replies and their mail go through assistant.services, list actions through assistant.desk. A ticket
without an e-mail address cannot be opened or solved; the form says so before the database has to.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import F, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assistant.admin.judging import article_named
from assistant.admin.story import story_of
from assistant.desk import ContactMissing, assign_ticket, reopen_ticket, solve_ticket
from assistant.labels import judge
from assistant.measured import Label, LabelSource, Verdict
from assistant.models import MAX_DETAIL_LENGTH, Mail, Priority, Ticket, TicketMessage, TicketStatus
from assistant.outbox import send_again
from assistant.services import add_staff_message, complete_ticket
from assistant.validation import InvalidInput, clean_email, clean_name, clean_text
from knowledge.admin.display import STYLESHEET, badge, is_changelist, two_lines
from knowledge.admin.history import HistoryAdmin
from knowledge.admin.views_of_lists import SavedViews
from knowledge.models import Article

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _TicketForm = forms.ModelForm[Ticket]
    _MessageForm = forms.ModelForm[TicketMessage]
    _MessageFormSet = forms.BaseInlineFormSet[TicketMessage, Ticket, Any]
    _MessageInline = admin.StackedInline[TicketMessage, Ticket]
else:
    _TicketForm = _MessageForm = forms.ModelForm
    _MessageFormSet = forms.BaseInlineFormSet
    _MessageInline = admin.StackedInline

_SHORT = 80  # characters of a subject in the list
_WAITING_FOR_US = (TicketStatus.OPEN,)
_UNSETTLED = (TicketStatus.OPEN, TicketStatus.PENDING)
_STATUS_TONES = {
    TicketStatus.AWAITING_CONTACT: "notice",
    TicketStatus.OPEN: "bad",
    TicketStatus.PENDING: "quiet",
    TicketStatus.SOLVED: "good",
    TicketStatus.CLOSED: "quiet",
}
_PRIORITY_TONES = {Priority.URGENT: "bad", Priority.HIGH: "notice"}


class TicketForm(_TicketForm):
    answered_by = forms.CharField(
        label=_("Article that answers it"),
        help_text=_(
            "Title, number or address. The question then counts as one that the articles answer, and teaches the "
            "confidence. Leave it empty where no article helps."
        ),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    class Meta:
        model = Ticket
        fields = ("status", "priority", "assignee", "contact_email", "contact_name")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.known_email = self.instance.contact_email
        label = Label.objects.filter(question=self.instance.question_id).first()
        named = label.articles.first() if label is not None else None
        if named is not None:
            self.initial["answered_by"] = f"#{named.pk} {named.title}"
        status = self.fields.get("status")
        if self.known_email and isinstance(status, forms.ChoiceField):
            status.choices = [
                choice for choice in TicketStatus.choices if choice[0] != TicketStatus.AWAITING_CONTACT
            ]

    def clean_contact_email(self) -> str:
        value = str(self.cleaned_data.get("contact_email") or "")
        return _checked(clean_email, value) if value or self.known_email else ""

    def clean_contact_name(self) -> str:
        return _checked(clean_name, str(self.cleaned_data.get("contact_name") or ""))

    def clean_answered_by(self) -> Article | None:
        typed = str(self.cleaned_data.get("answered_by") or "")
        if not typed or typed == self.initial.get("answered_by"):
            return None
        try:
            return article_named(typed, language=self.instance.language)
        except InvalidInput as error:
            raise ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        status = values.get("status", self.instance.status)
        has_contact = bool(values.get("contact_email") or self.known_email)
        if status != TicketStatus.AWAITING_CONTACT and not has_contact and "contact_email" not in self.errors:
            self.add_error(
                "status",
                _("The customer's e-mail address is not known. Enter it below, or leave “Contact missing”."),
            )
        return values


class MessageForm(_MessageForm):
    class Meta:
        model = TicketMessage
        fields = ("body", "is_internal")
        widgets = {"body": forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"})}
        labels = {"body": _("New message"), "is_internal": _("Internal note, never shown to the customer")}

    def clean_body(self) -> str:
        def clean(value: str) -> str:
            return clean_text(value, field="body", limit=MAX_DETAIL_LENGTH, required=True)

        return _checked(clean, str(self.cleaned_data.get("body") or ""))


class MessageFormSet(_MessageFormSet):
    """Only new messages: what was said is shown by the template and cannot be sent back changed."""

    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            values = getattr(form, "cleaned_data", {})
            # The ticket's own form, on the same page, may have just brought the address.
            if values.get("body") and not values.get("is_internal") and not self.instance.contact_email:
                form.add_error(
                    "body", _("This customer left no e-mail address. Only internal notes are possible.")
                )


class MessageInline(_MessageInline):
    model = TicketMessage
    form = MessageForm
    formset = MessageFormSet
    template = "admin/assistant/ticket/_thread.html"
    fields = ("body", "is_internal")
    extra = max_num = 1
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TicketMessage]:
        return super().get_queryset(request).none()


class QueueFilter(admin.SimpleListFilter):
    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("open", _("Waiting for us")),
            ("mine", _("Mine, unsettled")),
            ("unassigned", _("Nobody's, unsettled")),
            ("contact", _("Contact missing")),
            ("mail", _("E-mail could not be sent")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        match self.value():
            case "open":
                return queryset.filter(status__in=_WAITING_FOR_US)
            case "mine":
                return queryset.filter(status__in=_UNSETTLED, assignee=request.user.pk)
            case "unassigned":
                return queryset.filter(status__in=_UNSETTLED, assignee=None)
            case "contact":
                return queryset.filter(status=TicketStatus.AWAITING_CONTACT)
            case "mail":
                return queryset.filter(pk__in=Mail.objects.given_up().values("ticket"))
        return None


@admin.register(Ticket)
class TicketAdmin(SavedViews, HistoryAdmin):
    form = TicketForm
    inlines = [MessageInline]
    change_form_template = "admin/assistant/ticket/change_form.html"
    change_list_template = "admin/assistant/ticket/change_list.html"
    list_display = (
        "reference_code",
        "short_subject",
        "status_badge",
        "priority_badge",
        "reason",
        "assignee",
        "age",
    )
    list_display_links = ("reference_code", "short_subject")
    list_filter = (QueueFilter, "status", "priority", "reason", "matter", "language", "created_at")
    list_select_related = ("assignee", "customer")
    list_per_page = 50
    search_fields = ("reference", "contact_email", "contact_name", "subject", "detail", "question__text")
    search_help_text = _("Reference, e-mail address, name or text")
    actions = ("assign_to_me", "solve", "reopen", "send_mail_again")

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Ticket | None = None) -> bool:
        return True  # a ticket moves on; its past is to look at

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        tickets: QuerySet[Ticket] = super().get_queryset(request)
        if is_changelist(request):
            return tickets.defer("detail")
        messages_with_mail = TicketMessage.objects.select_related("author", "mail")
        return tickets.select_related(
            "question__answer", "question__ticket", "customer", "assignee"
        ).prefetch_related(Prefetch("messages", messages_with_mail))

    def get_fieldsets(self, request: HttpRequest, obj: Ticket | None = None) -> Any:
        fields: tuple[Any, ...] = (("status", "priority", "assignee"),)
        if obj is not None and obj.question_id and self.has_change_permission(request, obj):
            fields = (*fields, "answered_by")
        settle = (_("Settle"), {"fields": fields})
        if obj is not None and obj.status == TicketStatus.AWAITING_CONTACT:
            contact = {
                "fields": (("contact_email", "contact_name"),),
                "description": _("With an address the ticket is open and the customer gets a confirmation."),
            }
            return (settle, (_("Contact"), contact))
        if obj is not None and obj.mails.given_up().exists():
            contact = {
                "fields": (("contact_email", "contact_name"),),
                "description": _(
                    "An e-mail could not be delivered: perhaps the address has to be corrected."
                ),
            }
            return (settle, (_("Contact"), contact))
        return (settle,)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "assignee":
            people = get_user_model()._default_manager.filter(is_staff=True, is_active=True)
            options["queryset"] = people.order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **options)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name == "assignee" and field is not None:
            # Whoever settles a ticket is not there to edit accounts.
            for offer in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(field.widget, offer, False)
        return field

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        ticket = context.get("original")
        if ticket is not None:
            context["story"] = story_of(ticket.question) if ticket.question is not None else None
            context["confirmation"] = ticket.mails.filter(message=None).first()
            context["troubled_mails"] = list(ticket.mails.troubled())
            context["title"] = _("Ticket %(reference)s") % {"reference": ticket.reference}
            context["subtitle"] = None
        return super().render_change_form(request, context, *args, **options)  # type: ignore[no-any-return]

    def save_model(self, request: HttpRequest, obj: Ticket, form: Any, change: bool) -> None:
        stored = Ticket.objects.get(pk=obj.pk)
        if stored.status == TicketStatus.AWAITING_CONTACT and obj.contact_email:
            completed = complete_ticket(
                ticket=stored,
                contact_email=obj.contact_email,
                contact_name=obj.contact_name,
                detail=stored.detail,
            )
            obj.completed_at = completed.completed_at
            if obj.status == TicketStatus.AWAITING_CONTACT:
                obj.status = completed.status
        super().save_model(request, obj, form, change)
        article = form.cleaned_data.get("answered_by")
        if article is not None and obj.question is not None:
            judge(
                question=obj.question,
                verdict=Verdict.ARTICLE,
                articles=[article],
                by=request.user,
                source=LabelSource.TICKET,
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """New messages go the way of all replies: stored, status moved on, mailed after commit."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for entry in formset.forms:
            if entry.has_changed():
                message = add_staff_message(
                    ticket=form.instance,
                    author=request.user,
                    body=entry.cleaned_data["body"],
                    is_internal=entry.cleaned_data["is_internal"],
                )
                formset.new_objects.append(message)

    def response_change(self, request: HttpRequest, obj: Ticket) -> HttpResponse:
        if "_send_again" not in request.POST:
            return super().response_change(request, obj)  # type: ignore[no-any-return]
        send_again(ticket=obj)
        self.message_user(request, _("Saved. The e-mail is being sent again."), messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    @admin.display(description=_("reference"), ordering="reference")
    def reference_code(self, ticket: Ticket) -> SafeString:
        return format_html('<span class="hc-nowrap">{}</span>', ticket.reference)

    @admin.display(description=_("subject and customer"), ordering="subject")
    def short_subject(self, ticket: Ticket) -> SafeString:
        known = ticket.contact_email or (ticket.customer.get_username() if ticket.customer else "–")
        customer = f"{ticket.contact_name} <{known}>" if ticket.contact_name else known
        return two_lines(Truncator(ticket.subject).chars(_SHORT), f"{ticket.language.upper()} · {customer}")

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, ticket: Ticket) -> SafeString:
        return badge(ticket.get_status_display(), _STATUS_TONES[TicketStatus(ticket.status)])

    @admin.display(description=_("priority"), ordering="priority")
    def priority_badge(self, ticket: Ticket) -> str | SafeString:
        tone = _PRIORITY_TONES.get(Priority(ticket.priority))
        return badge(ticket.get_priority_display(), tone) if tone else ticket.get_priority_display()

    @admin.display(description=_("age"), ordering=F("created_at").desc())
    def age(self, ticket: Ticket) -> SafeString:
        moment = formats.date_format(timezone.localtime(ticket.created_at), "SHORT_DATETIME_FORMAT")
        return format_html('<span title="{}">{}</span>', moment, timesince(ticket.created_at, depth=1))

    @admin.action(description=_("Assign selected tickets to me"), permissions=["change"])
    def assign_to_me(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: assign_ticket(ticket=ticket, assignee=request.user))

    @admin.action(description=_("Mark selected tickets as solved"), permissions=["change"])
    def solve(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: solve_ticket(ticket=ticket))

    @admin.action(description=_("Reopen selected tickets"), permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: reopen_ticket(ticket=ticket))

    @admin.action(description=_("Send failed e-mails again"), permissions=["change"])
    def send_mail_again(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._apply(request, queryset, lambda ticket: send_again(ticket=ticket))

    def _apply(
        self, request: HttpRequest, queryset: QuerySet[Ticket], service: Callable[[Ticket], bool]
    ) -> None:
        changed = without_contact = 0
        for ticket in queryset:
            try:
                changed += service(ticket)
            except ContactMissing:
                without_contact += 1
        self.message_user(
            request,
            ngettext("%(count)d ticket was changed.", "%(count)d tickets were changed.", changed)
            % {"count": changed},
            messages.SUCCESS if changed else messages.INFO,
        )
        if without_contact:
            self.message_user(
                request,
                ngettext(
                    "%(count)d ticket has no contact yet and stays as it is.",
                    "%(count)d tickets have no contact yet and stay as they are.",
                    without_contact,
                )
                % {"count": without_contact},
                messages.WARNING,
            )


def _checked(clean: Callable[[str], str], value: str) -> str:
    try:
        return clean(value)
    except InvalidInput as error:
        raise ValidationError(error.message) from error
