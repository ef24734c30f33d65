"""import_articles PATH: articles from a file or a folder into the database, and into the index.

Promise: articles that were written stay written, whatever happens to the index afterwards; the exit code says
whether everything that the path holds is now in place.
"""

import json
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from tqdm import tqdm

from knowledge.embeddings import EmbedderUnavailable
from knowledge.importers import ImportFormat, ImportReport, Problem, UnusablePath, apply_entries, open_source
from knowledge.indexing import SyncReport, sync_stale
from knowledge.models import Article, Language
from knowledge.vectors import VectorStoreUnavailable

_SHOWN_PROBLEMS = 50

_HELP = """\
Import articles from PATH:

  jsonl      a file with one JSON object a line: id, title, body (Markdown), and where known language,
             category ("Billing > Invoices"), translation_key, audience (public, signed_in, internal), draft
  markdown   a folder of Markdown files with YAML front matter (title, id, language, category,
             translation_key, audience, draft), or one such file. What the front matter does not say comes
             from the path: folders are the category, a folder "de" or a file "name.de.md" the language.
  zendesk    Zendesk Help Center API JSON: articles, sections, categories, user_segments; files or a folder

An article is known by its source and its id there. Importing the same again changes nothing; a changed entry
becomes a new revision of the same article, which keeps its address. An entry that cannot be imported is
reported with file, line and reason, and the others go in.

New articles are drafts; with --publish they are published, as are earlier imports that were never online. An
import never unpublishes an article, never publishes one that an editor took offline, and never shows one to
more people than may read it now.
"""
_EPILOG = """\
exit code: 0 everything is in place, 1 some entries or the index failed, 2 PATH or an option cannot be used

examples:
  manage.py import_articles help.jsonl --dry-run
  manage.py import_articles docs/help --publish --language de
  manage.py import_articles zendesk-export --source old-help-center --json
"""


