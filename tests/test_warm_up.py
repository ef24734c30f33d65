"""What happens while a process is not warm yet: visitors come all the same, and the sweep has to begin."""

import threading

import pytest

from knowledge.embeddings import current_recipe, use_embedder
from knowledge.indexing import Sweeper
from tests.processes import start_python, wait_until
from tests.seeded import SeededEmbedder

# While one thread imports chromadb, which takes a second, no other one begins to: two that meet in its circles
# fail with a deadlock or see half of a module. It ended the sweep of a `serve` that was asked while it warmed up.
TWO_FIRST_CALLS = """
import os, sys, threading, time
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
import numpy as np
from knowledge.vectors import CollectionKey, chroma, get_store
key = CollectionKey("public", "en", "ab" * 32)
chroma._LOAD_SECONDS = 60.0  # for which a question waits
ended = []
first_calls = [get_store().collections, lambda: get_store().nearest([key], np.ones(8, dtype=np.float32), 1)]
with chroma._loading:  # somebody is importing it
    for call in first_calls:
        threading.Thread(target=lambda call=call: ended.append(call())).start()
    time.sleep(1)
    print("chromadb" in sys.modules, len(ended))
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(60)
print("chromadb" in sys.modules, len(ended))
"""


def test_chromadb_is_imported_by_one_thread_at_a_time(tmp_path):
    process = start_python(tmp_path, TWO_FIRST_CALLS)
    out, err = process.communicate(timeout=60)
    assert out.splitlines() == ["False 0", "True 2"], err


class FailingOnce(SeededEmbedder):
    failures = 0

    def encode_question(self, text, *, language=None):
        self.failures += 1
        if self.failures == 1:
            raise RuntimeError("nobody expected this")
        return super().encode_question(text, language=language)


@pytest.mark.django_db(transaction=True)
def test_a_warm_up_that_fails_in_an_unexpected_way_ends_no_sweep(make_article, monkeypatch):
    monkeypatch.setattr(
        "knowledge.sweepers._sweeps_here", False
    )  # and afterwards, which a sweeper does not undo
    embedder = FailingOnce()
    use_embedder(embedder)
    told: list[str] = []
    warm = threading.Event()

    def hear(problem: str) -> None:
        told.append(problem)
        warm.set()

    article = make_article("Pause", synced=False)
    sweeper = Sweeper(on_warm=hear)
    sweeper.start()
    try:
        assert warm.wait(30)
        assert "nobody expected this" in told[0]

        def is_indexed() -> bool:
            article.refresh_from_db()
            return not article.is_stale(current_recipe().fingerprint)

        wait_until(is_indexed, seconds=30, what="the article is indexed")
    finally:
        sweeper.stop(timeout_seconds=20)
        use_embedder(None)
    assert not sweeper.is_alive()
