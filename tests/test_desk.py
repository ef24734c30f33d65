"""Templates, translations, autosave and revisions at the editors' desk."""

import importlib

import pytest
from django.apps import apps

from knowledge.diffing import Mark, compare
from knowledge.models import Article, ArticleTemplate, Autosave, PendingChange, Status
from knowledge.starters import starters
from tests.desk import LIST, as_, change, form, member
from tests.pages import text_of
from tests.test_admin_articles import queries_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor():
    return as_(member("Editors"))


# --- templates ------------------------------------------------------------------------------------------


def test_a_template_begins_an_article(editor):
    ArticleTemplate.objects.all().delete()
    made = editor.post(
        "/admin/knowledge/articletemplate/add/",
        {"name": "Recall", "language": "en", "position": 1, "hint": "", "title": "Recall of ",
         "labels": "recall, safety", "body": "## Which ones\r\n\r\n## What to do"},
    )  # fmt: skip
    assert made.status_code == 302
    template = ArticleTemplate.objects.get()
    assert template.labels == ["recall", "safety"] and "\r" not in template.body
    page = editor.get(f"{LIST}add/").content.decode()
    assert f"?template={template.pk}" in page
    begun = editor.get(f"{LIST}add/", {"template": template.pk}).context["adminform"].form
    assert (begun["title"].value(), begun["language"].value()) == ("Recall of ", "en")
    assert begun["body"].value() == template.body
    assert 'value="recall, safety"' in str(begun["labels"])
    assert editor.get(f"{LIST}add/?template=99999").status_code == 200
    assert as_(member("Authors")).get("/admin/knowledge/articletemplate/add/").status_code == 403


def test_there_are_starters_in_both_languages():
    # Transactional tests before this one may have emptied the table.
    ArticleTemplate.objects.all().delete()
    migration = importlib.import_module("knowledge.migrations.0011_workflow_dates_templates")
    migration.add_starters(apps, None)
    for language in ("de", "en"):
        mine = [one for one in starters() if one.language == language]
        assert len({one.name for one in mine}) == 5
    assert len({(one.language, one.name) for one in ArticleTemplate.objects.all()}) == len(starters())


# --- translations ---------------------------------------------------------------------------------------


def test_one_click_makes_the_linked_translation_and_it_knows_when_it_is_behind(
    editor, client, make_article, make_category
):
    source = make_article(
        "Pause", "## Costs\n\nNine euros a month.", slug="pause", audience="signed_in", synced=False
    )
    assert "Translate into German" in text_of(editor.get(f"{LIST}{source.pk}/change/").content)
    response = editor.post(f"{LIST}{source.pk}/translate/de/")
    made = Article.objects.get(language="de")
    assert response["Location"] == f"{LIST}{made.pk}/change/"
    editor.post(f"{LIST}{source.pk}/translate/de/")
    source.refresh_from_db()
    assert made.translation_group == source.translation_group == "pause"
    assert (made.status, made.audience, made.slug, made.body) == ("draft", "signed_in", "pause", source.body)
    assert Article.objects.count() == 2

    page = text_of(editor.get(f"{LIST}{made.pk}/change/").content)
    assert "English text" in page and "Nine euros a month." in page and "has changed since" not in page
    change(editor, source, "_publish", body="## Costs\n\nTen euros a month.")
    page = editor.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "has changed since this translation was made" in page
    assert "<del>Nine</del><ins>Ten</ins>" in page
    assert [one.title for one in editor.get(LIST, {"to_do": "translation"}).context["cl"].queryset] == [
        made.title
    ]
    assert "Its source has changed" in editor.get(LIST).content.decode()

    change(editor, made, body="## Kosten\n\nZehn Euro im Monat.", up_to_date="on")
    assert not editor.get(LIST, {"to_do": "translation"}).context["cl"].queryset
    made.refresh_from_db()
    assert made.translated_revision == Article.objects.get(pk=source.pk).revision


