"""The editors' desk: status, index state, history, and messages that name the field."""

import subprocess
import sys

import pytest
from django.utils import timezone

from knowledge.embeddings import current_recipe
from knowledge.generations import in_service
from knowledge.models import Article, Category, Passage, Status
from knowledge.outbox import MAX_ATTEMPTS, edition_of
from tests.marks import mark_indexed

LIST = "/admin/knowledge/article/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, staff):
    client.force_login(staff)
    return client


def form(article: Article | None = None, **changes) -> dict[str, object]:
    values = {
        "title": article.title if article else "Pause",
        "slug": article.slug if article else "pause",
        "body": article.body if article else "Pause for one to three months.",
        "status": article.status if article else "draft",
        "audience": article.audience if article else "public",
        "language": article.language if article else "en",
        "category": "",
        "translation_group": article.translation_group if article else "",
    }
    prefix = {"passages-TOTAL_FORMS": 0, "passages-INITIAL_FORMS": 0} if article else {}
    return values | prefix | changes


def plain(number: int, **fields) -> Article:
    values = {"title": f"A {number:03}", "slug": f"a-{number}", "body": "Text.", "language": "en"}
    return Article.objects.create(**values | fields)


def mark_now(article: Article) -> None:
    mark_indexed(article, recipe=in_service().recipe, at=timezone.now())


def test_the_author_is_who_saves_it_first(editor, staff):
    response = editor.post(f"{LIST}add/", form())
    assert response.status_code == 302
    article = Article.objects.get()
    assert (article.author, article.revision) == (staff, 1)
    assert article.history.get().history_user == staff


def test_a_taken_slug_is_told_at_the_slug_with_the_text_kept(editor):
    plain(1, slug="pause")
    response = editor.post(f"{LIST}add/", form(body="Typed for an hour."))
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert errors == {"slug": ["Another article in this language already has this slug."]}
    assert "Typed for an hour." in response.content.decode()
    assert editor.post(f"{LIST}add/", form(language="de")).status_code == 302


def test_a_second_translation_into_the_same_language_is_told_at_its_field(editor):
    plain(1, translation_group="pause")
    errors = editor.post(f"{LIST}add/", form(translation_group="pause")).context["adminform"].form.errors
    assert list(errors) == ["translation_group"]


def test_a_category_of_the_other_language_is_refused(editor, make_category):
    category = make_category(language="de")
    errors = editor.post(f"{LIST}add/", form(category=category.pk)).context["adminform"].form.errors
    assert list(errors) == ["category"]


@pytest.mark.parametrize(
    ("action", "status"), [("publish", "published"), ("archive", "archived"), ("make_draft", "draft")]
)
def test_actions_save_each_row_with_its_history(editor, staff, action, status):
    articles = [plain(number, status=Status.IN_REVIEW) for number in range(3)]
    chosen = articles[:2]
    chosen_ids = [article.pk for article in chosen]
    page = editor.post(LIST, {"action": action, "_selected_action": chosen_ids})
    if action == "archive":  # takes answers away, so it asks first
        assert "From this moment on nobody reads them" in page.content.decode()
        assert Article.objects.filter(status="archived").count() == 0
        editor.post(LIST, {"action": action, "_selected_action": chosen_ids, "confirmed": "1"})

    assert [article.status for article in Article.objects.order_by("pk")] == [status, status, "in_review"]
    for article in chosen:
        assert article.history.count() == 2
        assert article.history.latest().history_user == staff


def test_publishing_from_the_list_makes_it_answerable(editor, django_capture_on_commit_callbacks):
    article = plain(1)
    with django_capture_on_commit_callbacks(execute=True):
        editor.post(LIST, {"action": "publish", "_selected_action": [article.pk]})
    article.refresh_from_db()
    assert not article.is_stale(current_recipe().fingerprint)
    ids = list(article.passages.values_list("pk", flat=True))
    assert Passage.objects.answerable_by_id(ids, None, language=article.language)


def test_repeating_an_action_changes_nothing(editor):
    article = plain(1, status=Status.PUBLISHED)
    editor.post(LIST, {"action": "publish", "_selected_action": [article.pk]})
    assert article.history.count() == 1


