"""What the table of routes cannot say: which rows a role sees behind a route that is open to it, and what it may do."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client

from assistant.models import MessageAuthor, TicketMessage
from assistant.roles import ROLES, differences, ensure_groups
from knowledge.models import Article, Audience, Status
from tests.desk import as_, member
from tests.desk_samples import arrived
from tests.role_matrix import ANONYMOUS, STAFF, SUPERUSER, Visitor, account_of, address, read_table, routes
from tests.role_samples import make_samples

pytestmark = pytest.mark.django_db


def visitor(role: str) -> Client:
    client = Client()
    if role == "Customers":
        account = User.objects.create_user("kim", "kim@example.org", "a good passphrase")
        account.groups.add(Group.objects.get_or_create(name=role)[0])
        client.force_login(account)
    elif role != ANONYMOUS:
        client = as_(member(role))
    return client


@pytest.mark.parametrize("role", [ANONYMOUS, *(role for role in ROLES)])
def test_who_reads_which_article(role, make_article):
    readers = {
        Audience.PUBLIC: {ANONYMOUS, *ROLES},
        Audience.SIGNED_IN: set(ROLES),
        Audience.INTERNAL: set(STAFF) - {SUPERUSER},
    }
    client = visitor(role)
    for audience, allowed in readers.items():
        article = make_article(f"For {audience}", audience=audience, synced=False)
        expected = 200 if role in allowed else 404
        assert client.get(article.get_absolute_url()).status_code == expected, audience
        assert client.get(f"/api/v1/articles/{article.pk}/").status_code == expected, audience
        listed = client.get("/api/v1/articles/").json()["results"]
        assert (article.pk in {one["id"] for one in listed}) is (role in allowed), audience


def test_the_link_of_a_ticket_opens_that_one_and_shows_no_notes():
    ticket, other = arrived(), arrived()
    for body, is_internal in (("Which wheel?", False), ("A reseller.", True)):
        TicketMessage.objects.create(
            ticket=ticket, author_kind=MessageAuthor.STAFF, body=body, is_internal=is_internal
        )
    page = Client().get(ticket.get_absolute_url()).content.decode()
    assert "Which wheel?" in page
    assert "A reseller." not in page and other.reference not in page
    assert Client().get(ticket.get_absolute_url().replace(ticket.token, "x" * 43)).status_code == 404
    assert Client().get(f"/api/v1/tickets/{ticket.reference}/").status_code == 404
    for role in ("Analysts", "Editors"):
        assert as_(member(role)).get(f"/admin/assistant/ticket/{ticket.pk}/change/").status_code == 403


@pytest.mark.parametrize(
    ("role", "may_submit", "may_publish"),
    [
        ("Authors", True, False),
        ("Reviewers", True, False),
        ("Publishers", True, True),
        ("Support", False, False),
        ("Analysts", False, False),
    ],
)
def test_who_takes_which_step_with_an_article(role, may_submit, may_publish, make_article):
    client = as_(member(role))
    for step, may, becomes in (
        ("submit", may_submit, Status.IN_REVIEW),
        ("publish", may_publish, Status.PUBLISHED),
    ):
        article = make_article(f"To {step}", status=Status.DRAFT, synced=False)
        client.post(f"/admin/knowledge/article/{article.pk}/step/{step}/", {"comment": ""})
        assert (Article.objects.get(pk=article.pk).status == becomes) is may, step


def test_analysts_see_no_customers_address_on_any_page_of_theirs():
    """Pages as they are, not only whether they are served."""
    analyst = account_of("Analysts")
    samples = make_samples(analyst)
    client = Visitor(analyst)
    seen = 0
    for route in routes():
        is_a_page = route.name.startswith(("admin:", "("))
        if not is_a_page or "Analysts" not in read_table()[route.name].get("GET", ()):
            continue
        page = client.get(address(route, samples.values_for(route)))
        assert b"ada@example.org" not in page, route.name
        assert b"kim@example.org" not in page, route.name
        seen += bool(page)
    assert seen > 30


def test_only_whoever_helps_reads_who_asked():
    analyst = member("Analysts")
    samples = make_samples(analyst)
    page = f"/admin/assistant/question/{samples.by_model['assistant_question']}/change/"
    assert b"kim@example.org" not in as_(analyst).get(page).content
    assert b"kim@example.org" in as_(member("Support")).get(page).content


def test_groups_are_made_and_their_differences_are_told(capsys):
    ensure_groups()
    assert set(Group.objects.values_list("name", flat=True)) >= set(ROLES)
    assert not Group.objects.get(name="Customers").permissions.exists()
    assert differences() == []
    support = Group.objects.get(name="Support")
    support.permissions.remove(Permission.objects.get(codename="view_rating"))
    support.permissions.add(Permission.objects.get(codename="view_webhookendpoint"))
    ensure_groups()  # an upgrade
    call_command("roles")
    told = capsys.readouterr().out
    assert "- assistant.view_rating" in told and "+ assistant.view_webhookendpoint (added here)" in told
    call_command("roles", add="Support")
    assert set(support.permissions.values_list("codename", flat=True)) >= {
        "view_rating",
        "view_webhookendpoint",
    }
    call_command("roles", add="Support")
    assert "lacks nothing" in capsys.readouterr().out
    with pytest.raises(CommandError, match="'Kings' is no role"):
        call_command("roles", add="Kings")


def test_administrators_have_all_that_the_applications_offer():
    boss = member("Administrators", "boss")
    of_ours = Permission.objects.filter(content_type__app_label__in=("assistant", "knowledge"))
    assert of_ours.count() > 100
    assert set(of_ours) <= set(Group.objects.get(name="Administrators").permissions.all())
    assert not boss.is_superuser
