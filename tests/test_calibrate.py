"""`calibrate`: from labelled questions to a threshold that all processes use, and back."""

import contextlib
import io
import json
import threading

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from assistant import outbox
from assistant.asking import Inquiry, candidates, decide
from assistant.calibration import running, store
from assistant.calibration.promise import Candidate, Trial
from assistant.calibration.rescaling import fit_rescale
from assistant.confidence import Rescale, is_of_site
from assistant.measured import Calibration, CalibrationState
from assistant.services import ask_question
from tests.judged import in_force, judged, labelled_rows, make_articles, write_rows
from tests.processes import wait_until

pytestmark = pytest.mark.django_db
LOOSE = {"max_risk": 0.3, "confidence": 0.8}  # what a dozen labels can promise


@pytest.fixture
def center(make_article):
    return make_articles(make_article)


@pytest.fixture
def questions(center, tmp_path):
    return write_rows(tmp_path / "questions.jsonl", labelled_rows(off_topic=3))


def calibrate(*arguments, **options):
    out = io.StringIO()
    call_command("calibrate", *map(str, arguments), json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def test_it_says_what_is_promised_and_puts_it_in_force(questions):
    report = calibrate(questions, **LOOSE)
    assert report["promised"] and report["in_force"]
    assert (report["labelled"], report["max_risk"], report["confidence"]) == (15, 0.3, 0.8)
    assert report["coverage"] == report["answered"] / 15
    assert report["recipe"] and report["date"] and report["model"] and report["writer"] == "extractive"
    assert report["before"]["threshold"] != report["after"]["threshold"] == report["threshold"]
    row = Calibration.objects.get()
    assert (row.state, row.threshold, row.labelled) == ("live", report["raw_threshold"], 15)
    question = ask_question(text="Do you accept PayPal?", language="en")
    assert question.confidence_threshold == pytest.approx(report["threshold"])
    assert question.calibrated and question.calibration.startswith(f"#{row.pk} ")
    assert is_of_site(question.calibration)


def test_in_words(questions, capsys):
    call_command("calibrate", str(questions), dry_run=True, **LOOSE)
    said = capsys.readouterr().out
    for part in ("15 labelled questions", "before:", "after:", "80% certainty", "30.0%", "expected coverage"):
        assert part in said
    assert "Dry run" in said and not Calibration.objects.exists()


def test_too_few_labels_promise_nothing_and_change_nothing(questions):
    with pytest.raises(CommandError, match="Too few labels") as refused:
        calibrate(questions)
    assert refused.value.returncode == 2
    assert "59" in str(refused.value)
    assert [row.state for row in Calibration.objects.all()] == ["refused"]
    assert store.in_force() is None


def test_a_proposal_waits(questions):
    assert not calibrate(questions, propose=True, **LOOSE)["in_force"]
    assert store.in_force() is None
    store.put_in_force(Calibration.objects.get())
    assert store.in_force() is not None


def test_the_way_back(questions, capsys):
    calibrate(questions, **LOOSE)
    call_command("calibrate", revert=True)
    assert "->" in capsys.readouterr().out
    assert store.in_force() is None
    assert Calibration.objects.get().state == "retired"  # and may be put in force again
    store.put_in_force(Calibration.objects.get())


def test_hidden_gold_is_a_near_miss(questions):
    report = calibrate(questions, hide_gold=0.5, dry_run=True, max_risk=0.9, confidence=0.5)
    assert 1 < report["hidden"] < 12
    plain = calibrate(questions, dry_run=True, max_risk=0.9, confidence=0.5)
    right = {  # at the lowest threshold, of what is answered
        name: next(answered - wrong for level, answered, wrong in one["curve"] if level == 0.01)
        for name, one in (("plain", plain), ("hidden", report))
    }
    assert right["plain"] == 12
    assert right["hidden"] == 12 - report["hidden"], "what is answered without its article counts as wrong"


@pytest.mark.parametrize(
    ("arguments", "options", "reason"),
    [
        ((), {}, "one source of labels"),
        (("x.jsonl",), {"from_site": True}, "one source of labels"),
        (("absent.jsonl",), {}, "cannot be read"),
        ((), {"from_site": True}, "has been judged yet"),
    ],
)
def test_without_labels_it_says_what_is_missing(arguments, options, reason):
    with pytest.raises(CommandError, match=reason):
        calibrate(*arguments, **options)


def test_only_what_customers_get_can_be_put_in_force(questions):
    with pytest.raises(CommandError, match="dry-run"):
        calibrate(questions, articles="own", **LOOSE)
    assert calibrate(questions, articles="own", dry_run=True, **LOOSE)["promised"]


@pytest.mark.parametrize("bad", ["0", "1", "5 %"])
def test_levels_are_checked(questions, bad):
    with pytest.raises(CommandError, match="max-risk"):
        call_command("calibrate", str(questions), "--max-risk", bad)


def test_articles_of_another_help_center_are_an_error(make_article, tmp_path):
    make_article("Something else", "Nothing of it.")
    with pytest.raises(CommandError, match="external id"):
        calibrate(write_rows(tmp_path / "q.jsonl", labelled_rows()))


def test_from_the_site(center, capsys):
    for article in center.values():
        for _copy in range(4):
            judged(article, "right", text=f"{article.title}?")
    report = calibrate(from_site=True, **LOOSE)
    assert (report["source"], report["labelled"]) == ("site", 12)


@pytest.mark.parametrize("changed", ["recipe", "writer", "model"])
def test_it_counts_for_nothing_beside_another_recipe_writer_or_model(center, changed):
    inquiry = Inquiry(text="Do you accept PayPal?", language="en")
    shipped = decide(inquiry).confidence
    row = in_force(0.01)
    assert decide(inquiry).confidence.threshold == 0.01
    setattr(row, changed, "another")
    row.save()
    confidence = decide(inquiry).confidence
    assert (confidence.threshold, confidence.calibration) == (shipped.threshold, shipped.calibration)
    standing = store.standing()
    assert not standing.is_site and standing.differences == (changed,)
    row.state = "retired"
    row.save()
    with pytest.raises(store.NotToBePutInForce):
        store.put_in_force(row)


def test_the_shipped_threshold_says_where_it_comes_from(center):
    confidence = decide(Inquiry(text="Do you accept PayPal?", language="en")).confidence
    assert confidence.calibration.startswith("development sets")
    assert not is_of_site(confidence.calibration)


def test_one_is_in_force(center):
    in_force(0.5)
    with pytest.raises(IntegrityError), transaction.atomic():
        in_force(0.6)


def test_a_new_one_takes_the_place_of_the_old(center):
    old, new = in_force(0.5), in_force(0.6, state=CalibrationState.PROPOSED)
    store.put_in_force(new)
    old.refresh_from_db()
    assert (old.state, new.state) == ("retired", "live")


def test_a_site_scale_changes_what_a_score_is_called_and_not_what_is_answered(center):
    inquiries = [Inquiry(text=str(row["question"]), language="en") for row in labelled_rows(off_topic=3)]
    row = in_force(0.4)
    plain = [decide(inquiry) for inquiry in inquiries]
    row.slope, row.intercept = 0.7, 1.3
    row.save()
    rescaled = [decide(inquiry) for inquiry in inquiries]
    assert [one.draft is None for one in plain] == [one.draft is None for one in rescaled]
    assert 0 < sum(one.draft is None for one in plain) < len(plain)
    for before, after in zip(plain, rescaled, strict=True):
        assert after.confidence.raw == before.confidence.score
        if before.passages:
            assert after.confidence.score == pytest.approx(Rescale(0.7, 1.3).apply(before.confidence.score))
        assert after.confidence.threshold == pytest.approx(Rescale(0.7, 1.3).apply(0.4))


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.6, 0.9])
def test_what_is_counted_is_what_customers_get(center, make_article, threshold):
    """In both languages, at any threshold: `decide` answers as the candidates of the trial say."""
    make_article("Ladegerät verloren", "Ein neues Ladegerät kostet 45 Euro.", language="de")
    in_force(threshold)
    texts = [str(row["question"]) for row in labelled_rows(off_topic=2)][::2]
    inquiries = [Inquiry(text=text, language="en") for text in texts]
    inquiries += [
        Inquiry(text=f"{one} {other}", language="en")  # two questions in one
        for one, other in zip(texts, reversed(texts), strict=True)
    ]
    inquiries += [
        Inquiry(text=text, language="de")
        for text in ("Ladegerät verloren", "Nehmen Sie PayPal?", "Was kostet eine Pause?")
    ]
    for inquiry in inquiries:
        found = candidates(inquiry)
        trial = Trial(tuple(Candidate(one.confidence.raw, True, one.draft is not None) for one in found))
        decision = decide(inquiry)
        assert (trial.at(threshold) is not None) == (decision.draft is not None)
        if decision.draft is not None:
            cited = decision.draft.citations[0].passage.passage_id
            chosen = found[[c is trial.at(threshold) for c in trial.candidates].index(True)]
            assert chosen.draft is not None
            assert chosen.draft.citations[0].passage.passage_id == cited


