"""How long somebody waits for an answer that a model writes. `make bench-generated`; docs/grounding.md has the table.

Asks as the page does, in this process and one after the other, with a model that speaks at a set pace (`ChatServer`)
and says sentences of the first passage. Then each behaviour of the tests, once streamed and once not, and each one at
follow-ups before an answer that never comes: what the customer gets, and after how long.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpcenter.settings")
django.setup()

import numpy as np  # noqa: E402
from django.conf import settings  # noqa: E402

from assistant import progress  # noqa: E402
from assistant.models import Conversation, ModelReply, Question  # noqa: E402
from assistant.services import ask_question, store_question  # noqa: E402
from assistant.writers import forget_writers  # noqa: E402
from knowledge.indexing import sync_article  # noqa: E402
from knowledge.labelled import LabelledQuestion, read_questions  # noqa: E402
from knowledge.models import Article, Audience, Status  # noqa: E402
from knowledge.sentences import split_sentences  # noqa: E402
from tests import test_generated_answers as generated  # noqa: E402
from tests import test_rewritten_questions as rewritten  # noqa: E402
from tests.chat_server import Asked, Behaviour, ChatServer, Said, sentences  # noqa: E402

QUESTIONS = settings.BASE_DIR / "knowledge" / "demo" / "questions.jsonl"
_MODEL = "openai:some-model"
_MOST_QUESTIONS = 40
_PIECE = 4  # characters: about a token
_SENTENCES = 3
_PATIENCE_SECONDS = 20.0
PROMISED_SECONDS = 10.0


@dataclass(frozen=True)
class Pace:
    name: str
    first_seconds: float  # until it says anything
    tokens_a_second: float


PACES = [Pace("fast", 0.3, 100), Pace("usual", 0.8, 50), Pace("slow", 2.0, 25), Pace("too slow", 9.0, 50)]


@dataclass(frozen=True)
class Wait:
    first_seconds: float | None  # until a sentence was told; None: none was
    whole_seconds: float
    outcome: str  # writer of the answer, or "ticket"


def main() -> int:
    questions = [one for one in read_questions(QUESTIONS)[0] if one.gold and not one.history]
    with ChatServer() as server:
        settings.WRITER_BASE_URL, settings.WRITER_API_KEY = server.url, "key"
        settings.WRITER_TOKENS_PER_DAY = 0
        _warm_up(server, questions)
        settings.ANSWER_WRITER = "extractive"
        quoted = [(one, wait) for one in questions if (wait := _waited(one)).outcome == "quoted"]
        quoted = quoted[:_MOST_QUESTIONS]  # the others go to a person, whoever writes
        print(f"{len(quoted)} questions, {os.cpu_count()} cores; seconds, p50 / p95")
        print("| model | first sentence | whole answer | written by it, quoted, tickets |")
        print("|---|---|---|---|")
        _print_pace("none: quoted", [wait for _question, wait in quoted])
        settings.ANSWER_WRITER = _MODEL
        for pace in PACES:
            forget_writers()
            ModelReply.objects.all().delete()
            server.behaviour = _at(pace)
            name = f"{pace.name}: {pace.first_seconds} s, then {pace.tokens_a_second:g} tokens/s"
            count = 5 if pace.first_seconds > settings.WRITER_SECONDS else _MOST_QUESTIONS
            waits = []
            for one, _wait in quoted[:count]:
                if pace.first_seconds > settings.WRITER_SECONDS:
                    forget_writers()  # its breaker would answer the next ones at once
                waits.append(_waited(one))
            _print_pace(name, waits)
        slowest = max(_behaviours(server), _follow_ups(server))
    print(f"slowest of all: {slowest:.1f} s of {PROMISED_SECONDS:g}")
    return 0 if slowest <= PROMISED_SECONDS else 1


def _warm_up(server: ChatServer, questions: list[LabelledQuestion]) -> None:
    _add("Pause your subscription", f"{generated.COST} {generated.TWICE} {generated.STUDENTS}")
    settings.ANSWER_WRITER = _MODEL
    server.behaviour = _at(Pace("", 0.0, 1000))
    for one in questions[-5:]:
        _waited(one)


def _add(title: str, body: str) -> None:
    """What the behaviours of the tests are about."""
    article = Article.objects.create(
        title=title, body=body, slug="speed", language="en", status=Status.PUBLISHED, audience=Audience.PUBLIC
    )
    sync_article(article.pk)


def _at(pace: Pace) -> Behaviour:
    def speak(asked: Asked) -> Said:
        passage = asked.passages[0]
        text = passage["text"]
        said = [text[start:end] for start, end in split_sentences(text)][:_SENTENCES]
        return Said(
            sentences(*((one, passage["number"], one) for one in said)),
            wait_seconds=pace.first_seconds,
            piece_seconds=1 / pace.tokens_a_second,
            piece_characters=_PIECE,
        )

    return speak


def _waited(question: LabelledQuestion) -> Wait:
    return _followed(lambda: store_question(text=question.text, language=question.language))


def _streamed(text: str, conversation: Conversation | None = None) -> Wait:
    return _followed(lambda: store_question(text=text, conversation=conversation))


def _followed(store: Callable[[], Question]) -> Wait:
    """As a page with scripts waits."""
    started = time.monotonic()
    question = store()
    progress.begin(question)
    first: float | None = None
    for event in progress.follow(question, seconds=_PATIENCE_SECONDS):
        if event.kind == progress.Kind.SENTENCE and first is None:
            first = time.monotonic() - started
    return Wait(first, time.monotonic() - started, _outcome(question))


def _asked(text: str) -> Wait:
    """As everything else waits."""
    started = time.monotonic()
    question = ask_question(text=text)
    return Wait(None, time.monotonic() - started, _outcome(question))


def _outcome(question: Question) -> str:
    settled = Question.objects.select_related("answer").get(pk=question.pk)
    if hasattr(settled, "answer"):
        return "quoted" if settled.answer.writer == "extractive" else "written"
    return "ticket" if settled.status == "escalated" else "nothing"


def _print_pace(name: str, waits: list[Wait]) -> None:
    outcomes = Counter(one.outcome for one in waits)
    firsts = [one.first_seconds for one in waits if one.first_seconds is not None]
    counts = ", ".join(str(outcomes[one]) for one in ("written", "quoted", "ticket"))
    print(
        f"| {name} | {_times(firsts)} | {_times([one.whole_seconds for one in waits])} | {counts} |",
        flush=True,
    )


def _times(seconds: list[float]) -> str:
    return " / ".join(f"{np.percentile(seconds, share):.2f}" for share in (50, 95)) if seconds else "–"


def _behaviours(server: ChatServer) -> float:
    """Seconds of the slowest. Each meets a breaker that is closed."""
    print("\n| behaviour of the server | streamed: seconds, outcome | not streamed |\n|---|---|---|")
    slowest = 0.0
    for case in generated.CASES:
        waits = []
        for ask in (_streamed, _asked):
            forget_writers()
            ModelReply.objects.all().delete()
            server.behaviour = case.behaviour
            waits.append(ask(generated.QUESTION))
        slowest = max(slowest, _print_case(case.name, waits))
    return slowest


def _follow_ups(server: ChatServer) -> float:
    """The same; the worst that can happen to one question."""
    print("\n| behaviour at a follow-up, then silence | seconds, outcome |\n|---|---|")
    slowest = 0.0
    for case in rewritten.CASES:
        forget_writers()
        ModelReply.objects.all().delete()
        server.behaviour = rewritten.quoting
        before = ask_question(text=rewritten.FIRST).conversation
        server.behaviour = _slow_after(case.reply)
        slowest = max(slowest, _print_case(case.name, [_streamed(rewritten.FOLLOW_UP, before)]))
    return slowest


def _slow_after(reply: Behaviour) -> Behaviour:
    return lambda asked: (
        reply(asked) if asked.before is not None else replace(rewritten.quoting(asked), wait_seconds=20.0)
    )


def _print_case(name: str, waits: list[Wait]) -> float:
    cells = " | ".join(f"{one.whole_seconds:.1f}, {one.outcome}" for one in waits)
    print(f"| {name} | {cells} |", flush=True)
    if any(one.outcome == "nothing" for one in waits):
        return float("inf")
    return max(one.whole_seconds for one in waits)


if __name__ == "__main__":
    sys.exit(main())
