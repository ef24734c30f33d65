"""An optional cross-encoder for inference: what its labels mean, when it is heard, and what it decides."""

import pytest
from django.core.management import CommandError, call_command

from assistant.grounding import Claim, Evidence, Problem, check
from assistant.grounding.inferring import read_with
from assistant.grounding.meaning import EmbeddedMeaning
from assistant.grounding.thresholds import thresholds_for
from helpcenter.checks import switches_are_known
from knowledge import entailment
from knowledge.advice import Kind, advise
from knowledge.embeddings.cross_encoder import CrossEncoderUnavailable, ModelState
from knowledge.entailment import Heard, Labels, Pair, infer, labels_of
from knowledge.models import Article, Status
from tests.cross_encoders import make_cross_encoder

THREE = ("entailment", "neutral", "contradiction")
PAUSE = "A pause of your subscription costs 9 euros a month and lasts one to three months."
ENGLISH = frozenset(["en"])


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    entailment.shelf.forget()


@pytest.fixture
def model(tmp_path, settings):
    """Makes one, and sets it."""

    def made(labels=THREE, says=None):
        folder = make_cross_encoder(tmp_path / "-".join([*labels, str(says)]), labels, says=says)
        entailment.shelf.forget()
        settings.GROUNDING_MODEL = str(folder)
        return folder

    return made


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["entailment", "neutral", "contradiction"], Labels(0, 2)),
        (["CONTRADICTION", "ENTAILMENT", "NEUTRAL"], Labels(1, 0)),
        (["contradict", "neutral", "entails"], Labels(2, 0)),
        (["entailment", "not_entailment"], Labels(0, None)),
        (["Not-Entailment", "Entailment"], Labels(1, None)),
        (["unsupported", "supported"], Labels(1, None)),
    ],
)
def test_labels_are_read_in_any_order(names, expected):
    assert labels_of(dict(enumerate(names))) == expected


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["LABEL_0"],
        ["entailment"],
        ["positive", "negative"],
        ["entailment", "neutral"],
        ["LABEL_0", "LABEL_1", "LABEL_2"],
        ["entailment", "neutral", "contradiction", "entails"],
    ],
)
def test_labels_that_say_nothing_are_refused_with_what_is_allowed(names):
    with pytest.raises(CrossEncoderUnavailable, match="not_entailment") as error:
        labels_of(dict(enumerate(names)))
    assert all(name in str(error.value) for name in names)


def test_the_order_of_the_labels_is_the_models_own(model):
    pair = Pair(PAUSE, "It costs nine euros.", ENGLISH)
    model()
    (first,) = infer([pair], seconds=None).inferences
    model(("contradiction", "entailment", "neutral"))
    (second,) = infer([pair], seconds=None).inferences
    # The same weights under other names: what the first value said is now a contradiction.
    assert first and second
    assert second.contradiction == pytest.approx(first.entailment, abs=1e-4)
    assert first.contradiction is not None
    neutral = 1 - first.entailment - first.contradiction
    assert second.entailment == pytest.approx(neutral, abs=1e-4)


def test_a_model_of_two_labels_tells_no_contradiction(model):
    model(("not_entailment", "entailment"), says="entailment")
    reading = infer([Pair(PAUSE, "It costs nine euros.", ENGLISH)], seconds=None)
    assert reading.inferences[0] and reading.inferences[0].contradiction is None
    assert reading.inferences[0].entailment > 0.9
    assert not entailment.tells_contradictions()


def test_what_cannot_be_one_is_refused_at_start(tmp_path, settings):
    for labels in (["fits"], ["LABEL_0", "LABEL_1", "LABEL_2"]):
        settings.GROUNDING_MODEL = str(make_cross_encoder(tmp_path / labels[0], labels))
        (found,) = switches_are_known(None)
        assert found.id == "helpcenter.E010" and labels[0] in found.msg
    settings.GROUNDING_MODEL = "/no/such/folder"
    assert [one.id for one in switches_are_known(None)] == ["helpcenter.E010"]
    settings.GROUNDING_MODEL = ""
    assert switches_are_known(None) == []


def test_one_that_cannot_be_loaded_is_told_once_and_decides_nothing(tmp_path, settings, caplog):
    settings.GROUNDING_MODEL = str(tmp_path)
    pair = Pair(PAUSE, "It costs nine euros.", ENGLISH)
    assert infer([pair], seconds=None).heard is Heard.NONE
    assert "The grounding model is left alone" in caplog.text
    assert entailment.state() is ModelState.FAILED
    caplog.clear()
    assert infer([pair], seconds=None).inferences == (None,)
    assert not caplog.text


def test_a_language_that_it_does_not_read_is_not_put_to_it(model, settings):
    model(says="contradiction")
    settings.GROUNDING_LANGUAGES = ["en"]
    german = Pair("Die Pause kostet 9 Euro.", "Sie kostet neun Euro.", frozenset(["de"]))
    across = Pair(PAUSE, "Die Pause kostet 9 Euro.", frozenset(["en", "de"]))
    assert infer([german, across], seconds=None).heard is Heard.NONE
    reading = infer([german, Pair(PAUSE, "It costs nine euros.", ENGLISH)], seconds=None)
    assert reading.heard is Heard.SOME
    assert reading.inferences[0] is None and reading.inferences[1] is not None


