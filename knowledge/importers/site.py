"""What a folder of pages says as a whole: which page is a translation of which, where the navigation puts them.

Promise: read once, from names and from `mkdocs.yml` or Jekyll's `_categories`; no page is opened. YAML is read as
plain text values, so that tags in it (`!!python/name:…`) build nothing.

Refuses to decide: what a page says about itself, which goes before.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import frontmatter
import yaml

from knowledge.models import Language

SUFFIXES: Final = frozenset([".md", ".markdown", ".mdx", ".html", ".htm"])
_SKIPPED_FOLDERS: Final = frozenset(
    ["node_modules", "__MACOSX", "_includes", "_layouts", "_sass", "includes", "overrides"]
)
_CATEGORY_FOLDER: Final = "_categories"
_ENDING = re.compile(r"^(.*)([._-])([A-Za-z]{2})(?:[-_][A-Za-z]{2})?$")
_NUMBERED = re.compile(r"^\d{1,3}[-_. ]+(?=\D)")
_DEEPEST: Final = 10


@dataclass(frozen=True)
class Spot:
    """Where a page is in the navigation."""

    title: str
    sections: tuple[str, ...]


@dataclass
class Site:
    root: Path
    files: list[Path]
    # page without language and suffix -> language -> its spot
    _navigation: dict[str, dict[str, Spot]] = field(default_factory=dict)
    category_titles: dict[str, str] = field(default_factory=dict)  # Jekyll: file name -> title
    _twins: Counter[tuple[str, str]] = field(default_factory=Counter)
    _folders: Counter[PurePosixPath] = field(default_factory=Counter)

    def language_of(self, path: PurePosixPath) -> str | None:
        """What the path says: `name.de.md` before a folder `de`, an inner folder before an outer one."""
        return self.split(path)[1] or None

    def neutral(self, path: PurePosixPath) -> str:
        """The path without language and suffix, e.g. `billing/pause` for `de/billing/pause.md`."""
        return self.split(path)[0]

    def twin_key(self, path: PurePosixPath) -> str:
        """What translations of a page have in common; empty where there is no other one."""
        neutral, language = self.split(path)
        others = [name for name in ("", *Language.values) if name != language and self._twins[neutral, name]]
        return neutral if others else ""

    def spot(self, path: PurePosixPath, language: str | None) -> Spot | None:
        known = self._navigation.get(self.neutral(path))
        return (known.get(language or "") or known.get("")) if known else None

    def folders_of(self, path: PurePosixPath) -> list[str]:
        """The folders that are categories: not those of a language, nor one that is the page itself."""
        folders = [name for name in path.parts[:-1] if name.lower() not in Language.values]
        page = PurePosixPath(self.neutral(path))
        if folders and page.name.lower() == "index" and self._folders[page.parent] == 1:
            folders.pop()
        named = [_NUMBERED.sub("", name.removeprefix("_")).strip() for name in folders]
        return [name for name in named if name and name.lower() not in ("docs", "articles", "content")]

    def split(self, path: PurePosixPath) -> tuple[str, str]:
        """The path without language and suffix, and the language that it says; empty where it says none."""
        languages = Language.values
        stem, folders = path.stem, list(path.parts[:-1])
        found = _ENDING.match(stem)
        language = ""
        if found and found[3].lower() in languages and (found[2] == "." or self._is_twin(path, found[1])):
            stem, language = found[1], found[3].lower()
        for folder in reversed(folders):
            if folder.lower() in languages:
                language = language or folder.lower()
        rest = [folder for folder in folders if folder.lower() not in languages]
        return "/".join([*rest, stem]), language

    def _is_twin(self, path: PurePosixPath, stem: str) -> bool:
        """`index_de.md` is German only beside an `index.md` or an `index_en.md`."""
        names = [f"{stem}{ending}{path.suffix}" for ending in ("", "_de", "_en", "-de", "-en")]
        return any((self.root / path.parent / name).is_file() for name in names if name != path.name)


def survey(path: Path) -> Site:
    site = Site(path if path.is_dir() else path.parent, page_files(path))
    pages = [PurePosixPath(file.relative_to(site.root).as_posix()) for file in site.files]
    seen: set[str] = set()
    for page in pages:
        neutral, language = site.split(page)
        site._twins[neutral, language] += 1
        if neutral not in seen:
            seen.add(neutral)
            site._folders[PurePosixPath(neutral).parent] += 1
    if path.is_dir():
        _read_mkdocs(site)
        _read_jekyll(site)
    return site


def page_files(path: Path) -> list[Path]:
    """The pages below a folder in a stable order, without hidden folders and links to folders."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".") and name not in _SKIPPED_FOLDERS | {_CATEGORY_FOLDER}
        ]
        found += [Path(folder) / name for name in names if Path(name).suffix.lower() in SUFFIXES]
    return sorted(file for file in found if not file.name.startswith("."))


def _read_mkdocs(site: Site) -> None:
    file = next(
        (site.root / name for name in ("mkdocs.yml", "mkdocs.yaml") if (site.root / name).is_file()), None
    )
    if file is None:
        return
    try:
        settings = yaml.load(file.read_text("utf-8-sig"), Loader=yaml.BaseLoader)  # noqa: S506 - plain values only
    except (yaml.YAMLError, OSError, UnicodeDecodeError, RecursionError):
        return
    if not isinstance(settings, dict):
        return
    named = settings.get("docs_dir")
    folder = named if isinstance(named, str) else "docs"
    words = _translations(settings)

    def walk(items: Any, sections: tuple[str, ...]) -> None:
        for item in items if isinstance(items, list) and len(sections) < _DEEPEST else []:
            for title, target in item.items() if isinstance(item, dict) else []:
                if isinstance(target, list):
                    walk(target, (*sections, str(title)))
                elif isinstance(target, str):
                    page = site.neutral(PurePosixPath(folder) / target)
                    spots = site._navigation.setdefault(page, {})
                    spots.setdefault("", Spot(str(title), sections))
                    for language, known in words.items():
                        spots.setdefault(
                            language,
                            Spot(
                                known.get(str(title), str(title)),
                                tuple(known.get(name, name) for name in sections),
                            ),
                        )

    walk(settings.get("nav"), ())


def _translations(settings: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Language -> the navigation's words in it, as the i18n plugin has them."""
    words: dict[str, dict[str, str]] = {}
    plugins = settings.get("plugins")
    for plugin in plugins if isinstance(plugins, list) else []:
        i18n = plugin.get("i18n") if isinstance(plugin, dict) else None
        languages = i18n.get("languages") if isinstance(i18n, dict) else None
        for language in languages if isinstance(languages, list) else []:
            if isinstance(language, dict) and isinstance(language.get("nav_translations"), dict):
                known = language["nav_translations"].items()
                words[str(language.get("locale"))] = {
                    str(key): value for key, value in known if isinstance(value, str)
                }
    return words


def _read_jekyll(site: Site) -> None:
    for file in sorted((site.root / _CATEGORY_FOLDER).glob("*.md")):
        try:
            title = frontmatter.loads(file.read_text("utf-8-sig")).metadata.get("title")
        except (yaml.YAMLError, OSError, UnicodeDecodeError, ValueError):
            continue
        if isinstance(title, str) and title.strip():
            site.category_titles[file.stem] = title.strip()
