"""What one warm question costs, at a given number of passages."""

import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from assistant.asking import Inquiry, decide
from knowledge import generations
from knowledge.filler import fill_up
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions
from knowledge.models import Passage
from knowledge.retrieval import retrieve
from knowledge.suggesting import suggest

DEFAULT_QUESTIONS = settings.BASE_DIR / "knowledge" / "demo" / "questions.jsonl"


class Command(BaseCommand):
    help = (
        "Times warm questions inside this process and prints p50 and p95 in milliseconds: the suggestions for what is "
        "half typed, embedding, retrieval, and the whole decision with confidence and written answer. --passages "
        "fills the database up with shuffled copies of its own articles first: use a DATA_DIR made for it (`make "
        "bench` does)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--questions", type=Path, default=DEFAULT_QUESTIONS, help="Labelled questions.")
        parser.add_argument("--passages", type=int, default=0, help="Fill the database up to this many.")
        parser.add_argument("--rounds", type=int, default=3, help="How often each question is asked.")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            questions, _left_out = read_questions(options["questions"])
        except BadQuestionFile as error:
            raise CommandError(str(error)) from error
        if options["passages"]:
            fill_up(options["passages"])
        if not Passage.objects.exists():
            raise CommandError("There are no passages: import and index articles first.")
        for question in questions[:10]:
            _decide(question)
            suggest(_half(question.text), language=question.language)
        parts: dict[str, list[float]] = {"suggestion": [], "embedding": [], "retrieval": [], "decision": []}
        embedder = generations.embedder_of(generations.in_service())
        for question in tqdm(questions * options["rounds"], disable=options["json"] or None, unit="q"):
            calls: dict[str, Callable[[], object]] = {
                "suggestion": partial(suggest, _half(question.text), language=question.language),
                "embedding": partial(embedder.encode_question, question.text, language=question.language),
                "retrieval": partial(retrieve, question.text, language=question.language),
                "decision": partial(_decide, question),
            }
            for name, call in calls.items():
                embedder.forget_questions()
                started = time.perf_counter()
                call()
                parts[name].append((time.perf_counter() - started) * 1000)
        times = {
            name: {
                "p50": round(float(np.percentile(taken, 50)), 1),
                "p95": round(float(np.percentile(taken, 95)), 1),
            }
            for name, taken in parts.items()
        }
        passages = Passage.objects.count()
        if options["json"]:
            figures = {
                "passages": passages,
                "questions": len(parts["decision"]),
                "cpu_count": os.cpu_count(),
                "python": platform.python_version(),
                "ms": times,
            }
            self.stdout.write(json.dumps(figures, indent=2))
            return
        self.stdout.write(
            f"{passages} passages, {len(parts['decision'])} warm questions, {os.cpu_count()} cores"
        )
        for name, entry in times.items():
            self.stdout.write(f"  {name:<11} p50 {entry['p50']:>7.1f} ms   p95 {entry['p95']:>7.1f} ms")


def _half(text: str) -> str:
    """As somebody has it in the box while still typing."""
    return text[: max(2, len(text) // 2)]


def _decide(question: LabelledQuestion) -> None:
    decide(Inquiry(text=question.text, language=question.language, history=question.history))
