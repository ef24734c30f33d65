"""The confidence model: its data file, its levels, and what fitting writes."""

import json

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from assistant.confidence import DEFAULT_FILE, assess, load_model
from assistant.models import ConfidenceLevel
from tests.builders import passage, retrieval


def test_shipped_model_is_bound_to_the_shipped_recipe():
    confidence = assess(retrieval("What does a pause cost?", passage("A pause costs 9 euros.")))
    assert confidence.calibrated
    assert 0 <= confidence.score <= 1
    provenance = json.loads(DEFAULT_FILE.read_text())["provenance"]
    assert provenance["rows"] and provenance["held_out"] and provenance["command"]


def test_another_model_means_not_calibrated(settings, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    settings.EMBEDDING_MODEL = str(tmp_path)
    assert not assess(retrieval("What does a pause cost?", passage("A pause costs 9 euros."))).calibrated


def test_nothing_found_is_no_confidence():
    confidence = assess(retrieval("What does a pause cost?"))
    assert confidence.score == 0.0
    assert not confidence.is_sufficient
    assert confidence.level is ConfidenceLevel.LOW


def test_a_passage_that_names_the_question_beats_one_that_does_not():
    near = assess(
        retrieval("What does a pause cost?", passage("A pause costs 9 euros.", cosine=0.75, bm25=6.0))
    )
    far = assess(
        retrieval("What does a pause cost?", passage("We deliver to Potsdam.", cosine=0.15, bm25=0.0))
    )
    assert near.score > far.score


@pytest.mark.parametrize("content", ["{}", "no json", '{"features": 5}'])
def test_bad_confidence_file_is_refused_by_name(settings, tmp_path, content):
    file = tmp_path / "confidence.json"
    file.write_text(content)
    settings.CONFIDENCE_FILE = str(file)
    with pytest.raises(ImproperlyConfigured, match="CONFIDENCE_FILE"):
        assess(retrieval("q", passage("text")))


def _rows(seed, count, name, telling="strong", other="noise", articles="en"):
    """Questions with one telling signal."""
    random = np.random.default_rng(seed)
    for _number in range(count):
        right = bool(random.random() < 0.5)
        signals = {telling: float(random.normal(2.0 if right else 0.0)), other: float(random.normal())}
        languages = {"language": "en", "article_language": articles}
        yield {"set": name, **languages, "right": right, "signals": signals}


def test_fitting_finds_the_telling_signal_and_keeps_the_promised_risk(tmp_path):
    files = []
    for seed, name in enumerate(["one", "two", "three"]):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in _rows(seed, 400, name)))
        files.append(str(file))
    out = tmp_path / "model.json"
    call_command("fit_confidence", *files, out=out, max_risk=0.1, verbosity=0)
    model = json.loads(out.read_text())
    weight = dict(zip(model["features"], model["same_language"]["coefficients"], strict=True))
    assert weight["strong"] > 5 * abs(weight["noise"])
    assert all(figures["risk"] < 0.2 for figures in model["provenance"]["held_out"].values())
    assert model["threshold"] <= model["high"]
    assert model["other_language"] is None


def test_articles_in_another_language_are_fitted_apart(tmp_path):
    """Within a language `strong` tells right from wrong, across languages the other signal does."""
    rows = [row for seed, name in enumerate(["one", "two"]) for row in _rows(seed, 400, name)]
    for seed, name in enumerate(["one", "two"], start=5):
        rows += _rows(seed, 400, name, telling="noise", other="strong", articles="de")
    file, out = tmp_path / "rows.jsonl", tmp_path / "model.json"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    call_command("fit_confidence", str(file), out=out, max_risk=0.1, verbosity=0)
    assert set(json.loads(out.read_text())["provenance"]["held_out"]) == {
        "one/en",
        "two/en",
        "one/en in de",
        "two/en in de",
    }
    model = load_model(str(out))
    strong, noise = {"strong": 3.0, "noise": -1.0}, {"strong": -1.0, "noise": 3.0}
    assert (
        model.score(strong, is_other_language=False) > 0.8 > 0.2 > model.score(noise, is_other_language=False)
    )
    assert (
        model.score(noise, is_other_language=True) > 0.8 > 0.2 > model.score(strong, is_other_language=True)
    )


def test_fitting_needs_enough_rows_and_the_right_files(tmp_path):
    file = tmp_path / "few.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in _rows(0, 10, "few")))
    with pytest.raises(CommandError, match="too few"):
        call_command("fit_confidence", str(file), out=tmp_path / "out.json")
    file.write_text("{}")
    with pytest.raises(CommandError, match="signals"):
        call_command("fit_confidence", str(file), out=tmp_path / "out.json")
