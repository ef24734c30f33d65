"""Links between imported articles lead to the articles, not to where they came from."""

import pytest

from knowledge.links import LinkSource, link_resolver, resolve_link
from knowledge.models import Article, Status

pytestmark = pytest.mark.django_db

HOME = LinkSource(source="help", external_id="billing/start")


def _article(slug: str, *, language: str = "en", status: str = Status.PUBLISHED, **fields: object) -> Article:
    values = {"title": slug, "body": "Text.", "source": "help", "external_id": slug, **fields}
    return Article.objects.create(slug=slug, language=language, status=status, **values)


def test_an_article_link_leads_to_the_translation_of_the_reader():
    _article("pausieren", language="de", translation_group="pause")
    _article("pause", translation_group="pause")
    assert resolve_link("article:pause", language="de") == "/de/articles/pausieren/"
    assert resolve_link("article:pause#fristen", language="en") == "/en/articles/pause/#fristen"


def test_without_a_translation_the_other_language_is_better_than_nothing():
    _article("pause", translation_group="pause")
    assert resolve_link("article:pause", language="de") == "/en/articles/pause/"


@pytest.mark.parametrize(
    "fields",
    [
        {"status": Status.DRAFT},
        {"status": Status.ARCHIVED},
        {"audience": "internal"},
        {"audience": "signed_in"},
    ],
)
def test_a_link_to_what_the_reader_may_not_read_leads_nowhere(fields):
    _article("secret", translation_group="secret", **fields)
    assert resolve_link("article:secret", language="en") is None


def test_staff_follow_links_to_internal_articles(django_user_model):
    staff = django_user_model.objects.create_user("s", is_staff=True)
    _article("secret", translation_group="secret", audience="internal")
    assert resolve_link("article:secret", language="en", user=staff) == "/en/articles/secret/"


@pytest.mark.parametrize(
    "href",
    [
        "https://help.example.com/hc/en-us/articles/900001-Reset-it",
        "/hc/de/articles/900001",
        "https://help.example.com/hc/en-us/articles/900001-Reset#h_01",
    ],
)
def test_a_zendesk_link_leads_to_the_article_with_that_number(href):
    _article("reset", external_id="900001:en", translation_group="zendesk-900001")
    _article("zuruecksetzen", language="de", external_id="900001:de", translation_group="zendesk-900001")
    assert resolve_link(href, language="de", stands_in=HOME) == "/de/articles/zuruecksetzen/"
    assert resolve_link(href, language="en", stands_in=HOME) == "/en/articles/reset/"
    assert resolve_link(href, language="en", stands_in=LinkSource("elsewhere")) is None
    assert resolve_link(href, language="en") is None


def test_markdown_whose_ids_are_zendesk_numbers_is_found_as_well():
    _article("reset", external_id="900001")
    href = "https://support.example.com/hc/en-us/articles/900001-Reset"
    assert resolve_link(href, language="en", stands_in=HOME) == "/en/articles/reset/"


def test_a_link_to_a_file_leads_to_the_article_of_that_file():
    _article("cancel", external_id="billing/cancel")
    _article("other", external_id="account/cancel")
    _article("keyed", external_id="refund.en", translation_group="refund")

    def lead(href: str) -> str | None:
        return resolve_link(href, language="en", stands_in=HOME)

    assert lead("cancel.md") == "/en/articles/cancel/"
    assert lead("../account/cancel.md#notice") == "/en/articles/other/#notice"
    assert lead("refund.md") == "/en/articles/keyed/"
    assert lead("missing.md") is None


@pytest.mark.parametrize(
    "href",
    [
        "",
        "article:",
        "#top",
        "https://example.com/",
        "https://[broken/hc/articles/1",
        "mailto:a@b.example",
        "/x.md",
    ],
)
def test_other_addresses_are_not_ours(href):
    assert resolve_link(href, language="en", stands_in=HOME) is None


def test_a_page_costs_one_query_and_a_page_without_such_links_none(django_assert_num_queries):
    _article("pause", translation_group="pause")
    _article("cancel", external_id="billing/cancel")
    body = "[a](article:pause) [b](<article:none>) [c](cancel.md 'Title')\n\n[ref]: https://x.example/hc/articles/1\n"
    with django_assert_num_queries(1):
        resolve = link_resolver(body, language="en", stands_in=HOME)
        assert resolve("article:pause") == "/en/articles/pause/"
        assert resolve("cancel.md") == "/en/articles/cancel/"
        assert resolve("article:none") is None
    with django_assert_num_queries(0):
        assert (
            link_resolver("[a](https://x.example)", language="en", stands_in=HOME)("https://x.example")
            is None
        )


def test_a_hostile_body_is_read_in_one_pass():
    for body in (
        "](" * 300_000,
        "[a" * 300_000,
        "<https://" * 100_000,
        "a" * 1_000_000,
        "article:" * 100_000,
    ):
        link_resolver(body, language="en", stands_in=HOME)


@pytest.mark.parametrize(
    ("home", "target", "href"),
    [
        ("https://old.example/en-US/kb/start", "https://old.example/en-US/kb/cancel", "/en-US/kb/cancel"),
        (
            "https://old.example/kb/start",
            "https://old.example/kb/cancel",
            "https://old.example/kb/cancel/?from=x#how",
        ),
        ("/de/features/start", "/de/features/cancel", "/de/features/cancel"),
        ("/article/start", "/article/cancel", "/article/cancel/#how"),
        ("/help/start", "/help/cancel", "cancel"),
    ],
)
def test_an_address_at_the_source_leads_to_the_article(home, target, href):
    article = _article("cancel", source_url=target)
    found = resolve_link(href, language="en", stands_in=LinkSource("help", "start", home))
    assert found == article.get_absolute_url() + ("#how" if "#how" in href else "")
    assert resolve_link(href, language="en", stands_in=LinkSource("another", "start", home)) is None


@pytest.mark.parametrize(
    "href", ["https://elsewhere.example/kb/cancel", "#how", "mailto:a@example.org", "/kb/other"]
)
def test_other_addresses_stay_as_they_are(href):
    _article("cancel", source_url="https://old.example/kb/cancel")
    home = LinkSource("help", "start", "https://old.example/kb/start")
    assert resolve_link(href, language="en", stands_in=home) is None
