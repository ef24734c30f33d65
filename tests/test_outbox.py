"""The article's row is the outbox: one sync has it in hand, failures rest and end, and nothing is lost."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from knowledge import ownership
from knowledge.embeddings import EmbedderUnavailable, current_recipe, use_embedder
from knowledge.indexing import (
    BuildState,
    bell_held,
    build_next,
    check_index,
    repair_index,
    sync_article,
    sync_stale,
    sync_stale_here,
    sync_told,
)
from knowledge.models import Article, Generation, IndexMark, Passage, Status
from knowledge.outbox import (
    LEASE,
    MAX_ATTEMPTS,
    Standing,
    edition_of,
    in_standing,
    is_due,
    pause_after,
    standing_of,
    try_again,
)
from knowledge.vectors import IndexFolderOwned, get_store, reset_store
from tests.marks import indexed_at
from tests.processes import kill, line_of, start_python
from tests.seeded import SeededEmbedder

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def embedder():
    seeded = SeededEmbedder()
    use_embedder(seeded)
    yield seeded
    use_embedder(None)


def edit(article: Article, **fields: object) -> None:
    """An editor's save from a form opened just now, with no bell."""
    fresh = Article.objects.get(pk=article.pk)
    for name, value in fields.items():
        setattr(fresh, name, value)
    with bell_held():
        fresh.save()


def set_row(article: Article, **columns: object) -> None:
    Article.objects.filter(pk=article.pk).update(**columns)
    article.refresh_from_db()


def is_stale(article: Article) -> bool:
    article.refresh_from_db()
    return article.is_stale(current_recipe().fingerprint)


def texts_of(article: Article) -> list[str]:
    return list(article.passages.order_by("position").values_list("text", flat=True))


# --- rings from the queue ---------------------------------------------------------------------------------


def test_a_ring_for_what_is_up_to_date_costs_nothing(make_article, embedder):
    article = make_article("Pause")
    at, texts = indexed_at(article), list(embedder.embedded)
    version = Generation.objects.get().version
    sync_told(article.pk)
    assert Generation.objects.get().version == version  # nobody's word index is made anew
    assert (indexed_at(article), embedder.embedded) == (at, texts)


def test_a_ring_takes_along_what_else_waits(make_article):
    articles = [make_article(f"Pause {number}", synced=False) for number in range(5)]
    failed = make_article("Resting", synced=False)
    set_row(failed, index_attempts=1, index_failed_at=timezone.now(), index_error="ValueError: no")
    sync_told(articles[3].pk)
    assert [is_stale(article) for article in articles] == [False] * 5
    assert is_stale(failed)


def test_a_ring_for_a_deleted_article_is_none(make_article):
    article = make_article("Pause", synced=False)
    gone = article.pk
    article.delete()
    sync_told(gone)


# --- claims ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_syncs_at_once_embed_each_text_once(make_article, embedder):
    articles = [make_article(f"Article {n}", f"Text of number {n}.", synced=False) for n in range(5)]
    embedding, go_on = threading.Event(), threading.Event()

    def wait(_texts):
        embedding.set()
        assert go_on.wait(60)

    embedder.before = wait
    reports = []

    def sync() -> None:
        reports.append(sync_stale_here())
        connections.close_all()

    other = threading.Thread(target=sync)
    other.start()
    assert embedding.wait(60)
    embedder.before = None
    mine = sync_stale_here(newest_first=True)
    sync_article(articles[0].pk)
    go_on.set()
    other.join(60)
    assert mine.articles == 0
    assert [report.articles for report in reports] == [5]
    assert len(embedder.embedded) == len(set(embedder.embedded)) > 0
    assert not any(is_stale(article) for article in articles)
    assert check_index().is_clean


@pytest.mark.parametrize(
    ("since_claim", "expected"),
    [
        (timedelta(seconds=1), False),
        (LEASE + timedelta(seconds=1), True),  # whoever had it is gone
        (HOUR, True),  # or the clock was set forward: somebody does it twice
        (-HOUR, True),  # the clock was set back
    ],
)
def test_a_claim_is_a_lease_whatever_the_clock_does(make_article, since_claim, expected):
    article = make_article("Pause", synced=False)
    set_row(article, index_claimed_at=timezone.now() - since_claim)
    assert Article.objects.filter(is_due()).exists() is expected
    assert edition_of(article).claim(Article.objects.all()) is expected
    set_row(article, index_claimed_at=timezone.now() - since_claim)
    assert sync_stale_here().articles == int(expected)
    assert is_stale(article) is not expected


