"""The confidence model: its data file, its levels, and what fitting writes."""

import json

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from assistant.confidence import DEFAULT_FILE, assess, load_model
from assistant.management.commands.fit_confidence import _coverage_at
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


def _rows(seed, count, name, telling="strong", other="noise", articles="en", outside=True):
    """Questions with one telling signal: as they are, with their gold hidden, and some that nothing answers."""
    random = np.random.default_rng(seed)
    for number in range(count):
        kind = ("plain", "plain hidden", "outside")[number % 3] if outside else "plain"
        right = bool(random.random() < 0.9) if kind == "plain" else False
        signals = {telling: float(random.normal(3.0 if right else 0.0)), other: float(random.normal())}
        yield {
            "set": name,
            "kind": kind,
            "language": "en",
            "article_language": articles,
            "answerable": kind == "plain",
            "right": right,
            "signals": signals,
        }


def test_fitting_finds_the_telling_signal_and_keeps_its_limits(tmp_path):
    files = []
    for seed, name in enumerate(["one", "two", "three"]):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in _rows(seed, 600, name)))
        files.append(str(file))
    out = tmp_path / "model.json"
    call_command("fit_confidence", *files, out=out, verbosity=0)
    model = json.loads(out.read_text())
    weight = dict(zip(model["features"], model["same_language"]["coefficients"], strict=True))
    assert weight["strong"] > 5 * abs(weight["noise"])
    overall = model["provenance"]["overall"]
    assert overall["risk"] <= 0.05
    assert overall["near_misses_answered"] <= 0.15
    assert overall["outside_answered"] <= 0.02
    assert overall["coverage"] > 0.6
    assert model["threshold"] <= model["high"]
    assert model["other_language"] is None
    held_out = model["provenance"]["held_out"]
    assert set(held_out) == {
        f"{name}/en {kind}"
        for name in ("one", "two", "three")
        for kind in ("plain", "plain hidden", "outside")
    }
    assert held_out["one/en plain"]["auroc_with_near_misses"] > 0.9


def test_near_misses_that_another_article_answers_count_less(tmp_path):
    """In one set they score like right answers, because they are; saying so keeps the fit from distrusting all."""
    rows = [row for seed, name in enumerate(["one", "two", "manuals"]) for row in _rows(seed, 600, name)]
    for row in rows:
        if row["set"] == "manuals" and row["kind"] == "plain hidden":
            row["signals"]["strong"] += 3.0
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    models = []
    for incomplete in ([], ["manuals"]):
        out = tmp_path / "model.json"
        options = {"out": out, "incomplete": incomplete, "max_near_miss": 1.0, "max_risk": 1.0}
        call_command("fit_confidence", str(tmp_path / "rows.jsonl"), verbosity=0, **options)
        models.append((load_model(str(out)), json.loads(out.read_text())))
        load_model.cache_clear()
    (before, _without), (after, figures) = models
    sure = {"strong": 3.0, "noise": 0.0}
    assert after.score(sure, is_other_language=False) > before.score(sure, is_other_language=False) + 0.05
    overall = figures["provenance"]["overall"]
    assert overall["ece_where_labels_are_complete"] < overall["ece_with_near_misses"]


def test_the_most_that_could_be_answered_is_the_longest_run_of_sure_answers_with_few_wrong():
    scores = np.array([0.9, 0.8, 0.7, 0.7, 0.6, 0.5])
    right = np.array([True, True, True, False, True, False])
    assert _coverage_at(scores, right, 0.0) == round(2 / 6, 4)
    assert _coverage_at(scores, right, 0.2) == round(5 / 6, 4), "equal scores are answered together"
    assert _coverage_at(scores, ~right, 0.0) == 0.0


def test_a_stricter_limit_answers_less(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [row for seed, name in enumerate(["one", "two"]) for row in _rows(seed, 600, name)]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    thresholds = []
    for near_miss in (0.3, 0.15, 0.02):
        call_command(
            "fit_confidence",
            str(file),
            out=tmp_path / "out.json",
            max_near_miss=near_miss,
            max_outside=1.0,
            max_risk=1.0,
            verbosity=0,
        )
        thresholds.append(json.loads((tmp_path / "out.json").read_text())["threshold"])
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[-1]


def test_a_limit_that_nothing_keeps_is_refused(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [row for name in ("one", "two") for row in _rows(1, 300, name, telling="a", other="b")]
    for row in rows:
        row["right"] = row["answerable"] and row["signals"]["a"] < 0
    file.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(CommandError, match="No threshold"):
        call_command("fit_confidence", str(file), out=tmp_path / "out.json", max_outside=-1.0)


def test_articles_in_another_language_are_fitted_apart(tmp_path):
    """Within a language `strong` tells right from wrong, across languages the other signal does."""
    rows = [row for seed, name in enumerate(["one", "two"]) for row in _rows(seed, 400, name)]
    for seed, name in enumerate(["one", "two"], start=5):
        rows += _rows(seed, 400, name, telling="noise", other="strong", articles="de")
    file, out = tmp_path / "rows.jsonl", tmp_path / "model.json"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    call_command("fit_confidence", str(file), out=out, verbosity=0)
    assert {
        name.rsplit(" plain", 1)[0] for name in json.loads(out.read_text())["provenance"]["held_out"]
    } >= {
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
