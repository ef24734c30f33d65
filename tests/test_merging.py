"""Two articles become one: what led to the one that goes leads to the one that stays, and nobody loses anything."""

from datetime import timedelta

import pytest
from django.utils import timezone

from assistant.labels import judge, site_labels
from assistant.services import ask_question
from knowledge.links import resolve_link
from knowledge.models import Article, Deed, Status
from knowledge.services import merge_articles
from knowledge.workflow import Step, StepRefused, take_step
from tests.judged import make_articles

pytestmark = pytest.mark.django_db

IN_A_WEEK = timedelta(days=7)


def merge(kept: Article, other: Article, body: str = "") -> None:
    merge_articles(kept=kept, other=other, title=kept.title, body=body or f"{kept.body}\n\n{other.body}")


def _leads_to(client, article: Article) -> str:
    response = client.get(article.get_absolute_url())
    return response.url if response.status_code == 302 else str(response.status_code)


def test_bookmarks_and_links_lead_to_the_one_that_stays(client, make_article):
    kept, other = make_article("Pausing"), make_article("Taking a break", translation_group="break")
    merge(kept, other)
    assert _leads_to(client, other) == kept.get_absolute_url()
    assert resolve_link("article:break#fee", language="en") == f"{kept.get_absolute_url()}#fee"
    # Merged once more, it is still one step.
    last = make_article("Pause, break, holiday")
    merge(last, kept)
    assert _leads_to(client, other) == _leads_to(client, kept) == last.get_absolute_url()
    # Nothing leads where the reader may not go.
    Article.objects.filter(pk=last.pk).update(audience="internal")
    assert _leads_to(client, other) == "404"
    assert resolve_link("article:break", language="en") is None


def test_a_link_leads_to_the_readers_language_first(client, make_article):
    kept, other = make_article("Pausing"), make_article("Taking a break", translation_group="break")
    german = make_article("Abo pausieren", language="de", translation_group="break")
    merge(kept, other)
    assert resolve_link("article:break", language="de") == german.get_absolute_url()
    assert resolve_link("article:break", language="en") == kept.get_absolute_url()
    assert _leads_to(client, german) == "200"


def test_who_reads_german_is_told_where_the_text_went(client, make_article):
    kept = make_article("Pausing", translation_group="pause")
    other = make_article("Taking a break", slug="break")
    merge(kept, other)
    page = client.get("/de/articles/break/")
    assert page.status_code == 404 and kept.get_absolute_url() in page.content.decode()
    german = make_article("Abo pausieren", language="de", translation_group="pause")
    assert client.get("/de/articles/break/").url == german.get_absolute_url()


def test_one_that_is_published_again_speaks_for_itself(client, make_article):
    kept, other = make_article("Pausing"), make_article("Taking a break")
    merge(kept, other)
    take_step(Step.PUBLISH, article=other, by=None)
    assert _leads_to(client, other) == "200"
    take_step(Step.ARCHIVE, article=other, by=None)
    assert _leads_to(client, other) == "404"


def test_judgements_follow_the_text(make_article, staff):
    center = make_articles(make_article)
    question = ask_question(text="What does a new charger cost?", language="en")
    judge(question=question, verdict="right", by=staff)
    merge(center["paypal"], center["charger"])
    labels = site_labels()
    assert [one.gold for one in labels.questions] == [frozenset(["paypal"])] and labels.left_out == 0


@pytest.mark.parametrize(
    ("stays", "goes", "expected"),
    [
        ({}, {}, ("published", None)),
        ({"status": "draft"}, {}, ("published", None)),
        ({"status": "draft"}, {"status": "draft"}, ("draft", None)),
        # Waiting for its date, it would take from customers what they read now.
        ({"publish_at": IN_A_WEEK}, {}, ("published", None)),
        ({"publish_at": 2 * IN_A_WEEK}, {"publish_at": IN_A_WEEK}, ("published", IN_A_WEEK)),
        ({"status": "draft"}, {"publish_at": IN_A_WEEK}, ("published", IN_A_WEEK)),
        # What has ended is not brought back by a draft.
        ({"status": "draft"}, {"unpublish_at": -IN_A_WEEK}, ("draft", None)),
        ({"unpublish_at": -IN_A_WEEK}, {}, ("published", None)),
    ],
)
def test_whoever_read_either_reads_the_one_that_stays(make_article, stays, goes, expected):
    now = timezone.now()

    def made(title, values):
        dates = {key: now + value if isinstance(value, timedelta) else value for key, value in values.items()}
        return make_article(title, synced=False, **dates)

    kept, other = made("Pausing", stays), made("Taking a break", goes)
    was_read = kept.is_online() or other.is_online()
    merge(kept, other)
    wanted = now + expected[1] if expected[1] else None
    assert (kept.status, kept.publish_at) == (expected[0], wanted)
    assert kept.is_online() == was_read
    assert other.status == Status.ARCHIVED
    if wanted:
        assert kept.workflow.get().deed == Deed.SCHEDULED and kept.workflow.get().planned_for == wanted


