"""An import through the admin: upload, preview, confirm, report, undo."""

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from knowledge.importers import Problem, archives
from knowledge.importers.archives import HostileFile, unpacked
from knowledge.models import Article, Category, ImportRun, ImportUpload, Status

LIST = "/admin/knowledge/importrun/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


def _zip(files: Mapping[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PAGES: dict[str, bytes | str] = {
    "help/en/pause.md": (
        "---\ntitle: Pause\ntags: [plan]\n---\n![The button](img/b.png)\n\n!!! note\n    Up to 3 months.\n"
    ),
    "help/de/pause.md": "---\ntitle: Pausieren\n---\nBis zu 3 Monate. Siehe [Preise](preise.md).\n",
    "help/de/preise.md": "---\ntitle: Preise\n---\n10 Euro im Monat.\n",
    "help/en/img/b.png": _png(),
    "help/en/broken.md": "---\ntitle: [a, b]\n---\nText.\n",
    "help/script.exe": b"MZ",
    "__MACOSX/help/._pause.md": b"\x00\x05",
}


def _upload(client, content: bytes, name: str = "help.zip", **fields: str):
    file = SimpleUploadedFile(name, content)
    return client.post(f"{LIST}add/", {"file": file, **fields})


def _preview(client, content: bytes, **fields: str) -> ImportRun:
    response = _upload(client, content, **fields)
    assert response.status_code == 302, response.content.decode()
    return ImportRun.objects.latest("pk")


def _confirm(client, run: ImportRun) -> ImportRun:
    assert client.post(f"{LIST}{run.pk}/confirm/").status_code == 302
    run.refresh_from_db()
    return run


def test_a_zip_is_shown_first_and_written_when_it_is_confirmed(editor, staff):
    run = _preview(editor, _zip(PAGES), publish="on")
    assert (run.state, run.source, run.user) == ("previewed", "help", staff)
    assert not Article.objects.exists()
    page = editor.get(f"{LIST}{run.pk}/change/").content.decode()
    assert "Import 3 articles" in page
    assert "Pausieren" in page
    assert "title must be text, found: list" in page

    run = _confirm(editor, run)

    assert (run.state, run.report["created"], run.report["failed"]) == ("done", 3, 1)
    english = Article.objects.get(title="Pause")
    german = Article.objects.get(title="Pausieren")
    assert english.status == Status.PUBLISHED
    assert english.labels == ["plan"]
    assert english.translation_group == german.translation_group != ""
    assert "> [!NOTE]\n> Up to 3 months." in english.body
    assert not ImportUpload.objects.exists()
    address = english.body.partition("](")[2].partition(")")[0]
    picture = editor.get(address)
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")
    assert picture["Content-Security-Policy"] == "default-src 'none'"
    assert b"".join(picture.streaming_content) == _png()
    assert "Undo this import" in editor.get(f"{LIST}{run.pk}/change/").content.decode()


def test_confirming_twice_imports_once(editor):
    run = _confirm(editor, _preview(editor, _zip(PAGES)))
    editor.post(f"{LIST}{run.pk}/confirm/")
    assert ImportRun.objects.count() == 1
    assert Article.history.count() == 3


def test_an_undo_takes_back_everything_but_what_was_edited_since(editor):
    first = _confirm(editor, _preview(editor, _zip(PAGES)))
    changed = dict(PAGES) | {"help/de/preise.md": "---\ntitle: Preise\n---\n12 Euro im Monat.\n"}
    second = _confirm(editor, _preview(editor, _zip(changed)))
    assert (second.report["updated"], second.report["unchanged"]) == (1, 2)

    editor.post(f"{LIST}{second.pk}/undo/")
    prices = Article.objects.get(title="Preise")
    assert prices.body == "10 Euro im Monat."
    assert prices.history.latest().history_change_reason.startswith("undo of import")
    second.refresh_from_db()
    assert second.state == "undone"

    # The undo itself is an edit, so the first import does not own that article any more.
    editor.post(f"{LIST}{first.pk}/undo/")
    first.refresh_from_db()
    assert set(Article.objects.values_list("title", flat=True)) == {"Preise"}
    assert first.state == "partly_undone"
    page = editor.get(f"{LIST}{first.pk}/change/").content.decode()
    assert "it was edited since" in page


def test_an_undo_removes_the_categories_that_it_made_and_nobody_uses(editor):
    pages = {
        "help/Billing/a.md": "---\ntitle: A\nlanguage: en\n---\nText.\n",
        "help/b.md": "# B\n\nText here.\n",
    }
    run = _confirm(editor, _preview(editor, _zip(pages)))
    assert Category.objects.get().name == "Billing"
    editor.post(f"{LIST}{run.pk}/undo/")
    assert not Category.objects.exists()
    assert not Article.objects.exists()


def test_an_import_that_fails_half_way_leaves_nothing(editor, settings):
    pages: dict[str, bytes | str] = {
        f"h/{number:03}.md": f"# Page {number}\n\nText.\n" for number in range(250)
    }
    pages |= {"h/last.md": "# Last\n\n![Shown](x.png)\n", "h/x.png": _png()}
    run = _preview(editor, _zip(pages))
    settings.MEDIA_ROOT.write_text(
        "in the way of the folder"
    )  # noticed with the last page; others are committed
    run = _confirm(editor, run)
    assert run.state == "failed"
    assert "Error" in run.report["stopped"]
    assert run.changes.count() == 200
    assert not Article.objects.exists()
    assert Article.history.filter(history_type="-").count() == 200


def _link(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def _bomb() -> bytes:
    return _zip({"a.md": b"0" * (archives.MAX_UNPACKED_BYTES + 1)})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.zip", lambda: _zip({"../../etc/cron.d/x.md": "x"}), "a path that leads elsewhere"),
        ("a.zip", lambda: _zip({"/etc/x.md": "x"}), "a path that leads elsewhere"),
        ("a.zip", lambda: _zip({"c:\\x.md": "x"}), "a path that leads elsewhere"),
        ("a.zip", lambda: _link("a.md"), "a link or a device"),
        ("a.zip", _bomb, "Unpacked, the archive has more than 200 MB"),
        ("a.zip", lambda: _zip({f"{n}.md": "x" for n in range(5001)}), "5001 entries; at most 5000"),
        ("a.zip", lambda: _zip({"a.md": "x"})[:-30], "damaged"),
        ("a.md", lambda: b"x" * (20 * 1024 * 1024 + 1), "at most 20 MB"),
        ("a.md", lambda: "---\ntitle: T\n---\nText".encode("utf-16"), "UTF-16 text"),
        ("a.csv", lambda: b"title,text\n\xff,y\n", "not UTF-8"),
        ("a.bin", lambda: b"\x89nothing", "holds no articles"),
        ("a.zip", lambda: _zip({"a.exe": "x"}), "holds no articles"),
    ],
)
def test_a_hostile_or_useless_file_is_refused_with_its_reason(editor, name, content, reason):
    response = _upload(editor, content(), name)
    if response.status_code == 302:  # a file with nothing but bad entries has a preview that says so
        response = editor.get(response["Location"])
        assert "There is nothing to import" in response.content.decode()
    assert reason in response.content.decode()
    assert not Article.objects.exists()


def test_a_size_that_an_archive_lies_about_is_counted(monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1000)
    content = bytearray(_zip({"a.md": b"0" * 5000}))
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = (10).to_bytes(4, "little")  # the size that it states
    with pytest.raises(HostileFile), unpacked("a.zip", bytes(content)):
        pass


def test_entities_are_not_expanded_and_nothing_is_fetched(editor, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    html = f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{secret}"><!ENTITY b "{"b" * 50}">]><h1>T</h1><p>A &a; B &b;</p>'
    run = _confirm(editor, _preview(editor, html.encode(), name="page.html"))
    assert run.report["created"] == 1
    body = Article.objects.get().body
    assert "secret" not in body
    assert "bbbb" not in body


def test_a_picture_that_is_none_is_left_out(editor):
    pages: dict[str, bytes | str] = {
        "h/a.md": "# A\n\n![Shown](x.png) and ![Outside](../../x.png) text.\n",
        "h/x.png": b"<svg onload=alert(1)>",
    }
    run = _confirm(editor, _preview(editor, _zip(pages)))
    assert Article.objects.get().body.strip() == "*Shown* and *Outside* text."
    assert run.report["warned"] == 2


def test_a_folder_with_a_link_out_of_it_gives_nothing_away(tmp_path):
    from knowledge.importers import open_source

    secret = tmp_path / "secret.md"
    secret.write_text("# Secret\n\nText.")
    folder = tmp_path / "help"
    folder.mkdir()
    (folder / "page.md").symlink_to(secret)
    (item,) = open_source(folder).read()
    assert isinstance(item, Problem)
    assert "outside" in item.reason


def test_only_who_may_import_reaches_the_pages(client, customer, staff):
    client.force_login(customer)
    assert client.get(f"{LIST}add/").status_code == 302
    staff.is_superuser = False
    staff.save()
    client.force_login(staff)
    for page in ("add/", "1/confirm/", "1/undo/", "export/"):
        assert client.post(f"{LIST}{page}").status_code in (403, 404)


def test_the_command_can_be_undone(tmp_path: Path):
    from django.core.management import call_command

    (tmp_path / "a.md").write_text("# A\n\nText of a.")
    call_command("import_articles", str(tmp_path), "--no-index", stdout=io.StringIO())
    run = ImportRun.objects.get()
    assert run.report["created"] == 1
    out = io.StringIO()
    call_command("undo_import", stdout=out)
    assert str(run.pk) in out.getvalue()
    call_command("undo_import", str(run.pk), stdout=out)
    assert "1 deleted, 0 restored, 0 left" in out.getvalue()
    assert not Article.objects.exists()
