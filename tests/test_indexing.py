"""The index follows the articles: what a sync stores, what it leaves alone, and what it survives."""

import logging
import shutil

import numpy as np
import pytest
from django.db import transaction

from knowledge import ownership
from knowledge.embeddings import EmbedderUnavailable, current_recipe, use_embedder
from knowledge.indexing import (
    bell_held,
    check_index,
    rebuild_index,
    repair_index,
    sync_article,
    sync_stale,
)
from knowledge.models import Article, Generation, Passage, Status
from knowledge.vectors import CollectionKey, IndexFolderOwned, get_store, reset_store
from tests.marks import indexed_at
from tests.seeded import DIMENSION, SeededEmbedder, vector_of

pytestmark = pytest.mark.django_db

FIRST = "You can pause for up to three months in the app under Subscription."
SECOND = "While paused you pay nothing, and the bike stays with you until the pause ends."
BODY = f"## Before you pause\n\n{FIRST}\n\n## What it costs\n\n{SECOND}\n"


@pytest.fixture(autouse=True)
def embedder():
    seeded = SeededEmbedder()
    use_embedder(seeded)
    yield seeded
    use_embedder(None)


def key_of(article):
    return CollectionKey(article.audience, article.language, current_recipe().fingerprint)


def held(article):
    return get_store().ids(key_of(article))


def stored(article):
    return list(Passage.objects.filter(article=article).order_by("position"))


def version():
    return Generation.objects.get(state="live").version


def edit(article, **fields):
    """An editor's save, with no bell: each test decides what the index hears."""
    for name, value in fields.items():
        setattr(article, name, value)
    with bell_held():
        article.save()


def test_passages_are_verbatim_and_findable(make_article):
    article = make_article("Pause", BODY)
    passages = stored(article)
    assert [passage.text for passage in passages] == [FIRST, SECOND]
    assert all(article.body[one.start : one.end] == one.text for one in passages)
    assert [passage.anchor for passage in passages] == ["before-you-pause", "what-it-costs"]
    assert {passage.revision for passage in passages} == {article.revision}
    assert held(article) == {passage.pk for passage in passages}
    best = get_store().query(key_of(article), vector_of(f"Pause What it costs {SECOND}"), 1)[0]
    assert best[0] == passages[1].pk
    assert np.frombuffer(passages[0].vector, dtype="<f4").shape == (DIMENSION,)
    assert not article.is_stale(current_recipe().fingerprint)
    assert indexed_at(article) is not None


def test_a_second_sync_changes_nothing(make_article, embedder):
    article = make_article("Pause", BODY)
    before, embedder.embedded = stored(article), []
    since = indexed_at(article)
    sync_article(article.pk)
    assert [one.pk for one in stored(article)] == [one.pk for one in before]
    assert embedder.embedded == []
    assert indexed_at(article) == since


def test_only_what_changed_is_embedded_again(make_article, embedder):
    article = make_article("Pause", BODY)
    old_ids, embedder.embedded = {one.pk for one in stored(article)}, []
    edit(article, body=BODY.replace("nothing", "nothing at all"))
    sync_article(article.pk)
    assert [text for text in embedder.embedded if "nothing at all" in text]
    assert not [text for text in embedder.embedded if "three months" in text]
    new_ids = {one.pk for one in stored(article)}
    assert not new_ids & old_ids  # an id means one text for ever
    assert held(article) == new_ids


def test_a_sync_is_no_change_of_the_article(make_article):
    article = make_article("Pause", BODY)
    changed_at, revision, entries = article.updated_at, article.revision, article.history.count()
    edit(article, body=BODY + "\nMore.")
    sync_article(article.pk)
    article.refresh_from_db()
    assert article.history.count() == entries + 1  # the edit's own
    assert article.revision == revision + 1
    assert article.updated_at > changed_at
    before = article.updated_at
    sync_article(article.pk)
    article.refresh_from_db()
    assert article.updated_at == before


def test_in_memory_indexes_notice_every_change(make_article):
    article = make_article("Pause", BODY)
    seen = [version()]
    for fields in ({"body": BODY + "\nMore."}, {"status": Status.DRAFT}, {"status": Status.PUBLISHED}):
        edit(article, **fields)
        sync_article(article.pk)
        seen.append(version())
    assert seen == sorted(set(seen))


def test_a_draft_is_not_embedded(make_article, embedder):
    article = make_article("Pause", BODY, status=Status.DRAFT)
    assert embedder.embedded == []
    assert stored(article) == []
    assert not article.is_stale(current_recipe().fingerprint)
    assert indexed_at(article) is None


def test_unpublishing_empties_the_index_and_coming_back_costs_no_embedding(make_article, embedder):
    article = make_article("Pause", BODY)
    ids, embedder.embedded = held(article), []
    edit(article, status=Status.ARCHIVED)
    sync_article(article.pk)
    assert held(article) == set()
    edit(article, status=Status.PUBLISHED)
    sync_article(article.pk)
    assert held(article) == ids
    assert embedder.embedded == []


