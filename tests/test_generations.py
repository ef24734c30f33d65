"""Another model is built beside the one that answers, and takes its place when it is whole."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from knowledge import embeddings, generations
from knowledge.embeddings import EmbedderUnavailable, current_recipe, recipe_of, use_embedder
from knowledge.indexing import (
    BuildState,
    bell_held,
    build_next,
    check_index,
    remove_retired,
    sync_article,
    sync_stale,
)
from knowledge.models import Article, Generation, GenerationState, IndexMark, Passage, Status
from knowledge.outbox import MAX_ATTEMPTS
from knowledge.retrieval import retrieve
from knowledge.vectors import CollectionKey, get_store
from tests.marks import indexed_at
from tests.processes import chroma_server, free_port, kill, line_of, start_python
from tests.seeded import SeededEmbedder, vector_of

pytestmark = pytest.mark.django_db

OLD, NEW = "example/old", "example/new"  # names of a hub: their recipes are known and nothing is downloaded
MINUTES = timedelta(minutes=1)


class OtherEmbedder(SeededEmbedder):
    """Another space: what both models say of one text has nothing in common."""

    def encode_passages(self, texts, *, language=None):
        return super().encode_passages(texts)[:, ::-1]

    def encode_question(self, text, *, language=None):
        return vector_of(text)[::-1]


@pytest.fixture(autouse=True)
def old(settings: LazySettings) -> Iterator[SeededEmbedder]:
    settings.EMBEDDING_MODEL = OLD
    embedder = SeededEmbedder()
    use_embedder(embedder, name=OLD)
    yield embedder
    use_embedder(None)


@pytest.fixture
def new() -> OtherEmbedder:
    embedder = OtherEmbedder()
    use_embedder(embedder, name=NEW)
    return embedder


@pytest.fixture
def restart(settings: LazySettings) -> Callable[[str], None]:
    """This process begins anew with another value of EMBEDDING_MODEL."""

    def begin(name: str) -> None:
        settings.EMBEDDING_MODEL = name
        generations.forget()

    return begin


@pytest.fixture
def articles(make_article) -> list[Article]:
    names = ("heron", "badger", "otter", "lynx", "marten", "polecat", "beaver", "stoat")
    return [make_article(name, f"The {name} sleeps in its own place.") for name in names]


def edit(article: Article, **fields: object) -> None:
    fresh = Article.objects.get(pk=article.pk)
    for name, value in fields.items():
        setattr(fresh, name, value)
    with bell_held():
        fresh.save()


def found(question: str) -> list[tuple[str, float | None]]:
    """Titles and cosines; of a lexical answer there are none."""
    return [
        (one.title, round(one.cosine, 3) if one.cosine is not None else None)
        for one in retrieve(question, language="en").passages
    ]


def texts_found(question: str) -> list[str]:
    return [one.text for one in retrieve(question, language="en").passages]


def live_model() -> str:
    generation = generations.live()
    assert generation is not None
    return generation.model


def begun() -> Generation:
    """One slice of four articles, and no more."""
    assert build_next(budget_seconds=0.0001).state is BuildState.BUILDING
    generation = generations.building()
    assert generation is not None
    return generation


def quiet(generation: Generation) -> None:
    long_ago = timezone.now() - 5 * MINUTES
    Generation.objects.filter(pk=generation.pk).update(claimed_at=long_ago, started_at=long_ago)


def grown_old() -> None:
    """Eleven minutes later."""
    Generation.objects.filter(state=GenerationState.RETIRED).update(
        retired_at=timezone.now() - 11 * MINUTES, live_at=timezone.now() - 60 * MINUTES
    )


def collections_of(name: str) -> set[CollectionKey]:
    return {key for key in get_store().collections() if key.recipe == recipe_of(name).fingerprint}


# --- the way from one to the next -----------------------------------------------------------------------


def test_the_first_generation_is_live_at_once(make_article, old):
    make_article("heron")
    [generation] = Generation.objects.all()
    assert (generation.state, generation.model) == (GenerationState.LIVE, OLD)
    assert generation.recipe == current_recipe().fingerprint
    assert build_next(budget_seconds=60).state is BuildState.NOTHING_TO_DO
    assert len(old.embedded) == len(set(old.embedded))


def test_questions_are_answered_from_the_old_one_until_the_new_one_is_whole(articles, old, new, restart):
    before = found("where does the otter sleep")
    assert before[0][0] == "otter" and len(before) == len(articles)
    restart(NEW)
    assert found("where does the otter sleep") == before
    old.embedded, steps = [], []
    generation = begun()
    while generations.building() is not None:
        assert found("where does the otter sleep") == before
        steps.append(generations.progress_of(generation).done)
        build_next(budget_seconds=0.0001)
    assert steps == [4]
    assert live_model() == NEW
    after = found("where does the otter sleep")
    assert [title for title, _cosine in after] == [title for title, _cosine in before]
    assert retrieve("otter", language="en").recipe == recipe_of(NEW).fingerprint
    assert old.embedded == []
    assert len(new.embedded) == len(set(new.embedded)) > 0
    assert check_index().is_clean
    assert check_index().passages_in_index == len(articles)


def test_the_old_one_goes_when_no_question_can_still_run(articles, new, restart, settings):
    restart(NEW)
    sync_stale()
    assert live_model() == NEW
    assert remove_retired() == ()
    assert Passage.objects.filter(recipe=recipe_of(OLD).fingerprint).count() == len(articles)
    old_keys = collections_of(OLD)
    assert old_keys
    grown_old()
    assert set(remove_retired()) == {key.name for key in old_keys}
    assert collections_of(OLD) == set()
    recipes = {recipe_of(NEW).fingerprint}
    assert set(Passage.objects.values_list("recipe", flat=True)) == recipes
    assert set(IndexMark.objects.values_list("recipe", flat=True)) == recipes
    assert set(Generation.objects.values_list("recipe", flat=True)) == recipes
    assert check_index().is_clean
    assert found("otter")[0][0] == "otter"


def test_the_flip_changes_nothing_about_since_when_an_article_is_answerable(articles, new, restart):
    since = indexed_at(articles[0])
    restart(NEW)
    sync_stale()
    assert live_model() == NEW
    assert indexed_at(articles[0]) == since is not None


def test_there_is_one_live_generation_whatever_anybody_writes(articles):
    with pytest.raises(IntegrityError), transaction.atomic():
        Generation.objects.create(recipe="x" * 64, embedder="x", state=GenerationState.LIVE)
    with pytest.raises(IntegrityError), transaction.atomic():
        Generation.objects.create(recipe="x" * 64, embedder="x", state="half-live")


def test_a_new_chunker_embeds_no_text_that_it_cuts_as_before(articles, old, restart, monkeypatch):
    monkeypatch.setattr(embeddings, "CHUNKER_GENERATION", "next")
    embeddings._recipe_of.cache_clear()
    restart(OLD)
    old.embedded = []
    try:
        before = found("where does the otter sleep")
        assert before[0][1] is not None  # the live model is still the right one for its vectors
        sync_stale()
        assert generations.live_recipe() == current_recipe().fingerprint
        assert found("where does the otter sleep") == before
    finally:
        monkeypatch.undo()
        embeddings._recipe_of.cache_clear()
    assert old.embedded == []


# --- editors do not wait ----------------------------------------------------------------------------------


def test_an_edit_during_the_build_is_in_both(articles, new, restart):
    restart(NEW)
    begun()
    edit(articles[0], body="The heron stands in the water all night.")
    sync_article(articles[0].pk)
    assert texts_found("heron water night")[0] == "The heron stands in the water all night."
    assert live_model() == OLD
    build_next(budget_seconds=60)
    assert live_model() == NEW
    assert texts_found("heron water night")[0] == "The heron stands in the water all night."
    assert "The heron sleeps in its own place." not in texts_found("heron sleeps")
    assert not Article.objects.stale(generations.live_recipe()).exists()


@pytest.mark.parametrize("withdraw", ["archive", "delete"])
def test_what_is_withdrawn_during_the_build_is_withdrawn_after_it(articles, new, restart, withdraw):
    restart(NEW)
    begun()
    built = IndexMark.objects.filter(recipe=recipe_of(NEW).fingerprint).first()
    assert built is not None
    article = built.article
    if withdraw == "archive":
        edit(article, status=Status.ARCHIVED)
    else:
        with bell_held():  # so that nobody tells the index
            Article.objects.filter(pk=article.pk).delete()
    assert article.title not in dict(found(article.title))
    sync_stale()
    assert live_model() == NEW
    assert article.title not in dict(found(article.title))
    assert check_index().is_clean
    held = {pk for key in collections_of(NEW) for pk in get_store().ids(key)}
    assert held == set(
        Passage.objects.current().filter(recipe=recipe_of(NEW).fingerprint).values_list("pk", flat=True)
    )


def test_an_edit_that_comes_just_before_the_flip_is_never_answered_outdated(articles, new, restart):
    """The new one has everything, and then it has not."""
    restart(NEW)
    begun()

    def edited(texts):
        new.before = None
        edit(articles[0], body="The heron has moved away.")
        sync_article(articles[0].pk)

    new.before = edited
    for _slice in range(5):
        build_next(budget_seconds=60)
        assert "The heron sleeps in its own place." not in texts_found("heron")
        assert texts_found("heron moved")[0] == "The heron has moved away."
    assert live_model() == NEW


def test_an_article_that_only_the_live_one_has_keeps_the_new_one_out(articles, new, restart):
    restart(NEW)
    generation = begun()
    assert generations.go_live(generation) is False
    assert live_model() == OLD
    Article.objects.stale(generation.recipe).update(status=Status.ARCHIVED)
    assert generations.go_live(generation) is True  # it has all that is left
    assert generations.go_live(generation) is False
    assert live_model() == NEW


def test_a_text_that_the_new_model_cannot_take_keeps_it_out_and_is_told(articles, new, restart):
    def refuse(texts):
        if any("lynx" in text for text in texts):
            raise RuntimeError("out of memory")

    new.before = refuse
    restart(NEW)
    for _attempt in range(MAX_ATTEMPTS):
        build = build_next(budget_seconds=60)
        Article.objects.update(index_failed_at=timezone.now() - 60 * MINUTES)
    assert build.state is BuildState.INCOMPLETE
    assert live_model() == OLD and found("lynx")[0][0] == "lynx"
    assert build.generation is not None
    known = generations.progress_of(build.generation)
    assert (known.done, known.total, known.given_up) == (7, 8, 1)
    new.before = None
    edit(articles[3], body="The lynx sleeps.")
    sync_stale()
    assert live_model() == NEW


# --- it is verified -----------------------------------------------------------------------------------------


def test_canaries_that_do_not_find_themselves_keep_it_out(articles, new, restart, monkeypatch):
    """The index takes every vector and forgets where it put some of them."""
    restart(NEW)
    store = get_store()
    honest = store.query_many

    def forgetful(key, vectors, limit):
        answers = honest(key, vectors, limit)
        return [[] for _answer in answers] if key.recipe == recipe_of(NEW).fingerprint else answers

    monkeypatch.setattr(store, "query_many", forgetful)
    while (build := build_next(budget_seconds=60)).state is BuildState.BUILDING:
        pass
    assert build.state is BuildState.REFUSED
    assert live_model() == OLD
    generation = generations.building()
    assert generation is not None and "8 of 8 passages" in generation.problem
    assert generation.verified_at is not None
    monkeypatch.undo()
    assert build_next(budget_seconds=60).state is BuildState.REFUSED  # not again at once
    Generation.objects.filter(pk=generation.pk).update(verified_at=timezone.now() - 2 * MINUTES)
    assert build_next(budget_seconds=60).state is BuildState.LIVE
    assert live_model() == NEW


def test_what_the_index_lost_meanwhile_is_there_at_the_flip(articles, new, restart):
    restart(NEW)
    begun()
    for key in collections_of(NEW):
        get_store().drop(key)
    build_next(budget_seconds=60)
    assert live_model() == NEW
    assert check_index().is_clean


# --- going back ---------------------------------------------------------------------------------------------


def test_settings_that_went_back_give_up_what_was_half_built(articles, old, new, restart):
    restart(NEW)
    generation = begun()
    restart(OLD)
    old.embedded = []
    assert build_next(budget_seconds=60).state is BuildState.NOTHING_TO_DO
    assert generations.building() == generation  # another process may be at it still
    quiet(generation)
    build_next(budget_seconds=60)
    assert generations.building() is None
    remove_retired()  # no grace: nobody was answered from it
    assert set(Passage.objects.values_list("recipe", flat=True)) == {recipe_of(OLD).fingerprint}
    assert collections_of(NEW) == set()
    assert not IndexMark.objects.filter(recipe=recipe_of(NEW).fingerprint).exists()
    assert live_model() == OLD and old.embedded == []
    assert check_index().is_clean


def test_going_back_soon_after_the_flip_embeds_only_what_was_edited(articles, old, new, restart):
    restart(NEW)
    sync_stale()
    assert live_model() == NEW
    edit(articles[0], body="The heron has moved away.")
    sync_stale()
    old.embedded = []
    restart(OLD)
    sync_stale()
    assert live_model() == OLD
    assert [text for text in old.embedded if "moved away" in text]
    assert not [text for text in old.embedded if "sleeps in its own place" in text]
    assert texts_found("heron moved")[0] == "The heron has moved away."
    assert check_index().is_clean


def test_a_process_with_settings_of_yesterday_does_not_flip_back(articles, old, new, settings):
    assert generations.wanted() is None  # it has looked, with the old settings
    settings.EMBEDDING_MODEL = NEW
    sync_stale()
    assert live_model() == NEW
    settings.EMBEDDING_MODEL = OLD
    assert generations.wanted() is None
    assert build_next(budget_seconds=60).state is BuildState.NOTHING_TO_DO
    assert live_model() == NEW


def test_a_half_removed_generation_that_is_wanted_again_is_taken_for_nothing(articles, old, new, restart):
    restart(NEW)
    sync_stale()
    grown_old()
    IndexMark.objects.filter(recipe=recipe_of(OLD).fingerprint).delete()
    half = Passage.objects.filter(recipe=recipe_of(OLD).fingerprint, article__in=articles[:4])
    half.delete()
    restart(OLD)
    build_next(budget_seconds=60)
    assert remove_retired() == ()
    sync_stale()
    assert live_model() == OLD
    assert len(found("sleeps in its own place")) == len(articles)
    assert check_index().is_clean


# --- models that are gone -----------------------------------------------------------------------------------


class Missing(SeededEmbedder):
    def encode_question(self, text, *, language=None):
        raise EmbedderUnavailable("no such folder")

    encode_passages = encode_question

    def count_tokens(self, text, *, language=None):
        raise EmbedderUnavailable("no such folder")


@pytest.mark.django_db(transaction=True)
def test_without_the_old_model_words_answer_and_the_new_one_is_built(
    articles, new, restart, settings, tmp_path, client, staff
):
    Generation.objects.update(model=str(tmp_path / "thrown-away"))
    restart(NEW)
    first = found("where does the otter sleep")
    assert first[0] == ("otter", None)
    parts = client.get("/readyz").json()["parts"]
    assert parts["embedding_model"]["state"] == "degraded"
    assert str(tmp_path) not in str(parts)
    client.force_login(staff)
    page = client.get("/admin/knowledge/article/").content.decode()
    assert "cannot be loaded any more" in page
    edit(articles[0], body="The heron has moved away.")
    sync_stale()
    assert live_model() == NEW
    assert found("where does the otter sleep")[0][1] is not None
    assert texts_found("heron moved")[0] == "The heron has moved away."
    assert client.get("/readyz").json()["parts"]["embedding_model"]["state"] == "ok"


def test_other_weights_under_the_old_name_are_not_asked(articles, tmp_path):
    """Cosines between two spaces would be noise that looks like a ranking."""
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    use_embedder(SeededEmbedder(), name=str(tmp_path))
    Generation.objects.update(model=str(tmp_path))
    assert found("where does the otter sleep")[0] == ("otter", None)


@pytest.mark.django_db(transaction=True)
def test_a_new_model_that_cannot_be_loaded_leaves_the_old_one_alone(articles, restart, client):
    use_embedder(Missing(), name=NEW)
    restart(NEW)
    with pytest.raises(EmbedderUnavailable):
        build_next(budget_seconds=60)
    assert found("where does the otter sleep")[0][1] is not None
    edit(articles[0], body="The heron has moved away.")
    sync_article(articles[0].pk)
    assert texts_found("heron moved")[0] == "The heron has moved away."
    parts = client.get("/readyz").json()["parts"]
    assert parts["next_index"]["state"] == "degraded"
    assert parts["embedding_model"]["state"] == "ok"


def test_a_folder_that_has_moved_is_the_same_model(articles, settings, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "model.safetensors").write_bytes(b"weights")
    shutil.copytree(here, there)
    recipe = recipe_of(str(here))
    Generation.objects.update(recipe=recipe.fingerprint, space=recipe.space, model=str(here))
    settings.EMBEDDING_MODEL = str(there)
    assert generations.wanted() is None
    assert live_model() == str(there)


# --- it is seen -----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_progress_is_shown_where_people_look(articles, new, restart, client, staff):
    restart(NEW)
    begun()
    part = client.get("/readyz").json()["parts"]["next_index"]
    assert (part["state"], part["done"], part["total"]) == ("ok", 4, 8)
    client.force_login(staff)
    page = client.get("/admin/knowledge/article/").content.decode()
    assert "A new index is being built: 4 of 8 articles." in page
    assert page.count('hc-badge hc-good" title="answerable since') == len(articles)
    build_next(budget_seconds=60)
    assert "A new index" not in client.get("/admin/knowledge/article/").content.decode()


def test_the_admin_speaks_of_the_live_generation(articles, new, restart, client, staff):
    restart(NEW)
    begun()
    client.force_login(staff)
    listed = client.get("/admin/knowledge/article/", {"index": "ready"}).context["cl"].queryset
    assert listed.count() == len(articles)


# --- real processes -------------------------------------------------------------------------------------------

START = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django
django.setup()
from django.core.management import call_command
from knowledge import generations
from knowledge.embeddings import recipe_of, use_embedder
from knowledge.indexing import bell_held, build_next, check_index, sync_stale
from knowledge.models import Article, Generation, Passage
from knowledge.retrieval import retrieve
from tests.seeded import SeededEmbedder
from tests.test_generations import NEW, OLD, OtherEmbedder
old, new = SeededEmbedder(), OtherEmbedder()
use_embedder(old, name=OLD)
use_embedder(new, name=NEW)
def answer():
    found = retrieve("where does the otter sleep", language="en").passages
    print(generations.live().model, len(found), found[0].title, found[0].cosine is not None, flush=True)
"""
FILL = """
call_command("migrate", verbosity=0)
with bell_held():
    for name in ("heron", "badger", "otter", "lynx", "marten", "polecat", "beaver", "stoat"):
        text = f"The {name} sleeps in its own place."
        Article.objects.create(title=name, slug=name, body=text, language="en", status="published")
sync_stale()
answer()
"""
CUT_OFF = {
    "while it embeds": """
def wait(texts):
    if any("marten" in text for text in texts):  # the second four
        print("here", flush=True)
        sys.stdin.readline()
new.before = wait
sync_stale()
""",
    "before the flip": """
def wait(generation):
    print("here", flush=True)
    sys.stdin.readline()
generations.go_live = wait
sync_stale()
""",
    "in the transaction of the flip": """
from django.db import transaction
flip = generations.go_live
def wait(generation):
    with transaction.atomic():
        print(flip(generation), end=" ")
        print("here", flush=True)
        sys.stdin.readline()
generations.go_live = wait
sync_stale()
""",
}
FINISH = """
answer()
sync_stale()
answer()
print(len(new.embedded), check_index().is_clean, Generation.objects.count(), flush=True)
"""