def test_state_is_said_without_loading(model, client, transactional_db):
    assert entailment.state() is ModelState.OFF
    model()
    part = client.get("/readyz").json()["parts"]["grounding_model"]
    assert part["state"] == "ok" and "not loaded yet" in part["detail"]
    assert infer([Pair(PAUSE, "It costs nine euros.", ENGLISH)], seconds=None).heard is Heard.ALL
    assert entailment.state() is ModelState.READY


# --- the check ------------------------------------------------------------------------------------------------


def problems(text, *, language="en"):
    claim, evidence = Claim(text, language), Evidence(PAUSE, PAUSE, "Pause your subscription", "en")
    (inference,) = read_with([(claim, evidence)], seconds=None).inferences
    verdict = check(
        claim,
        evidence,
        EmbeddedMeaning(),
        thresholds_for(language, "en"),
        None if inference is None else inference.entailment,
    )
    return {one.problem for one in verdict.findings}, verdict.entailment


def test_it_drops_what_the_rest_lets_pass(model):
    assert problems("The pause costs 9 euros a month.") == (set(), None)
    model(says="neutral")
    found, value = problems("The pause costs 9 euros a month.")
    assert found == {Problem.ENTAILMENT}
    assert value is not None and value < 0.01


def test_it_never_lets_pass_what_the_rest_drops(model):
    model(says="entailment")
    found, value = problems("The pause costs 8 euros a month.")
    assert found == {Problem.NUMBER}
    assert value is not None and value > 0.9
    assert Problem.MEANING in problems("Our shop opens in summer.")[0]


def test_what_stands_there_word_for_word_is_not_put_to_it(model):
    model(says="contradiction")
    assert problems(PAUSE) == (set(), None)


def test_what_it_adds_is_measured(model, shared_data, capsys, tmp_path, settings):
    sets = []
    for name in ("one", "two"):
        rows = (shared_data / "doc2dial" / "articles.jsonl").read_text().splitlines()
        (tmp_path / name).mkdir()
        (tmp_path / name / "articles.jsonl").write_text("\n".join(rows[:4] if name == "one" else rows[4:8]))
        sets.append(str(tmp_path / name))
    model(says="neutral")
    call_command("measure_grounding", *sets, most=1)
    table = capsys.readouterr().out
    (all_true,) = [
        line for line in table.splitlines() if line.startswith("| **all true**") and line.count("|") == 7
    ]
    (all_false,) = [
        line for line in table.splitlines() if line.startswith("| **all false**") and line.count("|") == 7
    ]
    assert all_false.split("|")[5].strip() == "100.0%"
    without, with_it = (float(all_true.split("|")[place].strip(" %")) for place in (4, 5))
    assert with_it > without, "who denies everything drops true sentences"
    entailment.shelf.forget()
    (tmp_path / "empty").mkdir()
    settings.GROUNDING_MODEL = str(tmp_path / "empty")
    with pytest.raises(CommandError, match="GROUNDING_MODEL"):
        call_command("measure_grounding", *sets, most=1)


# --- advice ---------------------------------------------------------------------------------------------------

PARCEL = "The carrier brings heavy parcels to your door."
STREET = "The carrier leaves heavy parcels on the street."


def _draft(body):
    return Article.objects.create(
        title="Delivery of parcels", slug="draft", language="en", status=Status.DRAFT, body=body
    )


@pytest.mark.django_db
def test_an_editor_is_told_of_a_contradiction_that_no_rule_sees(make_article, model, client, staff):
    make_article("Where parcels are left", STREET)
    draft = _draft(PARCEL)
    assert not [one for one in advise(draft).findings if one.other]
    model(says="contradiction")
    advice = advise(draft)
    (found,) = [one for one in advice.findings if one.other]
    assert found.kind is Kind.CONTRADICTION and found.is_serious and found.other
    assert (found.quote, found.other.quote) == (PARCEL, STREET)
    assert int(str(found.values["contradiction"])) > 90
    assert advice.heard is Heard.ALL
    client.force_login(staff)
    page = client.get(f"/admin/knowledge/article/{draft.pk}/check/").content.decode()
    assert "Another article seems to contradict this" in page
    assert "Rules and a cross-encoder looked for contradictions." in page


@pytest.mark.django_db
def test_what_the_rules_found_stays_whatever_it_says(make_article, model, settings):
    make_article("How long can I pause?", "You can pause your plan for up to 3 months in a year.")
    draft = _draft("You can pause your plan for up to 6 months in a year.")
    model(says="entailment")
    advice = advise(draft)
    (found,) = [one for one in advice.findings if one.other]
    assert found.kind is Kind.NUMBERS and int(str(found.values["contradiction"])) < 10
    settings.GROUNDING_LANGUAGES = ["de"]
    advice = advise(draft)
    assert advice.heard is Heard.NONE
    assert [one.kind for one in advice.findings if one.other] == [Kind.NUMBERS]
