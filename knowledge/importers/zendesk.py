"""Zendesk Help Center API JSON: pages of articles, sections and categories, in files or a folder of them.

Promise: the HTML bodies come in as Markdown, sections below their category, the locale as our language. What
Zendesk shows to some people only comes in for staff only, because a restriction that we cannot express must
never become public; `user_segments.json` beside the articles tells the signed-in ones apart. A page that is
missing from the export is said.

Memory stays at one page: the files are read twice, first for the names and then for the articles.

Refuses to decide: where links to other articles lead; they stay, and `knowledge.links` resolves them. Votes
and authors have no place here and are left behind.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from knowledge.importers.entries import BadEntry, Entry, Place, Problem, known_language, read_entry
from knowledge.importers.html_text import UnreadableHtml, html_to_markdown
from knowledge.importers.jsonl import not_utf8
from knowledge.models import Audience

_DEEPEST = 10  # nested sections; Zendesk itself allows five


@dataclass(frozen=True)
class _Page:
    file: str
    text: str  # as it stands in the file, to find lines in
    data: Any


@dataclass
class Export:
    """What has to be known before the first article is read."""

    path: Path
    articles: int = 0
    host: str = ""  # of the help center, e.g. example.zendesk.com
    # (id, locale) -> section or category; locale "" for whichever came first
    sections: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    categories: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    signed_in_segments: set[str] = field(default_factory=set)
    warnings: list[Problem] = field(default_factory=list)


def files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.json")) if path.is_dir() else [path]


def is_zendesk(path: Path) -> bool:
    """Whether a file, or any file of a folder, holds articles in the shape of Zendesk's API."""
    return any(isinstance(page, _Page) and _articles(page.data) for page in _pages(files(path), path))


def survey(path: Path) -> Export:
    export = Export(path)
    expected: dict[str, int] = {}  # folder -> the count that Zendesk states
    found: Counter[str] = Counter()
    for page in _pages(_with_neighbours(path), path):
        if isinstance(page, Problem):
            continue  # reported when the articles are read
        _remember(export.sections, _listed(page.data, "sections"))
        _remember(export.categories, _listed(page.data, "categories"))
        for segment in _listed(page.data, "user_segments"):
            if segment.get("user_type") == "signed_in_users" and not _narrowed(segment):
                export.signed_in_segments.add(str(segment.get("id")))
        articles = _articles(page.data)
        export.articles += len(articles)
        export.host = export.host or next((host for host in map(_host, articles) if host), "")
        if articles:
            folder = str(Path(page.file).parent)
            found[folder] += len(articles)
            if isinstance(page.data, dict) and isinstance(page.data.get("count"), int):
                expected[folder] = max(expected.get(folder, 0), page.data["count"])
    for folder, count in expected.items():
        if found[folder] < count:
            reason = _("the export speaks of %(count)d articles, %(found)d are here. Are pages missing?")
            place = Place(folder if folder != "." else path.name, 1)
            counts = {"count": count, "found": found[folder]}
            export.warnings.append(Problem(place, "", reason % counts, is_warning=True))
    return export


def read(export: Export) -> Iterator[Entry | Problem]:
    for page in _pages(files(export.path), export.path):
        if isinstance(page, Problem):
            yield page
            continue
        position = 0
        for article in _articles(page.data):
            position = _find(page.text, article.get("id"), position)
            place = Place(page.file, page.text.count("\n", 0, position) + 1)
            yield _read_article(article, place, export)
    yield from export.warnings


def _read_article(article: Mapping[str, Any], place: Place, export: Export) -> Entry | Problem:
    number = str(article.get("id") or "")
    try:
        language = known_language(str(article.get("locale") or ""))
        body = article.get("body")
        raw: dict[str, object] = {
            # One Zendesk article has one id in all its languages.
            "id": f"{number}:{language}" if number and language else number,
            "title": _name(article.get("title") or article.get("name")),
            "body": html_to_markdown(body) if isinstance(body, str) else body,
            "language": language,
            "category": _category_path(article, export),
            "translation_key": f"zendesk-{number}" if number else "",
            "audience": _audience(article, export),
            "draft": article.get("draft"),
            "labels": article.get("label_names"),
            "url": article.get("html_url"),
        }
        return read_entry(raw, place=place)
    except BadEntry as error:
        return Problem(place, number, error.reason)
    except UnreadableHtml as error:
        return Problem(place, number, str(error))


