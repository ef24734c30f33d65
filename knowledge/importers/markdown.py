"""A folder of Markdown files with YAML front matter, or one such file.

Promise: the front matter is read as plain text values (`yaml.BaseLoader`, so that `title: No` stays "No" and
no object is ever built), a problem names the line in the file, and the text comes in as its author wrote it,
but for a leading `# Title` that repeats the title, and hand-made anchors (`anchors`).

What the front matter does not say is taken from the path: the id (the path without its suffix), the category
(the folders) and the language (a folder `de`, a file `name.de.md`).

Refuses to decide: where links to other articles lead; they stay, and `knowledge.links` resolves them.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import yaml
from django.utils.translation import gettext as _
from frontmatter.default_handlers import YAMLHandler
from yaml.scanner import ScannerError

from knowledge.importers.anchors import with_our_anchors
from knowledge.importers.entries import BadEntry, Entry, Place, Problem, read_entry
from knowledge.importers.jsonl import not_utf8
from knowledge.models import Language

SUFFIXES: Final = frozenset([".md", ".markdown"])

# What lies beside the articles of a repository and is none, unless front matter says that it is.
_NOT_ARTICLES: Final = frozenset(
    ["changelog", "code_of_conduct", "contributing", "copying", "license", "licence", "readme", "security"]
)
_SKIPPED_FOLDERS: Final = frozenset(["node_modules"])
_KEYS: Final = ("id", "title", "language", "category", "translation_key", "audience", "draft")
_LANGUAGE_KEYS: Final = ("language", "lang", "locale")
_FRONT_MATTER = YAMLHandler()
_OPENING = re.compile(r"\s*-{3,}[ \t]*(?=\n)")
_NULL: Final = ("null", "~")  # a tuple: values may be lists, which have no hash


@dataclass(frozen=True)
class _File:
    fields: Mapping[str, object]  # of the front matter
    lines: Mapping[str, int]  # field -> 1-based line
    body: str
    body_line: int  # 1-based


def read(path: Path) -> Iterator[Entry | Problem]:
    root = path if path.is_dir() else path.parent
    for file in files(path):
        yield _read_file(file, root)


def files(path: Path) -> list[Path]:
    """The Markdown files below a folder in a stable order, without hidden folders and links to folders."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = [
            name for name in subfolders if not name.startswith(".") and name not in _SKIPPED_FOLDERS
        ]
        found += [Path(folder) / name for name in names if Path(name).suffix.lower() in SUFFIXES]
    return sorted(file for file in found if not file.name.startswith("."))


def may_be_article(file: Path) -> bool:
    return file.stem.lower() not in _NOT_ARTICLES


def _read_file(file: Path, root: Path) -> Entry | Problem:
    relative = PurePosixPath(file.relative_to(root).as_posix())
    place = Place(str(relative), 1)
    try:
        parsed = _parse(_text(file))
    except OSError as error:
        return Problem(place, "", _("cannot be read: %(why)s.") % {"why": error.strerror or str(error)})
    except _Unreadable as error:
        return Problem(Place(place.file, error.line), "", error.reason)
    if not parsed.fields and not may_be_article(file):
        return Problem(place, "", _("left out: no front matter, and not an article by its name."), True)
    raw = _raw_entry(parsed, relative)
    try:
        return read_entry(raw, place=place)
    except BadEntry as error:
        line = parsed.lines.get(error.field, parsed.body_line if error.field == "body" else 1)
        return Problem(Place(place.file, line), _as_text(raw["id"]), error.reason)


def _raw_entry(parsed: _File, relative: PurePosixPath) -> dict[str, object]:
    raw: dict[str, object] = {key: parsed.fields[key] for key in _KEYS if key in parsed.fields}
    folders = [name for name in relative.parts[:-1] if name.lower() not in Language.values]
    raw.setdefault("id", str(relative.with_suffix("")))
    if folders:
        raw.setdefault("category", folders)
    named = [parsed.fields[key] for key in _LANGUAGE_KEYS if key in parsed.fields]
    raw["language"] = named[0] if named else _language_of(relative)
    title, body = _leading_title(parsed.body)
    if raw.get("title", "") == "":
        raw["title"] = title or None
    elif title != raw["title"]:
        body = parsed.body
    raw["body"] = with_our_anchors(body)
    return raw


def _language_of(relative: PurePosixPath) -> str | None:
    """What the path says: `name.de.md` before a folder `de`, an inner folder before an outer one."""
    ending = PurePosixPath(relative.stem).suffix.removeprefix(".")
    names = [ending, *reversed(relative.parts[:-1])]
    return next((name.lower() for name in names if name.lower() in Language.values), None)


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
    known = {str(key): value for key, value in fields.items() if value not in _NULL}
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
