"""An optional cross-encoder puts the first passages in its order, in time or not at all."""

import threading
import time

import pytest

from assistant.confidence import assess, model_in_use
from helpcenter.checks import switches_are_known
from knowledge import reranking
from knowledge.embeddings.cross_encoder import CrossEncoder
from knowledge.retrieval import retrieve
from tests.cross_encoders import make_cross_encoder

pytestmark = pytest.mark.django_db

QUESTION = "What does a pause of my subscription cost?"
TEXTS = {
    "Pause your subscription": "A pause of your subscription costs 9 euros a month.",
    "End your subscription": "A subscription ends at the end of the month. Tell us two weeks before.",
    "Paying": "We accept PayPal and cards. The subscription is paid on the first of the month.",
    "Repairs": "A repair costs nothing as long as your subscription runs.",
}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return make_cross_encoder(tmp_path_factory.mktemp("cross-encoder"), ["fits"])


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    reranking.shelf.forget()


def loaded(folder):
    return CrossEncoder("RERANKER_MODEL", str(folder), device="cpu")


@pytest.fixture
def articles(make_article):
    return [make_article(title, body) for title, body in TEXTS.items()]


def test_the_first_passages_are_in_its_order_and_the_places_keep_their_values(
    articles, model_folder, settings
):
    before = retrieve(QUESTION, language="en")
    settings.RERANKER_MODEL, settings.RERANKER_SECONDS = str(model_folder), 5.0
    after = retrieve(QUESTION, language="en")
    by_hand = loaded(model_folder).values(
        [(QUESTION, f"{one.title}\n{one.text}") for one in before.passages], seconds=None
    )
    expected = sorted(zip(by_hand, before.passages, strict=True), key=lambda pair: -pair[0][0])
    assert [one.passage_id for one in after.passages] == [one.passage_id for _value, one in expected]
    assert [one.passage_id for one in after.passages] != [one.passage_id for one in before.passages]
    assert [one.fused for one in after.passages] == [one.fused for one in before.passages]
    assert [one.rank for one in after.passages] == [1, 2, 3, 4]
    assert after.article_ids == tuple(one.article_id for one in after.passages)


def test_without_time_the_order_stays(articles, model_folder, settings):
    before = retrieve(QUESTION, language="en")
    settings.RERANKER_MODEL, settings.RERANKER_SECONDS = str(model_folder), 0.0
    assert retrieve(QUESTION, language="en").passages == before.passages
    assert loaded(model_folder).values([(QUESTION, "text")], seconds=0.0) == []


def test_a_model_that_is_slow_is_not_waited_for(model_folder):
    """Not even for the pairs that it is reading: a large model takes seconds for four."""
    model = loaded(model_folder)
    read, may_go_on = model._model.predict, threading.Event()
    batches: list[int] = []

    def slowly(*args, **options):
        batches.append(1)
        if len(batches) > 1:
            may_go_on.wait(30)
        return read(*args, **options)

    model._model.predict = slowly
    pairs = [(QUESTION, f"text {number}") for number in range(12)]
    started = time.monotonic()
    found = model.values(pairs, seconds=2.0)
    assert time.monotonic() - started < 15
    assert len(found) == 4, "what was read in time"
    may_go_on.set()
    assert len(model.values(pairs, seconds=None)) == 12


def test_a_model_that_cannot_be_loaded_costs_a_warning_and_no_answer(articles, tmp_path, settings, caplog):
    before = retrieve(QUESTION, language="en")
    settings.RERANKER_MODEL = str(tmp_path)
    assert retrieve(QUESTION, language="en").passages == before.passages
    assert "RERANKER_MODEL" in caplog.text
    caplog.clear()
    retrieve(QUESTION, language="en")
    assert not caplog.text, "told once"


def test_a_folder_that_is_not_there_is_refused_at_start(settings):
    settings.RERANKER_MODEL = "/no/such/folder"
    assert [one.id for one in switches_are_known(None)] == ["helpcenter.E006"]
    settings.RERANKER_MODEL = ""
    assert switches_are_known(None) == []


def test_under_another_order_the_confidence_is_not_calibrated(articles, settings):
    found = retrieve(QUESTION, language="en")
    plain = model_in_use().fingerprint
    assert assess(found).calibrated
    settings.RERANKER_MODEL = "some/model"
    assert not assess(found).calibrated
    assert model_in_use().fingerprint != plain, "a calibration made without it does not count"
