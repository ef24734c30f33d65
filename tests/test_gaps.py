"""What to write next: which questions count, how they are grouped, what stays, and what leaves the list by itself."""

from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.gaps import refreshing
from assistant.gaps.grouping import features_of, groups_of
from assistant.gaps.replies import general_part
from assistant.labels import judge
from assistant.models import Question, Ticket, TicketReason
from assistant.replays import QuestionVector
from assistant.services import add_staff_message, ask_question, leave_feedback, open_ticket
from assistant.wanted import Gap, GapRefresh, GapState
from knowledge.indexing import sync_article
from knowledge.models import Article, Status
from knowledge.services import confirm_gone_over, publish_article
from tests.pages import answered, escalated, question, text_of

VOUCHERS = (
    "Can I give a subscription as a gift voucher?",
    "How do I redeem a gift voucher?",
    "Do you sell gift vouchers for a subscription?",
)
KIDS = ("Is there a child seat for the bike?", "Can I mount a child seat on the bike?")


# --- grouping, without a database -------------------------------------------------------------------------


def _around(directions: np.ndarray, *, each: int, noise: float, common: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    rows = np.repeat(directions, each, axis=0)
    rows = (
        rows + noise * rng.normal(size=rows.shape) / np.sqrt(rows.shape[1]) + common * np.ones(rows.shape[1])
    )
    unit: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_what_all_have_in_common_does_not_make_them_one():
    vectors = _around(np.eye(60)[:6] * 2, each=5, noise=0.6, common=1.0)
    assert len(groups_of(vectors)) == 1
    groups = groups_of(features_of(vectors))
    assert sorted(sorted(group) for group in groups) == [list(range(at, at + 5)) for at in range(0, 30, 5)]


def test_a_question_alone_is_a_group_alone():
    assert groups_of(np.eye(3, dtype=np.float32)) == [[0], [1], [2]]
    assert groups_of(np.ones((1, 4), dtype=np.float32)) == [[0]]
    assert groups_of(np.zeros((0, 4), dtype=np.float32)) == []


# --- replies, without a database --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (
            "Dear Ms Miller,\n\nthank you for your message. Vouchers are sent by e-mail.\n\nKind regards\nSam Smith",
            "Vouchers are sent by e-mail.",
        ),
        (
            "Sehr geehrte Frau Müller,\n\nvielen Dank für Ihre Nachricht! Der Gutschein gilt drei Jahre.\n\n"
            "Mit freundlichen Grüßen\nAnna vom Team\nTel. 030 1234567",
            "Der Gutschein gilt drei Jahre.",
        ),
        ("Hallo Jan, das geht im Konto unter Abo.\n\nViele Grüße, Eva", "Das geht im Konto unter Abo."),
        ("Write to jan.k@example.org, IBAN DE02 1203 0000 0000 2020 51.", "Write to …, IBAN …."),
        ("Call 030 123 456 78 about T-ABC2345, it costs 19.90 euros in 2026.", "Call … about …, it costs 19.90 "
         "euros in 2026."),
        ("Best regards", "Best regards"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_belongs_to_one_customer_is_taken_out(reply, kept):
    assert general_part(reply, names=["Jan K"]) == kept


def test_a_name_is_taken_out_wherever_it_stands():
    assert general_part("Your bike is ready, Erika.", names=["Erika Muster"]) == "Your bike is ready, …."


# --- with the model ---------------------------------------------------------------------------------------


@pytest.fixture
def editor(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def desk(make_article) -> Article:
    make_article(
        "Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."
    )
    article: Article = make_article(
        "Give the bike back", "Bring the bike back to any shop. Take off locks and bags before that."
    )
    return article


def declined(article: Article, *texts: str) -> list[Question]:
    return [escalated(article, text=text, confidence_score=0.1, confidence_threshold=0.4) for text in texts]


def refresh() -> GapRefresh:
    GapRefresh.objects.create()
    row = GapRefresh.objects.get(state="running")
    refreshing.run(row.pk)
    row.refresh_from_db()
    assert row.state == "done", row.error
    return row


def open_gaps() -> dict[str, Gap]:
    return {gap.title: gap for gap in Gap.objects.filter(state=GapState.OPEN)}


def gap_of(asked: Question) -> Gap:
    return Gap.objects.get(members__question=asked)


@pytest.mark.django_db
def test_questions_that_mean_the_same_are_one_gap(desk):
    vouchers, kids = declined(desk, *VOUCHERS), declined(desk, *KIDS)
    Question.objects.filter(pk__in=[one.pk for one in vouchers[:2]]).update(
        created_at=timezone.now() - timedelta(days=40)
    )
    assert refresh().questions == 5
    gap = gap_of(vouchers[0])
    assert {one.pk for one in vouchers} == set(gap.members.values_list("question_id", flat=True))
    assert gap_of(kids[0]) == gap_of(kids[1]) != gap
    assert (gap.size, gap.recent, gap.before, gap.troubles) == (3, 1, 2, {"declined": 3})
    assert (gap.nearest, gap.nearest_for) == (desk, 3)
    assert gap.confidence == pytest.approx(0.1) and gap.threshold == pytest.approx(0.4)
    assert "gift" in gap.missing_words
    encoded = QuestionVector.objects.count()
    refresh()
    assert QuestionVector.objects.count() == encoded == 5  # each once


@pytest.mark.django_db
def test_what_counts_is_what_was_not_answered_well(desk, phrases, staff):
    good = answered(desk, text="Where do I give the bike back?")
    leave_feedback(question=good, helpful=True)
    unhelpful = answered(desk, text="Which shops take bikes back?")
    leave_feedback(question=unhelpful, helpful=False)
    wrong = answered(desk, text="May I leave the lock on?")
    judge(question=wrong, verdict="wrong", by=staff)
    vouched = answered(desk, text="Do I have to clean it?")
    leave_feedback(question=vouched, helpful=False)
    judge(question=vouched, verdict="right", by=staff)
    ticketed = answered(desk, text="Can you fetch my bike?")
    open_ticket(subject="Fetch it", contact_email="a@example.org", language="en", question=ticketed)
    first = answered(desk, text="How do I return the bike?")
    answered(desk, text="How exactly can I return my bike?", conversation=first.conversation)
    other = answered(desk, text="Is there a deposit?")
    answered(desk, text="Do you accept PayPal?", conversation=other.conversation)
    ask_question(text="I want to talk to a human", language="en")
    assert Ticket.objects.filter(reason=TicketReason.CUSTOMER_REQUEST).count() == 2
    refresh()
    found = {
        one.question.text: one.troubles
        for gap in Gap.objects.all()
        for one in gap.members.select_related("question")
    }
    assert found == {
        unhelpful.text: ["not_helpful"],
        wrong.text: ["wrong"],
        ticketed.text: ["ticket"],
        first.text: ["asked_again"],
    }


@pytest.mark.django_db
def test_a_gap_that_was_set_aside_stays_so_and_takes_in_what_follows(editor, desk):
    asked = declined(desk, *VOUCHERS[:2])
    refresh()
    gap = gap_of(asked[0])
    page = editor.post(f"/admin/gaps/{gap.pk}/set-aside/", {"reason": " "})
    assert page.status_code == 400 and "Please say why" in page.content.decode()
    editor.post(f"/admin/gaps/{gap.pk}/set-aside/", {"reason": "We sell no vouchers."})
    late, kids = declined(desk, VOUCHERS[2]), declined(desk, *KIDS)
    Question.objects.filter(pk=asked[0].pk).update(created_at=timezone.now() - timedelta(days=400))
    refresh()
    gap.refresh_from_db()
    assert (gap.state, gap.reason, gap.size) == ("set_aside", "We sell no vouchers.", 3)
    assert gap_of(late[0]) == gap
    assert list(open_gaps().values()) == [gap_of(kids[0])]
    page = text_of(editor.get("/admin/gaps/?show=set_aside").content)
    assert "We sell no vouchers." in page and KIDS[0] not in page
    editor.post(f"/admin/gaps/{gap.pk}/reopen/")
    refresh()
    assert gap_of(late[0]).state == GapState.OPEN


@pytest.mark.django_db
def test_from_a_gap_to_an_answer(editor, staff, desk, django_capture_on_commit_callbacks):
    asked = declined(desk, *VOUCHERS)
    ticket = asked[0].ticket
    ticket.contact_email, ticket.contact_name, ticket.status = "eva@example.org", "Eva Lang", "open"
    ticket.save()
    add_staff_message(
        ticket=ticket,
        author=staff,
        body="Dear Eva Lang,\n\nYes: a gift voucher for a subscription is sold under Vouchers in the app, for 1, 3 or "
        "12 months. Redeem a gift voucher with its code under Payment.\n\nKind regards\nStaff",
    )
    add_staff_message(ticket=ticket, author=staff, body="Check her account.", is_internal=True)
    Ticket.objects.filter(pk=ticket.pk).update(status="solved")
    refresh()
    gap = gap_of(asked[0])
    page = text_of(editor.get("/admin/gaps/").content)
    assert "3 questions" in page and "Begin a draft from 1 reply" in page and desk.title in page

    response = editor.post(f"/admin/gaps/{gap.pk}/draft/")
    draft = Article.objects.get(to_go_over=True)
    assert response.headers["Location"] == f"/admin/knowledge/article/{draft.pk}/change/"
    assert (draft.status, draft.author, draft.language) == (Status.DRAFT, staff, "en")
    assert (
        draft.body.startswith("Yes: a gift voucher")
        and "Eva" not in draft.body
        and "account" not in draft.body
    )
    assert editor.post(f"/admin/gaps/{gap.pk}/draft/").headers["Location"] == response.headers["Location"]
    assert Article.objects.filter(to_go_over=True).count() == 1

    address = f"/admin/knowledge/article/{draft.pk}/change/"
    assert "From replies, not gone over yet." in text_of(editor.get(address).content)
    form = editor.get(address).context["adminform"].form
    values = {name: form.initial.get(name) or "" for name in form.fields} | {"labels": ""}
    prefix = {"passages-TOTAL_FORMS": 0, "passages-INITIAL_FORMS": 0}
    refused = editor.post(address, values | prefix | {"_publish": "1"}, follow=True)
    assert "Say first that you have gone over it" in text_of(refused.content)
    assert not publish_article(article=draft)
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=draft.pk).update(status="published")
    told = editor.post(
        "/admin/knowledge/article/", {"action": "publish", "_selected_action": [draft.pk]}, follow=True
    )
    assert "stays one: open it, go over it" in text_of(told.content)

    # Grouped anew the draft stays with its questions, and the gap stays while the draft is one.
    declined(desk, "Where do I buy a gift voucher for a subscription?")
    refresh()
    assert gap_of(asked[0]).draft == draft and gap_of(asked[0]).state == GapState.OPEN

    editor.post(f"/admin/knowledge/article/{draft.pk}/gone-over/")
    with django_capture_on_commit_callbacks(execute=True):
        assert publish_article(article=draft)
    assert refreshing.start_if_due(timezone.now() + timedelta(minutes=2))  # an article became answerable
    refreshing.run(GapRefresh.objects.get(state="running").pk)
    gap = gap_of(asked[0])
    assert (gap.state, gap.answered_by) == (GapState.ANSWERED, draft)
    assert "No group of questions is waiting" in text_of(editor.get("/admin/gaps/").content)
    assert draft.title in text_of(editor.get("/admin/gaps/?show=answered").content)

    Article.objects.filter(pk=draft.pk).update(status="archived")
    assert refreshing.start_if_due(timezone.now() + timedelta(minutes=2))
    refreshing.run(GapRefresh.objects.get(state="running").pk)
    assert gap_of(asked[0]).state == GapState.OPEN


@pytest.mark.django_db
def test_a_bad_answer_leaves_the_list_only_once_its_article_changed(desk, django_capture_on_commit_callbacks):
    asked = answered(desk, text="Where do I give the bike back?")
    leave_feedback(question=asked, helpful=False)
    refresh()
    assert gap_of(asked).state == GapState.OPEN  # it would be answered in the same way again
    desk.body = "Bring the bike back to any shop; every shop takes bikes back. You find them in the app."
    desk.save()
    sync_article(desk.pk)
    refresh()
    assert (gap_of(asked).state, gap_of(asked).answered_by) == (GapState.ANSWERED, desk)


@pytest.mark.django_db
def test_what_came_after_an_answer_is_shown_with_it(editor, desk):
    first = answered(desk, text="How do I return the bike?")
    answered(desk, text="How exactly can I return my bike on a Sunday?", conversation=first.conversation)
    open_ticket(
        subject="Returning on a Sunday",
        detail="All shops are closed.",
        contact_email="a@example.org",
        language="en",
        conversation=first.conversation,
    )
    refresh()
    page = text_of(editor.get(f"/admin/gaps/{gap_of(first).pk}/").content)
    assert "on a Sunday?" in page and "asked again" in page
    second = Question.objects.get(text__contains="Sunday")
    page = text_of(editor.get(f"/admin/gaps/{gap_of(second).pk}/").content)
    assert "All shops are closed." in page


@pytest.mark.django_db
def test_the_page_takes_as_many_queries_for_many_gaps_as_for_one(editor, desk):
    declined(desk, VOUCHERS[0])
    refresh()
    few = _queries(editor, "/admin/gaps/?show=single")
    declined(desk, *KIDS[:1], "What is the capital of France?", "My charger smells odd", "Who won the cup?")
    refresh()
    assert Gap.objects.filter(size=1).count() > 2
    assert _queries(editor, "/admin/gaps/?show=single") == few


def _queries(client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.django_db
def test_who_may_what(client, desk):
    asked = declined(desk, *VOUCHERS)
    refresh()
    gap = gap_of(asked[0])
    reader = User.objects.create_user("reader", "r@example.org", "a good passphrase", is_staff=True)
    client.force_login(reader)
    assert client.get("/admin/gaps/").status_code == 403
    reader.user_permissions.add(Permission.objects.get(codename="view_question"))
    page = client.get("/admin/gaps/")
    assert page.status_code == 200 and "Begin a draft" not in page.content.decode()
    assert client.post(f"/admin/gaps/{gap.pk}/draft/").status_code == 403
    assert client.post(f"/admin/gaps/{gap.pk}/set-aside/", {"reason": "x"}).status_code == 403
    assert client.get(f"/admin/gaps/{gap.pk}/set-aside/").status_code == 405


@pytest.mark.django_db
def test_a_decision_that_came_first_is_not_overwritten(desk, monkeypatch):
    asked = declined(desk, *VOUCHERS)
    refresh()
    gap = gap_of(asked[0])
    tried: list[object] = []

    def and_somebody_sets_it_aside(gaps):
        if not tried:
            Gap.objects.filter(pk=gap.pk).update(state=GapState.SET_ASIDE, reason="meanwhile")
        tried.append(gaps)
        return nearest_of(gaps)

    from assistant.gaps.nearest import nearest_of

    monkeypatch.setattr(refreshing, "nearest_of", and_somebody_sets_it_aside)
    refresh()
    gap.refresh_from_db()
    assert (gap.state, gap.reason, len(tried)) == (GapState.SET_ASIDE, "meanwhile", 2)


@pytest.mark.django_db
def test_one_run_at_a_time_and_a_dead_one_makes_room(editor, desk):
    declined(desk, *VOUCHERS)
    dead = GapRefresh.objects.create(beat_at=timezone.now() - timedelta(hours=1))
    page = editor.post("/admin/gaps/refresh/", follow=True)
    assert page.status_code == 200
    dead.refresh_from_db()
    assert (dead.state, dead.error) == ("failed", "interrupted")
    with pytest.raises(refreshing.AlreadyRunning):
        refreshing.start()


@pytest.mark.django_db
def test_nothing_is_due_where_nothing_was_asked_or_a_moment_ago(desk):
    assert not refreshing.start_if_due()
    question("Anything?")
    refresh()
    assert not refreshing.start_if_due()
    assert refreshing.start_if_due(timezone.now() + timedelta(hours=2))


@pytest.mark.django_db
def test_going_over_is_confirmed_once(make_article):
    article = make_article("From replies", synced=False, status=Status.DRAFT, to_go_over=True)
    assert confirm_gone_over(article=article)
    assert not confirm_gone_over(article=article)
    assert article.history.count() == 2