def test_an_edit_is_not_held_up_by_the_work_on_its_predecessor(make_article, embedder):
    article = make_article("Pause", "The first text.", synced=False)
    seen = []

    def meanwhile(_texts):
        embedder.before = None
        edit(article, body="The second text.")
        assert sync_stale_here().articles == 1
        seen.append((texts_of(article), is_stale(article)))

    embedder.before = meanwhile
    sync_stale_here()
    assert seen == [(["The second text."], False)]
    assert texts_of(article) == ["The second text."]
    assert not is_stale(article)
    assert check_index().is_clean


def test_long_work_renews_its_lease(make_article, embedder, monkeypatch):
    monkeypatch.setattr("knowledge.indexing.syncing._RENEWAL_SECONDS", 0.0)  # as if each part took long
    body = "\n\n".join(f"## Part {number}\n\nText of part {number}." for number in range(80))
    article = make_article("Long", body, synced=False)
    due = []

    def look(_texts):
        due.append(Article.objects.filter(is_due()).exists())
        # As long ago as if this part had taken very long.
        set_row(article, index_claimed_at=timezone.now() - LEASE - timedelta(seconds=1))

    embedder.before = look
    sync_stale_here()
    assert not is_stale(article)
    assert len(texts_of(article)) == 80
    assert due[0] is False
    assert due.count(False) >= 3  # taken up again between the parts


def test_nobody_embeds_the_rest_of_a_text_that_has_changed(make_article, embedder, monkeypatch):
    monkeypatch.setattr("knowledge.indexing.syncing._RENEWAL_SECONDS", 0.0)  # as if each part took long
    body = "\n\n".join(f"## Part {number}\n\nText of part {number}." for number in range(200))
    article = make_article("Long", body, synced=False)

    def shorten(_texts):
        embedder.before = None
        edit(article, body="Nothing of that.")

    embedder.before = shorten
    sync_article(article.pk)
    assert texts_of(article) == ["Nothing of that."]
    assert not is_stale(article)
    assert len(embedder.embedded) < 200


START = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django
django.setup()
from knowledge.embeddings import use_embedder
from knowledge.generations import live_recipe
from knowledge.indexing import bell_held, sync_stale, sync_stale_here
from knowledge.models import Article
from tests.seeded import SeededEmbedder
"""
EMBED_FOR_EVER = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
def wait(texts):
    print("embedding", flush=True)
    sys.stdin.readline()
use_embedder(SeededEmbedder(before=wait))
with bell_held():
    Article.objects.create(title="Pause", slug="pause", body="Text.", language="en", status="published")
sync_stale_here()
"""
TAKE_OVER = """
embedder = SeededEmbedder()
use_embedder(embedder)
was = Article.objects.get().index_claimed_at
print(was is not None, sync_stale().articles, len(embedder.embedded) > 0, flush=True)
row = Article.objects.get()
print(not row.is_stale(live_recipe()), row.index_claimed_at, row.index_attempts, flush=True)
"""


def test_what_a_killed_process_had_in_hand_is_taken_over(tmp_path):
    """Real processes, kill -9; the second one waits for the lease of the first."""
    killed = start_python(tmp_path, START + EMBED_FOR_EVER)
    assert line_of(killed) == "embedding"
    kill(killed)
    heir = start_python(tmp_path, START + TAKE_OVER)
    assert line_of(heir) == "True 1 True"
    assert line_of(heir) == "True None 0"  # being killed is no failure of the article
    heir.communicate(timeout=300)


# --- failures -------------------------------------------------------------------------------------------


def refuse(_texts):
    raise RuntimeError("out of memory")


def let_time_pass(article: Article, period: timedelta) -> None:
    article.refresh_from_db()
    assert article.index_failed_at is not None
    set_row(article, index_failed_at=article.index_failed_at - period)


