"""Articles as records under names of their own: CSV exports, one JSON file an article, lists of JSON objects.

Promise: the usual names of columns and keys are understood, whatever their case; HTML becomes Markdown where a
column holds it, and is taken before a plain-text twin, which has lost its links. A record that cannot be read is
a `Problem` with file and line, and the others come in.

Refuses to decide: what a good article is (`entries`).
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from knowledge.importers.entries import BadEntry, Entry, Place, Problem, known_language, read_entry
from knowledge.importers.html_text import UnreadableHtml, html_to_markdown
from knowledge.importers.jsonl import not_utf8

_MAX_FIELD: Final = 4_000_000  # characters
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "id": ("id", "article_id", "external_id", "slug", "key"),
    "title": ("title", "name", "headline", "question", "subject"),
    "html": ("html", "body_html", "content_html", "html_body", "answer_html", "raw_html"),
    "body": ("body", "content", "markdown", "text", "article", "answer", "description"),
    "language": ("language", "locale", "lang"),
    "category": ("category", "section", "category_name", "section_name", "folder", "collection"),
    "products": ("products", "product", "products_str"),
    "labels": ("labels", "tags", "label_names", "keywords", "topics", "topics_str"),
    "url": ("url", "html_url", "link", "address", "permalink"),
    "audience": ("audience", "visibility"),
    "draft": ("draft", "is_draft"),
    "state": ("state", "status"),
    "translation_key": ("translation_key",),
}
_HTML = re.compile(r"</?(?:p|div|br|ul|ol|li|h[1-6]|table|strong|em|a|span)\b[^<>]*>", re.I)
_OFFLINE: Final = frozenset(["draft", "unpublished", "archived", "hidden", "in review"])


def has_article(names: Mapping[str, Any] | list[str]) -> bool:
    """Whether these columns or keys hold a title and a text under names that we know."""
    known = {name.strip().lower() for name in names if isinstance(name, str)}
    return bool(known & set(_NAMES["title"])) and bool(known & {*_NAMES["html"], *_NAMES["body"]})


# --- CSV ---------------------------------------------------------------------------------------------


def csv_columns(path: Path) -> list[str]:
    """Of the first line; empty where it is no table."""
    try:
        with path.open("rb") as file:
            start = file.read(64 * 1024).decode("utf-8-sig", errors="replace")
        return next(csv.reader(io.StringIO(start, newline=""), delimiter=_delimiter(start)), [])
    except csv.Error:
        return []


def count_csv(path: Path) -> int:
    """How many rows to expect, for a progress bar; broken rows end the count, and are told when they are read."""
    csv.field_size_limit(_MAX_FIELD)
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    return max(sum(1 for row in rows if any(row)) - 1, 0)


def read_csv(path: Path) -> Iterator[Entry | Problem]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Problem(Place(path.name, raw.count(b"\n", 0, error.start) + 1), "", not_utf8(error))
        return
    csv.field_size_limit(_MAX_FIELD)
    rows = csv.reader(
        io.StringIO(text.replace("\x00", ""), newline=""), delimiter=_delimiter(text), strict=True
    )
    try:
        names = next(rows, [])
        while True:
            line = rows.line_num + 1
            cells = next(rows, None)
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield _read_row(names, cells, Place(path.name, line))
    except csv.Error as error:
        yield Problem(
            Place(path.name, rows.line_num), "", _("not CSV from here on: %(why)s.") % {"why": error}
        )


def _read_row(names: list[str], cells: list[str], place: Place) -> Entry | Problem:
    if len(cells) > len(names):
        reason = _("%(found)d cells in a table of %(allowed)d columns.")
        return Problem(place, "", reason % {"found": len(cells), "allowed": len(names)})
    return read_record({name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}, place)


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


# --- JSON --------------------------------------------------------------------------------------------


def json_records(data: Any) -> list[Mapping[str, Any]]:
    """The articles of a JSON value: an object that is one, a list of them, or a list below one of its keys."""
    if isinstance(data, dict) and has_article(list(data)):
        return [data]
    lists = [data] if isinstance(data, list) else list(data.values()) if isinstance(data, dict) else []
    for candidate in lists:
        if isinstance(candidate, list):
            found: list[Mapping[str, Any]] = [
                item for item in candidate if isinstance(item, dict) and has_article(list(item))
            ]
            if found:
                return found
    return []


def read_json(paths: list[Path], root: Path) -> Iterator[Entry | Problem]:
    for path in paths:
        file = path.relative_to(root).as_posix() if root.is_dir() else path.name
        data = load_json(path, file)
        if isinstance(data, Problem):
            yield data
            continue
        records = json_records(data)
        if not records:
            yield Problem(Place(file, 1), "", _("holds no title and text under names that are known."), True)
        for record in records:
            yield read_record(record, Place(file, 1), name=path.stem if len(records) == 1 else "")


def load_json(path: Path, file: str) -> Any:
    """Its value, or the `Problem` with it."""
    try:
        raw = path.read_bytes()
        return json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        return Problem(Place(file, 1), "", _("cannot be read: %(why)s.") % {"why": error.strerror or error})
    except UnicodeDecodeError as error:
        return Problem(Place(file, raw.count(b"\n", 0, error.start) + 1), "", not_utf8(error))
    except json.JSONDecodeError as error:
        reason = _("not valid JSON at character %(column)d: %(what)s.")
        return Problem(Place(file, error.lineno), "", reason % {"column": error.colno, "what": error.msg})
    except (RecursionError, ValueError):
        return Problem(Place(file, 1), "", _("not a JSON object that can be read."))


# --- both --------------------------------------------------------------------------------------------


def read_record(record: Mapping[str, Any], place: Place, *, name: str = "") -> Entry | Problem:
    """`name` is what the record's file is called, for one that has no id."""
    lower = {str(key).strip().lower(): value for key, value in record.items()}
    if isinstance(lower.get("content"), dict):  # the texts in an object of their own
        inner = {str(key).strip().lower(): value for key, value in lower.pop("content").items()}
        lower = {**inner, **lower}
    given = {
        field: next((lower[key] for key in keys if lower.get(key) not in (None, "", [])), None)
        for field, keys in _NAMES.items()
    }
    html = given["html"]
    body = given["body"]
    if html is None and isinstance(body, str) and len(_HTML.findall(body[:5000])) >= 2:
        html = body
    raw: dict[str, object] = {
        "id": given["id"] or name,
        "title": given["title"],
        "language": given["language"],
        "category": _category(given["category"], given["products"]),
        "labels": _words(given["labels"]),
        "url": given["url"],
        "audience": given["audience"],
        "translation_key": given["translation_key"],
        "draft": given["draft"] if given["draft"] is not None else _is_offline(given["state"]),
    }
    known_id = str(raw["id"])[:100] if isinstance(raw["id"], (str, int)) else ""
    try:
        known_language(str(given["language"] or ""))
        raw["body"] = html_to_markdown(html) if isinstance(html, str) else body
        return read_entry(raw, place=place)
    except BadEntry as error:
        return Problem(place, known_id, error.reason)
    except UnreadableHtml as error:
        return Problem(place, known_id, str(error))


def _category(category: object, products: object) -> object:
    if category:
        return category
    words = _words(products)
    return [words[0]] if words else None


def _words(value: object) -> list[str] | None:
    if isinstance(value, str):
        value = re.split(r"[,;|]", value)
    if not isinstance(value, list):
        return None
    return [str(word).strip() for word in value if isinstance(word, (str, int)) and str(word).strip()]


def _is_offline(state: object) -> bool:
    return isinstance(state, str) and state.strip().lower() in _OFFLINE


def host_of(address: object) -> str:
    try:
        return urlsplit(address).hostname or "" if isinstance(address, str) else ""
    except ValueError:
        return ""
