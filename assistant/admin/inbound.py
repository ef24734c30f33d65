"""Incoming e-mails: what came, what became of it, and what staff can do where nothing did."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assistant.attachments import as_download
from assistant.mailroom.files import Refusal, download_name, download_type
from assistant.mailroom.filing import take_in
from assistant.mailroom.inbox import try_again
from assistant.mailroom.models import InboundMail, Mailbox, Outcome, Step
from assistant.mailroom.reading import read_mail
from knowledge.admin.display import STYLESHEET, badge, short_moment, two_lines

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _MailAdmin = admin.ModelAdmin[InboundMail]
    _MailboxAdmin = admin.ModelAdmin[Mailbox]
else:
    _MailAdmin = _MailboxAdmin = admin.ModelAdmin

_SHORT = 80  # characters of a subject in the list
_TONES = {Outcome.REPLY: "good", Outcome.TICKET: "good", Outcome.NOTE: "notice", Outcome.ASIDE: "quiet"}


class LookFilter(admin.SimpleListFilter):
    title = _("to look at")
    parameter_name = "look"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("failed", _("Could not be filed")),
            ("waiting", _("Not filed yet")),
            ("aside", _("Put aside")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        match self.value():
            case "failed":
                return queryset.exclude(step=Step.DONE).exclude(error="")
            case "waiting":
                return queryset.exclude(step=Step.DONE)
            case "aside":
                return queryset.filter(outcome=Outcome.ASIDE)
        return None


@admin.register(InboundMail)
class InboundMailAdmin(_MailAdmin):
    change_form_template = "admin/assistant/inboundmail/change_form.html"
    list_display = ("received", "sender_and_subject", "became", "ticket_link", "source")
    list_display_links = ("received", "sender_and_subject")
    list_filter = (LookFilter, "outcome", "robot", "source", "received_at")
    list_select_related = ("ticket",)
    list_per_page = 50
    search_fields = ("sender", "sender_name", "subject", "rfc_message_id", "ticket__reference")
    search_help_text = _("Sender, subject, Message-ID or number of the ticket")
    actions = ("try_selected_again",)
    fields = readonly_fields = ("subject",)  # the page has its own way to show a mail

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMail]:
        match = request.resolver_match
        mails = super().get_queryset(request)
        if match is not None and str(match.url_name).endswith("_changelist"):
            return mails.defer("pieces", "attachments", "remarks")
        return mails.select_related("ticket")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:mail_id>/original/",
                view(self.original_view),
                name="assistant_inboundmail_original",
            ),
            path(
                "<int:mail_id>/attachments/<int:number>/",
                view(self.attachment_view),
                name="assistant_inboundmail_attachment",
            ),
            *super().get_urls(),
        ]

    def original_view(self, request: HttpRequest, mail_id: int) -> HttpResponse:
        mail = self._mail(request, mail_id)
        return as_download(bytes(mail.content.raw), f"mail-{mail.pk}.eml", "application/octet-stream")

    def attachment_view(self, request: HttpRequest, mail_id: int, number: int) -> HttpResponse:
        mail = self._mail(request, mail_id)
        if number >= len(mail.attachments) or mail.attachments[number]["refused"]:
            raise Http404
        attachment = read_mail(bytes(mail.content.raw)).attachments[number]
        return as_download(attachment.content, download_name(attachment), download_type(attachment))

    def _mail(self, request: HttpRequest, mail_id: int) -> InboundMail:
        mail = get_object_or_404(InboundMail.objects.select_related("content"), pk=mail_id)
        if not self.has_view_permission(request, mail):
            raise PermissionDenied
        return mail

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        mail = context.get("original")
        if mail is not None:
            context["title"], context["subtitle"] = _("Incoming e-mail"), None
            context["may_change"] = self.has_change_permission(request, mail)
            context["files"] = [
                entry | {"why": Refusal(entry["refused"]).label if entry["refused"] else ""}
                for entry in mail.attachments
            ]
        return super().render_change_form(request, context, *args, **options)

    def response_change(self, request: HttpRequest, obj: InboundMail) -> HttpResponse:
        if "_take_in" in request.POST:
            ticket = take_in(obj)
            self.message_user(request, _("The e-mail is a ticket now."), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:assistant_ticket_change", args=[ticket.pk]))
        if try_again(obj):
            self.message_user(
                request, _("The e-mail is read again, which takes a few seconds."), messages.SUCCESS
            )
        return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: InboundMail, form: Any, change: bool) -> None:
        """Nothing here is edited; the buttons act through services."""

    def log_change(self, request: HttpRequest, obj: InboundMail, message: Any) -> Any:
        told = _("Taken in as a ticket.") if "_take_in" in request.POST else _("Tried again.")
        return super().log_change(request, obj, str(told))

    @admin.action(description=_("Try selected e-mails again"), permissions=["change"])
    def try_selected_again(self, request: HttpRequest, queryset: QuerySet[InboundMail]) -> None:
        count = sum(try_again(mail) for mail in queryset)
        self.message_user(
            request,
            ngettext("%(count)d e-mail is read again.", "%(count)d e-mails are read again.", count)
            % {"count": count},
            messages.SUCCESS if count else messages.INFO,
        )

    @admin.display(description=_("received"), ordering="received_at")
    def received(self, mail: InboundMail) -> SafeString:
        return short_moment(mail.received_at)

    @admin.display(description=_("subject and sender"), ordering="subject")
    def sender_and_subject(self, mail: InboundMail) -> SafeString:
        sender = f"{mail.sender_name} <{mail.sender}>" if mail.sender_name else mail.sender or "–"
        return two_lines(Truncator(mail.subject or mail.rfc_message_id or "–").chars(_SHORT), sender)

    @admin.display(description=_("became"), ordering="outcome")
    def became(self, mail: InboundMail) -> SafeString:
        if mail.is_given_up or (mail.error and mail.step != Step.DONE):
            return badge(_("Failed"), "bad", mail.error)
        if not mail.outcome:
            return badge(_("Not filed yet"), "notice")
        why = mail.get_robot_display()
        return badge(mail.get_outcome_display(), _TONES[Outcome(mail.outcome)], why)

    @admin.display(description=_("ticket"), ordering="ticket__reference")
    def ticket_link(self, mail: InboundMail) -> str | SafeString:
        if mail.ticket is None:
            return "–"
        address = reverse("admin:assistant_ticket_change", args=[mail.ticket.pk])
        return format_html('<a class="hc-nowrap" href="{}">{}</a>', address, mail.ticket.reference)


@admin.register(Mailbox)
class MailboxAdmin(_MailboxAdmin):
    """When each mailbox was last looked into, and what went wrong. Rows make themselves."""

    list_display = ("address", "checked_at", "last_uid", "state")
    fields = readonly_fields = ("address", "checked_at", "last_uid", "uid_validity", "error")

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Mailbox | None = None) -> bool:
        return False

    @admin.display(description=_("state"))
    def state(self, box: Mailbox) -> SafeString:
        return badge(_("Failed"), "bad", box.error) if box.error else badge(_("Fine"), "good")
