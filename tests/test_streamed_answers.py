"""An answer that is told while the model speaks: a sentence once it has passed, and never one that has not."""

import json
import re
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from assistant import progress
from assistant.models import Citation, ModelReply, Question
from assistant.services import store_question
from assistant.telling import Story, Told
from assistant.writers import forget_writers
from assistant.writers.replies import proposals_of, proposals_so_far
from knowledge.models import Article, Status
from tests.chat_server import Asked, Behaviour, ChatServer, Said, sentences
from tests.databases import database_url
from tests.processes import line_of, start_python
from tests.test_generated_answers import CASES, COST, QUESTION, STUDENTS, TRUE, TWICE, claims, number_of

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("generated")]

SECOND = "You cannot pause your subscription twice in a calendar year."


@pytest.fixture(scope="module")
def server():
    with ChatServer() as server:
        yield server


@pytest.fixture
def center(make_article, server, settings):
    make_article("Paying by PayPal", "We accept PayPal in Germany and Austria.")
    make_article("Lost charger", "A lost charger costs 45 euros. Order a new one in the shop.")
    make_article("Pause your subscription", f"{COST} {TWICE} {STUDENTS}")
    settings.ANSWER_WRITER = "openai:some-model"
    settings.WRITER_BASE_URL, settings.WRITER_API_KEY = server.url, "key"
    forget_writers()
    server.asked.clear()
    server.takes_schema = True
    yield server
    forget_writers()


def streamed(
    client: Client, question: str = QUESTION
) -> tuple[list[tuple[str, dict[str, object]]], Question]:
    """All events of a question's page, from asking it on."""
    response = client.post("/en/ask/", {"text": question, "progressive": "1"})
    assert response.status_code == 302
    asked = Question.objects.latest("pk")
    body = client.get(f"/en/answers/{asked.public_id}/events/").getvalue().decode()
    events = [
        (found[1], json.loads(found[2])) for found in re.finditer(r"event: (\w+)\ndata: (.*)\n\n", body)
    ]
    asked.refresh_from_db()
    return events, asked


def told(events: list[tuple[str, dict[str, object]]]) -> list[object]:
    return [data["text"] for name, data in events if name == "sentence"]


def paced(*rows: tuple[str, str], seconds: float = 0.01):
    return lambda asked: Said(
        sentences(*((text, number_of(asked, quote), quote) for text, quote in rows)), piece_seconds=seconds
    )


def holding_the_second_back(may_go_on: threading.Event) -> Behaviour:
    def slowly(asked: Asked) -> Said:
        rows = ((TRUE, number_of(asked, COST), COST), (SECOND, number_of(asked, TWICE), TWICE))
        return Said(sentences(*rows), piece_seconds=0.01, hold_before=SECOND[:20], may_go_on=may_go_on)

    return slowly


def test_sentences_come_one_by_one_and_become_the_answer(center, client):
    center.behaviour = paced((TRUE, COST), (SECOND, TWICE))
    events, question = streamed(client)
    assert center.asked[0].body["stream"] is True and center.asked[0].is_structured
    assert told(events) == [TRUE, SECOND]
    first, second = (data for name, data in events if name == "sentence")
    assert first["number"] == 1 and second["number"] == 2
    assert first["title"] == "Pause your subscription" and str(first["url"]).startswith("/en/articles/")
    assert events[-1][0] == "settled"
    assert question.answer.writer == "openai:some-model"
    assert question.answer.text == f"{TRUE}\n\n{SECOND}"
    assert question.evidence.generations[0]["input_tokens"] == 100


def test_the_first_is_told_while_the_model_still_speaks(center, client):
    may_go_on = threading.Event()
    center.behaviour = holding_the_second_back(may_go_on)
    question = store_question(text=QUESTION)
    progress.begin(question)
    heard = []
    for event in progress.follow(question):
        if event.told is not None:
            heard.append(event.told.text)
            assert may_go_on.is_set() is (len(heard) > 1)
            may_go_on.set()
    assert heard == [TRUE, SECOND]


def test_what_was_told_from_an_article_that_is_withdrawn_meanwhile_is_taken_back(center):
    may_go_on = threading.Event()
    center.behaviour = holding_the_second_back(may_go_on)
    question = store_question(text=QUESTION)
    progress.begin(question)
    kinds = []
    for event in progress.follow(question):
        kinds.append(event.kind)
        if event.told is not None and not may_go_on.is_set():
            article = Article.objects.get(title="Pause your subscription")
            article.status = Status.ARCHIVED
            article.save()
            center.behaviour = claims(("We accept PayPal.", "We accept PayPal in Germany and Austria."))
            may_go_on.set()
    cleared = kinds.index(progress.Kind.CLEARED)
    assert progress.Kind.SENTENCE in kinds[:cleared] and progress.Kind.SENTENCE not in kinds[cleared:]
    assert not Citation.objects.filter(title="Pause your subscription").exists()


