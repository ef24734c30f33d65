"""What the admin says of an edit: since when it is answerable, or what is pending and why."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from knowledge.admin.receipt import Indexed, receipt_of
from knowledge.models import Article, Status
from knowledge.outbox import MAX_ATTEMPTS, edition_of
from tests.marks import indexed_at

PUBLISHED = datetime(2026, 11, 20, 13, 2, 6, 200_000, tzinfo=UTC)  # 14:02 in Berlin
INDEXED = PUBLISHED + timedelta(seconds=0.8)
SOON = PUBLISHED + timedelta(minutes=5)


def article(**fields: object) -> Article:
    """Published and answerable; keyword arguments make it something else. No database."""
    values: dict[str, object] = {
        "status": Status.PUBLISHED,
        "content_fingerprint": "c" * 64,
        "content_changed_at": PUBLISHED,
        "published_at": PUBLISHED,
    } | fields
    return Article(**values)


READY = Indexed(INDEXED)


def sentence(one: Article, indexed: Indexed | None = READY, *, now: datetime = SOON) -> str:
    return receipt_of(one, indexed=indexed, has_model=True, now=now).sentence


def test_it_says_since_when_and_how_long_it_took():
    assert sentence(article()) == "answerable since 14:02:07, 0.8 s after publishing"
    edited = article(content_changed_at=PUBLISHED + timedelta(seconds=0.5))
    assert sentence(edited) == "answerable since 14:02:07, 0.3 s after the last change"
    with translation.override("de"):
        assert "14:02:07" in sentence(article()) and "0,8 s" in sentence(article())


def test_a_long_time_is_told_in_minutes_and_another_day_with_its_date():
    slow = Indexed(PUBLISHED + timedelta(minutes=3, seconds=10))
    assert (
        sentence(article(), slow).replace("\xa0", " ")
        == "answerable since 14:05:16, 3 minutes after publishing"
    )
    tomorrow = SOON + timedelta(days=1)
    assert (
        sentence(article(), now=tomorrow) == "answerable since 20 Nov 2026, 14:02:07, 0.8 s after publishing"
    )
    assert receipt_of(article(), indexed=READY, has_model=True, now=SOON).short == "since 14:02:07"
    assert receipt_of(article(), indexed=READY, has_model=True, now=tomorrow).short == "since 20 Nov 2026"


def test_what_was_indexed_before_edits_were_timed_claims_no_duration():
    for moment in (None, PUBLISHED - timedelta(hours=1)):
        assert "after" not in sentence(article(), Indexed(moment))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": Status.DRAFT}, "not published"),
        ({}, "waiting for the index since 14:02:06"),
        ({"index_claimed_at": SOON - timedelta(seconds=1)}, "being indexed now"),
        # A claimant who is gone, and one from before the clock was set back:
        (
            {"index_claimed_at": SOON - timedelta(minutes=1)},
            "waiting for the index since 14:02:06",
        ),
        (
            {"index_claimed_at": SOON + timedelta(hours=1)},
            "waiting for the index since 14:02:06",
        ),
        (
            {
                "index_attempts": 1,
                "index_failed_at": SOON - timedelta(seconds=2),
                "index_error": "ValueError: no room",
            },
            "failed 1 time – next try at 14:07:14: ValueError: no room",
        ),
        (
            {
                "index_attempts": 2,
                "index_failed_at": SOON + timedelta(hours=1),
                "index_error": "ValueError: no room",
            },
            "failed 2 times – next try at 14:07:06: ValueError: no room",
        ),
        (
            {"index_attempts": MAX_ATTEMPTS, "index_error": "ValueError: no room"},
            "given up after 5 attempts: ValueError: no room – edit the article, or try again from the list",
        ),
    ],
)
def test_it_says_what_is_pending_and_why(fields, expected):
    assert sentence(article(**fields), None) == expected


def test_without_a_model_an_edit_is_not_answerable():
    waiting = receipt_of(article(), indexed=None, has_model=False, now=SOON)
    assert waiting.sentence == "The embedding model of the index is missing."
    assert receipt_of(article(), indexed=READY, has_model=False, now=SOON).tone == "good"  # by its words


def test_it_tells_the_story_of_a_real_article(make_article):
    draft = make_article("Pause", "A pause costs 9 euros.", status=Status.DRAFT)
    assert sentence(draft, None, now=timezone.now()) == "not published"
    published = make_article("Pause", "A pause costs 9 euros.")
    indexed = Indexed(indexed_at(published))
    assert indexed.at >= published.content_changed_at == published.published_at
    assert sentence(published, indexed, now=timezone.now()).endswith("after publishing")
    published.body = "A pause costs 10 euros."
    published.save()
    waiting = sentence(published, None, now=timezone.now())
    assert waiting.startswith("waiting for the index since")
    edition_of(published).fail(RuntimeError("out of memory"))
    published.refresh_from_db()
    assert sentence(published, None, now=timezone.now()).endswith("RuntimeError: out of memory")