def _name(value: object) -> str | None:
    """Titles and names are text, but editors leave entities such as &shy; or &amp; in them."""
    return html.unescape(value).replace("\xad", "") if isinstance(value, str) else None


def _audience(article: Mapping[str, Any], export: Export) -> str:
    segments = article.get("user_segment_ids") or [article.get("user_segment_id")]
    named = {str(segment) for segment in segments if segment is not None}
    if not named:
        return Audience.PUBLIC
    return Audience.SIGNED_IN if named <= export.signed_in_segments else Audience.INTERNAL


def _narrowed(segment: Mapping[str, Any]) -> bool:
    return any(
        segment.get(key) for key in ("tags", "or_tags", "group_ids", "organization_ids", "added_user_ids")
    )


def _category_path(article: Mapping[str, Any], export: Export) -> list[str]:
    locale = str(article.get("locale") or "").lower()
    names: list[str] = []
    section = _known(export.sections, article.get("section_id"), locale)
    category_id = article.get("category_id")
    while section is not None and len(names) < _DEEPEST:
        names.insert(0, _name(section.get("name")) or "")
        category_id = section.get("category_id") or category_id
        section = _known(export.sections, section.get("parent_section_id"), locale)
    category = _known(export.categories, category_id, locale)
    if category is not None:
        names.insert(0, _name(category.get("name")) or "")
    return [name for name in names if name.strip()]


def _known(
    places: Mapping[tuple[str, str], Mapping[str, Any]], number: object, locale: str
) -> Mapping[str, Any] | None:
    if number is None:
        return None
    return places.get((str(number), locale)) or places.get((str(number), ""))


def _remember(places: dict[tuple[str, str], Mapping[str, Any]], listed: list[Mapping[str, Any]]) -> None:
    for item in listed:
        number = str(item.get("id"))
        places[number, str(item.get("locale") or "").lower()] = item
        places.setdefault((number, ""), item)


def _articles(data: Any) -> list[Mapping[str, Any]]:
    """Of a page: a bare list, `{"article": {…}}`, or a list under a key that ends in "articles"."""
    if isinstance(data, list):
        candidates = data
    elif isinstance(data, dict):
        named = [value for key, value in data.items() if key.endswith("articles") and isinstance(value, list)]
        candidates = [*(item for value in named for item in value), data.get("article")]
    else:
        candidates = []
    return [item for item in candidates if _is_article(item)]


def _is_article(item: Any) -> bool:
    # Other systems' articles have a title and a body as well; these two keys are Zendesk's own.
    return isinstance(item, dict) and "body" in item and ("section_id" in item or "locale" in item)


def _listed(data: Any, key: str) -> list[Mapping[str, Any]]:
    value = data.get(key) if isinstance(data, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _host(article: Mapping[str, Any]) -> str:
    address = article.get("html_url") or article.get("url")
    try:
        return urlsplit(address).hostname or "" if isinstance(address, str) else ""
    except ValueError:
        return ""


def _with_neighbours(path: Path) -> list[Path]:
    """For one file of articles, the sections and categories that were saved beside it as well."""
    if path.is_dir():
        return files(path)
    kinds = ("sections", "categories", "user_segments")
    return [
        path,
        *(file for kind in kinds for file in sorted(path.parent.glob(f"{kind}*.json")) if file != path),
    ]


def _pages(paths: list[Path], root: Path) -> Iterator[_Page | Problem]:
    for path in paths:
        file = path.relative_to(root).as_posix() if root.is_dir() else path.name
        try:
            raw = path.read_bytes()
            text = raw.decode("utf-8-sig")
            yield _Page(file, text, json.loads(text))
        except OSError as error:
            reason = _("cannot be read: %(why)s.") % {"why": error.strerror or str(error)}
            yield Problem(Place(file, 1), "", reason)
        except UnicodeDecodeError as error:
            yield Problem(Place(file, raw.count(b"\n", 0, error.start) + 1), "", not_utf8(error))
        except json.JSONDecodeError as error:
            reason = _("not valid JSON at character %(column)d: %(what)s.")
            found = {"column": error.colno, "what": error.msg}
            yield Problem(Place(file, error.lineno), "", reason % found)
        except (RecursionError, ValueError):
            yield Problem(Place(file, 1), "", _("not a JSON object that can be read."))


def _find(text: str, number: object, start: int) -> int:
    """Where an article stands in its file, for messages; `start` where it cannot be found."""
    found = re.compile(rf'"id"\s*:\s*"?{re.escape(str(number))}\b').search(text, start)
    return found.start() if found else start
