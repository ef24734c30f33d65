"""What became of each question of a stored evaluation: where the quality page's figures lead to."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from assistant.admin.drilling import described
from assistant.admin.questions import LookOnly
from assistant.measured import EvaluatedQuestion
from assistant.models import TicketReason
from knowledge.admin.display import STYLESHEET, two_lines

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _EvaluatedQuestionAdmin = admin.ModelAdmin[EvaluatedQuestion]
else:
    _EvaluatedQuestionAdmin = admin.ModelAdmin

_SHORT = 90  # characters of a question in a list


@admin.register(EvaluatedQuestion)
class EvaluatedQuestionAdmin(LookOnly, _EvaluatedQuestionAdmin):
    change_list_template = "admin/assistant/question/change_list.html"
    list_display = ("short_text", "confidence", "is_answered", "is_right", "rank", "why", "run")
    list_filter = ("run", "is_right", "is_answered", "is_answerable", "language", "category")
    list_select_related = ("run",)
    list_per_page = 50
    search_fields = ("text", "key")
    search_help_text = _("Text or id of the question")

    class Media:
        css = STYLESHEET

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("assistant.view_quality")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "drilled": described(request.GET)})

    @admin.display(description=_("question"), ordering="text")
    def short_text(self, question: EvaluatedQuestion) -> SafeString:
        where = " · ".join(filter(None, (question.language.upper(), question.category, question.key)))
        return two_lines(Truncator(question.text).chars(_SHORT), where)

    @admin.display(description=_("confidence"), ordering="score")
    def confidence(self, question: EvaluatedQuestion) -> str:
        return f"{int(question.score * 100)} %"

    @admin.display(description=_("passed on because"), ordering="reason")
    def why(self, question: EvaluatedQuestion) -> str:
        return str(TicketReason(question.reason).label) if question.reason else "–"
