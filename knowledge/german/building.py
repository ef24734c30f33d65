"""From a pairs file to the folder of the finished model, step by step, each kept in the work folder.

A run that was interrupted goes on with the first step whose result is not there. What was asked for is kept beside
the results, so that results of another pairs file or other options are never mixed in.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from knowledge.german.alignment import EM_ROUNDS, align
from knowledge.german.pairs import BadPairsFile, Pair, read_pairs
from knowledge.german.transfer import initial_table, piece_weights
from knowledge.german.variants import GenderForms, Splits, with_typing_error, without_umlauts
from knowledge.german.wordpieces import FRAME, train_tokenizer

if TYPE_CHECKING:
    from knowledge.german.distillation import Example, RowsFor

Say = Callable[[str], None]
# The last layer has been trained to say what a sentence means; an earlier one still knows its words.
LAYERS = np.array([0, 0, 0, 0, 0.1, 0, 1], dtype=np.float32)


class AnotherBuild(Exception):
    """The work folder holds results of other options or other pairs."""


@dataclass(frozen=True)
class GermanHalf:
    tokenizer: Tokenizer
    table: NDArray[np.float32]  # (pieces, dimension), input vectors
    weights: NDArray[np.float32]  # (pieces,), 0..1, how much each counts in the mean of a text
    layers: NDArray[np.float32]  # (7,), how much the transformer's input and each of its outputs count
    # "NAME.down" (rank, in) and "NAME.up" (out, rank) by the name of a map in the encoder; may be empty
    adapters: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Options:
    """What shapes the model."""

    measured_only: tuple[str, ...] = ("ntrex", "flores_devtest")  # sources that measure and never train
    without: tuple[str, ...] = ()  # further sources to leave out
    dictionaries: tuple[str, ...] = ("wiktionary",)  # counted twice: one pair has to outweigh loose sentences
    # Documentation of one thing would otherwise be most of what the training reads.
    shares: tuple[tuple[str, float], ...] = (("mdn", 0.4), ("mdn_api", 0.1))
    not_for_pieces: tuple[str, ...] = ("mdn_api",)  # names of functions would fill the vocabulary
    typing_errors: float = 0.12  # share of the texts that are shown with one
    no_umlauts: float = 0.04  # share shown without umlauts
    gender_forms: float = 0.2  # share whose nouns for people are shown in the feminine
    splits: float = 0.05  # share of the divisible pieces shown as two
    epochs: int = 2  # 0: the aligned table, untrained
    trained_share: float = 0.75  # 0..1, of the way from the aligned table to the trained weights
    seed: int = 0


def build(
    pairs_file: Path, english: Path, work: Path, options: Options, *, device: str, say: Say
) -> GermanHalf:
    """`english` is the folder of the English model. Raises BadPairsFile and AnotherBuild."""
    all_pairs = read_pairs(pairs_file)
    counts = Counter(pair.source for pair in all_pairs)
    if unknown := set(options.without) - counts.keys():
        raise BadPairsFile(
            f"{pairs_file} has no source {', '.join(sorted(unknown))}. It has: {', '.join(sorted(counts))}."
        )
    work.mkdir(parents=True, exist_ok=True)
    _claim(work, pairs_file, options)
    left_out = {*options.measured_only, *options.without} & counts.keys()
    pairs = [pair for pair in all_pairs if pair.source not in left_out]
    say(f"{len(pairs)} pairs; left out: {', '.join(sorted(left_out)) or 'none'}")
    (work / "sources.json").write_text(
        json.dumps(
            {source: count for source, count in sorted(counts.items()) if source not in left_out}, indent=1
        )
    )
    tokenizer = _tokenizer(work, pairs, options, say)
    table = _initial(work, pairs, tokenizer, english, options, say)
    weights = piece_weights(_frequencies(pairs, tokenizer, options))
    if not options.epochs:
        return GermanHalf(tokenizer, table, weights, LAYERS, {})
    trained = dict(_trained(work, pairs, tokenizer, table, english, options, device, say))
    # Part of the way: what training gains across languages without all it costs on passages of other subjects
    # (weights between two ends of a fine-tuning; Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    share = np.float32(options.trained_share)
    table += share * (trained.pop("table") - table)
    adapters = {name: weight * share if name.endswith(".up") else weight for name, weight in trained.items()}
    return GermanHalf(tokenizer, table, weights, LAYERS, adapters)


def _claim(work: Path, pairs_file: Path, options: Options) -> None:
    with pairs_file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    asked = json.loads(json.dumps({"pairs_sha256": digest, **asdict(options)}))
    del asked["epochs"], asked["trained_share"]  # shape the last steps alone; files name the epochs
    claim = work / "options.json"
    if claim.exists() and (found := json.loads(claim.read_text())) != asked:
        different = sorted(key for key in asked if found.get(key) != asked[key])
        raise AnotherBuild(
            f"{work} holds a build with another {', '.join(different)}. Take another work folder, or delete this one."
        )
    claim.write_text(json.dumps(asked, indent=1))


def _tokenizer(work: Path, pairs: list[Pair], options: Options, say: Say) -> Tokenizer:
    file = work / "tokenizer.json"
    if not file.exists():
        say("learning the German word pieces")
        texts = (
            pair.german
            for pair in pairs
            if pair.source not in options.not_for_pieces
            for _time in range(2 if pair.source in options.dictionaries else 1)
        )
        train_tokenizer(texts).save(str(file), pretty=False)
    return Tokenizer.from_file(str(file))


def _initial(
    work: Path, pairs: list[Pair], tokenizer: Tokenizer, english: Path, options: Options, say: Say
) -> NDArray[np.float32]:
    file = work / "aligned.npy"
    if file.exists():
        return np.asarray(np.load(file))
    from safetensors.numpy import load_file

    english_tokenizer = _english_tokenizer(english)
    english_table = load_file(english / "model.safetensors")["embeddings.word_embeddings.weight"].astype(
        np.float32
    )
    say("aligning words")
    german_ids = _ids(tokenizer, [pair.german for pair in pairs])
    english_ids = _ids(english_tokenizer, [pair.english for pair in pairs])
    twice = [place for place, pair in enumerate(pairs) if pair.source in options.dictionaries]
    german_ids += [german_ids[place] for place in twice]
    english_ids += [english_ids[place] for place in twice]
    translations = align(german_ids, english_ids, progress=lambda done: say(f"  round {done} of {EM_ROUNDS}"))
    seen = np.fromiter(chain.from_iterable(english_ids), np.int64)
    english_counts = np.bincount(seen, minlength=len(english_table))
    table, origin = initial_table(
        translations,
        german_pieces=tokenizer.get_vocab(),
        english_pieces=english_tokenizer.get_vocab(),
        english_table=english_table,
        english_counts=english_counts,
    )
    say("  pieces: " + ", ".join(f"{name} {count}" for name, count in origin.items()))
    (work / "origin.json").write_text(json.dumps(origin))
    _keep(file, table)
    return table


def _frequencies(pairs: list[Pair], tokenizer: Tokenizer, options: Options) -> NDArray[np.float64]:
    """How often each piece stands in running text, special tokens included, (pieces,)."""
    left_out = {*options.not_for_pieces, *options.dictionaries}
    texts = [pair.german for pair in pairs if pair.source not in left_out]
    seen = np.fromiter(chain.from_iterable(_ids(tokenizer, texts)), np.int64)
    pieces = tokenizer.get_vocab()
    counts = np.bincount(seen, minlength=len(pieces)).astype(np.float64)
    counts[[pieces[piece] for piece in FRAME]] = len(texts)  # one of each a text
    return np.asarray(counts / max(1.0, counts.sum()))


def _trained(
    work: Path,
    pairs: list[Pair],
    tokenizer: Tokenizer,
    table: NDArray[np.float32],
    english: Path,
    options: Options,
    device: str,
    say: Say,
) -> Mapping[str, NDArray[np.float32]]:
    from safetensors.numpy import load_file, save_file

    file = work / f"trained-{options.epochs}.safetensors"
    if file.exists():
        return load_file(file)
    from tqdm import tqdm

    from knowledge.german.distillation import (
        AnotherSchedule,
        Encoder,
        Schedule,
        make_examples,
        teacher_vectors,
        token_rows,
        train_half,
    )

    examples = make_examples(
        pairs, words_apart=set(options.dictionaries), shares=dict(options.shares), seed=options.seed
    )
    encoder = Encoder(english, device=device)
    say(f"{len(examples)} examples; the teacher reads the English side")
    rows = token_rows(_english_tokenizer(english), [example.english for example in examples])
    with tqdm(total=len(examples), unit="text", disable=None) as bar:
        targets = teacher_vectors(encoder, rows, work=work, progress=bar.update)
    say(f"training on {encoder.device.type}, {options.epochs} epochs")
    with tqdm(total=len(examples) * options.epochs, unit="text", disable=None) as bar:
        try:
            trained = train_half(
                table,
                _rows_with_variants(examples, tokenizer, options),
                targets,
                encoder,
                Schedule(epochs=options.epochs, seed=options.seed),
                checkpoint=work / f"checkpoint-{options.epochs}.pt",
                progress=partial(_advance, bar),
            )
        except AnotherSchedule as error:
            raise AnotherBuild(f"{error}. Take another work folder, or delete that file.") from error
    save_file(dict(trained), unfinished := file.with_suffix(".part"))
    unfinished.replace(file)
    return trained


def _rows_with_variants(examples: Sequence["Example"], tokenizer: Tokenizer, options: Options) -> "RowsFor":
    """Token ids of the German side, each time with other typing errors, gender forms and cuts."""
    from knowledge.german.distillation import MAX_TOKENS, token_rows

    forms = GenderForms(example.german for example in examples)
    splits = Splits(tokenizer.get_vocab())

    def varied(example: "Example", chance: random.Random) -> str:
        text = example.german
        if chance.random() < options.gender_forms:
            text = forms.vary(text, chance)
        if chance.random() < options.no_umlauts:
            text = without_umlauts(text)
        if not example.is_word and chance.random() < options.typing_errors:
            text = with_typing_error(text, chance)
        return text

    def rows_for(places: Sequence[int], chance: random.Random) -> list[list[int]]:
        rows = token_rows(tokenizer, [varied(examples[place], chance) for place in places])
        cut = [splits.apply(row, options.splits, chance) for row in rows]
        return [row if len(row) <= MAX_TOKENS else [*row[: MAX_TOKENS - 1], row[-1]] for row in cut]

    return rows_for


def _keep(file: Path, array: NDArray[np.float32]) -> None:
    """Whole or not at all: a step counts as done when its file is there."""
    unfinished = file.with_suffix(".part.npy")
    np.save(unfinished, array)
    unfinished.replace(file)


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Without special tokens. In parts: the tokenizer's results are large, and only the ids are wanted."""
    ids: list[list[int]] = []
    for start in range(0, len(texts), 2000):
        part = tokenizer.encode_batch(list(texts[start : start + 2000]), add_special_tokens=False)
        ids.extend(encoding.ids for encoding in part)
    return ids


def _english_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _advance(bar: Any, done: int, cosine: float) -> None:
    bar.set_postfix(cosine=f"{cosine:.3f}", refresh=False)
    bar.update(done)