@pytest.mark.parametrize(
    ("where", "embedded_again"),
    [
        ("while it embeds", 8),  # two texts an article, of the second four
        ("before the flip", 0),
        ("in the transaction of the flip", 0),
    ],
)
def test_a_builder_that_is_killed_leaves_the_old_one_answering_and_its_heir_goes_on(
    tmp_path, where, embedded_again
):
    """Real processes, kill -9."""
    filler = start_python(tmp_path, START + FILL, EMBEDDING_MODEL=OLD)
    assert line_of(filler) == f"{OLD} 8 otter True"
    filler.communicate(timeout=60)
    killed = start_python(tmp_path, START + CUT_OFF[where], EMBEDDING_MODEL=NEW)
    assert line_of(killed).endswith("here")
    kill(killed)
    heir = start_python(tmp_path, START + FINISH, EMBEDDING_MODEL=NEW)
    assert line_of(heir) == f"{OLD} 8 otter True"
    assert line_of(heir) == f"{NEW} 8 otter True"
    assert line_of(heir) == f"{embedded_again} True 2"
    heir.communicate(timeout=60)


ASK_EACH_TIME = """
for _line in sys.stdin:
    answer()
"""
BUILD = """
sync_stale()
print(generations.live().model, flush=True)
"""


def test_another_process_notices_the_flip_with_its_next_question(tmp_path):
    """Its settings are the old ones and it is not restarted."""
    port = free_port()
    with chroma_server(tmp_path / "chroma", port):
        url = f"http://127.0.0.1:{port}"
        filler = start_python(tmp_path, START + FILL, EMBEDDING_MODEL=OLD, CHROMA_URL=url)
        line_of(filler)
        filler.communicate(timeout=60)
        asker = start_python(tmp_path, START + ASK_EACH_TIME, EMBEDDING_MODEL=OLD, CHROMA_URL=url)
        assert asker.stdin is not None
        asker.stdin.write("ask\n")
        asker.stdin.flush()
        assert line_of(asker) == f"{OLD} 8 otter True"
        builder = start_python(tmp_path, START + BUILD, EMBEDDING_MODEL=NEW, CHROMA_URL=url)
        assert line_of(builder) == NEW
        asker.stdin.write("ask\n")
        asker.stdin.flush()
        assert line_of(asker) == f"{NEW} 8 otter True"
        for process in (asker, builder):
            process.communicate(timeout=60)


