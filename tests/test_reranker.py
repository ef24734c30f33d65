"""An optional cross-encoder puts the first passages in its order, in time or not at all."""

import pytest

from assistant.confidence import assess, model_in_use
from helpcenter.checks import switches_are_known
from knowledge.embeddings.cross_encoder import Reranker, forget_reranker
from knowledge.retrieval import retrieve

pytestmark = pytest.mark.django_db

QUESTION = "What does a pause of my subscription cost?"
TEXTS = {
    "Pause your subscription": "A pause of your subscription costs 9 euros a month.",
    "End your subscription": "A subscription ends at the end of the month. Tell us two weeks before.",
    "Paying": "We accept PayPal and cards. The subscription is paid on the first of the month.",
    "Repairs": "A repair costs nothing as long as your subscription runs.",
}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A cross-encoder of a few kilobytes whose values mean nothing, but are different for different texts."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder = tmp_path_factory.mktemp("cross-encoder")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(5)
    BertForSequenceClassification(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            initializer_range=1.0,
            id2label={0: "fits"},
            label2id={"fits": 0},
        )
    ).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    forget_reranker()


@pytest.fixture
def articles(make_article):
    return [make_article(title, body) for title, body in TEXTS.items()]


def test_the_first_passages_are_in_its_order_and_the_places_keep_their_values(
    articles, model_folder, settings
):
    before = retrieve(QUESTION, language="en")
    settings.RERANKER_MODEL, settings.RERANKER_SECONDS = str(model_folder), 5.0
    after = retrieve(QUESTION, language="en")
    by_hand = Reranker(str(model_folder), device="cpu").scores(
        QUESTION, [f"{one.title}\n{one.text}" for one in before.passages], seconds=60
    )
    assert by_hand is not None
    expected = sorted(zip(by_hand, before.passages, strict=True), key=lambda pair: -pair[0])
    assert [one.passage_id for one in after.passages] == [one.passage_id for _value, one in expected]
    assert [one.passage_id for one in after.passages] != [one.passage_id for one in before.passages]
    assert [one.fused for one in after.passages] == [one.fused for one in before.passages]
    assert [one.rank for one in after.passages] == [1, 2, 3, 4]
    assert after.article_ids == tuple(one.article_id for one in after.passages)


def test_without_time_the_order_stays(articles, model_folder, settings):
    before = retrieve(QUESTION, language="en")
    settings.RERANKER_MODEL, settings.RERANKER_SECONDS = str(model_folder), 0.0
    assert retrieve(QUESTION, language="en").passages == before.passages
    assert Reranker(str(model_folder), device="cpu").scores(QUESTION, ["text"], seconds=0.0) is None


def test_a_model_that_cannot_be_loaded_costs_a_warning_and_no_answer(articles, tmp_path, settings, caplog):
    before = retrieve(QUESTION, language="en")
    settings.RERANKER_MODEL = str(tmp_path)
    assert retrieve(QUESTION, language="en").passages == before.passages
    assert "RERANKER_MODEL" in caplog.text
    caplog.clear()
    retrieve(QUESTION, language="en")
    assert not caplog.text, "told once"


def test_a_folder_that_is_not_there_is_refused_at_start(settings):
    settings.RERANKER_MODEL = "/no/such/folder"
    assert [one.id for one in switches_are_known(None)] == ["helpcenter.E006"]
    settings.RERANKER_MODEL = ""
    assert switches_are_known(None) == []


def test_under_another_order_the_confidence_is_not_calibrated(articles, settings):
    found = retrieve(QUESTION, language="en")
    plain = model_in_use().fingerprint
    assert assess(found).calibrated
    settings.RERANKER_MODEL = "some/model"
    assert not assess(found).calibrated
    assert model_in_use().fingerprint != plain, "a calibration made without it does not count"
