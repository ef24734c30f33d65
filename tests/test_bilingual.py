"""A model of two halves: one vector space, two ways in, and the English way untouched."""

import json
import shutil
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from knowledge.embeddings import EmbedderUnavailable, current_recipe, english_folder, load_embedder
from tests.toy_german import write_toy_pairs

ENGLISH = [
    "The battery needs the bicycle.",
    "The cancellation costs the invoice. " * 12,
    "How do I get a refund when the street is closed?",
]
GERMAN = ["Akku braucht Fahrrad.", "Kündigung kostet Rechnung. " * 12, "Straße zeigt Fahrrad."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Aligned and not trained: a few seconds, and good enough to find a word's translation."""
    work = tmp_path_factory.mktemp("german")
    pairs = write_toy_pairs(work / "pairs.tsv.gz")
    call_command("train_german", pairs, work=work / "steps", out=work / "model", epochs=0)
    return work / "model"


@pytest.fixture(scope="module")
def both(folder):
    return load_embedder(str(folder))


def test_english_vectors_are_those_of_the_english_model_to_the_last_bit(both):
    english_alone = load_embedder(str(english_folder()))
    wanted = english_alone.encode_passages(ENGLISH)
    assert np.array_equal(both.encode_passages(ENGLISH, language="en"), wanted)
    assert np.array_equal(both.encode_passages(ENGLISH), wanted), "told by the words"
    text = ENGLISH[1]
    assert both.count_tokens(text, language="en") == english_alone.count_tokens(text, language="en")


def test_translations_are_neighbours(both):
    cosines = (
        both.encode_passages(GERMAN[:2], language="de") @ both.encode_passages(ENGLISH[:2], language="en").T
    )
    assert cosines.argmax(axis=1).tolist() == [0, 1]
    assert cosines.argmax(axis=0).tolist() == [0, 1]


def test_one_call_takes_both_languages(both):
    texts = [(ENGLISH[1], "en"), (GERMAN[1], "de"), (ENGLISH[2], "en"), ("Wann kommt meine Rechnung?", "de")]
    mixed = both.encode_passages([text for text, _language in texts])
    apart = [both.encode_question(text, language=language) for text, language in texts]
    np.testing.assert_allclose(mixed, np.stack(apart), atol=1e-5)


def test_the_language_said_decides_and_not_the_words(both):
    name = "Havelrad Plus"
    german, english = (both.encode_question(name, language=language) for language in ("de", "en"))
    assert not np.allclose(german, english, atol=1e-3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kündigung für größere Räder", "Kuendigung fuer groessere Raeder"),
        ("Straße", "STRASSE"),
        ("für alle Kund*innen", "für alle KundInnen"),
        ("für alle Bürger:innen", "für alle Bürger/-innen"),
        ("für alle Bürger/innen", "für alle Bürgerinnen"),
        ("Fahr\u00adrad\u00adver\u00adleih", "Fahrradverleih"),
    ],
)
def test_spellings_of_the_same_are_the_same_pieces(both, one, other):
    tokenizer = both.encoder.model[0].german_tokenizer
    assert tokenizer.encode(one).ids == tokenizer.encode(other).ids


def test_a_slash_between_words_is_no_gender_sign(both):
    assert "/" in both.encoder.model[0].german_tokenizer.encode("und/in der").tokens


def test_long_texts_are_cut_and_counted_in_full(both):
    long = "Die Rechnung kostet 15 Euro. " * 100
    assert both.count_tokens(long, language="de") > 600
    assert np.isfinite(both.encode_question(long, language="de")).all()
    assert np.isfinite(both.encode_question("", language="de")).all()


def test_the_folder_loads_and_saves_through_the_library(folder, both, tmp_path):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")
    model.save(str(tmp_path / "copy"))
    again = SentenceTransformer(str(tmp_path / "copy"), trust_remote_code=True, device="cpu")
    texts = [GERMAN[0], ENGLISH[0]]
    assert np.array_equal(model.encode(texts), again.encode(texts))
    german = model.encode(texts, language="de")
    assert np.array_equal(german, again.encode(texts, language="de"))
    np.testing.assert_allclose(german[0], both.encode_question(GERMAN[0], language="de"), atol=1e-5)


