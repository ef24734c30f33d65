"""Views of the admin's lists that people keep: a name for filters, a search and an order.

Promise: a view is an address, nothing more. What somebody sees through it is what the list would show them anyway.
"""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

# The page within the list, Django's note of an error, and whether a filter shows counts.
_PASSING: Final = frozenset({"p", "e", "all", "_facets", "_popup"})
MAX_QUERY: Final = 1000  # characters


class SavedView(models.Model):
    list = models.CharField(_("list"), max_length=60)  # label of its model, such as knowledge.article
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(_("address"), max_length=MAX_QUERY, blank=True)  # as `canonical` writes it
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("owner"), on_delete=models.CASCADE, related_name="+"
    )
    is_shared = models.BooleanField(_("for all colleagues"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "list", "name"], name="saved_view_name_unique_per_owner")
        ]

    def __str__(self) -> str:
        return self.name


def canonical(query: str) -> str:
    """The part of a list's address that makes the view, the same however its parameters were ordered."""
    parts = parse_qsl(query, keep_blank_values=False)
    return urlencode(sorted(part for part in parts if part[0] not in _PASSING))
