"""How long an editor waits for "What would this change?"."""

import copy
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from assistant.asking import Inquiry
from assistant.management.commands.benchmark import DEFAULT_QUESTIONS
from assistant.models import Channel, Conversation, Question, QuestionStatus
from assistant.question_vectors import load, wordings_of
from assistant.replays import Difference
from assistant.whatif.questions import PastQuestion
from assistant.whatif.running import compared
from knowledge.filler import fill_up
from knowledge.labelled import BadQuestionFile, read_questions
from knowledge.models import Article, Passage
from knowledge.trial import Change, Trial

_ADDED = "This holds since this year."


class Command(BaseCommand):
    help = (
        "Times a replay of past questions, as publishing another text for the longest article would cause it: with "
        "their vectors still to be computed, and with the vectors kept. Stores questions: use a DATA_DIR made for it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--questions", type=Path, default=DEFAULT_QUESTIONS, help="Labelled questions.")
        parser.add_argument(
            "--count", type=int, default=1000, help="Past questions; those of the file repeat."
        )
        parser.add_argument(
            "--passages", type=int, default=0, help="Fill the database up to this many first."
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            labelled, _left_out = read_questions(options["questions"])
        except BadQuestionFile as error:
            raise CommandError(str(error)) from error
        if options["passages"]:
            fill_up(options["passages"])
        published = Article.objects.published().visible_to(None).exclude(source="filler")
        article = max(published, key=lambda one: len(one.body), default=None)
        if article is None:
            raise CommandError("There is no published article: import and index articles first.")
        changed = copy.copy(article)
        # Every passage of it is another one.
        changed.body = article.body.replace("\n\n", f"\n\n{_ADDED} ")
        conversation = Conversation.objects.create()
        stored = Question.objects.bulk_create(
            Question(
                conversation=conversation,
                text=one.text,
                language=one.language,
                channel=Channel.CLI,
                status=QuestionStatus.ESCALATED,
            )
            for one in islice(cycle(labelled), options["count"])
        )
        questions = [
            PastQuestion(row.pk, Inquiry(text=one.text, language=one.language, history=one.history))
            for row, one in zip(stored, cycle(labelled), strict=False)
        ]
        wanted = [one for past in questions for one in wordings_of(past.inquiry, past.question_id)]
        times: dict[str, dict[str, float]] = {}
        with _timed(times, "vectors, computed"):
            load(wanted)
        with _timed(times, "vectors, kept"):
            vectors = load(wanted)
        with _timed(times, "text to be published"):
            trial = Trial(Change((changed,)), vectors)
        with _timed(times, "comparison"):
            shown = tqdm(
                compared(questions, trial), total=len(questions), disable=options["json"] or None, unit="q"
            )
            kinds = [one.kind for one in shown]
        figures = {
            "passages": Passage.objects.count(),
            "questions": len(questions),
            "different": sum(kind != Difference.SAME for kind in kinds),
            "cpu_count": os.cpu_count(),
            "seconds": times,
        }
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2))
            return
        self.stdout.write(
            f"{figures['passages']} passages, {figures['questions']} questions, {figures['different']} different, "
            f"{figures['cpu_count']} cores"
        )
        for name, taken in times.items():
            self.stdout.write(
                f"  {name:<21} {taken['clock']:>7.1f} s, {taken['processor']:>7.1f} s of processor time"
            )


@contextmanager
def _timed(times: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    """By the clock, and without what other programs took meanwhile."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    times[name] = {
        "clock": round(time.perf_counter() - clock, 2),
        "processor": round(time.process_time() - processor, 2),
    }
