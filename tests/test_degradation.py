"""Questions while parts are missing: an index that is slow, away or half empty, a model that does not load."""

import contextlib
import logging
import shutil
import threading
import time

import numpy as np
import pytest

from knowledge import exact
from knowledge.embeddings import EmbedderUnavailable, get_embedder, use_embedder
from knowledge.indexing import repair_index, sync_article, sync_stale
from knowledge.models import Article, Passage, Status
from knowledge.retrieval import POOL, retrieve
from knowledge.vectors import CollectionKey, VectorStoreUnavailable, get_store, reset_store
from tests.processes import chroma_server, free_port, wait_until
from tests.proxy import Fault, proxy_to
from tests.seeded import SeededEmbedder, vector_of

HANG_SECONDS = 10.0  # by when every question has ended, whatever is the matter


# --- the vector index -------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def embedder():
    use_embedder(SeededEmbedder())
    yield
    use_embedder(None)


@pytest.fixture
def articles(make_article):
    """More passages than one question is given, about a few things."""
    made = [
        make_article(f"Number {number}", f"The {animal} number {number} sleeps all winter.", synced=False)
        for number, animal in enumerate(["quokka", "wombat", "numbat"] * (POOL // 3 + 5))
    ]
    sync_stale()
    return made


@pytest.fixture
def chroma(settings, tmp_path):
    """A server behind a proxy, as CHROMA_URL."""
    port = free_port()
    with chroma_server(tmp_path / "chroma", port), proxy_to(port) as proxy:
        reset_store()
        settings.CHROMA_URL = f"http://127.0.0.1:{proxy.port}"
        yield proxy
        reset_store()


def ask(question="which quokka sleeps"):
    """Passage ids, best first; never for long."""
    started = time.monotonic()
    found = [passage.passage_id for passage in retrieve(question, language="en").passages]
    assert time.monotonic() - started < HANG_SECONDS
    return found


def is_exact():
    """Whether vectors are held for exact search: the index gives them back as soon as it answers itself."""
    return bool(exact._held)


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DRIP, Fault.CUT, Fault.RESET, "slow"])
def test_whatever_chroma_does_the_answers_are_the_same(chroma, articles, fault):
    whole = ask()
    assert whole
    assert not is_exact()
    if fault == "slow":
        chroma.delay_seconds = 3.0
    else:
        chroma.fault = fault
    assert ask() == whole
    assert is_exact()
    assert get_store().trouble()
    assert [ask() for _n in range(5)] == [whole] * 5
    chroma.fault, chroma.delay_seconds = Fault.NONE, 0.0
    wait_until(lambda: ask() and not is_exact(), seconds=120, what="Chroma answers again")
    assert ask() == whole
    assert get_store().trouble() == ""


def test_while_the_index_rests_nobody_asks_it(chroma, articles):
    ask()
    chroma.fault = Fault.RESET
    ask()
    store, asked = get_store(), chroma.requests
    store._breaker._clock = lambda: 0.0  # no pause ends
    assert [bool(ask()) for _n in range(20)] == [True] * 20
    assert chroma.requests == asked


def test_a_trial_of_a_silent_server_makes_no_question_wait(chroma, articles):
    """It runs by itself; the question that started it has been answered long before it ends."""
    ask()
    chroma.fault = Fault.SILENCE
    ask()
    store = get_store()
    breaker = store._breaker
    breaker._next_trial = 0.0
    assert ask()
    trial = breaker._trial
    assert trial is not None  # still under way, and we are back
    assert not trial.is_settled
    wait_until(lambda: breaker._trial is None, seconds=HANG_SECONDS, what="the trial ends")
    assert breaker.reason == "it did not answer in time"


