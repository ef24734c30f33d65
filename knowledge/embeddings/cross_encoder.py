"""Models that read two texts together: loaded with the first pair that wants one, heard within a time or not at all.

Promise: nobody waits longer for a loaded model than the seconds he gave, however large it is; what was read by then
comes back. One that cannot be loaded costs a warning in the log, not an answer. A folder is read from the disk alone;
only the name of a model on a hub is looked for there.

Refuses to decide what a model is asked and what its values mean (`knowledge.reranking`, `knowledge.entailment`).
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from knowledge.background import Background
from knowledge.breaker import Attempt, Breaker

_PAIRS_AT_ONCE = 4  # between them it looks at the clock
_LONGEST_PAIR = 512  # tokens

TextPair = tuple[str, str]


class CrossEncoderUnavailable(Exception):
    """The model cannot be loaded, or is of another kind. Trying again helps only after the setting or the files are
    mended."""


class CrossEncoder:
    """One loaded model; threads share it, and one of its own reads."""

    def __init__(self, setting: str, name: str, *, device: str) -> None:
        """`setting` is what the model is called in messages. Raises CrossEncoderUnavailable."""
        folder = place_of(setting, name)
        if folder is not None:
            os.environ["HF_HUB_OFFLINE"] = (
                "1"  # else the hub is asked for updates of a model that lies on the disk
            )
        import sentence_transformers
        from safetensors import SafetensorError

        try:
            self._model = sentence_transformers.CrossEncoder(
                str(folder or name),
                device=None if device == "auto" else device,
                local_files_only=folder is not None,
                model_kwargs={"use_safetensors": True},
                max_length=_LONGEST_PAIR,
            )
        except (OSError, ValueError, RuntimeError, AssertionError, ImportError, SafetensorError) as error:
            raise CrossEncoderUnavailable(f"{setting}={name!r} cannot be loaded: {error}") from error
        self.values_a_pair = int(self._model.num_labels)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix=setting.lower())

    @property
    def labels(self) -> dict[int, str]:
        """What the model's own configuration calls its values."""
        config = getattr(self._model.transformers_model, "config", None)
        return {int(place): str(label) for place, label in (getattr(config, "id2label", None) or {}).items()}

    def values(self, pairs: Sequence[TextPair], *, seconds: float | None) -> list[list[float]]:
        """Of each pair: the one value on the model's own scale, or the logits of its labels. Those of the first pairs
        alone where `seconds` were not enough for all; None: no limit."""
        if not pairs or (seconds is not None and seconds <= 0):
            return []
        found: list[list[float]] = []
        deadline = None if seconds is None else time.monotonic() + seconds
        reading = self._reading.submit(self._read, list(pairs), found, deadline)
        try:
            reading.result(timeout=seconds)
        except (TimeoutError, CancelledError):
            reading.cancel()
        return found[: len(pairs)]

    def _read(self, pairs: list[TextPair], found: list[list[float]], deadline: float | None) -> None:
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            if deadline is not None and time.monotonic() >= deadline:
                return
            some: Any = pairs[start : start + _PAIRS_AT_ONCE]
            activation = (
                _as_it_is if self.values_a_pair > 1 else None
            )  # some would give probabilities already
            rows = self._model.predict(some, activation_fn=activation, show_progress_bar=False)
            found.extend(rows.reshape(len(some), -1).astype(float).tolist())


def _as_it_is(logits: Any) -> Any:
    return logits


def place_of(setting: str, name: str) -> Path | None:
    """The folder that a value of the setting names; None for the name of a model on a hub.

    Raises CrossEncoderUnavailable where it looks like a folder and is none.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if name.startswith((".", "/", "~")):
        raise CrossEncoderUnavailable(
            f"{setting}={name!r}: no such folder. Allowed: a folder with a cross-encoder, the name of one on "
            "a hub, or nothing."
        )
    return None


def configured_labels(folder: Path) -> Mapping[int, str] | None:
    """As a folder's `config.json` has them, without loading anything; None where it says nothing about them."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return {int(place): str(label) for place, label in config["id2label"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


class ModelState(StrEnum):
    """As /readyz says it."""

    OFF = "none is set"
    UNUSED = "not loaded yet: nothing has asked for it"
    LOADING = "being loaded"
    READY = "loaded"
    FAILED = "cannot be loaded"


class Shelf:
    """Where a process keeps the model that one setting names."""

    def __init__(self, setting: str, called: str, *, suits: Callable[[CrossEncoder], None]) -> None:
        """`called` begins a sentence of the log. `suits` raises CrossEncoderUnavailable for a model of another kind."""
        self._setting, self._called, self._suits = setting, called, suits
        self.forget()

    def forget(self) -> None:
        """For tests, whose models come and go."""
        self._name = ""
        self._loading: Background[CrossEncoder] | None = None
        self._breaker = Breaker(self._called, first_pause_seconds=10.0, longest_pause_seconds=600.0)
        self._guard = threading.Lock()

    @property
    def name(self) -> str:
        """Empty: none is wanted."""
        return str(getattr(settings, self._setting))

    def model(self, seconds: float) -> CrossEncoder | None:
        """None where none is set, while it is being loaded for longer than that, and where it cannot be."""
        name = self.name
        if not name:
            return None
        with self._guard:
            if self._loading is None or name != self._name:
                attempt = self._breaker.attempt()
                if attempt is None:
                    return None
                work = partial(self._loaded, name, attempt)
                self._name, self._loading = name, Background(self._setting.lower(), work)
            loading = self._loading
        try:
            return loading.within(seconds)
        except TimeoutError:
            return None
        except CrossEncoderUnavailable:
            with self._guard:
                if self._loading is loading:
                    self._loading = None  # another question tries again, when the breaker lets it
            return None

    def state(self) -> ModelState:
        """Loads nothing."""
        name = self.name
        with self._guard:
            loading = self._loading if name == self._name else None
        if not name:
            return ModelState.OFF
        if self._breaker.reason:
            return ModelState.FAILED
        if loading is None:
            return ModelState.UNUSED
        return ModelState.READY if loading.is_done else ModelState.LOADING

    def _loaded(self, name: str, attempt: Attempt) -> CrossEncoder:
        try:
            model = CrossEncoder(self._setting, name, device=settings.EMBEDDING_DEVICE)
            self._suits(model)
        except BaseException as error:
            attempt.failed(str(error))
            raise
        attempt.succeeded()
        return model
