"""From the first word to the archive: who may take which step, and what customers read meanwhile."""

import importlib

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from assistant.services import ask_question
from knowledge.changes import pending_change
from knowledge.models import Article, ChangeState, Deed, Notice, PendingChange, Status
from knowledge.retrieval import retrieve
from knowledge.workflow import Step, StepRefused, steps_for, take_step
from tests.desk import LIST, as_, change, form, member, step
from tests.pages import text_of

pytestmark = pytest.mark.django_db


def test_an_article_goes_from_its_author_to_its_readers(client, mailoutbox):
    author, reviewer, publisher = (as_(member(role)) for role in ("Authors", "Reviewers", "Publishers"))
    author.post(f"{LIST}add/", form() | {"_submit": "yes"})
    article = Article.objects.get()
    assert article.status == Status.IN_REVIEW

    assert "Say what is missing" not in step(author, article, "send-back", "No.")  # nor may an author do it
    page = text_of(author.get(f"{LIST}{article.pk}/change/").content)
    assert "Take back from review" in page and "Send back" not in page and "Approve" not in page
    assert "This field is required" in step(reviewer, article, "send-back")
    step(reviewer, article, "send-back", "The price is missing.")
    article.refresh_from_db()
    assert article.status == Status.DRAFT
    page = text_of(author.get(f"{LIST}{article.pk}/change/").content)
    assert "Sent back · reviewers" in page and "The price is missing." in page
    assert Notice.objects.get().recipient.username == "authors"

    change(author, article, "_submit", body="A pause costs 9 euros a month.")
    step(reviewer, article, "approve")
    page = text_of(publisher.get(f"{LIST}{article.pk}/change/").content)
    assert "Approved by reviewers" in page
    article.refresh_from_db()
    change(author, article, body="A pause costs 8 euros a month.")  # an edit makes the approval void
    assert "Approved by" not in text_of(publisher.get(f"{LIST}{article.pk}/change/").content)

    article.refresh_from_db()
    assert "Customers see it now" in change(publisher, article, "_publish")
    article.refresh_from_db()
    assert client.get(article.get_absolute_url()).status_code == 200
    deeds = list(article.workflow.values_list("deed", "by__username"))[::-1]
    assert deeds == [
        (Deed.SUBMITTED, "authors"),
        (Deed.SENT_BACK, "reviewers"),
        (Deed.SUBMITTED, "authors"),
        (Deed.APPROVED, "reviewers"),
        (Deed.PUBLISHED, "publishers"),
    ]
    step(publisher, article, "archive", "No longer offered.")
    assert client.get(article.get_absolute_url()).status_code == 404
    history = text_of(author.get(f"{LIST}{article.pk}/history/").content)
    assert "Archived No longer offered." in history


@pytest.mark.parametrize("role", ["Authors", "Reviewers"])
def test_who_may_not_publish_changes_nothing_that_customers_read(client, make_article, role):
    article = make_article("Pause", "A pause costs 9 euros.")
    other = make_article("Draft", "Not yet.", status=Status.DRAFT, synced=False)
    writer = as_(member(role))
    page = change(
        writer,
        article,
        "_publish",
        title="Other",
        slug="other",
        body="A pause costs 1 euro.",
        audience="internal",
    )
    assert "You may not do this: Publish" in page
    change(writer, other, "_publish")
    for name in ("archive", "reopen", "publish", "unschedule"):
        assert "not open to you" in step(writer, article, name)
    for action in ("publish", "archive", "make_draft"):
        writer.post(LIST, {"action": action, "_selected_action": [article.pk, other.pk]})
    first = article.history.earliest().history_id
    assert writer.post(f"{LIST}{article.pk}/history/{first}/", form(article)).status_code == 403

    assert "A pause costs 9 euros." in client.get(article.get_absolute_url()).content.decode()
    other.refresh_from_db()
    assert other.status == Status.DRAFT
    prepared = pending_change(article)
    assert prepared is not None and prepared.content["body"] == "A pause costs 1 euro."


def test_a_published_article_is_answered_from_while_its_change_is_written(
    client, pause, django_capture_on_commit_callbacks
):
    editor = as_(member("Editors"))
    asked = "How much does a pause of my subscription cost a month?"
    dearer = pause.body.replace("9 euros", "11 euros")

    def answer() -> str:
        return str(ask_question(text=asked, interface_language="en").answer.text)

    for button in ("_save", "_submit"):
        with django_capture_on_commit_callbacks(execute=True):
            change(editor, pause, button, body=dearer)
        assert "9 euros" in answer()
        assert all("11 euros" not in one.text for one in retrieve(asked, language="en").passages)
        assert "11 euros" not in client.get(pause.get_absolute_url()).content.decode()
        assert "11 euros" in editor.get(f"{LIST}{pause.pk}/change/").content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        change(editor, pause, "_publish", body=dearer)
    assert not PendingChange.objects.exists()
    pause.refresh_from_db()
    assert pause.revision == 2
    assert "11 euros" in answer()


def test_what_others_changed_meanwhile_stays_and_a_clash_is_told(make_article, make_category):
    article = make_article("Pause", "Nine euros.", synced=False)
    editor = as_(member("Editors"))
    change(editor, article, body="Ten euros.")
    category = make_category("Plans")
    live = Article.objects.get()
    live.category, live.labels = category, ["plan"]
    live.save()
    take_step(Step.PUBLISH, article=live, by=None)
    live.refresh_from_db()
    assert (live.body, live.category, live.labels) == ("Ten euros.", category, ["plan"])

    change(editor, live, body="Eleven euros.")
    live.body = "Twelve euros, says an import."
    live.save()
    with pytest.raises(StepRefused, match=r"changed since this change was begun \(text\)"):
        take_step(Step.PUBLISH, article=live, by=None)
    page = editor.get(f"{LIST}{live.pk}/change/")
    assert "The published text was changed since this change was begun: text." in text_of(page.content)
    seen = page.context["adminform"].form["seen"].value()
    change(editor, live, "_publish", body="Twelve euros.", seen=seen)
    live.refresh_from_db()
    assert live.body == "Twelve euros."


