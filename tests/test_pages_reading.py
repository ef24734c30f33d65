"""Home, category, article and the addresses for machines, as a reader and a search engine see them."""

import re

import pytest
from django.test import Client

from tests.pages import text_of

BODY = (
    "Short answer.\n\n## First\n\nOne.\n\n## Second\n\nTwo.\n\n## Third\n\nThree, see [fees](article:fees)."
)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "cookies", "target"),
    [
        ({"accept-language": "de-AT,de;q=0.9,en;q=0.5"}, {}, "/de/"),
        ({"accept-language": "en-GB,en;q=0.9"}, {}, "/en/"),
        ({"accept-language": "fr"}, {}, "/en/"),
        ({"accept-language": "en"}, {"django_language": "de"}, "/de/"),
    ],
)
def test_the_root_leads_to_the_readers_language(client: Client, headers, cookies, target):
    client.cookies.load(cookies)
    response = client.get("/", headers=headers)
    assert (response.status_code, response["Location"]) == (302, target)


def test_the_language_switch_leads_to_the_translation_and_is_remembered(client, make_article):
    make_article("Pause", slug="pause", language="en", translation_group="pause", synced=False)
    make_article("Pausieren", slug="pausieren", language="de", translation_group="pause", synced=False)
    page = client.get("/en/articles/pause/").content.decode()
    assert 'name="next" value="/de/articles/pausieren/"' in page
    response = client.post("/i18n/setlang/", {"language": "de", "next": "/de/articles/pausieren/"})
    assert response["Location"] == "/de/articles/pausieren/"
    assert client.get("/", headers={"accept-language": "en"})["Location"] == "/de/"


def test_home_lists_categories_with_what_the_reader_may_see(client, customer, make_article, make_category):
    billing = make_category("Billing", slug="billing")
    cards = make_category("Cards", slug="cards", parent=billing)
    make_category("Nothing in here")
    make_article("Invoices", category=billing, synced=False)
    make_article("Card declined", category=cards, synced=False)
    make_article("Approval codes", category=billing, audience="signed_in", synced=False)
    make_article("Draft", category=billing, status="draft", synced=False)
    page = text_of(client.get("/en/").content)
    assert "Billing" in page
    assert "Show all 2 articles" in page
    assert "Card declined" in page
    assert "Nothing in here" not in page
    assert "Approval codes" not in page
    assert "Answers are written by an AI" in page
    client.force_login(customer)
    assert "Show all 3 articles" in text_of(client.get("/en/").content)
    assert "Invoices" not in text_of(client.get("/de/").content)


def test_home_does_not_ask_the_database_per_category(
    client, make_article, make_category, django_assert_num_queries
):
    for number in range(8):
        make_article(f"Article {number}", category=make_category(f"Category {number}"), synced=False)
    client.get("/en/")  # the popular articles are counted every few minutes
    with django_assert_num_queries(6):  # site, recent, three for the topics, those without one
        client.get("/en/")


def test_a_category_shows_its_articles_subtopics_and_the_way_back(client, make_article, make_category):
    billing = make_category("Billing", slug="billing", description="All about money")
    cards = make_category("Cards", slug="cards", parent=billing)
    make_article("Invoices", category=billing, synced=False)
    make_article("Card declined", category=cards, synced=False)
    page = client.get("/en/categories/billing/")
    assert "Invoices" in text_of(page.content)
    assert "Subtopics" in text_of(page.content)
    below = client.get("/en/categories/cards/")
    assert '<a href="/en/categories/billing/">Billing</a>' in below.content.decode()


def test_a_category_with_nothing_visible_does_not_exist(client, staff, make_article, make_category):
    secret = make_category("Fraud", slug="fraud")
    make_article("Signals", category=secret, audience="internal", synced=False)
    assert client.get("/en/categories/fraud/").status_code == 404
    client.force_login(staff)
    assert client.get("/en/categories/fraud/").status_code == 200


def test_a_category_switches_to_where_its_articles_are_translated(client, make_article, make_category):
    billing = make_category("Billing", slug="billing")
    rechnung = make_category("Rechnung", slug="rechnung", language="de")
    make_article("Invoices", category=billing, translation_group="invoices", synced=False)
    make_article("Rechnungen", category=rechnung, translation_group="invoices", language="de", synced=False)
    assert 'value="/de/categories/rechnung/"' in client.get("/en/categories/billing/").content.decode()
    assert client.get("/de/categories/billing/")["Location"] == "/de/categories/rechnung/"


def test_an_article_is_rendered_with_contents_links_and_metadata(client, make_article, make_category):
    money = make_category("Money", slug="money")
    make_article("Pause", slug="pause", body=BODY, category=money, translation_group="pause", synced=False)
    make_article("Fees", slug="fees", category=money, translation_group="fees", synced=False)
    make_article("Pausieren", slug="pausieren", language="de", translation_group="pause", synced=False)
    html = client.get("/en/articles/pause/").content.decode()
    assert re.findall(r'<li class="toc-2"><a href="(#\w+)">', html) == ["#first", "#second", "#third"]
    assert '<h2 id="first">First</h2>' in html
    assert '<a href="/en/articles/fees/"' in html.split('class="prose"')[1]
    assert '<link rel="canonical" href="http://localhost:8000/en/articles/pause/">' in html
    assert '<link rel="alternate" hreflang="de" href="http://localhost:8000/de/articles/pausieren/">' in html
    assert '<meta name="description" content="Short answer.' in html
    assert "Related articles" in text_of(html.encode())
    assert 'name="robots"' not in html


