"""Imports: upload, preview, report, undo; and the export of everything."""

import tempfile
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError

from knowledge.admin.display import STYLESHEET, badge, short_moment, two_lines
from knowledge.exporting import write_zip
from knowledge.importers import ImportFormat
from knowledge.importers.archives import MAX_ENTRIES, MAX_UPLOAD_BYTES
from knowledge.importers.runs import MAX_LISTED, NotUndoable, undo_import
from knowledge.importers.uploads import UnusableUpload, confirm_upload, preview_upload
from knowledge.models import Article, Audience, ImportRun, ImportState, Language, Status

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _ImportRunAdmin = admin.ModelAdmin[ImportRun]
else:
    _ImportRunAdmin = admin.ModelAdmin

_TONES = {
    ImportState.PREVIEWED: "notice",
    ImportState.RUNNING: "notice",
    ImportState.DONE: "good",
    ImportState.FAILED: "bad",
    ImportState.UNDONE: "quiet",
    ImportState.PARTLY_UNDONE: "bad",
}
_FORMATS = {
    ImportFormat.MARKDOWN: _("Pages: Markdown, MDX or HTML"),
    ImportFormat.ZENDESK: "Zendesk",
    ImportFormat.INTERCOM: "Intercom",
    ImportFormat.CSV: "CSV",
    ImportFormat.JSON: "JSON",
    ImportFormat.JSONL: "JSON Lines",
}
_SHOWN = 200  # lines of a list on the page


