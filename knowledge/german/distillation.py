"""Trains the German half so that a German text gets the vector of its English translation.

Multilingual knowledge distillation (Reimers & Gurevych 2020). The English model is the teacher and stays as it is;
the student is the same transformer behind a German input table, with low-rank adapters (LoRA; Hu et al. 2021) beside
its linear maps, because German puts its words in another order. Loss: 1 - cosine to the teacher's vector, and, because
retrieval has to tell texts apart, the divergence between how near student and teacher lie to the other texts of the
batch (relational distillation; Park et al. 2019).

The only module of this package that imports torch. Everything it writes can be continued where it was left.
"""

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from transformers import BertModel

from knowledge.german.pairs import Pair

MAX_TOKENS = 256  # of the English model
_TEACHER_BLOCK = 4096  # examples between two points from which the teacher can go on
_POOL = 16_384  # examples sorted by length at a time, so that a batch holds texts of one length
_WARM_UP = 100  # steps

Weights = Mapping[
    str, NDArray[Any]
]  # "table" and, by the name of its map in the encoder, "….down" and "….up"
RowsFor = Callable[
    [Sequence[int], random.Random], list[list[int]]
]  # token ids of examples, variants included


class AnotherSchedule(Exception):
    """The checkpoint belongs to a training with other settings."""


@dataclass(frozen=True)
class Schedule:
    """How long and how hard to train."""

    epochs: int = 2
    tokens_a_batch: int = 6144  # padding included
    learning_rate: float = 1e-3  # Adam, linear decay to zero
    adapter_rank: int = 16
    relations: float = 0.3  # weight of the divergence
    temperature: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    english: str
    german: str
    is_word: bool = False  # a dictionary entry


def make_examples(
    pairs: Sequence[Pair], *, words_apart: set[str], shares: Mapping[str, float], seed: int
) -> list[Example]:
    """Every pair, and every pair but those of `words_apart` once more in passages of 20 to 130 words.

    Of a source in `shares` (0..1) only that share is drawn, so that a large one does not drown the rest.

    Sentences alone teach a table that reads passages badly. The sentences of a passage come from one source; the
    teacher reads the same ones, so it does not matter that they tell no story.
    """
    chance, draw = random.Random(seed), random.Random(seed + 1)  # noqa: S311 (training data, no secret)
    examples = [
        Example(pair.english, pair.german, is_word=pair.source in words_apart)
        for pair in pairs
        if draw.random() < shares.get(pair.source, 1.0)
    ]
    by_source: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.source not in words_apart:
            by_source.setdefault(pair.source, []).append(pair)
    for source, members in sorted(by_source.items()):
        chance.shuffle(members)
        waiting = iter(members)
        while passage := _next_passage(waiting, chance.randint(20, 130)):
            if len(passage) > 1 and draw.random() < shares.get(source, 1.0):
                examples.append(
                    Example(
                        " ".join(pair.english for pair in passage), " ".join(pair.german for pair in passage)
                    )
                )
    return examples


def _next_passage(waiting: Iterator[Pair], words: int) -> list[Pair]:
    passage: list[Pair] = []
    while words > 0 and (pair := next(waiting, None)) is not None:
        passage.append(pair)
        words -= len(pair.english.split())
    return passage


class Encoder:
    """The English transformer, with its own input table or with another one in front, adapted or not."""

    def __init__(self, folder: Path, *, device: str) -> None:
        """`device` as torch names it, or "auto": a GPU where there is one."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        # bfloat16 is several times faster on current processors and moves a vector by about 0.001. The plain
        # attention is faster in training than the fused one, whose way back is slow on processors.
        bert: Any = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager")
        self.bert: Any = bert.to(self.device, torch.bfloat16).eval()
        for parameter in self.bert.parameters():
            parameter.requires_grad_(False)

    def adapt(self, rank: int) -> dict[str, nn.Parameter]:
        """Puts adapters that do nothing yet beside every linear map; their parameters by name."""
        parameters: dict[str, nn.Parameter] = {}
        for name, linear in list(self.bert.encoder.named_modules()):
            if isinstance(linear, nn.Linear):
                adapted = _Adapted(linear, rank).to(self.device)
                self.bert.encoder.set_submodule(name, adapted)
                parameters[f"{name}.down"], parameters[f"{name}.up"] = adapted.down, adapted.up
        return parameters

    def vectors(self, rows: Sequence[Sequence[int]], table: torch.Tensor | None = None) -> torch.Tensor:
        """Unit vectors, float32 of shape (rows, dimension), of token ids with special tokens."""
        ids, mask = self._padded(rows)
        given = {"input_ids": ids}
        if table is not None:
            given = {"inputs_embeds": F.embedding(ids, table).to(torch.bfloat16)}
        hidden = self.bert(**given, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).float()
        return F.normalize((hidden.float() * weight).sum(1) / weight.sum(1), dim=-1)

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        lengths = np.array([len(row) for row in rows])
        mask = np.arange(ids.shape[1])[None, :] < lengths[:, None]
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask.astype(np.int64)).to(self.device)


class _Adapted(nn.Module):
    """A frozen linear map and what is learned beside it: x -> linear(x) + up(down(x))."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beside: torch.Tensor = F.linear(F.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype))
        adapted: torch.Tensor = self.linear(x) + beside
        return adapted


