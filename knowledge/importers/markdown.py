"""A folder of pages: Markdown with YAML front matter, MDX or HTML; or one such file.

Promise: the front matter is read as plain text values (`yaml.BaseLoader`, so that `title: No` stays "No" and
no object is ever built), a problem names the line in the file, and the text comes in as its author wrote it,
but for a leading `# Title` that repeats the title, hand-made anchors (`anchors`), what only another system
understands (`dialects`) and pictures from beside it (`pictures`). Our own export (`helpcenter: 1`) is exempt from
all of it: it comes in byte for byte.

What the front matter does not say is taken from navigation and path (`site`): the id (the path without its
suffix), the category (the folders) and the language (a folder `de`, a file `name.de.md`).

Refuses to decide: where links to other articles lead; they stay, and `knowledge.links` resolves them.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import yaml
from bs4 import BeautifulSoup
from django.utils.translation import gettext as _
from frontmatter.default_handlers import YAMLHandler
from yaml.scanner import ScannerError

from knowledge.importers.anchors import with_our_anchors
from knowledge.importers.dialects import to_plain_markdown
from knowledge.importers.entries import BadEntry, Entry, Place, Problem, read_entry, read_exact_entry
from knowledge.importers.html_text import UnreadableHtml, html_to_markdown
from knowledge.importers.jsonl import not_utf8
from knowledge.importers.pictures import take_pictures
from knowledge.importers.site import SUFFIXES, Site, page_files, survey
from knowledge.media import BadPicture, Picture, read_picture

__all__ = ["EXPORT_KEY", "SUFFIXES", "files", "may_be_article", "read"]

EXPORT_KEY: Final = "helpcenter"  # in the front matter of our own export: the version of its format
EXPORT_VERSION: Final = "1"
EXPORTED_PICTURE = re.compile(r"/media/(articles/[0-9a-f]{40}\.(?:png|jpg|gif|webp))")

# What lies beside the articles of a repository and is none, unless front matter says that it is.
_NOT_ARTICLES: Final = frozenset(
    ["changelog", "code_of_conduct", "contributing", "copying", "license", "licence", "readme", "security"]
)
_HTML_SUFFIXES: Final = frozenset([".html", ".htm"])
_KEYS: Final = ("id", "title", "language", "category", "translation_key", "audience", "draft")
_LANGUAGE_KEYS: Final = ("language", "lang", "locale")
_TITLE_KEYS: Final = ("page-title", "sidebar_label", "short_title")
_LABEL_KEYS: Final = ("labels", "tags", "keywords")
_ADDRESS_KEYS: Final = ("permalink", "slug", "url")
_FRONT_MATTER = YAMLHandler()
_OPENING = re.compile(r"\s*-{3,}[ \t]*(?=\n)")
_NULL: Final = ("null", "~")  # a tuple: values may be lists, which have no hash
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$")
_HTML_TITLE = re.compile(r"<title[^<>]*>(.*?)</title>", re.I | re.S)


@dataclass(frozen=True)
class _File:
    fields: Mapping[str, object]  # of the front matter
    lines: Mapping[str, int]  # field -> 1-based line
    body: str
    body_line: int  # 1-based


def files(path: Path) -> list[Path]:
    return page_files(path)


def read(path: Path) -> Iterator[Entry | Problem]:
    site = survey(path)
    for file in site.files:
        yield from _read_file(file, site)


def may_be_article(file: Path) -> bool:
    return file.stem.lower() not in _NOT_ARTICLES


def _read_file(file: Path, site: Site) -> Iterator[Entry | Problem]:
    relative = PurePosixPath(file.relative_to(site.root).as_posix())
    place = Place(str(relative), 1)
    if file.is_symlink() and not file.resolve().is_relative_to(site.root.resolve()):
        yield Problem(place, "", _("a link to a file outside of what is imported."))
        return
    try:
        text = _text(file)
        is_html = file.suffix.lower() in _HTML_SUFFIXES
        parsed = _File({}, {}, text, 1) if is_html else _parse(text)
    except OSError as error:
        yield Problem(place, "", _("cannot be read: %(why)s.") % {"why": error.strerror or str(error)})
        return
    except _Unreadable as error:
        yield Problem(Place(place.file, error.line), "", error.reason)
        return
    if EXPORT_KEY in parsed.fields:
        yield from _exact(parsed, file, site, place)
        return
    if not parsed.fields and not may_be_article(file):
        yield Problem(place, "", _("left out: no front matter, and not an article by its name."), True)
        return
    if not parsed.body.strip() and {"redirect", "redirect_to"} & parsed.fields.keys():
        yield Problem(place, "", _("left out: it only leads to another page."), True)
        return
    if file.name.startswith("_"):
        yield Problem(place, "", _("left out: a fragment that other pages include."), True)
        return
    raw, notes = {"id": str(relative.with_suffix(""))}, []  # type: dict[str, object], list[str]
    try:
        raw, notes = (_html_page if is_html else _markdown_page)(parsed, relative, site)
        yield read_entry(raw, place=place)
    except BadEntry as error:
        line = parsed.lines.get(error.field, parsed.body_line if error.field == "body" else 1)
        yield Problem(Place(place.file, line), _as_text(raw["id"]), error.reason)
    except UnreadableHtml as error:
        yield Problem(place, _as_text(raw["id"]), str(error))
    else:
        for note in notes:
            yield Problem(place, _as_text(raw["id"]), note, is_warning=True)


def _exact(parsed: _File, file: Path, site: Site, place: Place) -> Iterator[Entry | Problem]:
    """Of our own export. The text was read with other line ends, so it is read again."""
    known = _as_text(parsed.fields.get("id"))
    if parsed.fields[EXPORT_KEY] != EXPORT_VERSION:
        reason = _("%(key)s: found version “%(found)s”, only %(known)s is known.")
        found = {"key": EXPORT_KEY, "found": _as_text(parsed.fields[EXPORT_KEY]), "known": EXPORT_VERSION}
        yield Problem(place, known, reason % found)
        return
    body = file.read_bytes().decode("utf-8").partition("\n---\n")[2]
    pictures: list[Picture] = []
    for name in dict.fromkeys(EXPORTED_PICTURE.findall(body)):
        beside = (site.root / "media" / name).resolve()
        if not (beside.is_file() and beside.is_relative_to(site.root.resolve())):
            continue
        try:
            picture = read_picture(beside.read_bytes())
        except (OSError, BadPicture) as error:
            yield Problem(place, known, _("%(file)s: %(why)s") % {"file": name, "why": error}, True)
            continue
        if picture.name == name:
            pictures.append(picture)
    try:
        yield read_exact_entry({**parsed.fields, "pictures": tuple(pictures)}, body, place=place)
    except BadEntry as error:
        yield Problem(Place(place.file, parsed.lines.get(error.field, 1)), known, error.reason)


def _markdown_page(parsed: _File, relative: PurePosixPath, site: Site) -> tuple[dict[str, object], list[str]]:
    fields = parsed.fields
    raw: dict[str, object] = {key: fields[key] for key in _KEYS if key in fields}
    raw.setdefault("id", str(relative.with_suffix("")))
    named = [fields[key] for key in _LANGUAGE_KEYS if key in fields]
    path_language = site.language_of(relative)
    raw["language"] = named[0] if named else path_language
    spot = site.spot(relative, path_language)
    labels = next((fields[key] for key in _LABEL_KEYS if key in fields), None)
    categories = fields.get("categories")
    if "category" not in raw:
        place, more = _place(categories, spot.sections if spot else site.folders_of(relative), site)
        if place:
            raw["category"] = place
        if more:
            labels = [*(labels if isinstance(labels, list) else []), *more]
    raw["labels"] = labels if isinstance(labels, (list, str)) else None
    raw["twin_key"] = site.twin_key(relative)
    raw["url"] = _address(fields, relative)
    if fields.get("published") == "false" or fields.get("hidden") == "true":
        raw.setdefault("draft", "true")

    title, body = _leading_title(parsed.body)
    wanted = raw.get("title") or next((fields[key] for key in _TITLE_KEYS if fields.get(key)), None)
    wanted = wanted or (spot.title if spot else None)
    if wanted is None or wanted == "":
        raw["title"] = title or None
    else:
        raw["title"] = wanted
        if title != wanted:
            body = parsed.body
    converted = to_plain_markdown(body, is_mdx=relative.suffix.lower() == ".mdx")
    notes = list(converted.notes)
    if raw["title"] is None and "title" not in fields and not fields.get("id"):
        raw["title"] = _first_heading(converted.text) or _from_file_name(relative)
        notes.append(_("has no title of its own: named “%(title)s”.") % {"title": raw["title"]})
    shown = take_pictures(converted.text, root=site.root, folder=relative.parent)
    raw["body"], raw["pictures"] = with_our_anchors(shown.body), shown.pictures
    return raw, [*notes, *shown.notes]


def _html_page(parsed: _File, relative: PurePosixPath, site: Site) -> tuple[dict[str, object], list[str]]:
    source = _without_csv_quotes(parsed.body)
    shown = take_pictures(source, root=site.root, folder=relative.parent)
    soup = BeautifulSoup(shown.body, "html.parser") if len(shown.body) < 2_000_000 else None
    heads = soup.find_all("h1") if soup else []
    titled = _HTML_TITLE.search(shown.body[:20_000])
    title = " ".join(BeautifulSoup(titled[1], "html.parser").get_text().split()) if titled else ""
    notes = list(shown.notes)
    if not title and len(heads) == 1:
        title = " ".join(heads[0].get_text().split())
    if not title:
        title = _from_file_name(relative)
        notes.append(_("has no title of its own: named “%(title)s”.") % {"title": title})
    main = (soup.find("main") or soup.find("article")) if soup else None
    text = html_to_markdown(str(main) if main else shown.body)
    leading, rest = _leading_title(text)
    raw: dict[str, object] = {
        # With its suffix: a Markdown twin beside it is another file.
        "id": str(relative),
        "title": title,
        "body": rest if leading == title else text,
        "language": site.language_of(relative),
        "category": site.folders_of(relative),
        "twin_key": site.twin_key(relative),
        "url": _address({}, relative),
        "pictures": shown.pictures,
    }
    return raw, notes


def _without_csv_quotes(source: str) -> str:
    """A page that was cut out of a table with its quotes: `html`, a line end, and one quoted cell."""
    head, _end, rest = source.partition("\n")
    if head.strip().lower() not in ("html", "body", "content") or not rest.startswith('"'):
        return source
    rows = list(csv.reader([rest] if "\n" not in rest else rest.splitlines(keepends=True)))
    return rows[0][0] if rows and rows[0] else source


def _place(
    categories: object, folders: tuple[str, ...] | list[str], site: Site
) -> tuple[list[str], list[str]]:
    """The category of a page, and what else it is filed under."""
    if isinstance(categories, str):
        categories = categories.split()
    named = [name for name in categories if isinstance(name, str)] if isinstance(categories, list) else []
    titles = [site.category_titles.get(name, name) for name in named]
    if titles:
        return [titles[0]], titles[1:]
    return list(folders), []


def _address(fields: Mapping[str, object], relative: PurePosixPath) -> str:
    """The path at which the source shows it, as links in other pages have it."""
    given = next((fields[key] for key in _ADDRESS_KEYS if isinstance(fields.get(key), str)), None)
    if isinstance(given, str) and given.startswith(("/", "http")):
        return given.rstrip("/")
    parts = list(relative.with_suffix("").parts)
    if parts[0].startswith(
        "_"
    ):  # a collection of Jekyll: `_articles/send/about.md` is shown at /article/about
        return f"/{parts[0].strip('_').removesuffix('s')}/{parts[-1]}"
    if parts[-1].lower() == "index":
        parts.pop()
    return "/" + "/".join(parts)


def _first_heading(body: str) -> str:
    first = next((line for line in body.split("\n") if line.strip()), "")
    found = _HEADING.match(first)
    return found[1].strip("# ") if found else ""


def _from_file_name(relative: PurePosixPath) -> str:
    name = relative.stem if relative.stem.lower() != "index" else relative.parent.name or relative.stem
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:]


class _Unreadable(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line  # 1-based
        self.reason = reason


def _text(file: Path) -> str:
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(raw.count(b"\n", 0, error.start) + 1, not_utf8(error)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse(text: str) -> _File:
    opening = _OPENING.match(text)
    if opening is None:
        return _File({}, {}, text, 1)
    try:
        block, body = _FRONT_MATTER.split(text)
    except ValueError as error:
        raise _Unreadable(1, _("the front matter is not closed by a line “---”.")) from error
    start = text.index(block, opening.end())
    first_line = _line_at(text, start)
    last_line = _line_at(text, start + len(block))
    try:
        fields = _FRONT_MATTER.load(block, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        # An open quote is noticed at the end of everything; the context is where it was opened.
        mark = (error.context_mark if isinstance(error, ScannerError) else None) or error.problem_mark
        line = mark.line if mark else 0
        reason = _("front matter: %(what)s.") % {"what": error.problem or error.context}
        raise _Unreadable(first_line + line, reason) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _Unreadable(last_line, _("the front matter is not valid YAML.")) from error
    if not isinstance(fields, dict):
        raise _Unreadable(last_line, _("the front matter is no list of “key: value” lines."))
    keys = [line.partition(":")[0].strip() for line in block.split("\n")]
    lines = {key: first_line + offset for offset, key in enumerate(keys)}
    lines["language"] = next((lines[key] for key in _LANGUAGE_KEYS if key in lines), 1)
    # Our own export writes no nulls: there the word is a word.
    known = {str(key): value for key, value in fields.items() if EXPORT_KEY in fields or value not in _NULL}
    return _File(known, lines, body, last_line + 1)


def _as_text(value: object) -> str:
    # Never str() of what is no text: a few lines of YAML can stand for a list of billions.
    return value[:100] if isinstance(value, str) else ""


def _line_at(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _leading_title(body: str) -> tuple[str, str]:
    """The `# Title` that opens a text, and the text without it."""
    first, _end, rest = body.lstrip("\n").partition("\n")
    return (first.strip("# \t"), rest) if first.startswith("# ") else ("", body)