def test_another_audience_is_another_collection(make_article, embedder):
    article = make_article("Pause", BODY)
    ids, was = held(article), key_of(article)
    embedder.embedded = []
    edit(article, audience="internal")
    sync_article(article.pk)
    assert get_store().ids(was) == set()
    assert held(article) == ids
    assert embedder.embedded == []


@pytest.mark.parametrize(
    "change", [{"status": Status.ARCHIVED}, {"audience": "internal"}, {"body": "Other."}]
)
def test_an_article_that_changes_while_it_is_embedded_starts_over(make_article, embedder, change):
    article = make_article("Pause", BODY, synced=False)

    def interfere(_texts):
        embedder.before = None
        edit(Article.objects.get(pk=article.pk), **change)

    embedder.before = interfere
    sync_article(article.pk)
    article.refresh_from_db()
    assert not article.is_stale(current_recipe().fingerprint)
    report = check_index()
    assert (report.missing, report.orphaned, report.articles_stale) == (0, 0, 0)
    assert {one.text for one in stored(article)} <= {FIRST, SECOND, "Other."}
    if "body" in change:
        assert [one.text for one in stored(article)] == ["Other."]


def test_an_article_that_changes_before_the_index_is_told_leaves_nothing_behind(make_article):
    """Between the rows and the index somebody unpublishes, and their own sync has already been."""
    article = make_article("Pause", BODY, synced=False)
    store = get_store()
    upsert = store.upsert
    told: list[bool] = []

    def late(key, ids, vectors):
        if not told:
            told.append(True)
            edit(Article.objects.get(pk=article.pk), status=Status.ARCHIVED)
            sync_stale()
        upsert(key, ids, vectors)

    store.upsert = late  # type: ignore[method-assign]
    sync_article(article.pk)
    assert held(article) == set()
    assert check_index().is_clean


def test_one_article_that_cannot_be_indexed_does_not_stop_the_others(make_article, embedder):
    def refuse(texts):
        if any("cursed" in text for text in texts):
            raise RuntimeError("out of memory")

    embedder.before = refuse
    cursed = make_article("Cursed", "This text is cursed.", synced=False)
    good = make_article("Pause", BODY, synced=False)
    report = sync_stale()
    cursed.refresh_from_db()
    good.refresh_from_db()
    assert report.failed == (cursed.pk,)
    assert "out of memory" in cursed.index_error
    assert cursed.is_stale(current_recipe().fingerprint)
    assert held(good) == {one.pk for one in stored(good)} != set()
    embedder.before = None
    sync_stale()
    cursed.refresh_from_db()
    assert cursed.index_error == ""
    assert not cursed.is_stale(current_recipe().fingerprint)


def test_an_article_that_leaves_no_room_for_text_says_why(make_article, embedder):
    embedder.max_tokens = 3
    article = make_article("Pause", BODY)
    assert article.index_error.startswith("ValueError: ")
    assert article.is_stale(current_recipe().fingerprint)


def test_stale_articles_are_brought_up_to_date_in_batches(make_article, embedder):
    for number in range(40):
        make_article(
            f"Article {number}", f"Text of number {number}.\n\n## More\n\nMore of {number}.", synced=False
        )
    steps = []
    report = sync_stale(progress=lambda done, total: steps.append((done, total)))
    assert report.articles == 40
    assert report.passages == report.embedded == Passage.objects.count() == 80
    assert steps[0] == (0, 40)
    assert steps[-1] == (40, 40)
    assert steps == sorted(steps)
    assert check_index().is_clean
    assert sync_stale().articles == 0


def test_the_same_text_is_embedded_once(make_article, embedder):
    make_article("Same", "The same text.", synced=False)
    make_article("Same", "The same text.", synced=False)
    sync_stale()
    assert len(embedder.embedded) == len(set(embedder.embedded)) > 0


def test_the_same_text_in_another_language_has_a_vector_of_its_own(make_article, embedder):
    """A model may read a name in a German article otherwise than in an English one."""
    make_article("Same", "The same text.", synced=False)
    make_article("Same", "The same text.", synced=False, language="de")
    sync_stale()
    assert len(embedder.embedded) == 2 * len(set(embedder.embedded)) > 0


def test_without_the_index_the_passages_are_stored_and_the_rest_is_made_up_for(
    make_article, embedder, settings
):
    """Another process has the folder: nothing is lost, and nothing is embedded twice."""
    reset_store()
    lock = ownership.acquire(settings.INDEX_DIR, command="manage.py other")
    article = make_article("Pause", BODY, synced=False)
    with pytest.raises(IndexFolderOwned, match=r"manage\.py other"):
        sync_stale()
    with pytest.raises(IndexFolderOwned):
        sync_article(article.pk)
    article.refresh_from_db()
    assert [one.text for one in stored(article)] == [FIRST, SECOND]
    assert article.is_stale(current_recipe().fingerprint)
    assert article.index_error == ""  # nothing is wrong with the article
    lock.release()
    embedder.embedded = []
    sync_stale()
    assert embedder.embedded == []
    assert check_index().is_clean


