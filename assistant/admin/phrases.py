"""The words that take a question to a person at once, for the people who answer for them."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assistant.matters import Phrase, find_matter, parse_phrase
from assistant.models import EscalationPhrase, Question
from knowledge.admin.display import STYLESHEET

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _PhraseForm = forms.ModelForm[EscalationPhrase]
    _PhraseAdmin = admin.ModelAdmin[EscalationPhrase]
else:
    _PhraseForm = forms.ModelForm
    _PhraseAdmin = admin.ModelAdmin

_QUESTIONS_TRIED = 2000  # the latest, on which a phrase is tried when it is saved


class PhraseForm(_PhraseForm):
    class Meta:
        model = EscalationPhrase
        fields = ("matter", "language", "text", "only_alone", "is_exception", "is_active")
        widgets = {"text": forms.TextInput(attrs={"class": "vLargeTextField"})}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        text, language = values.get("text"), values.get("language")
        if text and language:
            values["text"] = " ".join(text.split())
            try:
                parse_phrase(values["text"], language)
            except ValueError as error:
                self.add_error("text", _unreadable(str(error)))
        return values


def _unreadable(part: str) -> ValidationError:
    return ValidationError(
        _("“%(part)s” cannot be read. Write words, and * only between two of them."),
        params={"part": part},
    )


@admin.register(EscalationPhrase)
class EscalationPhraseAdmin(_PhraseAdmin):
    form = PhraseForm
    list_display = ("text", "matter", "language", "only_alone", "is_exception", "is_active")
    list_filter = ("matter", "language", "is_active", "only_alone", "is_exception")
    list_editable = ("is_active",)
    list_per_page = 100
    search_fields = ("text",)
    fields = ("matter", "language", "text", "only_alone", "is_exception", "is_active")

    class Media:
        css = STYLESHEET

    def save_model(self, request: HttpRequest, obj: EscalationPhrase, form: Any, change: bool) -> None:
        """Says at once what the phrase would have done: nobody sees that from its words."""
        super().save_model(request, obj, form, change)
        if "text" not in form.changed_data or obj.is_exception:
            return
        phrase = Phrase(obj.matter, obj.language, obj.text, obj.only_alone)
        tried = list(Question.objects.values_list("text", flat=True)[:_QUESTIONS_TRIED])
        found = sum(find_matter(text, [phrase]) is not None for text in tried)
        self.message_user(
            request,
            ngettext(
                "Of the last %(tried)d questions this phrase stands in %(count)d.",
                "Of the last %(tried)d questions this phrase stands in %(count)d.",
                found,
            )
            % {"tried": len(tried), "count": found},
            messages.INFO,
        )
