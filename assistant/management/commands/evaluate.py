"""Labelled questions against the articles in the database."""

import json
from pathlib import Path
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from assistant.evaluation import Articles, Report, evaluate, signals_row
from assistant.quality.records import store_run
from assistant.quality.report import as_html
from knowledge.labelled import BadQuestionFile, read_questions
from knowledge.models import Language


class Command(BaseCommand):
    help = (
        "Runs labelled questions (JSONL: id, question, language, article_ids, history) through the assistant "
        "and reports retrieval, coverage, risk and calibration at article level. Gold articles are matched by "
        "external id. Stores nothing without --store. Questions marked doubtful are left out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("questions", type=Path, help="JSONL file of labelled questions.")
        parser.add_argument("--language", choices=Language.values, help="Only questions in this language.")
        parser.add_argument(
            "--hide-gold",
            action="store_true",
            help="Hide each question's gold articles: then the right thing is to decline.",
        )
        parser.add_argument(
            "--articles",
            choices=get_args(Articles),
            default="all",
            help="Which may answer: those in the question's own language, in the other one, or all (all).",
        )
        parser.add_argument("--json", action="store_true", help="Print the figures as JSON.")
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE",
            help="Also write the figures as one HTML file that needs nothing else: risk and coverage, reliability, "
            "retrieval by language and category.",
        )
        parser.add_argument(
            "--store",
            action="store_true",
            help="Also keep the run, each question with its outcome, for the quality page in the admin.",
        )
        parser.add_argument(
            "--signals-out",
            type=Path,
            metavar="FILE",
            help="Also write each question's confidence signals and label as JSONL, for fit_confidence.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            questions, left_out = read_questions(options["questions"], language=options["language"])
        except BadQuestionFile as error:
            raise CommandError(str(error)) from error
        if not questions:
            raise CommandError(f"{options['questions']}: no question is left to run.")
        report = evaluate(
            questions,
            hide_gold=options["hide_gold"],
            articles=options["articles"],
            progress=lambda items: tqdm(items, desc="questions", unit="q", disable=None),
        )
        report.left_out = left_out
        gold_wanted = any(one.gold for one in questions) and not options["hide_gold"]
        if gold_wanted and all(not one.is_answerable for one in report.outcomes):
            raise CommandError(
                "None of the gold articles is in the database: import the articles that belong to these "
                "questions first (they are matched by external id)."
            )
        if options["signals_out"]:
            with options["signals_out"].open("w", encoding="utf-8") as file:
                for outcome in report.outcomes:
                    file.write(json.dumps(signals_row(outcome, options["questions"].parent.name)) + "\n")
        figures = report.figures()
        name = "/".join(options["questions"].resolve().parts[-2:])
        if options["report"]:
            self._write_report(options["report"], report, name, options)
        if options["store"]:
            store_run(
                report.outcomes,
                name=name,
                articles=options["articles"],
                hide_gold=options["hide_gold"],
                figures=figures,
            )
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2))
        else:
            self._print(figures)

    def _write_report(self, path: Path, report: Report, name: str, options: dict[str, Any]) -> None:
        try:
            path.write_text(
                as_html(report, name=name, articles=options["articles"], is_gold_hidden=options["hide_gold"]),
                encoding="utf-8",
            )
        except OSError as error:
            raise CommandError(f"{path}: cannot be written ({error.strerror}).") from error

    def _print(self, figures: dict[str, Any]) -> None:
        groups = {"all": figures, **figures["by_language"]}
        for name, group in groups.items():
            self.stdout.write(
                self.style.MIGRATE_HEADING(
                    f"{name}: {group['questions']} questions, {group['answerable']} answerable"
                )
            )
            for part in ("retrieval", "answering", "answers", "confidence", "latency_ms"):
                shown = ", ".join(
                    f"{key} {'–' if value is None else value}" for key, value in group[part].items()
                )
                self.stdout.write(f"  {part}: {shown}")
        for key in ("left_out", "unmatched_gold"):
            if figures[key]:
                self.stdout.write(f"{key}: {figures[key]}")
