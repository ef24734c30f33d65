"""sync_index: brings the vector index to the database, or says where the two differ.

Promise: the exit code is 0 only when every published article is answerable from the index, and where something was
to be done, only when the index is the one that the settings ask for; no article is changed.
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

from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable
from knowledge.indexing import (
    DriftReport,
    RepairReport,
    SyncReport,
    check_index,
    drop_unknown_collections,
    rebuild_index,
    remove_retired,
    repair_index,
    sync_stale,
)
from knowledge.models import Article, Generation
from knowledge.vectors import VectorStoreUnavailable, get_store

_SHOWN_FAILURES = 20
_PATIENCE_SECONDS = 120.0  # with a repair that is under way

_HELP = """\
Bring the vector index to what the database says.

Without options: splits and embeds articles that changed since they were indexed, gives the index what it
lost, and takes away what belongs nowhere. Where the settings ask for another embedding model than the index was
made with, builds the new one beside it, which takes its place when it is complete; an index that was replaced is
removed ten minutes later (RETIRED_INDEX_SECONDS). While `serve` runs, its process does the embedding and this command
watches it. Running it twice changes nothing.
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
    building: Generation | None = None
    is_unfinished: bool = False  # there was time to finish it
    error: str = ""

    @property
    def is_good(self) -> bool:
        is_clean = self.check is not None and self.check.is_clean
        return is_clean and not self.error and not self.is_unfinished


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
            outcome.building = generations.building()
            outcome.is_unfinished = outcome.synced is not None and outcome.building is not None
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
            try:
                outcome.synced = sync_stale(progress=_mover(bar))
            except VectorStoreUnavailable:
                # Damaged files keep every edit out; of another outage the repair says the same.
                repair_index(patience_seconds=_PATIENCE_SECONDS)
                outcome.synced = sync_stale(progress=_mover(bar))
        outcome.repaired = repair_index(patience_seconds=_PATIENCE_SECONDS)
        outcome.retired = remove_retired() + drop_unknown_collections()

    def _rebuild(self, outcome: _Outcome, *, quiet: bool) -> None:
        with _bar(_("passages"), quiet=quiet) as bar:
            outcome.rebuilt_passages = rebuild_index(progress=_mover(bar))

    def _print_json(self, outcome: _Outcome, seconds: float) -> None:
        live, check = generations.live(), outcome.check
        shape = {
            "clean": outcome.is_good,
            "index": outcome.where or None,
            "recipe": live.recipe if live else None,
            "embedder": live.embedder if live else None,
            "building": self._building_as_json(outcome.building),
            "synced": asdict(outcome.synced) if outcome.synced else None,
            "repaired": asdict(outcome.repaired) if outcome.repaired else None,
            "rebuilt_passages": outcome.rebuilt_passages,
            "retired": list(outcome.retired),
            "check": asdict(check) if check else None,
            "error": outcome.error or None,
            "seconds": round(seconds, 3),
        }
        self.stdout.write(json.dumps(shape, ensure_ascii=False, indent=2))

    def _building_as_json(self, generation: Generation | None) -> dict[str, Any] | None:
        if generation is None:
            return None
        return {
            "recipe": generation.recipe,
            "embedder": generation.embedder,
            "articles": asdict(generations.progress_of(generation)),
            "problem": generation.problem or None,
        }

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
        if outcome.building is not None:
            self._print_building(outcome.building)
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
            self._print_failures(generations.live_recipe())
        if check.is_clean:
            self.stdout.write(_("Index and database agree (%(seconds).1f s).") % {"seconds": seconds})
        else:
            self.stderr.write(_("Index and database differ; `manage.py sync_index` repairs what it can."))

    def _print_building(self, generation: Generation) -> None:
        known = generations.progress_of(generation)
        self.stdout.write(
            _("A new index is being built with %(model)s: %(done)d of %(total)d articles.")
            % {"model": generation.embedder, "done": known.done, "total": known.total}
        )
        if generation.problem:
            self.stderr.write(_("It does not get on: %(problem)s") % {"problem": generation.problem})
        if known.given_up:
            self._print_failures(generation.recipe)

    def _print_failures(self, recipe: str) -> None:
        self.stderr.write(_("Articles that cannot be indexed:"))
        failed = Article.objects.stale(recipe).exclude(index_error="").order_by("pk")
        for pk, error in failed.values_list("pk", "index_error")[:_SHOWN_FAILURES]:
            self.stderr.write(f"  {pk}: {error}")
        hidden = failed.count() - _SHOWN_FAILURES
        if hidden > 0:
            self.stderr.write(_("  … and %(hidden)d more") % {"hidden": hidden})


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