@dataclass(frozen=True)
class _IndexOutcome:
    passages: int | None  # of the articles that were brought up to date; None: unknown
    error: str  # for people; empty: the index is up to date
    seconds: float


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, epilog=_EPILOG, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", type=Path)
        parser.add_argument(
            "--format", choices=[str(value) for value in ImportFormat], help="default: told from the content"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and write nothing")
        parser.add_argument(
            "--publish", action="store_true", help="publish what the source does not call a draft"
        )
        parser.add_argument(
            "--language",
            choices=list(Language.values),
            help="of entries that name none; default: told from their text",
        )
        parser.add_argument(
            "--source",
            metavar="NAME",
            help="what the articles are remembered by; default: the name of the file or folder, for Zendesk "
            "the help center's host",
        )
        parser.add_argument("--no-index", action="store_true", help="leave the index to a later `sync_index`")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        started = time.monotonic()
        report = self._import(options)
        index = None if options["dry_run"] or options["no_index"] else self._index()
        if options["json"]:
            shape = _as_json(report, index, seconds=time.monotonic() - started)
            self.stdout.write(json.dumps(shape, ensure_ascii=False, indent=2))
        else:
            self._print(report, index, options)
        if report.failed or (index is not None and index.error):
            sys.exit(1)

    def _import(self, options: dict[str, Any]) -> ImportReport:
        name = options["source"]
        limit = Article._meta.get_field("source").max_length or 0
        if name is not None and not 0 < len(name.strip()) <= limit:
            message = _("--source: found %(found)d characters; 1 to %(limit)d are allowed.")
            raise CommandError(message % {"found": len(name.strip()), "limit": limit}, returncode=2)
        chosen = ImportFormat(options["format"]) if options["format"] else None
        try:
            source = open_source(options["path"], format=chosen)
        except UnusablePath as error:
            raise CommandError(str(error), returncode=2) from error
        with _bar(source.total, _("articles")) as bar:
            return apply_entries(
                source.read(),
                source=name.strip() if name else source.name,
                publish=options["publish"],
                language=options["language"],
                dry_run=options["dry_run"],
                on_progress=bar.update,
            )

    def _index(self) -> _IndexOutcome:
        """The articles are safe, whatever happens here."""
        started = time.monotonic()
        passages, error = None, ""
        with _bar(None, _("index")) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                report: SyncReport = sync_stale(progress=show)
            except (VectorStoreUnavailable, EmbedderUnavailable) as failure:
                error = str(failure)
            else:
                passages = report.passages
                if report.failed:
                    error = ngettext(
                        "%(count)d article cannot be indexed; the admin says why.",
                        "%(count)d articles cannot be indexed; the admin says why.",
                        len(report.failed),
                    ) % {"count": len(report.failed)}
        return _IndexOutcome(passages, error, time.monotonic() - started)

    def _print(self, report: ImportReport, index: _IndexOutcome | None, options: dict[str, Any]) -> None:
        self._print_problems(_("Not imported:"), report.errors)
        self._print_problems(_("Please note:"), report.warnings)
        self.stdout.write(_summary(report))
        if report.dry_run:
            self.stdout.write(_("Dry run: nothing was written."))
            return
        if report.created and not options["publish"]:
            self.stdout.write(
                _("New articles are drafts. Publish them in the admin, or run this again with --publish.")
            )
        if index is None:
            self.stdout.write(_("The index was left as it is; `manage.py sync_index` brings it up to date."))
        elif index.error:
            self.stderr.write(
                _("The articles are stored, but the index is not up to date: %(why)s") % {"why": index.error}
            )
        else:
            self.stdout.write(_index_line(index))

    def _print_problems(self, heading: str, problems: Sequence[Problem]) -> None:
        if problems:
            self.stderr.write(heading)
        for problem in problems[:_SHOWN_PROBLEMS]:
            named = f" [{problem.id}]" if problem.id else ""
            self.stderr.write(f"  {problem.place.file}:{problem.place.line}{named}: {problem.reason}")
        if len(problems) > _SHOWN_PROBLEMS:
            hidden = {"hidden": len(problems) - _SHOWN_PROBLEMS}
            self.stderr.write(_("  … and %(hidden)d more; --json lists all.") % hidden)


def _bar(total: int | None, description: str) -> Any:
    # disable=None: no bar where standard error is no terminal.
    return tqdm(total=total, desc=description, unit="", disable=None, file=sys.stderr)


def _summary(report: ImportReport) -> str:
    values = {
        "source": report.source,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "failed": report.failed,
        "seconds": report.seconds,
    }
    if report.unchanged and not (report.created or report.updated or report.failed):
        sentence = ngettext(
            "Source “%(source)s”: nothing changed, its one article is in place already.",
            "Source “%(source)s”: nothing changed, all %(unchanged)d articles are in place already.",
            report.unchanged,
        )
    else:
        sentence = _(
            "Source “%(source)s”: %(created)d new, %(updated)d changed, %(unchanged)d unchanged, "
            "%(failed)d not imported (%(seconds).1f s)."
        )
    return sentence % values


def _index_line(index: _IndexOutcome) -> str:
    if not index.passages:
        return _("The index was up to date already.")
    sentence = ngettext(
        "%(count)d passage indexed in %(seconds).1f s.",
        "%(count)d passages indexed in %(seconds).1f s.",
        index.passages,
    )
    return sentence % {"count": index.passages, "seconds": index.seconds}


def _as_json(report: ImportReport, index: _IndexOutcome | None, *, seconds: float) -> dict[str, object]:
    return {
        "source": report.source,
        "dry_run": report.dry_run,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "failed": report.failed,
        "errors": [_problem_as_json(problem) for problem in report.errors],
        "warnings": [_problem_as_json(problem) for problem in report.warnings],
        "passages": index.passages if index else None,
        "index_error": (index.error if index else "") or None,
        "index_seconds": round(index.seconds, 3) if index else None,
        "seconds": round(seconds, 3),
    }


def _problem_as_json(problem: Problem) -> dict[str, object]:
    place = problem.place
    return {"file": place.file, "line": place.line, "id": problem.id, "reason": problem.reason}