# --- upgrading ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("embedder", "model"),
    [
        (OLD, OLD),
        ("all-MiniLM-L6-v2 (offline, English)", "minilm"),
        ("a-folder-of-which-only-this-is-known", "a-folder-of-which-only-this-is-known"),
    ],
)
def test_what_is_indexed_becomes_the_live_generation(embedder, model):
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    earlier = [("knowledge", "0003_fingerprint_stored_passages")]
    executor.migrate(earlier)
    before = MigrationExecutor(connection).loader.project_state(earlier).apps
    since = timezone.now() - 60 * MINUTES
    try:
        states, rows = before.get_model("knowledge", "IndexState"), before.get_model("knowledge", "Article")
        states.objects.create(recipe="r" * 64, embedder=embedder, dimension=1)
        states.objects.create(recipe="s" * 64, embedder="an earlier one", dimension=1)
        for slug, indexed in (("indexed", "a" * 64), ("edited", "b" * 64)):
            rows.objects.create(
                title=slug,
                slug=slug,
                body="Text.",
                language="en",
                status="published",
                revision=1,
                content_fingerprint="a" * 64,
                indexed_fingerprint=indexed,
                indexed_recipe="r" * 64,
                indexed_at=since,
            )
    finally:
        MigrationExecutor(connection).migrate(latest)
    generation = generations.live()
    assert generation is not None
    assert (generation.recipe, generation.model, generation.space) == ("r" * 64, model, "")
    assert list(generations.retired().values_list("recipe", flat=True)) == ["s" * 64]
    assert set(Article.objects.stale("r" * 64).values_list("slug", flat=True)) == {"edited"}
    assert indexed_at(Article.objects.get(slug="indexed")) == since
