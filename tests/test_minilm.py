"""The models that come with the project are read without sentence-transformers, and give the same vectors."""

import shutil
from typing import Any

import numpy as np
import pytest

from knowledge import embeddings
from knowledge.embeddings import EmbedderUnavailable, english_folder, load_embedder
from knowledge.embeddings.minilm import MiniLMEncoder
from knowledge.embeddings.sentence_transformer import SentenceTransformerEncoder
from tests.processes import start_python

OPTIONS: dict[str, Any] = {"device": "cpu", "threads": 0, "max_tokens": 256}
TEXTS = [
    "How do I pause my subscription?",
    "Wie pausiere ich mein Abo?",
    "Kündigung",
    "",
    "ok",
    "Größe: 12,50 € – „Straße“ (Kund*innen) naïve 日本語 🙂 a\x00b\u00ad",
    "The battery has to be charged before the first ride. " * 60,  # longer than the model reads
    "Der Akku muss vor der ersten Fahrt geladen werden, sagt die Anleitung. " * 60,
]


@pytest.fixture(scope="module")
def pairs():
    """By name of the model: read here, and by sentence-transformers from the same files."""
    english, german = english_folder(), embeddings._BILINGUAL_FOLDER
    library = SentenceTransformerEncoder
    return {
        "minilm": (MiniLMEncoder(english, None, **OPTIONS), library(str(english), local=True, **OPTIONS)),
        "minilm-de-en": (
            MiniLMEncoder(english, german, **OPTIONS),
            library(str(german), local=True, has_own_modules=True, **OPTIONS),
        ),
    }


@pytest.mark.parametrize("language", ["en", "de", None])
@pytest.mark.parametrize("name", ["minilm", "minilm-de-en"])
def test_vectors_are_those_of_sentence_transformers(pairs, name, language):
    own, library = pairs[name]
    wanted = library.encode(TEXTS, is_question=False, language=language)
    found = own.encode(TEXTS, is_question=False, language=language)
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 1e-6
    one_by_one = np.stack([own.encode([text], is_question=True, language=language)[0] for text in TEXTS])
    assert np.abs(one_by_one - wanted).max() < 1e-6
    assert (own.dimension, own.max_tokens) == (library.dimension, library.max_tokens)


@pytest.mark.parametrize("name", ["minilm", "minilm-de-en"])
def test_tokens_are_counted_as_the_model_reads_them(pairs, name):
    own, library = pairs[name]
    for text in TEXTS:
        for language in ("en", "de"):
            assert own.count_tokens(text, language=language) == library.count_tokens(text, language=language)


def test_more_texts_than_fit_into_one_call_keep_their_order(pairs):
    own, _library = pairs["minilm-de-en"]
    texts = [f"Part {number} of the manual. " * (number % 7 + 1) for number in range(70)]
    together = own.encode(texts, is_question=False, language="en")
    apart = np.stack([own.encode([text], is_question=False, language="en")[0] for text in texts])
    assert np.abs(together - apart).max() < 1e-6


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("config.json", '"gelu"', '"relu"', "no model of the kind"),
        ("tokenizer.json", '"version"', '"revision"', "holds no tokenizer"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path, monkeypatch, file, old, new, complaint):
    copy = tmp_path / "model"
    shutil.copytree(english_folder(), copy)
    monkeypatch.setattr(embeddings, "english_folder", lambda: copy)
    changed = copy / file
    changed.write_text(changed.read_text().replace(old, new))
    with pytest.raises(EmbedderUnavailable, match=f"EMBEDDING_MODEL='minilm'.*{complaint}"):
        load_embedder("minilm")


def test_a_process_embeds_without_importing_what_takes_seconds(tmp_path):
    code = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from knowledge.embeddings import get_embedder
get_embedder().encode_question("Wie pausiere ich mein Abo?", language="de")
print(sorted({"torch", "sentence_transformers", "transformers", "sklearn"} & set(sys.modules)))
"""
    out, err = start_python(tmp_path, code).communicate(timeout=300)
    assert out.strip() == "['torch']", err


PARTS: list[list[tuple[int, int] | None]] = [
    [(0, 3), (4, 31)],
    [(0, 3), (13, 25), None],
    [(0, 9)],
    [(0, 0)],
    [],
    [(0, 16), (20, 28), (42, 50)],
    [(0, 55), (2000, 2040)],  # the second is cut off
    [(0, 71), (71, 142), (3000, 3100)],
]


@pytest.mark.parametrize("language", ["en", "de", None])
@pytest.mark.parametrize("name", ["minilm", "minilm-de-en"])
def test_parts_of_texts_are_those_of_sentence_transformers(pairs, name, language):
    own, library = pairs[name]
    wholes, found = own.encode_with_parts(TEXTS, PARTS, language=language)
    wanted_wholes, wanted = library.encode_with_parts(TEXTS, PARTS, language=language)
    assert np.array_equal(wholes, own.encode(TEXTS, is_question=False, language=language))
    assert np.abs(wholes - wanted_wholes).max() < 1e-6
    assert [one.shape for one in found] == [(len(spans), 384) for spans in PARTS]
    for mine, theirs in zip(found, wanted, strict=True):
        assert np.abs(mine - theirs).max(initial=0.0) < 1e-6
        assert np.linalg.norm(mine, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(found[1][2], wholes[1]), "without a span it is the text itself"
    assert np.array_equal(found[6][1], wholes[6]), "what the model never read has no tokens"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The helmet costs 49 euros. The battery lasts two days."),
        ("de", "Der Helm kostet 49 Euro. Das Cloudflare-Konto bleibt zwei Tage offen."),
    ],
)
def test_a_part_knows_what_it_says_and_where_it_stands(pairs, language, text):
    own, _library = pairs["minilm-de-en"]
    border = text.index(". ") + 1
    spans = [(0, border), (border + 1, len(text))]
    _wholes, (parts,) = own.encode_with_parts([text], [spans], language=language)
    alone = own.encode([text[start:end] for start, end in spans], is_question=False, language=language)
    nearness = parts @ alone.T
    assert nearness.argmax(axis=1).tolist() == [0, 1]
    assert nearness[0, 0] < 1 - 1e-3, "it was read with its neighbour"