FOLLOW = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django
django.setup()
from assistant import progress
from assistant.models import Question
question = Question.objects.get(pk=int(sys.argv[1]))
print("ready", flush=True)
for event in progress.follow(question, seconds=60):
    print(event.kind, event.told.text if event.told else event.stage, sep=": ", flush=True)
"""


def test_a_page_that_another_process_serves_is_told_the_same(center, settings):
    may_go_on = threading.Event()
    center.behaviour = holding_the_second_back(may_go_on)
    question = store_question(text=QUESTION)
    elsewhere = start_python(settings.DATA_DIR, FOLLOW, str(question.pk), DATABASE_URL=database_url())
    assert line_of(elsewhere) == "ready"
    progress.begin(question)
    heard = []
    while f"sentence: {TRUE}" not in heard:
        heard.append(line_of(elsewhere))
    assert "stage: writing" in heard
    time.sleep(3.5)  # longer than anybody waits for a sign of life before they begin a second time
    may_go_on.set()
    heard += elsewhere.communicate(timeout=60)[0].splitlines()
    told_there = [line for line in heard if line.startswith(("sentence", "cleared", "settled"))]
    # The last one may come with the answer: whoever looks at a row four times a second finds that there already.
    assert [line for line in told_there if line != f"sentence: {SECOND}"] == [
        f"sentence: {TRUE}",
        "settled: ",
    ]
    assert len(center.asked) == 1
    question.refresh_from_db()
    assert question.told is None  # the answer has taken its place


def test_what_a_killed_process_had_told_is_taken_back_by_whoever_takes_over(center):
    """Its note is in the row; nobody has heard from it for longer than anybody waits."""
    center.behaviour = paced((TRUE, COST), (SECOND, TWICE), seconds=0.05)
    question = store_question(text=QUESTION)
    told = Told("A pause costs a lot.", 1, "Pause your subscription", "/en/articles/pause/")
    Question.objects.filter(pk=question.pk).update(
        stage="writing", stage_at=timezone.now(), told=Story(1, (told,)).noted()
    )
    events = progress.follow(question, seconds=60)
    heard = [next(events), next(events)]
    assert heard[1].told == told
    Question.objects.filter(pk=question.pk).update(stage_at=timezone.now() - timedelta(minutes=1))
    heard += list(events)
    kinds = [event.kind for event in heard]
    assert kinds.count(progress.Kind.CLEARED) == 1
    after = heard[kinds.index(progress.Kind.CLEARED) :]
    assert [event.told.text for event in after if event.told is not None] == [TRUE, SECOND]
    assert kinds[-1] == progress.Kind.SETTLED


def test_of_several_questions_in_a_message_sources_are_counted_on(center, client):
    charger = "A lost charger costs 45 euros."

    def both(asked: Asked) -> Said:
        quote, text = (charger, charger) if "charger" in asked.question else (COST, TRUE)
        return Said(sentences((text, number_of(asked, quote), quote)), piece_seconds=0.01)

    center.behaviour = both
    events, question = streamed(client, f"{QUESTION} And what does a lost charger cost?")
    rows = [(data["text"], data["number"]) for name, data in events if name == "sentence"]
    assert rows == [(TRUE, 1), (charger, 2)]
    assert [block["citations"] for block in question.answer.blocks] == [[1], [2]]


def test_what_is_dropped_never_reaches_the_wire(center, client):
    center.behaviour = paced((TRUE, COST), ("Seniors get a voucher.", COST), (SECOND, TWICE))
    events, question = streamed(client)
    assert told(events) == [TRUE, SECOND]
    assert "voucher" not in json.dumps(events)
    assert "voucher" in json.dumps(question.evidence.generations)


def test_a_true_sentence_that_does_not_answer_is_held_back(center, client):
    center.behaviour = paced(
        ("A lost charger costs 45 euros.", "A lost charger costs 45 euros."), (TRUE, COST)
    )
    events, _question = streamed(client)
    assert told(events)[-1] == TRUE
    center.behaviour = paced(
        ("We accept PayPal in Germany and Austria.", "We accept PayPal in Germany and Austria.")
    )
    events, question = streamed(client, "What does a pause of the subscription cost?")
    assert told(events) == []
    assert question.answer.writer == "extractive"


def test_of_a_cut_stream_the_articles_take_the_place(center, client):
    def cut(asked: Asked) -> Said:
        said = paced((TRUE, COST), (SECOND, TWICE))(asked)
        return Said(said.content, error_after=len(said.content or "") - 30, piece_seconds=0.01)

    center.behaviour = cut
    events, question = streamed(client)
    assert told(events)[:1] == [TRUE]
    assert question.answer.writer == "extractive"
    assert COST in str(events[-1][1]["html"])


def test_a_server_without_structured_output_is_heard_by_lines(center, client):
    center.takes_schema = False
    center.behaviour = lambda asked: Said(
        f"{number_of(asked, COST)} | {COST} | {TRUE}\n{number_of(asked, TWICE)} | {TWICE} | {SECOND}\n",
        piece_seconds=0.01,
    )
    events, question = streamed(client)
    assert told(events) == [TRUE, SECOND]
    assert question.answer.writer == "openai:some-model"
    assert [(one.is_structured, bool(one.body.get("stream"))) for one in center.asked] == [
        (True, True),
        (False, True),
    ]


def test_a_server_that_streams_nothing_answers_all_the_same(center, client):
    center.behaviour = lambda asked: (
        Said(status=400) if asked.body.get("stream") else claims((TRUE, COST))(asked)
    )
    events, question = streamed(client)
    assert told(events) == [] and question.answer.writer == "openai:some-model"
    center.asked.clear()
    streamed(client, "What does a pause of the subscription cost?")
    assert [bool(one.body.get("stream")) for one in center.asked] == [False]


def test_nobody_listens_where_nobody_waits(center, client):
    center.behaviour = claims((TRUE, COST))
    client.post("/api/v1/questions/", {"question": QUESTION}, "application/json")
    assert not center.asked[0].body.get("stream")


def in_pieces(behaviour: Behaviour) -> Behaviour:
    def paced_too(asked: Asked) -> Said:
        said = behaviour(asked)
        is_timed = said.drip_seconds or said.wait_seconds or said.cut_after is not None
        return said if is_timed else replace(said, piece_seconds=0.001)

    return paced_too


def test_whatever_the_server_does_only_what_passed_is_told(center, client, settings):
    problems = {}
    for number, case in enumerate(CASES):
        settings.WRITER_SECONDS = case.seconds
        forget_writers()
        center.behaviour = in_pieces(case.behaviour)
        events, question = streamed(client, f"{QUESTION}{' ' * (number % 2)}")
        Question.objects.exclude(pk=question.pk).delete()
        ModelReply.objects.all().delete()
        wire = json.dumps([event for event in events if event[0] != "settled"], ensure_ascii=False)
        found = [f"{banned!r} was told" for banned in case.banned if banned in wire]
        if events[-1][0] != "settled" or question.status != "answered":
            found.append(f"{events[-1][0]}, {question.status}")
        elif question.answer.writer != ("openai:some-model" if case.is_written else "extractive"):
            found.append(f"{question.answer.writer}: {question.evidence.generations[0]['stands_in']}")
        elif case.is_written and not told(events):
            found.append("nothing was told")
        if found:
            problems[case.name] = found
    assert problems == {}


def test_what_somebody_else_may_not_read_is_not_told_to_them(center, client, django_user_model):
    center.behaviour = paced((TRUE, COST), seconds=0.02)
    person = django_user_model.objects.create_user("someone")
    question = store_question(text=QUESTION, user=person)
    progress.begin(question)
    address = reverse("answer_events", args=[question.public_id])
    body = client.get(address).getvalue().decode()
    assert "event: sentence" not in body


REPLIES = [
    sentences((TRUE, 1, COST), (SECOND, 2, TWICE)),
    "```json\n" + sentences((f"{TRUE} {SECOND}", 1, 'a "quote" with \\ and }')) + "\n```",
    sentences(*[(TRUE, 1, COST)] * 20),
    f"Here you are\n1 | {COST} | {TRUE}\n[2] | “{TWICE}” | {SECOND}",
    f"1 | {COST} | {TRUE}\r\n2 | {TWICE} | {SECOND}\n",
    '{"sentences": [ ]}',
    '{"sentences": [5, null, {"text": "A b.", "passage": 1, "quote": "c"}, [1]]}',
    "NONE",
]


@pytest.mark.parametrize("reply", REPLIES)
def test_what_is_whole_so_far_is_how_the_whole_begins(reply):
    whole = proposals_of(reply) or []
    for end in range(len(reply) + 1):
        so_far = proposals_so_far(reply[:end])
        assert so_far == whole[: len(so_far)]
    assert len(proposals_so_far(reply + "\n")) == len(whole) or "null" in reply
