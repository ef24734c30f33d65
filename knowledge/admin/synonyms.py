"""The site's own synonyms."""

from typing import TYPE_CHECKING

from django.contrib import admin

from knowledge.admin.display import STYLESHEET
from knowledge.models import SynonymGroup

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _SynonymAdmin = admin.ModelAdmin[SynonymGroup]
else:
    _SynonymAdmin = admin.ModelAdmin


@admin.register(SynonymGroup)
class SynonymGroupAdmin(_SynonymAdmin):
    list_display = ("words", "language")
    list_filter = ("language",)
    search_fields = ("words",)
    fields = ("words", "language")

    class Media:
        css = STYLESHEET
