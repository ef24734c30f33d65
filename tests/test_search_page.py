"""Search results: counted, narrowed down, paged, and helpful where there are none."""

import re

import pytest

from tests.pages import text_of


@pytest.fixture
def many(make_article, make_category):
    riding = make_category("Riding", slug="riding")
    battery = make_category("Battery care", slug="care", parent=riding)
    money = make_category("Money", slug="money")
    for number in range(8):
        make_article(f"Battery tip {number}", "Keep the battery dry.", slug=f"tip-{number}", category=battery)
    for number in range(4):
        make_article(
            f"Battery fee {number}", "The battery costs money.", slug=f"fee-{number}", category=money
        )


def found(html: str) -> list[str]:
    return re.findall(r'<h2><a href="/en/articles/([\w-]+)/', html)


def chosen(html: str) -> list[str]:
    return re.findall(r'<a class="facet"[^>]*aria-current="true">([^<]+?)\s*<', html)


def test_results_are_counted_and_paged(client, many):
    first = client.get("/en/search/", {"q": "battery"}).content.decode()
    assert "12 articles" in text_of(first.encode()) and "Page 1 of 2" in text_of(first.encode())
    assert len(found(first)) == 10
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = client.get(following[1].replace("&amp;", "&")).content.decode()
    assert len(found(second)) == 2 and not set(found(first)) & set(found(second))
    assert '<ol class="results" start="11">' in second
    assert len(found(client.get("/en/search/", {"q": "battery", "page": "99"}).content.decode())) == 2
    assert len(found(client.get("/en/search/", {"q": "battery", "page": "x"}).content.decode())) == 10


def test_results_are_narrowed_down_by_topic_and_the_topic_by_nothing(client, many):
    page = client.get("/en/search/", {"q": "battery"}).content.decode()
    assert "All topics 12" in text_of(page.encode())
    assert "Riding 8" in text_of(page.encode()) and "Money 4" in text_of(page.encode())
    narrowed = client.get("/en/search/", {"q": "battery", "category": "money"}).content.decode()
    assert set(found(narrowed)) == {f"fee-{number}" for number in range(4)}
    assert "4 articles" in text_of(narrowed.encode()) and "Money" in chosen(narrowed)
    unknown = client.get("/en/search/", {"q": "battery", "category": "nothing"}).content.decode()
    assert len(found(unknown)) == 10 and "All topics" in chosen(unknown)


def test_a_topic_is_searched_beyond_the_best_of_all(client, make_article, make_category, monkeypatch):
    """More fits than is compared: a topic has its own best, and one whose best is not among them is offered too."""
    monkeypatch.setattr("knowledge.search_views.RESULTS", 4)
    riding, money = make_category("Riding", slug="riding"), make_category("Money", slug="money")
    part = make_category("Fees", slug="fees", parent=money)
    for number in range(5):
        make_article(f"Battery battery {number}", "Battery.", slug=f"tip-{number}", category=riding)
    for number in range(2):
        text = "Among many other things that cost money, the battery is named here once, in passing."
        make_article(f"Prices {number}", text, slug=f"fee-{number}", category=part)
    html = client.get("/en/search/", {"q": "battery"}).content.decode()
    assert len(found(html)) == 4 and all(slug.startswith("tip") for slug in found(html))
    assert "The 4 best matches. There are more" in text_of(html.encode())
    assert re.findall(r'<a class="facet" href="[^"]*category=(\w+)"[^>]*>(\w+)</a>', html) == [
        ("riding", "Riding"),
        ("money", "Money"),
    ]  # no counts: nobody has counted
    narrowed = client.get("/en/search/", {"q": "battery", "category": "money"}).content.decode()
    assert set(found(narrowed)) == {"fee-0", "fee-1"}
    assert "2 articles" in text_of(narrowed.encode()) and chosen(narrowed) == ["Money", "English"]


def test_a_language_is_searched_when_it_is_chosen(client, make_article):
    make_article("Battery", "Battery battery.", slug="battery")
    make_article("Battery und Akku", "Battery Akku.", slug="akku", language="de")
    for wanted, expected in (("en", {"en"}), ("de", {"de"}), ("all", {"en", "de"}), ("fr", {"en", "de"})):
        html = client.get("/en/search/", {"q": "battery", "language": wanted}).content.decode()
        languages = set(re.findall(r'<h2><a href="/(\w\w)/articles/', html))
        assert languages == expected, wanted


def test_a_typing_error_is_put_right_by_a_click(client, many):
    html = client.get("/en/search/", {"q": "Batery dry"}).content.decode()
    assert '<a href="/en/search/?q=Battery%20dry">Battery dry</a>' in html
    assert "Did you mean" not in client.get("/en/search/", {"q": "battery"}).content.decode()


def test_where_nothing_is_found_there_are_three_ways_on(client, db):
    page = client.get("/de/search/", {"q": "Quastenflosser"}).content.decode()
    assert 'name="text"' in page and "/de/contact/" in page
    assert "keinen Artikel gefunden" in text_of(page.encode())
    assert ">Quastenflosser</textarea>" in page


def test_what_shares_no_word_is_shown_as_a_guess(client, many):
    html = client.get("/en/search/", {"q": "zyxwv qwrtz"}).content.decode()
    assert "No article holds the words “zyxwv qwrtz”" in text_of(html.encode())
    assert 0 < len(found(html)) <= 5
    assert "best match first" not in html and "All topics 12" not in text_of(html.encode())
    assert "No article holds" not in text_of(client.get("/en/search/", {"q": "battery zyxwv"}).content)


def test_a_search_asks_a_fixed_number_of_times(client, many, django_assert_num_queries):
    client.get("/en/search/", {"q": "battery"})
    # generation, synonyms, passages and articles through the gate, articles for the page, spelling's generation, site
    with django_assert_num_queries(7):
        client.get("/en/search/", {"q": "battery"})


def test_the_language_switch_keeps_what_is_searched_for(client, db):
    page = client.get("/en/search/?q=battery&language=en").content.decode()
    assert 'name="next" value="/de/search/?q=battery&amp;language=en"' in page
    target = "/de/search/?q=battery&language=en"
    assert client.post("/i18n/setlang/", {"language": "de", "next": target})["Location"] == target
