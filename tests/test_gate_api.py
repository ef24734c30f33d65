"""The gate at the API: what an editor takes back is gone at commit, with the index left as it was."""

import pytest

from knowledge.models import Article, Audience, Status
from knowledge.services import archive_article, make_draft
from tests.test_api_questions import answer_by_hand, ask

ARTICLES = "/api/v1/articles/"
SECRET = "The code of the blue gate is ZANZIBAR, and workshops get it by phone."
pytestmark = pytest.mark.django_db


def take_back(article: Article, how: str) -> None:
    """In the database alone: no signal reaches the index."""
    changes: dict[str, dict[str, str]] = {
        "draft": {"status": Status.DRAFT},
        "in_review": {"status": Status.IN_REVIEW},
        "archived": {"status": Status.ARCHIVED},
        "internal": {"audience": Audience.INTERNAL},
        "signed_in": {"audience": Audience.SIGNED_IN},
    }
    Article.objects.filter(pk=article.pk).update(**changes[how])


@pytest.fixture
def article(make_article):
    return make_article("Blue gate", SECRET)


@pytest.mark.parametrize("how", ["draft", "in_review", "archived", "internal", "signed_in"])
def test_it_is_gone_everywhere_at_once(client, article, how):
    asked = ask(client, "What is the code of the blue gate?").json()
    question = answer_by_hand(asked["id"], article)
    address = f"/api/v1/questions/{question.public_id}/"
    assert client.get(f"{ARTICLES}{article.pk}/").status_code == 200
    assert article.title in client.get(ARTICLES, {"q": "blue gate code"}).content.decode()
    assert client.get(address).json()["answer"]

    take_back(article, how)

    assert client.get(f"{ARTICLES}{article.pk}/").status_code == 404
    for response in (
        client.get(ARTICLES),
        client.get(ARTICLES, {"q": "blue gate code"}),
        client.get(address),
        ask(client, "What is the code of the blue gate?"),
    ):
        assert response.status_code in (200, 201)
        assert "ZANZIBAR" not in response.content.decode()
        assert f'"article_id":{article.pk},' not in response.content.decode()
    shown = client.get(address).json()
    assert (shown["answer"], shown["citations"], shown["answer_state"]) == (None, [], "withdrawn")


@pytest.mark.parametrize(
    ("audience", "anonymous", "signed_in", "employee"),
    [
        (Audience.PUBLIC, 200, 200, 200),
        (Audience.SIGNED_IN, 404, 200, 200),
        (Audience.INTERNAL, 404, 404, 200),
    ],
)
def test_each_reader_sees_what_is_meant_for_them(
    client, make_article, customer, staff, audience, anonymous, signed_in, employee
):
    article = make_article("Blue gate", SECRET, audience=audience)

    def status():
        listed = article.title in client.get(ARTICLES).content.decode()
        found = article.title in client.get(ARTICLES, {"q": "blue gate code"}).content.decode()
        read = client.get(f"{ARTICLES}{article.pk}/").status_code
        assert listed == found == (read == 200)
        return read

    assert status() == anonymous
    client.force_login(customer)
    assert status() == signed_in
    client.force_login(staff)
    assert status() == employee


def test_a_translation_is_offered_to_those_who_may_read_it(client, make_article):
    english = make_article("Blue gate", SECRET, translation_group="gate")
    make_article(
        "Blaues Tor", "Der Code ist ZANZIBAR.", language="de", translation_group="gate", audience="internal"
    )
    assert client.get(f"{ARTICLES}{english.pk}/").json()["translations"] == []


@pytest.mark.parametrize("service", [archive_article, make_draft])
def test_the_editors_actions_close_it(client, article, service):
    assert service(article=article)
    assert client.get(f"{ARTICLES}{article.pk}/").status_code == 404
