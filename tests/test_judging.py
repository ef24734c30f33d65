"""Staff say whether an answer was right: on its page, for many at once, with a ticket; and take the labels along."""

import io
import json

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assistant.labels import site_labels
from assistant.measured import Label
from assistant.models import Question
from assistant.roles import ensure_groups
from knowledge.labelled import read_questions
from knowledge.models import Article
from tests.judged import asked, judged, labelled_rows, make_articles, write_rows
from tests.test_admin_tickets import form

LIST = "/admin/assistant/question/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def pause(db) -> Article:
    return Article.objects.create(
        title="Pause", slug="pause", body="9 euros", language="en", status="published", external_id="pause"
    )


@pytest.fixture
def charger(db) -> Article:
    return Article.objects.create(
        title="Lost charger", slug="charger", body="45 euros", language="en", status="published"
    )


def judge(agent, question: Question, verdict: str, **fields):
    return agent.post(f"{LIST}{question.pk}/judge/", {"verdict": verdict, **fields}, follow=True)


def test_one_click_with_who_and_when(agent, staff, pause):
    question = asked(pause)
    page = agent.get(f"{LIST}{question.pk}/change/").content.decode()
    for button in ("Right", "Incomplete", "Wrong", "No article answers it"):
        assert f">{button}</button>" in page
    response = judge(agent, question, "right")
    label = Label.objects.get()
    assert (label.verdict, label.judged_by, list(label.articles.all())) == ("right", staff, [pause])
    assert label.judged_at is not None
    assert "Judged as “Right”." in response.content.decode()
    judge(agent, question, "wrong")
    assert Label.objects.get().verdict == "wrong"
    judge(agent, question, "withdraw")
    assert not Label.objects.exists()


def test_the_right_article_is_ticked_or_named(agent, pause, charger):
    question = asked(pause, text="I lost my charger")
    judge(agent, question, "article", articles=[charger.pk])
    label = Label.objects.get()
    assert (label.verdict, list(label.articles.all())) == ("wrong", [charger])
    judge(agent, question, "article", other="lost CHARGER")
    assert list(Label.objects.get().articles.all()) == [charger]
    judge(agent, question, "article", other=f"#{pause.pk}")
    assert Label.objects.get().verdict == "right"  # it is the one that was cited
    judge(agent, question, "article", other="https://help.example.org/en/articles/charger/")
    assert list(Label.objects.get().articles.all()) == [charger]


def test_what_went_to_a_person_could_have_been_answered(agent, pause):
    question = asked(pause, is_answered=False)
    page = agent.get(f"{LIST}{question.pk}/change/").content.decode()
    assert "Could an article have answered this?" in page and ">Right</button>" not in page
    judge(agent, question, "article", articles=[pause.pk])
    assert Label.objects.get().verdict == "article"
    judge(agent, question, "no_article")
    label = Label.objects.get()
    assert (label.verdict, label.articles.count()) == ("no_article", 0)


@pytest.mark.parametrize(
    ("verdict", "fields", "said"),
    [
        ("splendid", {}, "Unknown judgement"),
        ("", {}, "Unknown judgement"),
        ("right", {}, "no answer to judge"),
        ("article", {}, "name the article"),
        ("article", {"other": "no such title"}, "No article has"),
        ("article", {"other": "a"}, "Several articles match"),
        ("article", {"other": "99999999999999999999"}, "No article has"),
        ("article", {"articles": ["x", "7777"]}, "name the article"),
    ],
)
def test_bad_input_is_named_and_what_was_typed_stays(agent, pause, charger, verdict, fields, said):
    question = asked(pause, is_answered=False)
    page = judge(agent, question, verdict, **fields).content.decode()
    assert said in page
    if "other" in fields:
        assert f'value="{fields["other"]}"' in page
    assert not Label.objects.exists()


def test_many_at_once(agent, pause):
    answered, escalated = asked(pause), asked(pause, is_answered=False)
    page = agent.post(
        LIST, {"action": "judge_right", "_selected_action": [answered.pk, escalated.pk]}, follow=True
    ).content.decode()
    assert "1 question was judged." in page and "1 question has no answer" in page
    assert list(Label.objects.values_list("question", "verdict")) == [(answered.pk, "right")]


def test_only_who_may(client, pause):
    ensure_groups()
    user = User.objects.create_user("ed", "ed@example.org", "a good passphrase", is_staff=True)
    user.groups.add(Group.objects.get(name="Editors"))
    client.force_login(user)
    question = asked(pause)
    assert 'id="hc-judge"' not in client.get(f"{LIST}{question.pk}/change/").content.decode()
    assert client.post(f"{LIST}{question.pk}/judge/", {"verdict": "right"}).status_code == 403
    client.post(LIST, {"action": "judge_right", "_selected_action": [question.pk]})
    assert not Label.objects.exists()
    user.groups.set([Group.objects.get(name="Support")])
    client.post(f"{LIST}{question.pk}/judge/", {"verdict": "right"})
    assert Label.objects.get().judged_by == user


