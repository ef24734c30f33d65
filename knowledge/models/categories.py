"""Where articles are found by those who browse: a tree for each language."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from knowledge.models.addresses import localised_url
from knowledge.models.readers import Language


class Category(models.Model):
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=140)
    language = models.CharField(_("language"), max_length=2, choices=Language)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
    )
    description = models.CharField(_("description"), max_length=300, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["language", "slug"], name="category_slug_unique_per_language"),
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="category_language_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return localised_url("category", self.language, self.slug)

    def clean(self) -> None:
        from django.core.exceptions import ValidationError

        ancestor = self.parent
        while ancestor is not None:
            if self.pk is not None and ancestor.pk == self.pk:
                raise ValidationError({"parent": _("A category cannot be placed below itself.")})
            ancestor = ancestor.parent
        if self.parent is not None and self.parent.language != self.language:
            raise ValidationError({"parent": _("The parent category must have the same language.")})