def test_the_site_scale_is_found_where_the_score_is_off():
    random = np.random.default_rng(0)
    scores = random.uniform(0.02, 0.98, 600)
    truth = Rescale(slope=0.8, intercept=1.5)
    right = [bool(random.random() < truth.apply(score)) for score in scores.tolist()]
    fitted = fit_rescale(scores.tolist(), right)
    assert fitted is not None
    assert fitted.rescale.slope == pytest.approx(0.8, abs=0.2)
    assert fitted.rescale.intercept == pytest.approx(1.5, abs=0.3)
    assert len(fitted.held_out) == 600


def test_the_site_scale_stays_the_models_where_labels_do_not_speak_for_another():
    random = np.random.default_rng(0)
    scores = random.uniform(0.02, 0.98, 400).tolist()
    assert fit_rescale(scores[:90], [score > 0.5 for score in scores[:90]]) is None  # too few
    assert fit_rescale(scores, [True] * 390 + [False] * 10) is None  # too few wrong ones
    assert fit_rescale(scores, [score < 0.5 for score in scores]) is None  # the surest are wrong: no scale


@pytest.mark.django_db(transaction=True)
def test_where_a_process_serves_by_itself_nobody_waits_for_a_calibration(make_article):
    """The web process of `serve`: the request only begins it."""
    for article in make_articles(make_article).values():
        for _copy in range(4):
            judged(article, "right", text=f"{article.title}?")
    with outbox.rings(threading.Event()):
        row = running.start(by=None, max_risk=0.3, confidence=0.8)
        names = [thread.name for thread in threading.enumerate()]
        assert f"calibration {row.pk}" in names
        wait_until(
            lambda: Calibration.objects.get(pk=row.pk).state == "proposed", seconds=120, what="calibration"
        )
    row.refresh_from_db()
    assert (row.labelled, row.done, row.total) == (12, 12, 12)


def test_what_goes_wrong_is_written_into_the_row(center, settings):
    judged(center["pause"], "right")
    row = Calibration.objects.create(source="site", max_risk=0.3, confidence=0.8)
    settings.ANSWER_WRITER = "nonsense:model"
    with contextlib.suppress(Exception):
        running.run(row.pk)
    row.refresh_from_db()
    assert row.state == "failed" and row.error
    running.run(row.pk)  # a second delivery of the task finds nothing to do
    row.refresh_from_db()
    assert row.state == "failed"