def test_failures_are_counted_with_longer_and_longer_rests_and_end(make_article, embedder):
    article = make_article("Cursed", "This text is cursed.", synced=False)
    embedder.before = refuse
    for attempts in range(1, MAX_ATTEMPTS):
        assert sync_stale_here().failed == (article.pk,)
        article.refresh_from_db()
        assert (article.index_attempts, article.index_error) == (attempts, "RuntimeError: out of memory")
        assert article.index_claimed_at is None
        let_time_pass(article, pause_after(attempts) - timedelta(seconds=5))
        assert sync_stale_here().failed == ()
        let_time_pass(article, timedelta(seconds=6))
    assert sync_stale_here().failed == (article.pk,)
    let_time_pass(article, timedelta(days=365))
    assert sync_stale_here().failed == ()
    sync_article(article.pk)  # a ring is nobody who acts
    article.refresh_from_db()
    assert article.index_attempts == MAX_ATTEMPTS
    assert pause_after(1) < pause_after(2) < pause_after(MAX_ATTEMPTS - 1) < HOUR


def test_a_clock_set_back_prolongs_no_rest(make_article, embedder):
    article = make_article("Cursed", "This text is cursed.", synced=False)
    embedder.before = refuse
    sync_stale_here()
    let_time_pass(article, -HOUR)
    embedder.before = None
    assert sync_stale_here().articles == 1


def give_up(article: Article) -> None:
    for _attempt in range(MAX_ATTEMPTS):
        edition_of(article).fail(RuntimeError("out of memory"))
    assert sync_stale_here().articles == 0


def test_an_edit_gives_another_chance_and_another_category_does_not(make_article, make_category):
    article = make_article("Cursed", "This text is cursed.", synced=False)
    give_up(article)
    edit(article, category=make_category())
    article.refresh_from_db()
    assert (article.index_attempts, article.index_error) == (MAX_ATTEMPTS, "RuntimeError: out of memory")
    edit(article, body="This text is blessed.")
    article.refresh_from_db()
    assert (article.index_attempts, article.index_failed_at, article.index_error) == (0, None, "")
    assert sync_stale_here().articles == 1


@pytest.mark.parametrize("somebody_acts", [lambda: try_again(Article.objects.all()), sync_stale])
def test_somebody_who_asks_for_it_gives_another_chance(make_article, somebody_acts):
    article = make_article("Cursed", "This text is cursed.", synced=False)
    give_up(article)
    somebody_acts()
    sync_stale_here()
    assert not is_stale(article)
    assert (article.index_attempts, article.index_failed_at, article.index_error) == (0, None, "")


def test_one_bad_text_in_a_batch_costs_the_others_nothing(make_article, embedder):
    def refuse_one(texts):
        if any("cursed" in text for text in texts):
            raise IndexError("index out of range in self")

    embedder.before = refuse_one
    articles = [make_article(f"Article {n}", f"Text of number {n}.", synced=False) for n in range(3)]
    cursed = make_article("Cursed", "This text is cursed.", synced=False)
    report = sync_stale_here()
    assert (report.articles, report.failed) == (3, (cursed.pk,))
    assert not any(is_stale(article) for article in articles)


def test_an_outage_is_no_failure_of_the_article(make_article, embedder, settings):
    article = make_article("Pause", synced=False)

    def unavailable(_texts):
        raise EmbedderUnavailable("no model")

    embedder.before = unavailable
    with pytest.raises(EmbedderUnavailable):
        sync_stale_here()
    reset_store()
    lock = ownership.acquire(settings.INDEX_DIR, command="manage.py other")
    embedder.before = None
    with pytest.raises(IndexFolderOwned):
        sync_stale_here()
    lock.release()
    article.refresh_from_db()
    assert (article.index_attempts, article.index_failed_at, article.index_error) == (0, None, "")
    assert article.index_claimed_at is None  # whoever comes next need not wait
    assert sync_stale_here().articles == 1


def test_what_is_cut_off_is_let_go(make_article, embedder):
    article = make_article("Pause", synced=False)

    def interrupt(_texts):
        raise KeyboardInterrupt

    embedder.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        sync_stale_here()
    article.refresh_from_db()
    assert (article.index_claimed_at, article.index_attempts) == (None, 0)


