"""Builds the word table by which word search crosses languages, from sentence pairs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge.dictionary import DICTIONARY_FILE, write_dictionary
from knowledge.german.dictionary import learn
from knowledge.german.pairs import BadPairsFile, read_pairs

_MEASURED_ONLY = ("ntrex", "flores_devtest")


class Command(BaseCommand):
    help = (
        "Learns which German word stands for which English one. PAIRS has one `source<TAB>English<TAB>German` a line, "
        "plain or .gz. Takes about two minutes for 290 000 pairs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pairs", type=Path, metavar="PAIRS")
        parser.add_argument(
            "--without",
            nargs="*",
            default=list(_MEASURED_ONLY),
            metavar="SOURCE",
            help=f"Leave these sources out ({' '.join(_MEASURED_ONLY)}).",
        )
        parser.add_argument("--out", type=Path, default=DICTIONARY_FILE, help="Where the table goes.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pairs = read_pairs(options["pairs"], without=options["without"])
        except BadPairsFile as error:
            raise CommandError(str(error)) from error
        tables = learn(pairs)
        write_dictionary(options["out"], tables)
        sizes = ", ".join(f"{len(table)} from {language}" for language, table in tables.items())
        self.stdout.write(f"{len(pairs)} pairs, terms: {sizes} -> {options['out']}")
