"""What agents keep at hand and what solved tickets leave behind: canned replies, lessons for the editors, ratings."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assistant.models import FOR_EDITORS, CannedReply, Lesson, Rating
from knowledge.admin.display import STYLESHEET, LabelledCells, badge, short_moment, two_lines

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _CannedForm = forms.ModelForm[CannedReply]
    _CannedAdmin = admin.ModelAdmin[CannedReply]
    _LessonAdmin = admin.ModelAdmin[Lesson]
    _RatingAdmin = admin.ModelAdmin[Rating]
else:
    _CannedForm = forms.ModelForm
    _CannedAdmin = _LessonAdmin = _RatingAdmin = admin.ModelAdmin


class CannedForm(_CannedForm):
    class Meta:
        model = CannedReply
        fields = ("title", "language", "body", "is_active")
        widgets = {"body": forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"})}


@admin.register(CannedReply)
class CannedReplyAdmin(LabelledCells, _CannedAdmin):
    form = CannedForm
    list_display = ("title", "language", "is_active")
    list_filter = ("language", "is_active")
    list_editable = ("is_active",)
    search_fields = ("title", "body")

    class Media:
        css = STYLESHEET


@admin.register(Lesson)
class LessonAdmin(LabelledCells, _LessonAdmin):
    """The editors' list: what customers asked in vain, and what the articles get wrong."""

    list_display = ("what", "kind_badge", "article", "told", "is_done")
    list_editable = ("is_done",)
    list_filter = ("is_done", "kind")
    list_select_related = ("ticket", "article", "taught_by")
    search_fields = ("text", "ticket__reference", "article__title")
    fields = ("kind", "present_ticket", "article", "text", "taught_by", "taught_at", "is_done")
    readonly_fields = ("kind", "present_ticket", "article", "text", "taught_by", "taught_at")
    actions = ("mark_done",)

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lesson]:
        lessons = super().get_queryset(request).defer("article__body")
        return lessons.filter(kind__in=FOR_EDITORS)

    @admin.display(description=_("what is missing or wrong"))
    def what(self, lesson: Lesson) -> SafeString:
        return two_lines(Truncator(lesson.text).chars(160), lesson.ticket.reference)

    @admin.display(description=_("lesson"), ordering="kind")
    def kind_badge(self, lesson: Lesson) -> SafeString:
        return badge(lesson.get_kind_display(), "notice")

    @admin.display(description=_("said"), ordering="taught_at")
    def told(self, lesson: Lesson) -> SafeString:
        return two_lines(short_moment(lesson.taught_at), lesson.taught_by or "")

    @admin.display(description=_("ticket"))
    def present_ticket(self, lesson: Lesson) -> SafeString:
        address = reverse("admin:assistant_ticket_change", args=[lesson.ticket_id])
        return format_html('<a href="{}">{}</a>', address, lesson.ticket)

    @admin.action(description=_("Mark as done: the articles say it now"), permissions=["change"])
    def mark_done(self, request: HttpRequest, queryset: QuerySet[Lesson]) -> None:
        done = queryset.filter(is_done=False).update(is_done=True)
        said = ngettext("%(count)d lesson is done.", "%(count)d lessons are done.", done)
        self.message_user(request, said % {"count": done}, messages.SUCCESS)


@admin.register(Rating)
class RatingAdmin(_RatingAdmin):
    list_display = ("ticket", "is_content", "comment", "updated_at")
    list_filter = ("is_content", "updated_at")
    list_select_related = ("ticket",)
    search_fields = ("comment", "ticket__reference")

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
