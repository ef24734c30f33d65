"""What an embedding model is worth, without a database."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge.embeddings import Embedder, EmbedderUnavailable, load_embedder
from knowledge.fusion import default_weights
from knowledge.german.pairs import BadPairsFile, read_pairs
from knowledge.importers import UnusablePath
from knowledge.labelled import BadQuestionFile, read_questions
from knowledge.measuring import (
    DEMO,
    PROBE,
    QuestionReader,
    index_articles,
    measured,
    probe_accuracy,
    routing_accuracy,
    translation_accuracy,
)
from knowledge.models import Language
from knowledge.pools import pools

_SPEED_ROUNDS = 100


class Command(BaseCommand):
    help = (
        "Measures an embedding model on labelled questions, sentence pairs, the German probe, or for speed; "
        "and how well the languages of questions are told apart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--model",
            default=settings.EMBEDDING_MODEL,
            help="A value of EMBEDDING_MODEL; 'minilm' is the English half alone (%(default)s).",
        )
        parser.add_argument("--json", action="store_true")
        kinds = parser.add_subparsers(dest="kind", required=True)
        labelled = kinds.add_parser("questions", help="hit@1 and hit@5 at article level, signal by signal")
        labelled.add_argument("articles", type=Path, help="as import_articles takes it")
        labelled.add_argument("questions", type=Path, help="JSONL as evaluate takes it")
        labelled.add_argument("--language", choices=Language.values, required=True, help="of the questions")
        labelled.add_argument("--articles-language", choices=Language.values, help="default: the same")
        pairs = kinds.add_parser("pairs", help="share of texts whose translation is nearest among all")
        pairs.add_argument("pairs", type=Path)
        pairs.add_argument("--sources", nargs="+", required=True)
        routing = kinds.add_parser(
            "routing", help="share of questions whose language is told right; needs no model"
        )
        routing.add_argument("questions", type=Path, nargs="+")
        kinds.add_parser("probe", help="spellings of German questions about the demo help center")
        kinds.add_parser("speed", help="loading, and one question at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.perf_counter()
        try:
            if options["kind"] == "routing":
                figures = routing_accuracy(
                    [one for file in options["questions"] for one in read_questions(file)[0]]
                )
            else:
                embedder = load_embedder(options["model"])
                figures = _figures(embedder, time.perf_counter() - started, options)
        except (EmbedderUnavailable, BadPairsFile, BadQuestionFile, UnusablePath) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=1))
            return
        for name, values in figures.items():
            shown = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
            self.stdout.write(f"{name:24} {shown}")


def _figures(embedder: Embedder, loaded: float, options: dict[str, Any]) -> dict[str, dict[str, float]]:
    match options["kind"]:
        case "questions":
            return _questions(embedder, options)
        case "pairs":
            return dict(_pairs(embedder, options))
        case "probe":
            articles = index_articles(DEMO, language="de", embedder=embedder)
            return probe_accuracy(articles, PROBE, embedder=embedder)
        case _:
            return _speed(embedder, loaded)


def _questions(embedder: Embedder, options: dict[str, Any]) -> dict[str, dict[str, float]]:
    language = options["language"]
    articles = index_articles(
        options["articles"], language=options["articles_language"] or language, embedder=embedder
    )
    questions, _left_out = read_questions(options["questions"], language=language)
    found = pools(articles, questions, reader=QuestionReader(embedder))
    if not found:
        raise CommandError("None of the questions has its gold among these articles.")
    mix = default_weights().mix(language, is_other_language=articles.language != language)
    return {
        name: {"hit@1": value.hit_at_1, "hit@5": value.hit_at_5, "questions": value.questions}
        for name, value in measured(found, mix).items()
    }


def _pairs(embedder: Embedder, options: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    for source in options["sources"]:
        pairs = read_pairs(options["pairs"], only={source})
        yield (
            source,
            translation_accuracy(
                [pair.german for pair in pairs], [pair.english for pair in pairs], embedder=embedder
            ),
        )


def _speed(embedder: Embedder, loaded: float) -> dict[str, dict[str, float]]:
    figures = {"loading": {"seconds": loaded}}
    for language, question in (
        ("en", "How do I get my money back if I cancel before the month is over?"),
        ("de", "Wie bekomme ich mein Geld zurück, wenn ich vor dem Monatsende kündige?"),
    ):
        times = []
        for number in range(_SPEED_ROUNDS + 5):  # the first ones warm up
            started = time.perf_counter()
            embedder.encode_question(f"{question} {number}", language=language)
            times.append((time.perf_counter() - started) * 1000)
        figures[f"one question, {language}"] = {
            "p50 ms": statistics.median(times[5:]),
            "p95 ms": statistics.quantiles(times[5:], n=20)[-1],
        }
    return figures
