"""Writing an article: preview, pictures, links, and two editors at once."""

import io

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from knowledge.models import Article, Status

LIST = "/admin/knowledge/article/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def _form(**changes: object) -> dict[str, object]:
    return {
        "title": "Pause", "slug": "pause", "body": "Text.", "status": "draft", "audience": "public",
        "language": "en", "category": "", "translation_group": "", "labels": "",
        "passages-TOTAL_FORMS": 0, "passages-INITIAL_FORMS": 0,
    } | changes  # fmt: skip


def test_the_preview_is_the_page_and_stores_nothing(editor, make_article):
    make_article("Prices", translation_group="prices", language="de", slug="preise")
    body = "## First\n\nSee [prices](article:prices).\n\n> [!NOTE]\n> Mind.\n\n<script>alert(1)</script>"
    response = editor.post(
        f"{LIST}preview/", _form(body=body, language="de", audience="internal", title="Ä & b")
    )
    page = response.content.decode()
    assert response.status_code == 200
    assert "<h1>Ä &amp; b</h1>" in page
    assert '<html lang="de"' in page
    assert 'href="/de/articles/preise/"' in page
    assert "callout-note" in page
    assert "<script>alert" not in page
    assert "Intern" in page
    assert Article.objects.count() == 1


def test_the_preview_links_to_what_its_readers_may_read(editor, make_article):
    for audience in ("public", "signed_in", "internal"):
        make_article(audience, translation_group=audience, slug=audience, audience=audience, synced=False)
    body = "[a](article:public) [b](article:signed_in) [c](article:internal)"
    for audience, links in (("public", 1), ("signed_in", 2), ("internal", 3)):
        page = editor.post(f"{LIST}preview/", _form(body=body, audience=audience)).content.decode()
        assert page.split('<div class="prose">')[1].count('href="/en/articles/') == links


def test_a_picture_is_checked_and_stored(editor):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "blue").save(buffer, "PNG")
    picture = SimpleUploadedFile("x.exe", buffer.getvalue())
    answer = editor.post(f"{LIST}pictures/", {"picture": picture})
    address = answer.json()["address"]
    assert address.endswith(".png")
    assert editor.get(address).status_code == 200
    for content in (b"<svg/>", b"", b"GIF89a nothing"):
        refused = editor.post(f"{LIST}pictures/", {"picture": SimpleUploadedFile("x.png", content or b"-")})
        assert refused.status_code == 400
        assert "Allowed: GIF, JPEG, PNG, WEBP" in refused.json()["error"]
    assert editor.post(f"{LIST}pictures/").status_code == 400


def test_the_picker_offers_articles_by_their_group_or_their_address(editor, make_article):
    make_article("Pause your plan", translation_group="pause", synced=False)
    make_article("Pause and prices", slug="pause-prices", status=Status.DRAFT, synced=False)
    make_article("Abo pausieren", translation_group="pause", language="de", synced=False)
    make_article("Cancel", synced=False)
    found = editor.get(f"{LIST}links/?q=pause&language=en").json()["articles"]
    assert [(one["title"], one["href"]) for one in found] == [
        ("Pause and prices", "/en/articles/pause-prices/"),
        ("Pause your plan", "article:pause"),
    ]


def test_two_editors_do_not_overwrite_each_other_unawares(editor, staff, client):
    article = Article.objects.create(title="Pause", slug="pause", body="Text.", language="en")
    address = f"{LIST}{article.pk}/change/"
    seen = editor.get(address).context["adminform"].form["seen"].value()
    assert seen == str(article.history.get().history_id)
    other = User.objects.create_superuser("berta", "b@example.org", "a good passphrase")
    client.force_login(other)
    assert client.post(address, _form(body="Berta's.", seen=seen)).status_code == 302

    client.force_login(staff)
    refused = client.post(address, _form(body="Mine.", seen=seen))
    page = refused.content.decode()
    assert refused.status_code == 200
    assert "berta saved this article at" in page
    assert "Mine." in page
    article.refresh_from_db()
    assert article.body == "Berta's."

    newer = article.history.latest().history_id
    assert f'value="{newer}"' in page
    assert client.post(address, _form(body="Mine.", seen=newer)).status_code == 302
    article.refresh_from_db()
    assert article.body == "Mine."


def test_who_opens_what_another_has_just_saved_is_warned(client, staff):
    article = Article.objects.create(title="Pause", slug="pause", body="Text.", language="en")
    berta = User.objects.create_superuser("berta", "b@example.org", "a good passphrase")
    client.force_login(berta)
    assert client.post(f"{LIST}{article.pk}/change/", _form(body="New.")).status_code == 302
    assert "has just worked on" not in client.get(f"{LIST}{article.pk}/change/").content.decode()
    client.force_login(staff)
    assert (
        "Berta has just worked on this article" in client.get(f"{LIST}{article.pk}/change/").content.decode()
    )


def test_saving_without_a_change_is_no_new_revision(editor):
    article = Article.objects.create(title="Pause", slug="pause", body="One.\n\nTwo.", language="en")
    as_sent = article.body.replace("\n", "\r\n")
    assert editor.post(f"{LIST}{article.pk}/change/", _form(body=as_sent)).status_code == 302
    fresh = Article.objects.get()
    assert (fresh.body, fresh.revision) == (article.body, article.revision)


def test_only_editors_write(client, staff):
    staff.is_superuser = False
    staff.save()
    client.force_login(staff)
    assert client.post(f"{LIST}preview/", _form()).status_code == 403
    assert client.post(f"{LIST}pictures/").status_code == 403
    assert client.get(f"{LIST}links/").status_code == 403