def test_standing_as_predicate_and_as_query_agree(make_article):
    now = timezone.now()
    recipe = current_recipe().fingerprint
    make_article("answerable")
    for status in Status.values:
        for attempts in (0, 1, MAX_ATTEMPTS):
            for claimed_at in (None, now - timedelta(seconds=1), now - HOUR, now + HOUR):
                article = make_article("stale", status=status, synced=False)
                set_row(article, index_attempts=attempts, index_claimed_at=claimed_at)
    for asked in (recipe, "another recipe"):
        by_query = {
            standing: set(
                Article.objects.filter(in_standing(standing, recipe=asked)).values_list("pk", flat=True)
            )
            for standing in Standing
        }
        by_predicate: dict[Standing, set[int]] = {standing: set() for standing in Standing}
        for article in Article.objects.all():
            standing = standing_of(article, is_indexed=not article.is_stale(asked), now=timezone.now())
            by_predicate[standing].add(article.pk)
        assert by_query == by_predicate
    assert len(by_query[Standing.GIVEN_UP]) == 3


def test_another_model_changes_nothing_about_since_when_it_is_answerable(make_article):
    article = make_article("Pause")
    since = indexed_at(article)
    for model in (Generation, IndexMark, Passage):  # as if another model had made what is there
        model.objects.update(recipe="ab" * 32)
    assert build_next(budget_seconds=60).state is BuildState.LIVE
    assert not is_stale(article)
    assert indexed_at(article) == since
    edit(article, body="Another text.")
    sync_stale_here()
    later = indexed_at(article)
    assert since is not None and later is not None and later > since


# --- nothing is lost between two writers ----------------------------------------------------------------


@pytest.mark.parametrize("is_taken_back", [False, True])
def test_a_form_that_is_minutes_old_brings_no_old_index_state_back(make_article, is_taken_back):
    """Its text is what was indexed once; in between another text was published and indexed."""
    article = make_article("Pause", "The first text.")
    opened_long_ago = Article.objects.get(pk=article.pk)
    edit(article, body="The second text.")
    sync_article(article.pk)
    if is_taken_back:  # so that the form is no edit at all
        edit(article, body="The first text.")
    with bell_held():
        opened_long_ago.save()
    assert is_stale(article)
    assert article.revision == 3
    sync_stale_here()
    assert texts_of(article) == ["The first text."]
    ids = list(article.passages.values_list("pk", flat=True))
    assert Passage.objects.answerable_by_id(ids, None, language="en").keys() == set(ids)


def test_an_edit_that_is_taken_back_is_stale_as_well(make_article, embedder):
    """A sync of the edit may have replaced the passages, and have been killed before it marked the row."""
    article = make_article("Pause", "The first text.")
    store = get_store()
    upsert = store.upsert

    def killed(*_arguments):
        raise KeyboardInterrupt

    edit(article, body="The second text.")
    store.upsert = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        sync_article(article.pk)
    store.upsert = upsert  # type: ignore[method-assign]
    assert texts_of(article) == ["The second text."]
    edit(article, body="The first text.")
    assert is_stale(article)
    assert sync_stale_here().articles == 1
    assert texts_of(article) == ["The first text."]
    repair_index()  # ids of rows that the killed sync had replaced already
    assert check_index().is_clean


def test_an_edit_that_is_taken_back_during_a_sync_is_synced_anew(make_article, embedder):
    """The same text again, but of another revision than the one that was planned."""
    article = make_article("Pause", "The first text.", synced=False)

    def there_and_back(_texts):
        embedder.before = None
        edit(article, body="The second text.")
        edit(article, body="The first text.")

    embedder.before = there_and_back
    sync_article(article.pk)
    assert not is_stale(article)
    ids = list(article.passages.values_list("pk", flat=True))
    assert Passage.objects.answerable_by_id(ids, None, language="en").keys() == set(ids) != set()


def test_a_save_that_changes_nothing_leaves_a_sync_at_work_alone(make_article, make_category):
    article = make_article("Pause", synced=False)
    edition_of(article).claim(Article.objects.all())
    edit(article, category=make_category())
    article.refresh_from_db()
    assert article.index_claimed_at is not None
    assert sync_stale_here().articles == 0


def test_a_copy_of_an_indexed_article_is_indexed_too(make_article):
    article = make_article("Pause", "The only text.")
    copy = Article.objects.get(pk=article.pk)
    copy.pk, copy.slug = None, "copy"
    with bell_held():
        copy.save()
    assert is_stale(copy)
    assert not is_stale(article)
    sync_stale_here()
    assert texts_of(copy) == ["The only text."]