def test_the_list_tells_the_state_of_the_index(editor):
    mark_now(plain(1, status="published"))
    plain(2, status="published")
    broken, hopeless, in_hand = (plain(number, status="published") for number in (3, 4, 5))
    edition_of(broken).fail(RuntimeError("out of memory"))
    for _attempt in range(MAX_ATTEMPTS):
        edition_of(hopeless).fail(ValueError("no room for text"))
    assert edition_of(in_hand).claim(Article.objects.all())
    plain(6)
    page = editor.get(LIST).content.decode()
    assert page.count("hc-badge hc-good") >= 2  # published, and answerable since
    for state in ("waiting", "being indexed now", "not published"):
        assert state in page
    assert "failed 1 time – next try at" in page and "RuntimeError: out of memory" in page
    assert "given up after 5 attempts: ValueError: no room for text" in page
    for value, expected in (("ready", [1]), ("waiting", [2, 5]), ("error", [3]), ("given_up", [4])):
        listed = editor.get(LIST, {"index": value}).context["cl"].queryset
        assert [article.title for article in listed] == [f"A {number:03}" for number in expected]
    assert editor.get(LIST, {"index": "nonsense"}).context["cl"].queryset.count() == 6


def test_trying_again_forgets_the_failures_and_rings(editor, django_capture_on_commit_callbacks):
    well, hopeless = plain(1, status="published"), plain(2, status="published")
    for _attempt in range(MAX_ATTEMPTS):
        edition_of(hopeless).fail(ValueError("no room for text"))
    chosen = {"action": "try_again", "_selected_action": [well.pk, hopeless.pk]}
    with django_capture_on_commit_callbacks(execute=True):
        page = editor.post(LIST, chosen, follow=True).content.decode()
    assert "1 article is tried again." in page
    hopeless.refresh_from_db()
    assert (hopeless.index_attempts, hopeless.index_error) == (0, "")
    assert not hopeless.is_stale(current_recipe().fingerprint)
    assert hopeless.history.count() == 1  # nobody wrote anything
    assert "Nothing has failed" in editor.post(LIST, chosen, follow=True).content.decode()


def test_the_form_of_an_article_says_why_it_cannot_be_answered_from(editor):
    article = plain(1, status="published")
    for _attempt in range(MAX_ATTEMPTS):
        edition_of(article).fail(ValueError("no <room> for text"))
    page = editor.get(f"{LIST}{article.pk}/change/").content.decode()
    assert "given up after 5 attempts: ValueError: no &lt;room&gt; for text" in page


def test_view_on_site_is_there_once_it_can_be_seen(editor):
    draft, published = plain(1), plain(2, status="published")
    assert "viewsitelink" not in editor.get(f"{LIST}{draft.pk}/change/").content.decode()
    page = editor.get(f"{LIST}{published.pk}/change/").content.decode()
    assert f'href="{published.get_absolute_url()}" class="viewsitelink"' in page


def test_an_old_revision_that_comes_back_is_a_new_one(editor):
    article = plain(1, body="First text.")
    first = article.history.latest()
    article.body = "Second text."
    article.save()
    # The form of an old revision would save past the workflow.
    assert editor.post(f"{LIST}{article.pk}/history/{first.history_id}/", form(article)).status_code == 403
    response = editor.post(f"{LIST}{article.pk}/restore/a{first.history_id}/")
    assert response.status_code == 302
    article.refresh_from_db()
    assert (article.body, article.revision) == ("First text.", 3)


def test_passages_are_shown_and_their_vectors_are_not_read(editor, make_article):
    article = make_article("Pause", "## Costs\n\nPausing costs 9 euros a month, for at most three months.")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        page = editor.get(f"{LIST}{article.pk}/change/").content.decode()
    assert "Pausing costs 9 euros" in page
    assert "Costs" in page
    assert not [query for query in queries if '"knowledge_passage"."vector"' in query["sql"]]


