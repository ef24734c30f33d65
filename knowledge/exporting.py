"""All articles as Markdown with front matter, in a folder or a zip.

Promise: `import_articles` reads it back to the same content, byte for byte: title, text, language, category,
labels, status, audience, translations, address, and where it once came from. Into the same database that changes
nothing; into an empty one it makes the same articles. The pictures of this site come along.

Does not hold: earlier revisions, authors and dates, questions and tickets. `manage.py backup` has those.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from knowledge.importers.markdown import EXPORT_KEY, EXPORT_VERSION, EXPORTED_PICTURE
from knowledge.models import Article, Category, Status

_AT_ONCE = 200  # articles in memory


@dataclass(frozen=True)
class ExportedFile:
    path: str  # with forward slashes
    content: bytes
    is_article: bool


class UnusableTarget(Exception):
    """The folder cannot take the export. Permanent: another one is needed."""


def exported_files(chosen: QuerySet[Article] | None = None) -> Iterator[ExportedFile]:
    """Every article, or the chosen ones, by language and address, then every picture that one of them shows."""
    places = _Places()
    pictures: set[str] = set()
    articles = (Article.objects.all() if chosen is None else chosen).order_by("language", "slug")
    for article in articles.iterator(chunk_size=_AT_ONCE):
        pictures.update(EXPORTED_PICTURE.findall(article.body))
        folder = "/".join([article.language, *places.slugs(article.category_id)])
        yield ExportedFile(f"{folder}/{article.slug}.md", as_markdown(article, places), is_article=True)
    for name in sorted(pictures):
        file = Path(settings.MEDIA_ROOT) / name
        if file.is_file():
            yield ExportedFile(f"media/{name}", file.read_bytes(), is_article=False)


def as_markdown(article: Article, places: "_Places") -> bytes:
    fields = {
        EXPORT_KEY: int(EXPORT_VERSION),
        "title": article.title,
        "slug": article.slug,
        "language": article.language,
        "category": places.names(article.category_id),
        "category_slugs": places.slugs(article.category_id),
        "labels": article.labels,
        "status": _status(article),
        "audience": article.audience,
        "translation_group": article.translation_group,
        "source": article.source,
        "id": article.external_id,
        "source_url": article.source_url,
        "to_go_over": "yes" if article.to_go_over else "",
    }
    kept = {key: value for key, value in fields.items() if value not in ("", [])}
    head = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=float("inf"))
    return f"---\n{head}---\n{article.body}".encode()


def _status(article: Article) -> str:
    """Dates stay behind: what waits for one, or had its last, is not to be online at once where it comes in."""
    if article.is_scheduled():
        return Status.IN_REVIEW.value
    return Status.ARCHIVED.value if article.is_over() else article.status


def export_to_folder(target: Path) -> int:
    """Returns the number of articles. Raises `UnusableTarget`."""
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UnusableTarget(_("%(path)s is not an empty folder.") % {"path": target})
        count = 0
        for file in exported_files():
            place = target / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.content)
            count += file.is_article
    except OSError as error:
        reason = _("%(path)s cannot be written: %(why)s.")
        raise UnusableTarget(reason % {"path": target, "why": error.strerror or error}) from error
    target.mkdir(parents=True, exist_ok=True)
    return count


def write_zip(target: IO[bytes], chosen: QuerySet[Article] | None = None) -> int:
    """Returns the number of articles."""
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in exported_files(chosen):
            archive.writestr(file.path, file.content)
            count += file.is_article
    return count


class _Places:
    """Where each category is in the tree; read once."""

    def __init__(self) -> None:
        self._known = {category.pk: category for category in Category.objects.all()}

    def names(self, category_id: int | None) -> list[str]:
        return [category.name for category in self._path(category_id)]

    def slugs(self, category_id: int | None) -> list[str]:
        return [category.slug for category in self._path(category_id)]

    def _path(self, category_id: int | None) -> list[Category]:
        path: list[Category] = []
        while category_id is not None:
            category = self._known.get(category_id)
            if category is None or category in path:
                break
            path.insert(0, category)
            category_id = category.parent_id
        return path