def test_replies_that_nobody_has_gone_over_are_not_merged_online(client, staff, make_article):
    kept = make_article("Pausing")
    other = Article.objects.create(title="From replies", slug="r", body="Hi!", language="en", to_go_over=True)
    with pytest.raises(StepRefused, match="From replies"):
        merge(kept, other)
    client.force_login(staff)
    page = client.post(
        f"/admin/knowledge/article/merge/?article={kept.pk}&article={other.pk}",
        {"title": "Pausing", "body": "Typed."},
    )
    assert page.status_code == 400 and "Typed." in page.content.decode()
    assert "Go over it first" in page.content.decode()


def test_a_text_for_few_that_would_be_for_more_is_warned_of(client, staff, make_article):
    client.force_login(staff)
    open_one, secret = make_article("Pausing"), make_article("Goodwill", audience="internal")
    address = "/admin/knowledge/article/merge/?article={}&article={}"
    warned = client.get(address.format(open_one.pk, secret.pk)).content.decode()
    assert "“Goodwill” is for: Staff only. What you take over from it is then for: Everyone." in warned
    assert "is then for" not in client.get(address.format(secret.pk, open_one.pk)).content.decode()
    merge(open_one, secret)
    page = client.get(f"/admin/knowledge/article/{secret.pk}/change/").content.decode()
    assert "Its text went into:" in page and f"/article/{open_one.pk}/change/" in page


def test_translations_of_the_one_that_goes_become_those_of_the_one_that_stays(client, make_article):
    kept, other = make_article("Pausing"), make_article("Taking a break", translation_group="break")
    german = make_article("Abo pausieren", language="de", translation_group="break")
    Article.objects.filter(pk=german.pk).update(translation_of=other, translated_revision=other.revision)
    merge(kept, other)
    assert _leads_to(client, other) == kept.get_absolute_url()
    assert kept.translation_group == "break" and other.translation_group == ""
    assert client.get(f"/en/articles/{german.slug}/").url == kept.get_absolute_url()
    german.refresh_from_db()
    assert german.translation_of == kept and german.has_old_translation()
    # Where it has its own, it keeps them.
    last = make_article("Holiday", translation_group="holiday")
    merge(last, kept)
    assert (last.translation_group, kept.translation_group) == ("holiday", "break")
    assert resolve_link("article:break", language="en") == last.get_absolute_url()


def test_what_somebody_else_has_written_meanwhile_is_not_overwritten(client, staff, make_article):
    kept, other = make_article("Pausing"), make_article("Taking a break")
    client.force_login(staff)
    address = f"/admin/knowledge/article/merge/?article={kept.pk}&article={other.pk}"
    form = client.get(address).context["form"]
    sent = {**form.initial, "body": "Typed."}
    other.body += " Since May it is free."
    other.save()
    page = client.post(address, sent)
    assert page.status_code == 400
    assert "“Taking a break” was changed while you were writing" in page.content.decode()
    assert Article.objects.get(pk=kept.pk).body == kept.body and "Typed." in page.content.decode()
    # Told, the editor may go on: the page that tells it holds the revisions of now.
    again = {name: page.context["form"][name].value() for name in sent}
    assert client.post(address, again).status_code == 302
    assert Article.objects.get(pk=kept.pk).body == "Typed."


def test_two_that_go_into_each_other_lead_to_the_one_that_is_read(client, make_article):
    first, second = make_article("Pausing"), make_article("Taking a break")
    merge(first, second)
    second.refresh_from_db()
    merge(second, first)
    assert _leads_to(client, first) == second.get_absolute_url() and _leads_to(client, second) == "200"
    assert Article.objects.get(pk=second.pk).merged_into is None
