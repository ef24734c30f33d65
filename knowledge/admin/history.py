"""What changed, when and by whom, in words: choices by their names, and no fingerprints."""

import dataclasses
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from simple_history.admin import SimpleHistoryAdmin
from simple_history.template_utils import HistoricalRecordContextHelper

# They change with everything else and tell people nothing.
_UNREMARKABLE = frozenset({"content_fingerprint", "updated_at", "published_at", "request_hash"})


class _ReadableChanges(HistoricalRecordContextHelper):  # type: ignore[misc]  # simple_history has no types
    def context_for_delta_changes(self, delta: Any) -> list[dict[str, Any]]:
        told = [change for change in delta.changes if change.field not in _UNREMARKABLE]
        context: list[dict[str, Any]] = super().context_for_delta_changes(
            dataclasses.replace(delta, changes=told)
        )
        return context

    def prepare_delta_change_value(self, change: Any, value: Any) -> Any:
        names = dict(getattr(self.model._meta.get_field(change.field), "flatchoices", ()))
        return str(names[value]) if value in names else super().prepare_delta_change_value(change, value)


class HistoryAdmin(SimpleHistoryAdmin):  # type: ignore[misc]  # simple_history has no types
    object_history_list_template = "admin/history_list.html"

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """To look at by GET. The library brings an earlier state back for whoever posts, though it shows no button."""
        if request.method == "POST" and (
            self.revert_disabled(request) or not self.has_change_permission(request)
        ):
            raise PermissionDenied
        page: HttpResponse = super().history_form_view(request, object_id, version_id, extra_context)
        return page

    def get_historical_record_context_helper(
        self, request: HttpRequest, historical_record: Any
    ) -> HistoricalRecordContextHelper:
        return _ReadableChanges(self.model, historical_record)
