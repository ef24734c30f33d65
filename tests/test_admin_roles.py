"""Editors and Support: each group can do its work in the admin, and not the other's."""

import pytest
from django.contrib.auth.models import Group, User

from assistant.models import TicketMessage
from assistant.roles import ROLES, ensure_groups
from tests.test_admin_tickets import form, make_question, make_ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    def sign_in(role: str) -> User:
        ensure_groups()
        user = User.objects.create_user(
            role.lower(), f"{role}@example.org", "a good passphrase", is_staff=True
        )
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return user

    return sign_in


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        (
            "Editors",
            (
                "knowledge/article/",
                "knowledge/article/add/",
                "knowledge/category/add/",
                "assistant/question/",
            ),
            ("assistant/ticket/", "auth/user/"),
        ),
        (
            "Support",
            ("assistant/ticket/", "assistant/question/", "assistant/feedback/", "knowledge/article/"),
            ("knowledge/article/add/", "knowledge/category/add/", "auth/user/"),
        ),
    ],
)
def test_each_role_reaches_its_pages(client, member, role, allowed, refused):
    member(role)
    assert {client.get(f"/admin/{page}").status_code for page in allowed} == {200}
    assert {client.get(f"/admin/{page}").status_code for page in refused} == {403}


def test_support_settles_a_ticket(client, member):
    user = member("Support")
    ticket = make_ticket(make_question())
    address = f"/admin/assistant/ticket/{ticket.pk}/change/"
    assert client.get(address).status_code == 200
    assert (
        client.post(address, form(ticket, assignee=user.pk, **{"messages-0-body": "Hello."})).status_code
        == 302
    )
    assert TicketMessage.objects.get().author == user
    assert client.post(f"/admin/assistant/ticket/{ticket.pk}/delete/", {"post": "yes"}).status_code == 403


def test_support_sees_passages_and_no_buttons_to_publish(client, member, make_article):
    member("Support")
    article = make_article("Pause", "Pause for one to three months.")
    assert "Pause for one" in client.get(f"/admin/knowledge/article/{article.pk}/change/").content.decode()
    client.post("/admin/knowledge/article/", {"action": "archive", "_selected_action": [article.pk]})
    article.refresh_from_db()
    assert article.status == "published"


def test_a_group_is_left_as_its_administrator_made_it():
    ensure_groups()
    group = Group.objects.get(name="Support")
    assert group.permissions.count() == len(ROLES["Support"])
    group.permissions.clear()
    ensure_groups()
    assert not group.permissions.exists()
