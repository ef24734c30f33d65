"""Fits the weights that retrieval mixes its signals with, on labelled help centers."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge.embeddings import EmbedderUnavailable, current_recipe, get_embedder
from knowledge.followups import LabelledFollowUp, Leaning, found_first
from knowledge.followups import fit as fit_leaning
from knowledge.fusion import DEFAULTS_FILE, FusionWeights, Mix, default_weights
from knowledge.fusion_fitting import LabelledPool, Measured, fit, leave_one_corpus_out, measure
from knowledge.importers import UnusablePath
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions
from knowledge.measuring import IndexedArticles, QuestionReader, kept_questions, read_set
from knowledge.models import Language
from knowledge.pools import follow_ups, pools

_ARTICLES, _QUESTIONS, _ACROSS = "articles.jsonl", "questions.jsonl", "questions_crosslingual.jsonl"
_FOLLOW_UPS = "questions_followup.jsonl"
_ANY_LANGUAGE = ""


class Command(BaseCommand):
    help = (
        "Fits how much each signal counts, within a language and across languages, and how much a conversation counts "
        f"in a follow-up, and writes it as JSON. Every SET is a folder with {_ARTICLES} (or articles as files) and "
        f"{_QUESTIONS} and, where "
        f"there are such, {_ACROSS} (asked in one language, answered in the other) and {_FOLLOW_UPS} (with history). "
        "Every set and language counts the same, whatever its size. Needs no database."
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
        sets: list[tuple[Path, dict[str, IndexedArticles], QuestionReader]] = []
        if options["work"]:
            options["work"].mkdir(parents=True, exist_ok=True)
        try:
            for folder in options["sets"]:
                articles = read_set(folder, work=options["work"])
                kept = kept_questions(folder, options["work"]) if options["work"] else None
                reader = QuestionReader(get_embedder(), kept=kept)
                sets.append((folder, articles, reader))
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
        for corpus, (left_out, figures) in leave_one_corpus_out(within).items():
            own = [pool for pool in within if pool.corpus == corpus]
            mix = mixes[own[0].language]
            self._report(corpus, mix, measure(own, mix), left_out, figures)
        other = default_weights().other_language
        if across:
            other = fit(across, language=_ANY_LANGUAGE)
            for corpus in sorted({pool.corpus for pool in across}):
                own = [pool for pool in across if pool.corpus == corpus]
                self._report(corpus, other, measure(own, other))
        else:
            self.stdout.write(f"No {_ACROSS}: the weights across languages stay as they are.")
        provenance = (
            f"manage.py fit_fusion on {', '.join(folder.name for folder in options['sets'])}: {len(within)} questions "
            f"within a language, {len(across)} across; {current_recipe().embedder}; "
            + (
                f"fitted: {', '.join(options['languages'])}, the rest kept"
                if options["languages"]
                else "all fitted"
            )
        )
        weights = FusionWeights(mixes, other, default_weights().follow_ups, provenance)
        weights = replace(weights, follow_ups=self._leaning(sets, weights))
        options["out"].write_text(json.dumps(asdict(weights), indent=2) + "\n", encoding="utf-8")
        self.stdout.write(f"-> {options['out']}")

    def _leaning(
        self, sets: list[tuple[Path, dict[str, IndexedArticles], QuestionReader]], weights: FusionWeights
    ) -> Leaning:
        """Fitted on all follow-ups, and reported for each set also by a fit on the others."""
        observed = [
            one for folder, articles, reader in sets for one in _follow_ups(folder, articles, reader, weights)
        ]
        try:
            leaning = fit_leaning(observed)
        except ValueError as reason:
            self.stdout.write(f"What a conversation counts stays as it is: {reason}.")
            return weights.follow_ups
        for corpus in sorted({one.corpus for one in observed}):
            own = [one for one in observed if one.corpus == corpus]
            alone, with_history = (sum(one.is_found(share) for one in own) / len(own) for share in (0.0, 1.0))
            line = (
                f"{corpus:22} {len(own)} follow-ups: hit@1 alone {alone:.3f}, with the history {with_history:.3f}, "
                f"mixed {found_first(own, leaning):.3f}"
            )
            try:
                elsewhere = fit_leaning([one for one in observed if one.corpus != corpus])
                line += f"; fitted on the others: {found_first(own, elsewhere):.3f}"
            except ValueError:
                line += "; no others to fit on"
            self.stdout.write(line)
        return leaning

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
        f"lexical {mix.lexical:.2f}, headings {mix.headings:.2f}: hit@1 {figures.hit_at_1:.3f}, "
        f"hit@5 {figures.hit_at_5:.3f}, MRR {figures.mean_reciprocal_rank:.3f}"
    )


def _follow_ups(
    folder: Path, articles: dict[str, IndexedArticles], reader: QuestionReader, weights: FusionWeights
) -> list[LabelledFollowUp]:
    questions = [
        one
        for file in (_QUESTIONS, _FOLLOW_UPS)
        if (folder / file).exists()
        for one in read_questions(folder / file)[0]
    ]
    found = [
        one
        for language, indexed in articles.items()
        for one in follow_ups(
            indexed,
            [question for question in questions if question.language == language],
            reader=reader,
            weights=weights,
            corpus=f"{folder.name} {language}",
        )
    ]
    reader.keep()
    return found


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
