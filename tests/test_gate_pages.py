"""What is taken back is gone from every page at commit, with the index left as it was."""

import pytest

from knowledge.models import Article
from tests.pages import answered, escalated

pytestmark = pytest.mark.django_db

WITHDRAWALS = [
    {"status": "draft"},
    {"status": "in_review"},
    {"status": "archived"},
    {"audience": "internal"},
    {"audience": "signed_in"},
]
SECRET = "Zanzibar"


@pytest.mark.parametrize("change", WITHDRAWALS, ids=lambda change: next(iter(change.values())))
def test_a_withdrawn_article_is_gone_everywhere(client, make_article, make_category, change):
    category = make_category("Travel", slug="travel")
    secret = make_article(
        f"{SECRET} trips", f"All about {SECRET} and its bikes.", slug="secret", category=category
    )
    make_article(
        "Other trips", f"See [that](article:secret-group) for {'bikes'}.", slug="other", category=category
    )
    Article.objects.filter(pk=secret.pk).update(translation_group="secret-group")
    quoting, near = answered(secret), escalated(secret)
    pages = [
        "/en/",
        "/en/categories/travel/",
        "/en/articles/secret/",
        "/de/articles/secret/",
        "/en/articles/other/",
        "/en/search/?q=bikes",
        f"/en/answers/{quoting.public_id}/",
        f"/en/answers/{near.public_id}/",
        "/sitemap.xml",
    ]

    def mentions(path):
        response = client.get(path, follow=True)
        return SECRET in response.content.decode() or "/articles/secret/" in response.content.decode()

    assert all(mentions(path) for path in pages), "every page must show it first, or this proves nothing"
    # Straight in the row: no signal, no bell, no index is touched.
    Article.objects.filter(pk=secret.pk).update(**change)
    assert [path for path in pages if mentions(path)] == []
    assert client.get("/en/articles/secret/").status_code == 404


def test_one_withdrawn_source_hides_the_whole_answer(client, make_article):
    stays = make_article("Pause", "Tap pause.", synced=False)
    goes = make_article("Fees", "Nine euros.", synced=False)
    asked = answered(stays, goes)
    Article.objects.filter(pk=goes.pk).update(status="archived")
    html = client.get(f"/en/answers/{asked.public_id}/").content.decode()
    assert "This answer is no longer available" in html
    assert "Tap pause." not in html
    assert "How do I pause?</textarea>" in html


def test_a_deleted_source_hides_the_answer(client, make_article):
    article = make_article("Pause", "Tap pause.", synced=False)
    asked = answered(article)
    article.delete()
    html = client.get(f"/en/answers/{asked.public_id}/").content.decode()
    assert "This answer is no longer available" in html
    assert "Tap pause." not in html


@pytest.mark.parametrize(
    ("audience", "readers"),
    [
        ("public", {"visitor", "customer", "staff"}),
        ("signed_in", {"customer", "staff"}),
        ("internal", {"staff"}),
    ],
)
def test_each_reader_sees_what_the_audience_allows(client, customer, staff, make_article, audience, readers):
    make_article("Codes", slug="codes", audience=audience, synced=False)
    seen = set()
    for name, user in (("visitor", None), ("customer", customer), ("staff", staff)):
        client.logout()
        if user:
            client.force_login(user)
        if client.get("/en/articles/codes/").status_code == 200:
            seen.add(name)
    assert seen == readers


def test_an_answer_shared_with_somebody_who_may_not_read_it_shows_no_text(client, customer, make_article):
    article = make_article("Codes", "The code is 4711.", audience="signed_in", synced=False)
    asked = answered(article)
    client.force_login(customer)
    assert "4711" in client.get(f"/en/answers/{asked.public_id}/").content.decode()
    client.logout()
    assert "4711" not in client.get(f"/en/answers/{asked.public_id}/").content.decode()
