"""What staff have judged, as a file of labelled questions."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from assistant.labels import export_rows, site_labels


class Command(BaseCommand):
    help = (
        "Writes what staff have judged on this site as labelled questions, in the format that `evaluate` and "
        "`calibrate` read. The file holds what customers wrote: keep it as you keep the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="JSONL file to write; an existing one is replaced.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        labels = site_labels()
        try:
            # Not to be read by others on the machine, and never half a file.
            new = path.with_name(path.name + ".new")
            new.touch(mode=0o600)
            with new.open("w", encoding="utf-8") as file:
                for row in export_rows(labels):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
            new.replace(path)
        except OSError as error:
            raise CommandError(f"{path}: cannot be written ({error.strerror}).") from error
        self.stdout.write(f"{len(labels.rows)} labelled questions -> {path}")
        if labels.left_out:
            self.stdout.write(
                f"{labels.left_out} left out: the article that answers them is not public any more."
            )
