"""What lies at a path: which format, under which name, and how to read it.

Promise: the format is told from the content; a file's name only breaks a tie. The name of a source depends on
the names of file and folder, or on the help center's host, and never on where they lie or from where the
command runs, so that a second import finds the articles of the first. A path without articles is one clear
sentence.

Refuses to decide: anything about a single article.
"""

import codecs
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from django.utils.translation import gettext as _

from knowledge.importers import intercom, jsonl, markdown, records, zendesk
from knowledge.importers.entries import Entry, Problem
from knowledge.models import Article, Language

# Names that many exports share; the folder's name tells them apart.
_COMMON_NAMES: Final = frozenset(
    [
        "article",
        "articles",
        "content",
        "data",
        "docs",
        "export",
        "faq",
        "faqs",
        "help",
        "import",
        "index",
        "kb",
    ]
).union(Language.values)
_JSONL_IN_FOLDER: Final = "articles.jsonl"
_PEEK_BYTES: Final = 64 * 1024


class ImportFormat(StrEnum):
    JSONL = "jsonl"
    MARKDOWN = "markdown"  # and MDX and HTML: a folder of pages
    ZENDESK = "zendesk"
    INTERCOM = "intercom"
    CSV = "csv"
    JSON = "json"


class UnusablePath(Exception):
    """Nothing at this path can be imported. Permanent: another path or another format is needed."""


@dataclass(frozen=True)
class Source:
    format: ImportFormat
    name: str
    total: int  # entries to expect; an estimate for progress bars
    read: Callable[[], Iterator[Entry | Problem]]


def open_source(path: Path, *, format: ImportFormat | None = None, name: str | None = None) -> Source:
    """`name` is for a path whose own says nothing, such as that of an upload. Raises `UnusablePath`."""
    try:
        if not path.exists():
            raise UnusablePath(_("%(path)s does not exist. %(accepted)s") % _named(path))
        return _open(path, format or _detect(path), name)
    except OSError as error:
        reason = _("%(path)s cannot be read: %(why)s.")
        raise UnusablePath(reason % {"path": path, "why": error.strerror or error}) from error


def _open(path: Path, format: ImportFormat, given: str | None) -> Source:
    match format:
        case ImportFormat.JSONL:
            file = path / _JSONL_IN_FOLDER if path.is_dir() else path
            if not file.is_file():
                raise UnusablePath(_("%(path)s holds no articles.jsonl. %(accepted)s") % _named(path))
            _refuse_utf16(file)
            source = Source(format, _short(given or _name(file)), jsonl.count(file), lambda: jsonl.read(file))
        case ImportFormat.MARKDOWN:
            files = markdown.files(path)
            source = Source(format, _short(given or _name(path)), len(files), lambda: markdown.read(path))
        case ImportFormat.ZENDESK:
            export = zendesk.survey(path)
            name = export.host or given or _name(path)
            source = Source(format, _short(name), export.articles, lambda: zendesk.read(export))
        case ImportFormat.INTERCOM:
            pages = intercom.survey(path, _json_files(path))
            name = pages.host or given or _name(path)
            source = Source(format, _short(name), pages.articles, lambda: intercom.read(pages))
        case ImportFormat.CSV:
            table = _only_csv(path)
            total = records.count_csv(table) if records.has_article(records.csv_columns(table)) else 0
            source = Source(format, _short(given or _name(table)), total, lambda: records.read_csv(table))
        case ImportFormat.JSON:
            listed = _json_files(path)
            source = Source(
                format, _short(given or _name(path)), len(listed), lambda: records.read_json(listed, path)
            )
    if not source.total:
        raise UnusablePath(_("%(path)s holds no articles. %(accepted)s") % _named(path))
    return source


def _detect(path: Path) -> ImportFormat:
    found = _detect_folder(path) if path.is_dir() else _detect_file(path)
    if found is None:
        raise UnusablePath(_("%(path)s holds no articles. %(accepted)s") % _named(path))
    return found


def _detect_folder(path: Path) -> ImportFormat | None:
    found: list[ImportFormat] = []
    if any(markdown.may_be_article(file) for file in markdown.files(path)):
        found.append(ImportFormat.MARKDOWN)
    if zendesk.is_zendesk(path):
        found.append(ImportFormat.ZENDESK)
    elif (kind := _kind_of_json(_json_files(path))) is not None:
        found.append(kind)
    if (path / _JSONL_IN_FOLDER).is_file():
        found.append(ImportFormat.JSONL)
    if any(records.has_article(records.csv_columns(file)) for file in path.glob("*.csv")):
        found.append(ImportFormat.CSV)
    if len(found) > 1:
        reason = _("%(path)s holds articles in several formats (%(found)s). Choose one with --format.")
        raise UnusablePath(reason % {"path": path, "found": ", ".join(found)})
    return found[0] if found else None


def _detect_file(path: Path) -> ImportFormat | None:
    _refuse_utf16(path)
    with path.open("rb") as file:
        start = file.read(_PEEK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    if start[:1] in (b"{", b"["):
        if _is_json_lines(path):
            return ImportFormat.JSONL
        if zendesk.is_zendesk(path):
            return ImportFormat.ZENDESK
        if (kind := _kind_of_json([path])) is not None:
            return kind
    if start and path.suffix.lower() == ".csv" and records.has_article(records.csv_columns(path)):
        return ImportFormat.CSV
    if start and path.suffix.lower() in (".jsonl", ".ndjson"):
        return ImportFormat.JSONL
    if start and (start.startswith(b"---") or path.suffix.lower() in markdown.SUFFIXES):
        return ImportFormat.MARKDOWN
    return None


def _json_files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.json")) if path.is_dir() else [path]


def _kind_of_json(files: list[Path]) -> ImportFormat | None:
    for file in files:
        data = records.load_json(file, file.name)
        if isinstance(data, Problem):
            continue
        if intercom.is_intercom(data):
            return ImportFormat.INTERCOM
        if records.json_records(data):
            return ImportFormat.JSON
    return None


def _only_csv(path: Path) -> Path:
    if not path.is_dir():
        return path
    tables = [file for file in sorted(path.glob("*.csv")) if records.has_article(records.csv_columns(file))]
    if len(tables) != 1:
        reason = _("%(path)s holds %(count)d CSV files with articles. Choose one of them.")
        raise UnusablePath(reason % {"path": path, "count": len(tables)})
    return tables[0]


def _is_json_lines(path: Path) -> bool:
    """One whole JSON object in the first line, and one that is an article itself, not a page of them."""
    with path.open("rb") as lines:
        first = next((line for line in lines if line.strip(codecs.BOM_UTF8 + b" \t\r\n")), b"")
    try:
        value = json.loads(first.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("title"), str) and "locale" not in value


def _refuse_utf16(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise UnusablePath(_("%(path)s is UTF-16 text. Save it as UTF-8.") % {"path": path})


def _name(path: Path) -> str:
    resolved = path.resolve()
    name = resolved.name if resolved.is_dir() else resolved.stem
    if name.lower() in _COMMON_NAMES and resolved.parent.name:
        name = f"{resolved.parent.name}/{name}"
    return _short(name)


def _short(name: str) -> str:
    limit = Article._meta.get_field("source").max_length
    return name[:limit]


def _named(path: Path) -> dict[str, object]:
    accepted = _(
        "Accepted: a JSON Lines file with id, title and body, a folder of Markdown, MDX or HTML files, Zendesk or "
        "Intercom JSON (a file or a folder), JSON files with title and text, or a CSV file with such columns."
    )
    return {"path": path, "accepted": accepted}
