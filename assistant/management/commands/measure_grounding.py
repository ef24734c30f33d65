"""What the check of generated sentences is worth, on labelled sets; no database, no language model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assistant.grounding.check import Thresholds
from assistant.grounding.meaning import EmbeddedMeaning
from assistant.grounding.measuring import (
    ACROSS,
    Judged,
    ModelNotHeard,
    Row,
    cases_of,
    chosen,
    chosen_entailment,
    judged,
    pair_cases,
    rows_of,
)
from assistant.grounding.thresholds import OTHER_LANGUAGE, SAME_LANGUAGE


class Command(BaseCommand):
    help = (
        "Takes true sentences from the articles of labelled sets (folders with articles.jsonl), rewords some and makes "
        "others false by rule, and says how many of each the grounding check drops. Thresholds are chosen on all sets "
        "but the one that is reported; for German sentences under English quotes on --pairs. Where GROUNDING_MODEL is "
        "set, also what it adds. Prints Markdown."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
        parser.add_argument("--pairs", type=Path, help="Sentence pairs (gzipped TSV: English, German).")
        parser.add_argument(
            "--most",
            type=int,
            default=30,
            help="Sentences of a kind, set and language at most (default: 30).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folders: list[Path] = options["sets"]
        missing = [str(one) for one in folders if not (one / "articles.jsonl").is_file()]
        if missing or len(folders) < 2:
            raise CommandError(
                f"No articles.jsonl in {', '.join(missing)}." if missing else "Two sets at least."
            )
        meaning = EmbeddedMeaning()
        try:
            by_set = {one.name: judged(cases_of(one, most=options["most"]), meaning) for one in folders}
        except ModelNotHeard as error:
            raise CommandError(f"GROUNDING_MODEL={error} was not heard; the log says why.") from error
        same = {name: [one for one in found if not _is_across(one)] for name, found in by_set.items()}
        across = [one for found in by_set.values() for one in found if _is_across(one)]
        left_out: list[tuple[Judged, Thresholds]] = []
        for name, found in same.items():
            thresholds = chosen([one for other, each in same.items() if other != name for one in each])
            left_out.extend((one, thresholds) for one in found)
            self._say_total(f"{name} (thresholds of the others: {_named(thresholds)})", found, thresholds)
        self._say_rows("The quote's language, each set with thresholds of the others", left_out)
        everything = [one for found in same.values() for one in found]
        self._say(f"\nChosen on all sets: {_named(chosen(everything))}; in force: {_named(SAME_LANGUAGE)}")
        self._say_rows("The same with the thresholds in force", [(one, SAME_LANGUAGE) for one in everything])
        if settings.GROUNDING_MODEL:
            self._compare(same)
        if across:
            thresholds = OTHER_LANGUAGE
            if options["pairs"]:
                thresholds = chosen(judged(pair_cases(options["pairs"], most=10 * options["most"]), meaning))
                self._say(f"\nChosen on pairs: {_named(thresholds)}; in force: {_named(OTHER_LANGUAGE)}")
            self._say_rows("German sentences under English quotes", [(one, thresholds) for one in across])

    def _compare(self, by_set: Mapping[str, Sequence[Judged]]) -> None:
        """With the thresholds in force: alone, with the cross-encoder, and with it in the place of nearness."""
        least = settings.GROUNDING_ENTAILMENT
        everything = [one for found in by_set.values() for one in found]
        self._say(
            f"\n### With {settings.GROUNDING_MODEL}, entailment {least} at least\n\n"
            "| sentences | | number | without | with it | rules and it alone |\n|---|---|---|---|---|---|"
        )
        kinds = sorted({(not one.case.is_true, one.case.kind) for one in everything})
        for is_false, kind in kinds:
            some = [one for one in everything if one.case.kind == kind and one.case.is_true is not is_false]
            self._say_compared(kind, some, least)
        for is_true in (True, False):
            name = "**all true**" if is_true else "**all false**"
            self._say_compared(name, [one for one in everything if one.case.is_true is is_true], least)
        for name in by_set:
            others = [one for other, each in by_set.items() if other != name for one in each]
            self._say(
                f"\n{name}: chosen on the others, entailment {chosen_entailment(others, SAME_LANGUAGE)}"
            )
        self._say(f"\nChosen on all: entailment {chosen_entailment(everything, SAME_LANGUAGE)}")

    def _say_compared(self, kind: str, found: Sequence[Judged], least: float) -> None:
        with_it = replace(SAME_LANGUAGE, entailment=least)
        counts = (
            sum(one.is_dropped(SAME_LANGUAGE) for one in found),
            sum(one.is_dropped(with_it) for one in found),
            sum(one.breaks_a_rule or one.is_denied(with_it) for one in found),
        )
        shares = " | ".join(f"{count / len(found):.1%}" for count in counts)
        side = "true" if found[0].case.is_true else "false"
        self._say(f"| {kind} | {side} | {len(found)} | {shares} |")

    def _say_total(self, name: str, found: Sequence[Judged], thresholds: Thresholds) -> None:
        rows = rows_of(found, thresholds)
        true, false = _sum("true", True, rows), _sum("false", False, rows)
        self._say(f"{name}: {false.share:.1%} of {false.sentences} false ones dropped, ", ending="")
        self._say(f"{true.share:.1%} of {true.sentences} true ones")

    def _say_rows(self, title: str, found: Sequence[tuple[Judged, Thresholds]]) -> None:
        by_thresholds: dict[Thresholds, list[Judged]] = {}
        for one, thresholds in found:
            by_thresholds.setdefault(thresholds, []).append(one)
        counted: dict[tuple[bool, str], Row] = {}
        for thresholds, some in by_thresholds.items():
            for row in rows_of(some, thresholds):
                known = counted.get((not row.is_true, row.kind), Row(row.kind, row.is_true, 0, 0))
                counted[not row.is_true, row.kind] = _sum(row.kind, row.is_true, [known, row])
        rows = [counted[key] for key in sorted(counted)]
        true, false = _sum("**all true**", True, rows), _sum("**all false**", False, rows)
        dropped = true.dropped + false.dropped
        self._say(f"\n### {title}\n\n| sentences | | number | dropped |\n|---|---|---|---|")
        for row in [
            *(one for one in rows if one.is_true),
            true,
            *(one for one in rows if not one.is_true),
            false,
        ]:
            self._say(
                f"| {row.kind} | {'true' if row.is_true else 'false'} | {row.sentences} | {row.share:.1%} |"
            )
        self._say(
            f"\nPrecision {false.dropped / dropped if dropped else 0:.3f}, recall {false.share:.3f}, ",
            ending="",
        )
        self._say(f"wrongly dropped {true.share:.1%}")

    def _say(self, text: str, ending: str = "\n") -> None:
        self.stdout.write(text, ending=ending)


def _is_across(one: Judged) -> bool:
    return one.case.kind.startswith(ACROSS)


def _sum(kind: str, is_true: bool, rows: Sequence[Row]) -> Row:
    own = [one for one in rows if one.is_true == is_true]
    return Row(kind, is_true, sum(one.sentences for one in own), sum(one.dropped for one in own))


def _named(thresholds: Thresholds) -> str:
    return (
        f"cosine {thresholds.cosine}, clause coverage {thresholds.clause_coverage}, "
        f"clause cosine {thresholds.clause_cosine}, word cosine {thresholds.word_cosine}"
    )
