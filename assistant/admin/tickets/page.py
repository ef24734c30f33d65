"""The page of one ticket. Contact, replies and their mail go through assistant.services."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from assistant.admin.story import story_of
from assistant.admin.tickets import live, queue, routing
from assistant.admin.tickets.bulk import BulkActions
from assistant.admin.tickets.forms import MessageInline, TicketForm
from assistant.admin.tickets.queue import QueueColumns, QueueFilter
from assistant.admin.tickets.thread import thread_of
from assistant.desk import keep_time, presence, send_mail_again
from assistant.desk.canned import canned_for, inserted
from assistant.desk.context import surroundings_of
from assistant.desk.lessons import teach
from assistant.desk.mentions import tell_mentioned
from assistant.desk.queues import counts
from assistant.desk.taking_back import HELD_FOR
from assistant.models import LessonKind, MailKind, Ticket, TicketMessage, TicketStatus
from assistant.services import add_staff_message, complete_ticket
from knowledge.admin.display import STYLESHEET, is_changelist
from knowledge.admin.history import HistoryAdmin
from knowledge.admin.views_of_lists import SavedViews


@admin.register(Ticket)
class TicketAdmin(SavedViews, BulkActions, QueueColumns, HistoryAdmin):
    form = TicketForm
    inlines = [MessageInline]
    change_form_template = "admin/assistant/ticket/change_form.html"
    change_list_template = "admin/assistant/ticket/change_list.html"

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Ticket | None = None) -> bool:
        return True  # a ticket moves on; its past is to look at

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("pulse/", self._for_readers(require_GET(queue.pulse)), name="assistant_ticket_queue_pulse"),
            path(
                "<int:pk>/pulse/", self._for_readers(require_POST(self._pulse)), name="assistant_ticket_pulse"
            ),
            path(
                "<int:pk>/take-back/<int:message_id>/",
                self._for_readers(require_POST(live.take_back_view)),
                name="assistant_ticket_take_back",
            ),
            path(
                "<int:pk>/files/<int:file_id>/",
                self._for_readers(require_GET(live.file)),
                name="assistant_ticket_file",
            ),
            path(
                "<int:pk>/preview/",
                self._for_readers(require_POST(live.preview)),
                name="assistant_ticket_preview",
            ),
            path(
                "<int:pk>/summary/",
                self._for_readers(require_POST(live.summary)),
                name="assistant_ticket_summary",
            ),
            path(
                "<int:pk>/suggestion/",
                self._for_readers(require_GET(live.suggestion)),
                name="assistant_ticket_suggestion",
            ),
            path(
                "<int:pk>/routing/<int:suggestion_id>/<str:answer>/",
                self._for_readers(require_POST(self._route)),
                name="assistant_ticket_routing",
            ),
        ]
        return [*own, *super().get_urls()]

    def _for_readers(self, view: Any) -> Any:
        def checked(request: HttpRequest, **arguments: Any) -> HttpResponse:
            if not self.has_view_or_change_permission(request):
                raise PermissionDenied
            return view(request, **arguments)  # type: ignore[no-any-return]

        return self.admin_site.admin_view(never_cache(checked))

    def _pulse(self, request: HttpRequest, pk: int) -> JsonResponse:
        return live.pulse(request, self.get_form(request), pk)

    def _route(self, request: HttpRequest, pk: int, suggestion_id: int, answer: str) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return routing.answer_view(request, pk, suggestion_id, answer)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        tickets: QuerySet[Ticket] = super().get_queryset(request)
        if is_changelist(request):
            return tickets.defer("detail")
        return tickets.select_related(
            "question__answer", "question__ticket", "customer", "assignee", "merged_into", "problem"
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Ticket | None:
        if request.method == "POST":
            # Django's form is saved inside one transaction: until its end nobody else can change the row.
            found = super().get_object(request, object_id, from_field)
            if found is not None:
                Ticket.objects.select_for_update().filter(pk=found.pk).first()
        return super().get_object(request, object_id, from_field)

    def get_form(
        self, request: HttpRequest, obj: Ticket | None = None, change: bool = False, **options: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **options)
        form.reader = request.user
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Ticket | None = None) -> Any:
        fields: tuple[Any, ...] = (("status", "priority", "assignee"), ("category", "problem"))
        parts: list[Any] = [(_("Settle"), {"fields": fields})]
        description = None
        if obj is not None and obj.status == TicketStatus.AWAITING_CONTACT:
            description = _("With an address the ticket is open and the customer gets a confirmation.")
        elif obj is not None and obj.mails.given_up().exists():
            description = _("An e-mail could not be delivered: perhaps the address has to be corrected.")
        if description is not None:
            contact = {"fields": (("contact_email", "contact_name"),), "description": description}
            parts.append((_("Contact"), contact))
        if self.has_change_permission(request, obj):
            parts.append((_("When it is solved"), {"fields": ("lesson", "answered_by", "lesson_text")}))
        return parts

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "assignee":
            people = get_user_model()._default_manager.filter(is_staff=True, is_active=True)
            options["queryset"] = people.order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **options)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name in ("assignee", "category", "problem") and field is not None:
            # Whoever settles a ticket is not there to edit accounts or categories.
            for offer in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(field.widget, offer, False)
        return field

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: Any = super().changelist_view(request, extra_context)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            narrowed = next(spec for spec in changelist.filter_specs if isinstance(spec, QueueFilter))
            found = counts(user=request.user, now=timezone.now())
            response.context_data |= {
                "tabs": narrowed.tabs(changelist, found),
                "title": narrowed.current.label,
                "filters": (filters := queue.narrowings(changelist)),
                "is_filtered": any(one.is_active for one in filters),
                "unfiltered": f"?{narrowed.parameter_name}={narrowed.current}",
                "now": timezone.now().isoformat(),
            }
        return response  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        ticket = context.get("original")
        if ticket is not None:
            form = context["adminform"].form
            others = presence.be_there(ticket=ticket, user=request.user)
            context |= {
                "story": story_of(ticket.question) if ticket.question is not None else None,
                "confirmation": ticket.mails.filter(kind=MailKind.CONFIRMATION).first(),
                "troubled_mails": list(ticket.mails.troubled()),
                "opening_mail": ticket.inbound_mails.filter(message=None).first(),
                "thread": thread_of(ticket, request.user, unseen=getattr(ticket, "unseen", ())),
                "opening_files": list(ticket.files.filter(message=None)),
                "merged": list(ticket.merged.all()),
                "others": [live.others_in_words(one) for one in others],
                "seen": form.seen_now,
                "due": queue.due_badge(ticket, timezone.now()),
                "surroundings": surroundings_of(ticket),
                **live.summary_context(ticket),
                "routing": routing.panel_of(ticket),
                "may_route": self.has_change_permission(request, ticket),
                "canned": canned_for(ticket, request.user),
                **(live.suggestion_context(ticket, request.user) if "suggest" in request.GET else {}),
                "title": _("Ticket %(reference)s") % {"reference": ticket.reference},
                "subtitle": None,
            }
        return super().render_change_form(request, context, *args, **options)

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        values: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        again, canned = request.GET.get("again", ""), request.GET.get("canned", "")
        if request.method == "GET" and canned.isdecimal():
            texts = [one.text for one in canned_for(obj, request.user) if one.pk == int(canned)]
            values["initial"] = [{"body": text} for text in texts]
        elif request.method == "GET" and again.isdecimal():
            text = TicketMessage.objects.filter(
                pk=again, ticket=obj, author=request.user.pk, withdrawn_at__isnull=False
            )
            values["initial"] = [{"body": message.body} for message in text]
        return values

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
            obj.customer_wrote_at = completed.customer_wrote_at
            obj.assignee = obj.assignee or completed.assignee
            obj.category = obj.category or completed.category
            if obj.status == TicketStatus.AWAITING_CONTACT:
                obj.status = completed.status
        keep_time(obj)
        super().save_model(request, obj, form, change)
        if form.teaches:
            teach(
                ticket=obj,
                kind=LessonKind(form.cleaned_data["lesson"]),
                by=request.user,
                article=form.cleaned_data.get("answered_by"),
                text=form.cleaned_data.get("lesson_text") or "",
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """New messages go the way of all replies: stored, status moved on, mailed once they cannot be taken back."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for entry in formset.forms:
            if entry.has_changed():
                message = add_staff_message(
                    ticket=form.instance,
                    author=request.user,
                    body=entry.cleaned_data["body"],
                    is_internal=entry.cleaned_data["is_internal"],
                    held_for=HELD_FOR,
                    status_before=form.stored["status"],
                    canned=inserted(entry.cleaned_data["body"], form.instance, request.user),
                    files=entry.cleaned_data["attachments"],
                )
                formset.new_objects.append(message)
                told = tell_mentioned(message)
                if told:
                    names = ", ".join(str(user) for user in told)
                    self.message_user(request, _("By e-mail this was told to: %(names)s.") % {"names": names})
                form.instance.sent = message

    def response_change(self, request: HttpRequest, obj: Ticket) -> HttpResponse:
        page = reverse("admin:assistant_ticket_change", args=[obj.pk])
        if "_send_again" in request.POST:
            send_mail_again(ticket=obj)
            self.message_user(request, _("Saved. The e-mail is being sent again."), messages.SUCCESS)
            return HttpResponseRedirect(page)
        sent = getattr(obj, "sent", None)
        if sent is not None and not sent.is_internal:
            # Stays where it can be taken back.
            self.message_user(
                request,
                _("The reply leaves in ten seconds. Until then it can be taken back."),
                messages.SUCCESS,
            )
            return HttpResponseRedirect(f"{page}#message-{sent.pk}")
        return super().response_change(request, obj)
