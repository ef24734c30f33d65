"""What a calibration promises: the arithmetic, and that the promise is kept as often as it says."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from assistant.calibration.promise import (
    Candidate,
    NothingToPromise,
    Trial,
    TrialTable,
    clopper_pearson,
    find_promise,
    labels_needed,
)

SPLITS = 200
# A line a question: [score, right] of each candidate. 291 questions to a public help center, asked once as they are and
# once with their articles hidden (calibration.trials); numbers only, nothing of what was asked.
SCORES = Path(__file__).parent / "samples" / "scores.jsonl"


def trial(score: float, is_right: bool = True) -> Trial:
    return Trial((Candidate(score, is_right),))


def spread(count: int, *, wrong_below: float = 0.0) -> list[Trial]:
    return [trial(score, score >= wrong_below) for score in np.linspace(0.02, 0.98, count).tolist()]


def test_59_answered_labels_are_needed_and_enough():
    assert labels_needed(0.05, 0.95) == 59
    assert labels_needed(0.05, 0.95, wrong=1) == 93
    assert labels_needed(0.10, 0.90) == 22
    assert find_promise([trial(0.9)] * 59, max_risk=0.05, confidence=0.95).answered == 59
    with pytest.raises(NothingToPromise) as refused:
        find_promise([trial(0.9)] * 58, max_risk=0.05, confidence=0.95)
    assert (refused.value.answered, refused.value.needed, refused.value.is_too_few) == (58, 59, True)


def test_enough_labels_with_too_many_errors_are_no_promise_either():
    with pytest.raises(NothingToPromise) as refused:
        find_promise([trial(0.9, number % 5 != 0) for number in range(200)], max_risk=0.05, confidence=0.95)
    assert not refused.value.is_too_few
    assert refused.value.closest is not None
    assert (refused.value.closest.answered, refused.value.closest.wrong) == (200, 40)


def test_the_threshold_is_the_lowest_that_holds_and_answers_at_equality():
    promise = find_promise(spread(600, wrong_below=0.4), max_risk=0.05, confidence=0.95)
    # Some of what is wrong fits into 5 %, less than the promise itself allows for.
    assert 0.3 < promise.threshold < 0.4
    assert promise.wrong / promise.answered < 0.05
    assert trial(promise.threshold).at(promise.threshold) is not None


def test_more_labels_lower_the_threshold():
    few = find_promise(spread(150, wrong_below=0.4), max_risk=0.05, confidence=0.95)
    many = find_promise(spread(3000, wrong_below=0.4), max_risk=0.05, confidence=0.95)
    assert many.threshold < few.threshold
    assert many.coverage > few.coverage


def test_nothing_below_the_lowest_label_is_claimed():
    promise = find_promise([trial(0.9)] * 100, max_risk=0.05, confidence=0.95)
    assert promise.threshold == 0.9


def test_counting_in_arrays_is_counting_one_by_one():
    random = np.random.default_rng(1)
    trials = [
        Trial(
            tuple(
                Candidate(float(random.random()), bool(random.random() < 0.5), bool(random.random() < 0.8))
                for _candidate in range(random.integers(0, 3))
            )
        )
        for _question in range(200)
    ]
    for threshold in (0.0, 0.2, 0.5, 0.9):
        shown = [one for each in trials if (one := each.at(threshold)) is not None]
        assert TrialTable.of(trials).answered_and_wrong(threshold) == (
            len(shown),
            sum(not one.is_right for one in shown),
        )


def test_the_own_language_comes_first_and_an_unwritten_answer_is_none():
    own, other = Candidate(0.6, is_right=False), Candidate(0.8, is_right=True)
    assert Trial((own, other)).at(0.7) is other
    assert Trial((own, other)).at(0.5) is own
    assert Trial((own, other)).at(0.9) is None
    assert Trial((Candidate(0.9, is_right=True, is_written=False), other)).at(0.7) is None
    assert Trial(()).at(0.0) is None
    # Down to .61 the other language answers, and rightly; below it the own one would, wrongly.
    both = [Trial((own, other))] * 200
    assert find_promise(both, max_risk=0.05, confidence=0.95).threshold > 0.6


def test_an_order_that_labels_suggest_is_not_followed():
    """The surest are the wrong ones: tests that began at the other end would promise the whole set."""
    upside_down = [trial(score, score < 0.7) for score in np.linspace(0.02, 0.98, 400).tolist()]
    with pytest.raises(NothingToPromise):
        find_promise(upside_down, max_risk=0.05, confidence=0.95)


def test_a_few_errors_among_the_surest_do_not_end_everything():
    """With labels enough the tests begin twice, the second time where half is answered."""
    unlucky = {3, 17, 40, 66}  # by rank; then hardly any
    scores = np.linspace(0.98, 0.02, 300).tolist()
    trials = [trial(score, rank not in unlucky and rank < 200) for rank, score in enumerate(scores)]
    promise = find_promise(trials, max_risk=0.1, confidence=0.95)
    assert promise.answered > 150
    with pytest.raises(NothingToPromise):  # of 75 labels two or three wrong ones are too many
        find_promise(trials[:75], max_risk=0.1, confidence=0.95)


@pytest.mark.parametrize(("max_risk", "confidence"), [(0, 0.95), (1, 0.95), (0.05, 1.0), (-0.1, 0.9)])
def test_levels_outside_their_range_are_refused(max_risk, confidence):
    with pytest.raises(ValueError, match="allowed"):
        find_promise([trial(0.9)] * 60, max_risk=max_risk, confidence=confidence)


def test_intervals_by_the_book():
    assert clopper_pearson(0, 59) == pytest.approx((0.0, 0.0606), abs=1e-4)
    assert clopper_pearson(5, 100) == pytest.approx((0.0164, 0.1128), abs=1e-4)


def kept(trials: list[Trial], *, labelled: int, max_risk: float, confidence: float) -> tuple[int, int]:
    """Of random splits: how often something was promised, and how often the other part broke it."""
    random = np.random.default_rng(7)
    promised = broken = 0
    for _split in range(SPLITS):
        order = random.permutation(len(trials))
        known, unseen = order[:labelled], order[labelled:]
        try:
            promise = find_promise([trials[i] for i in known], max_risk=max_risk, confidence=confidence)
        except NothingToPromise:
            continue
        answered, wrong = TrialTable.of([trials[i] for i in unseen]).answered_and_wrong(promise.threshold)
        promised += 1
        broken += wrong > max_risk * answered
    return promised, broken


def most_broken(confidence: float) -> int:
    """What chance makes of 200 splits that each break the promise with the probability it allows for: 99.9 %."""
    return int(binom.ppf(0.999, SPLITS, 1 - confidence))


@pytest.mark.parametrize("shape", ["calibrated", "overconfident", "steep", "nearly perfect"])
def test_the_promise_is_kept_at_the_promised_rate(shape):
    random = np.random.default_rng(3)
    scores = random.beta(2, 1.2, 4_000)
    truth = {
        "calibrated": scores,
        "overconfident": scores**2,
        "steep": 1 / (1 + np.exp(-14 * (scores - 0.45))),
        "nearly perfect": np.where(scores > 0.4, 0.97, 0.2),
    }[shape]
    right = random.random(len(scores)) < truth
    trials = [trial(score, bool(is_right)) for score, is_right in zip(scores.tolist(), right, strict=True)]
    promised, broken = kept(trials, labelled=300, max_risk=0.1, confidence=0.9)
    assert broken <= most_broken(0.9)
    if shape in ("steep", "nearly perfect"):
        assert promised > SPLITS / 2  # a rule that never promises keeps every promise


def test_the_promise_is_kept_on_a_real_help_center():
    """Of real scores there are too few for two parts that know nothing of each other: what the first has too many of,
    the second lacks. So the whole set is the truth, and labels are drawn from it one by one, each put back."""
    rows = [json.loads(line) for line in SCORES.read_text().splitlines()]
    trials = [Trial(tuple(Candidate(score, right) for score, right in row)) for row in rows]
    truth = TrialTable.of(trials)
    random = np.random.default_rng(7)
    promised = broken = 0
    for _draw in range(SPLITS):
        known = [trials[i] for i in random.integers(0, len(trials), 400)]
        try:
            promise = find_promise(known, max_risk=0.2, confidence=0.9)
        except NothingToPromise:
            continue
        answered, wrong = truth.answered_and_wrong(promise.threshold)
        promised += 1
        broken += wrong > 0.2 * answered
    assert broken <= most_broken(0.9)
    assert promised > SPLITS / 4
