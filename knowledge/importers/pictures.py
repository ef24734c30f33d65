"""The pictures that a page shows from beside it.

Promise: a picture that lies within what is imported comes in, and the text shows it from here; one that does not
leaves its description in the text and a note. Pictures at an address of their own stay there. Nothing outside
the folder that is imported is ever read, whatever a path or a link in it says.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.importers.dialects.code import hide_code, show_code
from knowledge.media import PICTURE_SUFFIXES, BadPicture, Picture, read_picture

_MARKDOWN = re.compile(
    r"!\[([^\]\n]{0,500})\]\([ \t]*<?([^\s()<>]{1,1000})>?(?:[ \t]+[\"'][^\"'\n]{0,500}[\"'])?[ \t]*\)"
)
_HTML = re.compile(r"<img\b[^<>]{0,2000}>", re.I)
_HTML_SOURCE = re.compile(r"""\bsrc\s*=\s*["']?([^"'\s<>]+)""", re.I)
_HTML_ALT = re.compile(r"""\b(?:alt|title)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.I)
_FILE_NAME = re.compile(r"\S+\.\w{2,5}")
_WEB_ROOTS: Final = ("", "static", "public", "assets", "images", "docs", "img", "src/assets")


@dataclass(frozen=True)
class Shown:
    body: str
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...]


def take_pictures(body: str, *, root: Path, folder: PurePosixPath) -> Shown:
    """`root` is what is imported, `folder` where the page lies in it."""
    if "![" not in body and "<img" not in body.lower():
        return Shown(body, (), ())
    found: dict[str, Picture] = {}
    missing: list[str] = []
    refused: dict[str, str] = {}

    def address(source: str) -> str | None:
        """Where the page is to show it from; None: from nowhere."""
        if not _is_beside(source):
            return source
        file = _file(source, root, folder)
        try:
            if file is None:
                missing.append(source)
                return None
            picture = read_picture(file.read_bytes())
        except OSError:
            missing.append(source)
        except BadPicture as error:
            refused[source] = str(error)
        else:
            found[picture.name] = picture
            return picture.address
        return None

    def markdown(image: re.Match[str]) -> str:
        target = address(image[2])
        if target is None:
            return _described(image[1])
        start, end = image.start(2) - image.start(), image.end(2) - image.start()
        return image[0][:start] + target + image[0][end:]

    def html(image: re.Match[str]) -> str:
        source = _HTML_SOURCE.search(image[0])
        target = address(source[1]) if source else None
        if source is None or target is None:
            words = _HTML_ALT.search(image[0])
            return _described((words[1] or words[2] or "") if words else "")
        return image[0][: source.start(1)] + target + image[0][source.end(1) :]

    text, hidden = hide_code(body)
    text = _HTML.sub(html, _MARKDOWN.sub(markdown, text))
    notes = [_("%(file)s: %(why)s") % {"file": name[:120], "why": why} for name, why in refused.items()]
    if missing:
        sentence = ngettext(
            "%(count)d picture is not in the import; its description stands in its place (%(first)s).",
            "%(count)d pictures are not in the import; their descriptions stand in their place (%(first)s …).",
            len(missing),
        )
        notes.append(sentence % {"count": len(missing), "first": missing[0][:120]})
    return Shown(show_code(text, hidden) if text != body else body, tuple(found.values()), tuple(notes))


def _is_beside(source: str) -> bool:
    try:
        parts = urlsplit(source)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and bool(parts.path)


def _file(source: str, root: Path, folder: PurePosixPath) -> Path | None:
    path = unquote(urlsplit(source).path)
    top = root.resolve()
    if "\x00" in path:
        return None
    places = [root / web / path.lstrip("/") for web in _WEB_ROOTS]
    if not path.startswith("/"):
        places.insert(0, root / folder / path)
    for place in places:
        # Resolved first: neither ".." nor a link may lead out of what is imported.
        file = place.resolve()
        if file.is_relative_to(top) and file.suffix.lower() in PICTURE_SUFFIXES and file.is_file():
            return file
    return None


def _described(words: str) -> str:
    words = " ".join(words.replace("*", "").split())
    return f"*{words}*" if words and not _FILE_NAME.fullmatch(words) else ""