def test_many_questions_at_the_moment_of_the_outage(chroma, articles):
    whole, one = ask(), key()
    chroma.fault = Fault.SILENCE
    answers: list[object] = []
    errors = []

    def work():
        try:
            for _n in range(4):
                answers.append(get_store().nearest([one], vector_of("quokka"), 3))
        except VectorStoreUnavailable as error:
            errors.append(error)
        except Exception as error:
            answers.append(error)

    started = time.monotonic()
    threads = [threading.Thread(target=work) for _n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < HANG_SECONDS
    assert (answers, len(errors)) == ([], 8)
    assert ask() == whole


def key():
    return CollectionKey("public", "en", Passage.objects.values_list("recipe", flat=True)[0])


def test_a_collection_that_somebody_dropped_is_answered_for_and_comes_back(chroma, articles):
    whole = ask()
    store = get_store()
    store.drop(key())
    assert ask() == whole
    assert is_exact()
    repaired = repair_index()
    assert repaired.added == len(articles)
    assert ask() == whole
    assert not is_exact()


def test_a_collection_that_is_half_full_is_not_believed(articles):
    """What is left of it would be found, and the rest would be missed without a word."""
    whole = ask()
    store = get_store()
    store.delete(key(), sorted(store.ids(key()))[10:])
    assert ask() == whole


# --- exact search -----------------------------------------------------------------------------------------


def test_exact_search_finds_what_the_index_finds(articles):
    vector = vector_of("wombat winter")
    (by_index,) = get_store().nearest([key()], vector, 20)
    (by_hand,) = exact.nearest([key()], vector, 20, version=1)
    assert [cosine for _pk, cosine in by_hand] == pytest.approx(
        [cosine for _pk, cosine in by_index], abs=1e-5
    )
    stored = dict(Passage.objects.values_list("pk", "vector"))
    for pk, cosine in by_hand:
        assert cosine == pytest.approx(float(np.frombuffer(stored[pk], dtype="<f4") @ vector), abs=1e-5)


def test_exact_search_keeps_to_audience_language_and_present_text(make_article, staff, settings):
    settings.CHROMA_URL = f"http://127.0.0.1:{free_port()}"
    text = "The quokka sleeps all winter."
    reset_store()
    kinds: dict[str, dict[str, object]] = {
        "public": {},
        "inside": {"audience": "internal"},
        "german": {"language": "de"},
        "draft": {"status": Status.DRAFT},
        "archived": {},
        "edited": {},
    }
    for name, fields in kinds.items():
        sync_without_index(make_article(name, text, synced=False, slug=name, **fields))
    retrieve("quokka", language="en")  # what is held now is older than the edits below
    Article.objects.filter(slug="archived").update(status=Status.ARCHIVED)
    edited = Article.objects.get(slug="edited")
    edited.body = "Something else entirely."
    edited.save()

    def titles(**options):
        return {passage.title for passage in retrieve("quokka", **options).passages}

    assert titles(language="en") == {"public"}
    assert titles(language="en", user=staff) == {"public", "inside"}
    assert titles(language="en", article_language="de") == {"german"}


def sync_without_index(article):
    """Its passages and their vectors are in the database then; the index is told some other time."""
    with contextlib.suppress(VectorStoreUnavailable):
        sync_article(article.pk)


def test_exact_search_follows_edits(make_article, settings):
    first = make_article("One", "The quokka sleeps.")
    reset_store()
    settings.CHROMA_URL = f"http://127.0.0.1:{free_port()}"
    assert len(ask("quokka")) == 1
    sync_without_index(make_article("Two", "Another quokka sleeps.", synced=False))
    assert len(ask("quokka")) == 2
    first.delete()
    assert len(ask("quokka")) == 1


# --- the model --------------------------------------------------------------------------------------------


@pytest.fixture
def missing_model(settings, tmp_path):
    """A model whose folder was there when its recipe was read, and is not any more."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    settings.EMBEDDING_MODEL = str(folder)
    return folder


def test_without_the_model_words_are_enough(make_article, missing_model, caplog):
    make_article("Winter", "The quokka sleeps all winter.")
    (missing_model / "model.safetensors").unlink()
    missing_model.rmdir()
    use_embedder(None)
    with caplog.at_level(logging.WARNING):
        found = [retrieve("where does the quokka sleep", language="en").passages for _n in range(5)]
    assert [[passage.title for passage in passages] for passages in found] == [["Winter"]] * 5
    assert found[0][0].cosine is None
    told = [record.getMessage() for record in caplog.records if "model" in record.getMessage()]
    assert len(told) == 1
    assert "no such folder" in told[0]


def test_in_a_new_process_words_are_enough_as_well(make_article, missing_model):
    """Nobody knows the recipe any more; the database knows which one was in use."""
    from knowledge import embeddings

    make_article("Winter", "The quokka sleeps all winter.")
    (missing_model / "model.safetensors").unlink()
    embeddings._recipe_of.cache_clear()
    use_embedder(None)
    assert [passage.title for passage in retrieve("quokka", language="en").passages] == ["Winter"]


def test_a_model_that_cannot_be_loaded_is_not_tried_for_every_question(missing_model):
    use_embedder(None)
    missing_model.joinpath("model.safetensors").unlink()
    with pytest.raises(EmbedderUnavailable) as first:
        get_embedder()
    missing_model.rmdir()
    with pytest.raises(EmbedderUnavailable) as second:
        get_embedder()
    assert str(second.value) == str(first.value)  # what was known, not what a new attempt would say
    assert "no such folder" not in str(second.value)


def test_a_model_that_is_back_is_loaded(settings, tmp_path):
    from knowledge import embeddings

    settings.EMBEDDING_MODEL = str(tmp_path / "nowhere")
    use_embedder(None)
    with pytest.raises(EmbedderUnavailable):
        get_embedder()
    assert embeddings.embedder_state() == "cannot be loaded"
    shutil.copytree(embeddings.english_folder(), tmp_path / "nowhere")
    with pytest.raises(EmbedderUnavailable):
        get_embedder()
    embeddings._places[settings.EMBEDDING_MODEL].loading._next_trial = 0.0
    assert get_embedder().dimension == 384
    assert embeddings.embedder_state() == "loaded"
