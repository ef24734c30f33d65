"""Input that means what it says: no coerced types, no unknown names, and assistant.validation's messages."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, serializers
from rest_framework.fields import empty

from assistant.validation import InvalidInput

_SHOWN_UNKNOWN = 10  # unknown names that are reported; an attacker's ten thousand are not


class StrictSerializer(serializers.Serializer[Any]):
    """Rejects names it does not know: a misspelt optional field is otherwise silently ignored."""

    def to_internal_value(self, data: Any) -> Any:
        unknown: dict[str, list[str]] = {}
        if isinstance(data, Mapping):
            allowed = [name for name, field in self.fields.items() if not field.read_only]
            message = _("Unknown field. Allowed: %(names)s.") % {"names": ", ".join(allowed)}
            names = [name for name in data if name not in allowed]
            unknown = {str(name): [message] for name in names[:_SHOWN_UNKNOWN]}
        try:
            values = super().to_internal_value(data)
        except exceptions.ValidationError as error:
            raise exceptions.ValidationError({**error.detail, **unknown}) from error  # type: ignore[dict-item]
        if unknown:
            raise exceptions.ValidationError(unknown)
        return values


class CleanText(serializers.CharField):
    """JSON text that passes one of assistant.validation's functions; `max_length` is for the schema."""

    default_error_messages = {"invalid": gettext_lazy("This has to be text.")}

    def __init__(self, *, clean: Callable[[str], str], **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        self.clean = clean

    def run_validation(self, data: Any = empty) -> Any:
        is_empty, value = self.validate_empty_values(data)
        if is_empty:
            return value
        if not isinstance(value, str):
            self.fail("invalid")
        try:
            return self.clean(value)
        except InvalidInput as error:
            raise exceptions.ValidationError(error.message) from error


class StrictBoolean(serializers.BooleanField):
    default_error_messages = {"invalid": gettext_lazy("This has to be true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictUUID(serializers.UUIDField):
    default_error_messages = {
        "invalid": gettext_lazy("This has to be an id such as 2f1b6f0a-6c52-4b5e-9d3c-0f5f3b1c9a77.")
    }

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictChoice(serializers.ChoiceField):
    default_error_messages = {"invalid_choice": gettext_lazy("Unknown value. Allowed: {allowed}.")}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", allowed=", ".join(str(choice) for choice in self.choices))
        return data
