"""What is spent of which budget (`assistant.abuse`)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SpentBudget(models.Model):
    """How much of a budget is spent (`assistant.abuse.budgets`). No row: nothing is."""

    key = models.CharField(max_length=60, primary_key=True)  # scope and a keyed hash, never an address
    full_at = models.FloatField(db_index=True)  # seconds since 1970: when all of it is there again

    class Meta:
        verbose_name = _("spent budget")
        verbose_name_plural = _("spent budgets")

    def __str__(self) -> str:
        return self.key