def test_the_list_takes_as_many_queries_for_two_hundred_articles_as_for_ten(editor, make_category):
    def rows(amount: int) -> None:
        for _number in range(amount):
            number = Article.objects.count()
            plain(number, status="published", category=make_category(), translation_group=f"g{number}")
            plain(number, language="de", slug=f"d-{number}", translation_group=f"g{number}")

    rows(5)
    few = queries_of(editor, LIST)
    rows(95)
    many = queries_of(editor, LIST)
    assert len(many) == len(few) <= 14
    assert not [sql for sql in many if '"knowledge_article"."body"' in sql]


def queries_of(client, address: str) -> list[str]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in queries]


def test_categories_are_listed_as_a_tree(editor, make_category):
    top = make_category("Billing", position=2)
    child = make_category("Invoices", parent=top)
    make_category("Corrections", parent=child)
    other = make_category("Account", position=1)
    plain(1, category=child)
    listed = editor.get("/admin/knowledge/category/").context["cl"].result_list
    assert [(one.name, one.depth, one.article_total) for one in listed] == [
        ("Account", 0, 0),
        ("Billing", 0, 0),
        ("Invoices", 1, 1),
        ("Corrections", 2, 0),
    ]
    assert other in listed


def test_the_tree_survives_a_circle_and_a_filter(editor, make_category):
    first = make_category("First")
    second = make_category("Second", parent=first)
    Category.objects.filter(pk=first.pk).update(parent=second)
    assert len(editor.get("/admin/knowledge/category/").context["cl"].result_list) == 2
    found = editor.get("/admin/knowledge/category/", {"q": "Second"})
    assert [one.name for one in found.context["cl"].result_list] == ["Second"]


def test_the_category_list_takes_a_fixed_number_of_queries(editor, make_category):
    def rows(amount: int) -> None:
        for number in range(amount):
            plain(Article.objects.count() + 1000 + number, category=make_category(parent=make_category()))

    rows(3)
    few = queries_of(editor, "/admin/knowledge/category/")
    rows(25)
    assert len(queries_of(editor, "/admin/knowledge/category/")) == len(few)


def test_a_taken_category_slug_is_told_at_the_slug(editor, make_category):
    make_category("Billing", slug="billing")
    values = {"name": "Bills", "slug": "billing", "language": "en", "parent": "", "position": 0}
    errors = editor.post("/admin/knowledge/category/add/", values).context["adminform"].form.errors
    assert list(errors) == ["slug"]


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_of_the_desk_renders_in_both_languages(editor, make_article, make_category, language):
    article = make_article("Pause", "Pause for one to three months.", category=make_category())
    headers = {"Accept-Language": language}
    for address in (
        "/admin/",
        LIST,
        f"{LIST}add/",
        f"{LIST}{article.pk}/change/",
        f"{LIST}{article.pk}/history/",
        f"{LIST}{article.pk}/compare/?from=a{article.history.latest().history_id}&to=work",
        f"{LIST}{article.pk}/step/archive/",
        "/admin/knowledge/category/",
        "/admin/knowledge/category/add/",
        f"/admin/knowledge/category/{article.category.pk}/change/",
    ):
        response = editor.get(address, headers=headers)
        assert response.status_code == 200, address
        assert f'<html lang="{language}"' in response.content.decode()
        assert {"de": "Hilfe-Center", "en": "Help center"}[language] in response.content.decode()


def test_a_missing_model_is_shown_and_breaks_no_page(editor, settings):
    plain(1, status="published")
    settings.EMBEDDING_MODEL = "/nowhere/at/all"
    page = editor.get(LIST)
    assert page.status_code == 200
    assert "no model" in page.content.decode()


def test_the_desk_imports_neither_torch_nor_chromadb():
    code = (
        "import django, sys; django.setup(); from django.contrib import admin; admin.autodiscover(); "
        "from django.urls import reverse; reverse('admin:index'); "
        "print([name for name in ('torch', 'sentence_transformers', 'chromadb') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**__import__("os").environ, "DJANGO_SETTINGS_MODULE": "helpcenter.settings"},
    )
    assert run.stdout.strip() == "[]"
