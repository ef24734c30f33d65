"""Where administrators say how the desk works: rules in words, a dry run on the past, holidays, who takes tickets."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import AdminErrorList, AdminForm
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from assistant.desk import dry_run, rules, wording
from assistant.models import (
    UNSETTLED,
    Assignment,
    DeskRules,
    Holiday,
    KnownProblem,
    Priority,
    RotaMember,
)
from knowledge.admin.display import STYLESHEET, LabelledCells
from knowledge.admin.history import HistoryAdmin

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _RulesForm = forms.ModelForm[DeskRules]
    _HolidayAdmin = admin.ModelAdmin[Holiday]
    _RotaAdmin = admin.ModelAdmin[RotaMember]
    _ProblemAdmin = admin.ModelAdmin[KnownProblem]
else:
    _RulesForm = forms.ModelForm
    _HolidayAdmin = _RotaAdmin = _ProblemAdmin = admin.ModelAdmin


class RulesForm(_RulesForm):
    class Meta:
        model = DeskRules
        fields = "__all__"
        widgets = {"assignment": forms.RadioSelect(choices=Assignment.choices)}

    def save(self, commit: bool = True) -> DeskRules:
        self.instance.pk = 1
        return super().save(commit)


def _pair(priority: Priority) -> tuple[str, str]:
    name = priority.name.lower()
    return f"{name}_reply", f"{name}_solve"


@admin.register(DeskRules)
class DeskRulesAdmin(HistoryAdmin):
    form = RulesForm
    change_form_template = "admin/assistant/deskrules/change_form.html"
    fieldsets = (
        (
            _("Targets"),
            {
                "fields": tuple(_pair(priority) for priority in reversed(Priority)),
                "description": _(
                    "In hours of business, counted from the moment when the customer can be answered. Empty: no target."
                ),
            },
        ),
        (_("When a target is missed"), {"fields": ("escalates", "escalation_emails")}),
        (_("New tickets"), {"fields": ("assignment", "routes_from")}),
        (_("When the customer is silent"), {"fields": ("silence_days", "grace_days", "close_days")}),
        (_("When a ticket is solved"), {"fields": ("surveys",)}),
    )

    class Media:
        css = STYLESHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_add_permission(request)) and not DeskRules.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one row, so a list would be a detour; it is made by its first reader who may."""
        if not DeskRules.objects.exists() and self.has_add_permission(request):
            return HttpResponseRedirect(reverse("admin:assistant_deskrules_add"))
        if self.has_view_or_change_permission(request) and DeskRules.objects.exists():
            return HttpResponseRedirect(reverse("admin:assistant_deskrules_change", args=[1]))
        return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the button for a dry run nothing is saved: the page comes back with what was typed and its report."""
        if request.method == "POST" and "_dry_run" in request.POST:
            return self._try(request, object_id)
        shown = {
            "sentences": wording.in_words(rules.stored_rules()),
            **self._links(),
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, shown)  # type: ignore[no-any-return]

    def _try(self, request: HttpRequest, object_id: str | None) -> HttpResponse:
        stored = self.get_object(request, object_id or "1")
        allowed = self.has_change_permission(request, stored) if stored else self.has_add_permission(request)
        if not allowed:
            raise PermissionDenied
        form = self.get_form(request, stored, change=stored is not None)(
            request.POST, instance=stored or DeskRules(pk=1)
        )
        report = tried = None
        if form.is_valid():
            tried = form.instance
            now = timezone.now()
            report = dry_run.replay(
                dry_run.past_tickets(now),
                rules.policy_of(tried, Holiday.objects.all()),
                dry_run.agents_here(),
                now,
            )
        fieldsets = AdminForm(form, list(self.get_fieldsets(request, stored)), {}, (), model_admin=self)
        context = {
            **self.admin_site.each_context(request),
            **self._links(),
            "title": _("Dry run"),
            "adminform": fieldsets,
            "errors": AdminErrorList(form, []),
            "inline_admin_formsets": [],
            "media": self.media + fieldsets.media,
            "original": stored,
            "object_id": object_id,
            "is_popup": False,
            "to_field": None,
            "preserved_filters": "",
            "report": report,
            "lines": _lines(report) if report is not None else [],
            "days": dry_run.DAYS,
            "sentences": wording.in_words(tried) if tried is not None else [],
            "is_tried": tried is not None,
        }
        return self.render_change_form(  # type: ignore[no-any-return]
            request, context, add=stored is None, change=stored is not None, obj=stored
        )

    def _links(self) -> dict[str, Any]:
        return {
            "show_save_and_add_another": False,
            "holidays": Holiday.objects.count(),
            "agents": RotaMember.objects.filter(is_here=True).count(),
        }


def _lines(report: dry_run.Report) -> list[tuple[str, dry_run.Tally]]:
    return [
        (str(priority.label), report.tallies[priority])
        for priority in reversed(Priority)
        if priority in report.tallies
    ]


@admin.register(Holiday)
class HolidayAdmin(LabelledCells, _HolidayAdmin):
    list_display = ("date", "name", "every_year")
    list_editable = ("name", "every_year")
    list_filter = ("every_year",)
    date_hierarchy = "date"
    list_per_page = 100

    class Media:
        css = STYLESHEET


@admin.register(RotaMember)
class RotaMemberAdmin(LabelledCells, _RotaAdmin):
    list_display = ("user", "is_here", "waiting", "last_given_at")
    list_editable = ("is_here",)
    list_select_related = ("user",)

    class Media:
        css = STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[RotaMember]:
        waiting = Count("user__assigned_tickets", filter=Q(user__assigned_tickets__status__in=UNSETTLED))
        return super().get_queryset(request).annotate(waiting=waiting)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "user":
            people = get_user_model()._default_manager.filter(is_staff=True, is_active=True)
            options["queryset"] = people.order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **options)

    @admin.display(description=_("unsettled tickets"), ordering="waiting")
    def waiting(self, member: Any) -> int:
        return int(member.waiting)


@admin.register(KnownProblem)
class KnownProblemAdmin(_ProblemAdmin):
    list_display = ("title", "is_open", "tickets", "article", "created_at")
    list_filter = ("is_open",)
    list_select_related = ("article",)
    search_fields = ("title", "workaround")
    autocomplete_fields = ("article",)
    fields = ("title", "workaround", "article", "is_open")

    class Media:
        css = STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[KnownProblem]:
        return super().get_queryset(request).annotate(unsettled=_unsettled()).defer("article__body")

    @admin.display(description=_("unsettled tickets"), ordering="unsettled")
    def tickets(self, problem: Any) -> Any:
        address = reverse("admin:assistant_ticket_changelist")
        return format_html(
            '<a href="{}?problem__id__exact={}&amp;queue=all">{}</a>', address, problem.pk, problem.unsettled
        )


def _unsettled() -> Count:
    return Count("tickets", filter=Q(tickets__status__in=UNSETTLED))
