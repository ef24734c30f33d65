"""The record of an import, and the way back.

Promise: whatever an import wrote can be taken back as a whole: what it changed gets the text from before, what it
made goes. An article that somebody edited since is left alone and named. An undo that is called twice, or was
interrupted, goes on where it stopped.

An undo is an edit like any other: it has its entry in the history of the article, so that it can be undone too.
Pictures stay where they are; earlier revisions may show them.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.models import Article, Category, ImportChange, ImportRun, ImportState

if TYPE_CHECKING:
    from knowledge.importers.apply import ImportReport
    from knowledge.importers.entries import Problem

MAX_LISTED: Final = 1_000  # problems, and planned changes, that a report keeps
_RESTORED: Final = (
    "title",
    "slug",
    "body",
    "language",
    "translation_group",
    "category_id",
    "status",
    "audience",
    "labels",
    "source_url",
)


class RunRecord:
    """Notes what a run writes, in the transaction that writes it. Makes its row when there is something to note."""

    def __init__(
        self, *, source: str, publish: bool, language: str = "", run: ImportRun | None = None
    ) -> None:
        self._run = run
        self._source = source
        self._publish = publish
        self._language = language
        self._written: list[tuple[Article, bool]] = []

    @property
    def run_id(self) -> int | None:
        return self._run.pk if self._run else None

    def note(self, article: Article, *, is_new: bool) -> None:
        self._written.append((article, is_new))

    def keep(self, category_ids: Iterable[int]) -> None:
        """At the end of a transaction."""
        made = list(category_ids)
        if not self._written and not made:
            return
        run = self._run = self._run or ImportRun.objects.create(
            source=self._source, publish=self._publish, language=self._language
        )
        if made:
            run.categories = [*run.categories, *made]
            run.save(update_fields=["categories"])
        latest = _two_latest([article.pk for article, _is_new in self._written])
        ImportChange.objects.bulk_create(
            ImportChange(
                run=run,
                article_id=article.pk,
                title=article.title,
                is_new=is_new,
                before=None if is_new else (latest[article.pk] + [None])[1],
                after=latest[article.pk][0],
            )
            for article, is_new in self._written
        )
        self._written.clear()

    def finish(self, report: dict[str, Any], *, state: ImportState = ImportState.DONE) -> None:
        if self._run is not None:
            self._run.state = state
            self._run.finished_at = timezone.now()
            self._run.report = report
            self._run.save(update_fields=["state", "finished_at", "report"])


def report_as_json(report: "ImportReport") -> dict[str, Any]:
    """What `ImportRun.report` holds; lists are cut at `MAX_LISTED`, counts are of everything."""
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "failed": report.failed,
        "warned": len(report.warnings),
        "seconds": round(report.seconds, 1),
        "errors": _problems(report.errors),
        "warnings": _problems(report.warnings),
        "planned": [asdict(planned) for planned in report.planned[:MAX_LISTED]],
    }


def _problems(problems: "Iterable[Problem]") -> list[dict[str, object]]:
    listed = list(problems)[:MAX_LISTED]
    return [
        {"file": one.place.file, "line": one.place.line, "id": one.id, "reason": str(one.reason)}
        for one in listed
    ]


@dataclass(frozen=True)
class UndoReport:
    restored: int
    deleted: int
    kept: tuple[tuple[str, str], ...]  # (title, why) of what was left alone

    @property
    def is_whole(self) -> bool:
        return not self.kept


class NotUndoable(Exception):
    """There is nothing to take back. Permanent."""


def undo_import(run: ImportRun) -> UndoReport:
    """Raises `NotUndoable`."""
    if run.state in (ImportState.PREVIEWED, ImportState.UNDONE):
        raise NotUndoable(_("This import has written nothing that could be undone."))
    restored = deleted = 0
    kept: list[tuple[str, str]] = []
    # Newest first: where one article took another one's place, the later change goes before the earlier.
    for change in ImportChange.objects.filter(run=run, undone_at=None).order_by("-pk"):
        try:
            with transaction.atomic():
                if _undo(change, run):
                    deleted += change.is_new
                    restored += not change.is_new
        except _Kept as reason:
            kept.append((change.title, str(reason)))
        except IntegrityError:
            kept.append(
                (change.title, _("its earlier address or translation belongs to another article now."))
            )
    if not kept:
        _remove_empty(run.categories)
    run.state = ImportState.PARTLY_UNDONE if kept else ImportState.UNDONE
    run.report = {**run.report, "kept": [list(pair) for pair in kept[:MAX_LISTED]]}
    run.save(update_fields=["state", "report"])
    return UndoReport(restored, deleted, tuple(kept))


class _Kept(Exception):
    """Why an article stays as it is."""


def _undo(change: ImportChange, run: ImportRun) -> bool:
    """False where there was nothing left to do."""
    article = Article.objects.select_for_update().filter(pk=change.article_id).first()
    if article is None:
        if not change.is_new:
            raise _Kept(_("it was deleted since."))
        return _done(change)
    latest = _two_latest([article.pk]).get(article.pk, [])
    if latest[:1] != [change.after]:
        raise _Kept(_("it was edited since."))
    if change.is_new:
        article._change_reason = _reason(run)  # type: ignore[attr-defined]
        article.delete()
        _done(change)
        return True
    before = Article.history.filter(history_id=change.before).first() if change.before else None
    if before is None:
        raise _Kept(_("what it was before is not recorded."))
    for name in _RESTORED:
        setattr(article, name, getattr(before, name))
    if article.category_id and not Category.objects.filter(pk=article.category_id).exists():
        article.category_id = None
    article._change_reason = _reason(run)  # type: ignore[attr-defined]
    article.save()
    _done(change)
    return True


def _done(change: ImportChange) -> bool:
    change.undone_at = timezone.now()
    change.save(update_fields=["undone_at"])
    return False


def _reason(run: ImportRun) -> str:
    return f"undo of import {run.pk}: {run.source}"[:100]


def _two_latest(article_ids: list[int]) -> dict[int, list[Any]]:
    """Of each article the ids of its last two entries in the history, the latest first."""
    latest: dict[int, list[Any]] = {}
    entries = Article.history.filter(id__in=article_ids).order_by("-history_id")
    for article_id, history_id in entries.values_list("id", "history_id"):
        known = latest.setdefault(article_id, [])
        if len(known) < 2:
            known.append(history_id)
    return latest


def _remove_empty(category_ids: list[int]) -> None:
    """Of the categories that the run made those that nobody uses; inner ones first."""
    for pk in reversed(category_ids):
        unused = Category.objects.filter(pk=pk, articles=None, children=None)
        unused.delete()
