"""undo_import RUN: take back everything that an import wrote."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from knowledge.importers.runs import NotUndoable, undo_import
from knowledge.models import ImportRun


class Command(BaseCommand):
    help = (
        "Take back what an import wrote: articles that it made are deleted, articles that it changed get their "
        "earlier text back. Articles that were edited since stay as they are and are named; the exit code is then "
        "1. Without RUN, the imports that can be undone are listed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", metavar="RUN", type=int, nargs="?", help="the number of the import")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["run"] is None:
            self._list()
            return
        run = ImportRun.objects.filter(pk=options["run"]).first()
        if run is None:
            raise CommandError(_("There is no import %(run)d.") % {"run": options["run"]}, returncode=2)
        try:
            report = undo_import(run)
        except NotUndoable as error:
            raise CommandError(str(error), returncode=2) from error
        for title, reason in report.kept:
            self.stderr.write(f"  {title}: {reason}")
        sentence = _("%(deleted)d deleted, %(restored)d restored, %(kept)d left as they are.")
        self.stdout.write(
            sentence % {"deleted": report.deleted, "restored": report.restored, "kept": len(report.kept)}
        )
        if report.kept:
            sys.exit(1)

    def _list(self) -> None:
        for run in ImportRun.objects.exclude(changes=None)[:50]:
            counts = f"{run.report.get('created', '?')} + {run.report.get('updated', '?')}"
            self.stdout.write(
                f"{run.pk:>5}  {run.started_at:%Y-%m-%d %H:%M}  {counts:>11}  {run.get_state_display()}  {run}"
            )
