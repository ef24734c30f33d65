"""An article as its readers have it: the cited passage marked, their vote kept, what is near, what machines read."""

import json
import re
from datetime import date, timedelta

import pytest
from django.utils import timezone

from knowledge.models import Article
from knowledge.votes import ArticleVote
from tests.conftest import MakeArticle
from tests.pages import text_of

BODY = """Intro.

## How long

At most **three months** a year. Then it ends.

## Price

Nothing.

## End

Bye."""
QUOTE = "At most **three months** a year."
SPAN = f"{BODY.index(QUOTE)}-{BODY.index(QUOTE) + len(QUOTE)}"


@pytest.fixture
def pause(make_article: MakeArticle) -> Article:
    return make_article("Pause", BODY, slug="pause", synced=False)


def marks(html: str) -> str:
    prose = html[html.index('class="prose"') :]
    return "".join(re.findall(r"<mark[^>]*>(.*?)</mark>", prose))


def test_a_citation_opens_its_passage_marked(client, pause):
    html = client.get(f"/en/articles/pause/?quote={SPAN}.{pause.revision}").content.decode()
    assert marks(html) == "At most three months a year."
    assert html.count('<mark id="quote">') == 1
    assert 'href="#quote"' in html
    assert '<link rel="canonical" href="http://localhost:8000/en/articles/pause/">' in html


def test_a_passage_that_still_stands_after_an_edit_is_marked_where_it_stands_now(client, pause):
    old = pause.revision
    pause.body = "## New first\n\nA longer beginning.\n\n" + BODY
    pause.save()
    html = client.get(f"/en/articles/pause/?quote={SPAN}.{old}").content.decode()
    assert marks(html) == "At most three months a year."


def test_a_passage_that_was_rewritten_is_told_and_its_heading_offered(client, pause):
    old = pause.revision
    pause.body = BODY.replace("three", "six")
    pause.save()
    html = client.get(f"/en/articles/pause/?quote={SPAN}.{old}").content.decode()
    assert marks(html) == ""
    assert 'class="notice" id="quote"' in html
    assert "has been changed since the answer was written" in html
    assert '<a href="#how-long">How long</a>' in html
    assert "three" not in text_of(html.encode())


def test_the_heading_is_offered_only_while_it_stands(client, pause):
    old = pause.revision
    pause.body = "All new."
    pause.save()
    html = client.get(f"/en/articles/pause/?quote={SPAN}.{old}").content.decode()
    assert "has been changed since" in html and "#how-long" not in html


@pytest.mark.parametrize(
    "quote", ["", "x", "5-", "-1-4.1", "5-4.1", "0-99999.1", "1-2.1<script>", "٣-٤.١", "1-2.999"]
)
def test_a_bad_quote_shows_the_article_unmarked(client, pause, quote):
    response = client.get("/en/articles/pause/", {"quote": quote})
    assert response.status_code == 200
    assert marks(response.content.decode()) == ""
    assert "<script>alert" not in response.content.decode()


def test_a_vote_is_kept_changed_and_nobodys(client, pause):
    page = client.get("/en/articles/pause/").content.decode()
    assert "Was this article helpful?" in page
    response = client.post("/en/articles/pause/vote/", {"helpful": "yes"})
    assert response["Location"] == "/en/articles/pause/#vote"
    assert "Good to hear" in client.get("/en/articles/pause/").content.decode()
    client.post("/en/articles/pause/vote/", {"helpful": "no"})
    stored = ArticleVote.objects.get()
    assert (stored.article, stored.is_helpful, stored.revision) == (pause, False, pause.revision)
    assert {field.name for field in ArticleVote._meta.fields} == {
        *("id", "article", "voter", "is_helpful", "revision", "voted_at")
    }
    page = client.get("/en/articles/pause/").content.decode()
    assert 'href="#ask-text"' in page and "/en/contact/" in page


def test_each_visitor_has_one_vote(client, pause):
    from django.test import Client

    for _visit in range(2):
        client.post("/en/articles/pause/vote/", {"helpful": "yes"})
        Client().post("/en/articles/pause/vote/", {"helpful": "no"})
    assert sorted(ArticleVote.objects.values_list("is_helpful", flat=True)) == [False, False, True]


def test_nothing_is_counted_where_nothing_may_be_read(client, customer, make_article, pause):
    make_article("Codes", slug="codes", audience="internal", synced=False)
    assert client.post("/en/articles/codes/vote/", {"helpful": "yes"}).status_code == 404
    assert client.post("/en/articles/pause/vote/", {"helpful": "maybe"}).status_code == 302
    assert client.get("/en/articles/pause/vote/").status_code == 405
    assert not ArticleVote.objects.exists()


