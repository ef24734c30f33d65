"""An import through the admin: upload, look at what would happen, confirm, report.

Promise: the preview is the import without writing. What an import had written when it failed is taken back, so
that it is in whole or not at all; one that was killed can be undone. One confirmation starts one import, however
often it is clicked.
"""

import logging
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge import sweepers
from knowledge.importers.apply import apply_entries
from knowledge.importers.archives import MAX_ENTRIES, HostileFile, unpacked
from knowledge.importers.runs import RunRecord, report_as_json, undo_import
from knowledge.importers.sources import ImportFormat, UnusablePath, open_source
from knowledge.models import Article, ImportRun, ImportState, ImportUpload

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

_INDEX_SECONDS: Final = 20.0
_KEPT: Final = timedelta(days=7)  # an upload that nobody confirmed


class UnusableUpload(Exception):
    """Nothing in this file can be imported. Permanent: another file is needed."""


def preview_upload(
    *,
    name: str,
    content: bytes,
    user: "User",
    publish: bool = False,
    language: str = "",
    format: str = "",
    source: str = "",
) -> ImportRun:
    """Raises `UnusableUpload`."""
    try:
        with unpacked(name, content) as path:
            opened = open_source(path, format=ImportFormat(format) if format else None, name=_stem(name))
            if opened.total > MAX_ENTRIES:
                reason = _(
                    "The file has %(found)d articles; at most %(limit)d are allowed here. "
                    "`manage.py import_articles` takes more."
                )
                raise UnusableUpload(reason % {"found": opened.total, "limit": MAX_ENTRIES})
            chosen = source or opened.name
            report = apply_entries(
                opened.read(), source=chosen, publish=publish, language=language or None, dry_run=True
            )
    except HostileFile as error:
        raise UnusableUpload(str(error)) from error
    except UnusablePath as error:
        # Where it was unpacked to is nobody's business.
        raise UnusableUpload(str(error).replace(str(path), name)) from error
    with transaction.atomic():
        ImportRun.objects.filter(state=ImportState.PREVIEWED, started_at__lt=timezone.now() - _KEPT).delete()
        run = ImportRun.objects.create(
            source=chosen[: ImportRun._meta.get_field("source").max_length],
            file_name=name[-255:],
            format=str(opened.format),
            state=ImportState.PREVIEWED,
            publish=publish,
            language=language,
            user=user,
            report=report_as_json(report),
        )
        ImportUpload.objects.create(run=run, content=content)
    return run


def confirm_upload(run: ImportRun) -> bool:
    """Starts the import, in the background where there is one. False where it was started already."""
    waiting = ImportRun.objects.filter(pk=run.pk, state=ImportState.PREVIEWED)
    if not waiting.update(state=ImportState.RUNNING, started_at=timezone.now()):
        return False
    from kombu.exceptions import OperationalError

    from knowledge.tasks import import_upload_task

    try:
        import_upload_task.delay(run.pk)
    except OperationalError:
        ImportRun.objects.filter(pk=run.pk, state=ImportState.RUNNING).update(state=ImportState.PREVIEWED)
        raise
    return True


def import_upload(run_id: int) -> None:
    """What the background does. Safe to repeat: what the first time wrote is unchanged the second time."""
    run = ImportRun.objects.select_related("upload").filter(pk=run_id, state=ImportState.RUNNING).first()
    if run is None:
        return
    record = RunRecord(source=run.source, publish=run.publish, language=run.language, run=run)
    try:
        with unpacked(run.file_name, bytes(run.upload.content)) as path:
            opened = open_source(path, format=ImportFormat(run.format))
            apply_entries(
                opened.read(),
                source=run.source,
                publish=run.publish,
                language=run.language or None,
                record=record,
            )
    except Exception as error:
        log.exception("Import %d stopped; what it had written is taken back", run.pk)
        undone = undo_import(run)
        run.refresh_from_db()
        run.state = ImportState.FAILED if undone.is_whole else ImportState.PARTLY_UNDONE
        run.finished_at = timezone.now()
        run.report = {**run.report, "stopped": f"{type(error).__name__}: {error}"[:500]}
        run.save(update_fields=["state", "finished_at", "report"])
    else:
        ImportUpload.objects.filter(run=run).delete()
        _index()


def _stem(name: str) -> str:
    """An upload is called by its file, whatever folder its archive holds."""
    return PurePosixPath(name.replace("\\", "/")).stem or "upload"


def _index() -> None:
    """Without workers and without a sweep in another process nobody else would."""
    if not settings.CELERY_TASK_ALWAYS_EAGER or sweepers.sweeper_elsewhere() is not None:
        return
    from knowledge.embeddings import EmbedderUnavailable
    from knowledge.indexing import sync_stale_here
    from knowledge.vectors import VectorStoreUnavailable

    if not Article.objects.published().exists():
        return
    try:
        # Whoever imports waits for this page; what is left comes with `sync_index` or the next edit's sweep.
        sync_stale_here(newest_first=True, budget_seconds=_INDEX_SECONDS)
    except (VectorStoreUnavailable, EmbedderUnavailable) as error:
        log.warning("Imported, not indexed yet: %s", error)
