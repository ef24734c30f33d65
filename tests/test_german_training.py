"""Building the German half, on a language of a few words."""

import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from knowledge.german.alignment import align
from knowledge.german.pairs import BadPairsFile, Pair, read_pairs
from knowledge.german.transfer import HALF_AT, NORM, initial_table, piece_weights
from tests.toy_german import write_toy_pairs


@pytest.fixture
def pairs_file(tmp_path):
    return write_toy_pairs(tmp_path / "pairs.tsv.gz")


def test_alignment_finds_who_stands_for_whom():
    found = align([[1, 2], [1], [2, 3], [3, 1]], [[5, 6], [5], [6, 7], [7, 5]])
    best = {
        german: int(found.english[found.german == german][found.probability[found.german == german].argmax()])
        for german in (1, 2, 3)
    }
    assert best == {1: 5, 2: 6, 3: 7}
    for german in (1, 2, 3):
        assert found.probability[found.german == german].sum() == pytest.approx(1.0, abs=1e-5)


def test_alignment_of_nothing_is_nothing():
    assert len(align([[], [1]], [[2], []]).probability) == 0


def test_the_first_table_copies_mixes_and_guesses():
    english = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "7": 5, "dog": 6, "hound": 7}
    german = {
        "[PAD]": 0,
        "[UNK]": 1,
        "[CLS]": 2,
        "[SEP]": 3,
        "[MASK]": 4,
        "7": 5,
        "hund": 6,
        "hunde": 7,
        "xyq": 8,
    }
    vectors = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    table, origin = initial_table(
        align([[6], [6, 6], [5]], [[6], [7, 6], [5]]),
        german_pieces=german,
        english_pieces=english,
        english_table=vectors,
        english_counts=np.array([0, 0, 0, 0, 0, 4, 4, 2]),
    )
    assert origin == {"copied": 6, "aligned": 1, "same_spelling": 0, "neighbours": 2}
    np.testing.assert_array_equal(table[:6], vectors[:6])
    parts = np.linalg.norm(vectors[6:8], axis=1)
    assert NORM * parts.min() <= np.linalg.norm(table[6]) <= NORM * parts.max()
    cosine = table[7] @ table[6] / np.linalg.norm(table[7]) / np.linalg.norm(table[6])
    assert cosine > 0.9, "'hunde' has no translation and is spelled like 'hund'"
    assert np.isfinite(table).all() and np.linalg.norm(table[8]) > 0


def test_a_frequent_piece_weighs_less_than_a_rare_one():
    weights = piece_weights(np.array([0.0, HALF_AT / 10, HALF_AT, HALF_AT * 99]))
    np.testing.assert_allclose(weights, [1.0, 10 / 11, 0.5, 0.01], rtol=1e-5)


def test_a_model_is_built_and_trained(pairs_file, tmp_path, capsys):
    from knowledge.embeddings import load_embedder

    work, out = tmp_path / "work", tmp_path / "model"
    call_command("train_german", pairs_file, work=work, out=out, epochs=6)
    assert "SHA-256" in capsys.readouterr().out
    assert json.loads((work / "sources.json").read_text()) == {"manual": 100, "wiktionary": 9}
    first = load_embedder(str(out))
    english = ["the battery costs", "the bicycle lock", "the invoice shows the cancellation"]
    german = ["Akku kostet", "Fahrrad Schloss", "Rechnung zeigt Kündigung"]
    cosines = first.encode_passages(german, language="de") @ first.encode_passages(english, language="en").T
    assert cosines.argmax(axis=1).tolist() == [0, 1, 2]

    # What an earlier run left behind is used.
    (work / "trained-6.safetensors").unlink()
    call_command("train_german", pairs_file, work=work, out=tmp_path / "again", epochs=6)
    again = load_embedder(str(tmp_path / "again"))
    np.testing.assert_allclose(
        again.encode_passages(german, language="de"), first.encode_passages(german, language="de"), atol=1e-4
    )


def test_training_goes_on_where_it_was_interrupted(tmp_path):
    from knowledge.embeddings import english_folder
    from knowledge.german.distillation import Encoder, Schedule, train_half

    table = np.random.default_rng(0).normal(scale=0.04, size=(50, 384)).astype(np.float32)
    rows = [[2, 5 + number % 40, 6 + number % 30, 3] for number in range(60)]
    targets = np.random.default_rng(1).normal(scale=0.05, size=(60, 384)).astype(np.float16)

    def train(name, progress=lambda _done, _cosine: None):
        return train_half(
            table,
            lambda places, _chance: [rows[place] for place in places],
            targets,
            Encoder(english_folder(), device="cpu"),
            Schedule(epochs=4, adapter_rank=2),
            checkpoint=tmp_path / name,
            progress=progress,
        )

    rounds = []

    def interrupt(done, _cosine):
        rounds.append(done)
        if len(rounds) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("interrupted", interrupt)
    resumed, whole = train("interrupted"), train("in one go")
    assert resumed.keys() == whole.keys() and len(whole) > 1
    for name, weight in whole.items():
        np.testing.assert_allclose(resumed[name], weight, atol=1e-5)


def test_a_work_folder_of_another_build_is_refused(pairs_file, tmp_path):
    work = tmp_path / "work"
    call_command("train_german", pairs_file, work=work, out=tmp_path / "model", epochs=0)
    with pytest.raises(CommandError, match="another seed"):
        call_command("train_german", pairs_file, work=work, out=tmp_path / "model", epochs=0, seed=1)


def test_a_pairs_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"none\.tsv: cannot be read"):
        call_command("train_german", tmp_path / "none.tsv", work=tmp_path / "work", out=tmp_path / "m")


def test_a_source_that_is_not_there_cannot_be_left_out(pairs_file, tmp_path):
    with pytest.raises(CommandError, match=r"no source mdn\. It has: manual, ntrex, wiktionary"):
        call_command("train_german", pairs_file, work=tmp_path / "work", out=tmp_path / "m", without=["mdn"])


@pytest.mark.parametrize("line", ["manual\tonly two", "manual\t\tleer", "a\tb\tc\td", ""])
def test_bad_pairs_are_named_with_file_and_line(tmp_path, line):
    file = tmp_path / "pairs.tsv"
    file.write_text(f"manual\tone\teins\n{line}\nmanual\ttwo\tzwei\n")
    with pytest.raises(BadPairsFile, match=r"pairs\.tsv, line 2"):
        read_pairs(file)


def test_sources_are_chosen_by_name(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("manual\tone\teins\nnews\ttwo\tzwei\n")
    assert read_pairs(file, only={"news"}) == [Pair("news", "two", "zwei")]
    with pytest.raises(BadPairsFile, match="It has: manual, news"):
        read_pairs(file, without={"nwes"})
