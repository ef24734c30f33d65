"""Builds the German half of the offline model from sentence pairs."""

import hashlib
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge.embeddings import BILINGUAL_FILES, english_folder, write_bilingual_model
from knowledge.german.building import AnotherBuild, Options, build
from knowledge.german.pairs import BadPairsFile


class Command(BaseCommand):
    help = (
        "Builds the German half of the offline model: German word pieces, word alignment, a table of input vectors "
        "mixed from the English ones, and training of that table and of adapters. PAIRS has one "
        "`source<TAB>English<TAB>German` a line, plain or .gz. An interrupted run goes on where it was. "
        "EMBEDDING_MODEL=FOLDER uses the result; like "
        "any other model it wants the confidence fitted anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        defaults = Options()
        parser.add_argument("pairs", type=Path, metavar="PAIRS")
        parser.add_argument(
            "--work", type=Path, required=True, help="Folder for what the steps leave behind."
        )
        parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="Where the model goes.")
        parser.add_argument(
            "--without", nargs="+", default=[], metavar="SOURCE", help="Leave these sources out."
        )
        parser.add_argument(
            "--epochs", type=int, default=defaults.epochs, help=f"0: do not train ({defaults.epochs})."
        )
        parser.add_argument("--seed", type=int, default=defaults.seed)
        parser.add_argument("--device", default="auto", help="cpu, cuda or auto: cuda where there is one.")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = Options(without=tuple(options["without"]), epochs=options["epochs"], seed=options["seed"])
        try:
            half = build(
                options["pairs"],
                english_folder(),
                options["work"],
                asked,
                device=options["device"],
                say=self.stdout.write,
            )
        except (BadPairsFile, AnotherBuild) as error:
            raise CommandError(str(error)) from error
        write_bilingual_model(
            options["out"], half.tokenizer, half.table, half.weights, half.layers, half.adapters
        )
        for file in (options["out"] / name for name in BILINGUAL_FILES):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            self.stdout.write(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")
        self.stdout.write((options["work"] / "sources.json").read_text())