def test_an_imported_pair_becomes_source_and_translation_with_a_tick(editor, make_article):
    source = make_article("Pause", translation_group="p", synced=False)
    other = make_article("Pause", "Neun Euro.", language="de", translation_group="p", synced=False)
    assert "Its source has changed" not in editor.get(LIST).content.decode()
    change(editor, other, "_publish", body="Neun Euro im Monat.", up_to_date="on")
    other.refresh_from_db()
    assert (other.translation_of, other.translated_revision) == (source, 1)


# --- autosave -------------------------------------------------------------------------------------------


def test_what_is_typed_is_kept_and_offered_to_its_writer_alone(editor, make_article):
    article = make_article("Pause", "Nine euros.", synced=False)
    address = f"{LIST}{article.pk}"
    seen = editor.get(f"{address}/change/").context["adminform"].form["seen"].value()
    typed = form(article, body="Ten eu", window="w1", seen=seen)
    assert set(editor.post(f"{address}/autosave/", typed).json()) == {"saved"}
    editor.post(f"{address}/autosave/", typed | {"body": "Ten euros"})
    editor.post(f"{address}/autosave/", typed | {"body": "Another window", "window": "w2"})
    article.refresh_from_db()
    assert article.body == "Nine euros." and not PendingChange.objects.exists()
    assert Autosave.objects.count() == 2

    other = as_(member("Authors"))
    assert "you typed a text here" not in text_of(other.get(f"{address}/change/").content)
    page = text_of(editor.get(f"{address}/change/").content)
    assert page.count("you typed a text here that was not saved") == 2
    saved = Autosave.objects.get(window="w1")
    back = f"{address}/change/?autosave={saved.pk}"
    assert other.get(back).context["adminform"].form["body"].value() == "Nine euros."
    taken = editor.get(back)
    assert taken.context["adminform"].form["body"].value() == "Ten euros"
    assert 'name="taken" value="w1"' in taken.content.decode()

    change(editor, article, body="Ten euros", window="w3", taken="w1", seen=seen)
    assert Autosave.objects.get().window == "w2"
    gone = editor.post(f"{address}/autosave/", {"drop": "w2"})
    assert gone["Location"] == f"{address}/change/" and not Autosave.objects.exists()


def test_what_was_typed_before_somebody_else_saved_asks_before_it_replaces(editor, make_article):
    article = make_article("Pause", "Nine euros.", status=Status.DRAFT, synced=False)
    address = f"{LIST}{article.pk}"
    seen = editor.get(f"{address}/change/").context["adminform"].form["seen"].value()
    editor.post(f"{address}/autosave/", form(article, body="Mine.", window="w1", seen=seen))
    change(as_(member("Authors")), article, body="Theirs.")
    page = text_of(editor.get(f"{address}/change/").content)
    assert "Somebody has saved the article since" in page
    taken = editor.get(f"{address}/change/?autosave={Autosave.objects.get().pk}").context["adminform"].form
    assert (taken["body"].value(), taken["seen"].value()) == ("Mine.", seen)
    assert "saved this article at" in change(editor, article, body="Mine.", seen=seen)
    article.refresh_from_db()
    assert article.body == "Theirs."


def test_a_new_article_is_kept_before_it_is_stored(editor):
    editor.post(f"{LIST}autosave/", form(title="Half a title", window="w1", labels="a, b"))
    page = editor.get(f"{LIST}add/")
    assert "Half a title" in page.content.decode()
    taken = editor.get(f"{LIST}add/?autosave={Autosave.objects.get().pk}").context["adminform"].form
    assert taken["title"].value() == "Half a title"
    editor.post(f"{LIST}add/", form(title="Half a title", window="w2", taken="w1"))
    assert not Autosave.objects.exists()
    assert editor.post(f"{LIST}autosave/", form(window="")).status_code == 400
    assert as_(member("Support")).post(f"{LIST}autosave/", form(window="w")).status_code == 403


# --- revisions ------------------------------------------------------------------------------------------


