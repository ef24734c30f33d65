"""Fits the weights that retrieval mixes its signals with, on labelled help centers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge.embeddings import EmbedderUnavailable, current_recipe, get_embedder
from knowledge.fusion import (
    DEFAULTS_FILE,
    LabelledPool,
    Measured,
    Mix,
    default_weights,
    fit,
    leave_one_corpus_out,
    measure,
)
from knowledge.importers import UnusablePath
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions
from knowledge.measuring import IndexedArticles, QuestionReader, kept_questions, pools, read_set
from knowledge.models import Language

_ARTICLES, _QUESTIONS, _ACROSS = "articles.jsonl", "questions.jsonl", "questions_crosslingual.jsonl"
_ANY_LANGUAGE = ""


class Command(BaseCommand):
    help = (
        "Fits how much each signal counts, within a language and across languages, and writes it as JSON. Every SET "
        f"is a folder with {_ARTICLES} and {_QUESTIONS} and, where questions in one language are answered by "
        f"articles in another, {_ACROSS}. Every set and language counts the same, whatever its size. Needs no database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
        parser.add_argument(
            "--languages",
            nargs="+",
            choices=Language.values,
            help="Fit only these, and across languages; the others keep their weights (default: all anew).",
        )
        parser.add_argument("--work", type=Path, help="Keep vectors in this folder, as measure_sets does.")
        parser.add_argument("--out", type=Path, default=DEFAULTS_FILE, help="Where to write the weights.")

    def handle(self, *args: Any, **options: Any) -> None:
        within: list[LabelledPool] = []
        across: list[LabelledPool] = []
        try:
            for folder in options["sets"]:
                articles = read_set(folder, work=options["work"])
                kept = kept_questions(folder, options["work"]) if options["work"] else None
                reader = QuestionReader(get_embedder(), kept=kept)
                within += _pools(folder, _QUESTIONS, articles, reader, other_language=False)
                if (folder / _ACROSS).exists():
                    across += _pools(folder, _ACROSS, articles, reader, other_language=True)
                reader.keep()
        except (EmbedderUnavailable, BadQuestionFile, UnusablePath) as error:
            raise CommandError(str(error)) from error
        if not within:
            raise CommandError("None of the questions has its gold among the articles of its language.")

        mixes = dict(default_weights().same_language) if options["languages"] else {}
        wanted = options["languages"] or [_ANY_LANGUAGE, *sorted({pool.language for pool in within})]
        mixes |= {language: fit(within, language=language) for language in wanted}
        weights: dict[str, Any] = {
            "provenance": f"manage.py fit_fusion on {', '.join(folder.name for folder in options['sets'])}: "
            f"{len(within)} questions within a language, {len(across)} across; {current_recipe().embedder}; "
            + (
                f"fitted: {', '.join(options['languages'])}, the rest kept"
                if options["languages"]
                else "all fitted"
            ),
            "same_language": {language: asdict(mix) for language, mix in mixes.items()},
        }
        for corpus, (left_out, figures) in leave_one_corpus_out(within).items():
            own = [pool for pool in within if pool.corpus == corpus]
            mix = mixes[own[0].language]
            self._report(corpus, mix, measure(own, mix), left_out, figures)
        if across:
            weights["other_language"] = asdict(mix := fit(across, language=_ANY_LANGUAGE))
            for corpus in sorted({pool.corpus for pool in across}):
                own = [pool for pool in across if pool.corpus == corpus]
                self._report(corpus, mix, measure(own, mix))
        else:
            weights["other_language"] = asdict(default_weights().other_language)
            self.stdout.write(f"No {_ACROSS}: the weights across languages stay as they are.")
        options["out"].write_text(json.dumps(weights, indent=2) + "\n", encoding="utf-8")
        self.stdout.write(f"-> {options['out']}")

    def _report(
        self,
        corpus: str,
        mix: Mix,
        figures: Measured,
        left_out: Mix | None = None,
        held_out: Measured | None = None,
    ) -> None:
        line = f"{corpus:22} {_shown(mix, figures)}  {figures.questions} questions"
        if left_out and held_out:
            line += f"; fitted on the others: {_shown(left_out, held_out)}"
        self.stdout.write(line)


def _shown(mix: Mix, figures: Measured) -> str:
    return (
        f"lexical {mix.lexical:.2f}, headings -{mix.heading_discount:.2f}: hit@1 {figures.hit_at_1:.3f}, "
        f"hit@5 {figures.hit_at_5:.3f}, MRR {figures.mean_reciprocal_rank:.3f}"
    )


def _pools(
    folder: Path,
    file: str,
    articles: dict[str, IndexedArticles],
    reader: QuestionReader,
    *,
    other_language: bool,
) -> list[LabelledPool]:
    questions, _left_out = read_questions(folder / file)
    by_language: dict[str, list[LabelledQuestion]] = {}
    for question in questions:
        by_language.setdefault(question.language, []).append(question)
    return [
        pool
        for language, asked in by_language.items()
        for article_language, indexed in articles.items()
        if (article_language != language) == other_language
        for pool in pools(
            indexed,
            asked,
            reader=reader,
            corpus=f"{folder.name} {language}" + (f" in {article_language}" if other_language else ""),
        )
    ]
