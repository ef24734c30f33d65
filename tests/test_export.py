"""What is exported comes back byte for byte."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from knowledge.exporting import export_to_folder
from knowledge.importers import Problem, apply_entries, open_source
from knowledge.media import read_picture, store_picture
from knowledge.models import Article, Category, Status

pytestmark = pytest.mark.django_db
FIELDS = (
    "title", "slug", "body", "language", "translation_group", "category__name", "category__slug",
    "category__parent__name", "labels", "status", "audience", "source", "external_id", "source_url",
)  # fmt: skip
DEMO = Path(__file__).parent.parent / "knowledge" / "demo"


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def _state() -> list[tuple[object, ...]]:
    return list(Article.objects.order_by("language", "slug").values_list(*FIELDS))


def _forget() -> None:
    Article.objects.all().delete()
    while Category.objects.exists():
        Category.objects.filter(children=None).delete()


def _import(path: Path):
    return apply_entries(open_source(path).read(), source="whatever", publish=True)


def _round_trip(tmp_path: Path) -> None:
    before = _state()
    count = export_to_folder(tmp_path / "one")
    assert count == len(before)
    again = _import(tmp_path / "one")
    assert (again.created, again.updated, again.failed, again.unchanged) == (0, 0, 0, count)
    _forget()
    report = _import(tmp_path / "one")
    assert (report.created, report.failed) == (count, 0), report.errors[:3]
    assert _state() == before
    export_to_folder(tmp_path / "two")
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_awkward_texts_come_back_as_they_were(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    address = store_picture(read_picture(buffer.getvalue()))
    parent = Category.objects.create(name="Konto: „A“ > B", slug="konto", language="de")
    category = Category.objects.create(name="# Preise", slug="preise", language="de", parent=parent)
    bodies = [
        "\r\n  Windows\r\nlines \r\n\r\n",
        "---\nnot: front matter\n---\nText\n---\nMore",
        '# Same title\n\n## Head {#anchor}\n\n[x](#anchor) {:target="_blank"}',
        '!!! note\n    kept\n\n:::tip\nkept\n:::\n\n{% kept %}\n\nimport kept from "kept"',
        f"![a picture]({address})",
        "trailing blanks   \n\n\n",
        "tabs\tand \u2028 separators, \u00a0 and emoji 🚲, \ue000 private",
    ]
    for number, body in enumerate(bodies):
        Article.objects.create(
            title=["Same title", "No", "1", "a: b #c", "  two  blanks", "„Q“ 'q' \"q\"", "null"][number],
            slug=f"a-{number}",
            body=body,
            language="de",
            category=category if number % 2 else None,
            labels=["1", "true", "a: b"][:number],
            status=[Status.PUBLISHED, Status.DRAFT, Status.ARCHIVED, Status.IN_REVIEW][number % 4],
            audience=["public", "internal", "signed_in"][number % 3],
            source="zd" if number == 2 else "",
            external_id="7:de" if number == 2 else "",
            translation_group="k" if number == 3 else "",
        )
    _round_trip(tmp_path)
    assert _files(tmp_path / "one").keys() >= {address.removeprefix("/")}


def test_the_demo_help_center_comes_back(tmp_path):
    _import(DEMO)
    assert Article.objects.count() == 92
    _round_trip(tmp_path)


def test_a_complete_help_center_comes_back(shared_data, tmp_path):
    _import(shared_data / "import_samples" / "markdown_arduino")
    assert Article.objects.count() == 414
    _round_trip(tmp_path)


def test_an_import_of_an_export_publishes_nothing_by_itself(tmp_path):
    Article.objects.create(title="T", slug="t", body="Text.", language="en", status=Status.PUBLISHED)
    export_to_folder(tmp_path / "one")
    _forget()
    apply_entries(open_source(tmp_path / "one").read(), source="x")
    assert Article.objects.get().status == Status.DRAFT


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="not an empty folder"):
        call_command("export_articles", str(tmp_path))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_admin_gives_a_zip_of_everything(client, staff):
    Article.objects.create(title="Ä", slug="ae", body="Text.", language="de", status=Status.DRAFT)
    client.force_login(staff)
    response = client.post("/admin/knowledge/importrun/export/")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    assert archive.namelist() == ["de/ae.md"]
    assert archive.read("de/ae.md").endswith(b"\n---\nText.")
    assert client.get("/admin/knowledge/importrun/export/").status_code == 403


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("helpcenter: 2\ntitle: T\nslug: t\nlanguage: en\nstatus: draft", "only 1 is known"),
        ("helpcenter: 1\ntitle: T\nslug: t\nlanguage: fr\nstatus: draft", "“fr” is unknown"),
        ("helpcenter: 1\ntitle: T\nslug: t\nlanguage: en\nstatus: gone", "“gone” is unknown"),
        ("helpcenter: 1\nslug: t\nlanguage: en\nstatus: draft", "title is missing"),
        ("helpcenter: 1\ntitle: T\nlanguage: en\nstatus: draft", "slug is missing"),
    ],
)
def test_a_damaged_export_says_where(tmp_path, head, reason):
    (tmp_path / "t.md").write_text(f"---\n{head}\n---\nText.")
    (problem,) = open_source(tmp_path).read()
    assert isinstance(problem, Problem)
    assert reason in problem.reason