def test_any_two_texts_are_compared_and_an_earlier_one_is_taken_up_again(editor, client, make_article):
    article = make_article("Pause", "A pause costs nine euros.", synced=False)
    change(editor, article, "_publish", body="A pause costs ten euros.", title="Pause it")
    article.refresh_from_db()
    change(editor, article, body="A pause costs eleven euros.")
    page = editor.get(f"{LIST}{article.pk}/history/")
    body = text_of(page.content)
    for told in ("Change in preparation", "Change published", "Revision 2", "new text"):
        assert told in body
    first, second = (
        f"a{pk}" for pk in article.history.order_by("history_id").values_list("history_id", flat=True)
    )
    prepared = f"c{PendingChange.history.latest().history_id}"
    for left, right, old, new in (
        (first, second, "nine", "ten"),
        (second, first, "nine", "ten"),  # whichever was named first
        (first, prepared, "nine", "eleven"),
        ("live", "work", "ten", "eleven"),
        (first, "live", "nine", "ten"),
    ):
        shown = editor.get(f"{LIST}{article.pk}/compare/", {"from": left, "to": right}).content.decode()
        assert f"<del>{old}</del><ins>{new}</ins>" in shown
    shown = text_of(editor.get(f"{LIST}{article.pk}/compare/", {"from": first, "to": second}).content)
    assert "title Pause → Pause it" in shown
    for wrong in ("a999999", "b1", "", "c"):
        assert editor.get(f"{LIST}{article.pk}/compare/", {"from": wrong}).status_code == 404

    author = as_(member("Authors"))
    assert (
        "Take this text up again" in author.get(f"{LIST}{article.pk}/compare/?from={first}").content.decode()
    )
    author.post(f"{LIST}{article.pk}/restore/{first}/")
    article.refresh_from_db()
    assert article.body == "A pause costs ten euros."
    assert PendingChange.objects.get().content["body"] == "A pause costs nine euros."
    assert as_(member("Support")).post(f"{LIST}{article.pk}/restore/{first}/").status_code == 403


def test_the_revisions_of_another_article_are_not_shown(editor, make_article):
    one, other = make_article("One", synced=False), make_article("Other", "Secret.", synced=False)
    key = f"a{other.history.get().history_id}"
    assert editor.get(f"{LIST}{one.pk}/compare/", {"from": key}).status_code == 404
    assert editor.post(f"{LIST}{one.pk}/restore/{key}/").status_code == 404


def test_the_pages_cost_as_many_queries_however_long_the_story_is(editor, make_article):
    article = make_article("Pause", "Text 0.", synced=False)
    addresses = (
        f"{LIST}{article.pk}/change/",
        f"{LIST}{article.pk}/history/",
        f"{LIST}{article.pk}/compare/",
    )
    change(editor, article, body="Text.")
    editor.get(addresses[0])
    few = [len(queries_of(editor, address)) for address in addresses]
    for number in range(12):
        article.body = f"Live {number}."
        article.save()
        change(editor, article, body=f"Text {number}.")
    assert [len(queries_of(editor, address)) for address in addresses] == few


# --- differences ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "New."),
        ("Old.", ""),
        ("One two three.\n", "One 2 three.\n"),
        ("a\nb\nc\n" * 30, "a\nb\nc\n" * 14 + "x\n" + "a\nb\nc\n" * 16),
        ("Nothing in common here.", "Ganz etwas anderes."),
        ("same words  with blanks\n", "same words with blanks \n"),
        ("Grüße\r\nÄ", "Grüße\nÄ\n"),
    ],
)
def test_a_difference_is_made_of_both_texts(old, new):
    pieces = [piece for stretch in compare(old, new) for piece in stretch.pieces]
    assert "".join(piece.text for piece in pieces if piece.mark is not Mark.NEW) == old
    assert "".join(piece.text for piece in pieces if piece.mark is not Mark.GONE) == new
    assert compare(old, old) == []


def test_words_are_compared_and_what_is_far_is_folded():
    old = "".join(f"Line {number} says something.\n" for number in range(40))
    new = old.replace("Line 20 says something", "Line 20 says nothing at all")
    stretches = compare(old, new)
    changed = next(one for one in stretches if len(one.pieces) > 1)
    assert [piece.text for piece in changed.pieces if piece.mark is not Mark.SAME] == [
        "something",
        "nothing at all",
    ]
    assert sum(one.is_far for one in stretches) == 2
