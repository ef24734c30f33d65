"""Webhooks: who is told of events, and what became of each delivery."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assistant.hooks.deliveries import OLD_SECRET_HOURS, rotate_secret, send_again
from assistant.hooks.events import owe_test
from assistant.hooks.handing_over import try_again
from assistant.hooks.models import Event, HandOff, WebhookDelivery, WebhookEndpoint
from assistant.hooks.targets import TargetRefused, target_of
from knowledge.admin.display import STYLESHEET, badge, short_moment

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _EndpointForm = forms.ModelForm[WebhookEndpoint]
    _EndpointAdmin = admin.ModelAdmin[WebhookEndpoint]
    _DeliveryAdmin = admin.ModelAdmin[WebhookDelivery]
    _HandOffAdmin = admin.ModelAdmin[HandOff]
else:
    _EndpointForm = forms.ModelForm
    _EndpointAdmin = _DeliveryAdmin = _HandOffAdmin = admin.ModelAdmin

_SHOWN_ONCE = "webhook_secret"  # in the session, until the page that shows it


class EndpointForm(_EndpointForm):
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[choice for choice in Event.choices if choice[0] != Event.TEST],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "events", "is_active")

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            target_of(url)
        except TargetRefused as error:
            raise ValidationError(str(error)) from error
        except OSError as error:
            raise ValidationError(_("There is no machine of that name. Check the address.")) from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(_EndpointAdmin):
    form = EndpointForm
    change_form_template = "admin/assistant/webhookendpoint/change_form.html"
    list_display = ("name", "url", "state", "waiting")
    fields = ("name", "url", "events", "is_active")

    class Media:
        css = STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        owed = Count("deliveries", filter=Q(deliveries__due_at__isnull=False))
        lost = Count("deliveries", filter=Q(deliveries__due_at=None, deliveries__delivered_at=None))
        return super().get_queryset(request).annotate(owed=owed, lost=lost)

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if obj.is_active:
            obj.stopped_why = ""
        super().save_model(request, obj, form, change)
        if not change:
            request.session[_SHOWN_ONCE] = {"endpoint": obj.pk, "secret": obj.secret}

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        """To its own page, which shows the secret."""
        return HttpResponseRedirect(reverse("admin:assistant_webhookendpoint_change", args=[obj.pk]))

    def response_change(self, request: HttpRequest, obj: WebhookEndpoint) -> HttpResponse:
        if "_rotate" in request.POST:
            request.session[_SHOWN_ONCE] = {"endpoint": obj.pk, "secret": rotate_secret(obj)}
            return HttpResponseRedirect(request.path)
        if "_test" in request.POST:
            owe_test(obj)
            self.message_user(
                request, _("A test event is on its way; see the deliveries below."), messages.SUCCESS
            )
            return HttpResponseRedirect(request.path)
        return super().response_change(request, obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        endpoint = context.get("original")
        if endpoint is not None:
            shown = request.session.get(_SHOWN_ONCE, {})
            if shown.get("endpoint") == endpoint.pk:
                context["secret"] = request.session.pop(_SHOWN_ONCE)["secret"]
            context["old_secret_hours"] = OLD_SECRET_HOURS
            context["deliveries"] = list(endpoint.deliveries.select_related("ticket")[:10])
        return super().render_change_form(request, context, *args, **options)

    @admin.display(description=_("state"))
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        if endpoint.is_active:
            return badge(_("On"), "good")
        return badge(_("Off"), "bad" if endpoint.stopped_why else "quiet", endpoint.stopped_why)

    @admin.display(description=_("waiting"))
    def waiting(self, endpoint: Any) -> str | SafeString:
        if endpoint.lost:
            text = ngettext("%(count)d given up", "%(count)d given up", endpoint.lost)
            return badge(text % {"count": endpoint.lost}, "bad")
        return str(endpoint.owed) if endpoint.owed else "–"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(_DeliveryAdmin):
    """The log. What was sent is shown as it was; it is customers' data, like the tickets it is about."""

    list_display = ("happened", "event", "endpoint", "ticket", "state", "attempts", "duration_ms")
    list_filter = ("endpoint", "event", "created_at")
    list_select_related = ("endpoint", "ticket")
    list_per_page = 50
    search_fields = ("event_id", "ticket__reference")
    actions = ("send_selected_again",)
    fields = readonly_fields = (
        "endpoint",
        "event",
        "event_id",
        "ticket",
        "created_at",
        "delivered_at",
        "due_at",
        "attempts",
        "status_code",
        "duration_ms",
        "error",
        "body",
    )

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> bool:
        # Django asks for it before it offers actions; the page itself has nothing to change.
        return obj is None and super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        match = request.resolver_match
        deliveries = super().get_queryset(request)
        is_list = match is not None and str(match.url_name).endswith("_changelist")
        return deliveries.defer("body") if is_list else deliveries

    @admin.action(description=_("Send selected deliveries again"), permissions=["change"])
    def send_selected_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        count = 0
        for delivery in queryset:
            send_again(delivery)
            count += 1
        self.message_user(
            request,
            ngettext("%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", count)
            % {"count": count},
            messages.SUCCESS,
        )

    @admin.display(description=_("happened"), ordering="created_at")
    def happened(self, delivery: WebhookDelivery) -> SafeString:
        return short_moment(delivery.created_at)

    @admin.display(description=_("state"))
    def state(self, delivery: WebhookDelivery) -> SafeString:
        if delivery.delivered_at is not None:
            return badge(_("Delivered"), "good")
        if delivery.is_given_up:
            return badge(_("Given up"), "bad", delivery.error)
        return badge(_("Waiting"), "notice", delivery.error)


@admin.register(HandOff)
class HandOffAdmin(_HandOffAdmin):
    """Tickets that were opened in the other help desk, and those that could not be."""

    list_display = ("created_at", "ticket", "state", "there", "attempts", "error")
    list_display_links = None
    list_filter = (("done_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("ticket",)
    list_per_page = 50
    search_fields = ("ticket__reference", "number")
    actions = ("try_selected_again",)

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description=_("Try selected hand-offs again"), permissions=["change"])
    def try_selected_again(self, request: HttpRequest, queryset: QuerySet[HandOff]) -> None:
        count = sum(try_again(hand_off) for hand_off in queryset)
        self.message_user(
            request,
            ngettext("%(count)d hand-off is tried again.", "%(count)d hand-offs are tried again.", count)
            % {"count": count},
            messages.SUCCESS if count else messages.INFO,
        )

    @admin.display(description=_("state"))
    def state(self, hand_off: HandOff) -> SafeString:
        if hand_off.done_at is not None:
            return badge(_("Opened there"), "good")
        return badge(_("Given up"), "bad") if hand_off.is_given_up else badge(_("Waiting"), "notice")

    @admin.display(description=_("number there"))
    def there(self, hand_off: HandOff) -> str | SafeString:
        return format_html('<a href="{}">{}</a>', hand_off.link, hand_off.number) if hand_off.link else "–"
