"""Dates of articles: they hold by themselves, are noted once, and remind once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from assistant import outbox
from knowledge.admin.desk import lay_over
from knowledge.dates import keep_dates
from knowledge.exporting import _Places, as_markdown
from knowledge.models import Article, ChangeState, Deed, Notice, Passage, PendingChange, Status, content_of
from knowledge.outbox import Standing, in_standing
from knowledge.retrieval import retrieve
from knowledge.site import SiteSettings
from knowledge.workflow import Step, next_review, take_step
from tests.desk import LIST, as_, change, form, member
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def _at(moment: datetime, name: str) -> dict[str, str]:
    local = timezone.localtime(moment)
    return {f"{name}_0": local.strftime("%Y-%m-%d"), f"{name}_1": local.strftime("%H:%M:%S")}


def _pass(article: Article, **moments: datetime) -> None:
    """As if the time had come."""
    Article.objects.filter(pk=article.pk).update(**moments)


def test_predicate_and_queryset_agree_for_every_date(make_article):
    now = timezone.now()
    for status in Status.values:
        for begins in (None, now - 2 * HOUR, now + HOUR):
            for ends in (None, now - HOUR, now + 2 * HOUR):
                if begins is None or ends is None or begins < ends:
                    make_article(
                        f"{status} {begins} {ends}",
                        status=status,
                        publish_at=begins,
                        unpublish_at=ends,
                        synced=False,
                    )
    every = list(Article.objects.all())
    assert set(Article.objects.published()) == {one for one in every if one.is_online()}
    assert set(Article.objects.scheduled()) == {one for one in every if one.is_scheduled()}
    assert Article.objects.published().count() == 4
    with pytest.raises(IntegrityError), transaction.atomic():
        make_article("never", publish_at=now, unpublish_at=now - HOUR, synced=False)


def test_a_scheduled_article_can_be_answered_from_when_its_hour_comes_with_nobody_sweeping(
    client, django_capture_on_commit_callbacks
):
    editor = as_(member("Editors"))
    begins = timezone.now() + HOUR
    with django_capture_on_commit_callbacks(execute=True):
        page = editor.post(
            f"{LIST}add/",
            form(title="Winter tyres", body="Winter tyres cost 49 euros.")
            | _at(begins, "publish_at")
            | {"_publish": "y"},
            follow=True,
        )
    assert "it goes online by itself" in text_of(page.content)
    article = Article.objects.get()
    ids = list(article.passages.values_list("pk", flat=True))
    assert ids  # in the index already
    assert client.get(article.get_absolute_url()).status_code == 404
    assert Passage.objects.answerable_by_id(ids, None, language="en") == {}
    assert "goes online on" in page.content.decode().lower()
    assert not editor.get(LIST, {"index": "ready"}).context["cl"].queryset
    assert b"status: in_review" in as_markdown(article, _Places())  # not online at once elsewhere
    assert keep_dates() == 0

    _pass(article, publish_at=timezone.now() - timedelta(seconds=1))
    assert client.get(article.get_absolute_url()).status_code == 200
    assert retrieve("What do winter tyres cost?", language="en").passages
    assert [keep_dates(), keep_dates()] == [1, 0]
    article.refresh_from_db()
    assert article.publish_at is None and article.status == Status.PUBLISHED
    assert [entry.deed for entry in article.workflow.all()] == [Deed.PUBLISHED, Deed.SCHEDULED]
    assert article.passages.count() == len(ids)


def test_from_its_last_moment_on_nobody_is_answered_from_it_even_if_no_sweep_has_run(client, make_article):
    article = make_article(
        "Summer offer", "The summer offer costs 19 euros.", unpublish_at=timezone.now() + HOUR
    )
    ids = list(article.passages.values_list("pk", flat=True))
    assert Passage.objects.answerable_by_id(ids, None, language="en")
    _pass(article, unpublish_at=timezone.now() - timedelta(seconds=1))
    assert Passage.objects.answerable_by_id(ids, None, language="en") == {}
    assert retrieve("What does the summer offer cost?", language="en").passages == ()
    assert client.get(article.get_absolute_url()).status_code == 404
    assert article.get_absolute_url() not in client.get("/sitemap-articles.xml").content.decode()
    editor = as_(member("Editors"))
    page = editor.get(f"{LIST}{article.pk}/change/")
    assert "Ended Offline since" in text_of(page.content)
    assert "viewsitelink" not in page.content.decode()

    assert [keep_dates(), keep_dates()] == [1, 0]
    article.refresh_from_db()
    assert (article.status, article.unpublish_at) == (Status.ARCHIVED, None)
    assert article.history.latest().status == Status.ARCHIVED
    assert article.workflow.get().deed == Deed.ARCHIVED
    take_step(Step.PUBLISH, article=article, by=None)
    assert client.get(article.get_absolute_url()).status_code == 200


def test_a_scheduled_change_goes_in_place_once_with_the_first_sweep(make_article):
    article = make_article("Prices", "Nine euros.", synced=False)
    editor = as_(member("Editors"))
    change(editor, article, "_publish", body="Ten euros.", **_at(timezone.now() + HOUR, "publish_at"))
    assert PendingChange.objects.get().state == ChangeState.SCHEDULED
    assert keep_dates() == 0
    PendingChange.objects.update(publish_at=timezone.now() - HOUR)
    article.refresh_from_db()
    assert article.body == "Nine euros."
    assert [keep_dates(), keep_dates()] == [1, 0]
    article.refresh_from_db()
    assert (article.body, article.revision, article.publish_at) == ("Ten euros.", 2, None)
    assert [entry.deed for entry in article.workflow.all()] == [Deed.CHANGED, Deed.SCHEDULED]


def test_a_scheduled_change_that_was_overtaken_is_held_up_and_told(make_article, mailoutbox):
    article = make_article("Prices", "Nine euros.", synced=False)
    editor = as_(member("Editors"))
    change(editor, article, "_publish", body="Ten euros.", **_at(timezone.now() + HOUR, "publish_at"))
    article.body = "Eight euros, says an import."
    article.save()
    PendingChange.objects.update(publish_at=timezone.now() - HOUR)
    assert [keep_dates(), keep_dates()] == [1, 0]
    article.refresh_from_db()
    assert article.body == "Eight euros, says an import."
    assert PendingChange.objects.get().state == ChangeState.IN_REVIEW
    outbox.send_due()
    (mail,) = mailoutbox
    assert mail.to == ["editors@example.org"]
    assert "changed since this change was begun" in mail.body


def test_an_edit_by_who_may_not_publish_takes_a_change_out_of_the_schedule(make_article):
    article = make_article("Prices", "Nine euros.", synced=False)
    date = _at(timezone.now() + HOUR, "publish_at")
    change(as_(member("Editors")), article, "_publish", body="Ten euros.", **date)
    change(as_(member("Authors")), article, body="Hundred euros.", **date)
    assert PendingChange.objects.get().state == ChangeState.DRAFT
    assert article.workflow.first().deed == Deed.UNSCHEDULED


def test_a_change_to_what_is_not_online_yet_needs_no_sweep(make_article):
    begins = timezone.now() + HOUR
    article = make_article("Soon", "Nine euros.", publish_at=begins, synced=False)
    change(as_(member("Authors")), article, "_submit", body="Ten euros.", **_at(begins, "publish_at"))
    article.refresh_from_db()
    assert article.body == "Nine euros."
    change(as_(member("Editors")), article, "_publish", body="Ten euros.", **_at(begins, "publish_at"))
    article.refresh_from_db()
    assert article.body == "Ten euros." and article.is_scheduled()
    assert not PendingChange.objects.exists()


def test_saving_never_puts_a_scheduled_article_online(make_article):
    article = make_article("Soon", "Later.", publish_at=timezone.now() + HOUR, synced=False)
    editor = as_(member("Editors"))
    page = change(editor, article, body="Sooner.")
    assert "Without a date it would go online at once" in page
    later = timezone.now() + 2 * HOUR
    change(editor, article, body="Sooner.", **_at(later, "publish_at"))
    article.refresh_from_db()
    assert article.body == "Sooner." and article.is_scheduled() and article.publish_at > timezone.now() + HOUR
    change(as_(member("Authors")), article, body="Mine.")  # the error, and not a word changed
    article.refresh_from_db()
    assert article.body == "Sooner."
    change(editor, article, "_publish")
    article.refresh_from_db()
    assert article.is_online() and article.published_at <= timezone.now()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            _at(datetime(2020, 1, 1, tzinfo=timezone.get_default_timezone()), "publish_at"),
            "This moment has passed.",
        ),
        (
            _at(datetime(2020, 1, 1, tzinfo=timezone.get_default_timezone()), "unpublish_at"),
            "This moment has passed.",
        ),
        ({"review_by": "2020-01-01"}, "This day has passed."),
        (
            {
                "publish_at_0": "2099-01-02",
                "publish_at_1": "10:00",
                "unpublish_at_0": "2099-01-02",
                "unpublish_at_1": "09:00",
            },
            "It would be taken offline before it is published.",
        ),
    ],
)
def test_a_date_that_cannot_be_is_told_at_its_field(fields, message):
    page = (
        as_(member("Editors")).post(f"{LIST}add/", form(body="Typed for an hour.") | fields).content.decode()
    )
    assert page.count(message) == 1 and "Typed for an hour." in page


# --- reminders ------------------------------------------------------------------------------------------


def test_each_due_date_reminds_once_in_one_mail(make_article, mailoutbox):
    author, checker = member("Authors"), member("Reviewers")
    today = timezone.localdate()
    for number in range(3):
        make_article(f"Due {number}", author=author, review_by=today, synced=False)
    make_article("Checked by another", author=author, reviewed_by=checker, review_by=today, synced=False)
    make_article("Tomorrow", author=author, review_by=today + timedelta(days=1), synced=False)
    make_article("A draft", author=author, review_by=today, status=Status.DRAFT, synced=False)
    assert [keep_dates(), keep_dates()] == [4, 0]
    outbox.send_due()
    outbox.send_due()
    assert sorted(mail.to[0] for mail in mailoutbox) == ["authors@example.org", "reviewers@example.org"]
    mine = next(mail for mail in mailoutbox if mail.to == ["authors@example.org"])
    assert "4 articles are due for a check" in mine.subject
    assert "Due 2" in mine.body and "Tomorrow" not in mine.body and "/admin/knowledge/article/" in mine.body

    due = Article.objects.get(title="Due 0")
    due.review_by = today + timedelta(days=30)
    due.save()
    assert keep_dates() == 0
    Article.objects.filter(pk=due.pk).update(review_by=today - timedelta(days=1))
    assert keep_dates() == 1
    listed = as_(checker).get(LIST, {"to_do": "review_due"}).context["cl"].queryset
    assert {one.title for one in listed} == {"Due 0", "Due 1", "Due 2", "Checked by another"}


def test_an_article_of_nobody_reminds_those_who_may_review(make_article):
    member("Authors")
    reviewer = member("Reviewers")
    make_article("Imported", review_by=timezone.localdate(), synced=False)
    keep_dates()
    assert Notice.objects.get().recipient == reviewer


def test_the_site_plans_the_next_check(make_article):
    SiteSettings.objects.update_or_create(pk=1, defaults={"review_months": 6})
    assert next_review(datetime(2026, 8, 31).date()) == datetime(2027, 2, 28).date()
    editor = member("Editors")
    article = make_article("Pause", status=Status.DRAFT, synced=False)
    change(as_(editor), article, "_publish")
    article.refresh_from_db()
    assert article.review_by == next_review(timezone.localdate())
    Article.objects.update(review_by=timezone.localdate())
    as_(editor).post(LIST, {"action": "mark_reviewed", "_selected_action": [article.pk]})
    article.refresh_from_db()
    assert article.review_by == next_review(timezone.localdate())


def test_the_index_counts_what_is_scheduled_as_its_own(make_article):
    article = make_article("Soon", publish_at=timezone.now() + HOUR)
    from knowledge import generations

    assert (
        Article.objects.filter(in_standing(Standing.ANSWERABLE, recipe=generations.live_recipe())).get()
        == article
    )
    assert not lay_over(article).is_online()


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_keep_each_date_once(make_article):
    past, later = timezone.now() - HOUR, timezone.now() + HOUR
    begun = make_article("Begun", publish_at=past, synced=False)
    ended = make_article("Ended", unpublish_at=past, synced=False)
    changed = make_article("Changed", "Nine euros.", synced=False)
    due = make_article("Due", author=member("Editors"), review_by=timezone.localdate(), synced=False)
    prepared = PendingChange(article=changed, base=changed.history.get().history_id, publish_at=later)
    prepared.content = content_of(changed) | {"body": "Ten euros."}
    prepared.save()
    take_step(Step.PUBLISH, article=changed, by=None)
    PendingChange.objects.update(publish_at=past)

    def sweep() -> int:
        try:
            start.wait()
            return keep_dates()
        finally:
            connection.close()

    start = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        kept = [future.result() for future in [pool.submit(sweep) for _number in range(3)]]
    assert sum(kept) == 4
    deeds = {article: [entry.deed for entry in article.workflow.all()] for article in (begun, ended, changed)}
    assert deeds == {begun: [Deed.PUBLISHED], ended: [Deed.ARCHIVED], changed: [Deed.CHANGED, Deed.SCHEDULED]}
    assert [one.article_ids for one in Notice.objects.all()] == [[due.pk]]
