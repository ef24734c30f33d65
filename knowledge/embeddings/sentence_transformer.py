"""Any model that sentence-transformers reads: a folder, or a name on a hub."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge.embeddings.parts import Span, unit_length, vectors_of_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

_BATCH_SIZE = 32


class SentenceTransformerEncoder:
    def __init__(
        self,
        location: str,
        *,
        local: bool,
        device: str,
        threads: int,
        max_tokens: int,
        has_own_modules: bool = False,
    ) -> None:
        """`has_own_modules` allows the folder to name classes of this project. Raises what the library raises."""
        # Without this the hub is asked for updates of a model that lies on the disk.
        if local:
            os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        self.model = SentenceTransformer(
            location,
            device=device,
            trust_remote_code=has_own_modules,
            local_files_only=local,
            model_kwargs={"use_safetensors": True},
        )
        self.reads_by_language = has_own_modules
        self.dimension = int(self.model.get_embedding_dimension() or 0)
        self.max_tokens = min(int(self.model.max_seq_length or 512), max_tokens)
        prompts = self.model.prompts
        self._question_prompt = "query" if prompts.get("query") else None
        self._passage_prompt = next((name for name in ("passage", "document") if prompts.get(name)), None)
        # E5 models need their prefixes and not all copies of them declare any.
        if self._question_prompt is None and "e5" in Path(location).name.lower():
            self.model.prompts.update({"query": "query: ", "passage": "passage: "})
            self._question_prompt, self._passage_prompt = "query", "passage"
        self._gives_parts = _gives_parts(self.model)

    def encode(
        self, texts: Sequence[str], *, is_question: bool, language: str | None
    ) -> "NDArray[np.float32]":
        routing: dict[str, Any] = {"language": language} if self.reads_by_language else {}
        vectors = self.model.encode(
            list(texts),
            batch_size=_BATCH_SIZE,
            prompt_name=self._question_prompt if is_question else self._passage_prompt,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
            **routing,
        )
        return np.asarray(vectors, dtype=np.float32)

    def encode_with_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[Span | None]], *, language: str | None
    ) -> "tuple[NDArray[np.float32], list[NDArray[np.float32]]]":
        if not self._gives_parts:
            empty = np.zeros((0, self.dimension), dtype=np.float32)
            return self.encode(texts, is_question=False, language=language), [empty for _text in texts]
        prompt = self.model.prompts.get(self._passage_prompt or "", "") or ""
        prompted = [f"{prompt}{text}" for text in texts]
        routing: dict[str, Any] = {"language": language} if self.reads_by_language else {}
        read: Any = self.model.encode(
            prompted,
            batch_size=_BATCH_SIZE,
            output_value="token_embeddings",
            convert_to_numpy=False,
            show_progress_bar=False,
            **routing,
        )
        wholes: list[NDArray[np.float32]] = []
        found: list[NDArray[np.float32]] = []
        for states, places, spans in zip(read, self._places(prompted, language), parts, strict=True):
            tokens = states.float().cpu().numpy()
            whole = unit_length(tokens.mean(axis=0))
            shifted = [(start - len(prompt), end - len(prompt)) for start, end in places[: len(tokens)]]
            wholes.append(whole)
            found.append(vectors_of_parts(tokens, shifted, spans, whole))
        return np.stack(wholes), found

    def _places(self, texts: Sequence[str], language: str | None) -> list[list[Span]]:
        if self.reads_by_language:
            router: Any = self.model[0]
            return list(router.offsets(texts, language))
        encoded = self.model.tokenizer(
            list(texts), truncation=True, max_length=self.model.max_seq_length, return_offsets_mapping=True
        )
        return [[(start, end) for start, end in row] for row in encoded["offset_mapping"]]

    def count_tokens(self, text: str, *, language: str) -> int:
        if self.reads_by_language:
            router: Any = self.model[0]
            return int(router.count_tokens(text, language))
        return len(self.model.tokenizer(text, truncation=False, verbose=False)["input_ids"])


def _gives_parts(model: "SentenceTransformer") -> bool:
    """Whether the mean of some of its tokens lies in the space of its texts, and we can tell which tokens."""
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling

    first, *others = model
    if (
        not others
        or not isinstance(others[0], Pooling)
        or not all(isinstance(one, Normalize) for one in others[1:])
    ):
        return False
    knows_places = hasattr(first, "offsets") or bool(getattr(model.tokenizer, "is_fast", False))
    return knows_places and others[0].pooling_mode == "mean" and others[0].include_prompt