class UploadForm(forms.Form):
    file = forms.FileField(label=_("File"))
    publish = forms.BooleanField(
        label=_("Publish what is new"),
        required=False,
        help_text=_("Otherwise new articles are drafts. What the source calls a draft stays one."),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("told from the text")), *Language.choices],
        help_text=_("Of articles that name none."),
    )
    format = forms.ChoiceField(
        label=_("Format"), required=False, choices=[("", _("told from the content")), *_FORMATS.items()]
    )
    source = forms.CharField(
        label=_("Name of the source"),
        required=False,
        max_length=120,
        help_text=_(
            "Articles are remembered by it: a later import with the same name updates them. Empty: told from the file."
        ),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Here, because a sentence with figures in it is of one language from then on.
        self.fields["file"].help_text = _(
            "A zip of a folder, or one file: Markdown, MDX, HTML, JSON of Zendesk or Intercom, JSON Lines, CSV. "
            "At most %(size)d MB and %(entries)d entries."
        ) % {"size": MAX_UPLOAD_BYTES // 1024 // 1024, "entries": MAX_ENTRIES}

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            reason = _("The file has %(found).1f MB; at most %(limit)d MB are allowed.")
            raise forms.ValidationError(
                reason % {"found": file.size / 1024 / 1024, "limit": MAX_UPLOAD_BYTES // 1024 // 1024}
            )
        return file


@admin.register(ImportRun)
class ImportRunAdmin(_ImportRunAdmin):
    change_list_template = "admin/knowledge/importrun/change_list.html"
    list_display = ("what", "state_badge", "created", "updated", "failed", "started", "user")
    list_filter = ("state", "format")
    list_select_related = ("user",)
    search_fields = ("source", "file_name")
    ordering = ("-pk",)

    class Media:
        css = STYLESHEET

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportRun]:
        return super().get_queryset(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("export/", view(self.export_view), name="knowledge_importrun_export"),
            path("<int:pk>/confirm/", view(self.confirm_view), name="knowledge_importrun_confirm"),
            path("<int:pk>/undo/", view(self.undo_view), name="knowledge_importrun_undo"),
        ]
        return own + super().get_urls()

    # --- list ---------------------------------------------------------------------------------------

    @admin.display(description=_("import"), ordering="source")
    def what(self, run: ImportRun) -> SafeString:
        return two_lines(run.file_name or run.source, run.source if run.file_name else _("by command"))

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, run: ImportRun) -> SafeString:
        return badge(run.get_state_display(), _TONES[ImportState(run.state)])

    @admin.display(description=_("new"))
    def created(self, run: ImportRun) -> int:
        return int(run.report.get("created", 0))

    @admin.display(description=_("changed"))
    def updated(self, run: ImportRun) -> int:
        return int(run.report.get("updated", 0))

    @admin.display(description=_("not imported"))
    def failed(self, run: ImportRun) -> int:
        return int(run.report.get("failed", 0))

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, run: ImportRun) -> SafeString:
        return short_moment(run.started_at)

    # --- upload -------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                run = preview_upload(
                    name=values["file"].name,
                    content=values["file"].read(),
                    user=request.user,  # type: ignore[arg-type]  # staff, never anonymous
                    publish=values["publish"],
                    language=values["language"],
                    format=values["format"],
                    source=values["source"].strip(),
                )
            except UnusableUpload as error:
                form.add_error("file", str(error))
            else:
                return HttpResponseRedirect(reverse("admin:knowledge_importrun_change", args=[run.pk]))
        return self._page(request, "upload", _("Import articles"), form=form)

    # --- preview and report -------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        run = get_object_or_404(ImportRun.objects.select_related("user"), pk=object_id)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        report = run.report
        return self._page(
            request,
            "report",
            str(run),
            run=run,
            state=badge(run.get_state_display(), _TONES[ImportState(run.state)]),
            format_name=_FORMATS.get(ImportFormat(run.format), run.format) if run.format else "",
            report=report,
            lists=[
                (name, report.get(key, [])[:_SHOWN], report.get(count, 0))
                for name, key, count in (
                    (_("Not imported"), "errors", "failed"),
                    (_("Please note"), "warnings", "warned"),
                )
            ],
            planned=self._planned(report),
            planned_total=report.get("created", 0) + report.get("updated", 0),
            kept=report.get("kept", []),
            may_confirm=run.state == ImportState.PREVIEWED and self.has_add_permission(request),
            may_undo=self._may_undo(request, run),
            is_preview=run.state == ImportState.PREVIEWED,
            is_running=run.state == ImportState.RUNNING,
            limit=MAX_LISTED,
        )

    def _planned(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        names = {field.attname: field.verbose_name for field in Article._meta.concrete_fields}
        statuses, audiences = dict(Status.choices), dict(Audience.choices)
        return [
            {
                **one,
                "fields": [names.get(field, field) for field in one.get("fields", [])],
                "status": statuses.get(one.get("status"), ""),
                "audience": audiences.get(one.get("audience"), ""),
            }
            for one in report.get("planned", [])[:_SHOWN]
        ]

    def _may_undo(self, request: HttpRequest, run: ImportRun) -> bool:
        is_over = run.state in (ImportState.DONE, ImportState.PARTLY_UNDONE)
        # One that was killed says so by never ending.
        is_stuck = (
            run.state == ImportState.RUNNING and (timezone.now() - run.started_at).total_seconds() > 900
        )
        return (is_over or is_stuck) and self.has_change_permission(request, run) and run.changes.exists()

    def confirm_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = get_object_or_404(ImportRun, pk=pk)
        if request.method != "POST" or not self.has_add_permission(request):
            raise PermissionDenied
        try:
            started = confirm_upload(run)
        except OperationalError:
            self.message_user(
                request,
                _("The queue of work cannot be reached. Please try again in a moment."),
                messages.ERROR,
            )
        else:
            if not started:
                self.message_user(request, _("This import was started already."), messages.INFO)
        return HttpResponseRedirect(reverse("admin:knowledge_importrun_change", args=[pk]))

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = get_object_or_404(ImportRun, pk=pk)
        if request.method != "POST" or not self._may_undo(request, run):
            raise PermissionDenied
        try:
            report = undo_import(run)
        except NotUndoable as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            changed = report.deleted + report.restored
            message = ngettext(
                "%(count)d article is as it was before.",
                "%(count)d articles are as they were before.",
                changed,
            )
            self.message_user(request, message % {"count": changed}, messages.SUCCESS)
            if report.kept:
                message = ngettext(
                    "%(count)d article was left as it is; see below.",
                    "%(count)d articles were left as they are; see below.",
                    len(report.kept),
                )
                self.message_user(request, message % {"count": len(report.kept)}, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:knowledge_importrun_change", args=[pk]))

    # --- export -------------------------------------------------------------------------------------

    def export_view(self, request: HttpRequest) -> FileResponse:
        if request.method != "POST" or not request.user.has_perm("knowledge.view_article"):
            raise PermissionDenied
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
        write_zip(file)
        file.seek(0)
        name = f"articles-{timezone.localdate().isoformat()}.zip"
        return FileResponse(file, as_attachment=True, filename=name)

    def _page(self, request: HttpRequest, template: str, title: Any, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/knowledge/importrun/{template}.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "media": self.media,
                "has_view_permission": True,
                **context,
            },
        )
