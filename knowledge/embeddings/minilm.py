"""The models that come with this project, read with torch alone: a fresh process embeds after two seconds, not eight.

Promise: the same vectors as sentence-transformers makes from the same files, to the last digits of a float32; a
test compares them. English and German halves as `bilingual` describes them.

Refuses to decide: anything about other models. Their folders may hold whatever sentence-transformers knows to read.

Method: BERT (Devlin et al. 2019) as MiniLM-L6-H384 has it, mean of the token vectors, unit length; in German
a mean with weights for pieces and layers, and words that English knows better in its pieces.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from knowledge.embeddings.parts import Span, vectors_of_parts
from knowledge.embeddings.pieces import TwoVocabularies
from knowledge.language import most_likely_language

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_BATCH_SIZE = 32
_GERMAN = "de"
_LANGUAGES = ("en", _GERMAN)
_KIND = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
_MAPS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
_PARTS = (*_MAPS, "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")

Layer = dict[str, "torch.Tensor"]
Token = tuple[int, Span]  # its id, and where it stands in its text; a special one stands nowhere, (0, 0)


class MiniLMEncoder:
    """Vectors are float32 of shape (texts, 384)."""

    def __init__(
        self, english: Path, german: Path | None, *, device: str, threads: int, max_tokens: int
    ) -> None:
        """Raises OSError, ValueError or a torch error where files or device are not what they should be."""
        import torch
        from safetensors.torch import load_file

        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        config = json.loads((english / "config.json").read_text("utf-8"))
        if any(config.get(name) != value for name, value in _KIND.items()):
            raise ValueError(f"{english} holds no model of the kind that is read here")
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        weights = load_file(english / "model.safetensors", device=str(self._device))
        self._embeddings = {
            name.removeprefix("embeddings."): weight
            for name, weight in weights.items()
            if name.startswith("embeddings.")
        }
        self._layers = [_layer(weights, number) for number in range(int(config["num_hidden_layers"]))]
        self._tokenizer = _tokenizer(english / "tokenizer.json")
        self.reads_by_language = german is not None
        if german is not None:
            adapters = load_file(german / "german.safetensors", device=str(self._device))
            try:
                self._table, self._scale, self._piece_weights, self._layer_weights = (
                    adapters.pop(name) for name in ("table", "scale", "weights", "layers")
                )
            except KeyError as error:
                raise ValueError(
                    f"{german} lacks {error}; it was built by another version of train_german"
                ) from None
            self._german_layers = _adapted(self._layers, adapters)
            self._pieces = TwoVocabularies(_tokenizer(german / "german_tokenizer.json"), self._tokenizer)
        self.dimension = int(config["hidden_size"])
        self.max_tokens = max_tokens

    def encode(
        self,
        texts: Sequence[str],
        *,
        is_question: bool,  # noqa: ARG002 (other models have a prompt for it)
        language: str | None,
    ) -> "NDArray[np.float32]":
        """Questions and passages are read alike. Without `language` each text is told by its words."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for places, rows, german in self._batches(texts, language):
            vectors[places] = _means(*self._states([_ids(row) for row in rows], german))
        return vectors

    def encode_with_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[Span | None]], *, language: str | None
    ) -> "tuple[NDArray[np.float32], list[NDArray[np.float32]]]":
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        found: dict[int, NDArray[np.float32]] = {}
        for places, rows, german in self._batches(texts, language):
            hidden, weights = self._states([_ids(row) for row in rows], german)
            vectors[places] = _means(hidden, weights)
            weighted = (hidden * weights.unsqueeze(-1)).cpu().numpy()
            for place, row, states in zip(places, rows, weighted, strict=True):
                spans_of_tokens = [span for _id, span in row]
                found[place] = vectors_of_parts(
                    states[: len(row)], spans_of_tokens, parts[place], vectors[place]
                )
        return vectors, [found[place] for place in range(len(texts))]

    def _batches(
        self, texts: Sequence[str], language: str | None
    ) -> Iterator[tuple[list[int], list[list[Token]], bool]]:
        """Places among `texts`, the texts there as the model sees them, and whether they are German."""
        is_german = [self._is_german(text, language) for text in texts]
        rows = [self._cut(text, german) for text, german in zip(texts, is_german, strict=True)]
        # Neighbours in length share a call, so that short texts are not padded to the longest.
        for german in (False, True):
            of_half = [place for place, one in enumerate(is_german) if one == german]
            of_half.sort(key=lambda place: -len(rows[place]))
            for start in range(0, len(of_half), _BATCH_SIZE):
                batch = of_half[start : start + _BATCH_SIZE]
                yield batch, [rows[place] for place in batch], german

    def count_tokens(self, text: str, *, language: str) -> int:
        return len(self._tokens(text, self._is_german(text, language)))

    def _is_german(self, text: str, language: str | None) -> bool:
        if not self.reads_by_language:
            return False
        return (language or most_likely_language(text, _LANGUAGES)) == _GERMAN

    def _tokens(self, text: str, german: bool) -> list[Token]:
        if german:
            return next(self._pieces.read([text]))
        encoding = self._tokenizer.encode(text)
        return list(zip(encoding.ids, encoding.offsets, strict=True))

    def _cut(self, text: str, german: bool) -> list[Token]:
        tokens = self._tokens(text, german)
        if len(tokens) <= self.max_tokens:
            return tokens
        return [*tokens[: self.max_tokens - 1], tokens[-1]]

    def _states(self, rows: Sequence[Sequence[int]], german: bool) -> "tuple[torch.Tensor, torch.Tensor]":
        """What the model makes of each token, (rows, length, dimension), and what each counts, (rows, length)."""
        import torch

        length = max(map(len, rows))
        ids = torch.zeros((len(rows), length), dtype=torch.long)
        is_token = torch.zeros((len(rows), length), dtype=torch.bool)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
            is_token[place, : len(row)] = True
        ids, is_token = ids.to(self._device), is_token.to(self._device)
        with torch.inference_mode():
            states = [self._embedded(ids, german)]
            mask = None if bool(is_token.all()) else is_token[:, None, None, :].expand(-1, -1, length, -1)
            for layer in self._german_layers if german else self._layers:
                states.append(self._transformed(states[-1], mask, layer))
            hidden, weights = states[-1], is_token.to(states[-1])
            if german:
                hidden = sum(
                    weight * state
                    for weight, state in zip(self._layer_weights.tolist(), states, strict=True)
                    if weight
                )
                weights = weights * self._weights_of(ids)
        return hidden, weights

    def _embedded(self, ids: "torch.Tensor", german: bool) -> "torch.Tensor":
        from torch.nn import functional

        english = self._embeddings["word_embeddings.weight"]
        if german:
            own, is_borrowed = self._own(ids)
            words = self._table[own].float() * self._scale[own].float().unsqueeze(-1)
            words[is_borrowed] = english[ids[is_borrowed] - len(self._table)]
        else:
            words = functional.embedding(ids, english)
        # In the order of BERT's own code: sums of floats depend on it.
        words = words + self._embeddings["token_type_embeddings.weight"][0]
        words = words + self._embeddings["position_embeddings.weight"][: ids.shape[1]]
        return self._normalized(words, self._embeddings, "LayerNorm")

    def _own(self, ids: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        """German ids, with 0 where a piece is English, and where that is."""
        is_borrowed = ids >= len(self._table)
        return ids.masked_fill(is_borrowed, 0), is_borrowed

    def _weights_of(self, ids: "torch.Tensor") -> "torch.Tensor":
        """How much each piece counts in the mean; one that is read in English counts in full."""
        own, is_borrowed = self._own(ids)
        return self._piece_weights[own].float().masked_fill(is_borrowed, 1.0)

    def _transformed(
        self, hidden: "torch.Tensor", mask: "torch.Tensor | None", layer: Layer
    ) -> "torch.Tensor":
        from torch.nn import functional

        rows, length, dimension = hidden.shape
        query, key, value = (
            _mapped(hidden, layer, name).view(rows, length, self._heads, -1).transpose(1, 2)
            for name in _MAPS[:3]
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(rows, length, dimension)
        hidden = self._normalized(
            _mapped(seen, layer, "attention.output.dense") + hidden, layer, "attention.output.LayerNorm"
        )
        inner = functional.gelu(_mapped(hidden, layer, "intermediate.dense"))
        return self._normalized(_mapped(inner, layer, "output.dense") + hidden, layer, "output.LayerNorm")

    def _normalized(
        self, hidden: "torch.Tensor", weights: Mapping[str, "torch.Tensor"], name: str
    ) -> "torch.Tensor":
        from torch.nn import functional

        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(hidden, (self.dimension,), weight, bias, self._epsilon)


def _ids(row: Sequence[Token]) -> list[int]:
    return [number for number, _span in row]


def _means(hidden: "torch.Tensor", weights: "torch.Tensor") -> "NDArray[np.float32]":
    """Of the tokens of each row, weighted, of unit length: (rows, dimension)."""
    import torch
    from torch.nn import functional

    with torch.inference_mode():
        weights = weights.unsqueeze(-1)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        vectors: NDArray[np.float32] = functional.normalize(mean, dim=1).cpu().numpy()
    return vectors


def _mapped(hidden: "torch.Tensor", layer: Layer, name: str) -> "torch.Tensor":
    from torch.nn import functional

    return functional.linear(hidden, layer[f"{name}.weight"], layer[f"{name}.bias"])


def _layer(weights: Mapping[str, "torch.Tensor"], number: int) -> Layer:
    names = [f"{part}.{kind}" for part in _PARTS for kind in ("weight", "bias")]
    try:
        return {name: weights[f"encoder.layer.{number}.{name}"] for name in names}
    except KeyError as error:
        raise ValueError(f"the weights lack {error}") from None


def _adapted(layers: Sequence[Layer], adapters: Mapping[str, "torch.Tensor"]) -> list[Layer]:
    """The layers with the low-rank adapters added to their maps; what they leave alone is shared."""
    adapted = [dict(layer) for layer in layers]
    for name in {key.rpartition(".")[0] for key in adapters}:
        try:
            _word, number, of_map = name.split(".", 2)
            layer = adapted[int(number)]
            weight = layer[f"{of_map}.weight"]
            change = adapters[f"{name}.up"].to(weight) @ adapters[f"{name}.down"].to(weight)
            layer[f"{of_map}.weight"] = weight + change
        except (KeyError, IndexError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"the German adapter of {name!r} does not fit the English model: {error}"
            ) from error
    return adapted


def _tokenizer(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    text = file.read_text("utf-8")
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # that library raises nothing more particular
        raise ValueError(f"{file} holds no tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
