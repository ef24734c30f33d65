"""sync_index: brings the vector index to the database, or says where the two differ.

Promise: the exit code is 0 only when every published article is answerable from the index; no article is
changed.
"""

import json
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from tqdm import tqdm

from knowledge.embeddings import EmbedderUnavailable, current_recipe
from knowledge.indexing import (
    DriftReport,
    RepairReport,
    SyncReport,
    check_index,
    rebuild_index,
    repair_index,
    retire_generations,
    sync_stale,
)
from knowledge.models import Article
from knowledge.vectors import VectorStoreUnavailable, get_store

_SHOWN_FAILURES = 20

_HELP = """\
Bring the vector index to what the database says.

Without options: splits and embeds articles that changed since they were indexed, gives the index what it
lost, takes away what belongs nowhere, and removes what an earlier embedding model left behind. While `serve`
runs, its process does the embedding and this command watches it. Running it twice changes nothing.
"""
_EPILOG = """\
The vectors are kept in the database, so the folder of the index (DATA_DIR/index) may be deleted at any time:
questions are answered without it, more slowly, until this command or `serve` has made it anew.

exit code: 0 index and database agree, 1 they do not, or the index or the model cannot be used

examples:
  manage.py sync_index
  manage.py sync_index --check --json
  manage.py sync_index --rebuild        after the index was damaged or restored from a backup
"""


@dataclass
class _Outcome:
    synced: SyncReport | None = None
    repaired: RepairReport | None = None
    rebuilt_passages: int | None = None
    retired: tuple[str, ...] = ()
    check: DriftReport | None = None
    where: str = ""
    error: str = ""

    @property
    def is_good(self) -> bool:
        return not self.error and self.check is not None and self.check.is_clean


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, epilog=_EPILOG, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--check",
            action="store_true",
            help="change nothing; count what is stale, missing or orphaned, and let a sample of passages "
            "find themselves",
        )
        mode.add_argument(
            "--rebuild",
            action="store_true",
            help="make the index anew from the vectors in the database; needs no embedding model",
        )
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        outcome = _Outcome()
        try:
            if options["rebuild"]:
                self._rebuild(outcome, quiet=options["json"])
            elif not options["check"]:
                self._sync(outcome, quiet=options["json"])
            outcome.check = check_index()
            outcome.where = get_store().where
        except (VectorStoreUnavailable, EmbedderUnavailable) as error:
            outcome.error = str(error)
        seconds = time.monotonic() - started
        if options["json"]:
            self._print_json(outcome, seconds)
        else:
            self._print(outcome, seconds)
        if not outcome.is_good:
            sys.exit(1)

    def _sync(self, outcome: _Outcome, *, quiet: bool) -> None:
        with _bar(_("articles"), quiet=quiet) as bar:
            outcome.synced = sync_stale(progress=_mover(bar))
        outcome.repaired = repair_index()
        outcome.retired = retire_generations()

    def _rebuild(self, outcome: _Outcome, *, quiet: bool) -> None:
        with _bar(_("passages"), quiet=quiet) as bar:
            outcome.rebuilt_passages = rebuild_index(progress=_mover(bar))

    def _print_json(self, outcome: _Outcome, seconds: float) -> None:
        recipe = current_recipe()
        check = outcome.check
        shape = {
            "clean": outcome.is_good,
            "index": outcome.where or None,
            "recipe": recipe.fingerprint,
            "embedder": recipe.embedder,
            "synced": asdict(outcome.synced) if outcome.synced else None,
            "repaired": asdict(outcome.repaired) if outcome.repaired else None,
            "rebuilt_passages": outcome.rebuilt_passages,
            "retired": list(outcome.retired),
            "check": asdict(check) if check else None,
            "error": outcome.error or None,
            "seconds": round(seconds, 3),
        }
        self.stdout.write(json.dumps(shape, ensure_ascii=False, indent=2))

    def _print(self, outcome: _Outcome, seconds: float) -> None:
        if outcome.synced is not None:
            self._print_sync(outcome.synced, outcome.repaired)
        if outcome.rebuilt_passages is not None:
            self.stdout.write(
                ngettext(
                    "%(count)d passage written anew from the database.",
                    "%(count)d passages written anew from the database.",
                    outcome.rebuilt_passages,
                )
                % {"count": outcome.rebuilt_passages}
            )
        if outcome.retired:
            self.stdout.write(
                _("Collections of earlier models removed: %(names)s") % {"names": ", ".join(outcome.retired)}
            )
        if outcome.check is not None:
            self._print_check(outcome.check, outcome.where, seconds)
        if outcome.error:
            self.stderr.write(outcome.error)

    def _print_sync(self, synced: SyncReport, repaired: RepairReport | None) -> None:
        self.stdout.write(
            _(
                "Articles brought up to date: %(articles)d (passages: %(passages)d, newly embedded: "
                "%(embedded)d)."
            )
            % asdict(synced)
        )
        if repaired is not None and not repaired.is_empty:
            self.stdout.write(
                _(
                    "Repaired: passages added: %(added)d, removed: %(removed)d, collections made anew: %(names)s"
                )
                % {
                    "added": repaired.added,
                    "removed": repaired.removed,
                    "names": ", ".join(repaired.rebuilt) or "–",
                }
            )

    def _print_check(self, check: DriftReport, where: str, seconds: float) -> None:
        rows = [
            (_("index"), where),
            (_("published articles"), check.articles_published),
            (_("stale articles"), check.articles_stale),
            (_("passages in the database"), check.passages_in_database),
            (_("passages in the index"), check.passages_in_index),
            (_("missing"), check.missing),
            (_("orphaned"), check.orphaned),
            (_("canaries that find themselves"), f"{_found(check)}/{check.canaries.checked}"),
        ]
        width = max(len(label) for label, _value in rows)
        for label, value in rows:
            self.stdout.write(f"{label.ljust(width)}  {value}")
        if check.articles_failed:
            self._print_failures(check.articles_failed)
        if check.is_clean:
            self.stdout.write(_("Index and database agree (%(seconds).1f s).") % {"seconds": seconds})
        else:
            self.stderr.write(_("Index and database differ; `manage.py sync_index` repairs what it can."))

    def _print_failures(self, count: int) -> None:
        self.stderr.write(_("Articles that cannot be indexed:"))
        failed = Article.objects.stale(current_recipe().fingerprint).exclude(index_error="").order_by("pk")
        for pk, error in failed.values_list("pk", "index_error")[:_SHOWN_FAILURES]:
            self.stderr.write(f"  {pk}: {error}")
        if count > _SHOWN_FAILURES:
            self.stderr.write(_("  … and %(hidden)d more") % {"hidden": count - _SHOWN_FAILURES})


def _found(check: DriftReport) -> int:
    return check.canaries.checked - check.canaries.failed


def _bar(description: str, *, quiet: bool) -> Any:
    # disable=None: no bar where standard error is no terminal.
    return tqdm(desc=description, unit="", disable=True if quiet else None, file=sys.stderr)


def _mover(bar: Any) -> Any:
    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show