def test_an_article_without_translation_says_so_in_the_language_that_is_missing(client, make_article):
    make_article("Pause", slug="pause", synced=False)
    page = client.get("/en/articles/pause/").content.decode()
    assert '<span lang="de">Dieser Artikel liegt nicht auf Deutsch vor.</span>' in page
    assert "hreflang" not in page.split("</head>")[0].replace('hreflang="en"', "")


def test_a_slug_of_the_other_language_leads_to_the_translation(client, make_article):
    make_article("Pause", slug="pause", language="en", translation_group="pause", synced=False)
    make_article("Pausieren", slug="pausieren", language="de", translation_group="pause", synced=False)
    assert client.get("/en/articles/pausieren/")["Location"] == "/en/articles/pause/"


def test_what_exists_in_the_other_language_only_is_said_to(client, make_article, make_category):
    """Sending a reader to the other language unasked would look as if the switch did not work."""
    category = make_category("Only English topic", slug="only-topic")
    make_article("Only English", slug="only-english", category=category, synced=False)
    page = client.get("/en/articles/only-english/").content.decode()
    (target,) = re.findall(r'name="next" value="([^"]+)"', page)
    assert target == "/de/articles/only-english/"  # the switch, which leads to the word that there is none
    for address, original in (
        (target, "/en/articles/only-english/"),
        ("/de/categories/only-topic/", "/en/categories/only-topic/"),
    ):
        response = client.get(address)
        assert response.status_code == 404
        html = response.content.decode()
        assert "gibt es nur auf Englisch" in text_of(response.content)
        assert f'href="{original}" hreflang="en"' in html and f'name="next" value="{original}"' in html
        assert 'name="text"' in html and 'href="/de/contact/"' in html


def test_what_a_reader_may_not_see_is_not_named_in_the_other_language(
    client, staff, make_article, make_category
):
    category = make_category("Fraud", slug="fraud")
    make_article("Signals", slug="signals", category=category, audience="internal", synced=False)
    for address in ("/de/articles/signals/", "/de/categories/fraud/"):
        page = client.get(address)
        assert page.status_code == 404
        assert "Signals" not in text_of(page.content) and "Fraud" not in text_of(page.content)
    client.force_login(staff)
    assert "Signals" in text_of(client.get("/de/articles/signals/").content)


def test_what_an_article_contains_cannot_run(client, make_article):
    make_article(
        "<b>Bold</b>",
        slug="evil",
        body='<script>alert(1)</script>\n\n<img src=x onerror="alert(1)">',
        synced=False,
    )
    html = client.get("/en/articles/evil/").content.decode()
    assert "alert(1)" not in html
    assert "&lt;b&gt;Bold&lt;/b&gt;" in html


def test_search_marks_the_words_and_names_the_language(client, make_article):
    make_article(
        "Charge the battery", "Plug the charger in. The battery is full after 4 hours.", slug="charge"
    )
    html = client.get("/en/search/", {"q": "full battery <i>"}).content.decode()
    assert "Charge the <mark>battery</mark>" in html
    assert 'value="full battery &lt;i&gt;"' in html
    assert "/en/articles/charge/" in html
    assert '<meta name="robots" content="noindex">' in html


def test_search_offers_to_ask_when_nothing_is_found(client, db):
    page = client.get("/de/search/", {"q": "Quastenflosser"})
    assert page.status_code == 200
    assert 'name="text"' in page.content.decode()


def test_the_sitemap_holds_public_articles_under_the_sites_address(client, make_article, settings):
    make_article("Pause", slug="pause", synced=False)
    make_article("Codes", slug="codes", audience="signed_in", synced=False)
    make_article("Draft", slug="draft", status="draft", synced=False)
    sitemap = client.get("/sitemap.xml", headers={"host": "127.0.0.1"}).content.decode()
    assert re.findall(r"<loc>(.*?)</loc>", sitemap) == [
        "http://localhost:8000/de/",
        "http://localhost:8000/en/",
        "http://localhost:8000/en/articles/pause/",
        "http://localhost:8000/de/how-our-ai-works/",
        "http://localhost:8000/en/how-our-ai-works/",
    ]


@pytest.mark.django_db
def test_robots_names_the_sitemap_and_keeps_out_of_search(client: Client):
    robots = client.get("/robots.txt").content.decode()
    assert "Sitemap: http://localhost:8000/sitemap.xml" in robots
    assert "Disallow: /en/search/" in robots


def test_livez_needs_no_database(client: Client):
    assert client.get("/livez").content == b"ok\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/de/", "/en/", "/de/ask/", "/en/contact/", "/de/search/?q=x", "/en/nothing/"]
)
def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(client: Client, path):
    html = client.get(path).content.decode()
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", html)
    assert all("src=" in tag or "ld+json" in tag for tag in re.findall(r"<script[^>]*>", html))
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//(?!localhost:8000/)', html)