def test_editors_see_votes_and_mark_what_they_checked(client, staff, pause):
    for number, is_helpful in enumerate([True, False, False]):
        ArticleVote.objects.create(article=pause, voter=str(number), is_helpful=is_helpful, revision=1)
    Article.objects.filter(pk=pause.pk).update(updated_at=timezone.now() - timedelta(days=500))
    assert "more than a year ago" in client.get("/en/articles/pause/").content.decode()
    client.force_login(staff)
    assert "1 / 3" in client.get("/admin/knowledge/article/").content.decode()
    changed = Article.objects.get().updated_at
    client.post("/admin/knowledge/article/", {"action": "mark_reviewed", "_selected_action": pause.pk})
    stored = Article.objects.get()
    assert (stored.reviewed_at, stored.reviewed_by, stored.updated_at) == (
        timezone.localdate(),
        staff,
        changed,
    )
    page = text_of(client.get("/en/articles/pause/").content)
    assert "Checked on" in page and "more than a year ago" not in page


def test_a_review_in_the_future_is_refused(client, staff, pause):
    client.force_login(staff)
    address = f"/admin/knowledge/article/{pause.pk}/change/"
    fields = {
        "title": "Pause",
        "slug": "pause",
        "body": BODY,
        "status": "published",
        "audience": "public",
        "language": "en",
    }
    inline = {
        f"passages-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    }
    refused = client.post(
        address, fields | inline | {"reviewed_at": str(timezone.localdate() + timedelta(days=1))}
    )
    assert "lies in the future" in refused.content.decode()
    assert client.post(address, fields | inline | {"reviewed_at": "2026-01-02"}).status_code == 302
    stored = Article.objects.get()
    assert (stored.reviewed_at, stored.reviewed_by) == (date(2026, 1, 2), staff)


def test_related_articles_are_near_in_words_and_readable(client, make_article, make_category):
    money = make_category("Money")
    make_article("Pause your subscription", slug="pause-it", category=money)
    make_article("End a subscription pause early", slug="end-pause")
    make_article("Invoices", slug="invoices", category=money)
    make_article("Subscription pause for staff", slug="secret", audience="internal")
    make_article("Battery in winter", slug="battery")
    html = client.get("/en/articles/pause-it/").content.decode()
    related = re.findall(r'<li><a href="/en/articles/([\w-]+)/"', html[html.index('id="related"') :])
    assert related == ["end-pause", "invoices"]


def test_an_article_page_asks_the_database_a_fixed_number_of_times(
    client, make_article, make_category, django_assert_num_queries
):
    money = make_category("Money")
    for number in range(6):
        make_article(
            f"Pause your plan {number}",
            slug=f"pause-{number}",
            category=money,
            translation_group=f"g{number}",
        )
    client.get("/en/articles/pause-0/")  # the word index is made once
    for number in range(2):
        # article, site, translations, generation, related
        with django_assert_num_queries(5):
            client.get(f"/en/articles/pause-{number}/")


def test_machines_read_what_people_read(client, make_article, make_category):
    money = make_category("Money & <more>", slug="money")
    make_article("</script><b>Pause", BODY, slug="pause", category=money, translation_group="p", synced=False)
    make_article("Pausieren", slug="pausieren", language="de", translation_group="p", synced=False)
    response = client.get("/en/articles/pause/")
    html = response.content.decode()
    found = re.findall(r'<script type="application/ld\+json" nonce="([^"]+)">(.*?)</script>', html, re.DOTALL)
    told = response["Content-Security-Policy"]
    assert all(f"'nonce-{nonce}'" in told for nonce, _json in found)
    article, crumbs = (json.loads(text) for _nonce, text in found)
    assert article["headline"] == "</script><b>Pause"
    assert article["url"] == "http://localhost:8000/en/articles/pause/"
    assert article["inLanguage"] == "en" and article["articleSection"] == "Money & <more>"
    assert article["workTranslation"][0]["url"] == "http://localhost:8000/de/articles/pausieren/"
    assert [step["name"] for step in crumbs["itemListElement"]] == [
        "Help center",
        "Money & <more>",
        "</script><b>Pause",
    ]
    assert '<meta property="og:title" content="&lt;/script&gt;&lt;b&gt;Pause">' in html
    assert '<meta property="og:type" content="article">' in html


def test_machines_are_told_nothing_of_what_is_not_public(client, customer, make_article):
    make_article("Codes", slug="codes", audience="signed_in", synced=False)
    client.force_login(customer)
    html = client.get("/en/articles/codes/").content.decode()
    assert "ld+json" not in html and "og:title" not in html and "noindex" in html
