"""Templates for kinds of articles: what an editor begins with."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import get_language

from knowledge.admin.article_form import LabelsField
from knowledge.admin.display import STYLESHEET
from knowledge.admin.fields import route_violation
from knowledge.models import ArticleTemplate

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _TemplateAdmin = admin.ModelAdmin[ArticleTemplate]
    _TemplateForm = forms.ModelForm[ArticleTemplate]
else:
    _TemplateAdmin = admin.ModelAdmin
    _TemplateForm = forms.ModelForm


class ArticleTemplateForm(_TemplateForm):
    labels = LabelsField()

    class Meta:
        model = ArticleTemplate
        fields = "__all__"
        widgets = {"body": forms.Textarea(attrs={"rows": 20, "class": "vLargeTextField hc-markdown"})}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        title = self.fields.get("title")  # not there for whoever may only look
        if isinstance(title, forms.CharField):
            title.strip = False  # somebody writes on behind it

    def clean_body(self) -> str:
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        route_violation(self, "template_name_unique_per_language", "name")
        return values


def offered_templates() -> list[ArticleTemplate]:
    """Those of the editor's own language first."""
    mine = get_language()
    templates = ArticleTemplate.objects.only("name", "language", "hint", "position")
    return sorted(templates, key=lambda one: (one.language != mine, one.language, one.position, one.name))


def template_initial(request: HttpRequest) -> dict[str, Any]:
    """What the form of a new article begins with where one was chosen (`?template=…`)."""
    key = request.GET.get("template", "")
    chosen = ArticleTemplate.objects.filter(pk=key).first() if key.isdecimal() else None
    if chosen is None:
        return {}
    return {
        "title": chosen.title,
        "body": chosen.body,
        "language": chosen.language,
        "labels": list(chosen.labels),
    }


@admin.register(ArticleTemplate)
class ArticleTemplateAdmin(_TemplateAdmin):
    form = ArticleTemplateForm
    list_display = ("name", "language", "hint", "position")
    list_filter = ("language",)
    fields = (("name", "language", "position"), "hint", "title", "body", "labels")

    class Media:
        css = STYLESHEET
