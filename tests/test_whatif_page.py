"""The page that says what a change would do: begun from an article, kept in rows, found again, and honest."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.labels import judge
from assistant.models import Question, Ticket
from assistant.replays import QuestionVector, Replay
from assistant.roles import ensure_groups
from assistant.services import ask_question
from assistant.whatif import running
from assistant.whatif.questions import past_questions
from knowledge.changes import keep
from knowledge.embeddings import EmbedderUnavailable, use_embedder
from knowledge.models import Article, Passage
from knowledge.trial import Change, Overtaken, Trial
from tests.judged import make_articles

pytestmark = pytest.mark.django_db

GAP = "Do you rent out camper vans for the summer holidays?"
VANS = "We also rent out camper vans. A camper van costs 89 euros a day in the summer holidays."


@pytest.fixture
def center(make_article):
    return make_articles(make_article)


@pytest.fixture
def draft(center):
    return Article.objects.create(title="Camper vans", slug="vans", body="To be written.", language="en")


@pytest.fixture(autouse=True)
def signed_in(client, staff):
    client.force_login(staff)


def begun(client, address: str, **typed) -> Replay:
    response = client.post(f"/admin/what-if/{address}", typed)
    assert response.status_code == 302, response.content
    return Replay.objects.latest("pk")


def page_of(client, replay: Replay, query: str = "") -> str:
    return str(client.get(f"/admin/what-if/{replay.pk}/{query}").content.decode())


@pytest.fixture
def begin(client, django_capture_on_commit_callbacks):
    def do(address: str, **typed) -> Replay:
        with django_capture_on_commit_callbacks(execute=True):
            replay = begun(client, address, **typed)
        replay.refresh_from_db()
        return replay

    return do


def test_a_draft_that_answers_a_known_gap(client, begin, draft):
    for _time in range(2):
        assert ask_question(text=GAP, language="en").status == "escalated"
    ask_question(text="How much is a pause of my subscription?", language="en")
    before = Question.objects.count(), Ticket.objects.count()

    replay = begin(f"publish/{draft.pk}/", title="Camper vans", body=VANS, language="en")
    assert (replay.state, replay.counts) == ("done", {"gained": 1, "same": 1})
    found = replay.questions.get()
    assert (found.question.text, found.times) == (GAP, 2)
    assert not found.before["is_answered"] and found.before["closest"]
    assert found.after["citations"][0]["article_id"] == draft.pk
    page = page_of(client, replay)
    for words in ("Newly answered", GAP, "89 euros a day", "Goes to a person", "asked 2 times"):
        assert words in page
    assert "earlier text" not in page
    # What was typed was tried, and nothing of it is saved or asked.
    draft.refresh_from_db()
    assert (draft.body, draft.status) == ("To be written.", "draft")
    assert (Question.objects.count(), Ticket.objects.count()) == before

    draft.body = VANS
    draft.save()
    assert "earlier text" not in page_of(client, replay)  # that is what was tried
    draft.body += " And more."
    draft.save()
    assert "earlier text" in page_of(client, replay)


def test_a_change_in_preparation_makes_it_outdated(client, begin, center, staff):
    """The article that is online stays as it is; what is worked on moves."""
    pause = center["pause"]
    replay = begin(f"publish/{pause.pk}/", title=pause.title, body="A pause costs 7 euros.")
    pause.body = "A pause costs 7 euros."
    keep(edited=pause, by=staff, may_publish=True)
    assert "earlier text" not in page_of(client, replay)
    pause.body = "A pause costs 8 euros."
    keep(edited=pause, by=staff, may_publish=True)
    assert "earlier text" in page_of(client, replay)


def test_what_staff_have_judged_gets_worse_by_archiving_and_not_by_merging(client, begin, staff, center):
    question = ask_question(text="What does a new charger cost?", language="en")
    judge(question=question, verdict="right", by=staff)
    charger, paypal = center["charger"], center["paypal"]

    archived = begin(f"archive/?article={charger.pk}")
    assert archived.judged == {"total": 1, "before": 1, "after": 0}
    row = archived.questions.get()
    assert (row.kind, row.judged_before, row.judged_after) == ("lost", "right", "missed")
    assert "judged: Should be answered" in page_of(client, archived, "?judged=1")
    assert "No question of this kind" in page_of(client, archived, "?kind=gained")

    body = f"{paypal.body}\n\n## {charger.title}\n\n{charger.body}"
    merged = begin(f"merge/{paypal.pk}/{charger.pk}/", title="PayPal and chargers", body=body)
    assert merged.judged == {"total": 1, "before": 1, "after": 1}
    row = merged.questions.get()
    assert row.judged_after == "right" and row.after["citations"][0]["article_id"] == paypal.pk


def test_an_article_that_nobody_could_know_is_not_called_wrong(begin, staff, draft):
    question = ask_question(text=GAP, language="en")
    judge(question=question, verdict="no_article", by=staff)
    replay = begin(f"publish/{draft.pk}/", title="Camper vans", body=VANS)
    assert replay.questions.get().judged_after == "open"


def test_where_another_article_says_something_else_it_is_shown(client, begin, make_article, draft):
    other = make_article("How long can I pause?", "You can pause your plan for up to 3 months in a year.")
    text = "You can pause your plan for up to 6 months in a year."
    replay = begin(f"publish/{draft.pk}/", title="Pausing your plan", body=text)
    assert [one["article_id"] for one in replay.disagreements] == [other.pk]
    assert "6 ≠ 3" in page_of(client, replay)


def test_without_questions_and_without_differences_it_says_so(client, begin, draft, center):
    replay = begin(f"publish/{draft.pk}/", title="Camper vans", body=VANS)
    assert "Nobody has asked anything yet" in page_of(client, replay)
    ask_question(text="What does a new charger cost?", language="en")
    replay = begin(f"publish/{center['charger'].pk}/")  # as it is
    assert replay.counts == {"same": 1}
    assert "the one past question gets the same answer" in page_of(client, replay)
    assert client.get("/admin/what-if/").content.decode().count("Lost charger") == 1


@pytest.mark.parametrize(
    ("typed", "reason"),
    [({"title": " ", "body": "x"}, "needs a title"), ({"title": "x" * 501, "body": "x"}, "501 characters")],
)
def test_what_cannot_be_tried_is_refused_with_a_reason(client, draft, typed, reason):
    response = client.post(f"/admin/what-if/publish/{draft.pk}/", typed, follow=True)
    assert reason in response.content.decode() and not Replay.objects.exists()


def test_past_questions_need_no_model(begin, center):
    """Their vectors were kept when they were asked, one for each wording."""
    ask_question(text="How long can I pause, and what does a new charger cost?", language="en")
    assert QuestionVector.objects.count() == 4  # the message, its parts, and the second after the first

    class Away:
        def __getattr__(self, name):
            raise EmbedderUnavailable("there is no model")

    use_embedder(Away())
    try:
        assert begin(f"archive/?article={center['charger'].pk}").state == "done"
        QuestionVector.objects.all().delete()
        failed = begin(f"archive/?article={center['charger'].pk}")
        assert (failed.state, failed.error) == ("failed", "there is no model")
    finally:
        use_embedder(None)


def test_a_lost_one_is_found_by_the_sweep_and_given_up_in_the_end(client, draft, staff):
    ask_question(text=GAP, language="en")
    replay = running.try_archiving([draft], by=staff)  # its ring waits for a commit that never comes
    assert running.resume_lost() == 0
    silent = timezone.now() - timedelta(minutes=2)
    Replay.objects.update(state="running", holder="killed", beat_at=silent)
    assert running.resume_lost() == 1
    replay.refresh_from_db()
    assert (replay.state, replay.attempts) == ("done", 1)

    Replay.objects.update(state="running", holder="killed", beat_at=silent, attempts=3)
    assert running.resume_lost() == 0
    assert "interrupted several times" in page_of(client, replay)


def test_who_was_stopped_or_overtaken_leaves_no_result(client, draft, staff):
    ask_question(text=GAP, language="en")
    replay = running.try_archiving([draft], by=staff)
    taken = running._taken(replay.pk)
    assert running._taken(replay.pk) is None  # it is in hand
    assert "This page follows by itself" in page_of(client, replay)
    client.post(f"/admin/what-if/{replay.pk}/stop/")
    assert taken is not None
    with pytest.raises(running._Stopped):
        running._work_out(taken, 0.0)
    replay.refresh_from_db()
    assert replay.state == "cancelled" and not replay.questions.exists()


def test_articles_that_move_meanwhile_end_a_trial(center):
    trial = Trial(Change(), lambda _text, _language: None)
    assert trial.before.retrieve("a new charger", language="en").passages
    Passage.objects.all().delete()
    with pytest.raises(Overtaken):
        trial.before.retrieve("pause my subscription", language="en")


def test_what_is_asked_again(phrases, center, staff):
    ask_question(text="What does a new  charger cost?", language="en")
    ask_question(text="what does a new charger cost?", language="en")
    ask_question(text="What does a new charger cost?", language="en", user=staff)  # who may read more
    ask_question(text="I want to talk to a person", language="en")  # no article decides that
    judged = ask_question(text="PayPal?", language="en")
    judge(question=judged, verdict="no_article", by=staff)
    for number in range(3):
        ask_question(text=f"Route {number}?", language="en")
    found = [(one.inquiry.text, one.times, one.gold) for one in past_questions(most=3)]
    assert found == [
        ("PayPal?", 1, frozenset()),
        ("Route 2?", 1, None),
        ("Route 1?", 1, None),
        ("Route 0?", 1, None),
    ]
    assert sorted(one.times for one in past_questions()) == [1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(("role", "may_look", "may_ask"), [("Editors", 200, 302), ("Support", 200, 403)])
def test_who_may_ask(client, draft, role, may_look, may_ask):
    ensure_groups()
    user = User.objects.create_user(role, f"{role}@example.org", "a good passphrase", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    assert client.get("/admin/what-if/").status_code == may_look
    assert client.post(f"/admin/what-if/publish/{draft.pk}/").status_code == may_ask
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get("/admin/what-if/").status_code == 403


def test_merging_two_articles(client, center):
    kept, other = center["pause"], center["charger"]
    action = {"action": "merge", "_selected_action": [kept.pk, other.pk]}
    response = client.post("/admin/knowledge/article/", action)
    assert response.status_code == 302
    form = client.get(response.url).content.decode()
    assert "What would this change?" in form and other.body in form
    refused = client.post(response.url, {"title": "", "body": "Typed."})
    assert refused.status_code == 400 and "Typed." in refused.content.decode()
    client.post(response.url, {"title": "Pause and charger", "body": "Both."})
    kept.refresh_from_db()
    other.refresh_from_db()
    assert (kept.title, kept.body, kept.status, other.status) == (
        "Pause and charger",
        "Both.",
        "published",
        "archived",
    )
    one = {"action": "merge", "_selected_action": [kept.pk]}
    assert "exactly two" in client.post("/admin/knowledge/article/", one, follow=True).content.decode()


# --- several at once ------------------------------------------------------------------------------------------

GERMAN_GAP = "Vermieten Sie im Sommer auch Wohnmobile?"
GERMAN_VANS = "Wir vermieten auch Wohnmobile. Ein Wohnmobil kostet im Sommer 89 Euro am Tag."


def _chosen(*articles: Article) -> str:
    return "publish/?" + "&".join(f"article={article.pk}" for article in articles)


def test_an_article_and_its_translation_are_tried_together(client, begin, draft, make_article):
    # How much better an article fits than the next shows only where its language has others.
    make_article("Akku", "Der Akku reicht für 80 Kilometer.", language="de")
    make_article("Rechnung", "Die Rechnung kommt am ersten Tag des Monats.", language="de")
    make_article("Kündigen", "Sie kündigen in der App unter Profil.", language="de")
    for text, language in ((GAP, "en"), (GERMAN_GAP, "de")):
        assert ask_question(text=text, language=language).status == "escalated"
    Article.objects.filter(pk=draft.pk).update(translation_group="vans")
    german = Article.objects.create(
        title="Wohnmobile", slug="wohnmobile", body=GERMAN_VANS, language="de", translation_group="vans"
    )
    page = client.get(f"/admin/knowledge/article/{draft.pk}/change/").content.decode()
    assert f"/admin/what-if/publish/{draft.pk}/?with={german.pk}" in page

    alone = begin(f"publish/{german.pk}/", title=german.title, body=GERMAN_VANS)
    # Whoever asks in English gets the German text then, because nothing else says it.
    assert {one.after["citations"][0]["article_id"] for one in alone.questions.all()} == {german.pk}

    both = begin(f"publish/{draft.pk}/?with={german.pk}", title=draft.title, body=VANS)
    assert both.counts == {"gained": 2}
    cited = {one.question.language: one.after["citations"][0]["article_id"] for one in both.questions.all()}
    assert cited == {"en": draft.pk, "de": german.pk}
    shown = page_of(client, both)
    for words in ("Camper vans and 1 more", "Wohnmobile", "earlier text"):
        assert (words in shown) == (words != "earlier text")
    german.body += " Auch im Winter."
    german.save()
    assert "earlier text" in page_of(client, both)


def test_drafts_and_changes_chosen_in_the_list_are_tried_at_once(client, begin, center, staff, draft):
    ask_question(text=GAP, language="en")
    ask_question(text="How much is a pause of my subscription?", language="en")
    Article.objects.filter(pk=draft.pk).update(body=VANS)
    pause, paypal = center["pause"], center["paypal"]
    pause.body = "A pause costs 12 euros a month and lasts one to three months."
    keep(edited=pause, by=staff, may_publish=True)  # beside the text that is online

    chosen = {"action": "try_publishing", "_selected_action": [draft.pk, pause.pk, paypal.pk]}
    response = client.post("/admin/knowledge/article/", chosen)
    assert response.url.startswith("/admin/what-if/publish/?")
    page = client.get(response.url).content.decode()
    assert "together" in page and "change in preparation" in page
    assert "left out, because customers read it as it is" in page and paypal.title in page

    replay = begin(_chosen(draft, pause, paypal))
    assert {text.article_id for text in replay.texts.all()} == {draft.pk, pause.pk}
    assert replay.counts == {"gained": 1, "changed": 1}
    found = {one.kind: one for one in replay.questions.all()}
    assert "89 euros" in str(found["gained"].after) and "12 euros" in str(found["changed"].after)
    pause.refresh_from_db()
    assert "9 euros" in pause.body

    nothing = client.get(f"/admin/what-if/{_chosen(paypal)}", follow=True).content.decode()
    assert "that customers do not read yet" in nothing


def test_two_drafts_that_contradict_each_other_are_told(client, begin, make_article):
    drafts = [
        Article.objects.create(title=title, slug=slug, body=body, language="en")
        for title, slug, body in (
            ("How long can I pause?", "how-long", "You can pause your plan for up to 3 months in a year."),
            ("Pausing your plan", "pausing", "You can pause your plan for up to 6 months in a year."),
        )
    ]
    # What is online of one of them is replaced by its draft, and counts no more.
    replay = begin(_chosen(*drafts))
    assert [one["detail"] for one in replay.disagreements] == ["3 ≠ 6"]
    page = page_of(client, replay)
    assert page.count("up to 6 months") == 1 and page.count("up to 3 months") == 1


def test_an_article_that_is_deleted_meanwhile_ends_no_page(client, begin, draft):
    replay = begin(f"publish/{draft.pk}/", title="Camper vans", body=VANS)
    draft.delete()
    page = page_of(client, replay)
    assert "an article that was deleted" in page and "earlier text" in page
    assert "an article that was deleted" in client.get("/admin/what-if/").content.decode()


def test_the_overview_asks_as_often_for_many_as_for_few(client, begin, center, draft):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/what-if/")
        return len(queries)

    begin(f"publish/{draft.pk}/", title="Camper vans", body=VANS)
    few = asked()
    for _time in range(5):
        begin(_chosen(draft))
        begin(f"archive/?article={center['pause'].pk}&article={center['charger'].pk}")
    assert asked() == few
