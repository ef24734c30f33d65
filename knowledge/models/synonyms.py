"""Words that mean the same on this site."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from knowledge.models.readers import Language
from knowledge.synonyms import is_usable, split_group


class SynonymGroup(models.Model):
    """Words that mean the same on this site; a question with one of them finds articles with another."""

    words = models.TextField(
        _("words"),
        max_length=1000,
        help_text=_(
            "At least two, separated by commas: “subscription, plan, contract”. Up to four words an entry."
        ),
    )
    language = models.CharField(
        _("language"),
        max_length=2,
        choices=Language,
        blank=True,
        help_text=_(
            "Leave empty for words of both languages; then a question in one finds articles in the other."
        ),
    )

    class Meta:
        verbose_name = _("group of synonyms")
        verbose_name_plural = _("synonyms")
        ordering = ["words"]
        constraints = [
            models.CheckConstraint(
                condition=Q(language__in=["", *Language.values]), name="synonym_language_is_known"
            ),
        ]

    def __str__(self) -> str:
        return shortened if len(shortened := " ".join(self.words.split())) <= 80 else f"{shortened[:79]}…"

    def clean(self) -> None:
        """Keeps the words as one tidy line; refuses what a search could not use, by name."""
        from django.core.exceptions import ValidationError

        entries = list(dict.fromkeys(split_group(self.words)))
        languages = [self.language] if self.language else Language.values
        too_long = [entry for entry in entries if not all(is_usable(entry, code) for code in languages)]
        if too_long:
            raise ValidationError(
                {
                    "words": _(
                        "“%(entry)s” cannot be searched for: an entry needs one to four words that say something; "
                        "“the” or “and” alone does not."
                    )
                    % {"entry": too_long[0]}
                }
            )
        if len(entries) < 2:
            raise ValidationError(
                {"words": _("A group needs at least two different entries, separated by commas.")}
            )
        self.words = ", ".join(entries)
