"""What is fetched by machines: feeds, sitemap, OpenSearch, and what pages say about themselves."""

import json
import re
from xml.etree import ElementTree as ET

from assistant.popularity import popular_article_ids
from knowledge.votes import ArticleVote
from tests.pages import answered, text_of

ATOM = "{http://www.w3.org/2005/Atom}"


def feed(client, path: str) -> ET.Element:
    response = client.get(path, headers={"host": "127.0.0.1"})
    assert response["Content-Type"].startswith("application/atom+xml")
    return ET.fromstring(response.content)


def titles(root: ET.Element) -> list[str | None]:
    return [entry.findtext(f"{ATOM}title") for entry in root.iter(f"{ATOM}entry")]


def test_the_feed_holds_public_articles_of_its_language_newest_first(client, staff, make_article):
    make_article("Old", "Text with `<b>` & more.", slug="old", synced=False)
    make_article("New", slug="new", synced=False)
    make_article("Deutsch", language="de", synced=False)
    make_article("Codes", audience="internal", synced=False)
    make_article("Draft", status="draft", synced=False)
    client.force_login(staff)
    root = feed(client, "/en/feed.atom")
    assert titles(root) == ["New", "Old"]
    links = [link.get("href") for link in root.iter(f"{ATOM}link")]
    assert all(link and link.startswith("http://localhost:8000/") for link in links)
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "Help center"
    # Readers take a summary for HTML.
    summaries = [entry.findtext(f"{ATOM}summary") for entry in root.iter(f"{ATOM}entry")]
    assert summaries[-1] == "Text with &lt;b&gt; &amp; more."
    assert "href" in client.get("/en/").content.decode().split('type="application/atom+xml"')[1][:120]


def test_a_category_has_a_feed_of_its_own_where_the_public_reads_something(
    client, make_article, make_category
):
    money = make_category("Money", slug="money")
    make_article("Invoices", category=money, synced=False)
    make_article("Elsewhere", synced=False)
    secret = make_category("Fraud", slug="fraud")
    make_article("Signals", category=secret, audience="internal", synced=False)
    assert titles(feed(client, "/en/categories/money/feed.atom")) == ["Invoices"]
    assert client.get("/en/categories/fraud/feed.atom").status_code == 404
    assert client.get("/de/categories/money/feed.atom").status_code == 404


def test_the_sitemap_names_translations_and_the_publics_categories(client, make_article, make_category):
    money = make_category("Money", slug="money")
    secret = make_category("Fraud", slug="fraud")
    make_article("Pause", slug="pause", translation_group="p", category=money, synced=False)
    make_article("Pausieren", slug="pausieren", language="de", translation_group="p", synced=False)
    make_article("Alone", slug="alone", translation_group="a", synced=False)
    make_article(
        "Alone in German",
        slug="secret",
        language="de",
        translation_group="a",
        audience="internal",
        synced=False,
    )
    make_article("Signals", category=secret, audience="internal", synced=False)
    sitemap = client.get("/sitemap.xml", headers={"host": "127.0.0.1"}).content.decode()
    assert "/en/categories/money/" in sitemap and "fraud" not in sitemap and "secret" not in sitemap
    entry = next(
        one for one in sitemap.split("<url>") if "<loc>http://localhost:8000/en/articles/pause/" in one
    )
    assert set(re.findall(r'hreflang="(\w\w)" href="([^"]+)"', entry)) == {
        ("en", "http://localhost:8000/en/articles/pause/"),
        ("de", "http://localhost:8000/de/articles/pausieren/"),
    }
    alone = next(one for one in sitemap.split("<url>") if "/articles/alone/" in one)
    assert "hreflang" not in alone
    assert 'hreflang="x-default" href="http://localhost:8000/"' in sitemap


def test_browsers_are_told_how_to_search_here(client, db):
    home = client.get("/de/").content.decode()
    assert 'rel="search" type="application/opensearchdescription+xml" href="/de/opensearch.xml"' in home
    response = client.get("/de/opensearch.xml", headers={"host": "127.0.0.1"})
    root = ET.fromstring(response.content)
    templates = [url.get("template") for url in root.iter("{http://a9.com/-/spec/opensearch/1.1/}Url")]
    assert "http://localhost:8000/de/search/?q={searchTerms}" in templates
    assert "http://localhost:8000/de/suggest/?q={searchTerms}&format=opensearch" in templates


def test_home_and_category_say_what_they_are(client, make_article, make_category):
    money = make_category("Money", slug="money")
    make_article("Invoices", slug="invoices", category=money, synced=False)
    make_article("Codes", slug="codes", category=money, audience="signed_in", synced=False)
    for path, kind in (("/en/", "WebSite"), ("/en/categories/money/", "CollectionPage")):
        html = client.get(path).content.decode()
        nodes = [json.loads(text) for text in re.findall(r"ld\+json\" nonce=\"[^\"]+\">(.*?)</script>", html)]
        assert kind in [node["@type"] for node in nodes]
        assert f'<link rel="canonical" href="http://localhost:8000{path}">' in html
        assert 'property="og:title"' in html


def test_what_answers_cite_and_readers_like_is_popular(client, make_article, django_assert_num_queries):
    liked = make_article("Liked", slug="liked", synced=False)
    cited = make_article("Cited", slug="cited", synced=False)
    disliked = make_article("Disliked", slug="disliked", synced=False)
    make_article("Unknown", slug="unknown", synced=False)
    for _question in range(3):
        answered(cited)
    for number in range(2):
        ArticleVote.objects.create(article=liked, voter=f"a{number}", is_helpful=True, revision=1)
        ArticleVote.objects.create(article=disliked, voter=f"b{number}", is_helpful=False, revision=1)
    answered(disliked)
    assert popular_article_ids() == [cited.pk, liked.pk]
    html = client.get("/en/").content.decode()
    section = html[html.index('class="popular-list"') : html.index('id="topics"')]
    assert re.findall(r"/en/articles/([\w-]+)/", section) == ["cited", "liked"]
    cited.status = "archived"
    cited.save()
    assert "Cited" not in text_of(client.get("/en/").content)
    with django_assert_num_queries(0):
        popular_article_ids()