def test_two_who_write_one_change_do_not_overwrite_each_other_unawares(make_article):
    article = make_article("Pause", "Nine euros.", synced=False)
    anna, berta = as_(member("Authors", "anna")), as_(member("Authors", "berta"))
    address = f"{LIST}{article.pk}/change/"
    seen = anna.get(address).context["adminform"].form["seen"].value()
    change(berta, article, body="Berta's.", seen=seen)
    page = change(anna, article, body="Anna's.", seen=seen)
    assert "Berta saved this article at" in page.replace("berta", "Berta") and "Anna&#x27;s." in page
    assert PendingChange.objects.get().content["body"] == "Berta's."


def test_a_change_can_be_discarded_or_become_the_draft(make_article):
    article = make_article("Pause", "Nine euros.", synced=False)
    editor = as_(member("Editors"))
    change(editor, article, body="Ten euros.")
    step(editor, article, "discard")
    assert not PendingChange.objects.exists()
    assert "Nine euros." in editor.get(f"{LIST}{article.pk}/change/").content.decode()
    change(editor, article, "_submit", body="Ten euros.")
    step(editor, article, "reopen")
    article.refresh_from_db()
    assert (article.status, article.body) == (Status.IN_REVIEW, "Ten euros.")
    assert not PendingChange.objects.exists()


def test_saving_what_is_there_makes_no_change(make_article):
    article = make_article("Pause", "Nine euros.", synced=False)
    change(as_(member("Editors")), article, review_by="2099-01-01")
    assert not PendingChange.objects.exists()
    article.refresh_from_db()
    assert str(article.review_by) == "2099-01-01"


def test_the_page_offers_what_may_be_done_and_nothing_else(make_article):
    article = make_article("Pause", "Nine euros.", synced=False)
    author, publisher = member("Authors"), member("Publishers")
    assert steps_for(article, None, author) == ()
    assert steps_for(article, None, publisher) == (Step.REOPEN, Step.ARCHIVE)
    for user, buttons in (
        (author, ["_save", "_continue", "_submit"]),
        (publisher, ["_save", "_continue", "_submit", "_publish"]),
    ):
        shown = as_(user).get(f"{LIST}{article.pk}/change/").context["buttons"]
        assert [button.name for button in shown] == buttons
    support = as_(member("Support"))
    page = support.get(f"{LIST}{article.pk}/change/").content.decode()
    assert "_publish" not in page and "/step/" not in page and "Translate into" not in page
    assert support.post(f"{LIST}{article.pk}/translate/de/").status_code == 403


def test_the_list_finds_what_waits(make_article):
    quiet = make_article("Quiet", synced=False)
    first = make_article("First", status=Status.IN_REVIEW, synced=False)
    second = make_article("Second", "Old.", synced=False)
    editor = as_(member("Editors"))
    change(editor, second, "_submit", body="New.")

    def listed(**query: str) -> set[str]:
        return {one.title for one in editor.get(LIST, query).context["cl"].queryset}

    assert listed(to_do="in_review") == {first.title, second.title}
    assert listed(to_do="change") == {second.title}
    assert quiet.title in listed() and listed(to_do="nonsense") == listed()
    page = text_of(editor.get(LIST, {"to_do": "change"}).content)
    assert "Published Change in review" in page


def test_publishing_the_list_leaves_half_finished_changes_alone(make_article):
    article = make_article("Pause", "Nine euros.", synced=False)
    editor = as_(member("Editors"))
    change(editor, article, body="Ten eu")
    editor.post(LIST, {"action": "publish", "_selected_action": [article.pk]})
    assert PendingChange.objects.get().state == ChangeState.DRAFT
    change(editor, article, "_submit", body="Ten euros.")
    editor.post(LIST, {"action": "publish", "_selected_action": [article.pk]})
    article.refresh_from_db()
    assert article.body == "Ten euros."


def test_who_could_publish_still_can_and_nobody_else_may():
    """The migration, on a site that has groups of its own."""
    migration = importlib.import_module("knowledge.migrations.0011_workflow_dates_templates")
    Permission.objects.filter(codename__in=("review_article", "publish_article")).delete()
    known = Permission.objects.get(codename="change_article")
    writers, readers = Group.objects.create(name="Redaktion"), Group.objects.create(name="Leser")
    writers.permissions.add(known)
    readers.permissions.add(Permission.objects.get(codename="view_article"))
    alone = User.objects.create_user("alone")
    alone.user_permissions.add(known)
    migration.keep_what_everybody_may(apps, None)
    new = {"review_article", "publish_article", "change_article"}
    assert set(writers.permissions.values_list("codename", flat=True)) == new
    assert set(alone.user_permissions.values_list("codename", flat=True)) == new
    assert readers.permissions.count() == 1


def test_strangers_reach_nothing(make_article, customer):
    article = make_article("Pause", "Nine euros.", synced=False)
    for client in (Client(), as_(customer)):
        for address in ("step/archive/", "compare/", "restore/a1/", "autosave/", "translate/de/"):
            response = client.post(f"{LIST}{article.pk}/{address}", {"window": "w", "body": "x"})
            assert response.status_code == 302 and "login" in response["Location"]
    article.refresh_from_db()
    assert article.status == Status.PUBLISHED
