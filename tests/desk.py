"""What the tests of the editors' desk share: people with roles, and the form of an article."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from assistant.roles import ensure_groups
from knowledge.models import Article

LIST = "/admin/knowledge/article/"


def member(role: str, name: str = "") -> User:
    """Of one of the shipped groups."""
    ensure_groups()
    name = name or role.lower()
    user = User.objects.create_user(name, f"{name}@example.org", "a good passphrase", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form(article: Article | None = None, **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "title": article.title if article else "Pause",
        "slug": article.slug if article else "pause",
        "body": article.body if article else "Pause for one to three months.",
        "audience": article.audience if article else "public",
        "language": article.language if article else "en",
        "category": article.category_id or "" if article else "",
        "translation_group": article.translation_group if article else "",
        "labels": "",
        "publish_at_0": "", "publish_at_1": "", "unpublish_at_0": "", "unpublish_at_1": "",
        "reviewed_at": "", "reviewed_by": "", "review_by": "",
    }  # fmt: skip
    if article is not None:
        values |= {"passages-TOTAL_FORMS": 0, "passages-INITIAL_FORMS": 0}
    return values | changes


def change(client: Client, article: Article, button: str = "_save", **changes: Any) -> str:
    """Saves its form with that button; returns the page that follows."""
    response = client.post(
        f"{LIST}{article.pk}/change/", form(article, **changes) | {button: "yes"}, follow=True
    )
    assert response.status_code == 200
    return response.content.decode()


def step(client: Client, article: Article, name: str, comment: str = "") -> str:
    response = client.post(f"{LIST}{article.pk}/step/{name}/", {"comment": comment}, follow=True)
    return response.content.decode()
