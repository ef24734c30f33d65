"""What happens while the model, or the index of words, takes long: nobody waits for it longer than a few seconds."""

import json
import os
import signal
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from helpcenter.readiness import State, readiness
from knowledge import background, embeddings, word_index
from knowledge.background import Background
from knowledge.embeddings import EmbedderUnavailable, get_embedder, use_embedder
from knowledge.models import Article
from knowledge.retrieval import retrieve
from tests.processes import ROOT, free_port, get, manage, wait_until
from tests.seeded import SeededEmbedder
from tests.test_two_processes import start_serve

pytestmark = pytest.mark.xdist_group("serve")

QUESTION_SECONDS = 10.0  # by when every question has ended


@pytest.fixture(autouse=True)
def visitors_wait(monkeypatch):
    monkeypatch.setattr(background, "_visitors_wait", True)


# --- work in the background -------------------------------------------------------------------------------


def test_waits_are_counted_from_the_beginning():
    release = threading.Event()
    work = Background("test", lambda: release.wait(60))
    with pytest.raises(TimeoutError):
        work.within(1.0)
    started = time.monotonic()
    for _question in range(20):
        with pytest.raises(TimeoutError):
            work.within(1.0)
    assert time.monotonic() - started < 10.0  # and not twenty seconds
    assert not work.is_done
    release.set()
    assert work.within(60.0) is True


def test_where_no_visitor_waits_it_is_waited_for(monkeypatch):
    monkeypatch.setattr(background, "_visitors_wait", False)
    release = threading.Event()
    work = Background("test", lambda: release.wait(60))
    threading.Timer(0.5, release.set).start()
    assert work.within(0.0) is True


def test_what_the_work_raises_is_raised():
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Background("test", fail).within(60.0)


# --- the model ----------------------------------------------------------------------------------------------


@pytest.fixture
def slow_model(monkeypatch):
    """An event that lets the model be there, and how often it was loaded."""
    there = threading.Event()
    loads: list[str] = []

    def load(name):
        loads.append(name)
        assert there.wait(60)
        return SeededEmbedder()

    use_embedder(None)
    monkeypatch.setattr(embeddings, "load_embedder", load)
    monkeypatch.setattr(embeddings, "PATIENCE_SECONDS", 0.5)
    yield there, loads
    there.set()
    use_embedder(None)


@pytest.mark.django_db(transaction=True)
def test_words_answer_until_the_model_is_there(make_article, slow_model):
    there, loads = slow_model
    use_embedder(SeededEmbedder())
    make_article("Pausing", body="A pause costs nine euros a month.")
    use_embedder(None)
    for _time in range(3):
        found = retrieve("What does a pause cost?", language="en").passages
        assert [passage.cosine for passage in found] == [None]
        assert found[0].bm25
    part = readiness().parts["embedding_model"]
    assert (part.state, part.detail.split(";")[0]) == (State.DEGRADED, "being loaded")
    assert len(loads) == 1
    there.set()
    wait_until(
        lambda: retrieve("What does a pause cost?", language="en").passages[0].cosine is not None,
        seconds=30,
        what="the vectors take part",
    )
    assert readiness().parts["embedding_model"].state == State.OK
    assert len(loads) == 1


def test_whoever_nobody_waits_for_gets_the_model(slow_model):
    there, loads = slow_model
    got: list[object] = []
    patient = threading.Thread(target=lambda: got.append(get_embedder()))
    patient.start()
    with pytest.raises(EmbedderUnavailable, match="still being loaded"):
        get_embedder(is_awaited=True)
    assert got == []
    there.set()
    patient.join(60)
    assert got == [get_embedder(is_awaited=True)]
    assert len(loads) == 1


def test_a_model_that_fails_is_not_waited_for(monkeypatch):
    def load(name):
        raise EmbedderUnavailable("its files are gone")

    use_embedder(None)
    monkeypatch.setattr(embeddings, "load_embedder", load)
    monkeypatch.setattr(embeddings, "PATIENCE_SECONDS", 600.0)
    for _time in range(2):
        with pytest.raises(EmbedderUnavailable, match="its files are gone"):
            get_embedder(is_awaited=True)
    use_embedder(None)


# --- the index of words -------------------------------------------------------------------------------------


