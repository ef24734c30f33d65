"""Questions and feedback: the record, to look at. Nothing here is edited; a record that can be is none."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from assistant.admin.drilling import described
from assistant.admin.evidence import evidence_view, parts_of, rewriting_of
from assistant.admin.judging import (
    BY_LOT,
    CategoryFilter,
    JudgeActions,
    JudgementFilter,
    judge_view,
    label_badge,
    panel_of,
)
from assistant.admin.story import meter_of, story_of
from assistant.models import Feedback, Question, QuestionStatus
from knowledge.admin.display import STYLESHEET, badge, is_changelist, short_moment, two_lines
from knowledge.admin.views_of_lists import SavedViews

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _QuestionAdmin = admin.ModelAdmin[Question]
    _FeedbackAdmin = admin.ModelAdmin[Feedback]
else:
    _QuestionAdmin = _FeedbackAdmin = admin.ModelAdmin

_SHORT = 90  # characters of a question in a list
_STATUS_TONES = {
    QuestionStatus.RECEIVED: "notice",
    QuestionStatus.ANSWERED: "good",
    QuestionStatus.ESCALATED: "bad",
}


class LookOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Question)
class QuestionAdmin(SavedViews, JudgeActions, LookOnly, _QuestionAdmin):
    change_form_template = "admin/assistant/question/change_form.html"
    change_list_template = "admin/assistant/question/change_list.html"
    actions = ("judge_right", "judge_incomplete", "judge_wrong", "judge_no_article")
    list_display = (
        "short_text",
        "status_badge",
        "confidence",
        "verdict",
        "ticket_link",
        "asked",
    )
    list_filter = (
        JudgementFilter,
        "status",
        "confidence_level",
        "language",
        "channel",
        ("feedback", admin.EmptyFieldListFilter),
        "feedback__helpful",
        "calibrated",
        "created_at",
        "ticket__reason",
        CategoryFilter,
    )
    list_select_related = ("feedback", "ticket", "label")
    list_per_page = 50
    search_fields = ("text", "ticket__reference", "public_id")
    search_help_text = _("Text of the question, ticket reference or id")
    fieldsets = (
        (
            _("Record"),
            {
                "fields": (
                    ("status", "language", "channel"),
                    ("created_at", "elapsed_ms", "user"),
                    ("public_id", "calibration"),
                )
            },
        ),
    )

    class Media:
        css = STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[Question]:
        questions = super().get_queryset(request)
        if is_changelist(request):
            return questions.defer("confidence_signals", "ticket__detail", "feedback__comment")
        return questions.select_related("answer", "ticket", "feedback", "user", "conversation", "evidence")

    def get_fieldsets(self, request: HttpRequest, obj: Question | None = None) -> Any:
        """Who asked is for those who help: a user name is often an address."""
        if request.user.has_perm("assistant.view_ticket"):
            return super().get_fieldsets(request, obj)
        rows = (("status", "language", "channel"), ("created_at", "elapsed_ms"), ("public_id", "calibration"))
        return ((_("Record"), {"fields": rows}),)

    def get_urls(self) -> list[URLPattern]:
        judged = path(
            "<int:question_id>/judge/",
            self.admin_site.admin_view(judge_view),
            name="assistant_question_judge",
        )
        evidence = path(
            "<int:question_id>/evidence.json",
            self.admin_site.admin_view(evidence_view),
            name="assistant_question_evidence",
        )
        return [judged, evidence, *super().get_urls()]

    def get_ordering(self, request: HttpRequest) -> Any:
        if is_changelist(request) and request.GET.get(JudgementFilter.parameter_name) == "sample":
            return BY_LOT
        return super().get_ordering(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "drilled": described(request.GET)})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        question = context.get("original")
        if question is not None:
            story = context["story"] = story_of(question)
            context["evidence"] = parts_of(question)
            context["rewriting"] = rewriting_of(question)
            context["judge"] = panel_of(question, story, request.user)
            context["title"], context["subtitle"] = _("Question"), None
        return super().render_change_form(request, context, *args, **options)

    @admin.display(description=_("question"), ordering="text")
    def short_text(self, question: Question) -> SafeString:
        origin = f"{question.language.upper()} · {question.get_channel_display()}"
        return two_lines(Truncator(question.text).chars(_SHORT), origin)

    @admin.display(description=_("asked"), ordering="created_at")
    def asked(self, question: Question) -> SafeString:
        return short_moment(question.created_at)

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, question: Question) -> SafeString:
        status = badge(question.get_status_display(), _STATUS_TONES[QuestionStatus(question.status)])
        return two_lines(status, label_badge(question)) if hasattr(question, "label") else status

    @admin.display(description=_("confidence"), ordering="confidence_score")
    def confidence(self, question: Question) -> str | SafeString:
        meter = meter_of(question)
        return render_to_string("admin/assistant/_meter.html", {"meter": meter}) if meter else "–"

    @admin.display(description=_("helped"), boolean=True)
    def verdict(self, question: Question) -> bool | None:
        feedback: Feedback | None = getattr(question, "feedback", None)
        return feedback.helpful if feedback is not None else None

    @admin.display(description=_("ticket"))
    def ticket_link(self, question: Question) -> str | SafeString:
        ticket = getattr(question, "ticket", None)
        if ticket is None:
            return "–"
        return format_html(
            '<a class="hc-nowrap" href="{}">{}</a>',
            reverse("admin:assistant_ticket_change", args=[ticket.pk]),
            ticket.reference,
        )


@admin.register(Feedback)
class FeedbackAdmin(LookOnly, _FeedbackAdmin):
    list_display = ("short_question", "helpful", "reason", "short_comment", "updated_at")
    list_filter = ("helpful", "reason", "question__language", "updated_at")
    list_select_related = ("question",)
    list_per_page = 50
    search_fields = ("question__text", "comment")
    search_help_text = _("Text of the question or comment")
    fields = ("question_link", "helpful", "reason", "comment", "created_at", "updated_at")
    readonly_fields = ("question_link",)

    class Media:
        css = STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return super().get_queryset(request).defer("question__confidence_signals")

    @admin.display(description=_("question"), ordering="question__text")
    def short_question(self, feedback: Feedback) -> str:
        return Truncator(feedback.question.text).chars(_SHORT)

    @admin.display(description=_("comment"))
    def short_comment(self, feedback: Feedback) -> str:
        return Truncator(feedback.comment).chars(_SHORT) or "–"

    @admin.display(description=_("question"))
    def question_link(self, feedback: Feedback) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:assistant_question_change", args=[feedback.question_id]),
            feedback.question.text,
        )