def token_rows(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Ids with special tokens, cut to what the model reads."""
    rows: list[list[int]] = []
    for start in range(0, len(texts), 2000):  # encodings are large: never all of them at once
        for encoding in tokenizer.encode_batch(list(texts[start : start + 2000])):
            ids = encoding.ids
            rows.append(ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]])
    return rows


def teacher_vectors(
    encoder: Encoder, rows: Sequence[Sequence[int]], *, work: Path, progress: Callable[[int], None]
) -> NDArray[np.float16]:
    """The English model's vectors, (rows, dimension), computed where an earlier run has not got to."""
    file, state = work / "teacher.npy", work / "teacher.json"
    order = sorted(range(len(rows)), key=lambda place: (len(rows[place]), place))
    done = json.loads(state.read_text())["done"] if state.exists() and file.exists() else 0
    shape = (len(rows), int(encoder.bert.config.hidden_size))
    if done:
        vectors = np.lib.format.open_memmap(file, mode="r+")
    else:
        vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
    progress(done)
    for start in range(done, len(order), _TEACHER_BLOCK):
        block = order[start : start + _TEACHER_BLOCK]
        for batch in _by_tokens(block, rows, 16_384):
            with torch.inference_mode():
                vectors[batch] = encoder.vectors([rows[place] for place in batch]).cpu().numpy()
        vectors.flush()
        state.write_text(json.dumps({"done": start + len(block)}))
        progress(len(block))
    return vectors


def train_half(
    table: NDArray[np.float32],
    rows_for: RowsFor,
    targets: NDArray[np.float16],
    encoder: Encoder,
    schedule: Schedule,
    *,
    checkpoint: Path,
    progress: Callable[[int, float], None],
) -> Weights:
    """The trained table and adapters, float32. After every pool of examples a checkpoint says where to go on.

    `targets` has the teacher's vector of every example; `rows_for` gives the token ids of some of them and may vary
    them. `progress` gets the examples seen since the last call and their mean cosine to the teacher. Raises
    AnotherSchedule.
    """
    torch.manual_seed(schedule.seed)
    weights = {"table": nn.Parameter(torch.tensor(table, device=encoder.device))}
    weights |= encoder.adapt(schedule.adapter_rank)
    adam = torch.optim.Adam(weights.values(), lr=schedule.learning_rate, betas=(0.9, 0.98))
    pools = [pool for epoch in range(schedule.epochs) for pool in _pools(len(targets), schedule.seed + epoch)]
    start = step = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=encoder.device, weights_only=True)
        if saved["schedule"] != asdict(schedule):
            raise AnotherSchedule(f"{checkpoint} was left by another schedule: {saved['schedule']}")
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(saved["weights"][name])
        adam.load_state_dict(saved["adam"])
        start, step = saved["pools"], saved["steps"]
        progress(sum(len(pool) for pool in pools[:start]), saved["cosine"])
    for number in range(start, len(pools)):
        chance = random.Random(schedule.seed + number)  # noqa: S311
        pool = pools[number]
        rows = dict(zip(pool, rows_for(pool, chance), strict=True))
        in_order = sorted(pool, key=lambda place: len(rows[place]))
        batches = list(_by_tokens(in_order, rows, schedule.tokens_a_batch))
        chance.shuffle(batches)
        cosines: list[float] = []
        for place, batch in enumerate(batches):
            left = 1 - (number + place / len(batches)) / len(pools)
            step += 1
            adam.param_groups[0]["lr"] = schedule.learning_rate * left * min(1.0, step / _WARM_UP)
            vectors = encoder.vectors([rows[one] for one in batch], weights["table"])
            target = torch.from_numpy(targets[batch].astype(np.float32)).to(encoder.device)
            cosine = (vectors * target).sum(1).mean()
            wanted = F.log_softmax(target @ target.T / schedule.temperature, dim=1)
            found = F.log_softmax(vectors @ target.T / schedule.temperature, dim=1)
            apart = F.kl_div(found, wanted, log_target=True, reduction="batchmean")
            adam.zero_grad()
            (1 - cosine + schedule.relations * apart).backward()  # type: ignore[no-untyped-call]
            adam.step()
            cosines.append(float(cosine.detach()))
        mean = float(np.mean(cosines))
        done = {"pools": number + 1, "steps": step, "cosine": mean, "schedule": asdict(schedule)}
        kept = {name: weight.detach() for name, weight in weights.items()}
        torch.save(
            {"weights": kept, "adam": adam.state_dict(), **done}, part := checkpoint.with_suffix(".part")
        )
        part.replace(checkpoint)
        progress(len(pool), mean)
    return {name: weight.detach().cpu().numpy() for name, weight in weights.items()}


def _pools(examples: int, seed: int) -> list[list[int]]:
    order = list(range(examples))
    random.Random(seed).shuffle(order)  # noqa: S311
    return [order[start : start + _POOL] for start in range(0, examples, _POOL)]


def _by_tokens(
    places: Sequence[int], rows: Sequence[Sequence[int]] | Mapping[int, Sequence[int]], tokens: int
) -> Iterator[list[int]]:
    """Batches of neighbours whose padded size stays within `tokens`; `places` are sorted by length."""
    batch: list[int] = []
    for place in places:
        if batch and (len(batch) + 1) * len(rows[place]) > tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