@pytest.fixture
def slow_words(monkeypatch):
    """An event without which no word index is finished."""
    there = threading.Event()
    made = word_index._made_here

    def make(*arguments):
        assert there.wait(60)
        return made(*arguments)

    use_embedder(SeededEmbedder())
    monkeypatch.setattr(word_index, "_made_here", make)
    monkeypatch.setattr(word_index, "_PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(word_index, "_FIRST_PATIENCE_SECONDS", 0.3)
    yield there
    there.set()
    use_embedder(None)


@pytest.mark.django_db(transaction=True)
def test_vectors_find_alone_until_the_words_are_there(make_article, slow_words):
    make_article("Pausing", body="A pause costs nine euros a month.")
    found = retrieve("What does a pause cost?", language="en").passages
    assert [(passage.title, passage.bm25) for passage in found] == [("Pausing", None)]
    assert found[0].cosine is not None
    slow_words.set()
    wait_until(
        lambda: retrieve("What does a pause cost?", language="en").passages[0].bm25 is not None,
        seconds=30,
        what="the words take part",
    )


@pytest.mark.django_db(transaction=True)
def test_the_last_state_of_the_words_answers_while_the_next_is_made(make_article, slow_words):
    slow_words.set()
    kept = make_article("Pausing", body="A pause costs nine euros a month.")
    withdrawn = make_article("Pausing in May", body="In May a pause costs one euro a month.")
    assert len(retrieve("pause", language="en").passages) == 2
    slow_words.clear()
    Article.objects.filter(pk=withdrawn.pk).update(status="archived")
    make_article("Returning", body="Bring the bicycle back.")
    found = retrieve("What does a pause cost?", language="en").passages
    by_words = {passage.article_id for passage in found if passage.bm25}
    assert by_words == {kept.pk}  # of the earlier state, and through the gate
    slow_words.set()
    wait_until(
        lambda: any(
            passage.title == "Returning" and passage.bm25
            for passage in retrieve("bring the bicycle back", language="en").passages
        ),
        seconds=30,
        what="the new text is found by its words",
    )


@pytest.mark.django_db(transaction=True)
def test_a_making_that_fails_is_begun_again(make_article, monkeypatch):
    use_embedder(SeededEmbedder())
    make_article("Pausing", body="A pause costs nine euros a month.")
    made, failures = word_index._made_here, iter([RuntimeError("disk")])

    def make(*arguments):
        for failure in failures:
            raise failure
        return made(*arguments)

    monkeypatch.setattr(word_index, "_made_here", make)
    with pytest.raises(RuntimeError, match="disk"):
        retrieve("pause", language="en")
    assert retrieve("pause", language="en").passages[0].bm25
    use_embedder(None)


# --- a web process that was killed ----------------------------------------------------------------------------

# No process gets through the import of torch while the file is there.
SLOW_TORCH = """
import importlib.machinery, pathlib, sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def slowly(module):
            while pathlib.Path({file!r}).exists():
                time.sleep(0.05)
            execute(module)
        spec.loader.exec_module = slowly
        return spec

sys.meta_path.insert(0, Slow())
"""


def ask(port: int) -> tuple[dict[str, object], float]:
    body = json.dumps({"question": "What does a pause of my subscription cost?", "language": "en"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/questions/", body, {"Content-Type": "application/json"}
    )
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read()), time.monotonic() - started


def state_of_the_model(port: int) -> tuple[str, str]:
    part = json.loads(get(f"http://127.0.0.1:{port}/readyz"))["parts"]["embedding_model"]
    return part["state"], part["detail"].split(";")[0]


def test_a_killed_web_process_has_a_successor_that_answers_before_it_has_a_model(tmp_path):
    file = tmp_path / "slow"
    (tmp_path / "sitecustomize.py").write_text(SLOW_TORCH.format(file=str(file)))
    assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
    articles = tmp_path / "articles.jsonl"
    line = {
        "id": "1",
        "title": "Pausing",
        "body": "A pause of your subscription costs nine euros.",
        "language": "en",
    }
    articles.write_text(json.dumps(line))
    imported = manage(tmp_path, "import_articles", str(articles), "--publish")
    assert imported.returncode == 0, imported.stderr
    served = start_serve(tmp_path, free_port(), PYTHONPATH=f"{tmp_path}:{ROOT}")
    try:
        assert state_of_the_model(served.port) == ("ok", "loaded")
        file.touch()
        os.kill(web_process(tmp_path), signal.SIGKILL)
        shown, seconds = ask(served.port)
        assert shown["status"] == "answered" or shown["ticket"]
        assert seconds < QUESTION_SECONDS
        assert state_of_the_model(served.port) == ("degraded", "being loaded")
        assert "Pausing" in get(f"http://127.0.0.1:{served.port}/en/search/?q=pause")
        file.unlink()
        wait_until(
            lambda: state_of_the_model(served.port) == ("ok", "loaded"),
            seconds=120,
            what="the model is there",
        )
    finally:
        file.unlink(missing_ok=True)
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(60)


def web_process(data_dir: Path) -> int:
    """The youngest: who answers requests."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            own = f"DATA_DIR={data_dir}\0".encode() in (entry / "environ").read_bytes()
            if own and b"gunicorn" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return max(found)
