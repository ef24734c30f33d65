"""Lists of the desk: views that people keep, the search, several articles at once, and figures of one."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.labels import judge
from assistant.models import Feedback
from assistant.services import open_ticket
from knowledge import viewing
from knowledge.models import Article, Audience, Status
from knowledge.saved_views import SavedView, canonical
from knowledge.viewing import ArticleViews
from tests.pages import answered, escalated, text_of

LIST = "/admin/knowledge/article/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def colleague(db) -> Client:
    user = User.objects.create_user("col", "c@example.org", "a good passphrase", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_article", "view_question"]))
    client = Client()
    client.force_login(user)
    return client


def plain(number: int, **fields) -> Article:
    values = {"title": f"A {number:03}", "slug": f"a-{number}", "body": "Text.", "language": "en"}
    return Article.objects.create(**values | fields)


def titles(page) -> list[str]:
    return [article.title for article in page.context["cl"].result_list]


# --- views ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [LIST, "/admin/assistant/question/", "/admin/assistant/ticket/"])
def test_a_view_is_kept_with_its_filters_and_shown_as_a_tab(editor, address):
    query = "language__exact=en&o=1&q=pause"
    page = editor.get(f"{address}?{query}&p=1").content.decode()
    assert "Save this view" in page
    editor.post(f"{address}views/", {"name": "Mine", "query": f"p=3&{query}"})
    view = SavedView.objects.get()
    assert view.query == canonical(query) and not view.is_shared
    page = editor.get(f"{address}?{query}").content.decode()
    assert 'aria-current="page">Mine' in page and "Remove the view “Mine”" in page
    editor.post(f"{address}views/", {"name": "Mine", "query": "o=2"})
    view.refresh_from_db()
    assert view.query == "o=2"
    editor.post(f"{address}views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_a_shared_view_is_seen_by_all_and_removed_by_its_owner(editor, colleague, staff):
    editor.post(f"{LIST}views/", {"name": "Drafts", "query": "status__exact=draft", "is_shared": "on"})
    editor.post(f"{LIST}views/", {"name": "Private", "query": "status__exact=archived"})
    page = colleague.get(f"{LIST}?status__exact=draft").content.decode()
    assert "Drafts" in page and "Private" not in page and "Remove the view" not in page
    shared = SavedView.objects.get(name="Drafts")
    assert colleague.post(f"{LIST}views/{shared.pk}/delete/").status_code == 403
    assert editor.post(f"/admin/assistant/question/views/{shared.pk}/delete/").status_code == 404
    assert "Drafts" not in editor.get("/admin/assistant/question/").content.decode()


def test_what_a_list_does_not_know_is_no_view(editor):
    for query in ("author__password__startswith=a", "created_at__gte=nonsense"):
        page = editor.post(f"{LIST}views/", {"name": "Odd", "query": query}, follow=True)
        assert "These filters cannot be kept" in text_of(page.content)
    page = editor.post(f"{LIST}views/", {"name": "", "query": "o=1"}, follow=True)
    assert "Name: This field is required." in text_of(page.content)
    assert page.redirect_chain == [(f"{LIST}?o=1", 302)]
    assert not SavedView.objects.exists()


# --- search -----------------------------------------------------------------------------------------------


def test_the_search_finds_what_customers_find_and_then_every_draft_with_the_words(editor, make_article):
    make_article("Paying by PayPal", "We accept PayPal in Germany.")
    found = make_article("Give the bike back", "Bring the bike back to any shop.")
    plain(1, title="Returning: a draft", body="Where can I return my bicycle?")
    page = editor.get(LIST, {"q": "return my bicycle"})
    assert titles(page)[0] == found.title and titles(page)[-1] == "Returning: a draft"
    assert "as customers find" in text_of(page.content) and "by meaning and words" in text_of(page.content)
    by_title = editor.get(LIST, {"q": "return my bicycle", "o": "-1"})
    assert titles(by_title) == sorted(titles(by_title), reverse=True)
    assert titles(editor.get(LIST, {"q": "return my bicycle", "status__exact": "draft"})) == [
        "Returning: a draft"
    ]


def test_without_an_index_the_words_find_and_the_page_says_so(editor):
    plain(1, title="Nothing indexed", body="A very special word.")
    page = editor.get(LIST, {"q": "special word"})
    assert titles(page) == ["Nothing indexed"]
    assert "Found by its words alone" in text_of(page.content)


# --- several at once --------------------------------------------------------------------------------------


def test_a_category_is_set_for_many_and_a_foreign_one_for_none(editor, make_category):
    one, german = plain(1), plain(2, language="de")
    category = make_category("Returns")
    chosen = {"action": "choose_category", "_selected_action": [one.pk, german.pk]}
    page = editor.post(LIST, chosen)
    assert "A 001" in page.content.decode() and Article.objects.filter(category=None).count() == 2
    done = editor.post(LIST, chosen | {"confirmed": "1", "category": category.pk}, follow=True)
    assert "1 article was changed." in text_of(done.content)
    assert "1 article stays as it is." in text_of(done.content)
    one.refresh_from_db()
    assert one.category == category and one.history.count() == 2
    again = editor.post(LIST, chosen | {"confirmed": "1", "category": "999"})
    assert "Select a valid choice" in text_of(again.content)


def test_an_audience_is_set_for_all_that_a_filter_shows(editor):
    for number in range(4):
        plain(number, audience=Audience.INTERNAL if number else Audience.PUBLIC)
    chosen = {"action": "choose_audience", "_selected_action": ["0"], "select_across": "1"}
    address = f"{LIST}?audience__exact=internal"
    page = editor.post(address, chosen).content.decode()
    assert "is quoted to customers from then on" in page and 'name="select_across" value="1"' in page
    editor.post(address, chosen | {"confirmed": "1", "audience": "signed_in"})
    assert list(Article.objects.order_by("pk").values_list("audience", flat=True)) == [
        "public",
        *["signed_in"] * 3,
    ]


def test_what_is_selected_is_downloaded_as_markdown(editor, colleague):
    one, _other = plain(1, body="Kept."), plain(2)
    for client in (editor, colleague):  # who may see an article may take it along
        response = client.post(LIST, {"action": "download", "_selected_action": [one.pk]})
        archive = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
        assert archive.namelist() == ["en/a-1.md"]
        assert archive.read("en/a-1.md").endswith(b"Kept.")
    colleague.post(LIST, {"action": "archive", "_selected_action": [one.pk], "confirmed": "1"})
    one.refresh_from_db()
    assert one.status == Status.DRAFT


def test_a_filter_names_what_asks_for_an_editor(editor):
    today = timezone.localdate()
    plain(1, status="published")
    plain(2, status="published", reviewed_at=today - timedelta(days=400), translation_group="g")
    plain(3, status="published", reviewed_at=today, translation_group="g", language="de")
    plain(4, to_go_over=True)
    for value, expected in {
        "never": ["A 001"],
        "old": ["A 002"],
        "untranslated": ["A 001"],
        "to_go_over": ["A 004"],
        "unhelpful": [],
    }.items():
        assert titles(editor.get(LIST, {"to_do": value})) == expected, value


# --- views of pages, and figures --------------------------------------------------------------------------


def test_views_are_counted_of_readers_alone_and_written_together(client, editor, customer, make_article):
    article = make_article("Pause", synced=False)
    address = article.get_absolute_url()
    editor.get(address)  # staff
    reader = Client(headers={"User-Agent": "Mozilla/5.0"})
    with CaptureQueriesContext(connection) as queries:
        reader.get(address)
    assert not [query for query in queries if "articleviews" in query["sql"]]
    reader.head(address)
    reader.get(address, headers={"Sec-Purpose": "prefetch"})
    reader.get(address, headers={"User-Agent": "Googlebot/2.1"})
    reader.get(address + "nothing/")
    reader.force_login(customer)
    reader.get(address)
    assert viewing.write() == 2
    reader.get(address)
    assert viewing.write() == 1 and viewing.write() == 0
    row = ArticleViews.objects.get()
    assert (row.article, row.day, row.count) == (article, timezone.localdate(), 3)


def _figures(make_article, staff) -> Article:
    article: Article
    article, other = make_article("Pause", "Text.", synced=False), make_article("Other", synced=False)
    first = answered(article, text="How do I pause?", confidence_score=0.9)
    second = answered(other, article, text="What does it cost?", confidence_score=0.5)
    Feedback.objects.create(question=first, helpful=True)
    Feedback.objects.create(question=second, helpful=False)
    judge(question=first, verdict="right", by=staff)
    open_ticket(subject="More", contact_email="a@example.org", language="en", question=second)
    escalated(article, text="Can I pause twice?")
    ArticleViews.objects.create(article=article, day=timezone.localdate(), count=7)
    ArticleViews.objects.create(article=article, day=timezone.localdate() - timedelta(days=45), count=4)
    return article


def test_an_article_says_how_it_fares_and_who_asked_what(editor, staff, make_article):
    article = _figures(make_article, staff)
    page = editor.get(f"{LIST}{article.pk}/figures/")
    figures = page.context["figures"]
    assert (figures.views.recent, figures.views.before, figures.views.total) == (7, 4, 11)
    assert (figures.answered.recent, figures.answered.total, figures.first) == (2, 2, 1)
    assert figures.confidence == pytest.approx(0.7)
    assert (figures.answer_yes, figures.answer_no, figures.tickets, figures.near) == (1, 1, 1, 1)
    assert (figures.right, figures.not_right) == (1, 0)
    for shown, expected in {
        "answered": {"How do I pause?", "What does it cost?"},
        "tickets": {"What does it cost?"},
        "unhelpful": {"What does it cost?"},
        "near": {"Can I pause twice?"},
    }.items():
        rows = editor.get(f"{LIST}{article.pk}/figures/", {"show": shown}).context["rows"]
        assert {question.text for question, _meter in rows} == expected, shown
    assert "7 views in 30 days" in text_of(editor.get(f"{LIST}{article.pk}/change/").content)


def test_the_page_of_figures_takes_a_fixed_number_of_queries(editor, staff, make_article):
    article = _figures(make_article, staff)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert editor.get(f"{LIST}{article.pk}/figures/").status_code == 200
        return len(queries)

    few = count()
    for number in range(12):
        answered(article, text=f"And {number}?", user=staff)
    assert count() == few <= 13


def test_figures_are_for_those_who_may_see_questions(client, make_article):
    article = make_article(synced=False)
    user = User.objects.create_user("w", "w@example.org", "a good passphrase", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_article"))
    client.force_login(user)
    assert client.get(f"{LIST}{article.pk}/figures/").status_code == 403
    assert "What it answered" not in client.get(f"{LIST}{article.pk}/change/").content.decode()
