"""What a model wrote for staff: each sentence with its proof, what was dropped and why, as page and JSON."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from assistant.admin.evidence import parts_of
from assistant.models import StaffText
from knowledge.admin.display import STYLESHEET

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[StaffText]
else:
    _Admin = admin.ModelAdmin


@admin.register(StaffText)
class StaffTextAdmin(_Admin):
    change_form_template = "admin/assistant/stafftext/change_form.html"
    list_display = ("created_at", "kind", "ticket", "article", "by", "dropped")
    list_filter = ("kind",)
    list_select_related = ("ticket", "article", "by")
    date_hierarchy = "created_at"
    fields = ("kind", "ticket", "article", "by", "created_at")

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StaffText | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StaffText | None = None) -> bool:
        return False

    @admin.display(description=_("dropped"))
    def dropped(self, text: StaffText) -> int:
        return text.dropped

    def get_urls(self) -> list[URLPattern]:
        evidence = path(
            "<int:pk>/evidence.json",
            self.admin_site.admin_view(self._evidence),
            name="assistant_stafftext_evidence",
        )
        return [evidence, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        context["evidence"] = parts_of(context["original"])
        return super().render_change_form(request, context, *args, **options)

    def _evidence(self, request: HttpRequest, pk: int) -> JsonResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = get_object_or_404(StaffText, pk=pk)
        record = {
            "kind": text.kind,
            "ticket": text.ticket_id,
            "article": text.article_id,
            "created_at": text.created_at,
            "sentences": text.sentences,
            "generations": text.generations,
        }
        response = JsonResponse(record, json_dumps_params={"ensure_ascii": False, "indent": 2})
        response["Content-Disposition"] = f'attachment; filename="evidence-text-{text.pk}.json"'
        return response
