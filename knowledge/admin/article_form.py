"""What an editor types about an article, and what is refused, by field, with the text kept."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.admin.fields import route_violation
from knowledge.admin.writing import SeenField, collision, latest_edit
from knowledge.importers.entries import MAX_LABEL_CHARACTERS, MAX_LABELS
from knowledge.models import Article

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _ArticleForm = forms.ModelForm[Article]
else:
    _ArticleForm = forms.ModelForm


class LabelsField(forms.CharField):
    """A list of words as people write one: with commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        words = [" ".join(word.split()) for word in str(super().to_python(value) or "").split(",")]
        return list(dict.fromkeys(word for word in words if word))

    def validate(self, value: Any) -> None:
        too_long = next((word for word in value if len(word) > MAX_LABEL_CHARACTERS), None)
        if too_long or len(value) > MAX_LABELS:
            reason = _("At most %(count)d labels of at most %(length)d characters are allowed.")
            raise forms.ValidationError(reason % {"count": MAX_LABELS, "length": MAX_LABEL_CHARACTERS})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or []) != self.to_python(data))

    def run_validators(self, value: Any) -> None:
        """They are for text."""


class ArticleForm(_ArticleForm):
    labels = LabelsField(label=_("labels"), required=False, help_text=_("Words with commas between them."))

    seen = SeenField()

    class Meta:
        model = Article
        fields = "__all__"
        widgets = {"body": forms.Textarea(attrs={"rows": 28, "class": "vLargeTextField hc-markdown"})}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        latest = latest_edit(self.instance)
        if "seen" in self.fields and latest is not None:
            self.fields["seen"].initial = latest.history_id

    def clean_body(self) -> str:
        # Browsers send other line ends than imports bring: a text that is only looked at must not become another.
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        reason = collision(self.instance, values.get("seen"))
        if reason:
            self.add_error(None, reason)
            # Told once: whoever saves again has read it.
            latest = latest_edit(self.instance)
            self.data = {**self.data.dict(), self.add_prefix("seen"): str(latest.history_id)}  # type: ignore[attr-defined]
        route_violation(self, "article_slug_unique_per_language", "slug")
        route_violation(self, "article_one_translation_per_language", "translation_group")
        category = values.get("category")
        if category is not None and values.get("language") not in (None, category.language):
            self.add_error("category", _("The category belongs to another language than the article."))
        reviewed_at = values.get("reviewed_at")
        if reviewed_at is not None and reviewed_at > timezone.localdate():
            self.add_error("reviewed_at", _("This day lies in the future."))
        return values
