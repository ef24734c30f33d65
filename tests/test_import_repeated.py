"""The same source again: what an import may change, and what belongs to the editors."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.utils import timezone

from knowledge.importers import Entry, Place, apply_entries
from knowledge.importers.apply import BATCH_ENTRIES
from knowledge.models import Article, Category, Status

pytestmark = pytest.mark.django_db


def _entry(number: int = 1, **fields: object) -> Entry:
    entry = Entry(Place("help.jsonl", number), str(number), f"Title {number}", "Text.", language="en")
    return replace(entry, **fields)  # type: ignore[arg-type]


def _apply(*entries: Entry, **options: object):
    return apply_entries(entries, source="help", **options)  # type: ignore[arg-type]


def test_a_second_run_changes_nothing_and_writes_no_history():
    entries = [_entry(1, category=("A", "B"), translation_key="k"), _entry(2, audience="internal")]
    _apply(*entries)
    before = list(Article.objects.values())

    report = _apply(*entries)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 2)
    assert Article.history.count() == 2
    assert list(Article.objects.values()) == before
    assert Category.objects.count() == 2


def test_a_changed_entry_is_a_new_revision_of_the_same_article_at_the_same_address():
    _apply(_entry(title="Old title"))
    old = Article.objects.get()

    report = _apply(_entry(title="New title", body="New text."))

    new = Article.objects.get()
    assert (report.updated, report.created) == (1, 0)
    assert (new.pk, new.slug, new.title) == (old.pk, "old-title", "New title")
    assert new.revision == old.revision + 1
    assert new.content_fingerprint != old.content_fingerprint
    assert [h.title for h in new.history.order_by("history_id")] == ["Old title", "New title"]
    assert new.history.latest().history_change_reason == "import: help"


def test_sources_do_not_meet():
    _apply(_entry())
    report = apply_entries([_entry()], source="elsewhere")
    assert report.created == 1
    assert set(Article.objects.values_list("source", "slug")) == {
        ("help", "title-1"),
        ("elsewhere", "title-1-2"),
    }


def test_equal_titles_get_addresses_of_their_own_in_each_language():
    titles = ["Rückgabe & Größe", "Rückgabe & Größe", "???", "???", "Straße", "x" * 300]
    _apply(*(_entry(n, title=title, language="de") for n, title in enumerate(titles)))
    _apply(_entry(99, title="Rückgabe & Größe", language="en"))
    slugs = list(Article.objects.order_by("pk").values_list("slug", flat=True))
    assert slugs[:5] == ["rueckgabe-groesse", "rueckgabe-groesse-2", "article", "article-2", "strasse"]
    assert len(slugs[5]) <= 140
    assert slugs[6] == "rueckgabe-groesse"


def test_an_article_that_changes_its_language_keeps_its_address_unless_it_is_taken():
    _apply(_entry(1, title="Login"), _entry(2, title="Support"), _entry(3, title="Login", language="de"))
    _apply(_entry(1, title="Login", language="de"), _entry(2, title="Support", language="de"))
    assert dict(Article.objects.values_list("external_id", "slug")) == {
        "1": "login-2",
        "2": "support",
        "3": "login",
    }


@pytest.mark.parametrize(
    ("status", "was_online", "publish", "expected"),
    [
        (None, False, False, Status.DRAFT),
        (None, False, True, Status.PUBLISHED),
        (Status.DRAFT, False, True, Status.PUBLISHED),
        (Status.DRAFT, False, False, Status.DRAFT),
        (Status.DRAFT, True, True, Status.DRAFT),  # an editor took it offline
        (Status.IN_REVIEW, False, True, Status.IN_REVIEW),
        (Status.ARCHIVED, True, True, Status.ARCHIVED),
        (Status.PUBLISHED, True, False, Status.PUBLISHED),
    ],
)
def test_an_import_never_overrules_an_editor_about_the_status(status, was_online, publish, expected):
    if status is not None:
        _apply(_entry())
        online = timezone.now() if was_online else None
        Article.objects.update(status=status, published_at=online)
    _apply(_entry(body="Changed."), publish=publish)
    assert Article.objects.get().status == expected


def test_what_the_source_calls_a_draft_is_not_published():
    _apply(_entry(is_draft=True), publish=True)
    assert Article.objects.get().status == Status.DRAFT


def test_a_published_article_that_the_source_withdraws_stays_and_is_told():
    _apply(_entry(), publish=True)
    report = _apply(_entry(is_draft=True))
    assert Article.objects.get().status == Status.PUBLISHED
    assert "stays published" in report.warnings[0].reason


@pytest.mark.parametrize(
    ("stored", "wanted", "expected", "is_told"),
    [
        ("public", "internal", "internal", False),
        ("signed_in", "internal", "internal", False),
        ("internal", "public", "internal", True),
        ("internal", "signed_in", "internal", True),
        ("internal", None, "internal", False),
        ("public", None, "public", False),
    ],
)
def test_an_import_may_narrow_the_audience_and_never_widens_it(stored, wanted, expected, is_told):
    _apply(_entry(audience=stored))
    report = _apply(_entry(audience=wanted))
    assert Article.objects.get().audience == expected
    assert bool(report.warnings) == is_told


def test_what_the_source_does_not_say_stays_as_editors_left_it():
    _apply(_entry())
    article = Article.objects.get()
    article.category = Category.objects.create(name="Own", slug="own", language="en")
    article.translation_group = "own"
    article.save()
    report = _apply(replace(_entry(), language=None))
    article.refresh_from_db()
    assert report.unchanged == 1
    assert (article.category.name, article.translation_group) == ("Own", "own")


def test_two_articles_cannot_share_a_place_in_a_translation_group():
    _apply(_entry(1, translation_key="k"))
    twice = _apply(_entry(2, translation_key="k"), _entry(3, translation_key="k", language="de"))
    assert (twice.failed, twice.created) == (1, 1)
    assert "already has an article in “en”: “Title 1”, from source “help”" in twice.errors[0].reason
    within = apply_entries([_entry(7, translation_key="m"), _entry(8, translation_key="m")], source="new")
    assert within.errors[0].reason.endswith("(help.jsonl:7).")


def test_a_dry_run_says_the_same_and_writes_nothing():
    _apply(_entry(1), _entry(2, category=("A",)))
    entries = [_entry(1), _entry(2, category=("B",)), _entry(3, category=("C",)), _entry(3)]
    counts = [
        (report.created, report.updated, report.unchanged, report.failed)
        for report in (_apply(*entries, dry_run=True), _apply(*entries))
    ]
    assert counts == [(1, 1, 1, 1)] * 2


def test_a_dry_run_leaves_the_database_alone():
    _apply(_entry(1, category=("A",), body="New."), dry_run=True)
    assert not Article.objects.exists()
    assert not Category.objects.exists()
    assert not Article.history.exists()


@pytest.mark.django_db(transaction=True)
def test_what_was_reported_as_done_survives_a_crash():
    done: list[int] = []

    def source_that_breaks() -> Iterator[Entry]:
        yield from (_entry(number) for number in range(BATCH_ENTRIES + 5))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        apply_entries(source_that_breaks(), source="help", on_progress=done.append)

    assert done == [BATCH_ENTRIES]
    assert Article.objects.count() == BATCH_ENTRIES


def test_the_second_run_of_many_entries_costs_few_queries(django_assert_max_num_queries):
    entries = [_entry(number, category=(f"C{number % 7}",)) for number in range(2 * BATCH_ENTRIES)]
    _apply(*entries)
    with django_assert_max_num_queries(12):
        report = _apply(*entries)
    assert report.unchanged == len(entries)


def test_a_slug_that_is_taken_while_the_import_runs_is_avoided():
    def source() -> Iterator[Entry]:
        # The run has read which slugs are taken by now; an editor is quicker than the first batch.
        for slug in ("title-1", "title-1-2"):
            Article.objects.create(title="Title 1", slug=slug, body="Theirs.", language="en")
        yield _entry()

    report = apply_entries(source(), source="help")
    assert report.failed == 0
    assert Article.objects.get(source="help").slug == "title-1-3"
