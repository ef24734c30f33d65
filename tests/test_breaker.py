"""The circuit breaker: who is let through when, and what is told of it."""

import logging
import threading

import pytest

from knowledge.breaker import Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("The part", first_pause_seconds=1.0, longest_pause_seconds=4.0, clock=clock)


def test_a_closed_breaker_lets_everybody_through(breaker):
    attempts = [breaker.attempt() for _n in range(3)]
    assert [attempt.is_trial for attempt in attempts] == [False, False, False]
    for attempt in attempts:
        attempt.succeeded()
    assert breaker.reason == ""


def test_after_a_failure_nobody_is_let_through_before_a_trial_has_succeeded(breaker, clock):
    breaker.attempt().failed("gone")
    assert breaker.attempt() is None
    assert breaker.reason == "gone"
    clock.now += 1.0
    trial = breaker.attempt()
    assert trial.is_trial
    assert breaker.attempt() is None  # one trial is enough
    trial.succeeded()
    assert breaker.reason == ""
    assert not breaker.attempt().is_trial


def test_the_pause_grows_to_its_limit_and_starts_over(breaker, clock):
    breaker.attempt().failed("gone")
    pauses = []
    for _n in range(5):
        started = clock.now
        while (trial := breaker.attempt()) is None:
            clock.now += 0.25
        pauses.append(clock.now - started)
        trial.failed("still gone")
    assert pauses == [1.0, 2.0, 4.0, 4.0, 4.0]
    clock.now += 4.0
    breaker.attempt().succeeded()
    breaker.attempt().failed("gone again")
    clock.now += 1.0
    assert breaker.attempt().is_trial


def test_news_from_before_the_outage_is_no_news(breaker, clock):
    late, later, failing = breaker.attempt(), breaker.attempt(), breaker.attempt()
    failing.failed("gone")
    late.succeeded()
    assert breaker.reason == "gone"
    later.failed("gone, again")
    clock.now += 1.0  # so the pause has not become longer
    breaker.attempt().succeeded()
    failing.failed("told a second time")
    assert breaker.reason == ""


def test_of_many_threads_one_makes_the_trial(breaker, clock):
    breaker.attempt().failed("gone")
    clock.now += 1.0
    start, trials = threading.Barrier(16), []

    def ask():
        start.wait()
        for _n in range(200):
            attempt = breaker.attempt()
            if attempt is not None:
                trials.append(attempt)

    threads = [threading.Thread(target=ask) for _n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trials) == 1


def test_an_outage_is_told_once_and_its_end_once(breaker, clock, caplog):
    with caplog.at_level(logging.WARNING):
        breaker.attempt().failed("gone")
        for _n in range(3):
            clock.now += 4.0
            breaker.attempt().failed("still gone")
        clock.now += 4.0
        breaker.attempt().succeeded()
    assert [record.getMessage() for record in caplog.records] == [
        "The part is left alone for a while: gone",
        "The part works again",
    ]
