"""Who is told of events, and what is owed to whom."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assistant.hooks.signatures import new_secret
from assistant.models.tickets import Ticket, TicketMessage


class Event(models.TextChoices):
    CREATED = "ticket.created", _("A ticket was opened")
    CUSTOMER_REPLIED = "ticket.customer_replied", _("The customer wrote")
    STAFF_REPLIED = "ticket.staff_replied", _("Support wrote to the customer")
    STATUS_CHANGED = "ticket.status_changed", _("The status changed")
    ASSIGNED = "ticket.assigned", _("The assignee changed")
    SOLVED = "ticket.solved", _("The ticket was solved")
    TEST = "test", _("A test")


class WebhookEndpoint(models.Model):
    name = models.CharField(_("name"), max_length=80)
    url = models.CharField(_("address"), max_length=500)
    events = models.JSONField(_("events"), default=list)  # values of `Event`
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Off: what happens meanwhile is kept, and sent once it is on again."),
    )
    # Shown once, in the admin; needed as it is to sign with.
    secret = models.CharField(max_length=120, default=new_secret, editable=False)
    old_secret = models.CharField(max_length=120, blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    stopped_why = models.CharField(max_length=200, blank=True, editable=False)  # why it switched itself off
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def secrets_in_force(self) -> list[str]:
        """The newest first."""
        is_old_valid = self.old_secret_until is not None and self.old_secret_until > timezone.now()
        return [self.secret, *([self.old_secret] if is_old_valid else [])]


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def given_up(self) -> Self:
        return self.filter(due_at=None, delivered_at=None)


class WebhookDelivery(models.Model):
    """An event that is owed to an endpoint, written by the transaction that causes it (`deliveries`)."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, verbose_name=_("webhook"), on_delete=models.CASCADE, related_name="deliveries"
    )
    event = models.CharField(_("event"), max_length=40, choices=Event)
    event_id = models.CharField(_("webhook-id"), max_length=60)  # the same at every try
    body = models.TextField()  # JSON, as it is signed and sent
    ticket = models.ForeignKey(
        Ticket, verbose_name=_("ticket"), null=True, on_delete=models.CASCADE, related_name="+"
    )
    message = models.ForeignKey(TicketMessage, null=True, on_delete=models.CASCADE, related_name="+")
    # When it is next to be tried, or the lease of whoever sends it runs out. Null once delivered or given up.
    due_at = models.DateTimeField(_("due"), null=True, default=timezone.now)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    status_code = models.PositiveSmallIntegerField(_("answer"), null=True)
    duration_ms = models.PositiveIntegerField(_("took (ms)"), null=True)
    error = models.CharField(_("error"), max_length=500, blank=True)  # of the last try
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    created_at = models.DateTimeField(_("happened"), auto_now_add=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="delivery_once_an_event"),
            models.CheckConstraint(condition=Q(event__in=Event.values), name="delivery_event_is_known"),
            models.CheckConstraint(
                condition=Q(delivered_at__isnull=True) | Q(due_at__isnull=True),
                name="delivery_done_is_not_due",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.event} {self.event_id}"

    @property
    def is_given_up(self) -> bool:
        return self.due_at is None and self.delivered_at is None


class HandOff(models.Model):
    """A ticket that is to be opened in another help desk (`handing_over`)."""

    ticket = models.OneToOneField(Ticket, on_delete=models.CASCADE, related_name="hand_off")
    due_at = models.DateTimeField(_("due"), null=True, default=timezone.now)  # as in `WebhookDelivery`
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    error = models.CharField(_("error"), max_length=500, blank=True)
    number = models.CharField(_("number there"), max_length=60, blank=True)
    link = models.CharField(_("link"), max_length=500, blank=True)
    done_at = models.DateTimeField(_("opened there"), null=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)

    class Meta:
        verbose_name = _("hand-off")
        verbose_name_plural = _("hand-offs")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at__isnull=True) | Q(due_at__isnull=True), name="hand_off_done_is_not_due"
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="hand_off_due")]

    def __str__(self) -> str:
        return self.number or str(self.ticket_id)

    @property
    def is_given_up(self) -> bool:
        return self.due_at is None and self.done_at is None