def test_without_the_model_unpublishing_still_reaches_the_index(make_article, embedder):
    article = make_article("Pause", BODY)
    edit(article, status=Status.DRAFT)

    class Missing(SeededEmbedder):
        def __getattribute__(self, name):
            raise EmbedderUnavailable("no model")

    use_embedder(Missing())
    sync_article(article.pk)
    assert held(article) == set()
    edit(article, status=Status.PUBLISHED, body=BODY + "\nNew.")
    with pytest.raises(EmbedderUnavailable):
        sync_article(article.pk)


def test_a_save_rings_when_it_is_committed(make_article, django_capture_on_commit_callbacks):
    article = make_article("Pause", BODY)
    article.body = "Something else entirely."
    with django_capture_on_commit_callbacks(execute=True):
        article.save()
        assert stored(article)[0].text == FIRST
    assert [one.text for one in stored(article)] == ["Something else entirely."]


def test_a_deletion_rings_as_well(make_article, django_capture_on_commit_callbacks):
    kept, article = make_article("Other", "Another text."), make_article("Pause", BODY)
    key = key_of(article)
    with django_capture_on_commit_callbacks(execute=True):
        Article.objects.filter(pk=article.pk).delete()
    assert get_store().ids(key) == {one.pk for one in stored(kept)}


def test_held_the_bell_is_silent(make_article, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        article = make_article("Pause", BODY, synced=False)
    assert callbacks == []
    with django_capture_on_commit_callbacks() as callbacks:
        article.save()
    assert len(callbacks) == 1


def test_a_failing_sync_never_fails_the_save(
    make_article, settings, caplog, django_capture_on_commit_callbacks
):
    article = make_article("Pause", BODY)
    reset_store()
    lock = ownership.acquire(settings.INDEX_DIR, command="manage.py other")
    with caplog.at_level(logging.WARNING), django_capture_on_commit_callbacks(execute=True):
        article.body = "New text."
        article.save()
    assert f"article {article.pk}: left to the sweep" in caplog.text
    lock.release()
    sync_stale()
    assert [one.text for one in stored(article)] == ["New text."]


def test_what_the_index_lost_or_kept_is_noticed_and_repaired(make_article):
    article = make_article("Pause", BODY)
    key, ids = key_of(article), sorted(held(article))
    store = get_store()
    store.delete(key, ids[:1])
    store.upsert(key, [999_999], vector_of("stray")[np.newaxis])
    store.upsert(CollectionKey("internal", "de", key.recipe), ids[:1], vector_of("stray")[np.newaxis])
    report = check_index()
    assert (report.missing, report.orphaned, report.is_clean) == (1, 2, False)
    repaired = repair_index()
    assert (repaired.added, repaired.removed, repaired.rebuilt) == (1, 2, ())
    assert check_index().is_clean


def test_canaries_notice_what_counting_does_not(make_article):
    article = make_article("Pause", BODY)
    key, ids = key_of(article), sorted(held(article))
    get_store().upsert(key, ids, np.stack([vector_of("damage"), vector_of("more damage")]))
    report = check_index()
    assert (report.missing, report.orphaned) == (0, 0)
    assert report.canaries.failed == len(ids)
    assert not report.is_clean
    assert repair_index().rebuilt == (key.name,)
    assert check_index().is_clean


def test_many_passages_with_one_text_are_no_damage(make_article):
    for _number in range(15):
        make_article("Same", "The same text.", synced=False)
    sync_stale()
    assert check_index().is_clean


def test_a_rebuild_needs_no_model(make_article, embedder, settings):
    articles = [
        make_article(f"Article {n}", f"Text of {n}.", language=lang) for n, lang in enumerate(["de", "en"])
    ]
    wanted = {key_of(article): held(article) for article in articles}
    reset_store()
    shutil.rmtree(settings.INDEX_DIR)
    embedder.embedded = []
    steps = []
    assert rebuild_index(progress=lambda done, total: steps.append((done, total))) == 2
    assert {key: get_store().ids(key) for key in wanted} == wanted
    assert steps[-1] == (2, 2)
    assert embedder.embedded == []
    assert check_index().is_clean


def test_a_rebuild_starts_from_nothing_where_the_folder_is_damaged(make_article, settings):
    make_article("Pause", BODY)
    reset_store()
    (settings.INDEX_DIR / "chroma.sqlite3").write_bytes(b"no database at all")
    rebuild_index()
    assert check_index().is_clean


def test_a_rolled_back_edit_rings_nobody(make_article, django_capture_on_commit_callbacks):
    article = make_article("Pause", BODY)
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        article.body = "Never happened."
        article.save()
        transaction.set_rollback(True)
    assert callbacks == []
