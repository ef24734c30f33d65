"""backup: everything that cannot be made anew, in one file."""

import os
import shutil
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from helpcenter.backup import BackupError, Manifest, create, unfinished

_HELP = """\
Write one archive of this site: all rows of the database (articles, their vectors, questions, answers, tickets,
accounts), uploaded files, and the secret key if this site made its own. The site goes on working meanwhile.

Not in it: the index, which is made anew from the rows; settings (environment, .env); e-mails written to files.
Keep the archive safe: it holds everything that customers wrote. Its mode is 0600.
"""
_EPILOG = """\
exit code: 0 the archive is complete, 1 it could not be made and no file was left

examples:
  manage.py backup /srv/backups/help-$(date +%F).tar.gz
  manage.py backup - > help.tar.gz          to standard output, for containers
"""


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, epilog=_EPILOG, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="where to write; - is standard output. An existing file is refused.")

    def handle(self, *args: Any, **options: Any) -> None:
        to_stdout = options["file"] == "-"
        target = Path(options["file"]).expanduser()
        if not to_stdout and target.exists():
            raise CommandError(f"{target} exists; a backup never replaces another one.")
        # Made beside its final place and renamed when complete: a file of that name is a whole backup.
        folder = settings.DATA_DIR if to_stdout else target.parent
        try:
            with unfinished.file(folder, unfinished.BACKUP) as (path, file):
                manifest = create(file)
                file.flush()
                os.fsync(file.fileno())
                size = path.stat().st_size
                if to_stdout:
                    with path.open("rb") as whole:
                        shutil.copyfileobj(whole, sys.stdout.buffer)
                        sys.stdout.buffer.flush()
                else:
                    path.rename(target)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror or error}.") from error
        told = self.stderr if to_stdout else self.stdout
        told.write(
            f"{'Standard output' if to_stdout else target}: {size / 1e6:.1f} MB, "
            f"{sum(manifest.rows.values())} rows of {len(manifest.rows)} tables, {describe(manifest)}."
        )


def describe(manifest: Manifest) -> str:
    """What a person would look for in it."""
    named = {
        "articles": "knowledge.article",
        "questions": "assistant.question",
        "tickets": "assistant.ticket",
    }
    counts = [f"{manifest.rows.get(label, 0)} {name}" for name, label in named.items()]
    media = sum(part.name.startswith("media/") for part in manifest.parts)
    return ", ".join([*counts, f"{media} uploaded files"])
