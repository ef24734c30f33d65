"""What the editors' forms share: where a refusal is shown, and how a category is named in a choice."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import UniqueConstraint

from knowledge.models import Category

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _CategoryChoice = forms.ModelChoiceField[Category]
else:
    _CategoryChoice = forms.ModelChoiceField


def route_violation(form: "forms.BaseModelForm[Any]", constraint_name: str, field: str) -> None:
    """Says at `field` what the form page would otherwise say above everything, and says it once."""
    instance = form.instance
    constraint = next(one for one in instance._meta.constraints if one.name == constraint_name)
    assert isinstance(constraint, UniqueConstraint)
    values = {name: form.cleaned_data.get(name) for name in constraint.fields}
    taken = type(instance)._default_manager.filter(**values).exclude(pk=instance.pk)
    if constraint.condition is not None:
        taken = taken.filter(constraint.condition)
    if None not in values.values() and taken.exists():
        form.add_error(field, str(constraint.get_violation_error_message()))


class CategoryChoice(_CategoryChoice):
    """Categories of both languages carry alike names."""

    def label_from_instance(self, obj: Category) -> str:
        return f"{obj.language.upper()} · {obj.name}"
