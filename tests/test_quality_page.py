"""The quality page: figures that are right, that lead to their questions, and a threshold that somebody confirms."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.calibration import store
from assistant.measured import Calibration, EvaluationRun, Label
from assistant.models import Feedback, Question
from assistant.quality.figures import Known, percentile, summarise
from assistant.quality.records import known_from_site, weeks
from assistant.roles import ensure_groups
from knowledge.models import Article
from tests.judged import asked, judged, labelled_rows, make_articles, write_rows

PAGE = "/admin/quality/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def lead(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def pause(make_category) -> Article:
    return Article.objects.create(
        title="Pause",
        slug="pause",
        body="9 euros",
        language="en",
        status="published",
        category=make_category("Billing & more"),
    )


def member(client, group: str) -> User:
    ensure_groups()
    user = User.objects.create_user(group, f"{group}@example.org", "a good passphrase", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return user


def some_of_each(article: Article) -> None:
    for number in range(12):
        judged(article, "right", score=0.55 + number / 30)
    judged(article, "wrong", score=0.61)
    judged(article, "incomplete", score=0.7)
    judged(article, "no_article", score=0.65)
    judged(article, "article", score=0.3, is_answered=False)
    judged(article, "no_article", score=0.2, is_answered=False)
    asked(None, score=0.1, is_answered=False)


def test_before_anything_is_known_it_says_what_is_needed(lead):
    page = lead.get(PAGE).content.decode()
    assert "Nothing has been judged yet" in page and "59 answers" in page
    assert "Nobody has asked anything" in page
    assert "from development sets" in page
    assert "hc-chart" not in page


def test_in_german(lead, pause):
    some_of_each(pause)
    lead.cookies["django_language"] = "de"
    page = lead.get(PAGE).content.decode()
    assert "Qualität" in page and "Kategorie" in page
    for english in ("Risk and", "answered", "Threshold", "judged", "week"):
        assert english not in re.sub(r"<[^>]*>", " ", page.split('id="content-main"')[1])


def test_figures_are_those_of_the_rows(lead, pause):
    some_of_each(pause)
    summary = lead.get(PAGE).context["summary"]
    assert (summary.count, summary.answered, summary.wrong) == (17, 15, 3)
    assert summary.by_language[0].count == 15  # of two it is known that no article answers, or nothing more
    assert summary.by_category[0].name == "Billing & more"


def test_every_number_leads_to_as_many_questions(lead, pause):
    some_of_each(pause)
    page = lead.get(PAGE).content.decode()
    cells = re.findall(r'<(?:td|th)[^>]*><a href="(/admin/assistant/question/[^"]+)">([\d,.]+)</a>', page)
    assert len(cells) > 15
    for address, shown in cells:
        response = lead.get(unescape(address))
        assert response.status_code == 200, address
        assert response.context["cl"].result_count == int(shown), unescape(address)


def test_dots_and_bars_are_links_too(lead, pause):
    some_of_each(pause)
    page = lead.get(PAGE).content.decode()
    picture = "".join(re.findall(r"<svg viewBox.*?</svg>", page, flags=re.S))
    addresses = {unescape(one) for one in re.findall(r'<a href="([^"]+)"', picture)}
    assert len(addresses) > 10
    assert all(lead.get(one).status_code == 200 for one in addresses)
    narrowed = next(one for one in addresses if "confidence_score__gte" in one)
    assert "Only: confidence from" in lead.get(narrowed).content.decode()


def test_predicate_and_queryset_agree_on_what_is_not_right(pause):
    some_of_each(pause)
    known = known_from_site()
    not_right = set(Label.objects.not_right().values_list("question__confidence_score", flat=True))
    assert not_right == {one.score for one in known if not one.is_right}


def test_the_same_number_of_queries_for_many_rows(lead, pause):
    some_of_each(pause)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            lead.get(PAGE)
        return len(queries)

    lead.get(PAGE)
    few = count()
    for _round in range(6):
        some_of_each(pause)
    assert count() == few < 30


def test_weeks_reasons_votes_and_times(pause):
    monday = timezone.localtime() - timedelta(days=timezone.localdate().weekday())
    for days, elapsed in ((0, 10), (0, 20), (7, 30), (7, 40), (7, 400)):
        question = asked(pause, elapsed_ms=elapsed)
        Question.objects.filter(pk=question.pk).update(created_at=monday - timedelta(days=days))
    Feedback.objects.create(question=question, helpful=False)
    late = asked(None, is_answered=False)
    Question.objects.filter(pk=late.pk).update(created_at=monday - timedelta(days=7))
    four = weeks(4)
    assert [week.asked for week in four] == [0, 0, 4, 2]
    last = four[2]
    assert (last.answered, last.escalated, last.by_reason) == (3, 1, {"low_confidence": 1})
    assert (last.p50_ms, last.p95_ms, last.not_helpful) == (40, 400, 1)
    assert four[0].p50_ms is None


def test_percentiles_are_by_nearest_rank():
    assert percentile([(10, 1), (20, 1), (30, 1), (40, 1)], 0.5) == 20
    assert percentile([(10, 19), (900, 1)], 0.95) == 10
    assert percentile([(10, 18), (900, 2)], 0.95) == 900
    assert percentile([], 0.5) is None


def test_the_operating_point_by_hand():
    def known(score: float, is_right: bool) -> Known:
        return Known("en", "", score, score >= 0.5, is_right, True, 1 if is_right else None)

    summary = summarise(
        [known(0.9, True), known(0.8, False), known(0.6, True), known(0.5, True), known(0.2, False)],
        threshold=0.5,
    )
    assert summary.operating is not None
    assert (summary.operating.answered, summary.operating.wrong) == (4, 1)
    assert (summary.coverage, summary.risk) == (0.8, 0.25)
    assert [point.wrong for point in summary.curve] == [0, 1, 1, 1, 2]
    assert summary.by_language[0].hit_1 == 0.6


@pytest.mark.parametrize(
    ("group", "sees", "decides"),
    [("Analysts", 200, 403), ("Leads", 200, 400), ("Support", 403, 403), ("Editors", 403, 403)],
)
def test_who_sees_and_who_decides(client, group, sees, decides):
    member(client, group)
    assert client.get(PAGE).status_code == sees
    assert (PAGE in client.get("/admin/").content.decode()) == (sees == 200)
    assert client.post(f"{PAGE}calibrate/", {}).status_code == decides
    row = Calibration.objects.create(
        source="site", max_risk=0.05, confidence=0.95, state="proposed", threshold=0.5
    )
    assert client.get(f"{PAGE}calibrations/{row.pk}/").status_code == sees
    assert client.post(f"{PAGE}calibrations/{row.pk}/decide/").status_code in (403, 302)
    assert client.post(f"{PAGE}revert/").status_code in (403, 302)
    assert Calibration.objects.get().state == "proposed"  # of no recipe: nobody puts it in force


def test_a_visitor_is_sent_to_sign_in(client):
    assert client.get(PAGE).status_code == 302


def test_calibrating_from_the_page(lead, staff, make_article, django_capture_on_commit_callbacks):
    for article in make_articles(make_article).values():
        for _copy in range(4):
            judged(article, "right", text=f"{article.title}?")
    with django_capture_on_commit_callbacks(execute=True):
        response = lead.post(f"{PAGE}calibrate/", {"max_risk": "30", "confidence": "80", "hidden_share": "0"})
    row = Calibration.objects.get()
    assert response["Location"] == f"{PAGE}calibrations/{row.pk}/"
    assert (row.state, row.created_by, row.labelled, row.done) == ("proposed", staff, 12, 12)
    page = lead.get(response["Location"]).content.decode()
    assert "Before and after" in page and "Put in force" in page and "80 % certainty" in page
    assert store.in_force() is None  # nothing without a confirmation
    lead.post(f"{PAGE}calibrations/{row.pk}/decide/", {"confirm": ""})
    live = store.in_force()
    assert live is not None and live.threshold == row.threshold
    assert "calibrated on labelled questions" in lead.get(PAGE).content.decode()
    lead.post(f"{PAGE}revert/")
    assert store.in_force() is None
    lead.post(f"{PAGE}calibrations/{row.pk}/decide/", {"confirm": ""})  # an earlier one, again
    assert store.in_force() is not None


def test_too_few_judgements_are_refused_in_words(lead, make_article, django_capture_on_commit_callbacks):
    article = make_article("Pause your subscription", "A pause costs 9 euros.", external_id="pause")
    judged(article, "right", text="Pause your subscription?")
    with django_capture_on_commit_callbacks(execute=True):
        lead.post(f"{PAGE}calibrate/", {"max_risk": "5", "confidence": "95", "hidden_share": "0"})
    page = lead.get(f"{PAGE}calibrations/{Calibration.objects.get().pk}/").content.decode()
    assert "Too few judgements" in page and "59" in page and "Put in force" not in page


def test_bad_levels_are_named_and_kept(lead):
    response = lead.post(f"{PAGE}calibrate/", {"max_risk": "500", "confidence": "abc", "hidden_share": "0"})
    page = response.content.decode()
    assert response.status_code == 400 and 'value="500"' in page and 'value="abc"' in page
    assert "less than or equal to 50" in page
    nothing = lead.post(f"{PAGE}calibrate/", {"max_risk": "5", "confidence": "95", "hidden_share": "0"})
    assert "Nothing has been judged yet" in nothing.content.decode()
    assert not Calibration.objects.exists()


def test_one_runs_at_a_time_and_a_dead_one_is_given_up(lead, pause):
    judged(pause, "right")
    running = Calibration.objects.create(source="site", max_risk=0.05, confidence=0.95, total=9, done=3)
    address = f"{PAGE}calibrations/{running.pk}/"
    levels = {"max_risk": "5", "confidence": "95", "hidden_share": "0"}
    assert lead.post(f"{PAGE}calibrate/", levels)["Location"] == address
    page = lead.get(address)
    assert page["Refresh"] == "3" and "3 of 9 questions" in page.content.decode()
    Calibration.objects.update(beat_at=timezone.now() - timedelta(minutes=10))
    page = lead.get(address)
    assert "Refresh" not in page and "interrupted" in page.content.decode()
    assert lead.post(f"{PAGE}calibrate/", levels)["Location"] != address


def test_a_proposal_can_be_thrown_away(lead):
    row = Calibration.objects.create(
        source="site", max_risk=0.05, confidence=0.95, state="proposed", threshold=0.5
    )
    lead.post(f"{PAGE}calibrations/{row.pk}/decide/", {"discard": ""})
    row.refresh_from_db()
    assert row.state == "discarded"


def test_a_calibration_for_something_else_says_why_it_does_not_count(lead, make_article):
    make_article("Pause")
    binding = store.binding_fields(store.Binding.now()) | {"writer": "openai:other"}
    Calibration.objects.create(
        source="site",
        max_risk=0.05,
        confidence=0.95,
        state="live",
        threshold=0.5,
        live_at=timezone.now(),
        **binding,
    )
    page = lead.get(PAGE).content.decode()
    assert "does not count at the moment" in page and "another answer writer is set" in page


@pytest.fixture
def evaluated(make_article, tmp_path):
    make_articles(make_article)
    file = write_rows(tmp_path / "questions.jsonl", labelled_rows(off_topic=3))
    report = tmp_path / "out.html"
    call_command("evaluate", str(file), store=True, report=report)
    return report


def test_a_stored_evaluation_is_shown_and_leads_to_its_questions(lead, evaluated):
    run = EvaluationRun.objects.get()
    assert (run.questions.count(), run.figures["questions"]) == (15, 15)
    page = lead.get(PAGE, {"source": f"run-{run.pk}"}).content.decode()
    assert "Evaluation “" in page
    cells = re.findall(
        r'<(?:td|th)[^>]*><a href="(/admin/assistant/evaluatedquestion/[^"]+)">([\d,.]+)</a>', page
    )
    assert len(cells) > 5
    for address, shown in cells:
        response = lead.get(unescape(address))
        assert response.status_code == 200 and response.context["cl"].result_count == int(shown), address


def test_the_report_is_one_file_that_asks_nobody(evaluated):
    page = evaluated.read_text()
    assert page.count("<svg viewBox") >= 2 and "<table>" in page and ".hc-line" in page
    assert not re.search(r"https?://|src=|<link|@import|url\(", page)
    assert "&quot;light&quot;" not in page


def test_only_who_sees_the_page_sees_evaluated_questions(client, evaluated):
    member(client, "Support")
    assert client.get("/admin/assistant/evaluatedquestion/").status_code == 403