def test_a_link_judges_nothing(agent, pause):
    question = asked(pause)
    assert agent.get(f"{LIST}{question.pk}/judge/", {"verdict": "right"}).status_code == 405
    assert agent.post(f"{LIST}99999/judge/", {"verdict": "right"}).status_code == 404
    assert not Label.objects.exists()


def test_the_queue_is_a_sample_and_leads_to_the_next(agent, pause):
    questions = [asked(pause) for _number in range(8)]
    first = agent.get(LIST, {"judgement": "sample"}).context["cl"].result_list
    order = [question.pk for question in first]
    assert sorted(order) == [question.pk for question in questions] != order
    response = judge(agent, Question.objects.get(pk=order[0]), "right")
    assert response.context["judge"].next_id == order[1]
    again = agent.get(LIST, {"judgement": "sample"}).context["cl"].result_list
    assert [question.pk for question in again] == order[1:]


def test_a_ticket_solved_with_an_article_is_a_label(agent, staff, pause, charger):
    question = asked(pause, is_answered=False)
    ticket = question.ticket
    ticket.contact_email, ticket.status = "ada@example.org", "open"
    ticket.save()
    address = f"/admin/assistant/ticket/{ticket.pk}/change/"
    page = agent.post(address, form(ticket, status="solved", answered_by="chargers")).content.decode()
    assert "No article has" in page and 'value="chargers"' in page
    agent.post(address, form(ticket, status="solved", answered_by="Lost charger"))
    label = Label.objects.get()
    assert (label.verdict, label.source, label.judged_by) == ("article", "ticket", staff)
    assert list(label.articles.all()) == [charger]
    shown = agent.get(address).content.decode()
    assert f"#{charger.pk} Lost charger" in shown
    ticket.refresh_from_db()
    agent.post(
        address, form(ticket, answered_by=f"#{charger.pk} Lost charger")
    )  # unchanged, as the form sends it
    assert Label.objects.get().judged_at == label.judged_at


def test_exported_labels_are_read_as_they_were_given(make_article, tmp_path, capsys):
    center = make_articles(make_article)
    own = make_article("Written here", "Without an external id.")
    judged(center["pause"], "right", text="What does a pause cost?")
    judged(center["charger"], "incomplete", text="I lost my charger")
    judged(own, "article", text="Answered elsewhere?", is_answered=False)
    judged(own, "no_article", text="Which wine goes with duck?", is_answered=False)
    before = asked(center["pause"], text="What does a pause cost?")
    follow_up = asked(center["pause"], text="And for two?")
    follow_up.conversation = before.conversation
    follow_up.save()
    Label.objects.create(question=follow_up, verdict="right").articles.add(center["pause"])
    gone = judged(center["paypal"], "right", text="PayPal?")
    Article.objects.filter(pk=center["paypal"].pk).update(status="archived")
    file = tmp_path / "labels.jsonl"
    call_command("export_labels", str(file))
    assert "5 labelled questions" in (said := capsys.readouterr().out) and "1 left out" in said
    questions, _doubtful = read_questions(file)
    assert tuple(questions) == site_labels().questions
    assert str(gone.public_id) not in file.read_text()
    by_text = {one.text: one for one in questions}
    assert by_text["I lost my charger"].is_incomplete
    assert by_text["Answered elsewhere?"].gold == {f"pk:{own.pk}"}
    assert by_text["Which wine goes with duck?"].gold == frozenset()
    assert by_text["And for two?"].history == ("user: What does a pause cost?", "assistant: 9 euros")
    assert file.stat().st_mode & 0o077 == 0
    out = io.StringIO()
    call_command("evaluate", str(file), json=True, stdout=out)
    figures = json.loads(out.getvalue())
    assert (figures["questions"], figures["answerable"], figures["unmatched_gold"]) == (5, 4, 0)


def test_an_incomplete_answer_is_found_and_not_right(make_article, tmp_path):
    make_articles(make_article)
    rows = [{**row, "incomplete": row["id"] == "paypal-1"} for row in labelled_rows()]
    out = io.StringIO()
    options = {"dry_run": True, "json": True, "max_risk": 0.4, "confidence": 0.7, "stdout": out}
    call_command("calibrate", str(write_rows(tmp_path / "q.jsonl", rows)), **options)
    lowest = json.loads(out.getvalue())["curve"][-1]
    assert lowest[2] == 1


def test_reading_labels_takes_the_same_queries_for_one_and_for_many(make_article):
    article = make_article("Pause", external_id="pause")

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            site_labels()
        return len(queries)

    judged(article, "right")
    one = count()
    for _number in range(30):
        judged(article, "right")
    assert count() == one


def test_the_list_and_the_page_keep_to_their_queries(agent, pause):
    judged(pause, "right")

    def count(address: str, **query) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert agent.get(address, query).status_code == 200
        return len(queries)

    few = count(LIST), count(LIST, judgement="any")
    for number in range(30):
        judged(pause, "wrong" if number % 2 else "right")
    assert (count(LIST), count(LIST, judgement="any")) == few
