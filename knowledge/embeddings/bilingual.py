"""A sentence-transformers input module with two input tables before one transformer: English and German.

English texts take exactly the way they take in the English model, so their vectors do not change. German texts
have their own tokenizer, their own table of input vectors, made so that the same transformer understands them, small
corrections to its linear maps, a weight for every piece, by which frequent ones count less, and one for every layer
(docs/model-card.md).
Which way a text takes is said by the caller, `model.encode(texts, language="de")`, or told from each text, so that
one call may mix both.

    SentenceTransformer(folder, trust_remote_code=True)  # the library wants to be told that this class is wanted

Needs no Django settings: the folder of the model and this package are enough.
"""

import copy
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer

from knowledge.embeddings.pieces import TwoVocabularies
from knowledge.language import most_likely_language

ENGLISH, GERMAN = "en", "de"
_CONFIG = "bilingual_config.json"
_WEIGHTS = "german.safetensors"
_TOKENIZER = "german_tokenizer.json"
_TENSORS = frozenset({"table", "scale", "weights", "layers"})  # all others are adapters


class BilingualTransformer(InputModule):
    """Routes texts to the English or the German half. `forward` adds `token_embeddings` (batch, tokens, 384).

    The German table is int8 with one fp16 scale a row: value = table * scale. `adapters` holds, by the name of a
    linear map in the encoder, "NAME.down" (rank, in) and "NAME.up" (out, rank): the German weight of that map is
    the English one + up @ down (LoRA; Hu et al. 2021). They are added when the model is loaded and cost nothing after.

    `weights` (pieces,), 0..1, says how much each German piece counts in the mean of its text; a word that is read in
    English pieces counts in full. `layers` (7,) says how much the transformer's input and the output of each of its
    six layers count. German `token_embeddings` carry both, so that the library's plain mean pooling gives the
    weighted mean.
    """

    config_file_name = _CONFIG
    forward_kwargs = {"language"}

    def __init__(
        self,
        english_home: str,
        tokenizer: Tokenizer,
        table: torch.Tensor,
        scale: torch.Tensor,
        weights: torch.Tensor,
        layers: torch.Tensor,
        adapters: Mapping[str, torch.Tensor],
    ) -> None:
        """`english_home` is where the English half is installed, as `package:folder`; it is never trained here."""
        super().__init__()  # type: ignore[no-untyped-call]
        package, _separator, folder = english_home.partition(":")
        self.english_home = english_home
        self.english: Any = Transformer.load(
            str(importlib.resources.files(package) / folder),
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        ).requires_grad_(False)
        wanted = (tokenizer.get_vocab_size(), self.english.get_embedding_dimension())
        shapes = tuple(table.shape), tuple(scale.shape), tuple(weights.shape)
        if table.dtype != torch.int8 or shapes != (wanted, wanted[:1], wanted[:1]):
            raise ValueError(
                f"the German table is {table.dtype} of shape {shapes[0]} with {shapes[1]} scales and {shapes[2]} "
                f"weights; wanted is int8 of shape {wanted} with {wanted[:1]} of both"
            )
        outputs = int(self.english.auto_model.config.num_hidden_layers) + 1
        if tuple(layers.shape) != (outputs,):
            raise ValueError(
                f"the German half weighs {tuple(layers.shape)} layers; wanted are {outputs} weights"
            )
        self.german_tokenizer = tokenizer
        self._pieces = TwoVocabularies(tokenizer, self.english.tokenizer.backend_tokenizer)
        self.register_buffer("table", table)
        self.register_buffer("scale", scale)
        self.register_buffer("weights", weights)
        self.register_buffer("layers", layers)
        self._adapters = dict(adapters)
        self.german = _adapted(self.english.auto_model, self._adapters)

    # What SentenceTransformer asks its first module.

    @property
    def tokenizer(self) -> Any:  # type: ignore[override]
        return self.english.tokenizer

    @property
    def max_seq_length(self) -> int:
        return int(self.english.max_seq_length or 512)

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        self.english.max_seq_length = value

    def get_embedding_dimension(self) -> int:
        return int(self.english.get_embedding_dimension())

    def count_tokens(self, text: str, language: str) -> int:
        """Tokens of `text` in one half, special tokens included and nothing cut off."""
        if language == GERMAN:
            return len(self._pieces.ids([text])[0])
        return len(self.english.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def offsets(self, texts: Sequence[str], language: str | None = None) -> list[list[tuple[int, int]]]:
        """Where each token of each text stands, (start, end) in characters; special tokens stand nowhere, (0, 0)."""
        places: list[list[tuple[int, int]]] = []
        for text in texts:
            chosen = language or most_likely_language(text, (ENGLISH, GERMAN))
            if chosen == GERMAN:
                row, limit = self._pieces.places([text])[0], self.max_seq_length
                places.append(row if len(row) <= limit else [*row[: limit - 1], row[-1]])
            else:
                encoded = self.english.tokenizer(
                    text, truncation=True, max_length=self.max_seq_length, return_offsets_mapping=True
                )
                places.append([tuple(span) for span in encoded["offset_mapping"]])
        return places

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, language: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Token ids and masks of both halves, and which rows are German (`is_german`, bool of shape (batch,)).

        `language` is that of every text; without it each text is told by its letters. Other languages than
        German take the English half.
        """
        texts = [f"{prompt or ''}{text}" for text in inputs]
        languages = [language or most_likely_language(text, (ENGLISH, GERMAN)) for text in texts]
        is_german = [one == GERMAN for one in languages]
        features: dict[str, Any] = {"is_german": torch.tensor(is_german)}
        english = [text for text, german in zip(texts, is_german, strict=True) if not german]
        german = [text for text, german in zip(texts, is_german, strict=True) if german]
        if english:
            features.update(self.english.preprocess(english, **kwargs))
        if german:
            features["german_ids"], features["german_mask"] = self._padded(german)
        return features

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        is_german = features.pop("is_german")
        ids, mask = features.pop("german_ids", None), features.pop("german_mask", None)
        if ids is None:
            return dict(self.english.forward(features))
        german = self._transformed(ids, mask)
        if bool(is_german.all()):
            return {**features, "token_embeddings": german, "attention_mask": mask}
        features = self.english.forward(features)
        for name, both in (
            ("token_embeddings", (features["token_embeddings"], german)),
            ("attention_mask", (features["attention_mask"], mask)),
        ):
            features[name] = _interleaved(is_german, *both)
        return features

    def _transformed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        is_borrowed = ids >= len(self.table)
        own = ids.masked_fill(is_borrowed, 0)
        vectors = self.table[own].to(torch.float32) * self.scale[own].to(torch.float32).unsqueeze(-1)
        weights = self.weights[own].to(torch.float32)
        if bool(is_borrowed.any()):
            english = self.english.auto_model.embeddings.word_embeddings
            vectors[is_borrowed] = english(ids[is_borrowed] - len(self.table)).to(torch.float32)
            weights[is_borrowed] = 1.0
        read = self.german(
            inputs_embeds=vectors.to(self.german.dtype), attention_mask=mask, output_hidden_states=True
        )
        by_layer = zip(self.layers.tolist(), read.hidden_states, strict=True)
        hidden = sum(weight * states for weight, states in by_layer if weight)
        # The mean over a text of what is returned is the weighted mean of what the transformer gives.
        weights *= mask
        total = weights.sum(1, keepdim=True).clamp(min=1e-9)
        shares = (weights * mask.sum(1, keepdim=True) / total).to(self.german.dtype)
        weighted: torch.Tensor = hidden * shares.unsqueeze(-1)
        return weighted

    def _padded(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self._pieces.ids(texts)
        limit = self.max_seq_length
        rows = [row if len(row) <= limit else [*row[: limit - 1], row[-1]] for row in rows]
        ids = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        return ids, mask

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """The German half and where the English one is installed: that stays a package, 90 MB for 12."""
        folder = Path(output_path)
        weights = {name: getattr(self, name) for name in _TENSORS} | self._adapters
        # The library's own way to a file makes it readable for its owner alone.
        (folder / _WEIGHTS).write_bytes(
            save({name: tensor.contiguous().cpu() for name, tensor in weights.items()})
        )
        self.german_tokenizer.save(str(folder / _TOKENIZER), pretty=False)
        (folder / _CONFIG).write_text(json.dumps({"english": self.english_home}) + "\n", encoding="utf-8")

    @classmethod
    def load(  # type: ignore[override]
        cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any
    ) -> Self:
        """From a folder on this machine; what else the library passes is meant for models from a hub."""
        folder = Path(model_name_or_path) / subfolder
        weights = load_file(folder / _WEIGHTS)
        if missing := _TENSORS - weights.keys():
            raise ValueError(
                f"{folder / _WEIGHTS} lacks {', '.join(sorted(missing))}; it was built by another version of "
                "train_german, which can build it anew from the same work folder"
            )
        return cls(
            json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["english"],
            Tokenizer.from_file(str(folder / _TOKENIZER)),
            **{name: weights.pop(name) for name in _TENSORS},
            adapters=weights,
        )


def write_model(
    folder: Path,
    tokenizer: Tokenizer,
    table: NDArray[np.float32],
    weights: NDArray[np.float32],
    layers: NDArray[np.float32],
    adapters: Mapping[str, NDArray[np.float32]],
    *,
    english_home: str,
) -> None:
    """A folder for `SentenceTransformer(folder)` from a German table (pieces, 384), weights and adapters, all float32.

    `weights` is (pieces,), `layers` (7,).
    """
    largest = np.abs(table).max(axis=1)
    scale = np.maximum(largest / 127, np.finfo(np.float16).tiny).astype(np.float16)
    steps = np.rint(table / scale.astype(np.float32)[:, None]).clip(-127, 127).astype(np.int8)
    halved = {name: torch.from_numpy(weight.astype(np.float16)) for name, weight in adapters.items()}
    router = BilingualTransformer(
        english_home,
        tokenizer,
        torch.from_numpy(steps),
        torch.from_numpy(scale),
        torch.from_numpy(weights.astype(np.float16)),
        torch.from_numpy(layers.astype(np.float16)),
        halved,
    )
    pooling = Pooling(router.get_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[router, pooling, Normalize()], device="cpu")
    model.save(str(folder), create_model_card=False)


def _adapted(english: Any, adapters: Mapping[str, torch.Tensor]) -> Any:
    """The transformer with the adapters added to its maps; what they leave alone is shared. Raises ValueError."""
    if not adapters:
        return english
    german = copy.deepcopy(english, {id(english.embeddings): english.embeddings})
    for name in {key.rpartition(".")[0] for key in adapters}:
        try:
            weight = german.encoder.get_submodule(name).weight
            with torch.no_grad():
                weight += adapters[f"{name}.up"].to(weight) @ adapters[f"{name}.down"].to(weight)
        except (AttributeError, KeyError, RuntimeError) as error:
            raise ValueError(
                f"the German adapter of {name!r} does not fit the English model: {error}"
            ) from error
    return german


def _interleaved(is_second: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Rows of both in the order of `is_second`, padded with zeros to the longer of the two."""
    length = max(first.shape[1], second.shape[1])
    merged = first.new_zeros((len(is_second), length, *first.shape[2:]))
    merged[~is_second, : first.shape[1]] = first
    merged[is_second, : second.shape[1]] = second
    return merged
