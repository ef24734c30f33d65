"""A model that reads question and passage together and says how well they fit: `RERANKER_MODEL`, off by default.

Promise: once it is loaded, says it within RERANKER_SECONDS or not at all; whoever asks goes on without. A model that
cannot be loaded costs a warning in the log, not an answer. It is loaded with the first question that wants it.

Refuses to decide which passages are read, and what their order is worth.
"""

import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from knowledge.background import Background
from knowledge.breaker import Attempt, Breaker

_PAIRS_AT_ONCE = 4  # between them it looks at the clock
_LONGEST_PAIR = 512  # tokens


class RerankerUnavailable(Exception):
    """RERANKER_MODEL cannot be loaded. Trying again helps only after the setting or the files are mended."""


class Reranker:
    """One loaded model; threads share it."""

    def __init__(self, name: str, *, device: str) -> None:
        """Raises RerankerUnavailable."""
        folder = check_reranker(name)
        if folder is not None:
            os.environ["HF_HUB_OFFLINE"] = (
                "1"  # else the hub is asked for updates of a model that lies on the disk
            )
        from safetensors import SafetensorError
        from sentence_transformers import CrossEncoder

        try:
            self._model = CrossEncoder(
                str(folder or name),
                device=None if device == "auto" else device,
                local_files_only=folder is not None,
                model_kwargs={"use_safetensors": True},
                max_length=_LONGEST_PAIR,
            )
        except (OSError, ValueError, RuntimeError, AssertionError, ImportError, SafetensorError) as error:
            raise RerankerUnavailable(f"RERANKER_MODEL={name!r} cannot be loaded: {error}") from error
        if self._model.num_labels != 1:
            raise RerankerUnavailable(
                f"RERANKER_MODEL={name!r} gives {self._model.num_labels} values a pair. Allowed: a cross-encoder with "
                "one."
            )
        self._lock = threading.Lock()  # tokenizers are not safe to share between threads

    def scores(self, question: str, texts: Sequence[str], *, seconds: float) -> list[float] | None:
        """One a text, higher is better, on the model's own scale; None where `seconds` were not enough for all."""
        deadline = time.monotonic() + seconds
        if not self._lock.acquire(timeout=max(0.0, seconds)):
            return None
        try:
            found: list[float] = []
            for start in range(0, len(texts), _PAIRS_AT_ONCE):
                if time.monotonic() >= deadline:
                    return None
                pairs: Any = [(question, text) for text in texts[start : start + _PAIRS_AT_ONCE]]
                found.extend(float(value) for value in self._model.predict(pairs, show_progress_bar=False))
            return found
        finally:
            self._lock.release()


def check_reranker(name: str) -> Path | None:
    """The folder that a value of RERANKER_MODEL names; None for the name of a model on a hub.

    Raises RerankerUnavailable where it looks like a folder and is none.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if name.startswith((".", "/", "~")):
        raise RerankerUnavailable(
            f"RERANKER_MODEL={name!r}: no such folder. Allowed: a folder with a cross-encoder, the name of one on "
            "a hub, or nothing."
        )
    return None


def fitting(question: str, texts: Sequence[str]) -> list[float] | None:
    """How well each text fits, higher is better; None where no model is set, or it is not there in time."""
    name = settings.RERANKER_MODEL
    if not name or not texts:
        return None
    reranker = _place.reranker(name, settings.RERANKER_SECONDS)
    return reranker.scores(question, texts, seconds=settings.RERANKER_SECONDS) if reranker else None


def forget_reranker() -> None:
    """For tests, whose models come and go."""
    global _place
    _place = _Place()


class _Place:
    """Where a process keeps the loaded model."""

    def __init__(self) -> None:
        self._name = ""
        self._loading: Background[Reranker] | None = None
        self._breaker = Breaker("The reranker", first_pause_seconds=10.0, longest_pause_seconds=600.0)
        self._guard = threading.Lock()

    def reranker(self, name: str, seconds: float) -> Reranker | None:
        """None while it is being loaded for longer than that, and where it cannot be."""
        with self._guard:
            if self._loading is None or name != self._name:
                attempt = self._breaker.attempt()
                if attempt is None:
                    return None
                self._name, self._loading = name, Background("reranker", partial(_loaded, name, attempt))
            loading = self._loading
        try:
            return loading.within(seconds)
        except TimeoutError:
            return None
        except RerankerUnavailable:
            with self._guard:
                if self._loading is loading:
                    self._loading = None  # another question tries again, when the breaker lets it
            return None


def _loaded(name: str, attempt: Attempt) -> Reranker:
    try:
        reranker = Reranker(name, device=settings.EMBEDDING_DEVICE)
    except BaseException as error:
        attempt.failed(str(error))
        raise
    attempt.succeeded()
    return reranker


_place = _Place()
