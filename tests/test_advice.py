"""Advice on an article: what it contradicts, repeats and breaks, with the passages shown."""

import pytest

from assistant.asking import Inquiry, decide
from knowledge.advice import Kind, advise, check_wording
from knowledge.advice.statements import disagreement, read_statement
from knowledge.advice.wording import reading_ease
from knowledge.models import Article, Status

ADMIN = "/admin/knowledge/article/"


@pytest.mark.parametrize(
    ("language", "one", "other", "expected"),
    [
        ("en", "You can pause for up to 3 months.", "You can pause for up to 2 months.", Kind.NUMBERS),
        ("en", "The deposit is €1,500.", "The deposit is € 1500.00.", None),
        ("de", "Die Kaution beträgt 1.500 €.", "Die Kaution beträgt 150 €.", Kind.NUMBERS),
        ("de", "Sie können das Abo 3 Monate pausieren.", "Sie können das Abo 90 Tage pausieren.", None),
        ("en", "The plan costs €49 a month.", "The plan costs CHF 55 a month.", None),
        (
            "de",
            "Der Akku darf im Flugzeug mitfliegen.",
            "Der Akku darf im Flugzeug nicht mitfliegen.",
            Kind.NEGATION,
        ),
        (
            "de",
            "Personalisierung verbessert das Einkaufserlebnis.",
            "Die meisten Verbraucher sehen in der Personalisierung keine Vorteile.",
            Kind.VIEW,
        ),
        ("de", "Personalisierung verbessert das Erlebnis.", "Personalisierung hilft auch Händlern.", None),
        ("en", "Charge the battery for 4 hours.", "Return the bike within 14 days.", None),
    ],
)
def test_sentences_that_disagree(language, one, other, expected):
    found = disagreement(read_statement(one, language), read_statement(other, language))
    assert (found[0] if found else None) == expected


def _draft(body: str, **fields: object) -> Article:
    values = {"title": "Pausing your plan", "slug": "draft", "language": "en", "status": Status.DRAFT}
    return Article.objects.create(body=body, **values | fields)


@pytest.mark.django_db
def test_a_draft_is_compared_with_what_customers_can_find(make_article):
    make_article("How long can I pause?", "You can pause your plan for up to 3 months in a year.")
    same = (
        "Open the app, choose your plan and press the pause button. We confirm the pause by mail within one hour "
        "and keep your bike reserved until you come back."
    )
    make_article("Pause in the app", same)
    draft = _draft(f"You can pause your plan for up to 6 months in a year.\n\n## In the app\n\n{same}")

    findings = advise(draft).findings
    found = {finding.kind: finding.other for finding in findings if finding.other}
    details = {finding.kind: finding.detail for finding in findings}

    assert details[Kind.NUMBERS] == "6 ≠ 3"
    assert found[Kind.NUMBERS].quote == "You can pause your plan for up to 3 months in a year."
    assert found[Kind.DUPLICATE].title == "Pause in the app"
    assert not draft.passages.exists()


@pytest.mark.django_db
def test_two_articles_on_different_things_are_left_alone(make_article):
    make_article("Return the bike", "Send the bike back within 14 days. We pay the carrier.")
    draft = _draft("The battery has a range of 80 km in summer and 60 km in winter.", title="Range")
    assert [finding.kind for finding in advise(draft).findings if finding.other] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        ("See [prices](article:gone).", Kind.LINK, "article:gone"),
        ("See [below](#nowhere).\n\n## Somewhere", Kind.ANCHOR, "#nowhere"),
        ("Text.\n\nJetzt Newsletter abonnieren", Kind.BOILERPLATE, "Newsletter abonnieren"),
        ("(Visited 252 times, 1 visits today)", Kind.BOILERPLATE, "(Visited 252 times"),
        ("word " * 160, Kind.LONG_PARAGRAPH, ""),
        ("word " * 40 + "end.", Kind.LONG_SENTENCES, ""),
        (
            "A sentence that is here and is here again.\n\nA sentence that is here and is here again.",
            Kind.REPEATED,
            "",
        ),
        ("Short.", Kind.TRANSLATION, ""),
    ],
)
def test_what_a_text_shows_by_itself(body, kind, detail):
    found = [finding for finding in check_wording(_draft(body)) if finding.kind is kind]
    assert found
    assert found[0].detail == detail


@pytest.mark.django_db
def test_good_links_and_translations_are_no_finding(make_article):
    make_article("Prices", translation_group="prices", language="de")
    draft = _draft(
        "See [prices](article:prices), [here](#here), [a page](https://example.org/) and [mail](mailto:a@example.org)."
        "\n\n## Here\n\nText.",
        translation_group="prices",
    )
    assert check_wording(draft) == []


@pytest.mark.django_db
def test_a_paragraph_that_many_articles_carry_is_boilerplate(make_article):
    footer = "Our friendly team is there for you from nine to five on every working day of the week."
    for number in range(3):
        make_article(f"Article {number}", f"About thing number {number}.\n\n{footer}")
    found = [
        finding for finding in check_wording(_draft(f"Own text.\n\n{footer}")) if finding.quote == footer
    ]
    assert [finding.kind for finding in found] == [Kind.BOILERPLATE]


def test_reading_ease_is_flesch_and_amstad():
    assert reading_ease(100, 10, 130, "en") == pytest.approx(206.835 - 10.15 - 109.98)
    assert reading_ease(100, 10, 160, "de") == pytest.approx(180 - 10 - 93.6)


@pytest.mark.django_db
def test_after_saving_the_editor_is_told_and_shown(client, staff, make_article):
    make_article("How long can I pause?", "You can pause your plan for up to 3 months in a year.")
    draft = _draft("You can pause your plan for up to 6 months in a year. [Gone](article:gone)")
    client.force_login(staff)
    form = {
        "title": draft.title, "slug": draft.slug, "body": draft.body, "status": "draft", "audience": "public",
        "language": "en", "category": "", "translation_group": "", "labels": "plan, pause",
        "passages-TOTAL_FORMS": 0, "passages-INITIAL_FORMS": 0,
    }  # fmt: skip
    response = client.post(f"{ADMIN}{draft.pk}/change/", form, follow=True)
    assert "1 thing could be better." in response.content.decode()
    draft.refresh_from_db()
    assert draft.labels == ["plan", "pause"]
    page = client.get(f"{ADMIN}{draft.pk}/check/").content.decode()
    assert "Another article gives other figures" in page
    assert "6 ≠ 3" in page
    assert "article:gone" in page


@pytest.mark.django_db
def test_the_texts_of_the_seeds(shared_data, make_article):
    """Boilerplate, and that one of them sees no advantage where another one does."""
    folder = shared_data.parent / "seeds"
    if not folder.is_dir():
        pytest.skip(f"the seeds are not here ({folder})")
    made = {}
    for file in sorted(folder.glob("*.txt")):
        text = file.read_text()
        title = next(line.strip() for line in text.split("\n") if len(line.strip()) > 30)
        made[file.name[:3]] = make_article(
            title[:200], text.replace("  • ", "\n- "), language="de", slug=f"seed-{file.name[:3]}"
        )
    found = advise(made["002"]).findings
    views = [(one.other.article_id, one.detail) for one in found if one.kind is Kind.VIEW and one.other]
    assert (made["001"].pk, "personalis") in views
    for number in ("000", "002", "003", "004"):
        assert any(one.kind is Kind.BOILERPLATE for one in advise(made[number]).findings), number
    # What is announced and not there cannot be told.
    assert decide(Inquiry("Welche zehn Schritte empfiehlt Spitch?", language="de")).draft is None
