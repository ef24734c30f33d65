"""What an editor types about an article, and what is refused, by field, with the text kept."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from knowledge.admin.fields import route_violation
from knowledge.admin.writing import SeenField, collision, edit_token
from knowledge.importers.entries import MAX_LABEL_CHARACTERS, MAX_LABELS
from knowledge.models import Article

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _ArticleForm = forms.ModelForm[Article]
else:
    _ArticleForm = forms.ModelForm


class LabelsField(forms.CharField):
    """A list of words as people write one: with commas."""

    def __init__(self) -> None:
        super().__init__(
            label=capfirst(_("labels")), required=False, help_text=_("Words with commas between them.")
        )

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
    labels = LabelsField()
    up_to_date = forms.BooleanField(
        label=_("This text says what the other one says now"),
        required=False,
        help_text=_("Ticked, it counts as its translation, and you are told when that one changes."),
    )
    seen = SeenField()

    class Meta:
        model = Article
        fields = "__all__"
        widgets = {"body": forms.Textarea(attrs={"rows": 28, "class": "vLargeTextField hc-markdown"})}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if "seen" in self.fields:
            # A text that was kept while it was typed still knows which state it was typed into.
            self.fields["seen"].initial = getattr(self.instance, "seen_then", None) or edit_token(
                self.instance
            )

    def clean_body(self) -> str:
        # Browsers send other line ends than imports bring: a text that is only looked at must not become another.
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        reason = collision(self.instance, values.get("seen") or "")
        if reason:
            self.add_error(None, reason)
            # Told once: whoever saves again has read it.
            self.data = {**self.data.dict(), self.add_prefix("seen"): edit_token(self.instance)}  # type: ignore[attr-defined]
        route_violation(self, "article_slug_unique_per_language", "slug")
        route_violation(self, "article_one_translation_per_language", "translation_group")
        category = values.get("category")
        if category is not None and values.get("language") not in (None, category.language):
            self.add_error("category", _("The category belongs to another language than the article."))
        self._check_dates(values)
        return values

    def _check_dates(self, values: dict[str, Any]) -> None:
        today, now = timezone.localdate(), timezone.now()
        reviewed_at, review_by = values.get("reviewed_at"), values.get("review_by")
        if reviewed_at is not None and reviewed_at > today:
            self.add_error("reviewed_at", _("This day lies in the future."))
        if review_by is not None and review_by < today and "review_by" in self.changed_data:
            self.add_error("review_by", _("This day has passed."))
        for name in ("publish_at", "unpublish_at"):
            moment = values.get(name)
            if moment is not None and moment <= now and name in self.changed_data:
                self.add_error(name, _("This moment has passed."))
        publish_at, unpublish_at = values.get("publish_at"), values.get("unpublish_at")
        if publish_at is not None and unpublish_at is not None and unpublish_at <= publish_at:
            self.add_error("unpublish_at", _("It would be taken offline before it is published."))
        waits = (
            self.instance.pk is not None
            and self.instance.is_scheduled()
            and not getattr(self.instance, "pending", None)
        )
        if waits and publish_at is None and "_publish" not in self.data and "publish_at" in self.fields:
            reason = _(
                "Without a date it would go online at once. Press “Publish” for that, or take it out of the schedule."
            )
            self.add_error("publish_at", reason)
