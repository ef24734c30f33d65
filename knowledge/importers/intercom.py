"""Intercom's articles API: pages of articles with their translations, and where they are there, collections.

Promise: every language that we have comes in as an article of its own, linked to the others; collections become
categories. What Intercom calls a draft stays one. Languages that we do not have are counted and said.
"""

import html
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from knowledge.importers.entries import BadEntry, Entry, Place, Problem, read_entry
from knowledge.importers.html_text import UnreadableHtml, html_to_markdown
from knowledge.importers.records import host_of, load_json
from knowledge.models import Language

_DEEPEST = 10  # nested collections


@dataclass
class Export:
    path: Path
    pages: list[tuple[str, Any]] = field(default_factory=list)  # file, value or Problem
    articles: int = 0  # of all languages
    host: str = ""
    collections: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def is_intercom(data: Any) -> bool:
    return any(True for _article in _articles(data))


def survey(path: Path, files: list[Path]) -> Export:
    export = Export(path)
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        data = load_json(file, name)
        export.pages.append((name, data))
        for item in _listed(data):
            if item.get("type") in ("collection", "section") and item.get("id") is not None:
                export.collections[str(item["id"])] = item
        for article in _articles(data):
            export.articles += len(_contents(article))
            export.host = export.host or host_of(article.get("url"))
    return export


def read(export: Export) -> Iterator[Entry | Problem]:
    others: Counter[str] = Counter()
    homeless = 0
    for file, data in export.pages:
        if isinstance(data, Problem):
            yield data
            continue
        expected = data.get("total_count") if isinstance(data, dict) else None
        found = sum(1 for _article in _articles(data))
        if isinstance(expected, int) and found < expected and len(export.pages) == 1:
            reason = _("the export speaks of %(count)d articles, %(found)d are here. Are pages missing?")
            yield Problem(Place(file, 1), "", reason % {"count": expected, "found": found}, is_warning=True)
        for article in _articles(data):
            category = _category(article, export)
            homeless += not category and article.get("parent_id") is not None
            for locale, content in _contents(article).items():
                language = locale.lower().replace("_", "-").split("-")[0]
                if language not in Language.values:
                    others[locale] += 1
                else:
                    yield _read(article, content, language, category, Place(file, 1))
    place = Place(export.path.name, 1)
    if others:
        named = ", ".join(f"{locale}: {count}" for locale, count in sorted(others.items()))
        reason = _("articles in languages that this help center does not have were left out (%(found)s).")
        yield Problem(place, "", reason % {"found": named}, is_warning=True)
    if homeless:
        reason = _("%(count)d articles name a collection that is not in the export; they have no category.")
        yield Problem(place, "", reason % {"count": homeless}, is_warning=True)


def _read(
    article: Mapping[str, Any], content: Mapping[str, Any], language: str, category: list[str], place: Place
) -> Entry | Problem:
    number = str(article.get("id") or "")
    title = content.get("title")
    body = content.get("body")
    raw: dict[str, object] = {
        "id": f"{number}:{language}" if number else None,
        "title": html.unescape(title) if isinstance(title, str) else title,
        "language": language,
        "category": category,
        "translation_key": f"intercom-{number}" if number else "",
        "draft": (content.get("state") or article.get("state")) == "draft",
        "labels": _tags(article),
        "url": content.get("url") or article.get("url"),
    }
    try:
        raw["body"] = html_to_markdown(body) if isinstance(body, str) else body
        return read_entry(raw, place=place)
    except BadEntry as error:
        return Problem(place, number, error.reason)
    except UnreadableHtml as error:
        return Problem(place, number, str(error))


def _contents(article: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Locale -> what the article says in it; its own first."""
    own = str(article.get("default_locale") or "")
    contents: dict[str, Mapping[str, Any]] = {own: article} if article.get("body") else {}
    translated = article.get("translated_content")
    if isinstance(translated, dict):
        for locale, content in translated.items():
            if isinstance(content, dict) and content.get("body"):
                contents.setdefault(str(locale), content)
    if "" in contents:  # it does not say which; another locale that says the same is it
        same = [
            locale
            for locale, content in contents.items()
            if locale and content.get("body") == article.get("body")
        ]
        if same:
            del contents[""]
    return contents


def _category(article: Mapping[str, Any], export: Export) -> list[str]:
    names: list[str] = []
    parent = article.get("parent_id")
    while parent is not None and len(names) < _DEEPEST:
        collection = export.collections.get(str(parent))
        if collection is None:
            break
        names.insert(0, str(collection.get("name") or ""))
        parent = collection.get("parent_id")
    return [name for name in names if name.strip()]


def _tags(article: Mapping[str, Any]) -> list[str] | None:
    tags = article.get("tags")
    listed = tags.get("tags") if isinstance(tags, dict) else tags
    if not isinstance(listed, list):
        return None
    return [str(tag.get("name") if isinstance(tag, dict) else tag) for tag in listed]


def _listed(data: Any) -> list[Mapping[str, Any]]:
    values = data if isinstance(data, list) else data.get("data") if isinstance(data, dict) else None
    single = [data] if isinstance(data, dict) and data.get("type") == "article" else []
    return [item for item in values or single if isinstance(item, dict)]


def _articles(data: Any) -> Iterator[Mapping[str, Any]]:
    for item in _listed(data):
        if item.get("type") == "article" and ("workspace_id" in item or "translated_content" in item):
            yield item
