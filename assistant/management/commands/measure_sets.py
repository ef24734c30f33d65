"""Labelled help centers in memory: what retrieval and confidence are worth, and the signals to fit them on."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from assistant.evaluation import Articles, Report, evaluate, signals_row
from knowledge.embeddings import EmbedderUnavailable, get_embedder
from knowledge.followups import together
from knowledge.fusion import Mix, default_weights
from knowledge.fusion_fitting import BASELINES, Baseline, LabelledPool, measure
from knowledge.german.variants import with_typing_error
from knowledge.importers import UnusablePath
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions
from knowledge.measuring import (
    IndexedArticles,
    MemoryHelpCenter,
    QuestionReader,
    kept_questions,
    read_set,
)
from knowledge.models import Language
from knowledge.pools import found_by_words, pools

_QUESTIONS = "questions.jsonl"
_ACROSS, _FOLLOW_UPS = "questions_crosslingual.jsonl", "questions_followup.jsonl"


class Command(BaseCommand):
    help = (
        "Asks labelled help centers in memory, without a database. Every SET is a folder with articles.jsonl and "
        f"{_QUESTIONS} and, where there are such, {_ACROSS} (asked in one language, answered in the other) and "
        f"{_FOLLOW_UPS} (with history). Prints every baseline and the mix, also without each of its parts; with "
        "--signals also writes the rows that fit_confidence fits on. Vectors are kept in --work."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
        parser.add_argument("--work", type=Path, required=True, help="Folder for vectors and results.")
        parser.add_argument(
            "--outside", type=Path, help="Questions (JSONL) that none of the sets answers, asked of each."
        )
        parser.add_argument(
            "--signals",
            action="store_true",
            help="Also decide every question, plain and with its gold hidden.",
        )

        parser.add_argument(
            "--most", type=int, help="Questions of a kind and language at most, evenly chosen (default: all)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        work: Path = options["work"]
        work.mkdir(parents=True, exist_ok=True)
        try:
            for folder in options["sets"]:
                articles = read_set(folder, work=work)
                reader = QuestionReader(get_embedder(), kept=kept_questions(folder, work))
                self._retrieval(folder, articles, reader)
                if options["signals"]:
                    self._signals(folder, articles, reader, work, options["outside"], options["most"])
                reader.keep()
        except (EmbedderUnavailable, BadQuestionFile, UnusablePath) as error:
            raise CommandError(str(error)) from error

    def _retrieval(self, folder: Path, articles: dict[str, IndexedArticles], reader: QuestionReader) -> None:
        """The ablation: hit@1 / hit@5 / mean reciprocal rank."""
        for name, found, mix in _labelled_pools(folder, articles, reader):
            rows: dict[str, Mix | Baseline] = {
                **BASELINES,
                "ours": mix,
                "- nearest unit": replace(mix, units=0.0),
                "- neighbours": replace(mix, nearness=0.0),
                "- headings apart": replace(mix, headings=0.0),
                "- BM25": replace(mix, lexical=0.0, nearness=0.0),
            }
            self.stdout.write(self.style.MIGRATE_HEADING(f"{name}: {len(found)} questions"))
            for label, one in rows.items():
                value = measure(found, one)
                self.stdout.write(
                    f"  {label:18} {value.hit_at_1:.3f} / {value.hit_at_5:.3f} / {value.mean_reciprocal_rank:.3f}"
                )

        for language, indexed in articles.items():
            questions, _left_out = read_questions(folder / _QUESTIONS)
            asked = [one for one in questions if one.language == language and one.gold]
            slipped = [_with_slip(one) for one in asked]
            shares = (found_by_words(indexed, asked), found_by_words(indexed, slipped))
            self.stdout.write(
                f"{folder.name} {language}, BM25 alone: hit@1 {shares[0]:.3f}, a slip in each question {shares[1]:.3f}"
            )

    def _signals(
        self,
        folder: Path,
        articles: dict[str, IndexedArticles],
        reader: QuestionReader,
        work: Path,
        outside: Path | None,
        most: int | None,
    ) -> None:
        center = MemoryHelpCenter(articles.values(), reader)
        figures: dict[str, Any] = {}
        with (work / f"{folder.name}.signals").open("w", encoding="utf-8") as file:
            for kind, questions, which in _asked(folder, outside, center):
                questions = _fewer(questions, most)
                reader.learn((one.language, one.text) for one in questions)
                reader.learn(
                    (one.language, text) for one in questions if (text := together(one.text, one.history))
                )
                for hidden in (False, True) if kind != "outside" else (False,):
                    report = evaluate(questions, hide_gold=hidden, articles=which, help_center=center)
                    name = f"{kind}{' hidden' if hidden else ''}{' across' if which == 'other' else ''}"
                    figures[name] = report.figures()
                    for outcome in report.outcomes:
                        file.write(json.dumps(signals_row(outcome, folder.name, name)) + "\n")
                    self.stdout.write(f"  {name}: {_in_short(report)}")
        (work / f"{folder.name}.figures.json").write_text(
            json.dumps(figures, indent=1) + "\n", encoding="utf-8"
        )


def _with_slip(question: LabelledQuestion) -> LabelledQuestion:
    chance = random.Random(question.id)  # noqa: S311 - the same slip in every run
    return replace(question, text=with_typing_error(question.text, chance))


def _fewer(questions: Sequence[LabelledQuestion], most: int | None) -> list[LabelledQuestion]:
    kept: list[LabelledQuestion] = []
    for language in Language.values:
        own = [one for one in questions if one.language == language]
        step = max(1.0, len(own) / most) if most else 1.0
        kept += [own[int(place * step)] for place in range(int(len(own) / step))]
    return kept


def _in_short(report: Report) -> str:
    figures = report.figures()
    shown = {
        "hit@1": figures["retrieval"]["hit@1"],
        "answered": figures["answering"]["coverage"],
        "wrong": figures["answering"]["risk"],
        **figures["answers"],
        "p50 ms": figures["latency_ms"]["p50"],
    }
    return f"{figures['questions']} questions, " + ", ".join(
        f"{name} {value}" for name, value in shown.items() if value is not None
    )


def _asked(
    folder: Path, outside: Path | None, center: MemoryHelpCenter
) -> Iterator[tuple[str, list[LabelledQuestion], Articles]]:
    yield "plain", _of_languages(folder / _QUESTIONS, center), "own"
    if (folder / _FOLLOW_UPS).exists():
        asked = [one for one in _of_languages(folder / _FOLLOW_UPS, center) if one.is_question]
        yield "follow-up", asked, "own"
    if (folder / _ACROSS).exists():
        yield "plain", read_questions(folder / _ACROSS)[0], "other"
    if outside is not None:
        questions = read_questions(outside)[0]
        yield "outside", [one for one in questions if one.language in center.languages], "own"
        yield "outside", [one for one in questions if {one.language} != set(center.languages)], "other"


def _of_languages(path: Path, center: MemoryHelpCenter) -> list[LabelledQuestion]:
    questions, _left_out = read_questions(path)
    return [one for one in questions if one.language in center.languages]


def _labelled_pools(
    folder: Path, articles: dict[str, IndexedArticles], reader: QuestionReader
) -> Iterator[tuple[str, Sequence[LabelledPool], Mix]]:
    questions, _left_out = read_questions(folder / _QUESTIONS)
    across = read_questions(folder / _ACROSS)[0] if (folder / _ACROSS).exists() else []
    weights = default_weights()
    for language, indexed in articles.items():
        own = [one for one in questions if one.language == language]
        other = [one for one in across if one.language != language]
        for name, asked, is_other in (
            (f"{folder.name} {language}", own, False),
            (f"{folder.name} in {language}, asked in the other language", other, True),
        ):
            if found := pools(indexed, asked, reader=reader, corpus=name):
                yield name, found, weights.mix(language, is_other_language=is_other)
