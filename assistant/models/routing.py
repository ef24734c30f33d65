"""What the desk's own past says about where a ticket belongs and how urgent it is."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from assistant.models.tickets import Ticket

ENOUGH_TRIALS = 20  # past suggestions as clear as this one; fewer say nothing about the next
ENOUGH_HISTORY = 40  # solved tickets
LEAST_CONFIDENCE = 0.6


class RoutedField(models.TextChoices):
    CATEGORY = "category", _("Category")
    PRIORITY = "priority", _("Priority")


class RoutingAnswer(models.TextChoices):
    ACCEPTED = "accepted", _("accepted")
    REJECTED = "rejected", _("rejected")
    APPLIED = "applied", _("applied by the desk")


class RoutingSuggestion(models.Model):
    """For one field of one ticket, with all that its confidence is made of. Made by `assistant.desk.routing`."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="routing")
    field = models.CharField(max_length=10, choices=RoutedField)
    # A category's id or a priority. None: nothing similar was solved before.
    value = models.PositiveBigIntegerField(null=True)
    agreeing = models.PositiveSmallIntegerField(default=0)  # of the similar tickets, those with this value
    similar = models.PositiveSmallIntegerField(default=0)
    # Past tickets for which a suggestion would have been as clear: how many, and for how many it was right.
    tried = models.PositiveIntegerField(default=0)
    right = models.PositiveIntegerField(default=0)
    rule_right = models.PositiveIntegerField(default=0)  # for how many of them the rules were
    learned_from = models.PositiveIntegerField(default=0)  # solved tickets
    looked_at = models.DateTimeField()
    answer = models.CharField(max_length=10, choices=RoutingAnswer, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("suggested routing")
        verbose_name_plural = _("suggested routings")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "field"], name="routing_once_for_each_field"),
            models.CheckConstraint(
                condition=Q(agreeing__lte=F("similar"), right__lte=F("tried"), rule_right__lte=F("tried")),
                name="routing_counts_fit",
            ),
        ]
        indexes = [models.Index(fields=["looked_at"], name="routing_looked_at")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.field}"

    @property
    def confidence(self) -> float:
        """0..1: how often it was right, with Laplace's two added: 5 of 5 are no certainty."""
        return (self.right + 1) / (self.tried + 2)

    @property
    def is_offered(self) -> bool:
        """Otherwise the rules' value stands."""
        return (
            self.value is not None
            and self.learned_from >= ENOUGH_HISTORY
            and self.tried >= ENOUGH_TRIALS
            and self.confidence >= LEAST_CONFIDENCE
            and self.right >= self.rule_right
        )