def test_a_folder_that_names_other_code_is_not_run(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    modules = json.loads((copy / "modules.json").read_text())
    modules[1]["type"] = "os.system"
    (copy / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EmbedderUnavailable, match="third-party code"):
        load_embedder(str(copy))


def test_a_table_that_does_not_fit_its_pieces_is_refused(folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = load_file(copy / "german.safetensors")
    save_file({name: rows[:-1] for name, rows in weights.items()}, copy / "german.safetensors")
    with pytest.raises(EmbedderUnavailable, match="German table"):
        load_embedder(str(copy))


def _with_weights(folder, copy, change):
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folder, copy)
    tensors = load_file(copy / "german.safetensors")
    tensors["weights"] = change(tensors["weights"]).astype(np.float16)
    save_file(tensors, copy / "german.safetensors")
    return load_embedder(str(copy))


def test_frequent_pieces_count_less_in_german_and_english_is_not_weighed(folder, both, tmp_path):
    even = _with_weights(folder, tmp_path / "even", np.ones_like)
    halved = _with_weights(folder, tmp_path / "halved", lambda weights: np.full_like(weights, 0.5))
    assert np.array_equal(
        even.encode_passages(ENGLISH, language="en"), both.encode_passages(ENGLISH, language="en")
    )
    german = both.encode_passages(GERMAN, language="de")
    plain = even.encode_passages(GERMAN, language="de")
    assert not np.allclose(german, plain, atol=1e-2)
    np.testing.assert_allclose(halved.encode_passages(GERMAN, language="de"), plain, atol=1e-5)


def test_a_word_without_weight_leaves_the_others(folder, both, tmp_path):
    pieces = both.encoder.model[0].german_tokenizer

    def only_the_bicycle(weights):
        weights[:] = 0
        weights[pieces.token_to_id("fahrrad")] = 1
        return weights

    one = _with_weights(folder, tmp_path / "one", only_the_bicycle)
    text = "Akku braucht Fahrrad."
    router = one.encoder.model[0]
    features = router.forward(router.preprocess([text], language="de"))
    place = pieces.encode(text).tokens.index("fahrrad")
    hidden = features["token_embeddings"][0].detach().numpy()
    assert np.flatnonzero(np.abs(hidden).sum(axis=1)).tolist() == [place]
    expected = hidden[place] / np.linalg.norm(hidden[place])
    np.testing.assert_allclose(one.encode_question(text, language="de"), expected, atol=1e-5)


def test_a_half_of_an_earlier_version_is_refused(folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "german.safetensors")
    del tensors["weights"]
    save_file(tensors, copy / "german.safetensors")
    with pytest.raises(EmbedderUnavailable, match=r"lacks weights; .* train_german"):
        load_embedder(str(copy))


def test_a_name_that_only_english_knows_is_read_in_english_pieces():
    from sentence_transformers import SentenceTransformer

    shipped = load_embedder("minilm-de-en")
    folder = files("knowledge.embeddings") / "minilm_de_en"
    router: Any = SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")[0]
    pieces, english = router._pieces, router.english.tokenizer
    [row] = pieces.ids(["Wo ist Luther?"])
    assert len(router.german_tokenizer.encode("Luther", add_special_tokens=False).ids) > 1
    assert row[3] == pieces.borrowed_from + english.convert_tokens_to_ids("luther")
    assert all(number < pieces.borrowed_from for place, number in enumerate(row) if place != 3)
    assert shipped.count_tokens("Wo ist Luther?", language="de") == len(row)
    luther = shipped.encode_question("Luther", language="de")
    assert luther @ shipped.encode_question("Luther", language="en") > 0.8
    [compound] = pieces.ids(["Kontoeröffnungsgebühr"])
    assert all(number < pieces.borrowed_from for number in compound), "English would need more pieces"


def _with_adapter(folder, copy, name, rows=384):
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folder, copy)
    random = np.random.default_rng(0)
    adapter = {
        f"{name}.down": random.normal(size=(2, 384)).astype(np.float16),
        f"{name}.up": random.normal(size=(rows, 2)).astype(np.float16),
    }
    save_file({**load_file(copy / "german.safetensors"), **adapter}, copy / "german.safetensors")
    return str(copy)


def test_adapters_change_german_and_leave_english_alone(folder, both, tmp_path):
    from sentence_transformers import SentenceTransformer

    place = _with_adapter(folder, tmp_path / "adapted", "layer.0.attention.output.dense")
    adapted = load_embedder(place)
    assert np.array_equal(
        adapted.encode_passages(ENGLISH, language="en"), both.encode_passages(ENGLISH, language="en")
    )
    german = adapted.encode_passages(GERMAN, language="de")
    assert not np.allclose(german, both.encode_passages(GERMAN, language="de"), atol=1e-2)

    SentenceTransformer(place, trust_remote_code=True, device="cpu").save(str(tmp_path / "saved"))
    again = load_embedder(str(tmp_path / "saved"))
    assert np.array_equal(again.encode_passages(GERMAN, language="de"), german)


@pytest.mark.parametrize(("name", "rows"), [("layer.9.nowhere", 384), ("layer.0.attention.output.dense", 7)])
def test_an_adapter_that_fits_nothing_is_refused_by_name(folder, tmp_path, name, rows):
    with pytest.raises(EmbedderUnavailable, match=name):
        load_embedder(_with_adapter(folder, tmp_path / "bad", name, rows))


def test_the_shipped_half_is_checked_before_it_is_used(monkeypatch, tmp_path):
    from knowledge import embeddings

    copy = tmp_path / "copy"
    shutil.copytree(embeddings._BILINGUAL_FOLDER, copy)
    monkeypatch.setattr(embeddings, "_BILINGUAL_FOLDER", copy)
    load_embedder("minilm-de-en")
    with (copy / "german_tokenizer.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(EmbedderUnavailable, match="expected SHA-256"):
        load_embedder("minilm-de-en")


def test_the_recipe_follows_table_and_tokenizer(folder, tmp_path, settings):
    def recipe(of):
        settings.EMBEDDING_MODEL = str(of)
        return current_recipe().fingerprint

    known = {recipe(folder)}
    for name in ("german.safetensors", "german_tokenizer.json"):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        with (copy / name).open("ab") as file:
            file.write(b" ")
        known.add(recipe(copy))
    assert len(known) == 3
