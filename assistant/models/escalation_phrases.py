"""What goes to a person at once, and the words that tell it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from knowledge.models import Language


class Matter(models.TextChoices):
    """What goes to a person at once, whatever the articles say (`assistant.matters`)."""

    PERSON = "person", _("Wish for a person")
    COMPLAINT = "complaint", _("Complaint")
    PAYMENT_DISPUTE = "payment_dispute", _("Payment dispute")
    DATA_PROTECTION = "data_protection", _("Data-protection request")
    LEGAL = "legal", _("Legal threat")
    DANGER = "danger", _("Injury or danger")
    SELF_HARM = "self_harm", _("Self-harm")


class EscalationPhrase(models.Model):
    """Words that take a question to a person at once. How they are read is `assistant.matters`' business."""

    matter = models.CharField(_("matter"), max_length=20, choices=Matter)
    language = models.CharField(_("language"), max_length=2, choices=Language)
    text = models.CharField(
        _("phrase"),
        max_length=400,
        help_text=_(
            "Words in their order. Each stands for all of its forms (“sprechen” also for “spreche”), a/b for either "
            "word, * for up to four words in between: “mit * mensch/mitarbeiter sprechen”."
        ),
    )
    only_alone = models.BooleanField(
        _("only alone"),
        default=False,
        help_text=_("Counts only where the question says nothing else, such as “Mitarbeiter bitte”."),
    )
    is_exception = models.BooleanField(
        _("exception"),
        default=False,
        help_text=_("Where these words stand in a question, the matter's other phrases do not count."),
    )
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("escalation phrase")
        verbose_name_plural = _("escalation phrases")
        ordering = ["matter", "language", "text"]
        constraints = [
            models.UniqueConstraint(
                fields=["matter", "language", "text"],
                name="escalation_phrase_once",
                violation_error_message=_("This phrase is already on the list."),
            ),
            models.CheckConstraint(condition=Q(matter__in=Matter.values), name="escalation_matter_is_known"),
        ]

    def __str__(self) -> str:
        return self.text
