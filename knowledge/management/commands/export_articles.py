"""export_articles DIR: every article as a Markdown file that import_articles reads back unchanged."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from knowledge.exporting import UnusableTarget, export_to_folder


class Command(BaseCommand):
    help = (
        "Write every article, whatever its status, as Markdown with front matter into DIR, which must be empty or "
        "new, with the pictures they show. `manage.py import_articles DIR --publish` reads it back to the same "
        "content."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            count = export_to_folder(options["directory"])
        except UnusableTarget as error:
            raise CommandError(str(error), returncode=2) from error
        sentence = ngettext(
            "%(count)d article written to %(path)s.", "%(count)d articles written to %(path)s.", count
        )
        self.stdout.write(sentence % {"count": count, "path": options["directory"]})
