"""restore: makes this site what a backup says it was."""

import shutil
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from helpcenter.backup import BackupError, Restored, restore
from helpcenter.management.commands.backup import describe

_HELP = """\
Make this site what an archive of `manage.py backup` says. Stop `serve`, or web server, worker and beat, first.

The archive is verified before anything is touched. It is loaded into a new database beside the present one,
migrated to this version, and then put in its place; what was there is kept. The database may be of the other
kind than the one the backup was made from (SQLite, PostgreSQL). The index is made anew from the restored rows.
"""
_EPILOG = """\
exit code: 0 restored, 1 refused or failed and nothing was changed

examples:
  manage.py restore /srv/backups/help-2026-11-22.tar.gz
  manage.py restore --force help.tar.gz     over a site that holds something; it is set aside
  manage.py restore - < help.tar.gz         from standard input, for containers
"""


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, epilog=_EPILOG, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="an archive written by `backup`; - is standard input")
        parser.add_argument("--force", action="store_true", help="replace a site that is not empty")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["file"] == "-":
                with tempfile.TemporaryFile(dir=settings.DATA_DIR) as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                    file.seek(0)
                    restored = restore(file, force=options["force"])
            else:
                with _opened(options["file"]) as file:
                    restored = restore(file, force=options["force"])
        except BackupError as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        self._say(restored)

    def _say(self, restored: Restored) -> None:
        self.stdout.write(
            f"Restored: the site of {restored.manifest.created_at}, {describe(restored.manifest)}."
        )
        self.stdout.write(f"What was here before: {restored.old_database}, the rest in {restored.aside}.")
        if restored.key_note:
            self.stdout.write(f"Note: {restored.key_note}")
        if restored.passages is None:
            self.stderr.write(
                f"The index could not be made anew ({restored.index_error}). Questions are answered without it, "
                "more slowly. Once it can be reached, run `manage.py sync_index --rebuild`."
            )
        else:
            self.stdout.write(f"The index was made anew: {restored.passages} passages.")


def _opened(name: str) -> IO[bytes]:
    try:
        return Path(name).expanduser().open("rb")
    except OSError as error:
        raise BackupError(f"{name} cannot be read: {error.strerror}.") from error
