"""How the support desk works: its rules, holidays, who takes tickets, and who looks at one right now."""

import re
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from assistant.models.tickets import MAX_DETAIL_LENGTH, Priority, Ticket
from knowledge.models import Language

_ONLY_ROW = 1
PLACE = re.compile(r"\{(\w*)\}")
PLACES = frozenset({"name", "reference", "subject", "agent", "link", "site"})


class Assignment(models.TextChoices):
    OFF = "off", _("Nobody: agents take tickets themselves")
    ROUND_ROBIN = "round_robin", _("In turn")
    FEWEST = "fewest", _("Whoever has the fewest tickets that wait for us")


def _hours_field(label: Any, default: str) -> Any:
    return models.DecimalField(
        label,
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        default=Decimal(default),
        validators=[MinValueValidator(Decimal("0.25")), MaxValueValidator(Decimal(2000))],
    )


def _days_field(label: Any, **options: Any) -> Any:
    return models.PositiveSmallIntegerField(
        label, validators=[MinValueValidator(1), MaxValueValidator(365)], **options
    )


class DeskRules(models.Model):
    """One row. Hours are hours of business: the site's opening hours without holidays. Empty: no such target."""

    urgent_reply = _hours_field(_("urgent: first reply"), "1")
    urgent_solve = _hours_field(_("urgent: solution"), "8")
    high_reply = _hours_field(_("high: first reply"), "4")
    high_solve = _hours_field(_("high: solution"), "16")
    normal_reply = _hours_field(_("normal: first reply"), "8")
    normal_solve = _hours_field(_("normal: solution"), "40")
    low_reply = _hours_field(_("low: first reply"), "16")
    low_solve = _hours_field(_("low: solution"), "80")

    escalates = models.BooleanField(
        _("tell people when a target is missed"),
        default=False,
        help_text=_("Once for each target and ticket: the assignee and the addresses below get an e-mail."),
    )
    escalation_emails = models.CharField(
        _("these addresses as well"),
        max_length=500,
        blank=True,
        help_text=_("Separated by commas."),
    )
    assignment = models.CharField(
        _("who gets a new ticket"), max_length=12, choices=Assignment, default=Assignment.OFF
    )
    routes_from = models.PositiveSmallIntegerField(
        _("apply suggested category and priority from a confidence of (%)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(60), MaxValueValidator(99)],
        help_text=_(
            "Of 100 past suggestions as clear, so many were right. Only where nobody of staff has changed the ticket. "
            "Empty: suggestions are shown, and nothing is applied by itself."
        ),
    )
    silence_days = _days_field(
        _("days of silence until the customer gets a notice"),
        null=True,
        blank=True,
        help_text=_("Counted from our reply that nobody answered. Empty: nothing is closed by itself."),
    )
    grace_days = _days_field(_("days from the notice until the ticket counts as solved"), default=3)
    close_days = _days_field(
        _("days until a solved ticket is closed for good"),
        null=True,
        blank=True,
        help_text=_("Until then the customer can take it up again. Empty: it stays open to that."),
    )
    surveys = models.BooleanField(
        _("ask customers by e-mail whether they were content"),
        default=False,
        help_text=_(
            "Once for each ticket, an hour after it was solved. The ticket's own page asks in any case."
        ),
    )
    changed_at = models.DateTimeField(auto_now=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("rules of the desk")
        verbose_name_plural = _("rules of the desk")
        constraints = [models.CheckConstraint(condition=Q(pk=_ONLY_ROW), name="desk_rules_is_one_row")]

    def __str__(self) -> str:
        return gettext("Rules of the desk")

    def hours(self, priority: Priority) -> tuple[Decimal | None, Decimal | None]:
        """Of business, until the first reply and until the solution."""
        name = Priority(priority).name.lower()
        return getattr(self, f"{name}_reply"), getattr(self, f"{name}_solve")

    @property
    def escalation_addresses(self) -> list[str]:
        return [part.strip() for part in self.escalation_emails.split(",") if part.strip()]

    def clean(self) -> None:
        wrong: dict[str, str] = {}
        for address in self.escalation_addresses:
            try:
                validate_email(address)
            except ValidationError:
                wrong["escalation_emails"] = gettext(
                    "“%(found)s” is no e-mail address. Write addresses like name@example.org, separated by commas."
                ) % {"found": address}
        for priority in Priority:
            reply, solve = self.hours(priority)
            if reply is not None and solve is not None and solve < reply:
                wrong[f"{priority.name.lower()}_solve"] = gettext(
                    "The solution cannot be due before the first reply (%(hours)s hours)."
                ) % {"hours": reply.normalize().to_eng_string()}
        if wrong:
            raise ValidationError(wrong)


class Holiday(models.Model):
    """A day on which no time of business passes."""

    date = models.DateField(_("day"), unique=True)
    name = models.CharField(_("name"), max_length=80, blank=True)
    every_year = models.BooleanField(
        _("every year"), default=False, help_text=_("On the same day and month, such as 25 December.")
    )

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["date"]

    def __str__(self) -> str:
        return self.name or str(self.date)


class RotaMember(models.Model):
    """An agent who gets tickets by themselves, where the rules give any."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        on_delete=models.CASCADE,
        related_name="+",
        limit_choices_to={"is_staff": True, "is_active": True},
    )
    is_here = models.BooleanField(
        _("takes tickets"), default=True, help_text=_("Switch it off for days away; nothing else changes.")
    )
    last_given_at = models.DateTimeField(_("last given one"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("agent who gets tickets")
        verbose_name_plural = _("agents who get tickets")
        ordering = ["user__username"]

    def __str__(self) -> str:
        return str(self.user)


class CannedReply(models.Model):
    """A text that agents need again and again, with places for what differs (`assistant.desk.canned`)."""

    title = models.CharField(_("title"), max_length=120)
    language = models.CharField(_("language"), max_length=2, choices=Language)
    body = models.TextField(
        _("text"),
        max_length=MAX_DETAIL_LENGTH,
        help_text=_("These places are filled in: {name}, {reference}, {subject}, {agent}, {link}, {site}."),
    )
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ["language", "title"]
        constraints = [
            models.UniqueConstraint(
                fields=["language", "title"],
                name="canned_reply_once",
                violation_error_message=_("There is a text with this title already."),
            )
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        unknown = sorted(set(PLACE.findall(self.body)) - PLACES)
        if unknown:
            raise ValidationError(
                {
                    "body": gettext("“{%(found)s}” is no place that can be filled in. Allowed: %(allowed)s.")
                    % {
                        "found": unknown[0],
                        "allowed": ", ".join(f"{{{name}}}" for name in sorted(PLACES)),
                    }
                }
            )


class Presence(models.Model):
    """Somebody has a ticket open. Of use for a minute, then only until it is cleared away."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=timezone.now)
    is_writing = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        constraints = [models.UniqueConstraint(fields=["ticket", "user"], name="presence_once")]
        indexes = [models.Index(fields=["seen_at"], name="presence_seen")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.ticket_id}"