@pytest.mark.django_db(transaction=True)
def test_editors_who_save_in_the_same_instant_get_a_revision_each(make_article):
    article = make_article("Pause", "The first text.", synced=False)
    opened = [Article.objects.get(pk=article.pk) for _editor in range(4)]
    together = threading.Barrier(len(opened))

    def save(number: int) -> None:
        opened[number].body = f"The text of editor {number}."
        together.wait(60)
        with bell_held():
            opened[number].save()
        connections.close_all()

    editors = [threading.Thread(target=save, args=(number,)) for number in range(len(opened))]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join(60)
    assert sorted(one.revision for one in opened) == [2, 3, 4, 5]
    article.refresh_from_db()
    assert article.revision == 5
    by_revision = {one.revision: one.body for one in opened}
    assert article.body == by_revision[5]
    entries = article.history.values_list("revision", "body")
    assert dict(entries) == {1: "The first text.", **by_revision}


# --- the gate knows the text ------------------------------------------------------------------------------


def test_a_passage_of_another_text_with_the_same_revision_passes_nowhere(make_article):
    article = make_article("Pause", "The first text.")
    ids = list(article.passages.values_list("pk", flat=True))
    assert Passage.objects.answerable_by_id(ids, None, language="en").keys() == set(ids)
    assert Passage.objects.current().count() == len(ids)
    revision = article.revision
    edit(article, body="The second text.")
    set_row(article, revision=revision)
    assert Passage.objects.answerable_by_id(ids, None, language="en") == {}
    assert not Passage.objects.current().exists()


def test_passages_as_written_as_predicate_and_as_query_agree(make_article):
    make_article("fresh")
    make_article("withdrawn", status=Status.PUBLISHED)
    edit(Article.objects.get(title="withdrawn"), status=Status.ARCHIVED)
    edit(make_article("edited"), body="Another text.")
    set_row(make_article("numbered"), revision=99)
    Passage.objects.filter(article=make_article("before the fingerprint")).update(text_fingerprint="")
    by_query = set(Passage.objects.as_written().values_list("article__title", flat=True))
    stored = Passage.objects.select_related("article")
    assert by_query == {one.article.title for one in stored if one.is_cut_from(one.article)}
    assert by_query == {"fresh", "withdrawn"}
    assert set(Passage.objects.current().values_list("article__title", flat=True)) == {"fresh"}


@pytest.mark.django_db(transaction=True)
def test_stored_passages_get_the_fingerprint_that_is_certain():
    """Upgrading: what was indexed goes on answering, what is doubtful is cut anew."""
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    executor.migrate([("knowledge", "0001_initial")])
    before = MigrationExecutor(connection).loader.project_state([("knowledge", "0001_initial")]).apps
    old_article, old_passage = (
        before.get_model("knowledge", "Article"),
        before.get_model("knowledge", "Passage"),
    )

    def add(slug: str, *, indexed: str, revision: int) -> None:
        article = old_article.objects.create(
            title=slug,
            slug=slug,
            body="Text.",
            language="en",
            status="published",
            revision=2,
            content_fingerprint="a" * 64,
            indexed_fingerprint=indexed,
            indexed_recipe="r" * 64,
        )
        old_passage.objects.create(
            article=article,
            revision=revision,
            recipe="r" * 64,
            position=0,
            text="Text.",
            start=0,
            end=5,
            content_hash="h" * 64,
            vector=b"\0" * 4,
            heading_vector=b"\0" * 4,
        )

    try:
        before.get_model("knowledge", "IndexState").objects.create(
            recipe="r" * 64, embedder="some model", dimension=1
        )
        add("indexed", indexed="a" * 64, revision=2)
        add("made-internal", indexed="a" * 32 + "b" * 32, revision=2)
        add("shares-a-revision", indexed="b" * 64, revision=2)
        add("taken-back", indexed="a" * 64, revision=1)
    finally:
        MigrationExecutor(connection).migrate(latest)
    rows = {one.article.slug: one for one in Passage.objects.select_related("article")}
    assert {slug for slug, one in rows.items() if one.is_cut_from(one.article)} == {
        "indexed",
        "made-internal",
    }
    stale = Article.objects.stale("r" * 64).values_list("slug", flat=True)
    assert set(stale) == {"made-internal", "shares-a-revision", "taken-back"}
    assert all(one.content_changed_at == one.updated_at for one in Article.objects.all())
