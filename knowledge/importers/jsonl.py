"""JSON Lines: one article a line, with `id`, `title` and `body`, and where known `language` and `category`.

Promise: memory stays at one line, and a line that cannot be read is a `Problem` with its number; the lines
around it are read as if it were not there.

Refuses to decide: what a good article is (`entries`).
"""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _

from knowledge.importers.entries import BadEntry, Entry, Place, Problem, read_entry


def read(path: Path) -> Iterator[Entry | Problem]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            raw = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if raw.strip():
                yield _read_line(raw, Place(path.name, number))


def count(path: Path) -> int:
    """How many entries to expect, for a progress bar."""
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _read_line(line: bytes, place: Place) -> Entry | Problem:
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return Problem(place, "", not_utf8(error))
    except json.JSONDecodeError as error:
        reason = _("not valid JSON at character %(column)d: %(what)s.")
        return Problem(place, "", reason % {"column": error.colno, "what": error.msg})
    except (RecursionError, ValueError):  # nested thousands deep, or a number of thousands of digits
        return Problem(place, "", _("not a JSON object that can be read."))
    if not isinstance(value, dict):
        return Problem(place, "", _("not a JSON object with id, title and body."))
    try:
        return read_entry(value, place=place)
    except BadEntry as error:
        return Problem(place, _id(value.get("id")), error.reason)


def not_utf8(error: UnicodeDecodeError) -> str:
    return _("not UTF-8 text (byte 0x%(byte)02X at position %(position)d). Save the file as UTF-8.") % {
        "byte": error.object[error.start],
        "position": error.start + 1,
    }


def _id(value: object) -> str:
    return str(value)[:100] if isinstance(value, (str, int)) else ""
