"""How fast an edit becomes answerable, how long a new index takes, and what losing the index costs."""

import http.client
import json
import secrets
import shutil
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from assistant.management.commands.benchmark import DEFAULT_QUESTIONS
from knowledge.embeddings import current_recipe
from knowledge.filler import fill_up
from knowledge.indexing import rebuild_index
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions
from knowledge.models import Article, Language, Status
from knowledge.retrieval import retrieve

_POLL_SECONDS = 0.01
_PATIENCE_SECONDS = 120.0  # for one article
_ASKING_THREADS = 4
_QUESTION_TIMEOUT_SECONDS = 60.0

_HELP = """\
Times what the index promises. Writes articles and deletes the index: use a DATA_DIR made for it.

--publishes N       publishes N articles one after the other; of each the time from before it is saved until
                    retrieval finds it in the index. Who does the work is whoever does it in this installation: this
                    process, a `serve` that runs on the same DATA_DIR, or a worker behind CELERY_BROKER_URL.
--rebuild           makes the index anew from the vectors in the database
--deletions N       removes the folder of the index N times while questions are asked over HTTP (--site), and
                    counts those that fail or end otherwise than before. Needs ABUSE_PROTECTION=0 over there.
"""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--passages", type=int, default=0, help="Fill the database up to this many first."
        )
        parser.add_argument("--publishes", type=int, default=0)
        parser.add_argument("--rebuild", action="store_true")
        parser.add_argument("--deletions", type=int, default=0)
        parser.add_argument("--pause", type=float, default=15.0, help="Seconds after each deletion.")
        parser.add_argument("--questions", type=Path, default=DEFAULT_QUESTIONS, help="Labelled questions.")
        parser.add_argument("--site", default="http://localhost:8000", help="For --deletions: whom to ask.")
        parser.add_argument(
            "--index-folder", type=Path, default=settings.INDEX_DIR, help="For --deletions: what to delete."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["passages"]:
            fill_up(options["passages"])
        if options["rebuild"]:
            self._rebuild()  # first: it shows that no model is needed
        if options["publishes"]:
            self._publish(options["publishes"])
        if options["deletions"]:
            try:
                questions, _left_out = read_questions(options["questions"])
            except BadQuestionFile as error:
                raise CommandError(str(error)) from error
            crowd = _Crowd(options["site"], questions)
            self._delete(options["deletions"], options["index_folder"], options["pause"], crowd)

    def _rebuild(self) -> None:
        started = time.perf_counter()
        passages = rebuild_index()
        seconds = time.perf_counter() - started
        model = "with the embedding model loaded" if "torch" in sys.modules else "without the embedding model"
        self.stdout.write(f"rebuild: {passages} passages in {seconds:.1f} s, {model}")

    def _publish(self, count: int) -> None:
        retrieve("warm up", language=Language.ENGLISH)
        seconds = [_seconds_until_answerable() for _n in tqdm(range(count), disable=None, unit="article")]
        p50, p95 = np.percentile(seconds, [50, 95])
        self.stdout.write(
            f"publish to answerable: {count} articles, p50 {p50:.2f} s, p95 {p95:.2f} s, slowest {max(seconds):.2f} s"
        )

    def _delete(self, count: int, folder: Path, pause_seconds: float, crowd: "_Crowd") -> None:
        crowd.ask_each_once()
        with crowd:
            for _n in range(count):
                if not folder.is_dir():
                    raise CommandError(f"There is no folder {folder} to delete.")
                shutil.rmtree(folder, ignore_errors=True)
                time.sleep(pause_seconds)
        self.stdout.write(
            f"index deleted {count} times under load: {crowd.asked} questions, {crowd.failed} failed, "
            f"{crowd.changed} ended otherwise than before, slowest {crowd.slowest_seconds:.2f} s"
        )


def _seconds_until_answerable() -> float:
    word = f"zq{secrets.token_hex(4)}"
    article = Article(
        title=f"Locker {word}",
        slug=f"locker-{word}",
        language=Language.ENGLISH,
        status=Status.PUBLISHED,
        source="benchmark",
        external_id=word,
        body=f"The locker {word} opens with the app.\n\n## Lost key\n\nFor a lost key of {word} we charge 20 euros.",
    )
    stale = Article.objects.stale(current_recipe().fingerprint)
    started = time.perf_counter()
    article.save()
    while time.perf_counter() - started < _PATIENCE_SECONDS:
        if not stale.filter(pk=article.pk).exists():
            found = retrieve(f"What does a lost key of locker {word} cost?", language=Language.ENGLISH)
            if any(passage.article_id == article.pk for passage in found.passages):
                return time.perf_counter() - started
        time.sleep(_POLL_SECONDS)
    raise CommandError(f"Article {article.pk} was not answerable after {_PATIENCE_SECONDS:.0f} s.")


@dataclass
class _Crowd:
    """Several visitors who ask the same questions again and again."""

    site: str
    questions: list[LabelledQuestion]
    asked: int = 0
    failed: int = 0  # no answer of the API at all, or an error
    changed: int = 0  # another article cited than before, or a person instead of an answer
    slowest_seconds: float = 0.0
    _before: dict[str, Any] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def ask_each_once(self) -> None:
        for question in self.questions:
            outcome, _seconds = self._ask(question)
            if outcome is None:
                raise CommandError(
                    f"{self.site} does not answer questions; is it there, without rate limits?"
                )
            self._before[question.text] = outcome

    def __enter__(self) -> None:
        for number in range(_ASKING_THREADS):
            thread = threading.Thread(target=self._keep_asking, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _keep_asking(self, number: int) -> None:
        while not self._stopped.is_set():
            question = self.questions[number % len(self.questions)]
            number += _ASKING_THREADS
            outcome, seconds = self._ask(question)
            with self._guard:
                self.asked += 1
                self.failed += outcome is None
                self.changed += outcome is not None and outcome != self._before[question.text]
                self.slowest_seconds = max(self.slowest_seconds, seconds)

    def _ask(self, question: LabelledQuestion) -> tuple[Any, float]:
        """Status and cited articles; None where there was no such thing."""
        request = urllib.request.Request(  # noqa: S310 (the operator's own site)
            f"{self.site}/api/v1/questions/",
            data=json.dumps({"question": question.text, "language": question.language}).encode(),
            headers={"Content-Type": "application/json"},
        )
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=_QUESTION_TIMEOUT_SECONDS) as response:  # noqa: S310
                body = json.load(response)
        except (OSError, http.client.HTTPException, ValueError):  # refusals of urllib are OSErrors
            return None, time.perf_counter() - started
        cited = [citation["article_id"] for citation in body.get("citations") or []]
        return (body["status"], cited), time.perf_counter() - started
