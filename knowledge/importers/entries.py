"""One article as its source describes it.

Promise: an `Entry` is complete and clean. Its text has no control characters and plain line ends, its
language and audience are ours, nothing is longer than the database takes. What cannot be made so is a
`Problem` with a place and a reason that a person can act on; nothing is guessed or cut off to make it fit.

Refuses to decide: which article an entry belongs to, and what happens to it there (`planning`, `apply`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import CharField
from django.utils.translation import gettext as _

from knowledge.media import Picture
from knowledge.models import Article, Audience, Category, Language, Status

# More than any article that a person reads, and already minutes of indexing.
MAX_BODY_CHARACTERS: Final = 2_000_000

MAX_LABELS: Final = 50
MAX_LABEL_CHARACTERS: Final = 100

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
_SLUG = re.compile(r"[\w-]+")
_LINE_END = re.compile(r"\r\n?")
_YES: Final = frozenset(["true", "yes", "on"])
_NO: Final = frozenset(["false", "no", "off", ""])


@dataclass(frozen=True, slots=True)
class Place:
    file: str  # relative to what was imported, with forward slashes
    line: int  # 1-based


@dataclass(frozen=True, slots=True)
class Entry:
    place: Place
    external_id: str
    title: str
    body: str  # Markdown
    language: str | None = None  # None: the source does not say
    category: tuple[str, ...] = ()  # names, outermost first; empty: the source does not say
    translation_key: str = ""
    audience: str | None = None  # None: the source does not say
    is_draft: bool = False  # the source itself calls it unfinished
    labels: tuple[str, ...] | None = None  # None: the source does not say
    source_url: str = ""  # where the source itself shows it: an address, or a path such as "/help/pause"
    # Of entries whose own place is all that makes them translations of each other. Weaker than the key, and
    # known within this source only.
    twin_key: str = ""
    pictures: tuple[Picture, ...] = ()  # that the body shows
    stamp: "Stamp | None" = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What only our own export knows: which article this was, in this or another database."""

    source: str  # empty: written here
    slug: str
    status: str
    category_slugs: tuple[str, ...] = ()  # addresses of the categories, as long as they are free
    to_go_over: bool = False  # a draft from replies that nobody has gone over yet


@dataclass(frozen=True, slots=True)
class Problem:
    place: Place
    id: str  # external id, as far as it is known
    reason: str
    is_warning: bool = False  # worth knowing, but nothing was left out that should have come in


class BadEntry(Exception):
    """An entry that cannot become an article. Permanent: only a change of the source helps."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def read_entry(raw: Mapping[str, object], *, place: Place) -> Entry:
    """From `id, title, body, language, category, translation_key, audience, draft, labels, url, twin_key` and
    `pictures`; others are ignored."""
    return Entry(
        place=place,
        external_id=_required(raw, "id", limit=_limit(Article, "external_id"), is_line=True),
        title=_required(raw, "title", limit=_limit(Article, "title"), is_line=True),
        body=_required(raw, "body", limit=MAX_BODY_CHARACTERS),
        language=known_language(_text(raw, "language")),
        category=_category(raw.get("category")),
        translation_key=_short(
            "translation_key", _text(raw, "translation_key"), _limit(Article, "translation_group")
        ),
        audience=_audience(_text(raw, "audience")),
        is_draft=_flag(raw, "draft"),
        labels=_labels(raw.get("labels")),
        source_url=_address(raw.get("url")),
        twin_key=_text(raw, "twin_key"),
        pictures=_pictures(raw.get("pictures")),
    )


def read_exact_entry(raw: Mapping[str, object], body: str, *, place: Place) -> Entry:
    """Of our own export: every value comes in as it is, or not at all."""
    status = _text(raw, "status")
    if status not in Status.values:
        raise BadEntry("status", _unknown("status", status, Status.values))
    language = _text(raw, "language")
    if language not in Language.values:
        raise BadEntry("language", _unknown("language", language, Language.values))
    if not body:
        raise BadEntry("body", _("%(field)s is empty.") % {"field": "body"})
    category = raw.get("category") or []
    if not isinstance(category, list) or not all(isinstance(name, str) for name in category):
        raise BadEntry("category", _wrong_type("category", category))
    return Entry(
        place=place,
        external_id=_short("id", _verbatim(raw, "id"), _limit(Article, "external_id")),
        title=_short(
            "title", _verbatim(raw, "title") or _required(raw, "title", limit=0), _limit(Article, "title")
        ),
        body=_short("body", body, MAX_BODY_CHARACTERS),
        language=language,
        category=tuple(_short("category", name, _limit(Category, "name")) for name in category),
        translation_key=_short(
            "translation_group", _verbatim(raw, "translation_group"), _limit(Article, "translation_group")
        ),
        audience=_audience(_text(raw, "audience")),
        is_draft=status != Status.PUBLISHED,
        labels=_labels(raw.get("labels")) or (),
        source_url=_address(raw.get("source_url")),
        pictures=_pictures(raw.get("pictures")),
        stamp=Stamp(
            _short("source", _verbatim(raw, "source"), _limit(Article, "source")),
            _short(
                "slug", _verbatim(raw, "slug") or _required(raw, "slug", limit=0), _limit(Article, "slug")
            ),
            status,
            _slugs(raw.get("category_slugs")),
            to_go_over=_text(raw, "to_go_over") == "yes" and status != Status.PUBLISHED,
        ),
    )


def _slugs(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else []
    return tuple(slug for slug in listed if isinstance(slug, str) and _is_slug(slug))


def _is_slug(slug: str) -> bool:
    return len(slug) <= _limit(Category, "slug") and bool(_SLUG.fullmatch(slug))


def _verbatim(raw: Mapping[str, object], field: str) -> str:
    value = raw.get(field, "")
    if not isinstance(value, str):
        raise BadEntry(field, _wrong_type(field, value))
    return value


def _labels(value: object) -> tuple[str, ...] | None:
    """Of a list, or of text with commas; each once. What is longer than any label is none."""
    if value is None:
        return None
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise BadEntry("labels", _wrong_type("labels", value))
    cleaned = (
        " ".join(clean_text(str(word)).split()) for word in words if isinstance(word, (str, int, float))
    )
    return tuple(dict.fromkeys(word for word in cleaned if word and len(word) <= MAX_LABEL_CHARACTERS))[
        :MAX_LABELS
    ]


def _address(value: object) -> str:
    """Only a help for links: one that is too long is forgotten rather than refused."""
    text = value.strip().rstrip("/") if isinstance(value, str) else ""
    return text if len(text) <= _limit(Article, "source_url") and text.isprintable() else ""


def _pictures(value: object) -> tuple[Picture, ...]:
    assert value is None or isinstance(value, tuple)  # never from a file
    return value or ()


def clean_text(text: str) -> str:
    """Plain line ends, no control characters, no byte order marks, no blank lines around."""
    return _CONTROL.sub("", _LINE_END.sub("\n", text)).strip("\n").rstrip()


def known_language(name: str) -> str | None:
    """'de' for de, DE, de-AT or de_at; None for nothing. Raises `BadEntry` for a language we do not have."""
    if not name:
        return None
    code = name.lower().replace("_", "-").split("-")[0]
    if code not in Language.values:
        raise BadEntry("language", _unknown("language", name, Language.values))
    return code


def _audience(name: str) -> str | None:
    if not name:
        return None
    value = name.lower().replace("-", "_")
    if value not in Audience.values:
        raise BadEntry("audience", _unknown("audience", name, Audience.values))
    return value


def _unknown(field: str, found: str, allowed: list[str]) -> str:
    return _("%(field)s: “%(found)s” is unknown. Allowed: %(allowed)s.") % {
        "field": field,
        "found": found[:60],
        "allowed": ", ".join(allowed),
    }


def _category(value: object) -> tuple[str, ...]:
    """A name, a path such as "Billing > Invoices", or a list of names, outermost first."""
    if value is None:
        return ()
    if isinstance(value, str):
        names = " ".join(clean_text(value).split()).split(" > ")
    elif isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        names = [clean_text(name) for name in value]
    else:
        raise BadEntry("category", _wrong_type("category", value))
    limit = _limit(Category, "name")
    return tuple(_short("category", " ".join(name.split()), limit) for name in names if name.strip())


def _required(raw: Mapping[str, object], field: str, *, limit: int, is_line: bool = False) -> str:
    text = _text(raw, field, is_line=is_line)
    if not text.strip():
        message = _("%(field)s is empty.") if raw.get(field) is not None else _("%(field)s is missing.")
        raise BadEntry(field, message % {"field": field})
    return _short(field, text, limit)


def _text(raw: Mapping[str, object], field: str, *, is_line: bool = True) -> str:
    value = raw.get(field)
    if value is None:
        return ""
    if field == "id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadEntry(field, _wrong_type(field, value))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadEntry(
            field, _("%(field)s contains half of a character (a lone surrogate).") % {"field": field}
        ) from error
    cleaned = clean_text(value)
    return " ".join(cleaned.split()) if is_line else cleaned


def _short(field: str, text: str, limit: int) -> str:
    if len(text) > limit:
        raise BadEntry(
            field,
            _("%(field)s has %(found)d characters; at most %(limit)d are allowed.")
            % {"field": field, "found": len(text), "limit": limit},
        )
    return text


def _flag(raw: Mapping[str, object], field: str) -> bool:
    value = raw.get(field)
    if value is None or isinstance(value, bool):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else "?"
    if word not in _YES | _NO:
        raise BadEntry(field, _("%(field)s must be true or false.") % {"field": field})
    return word in _YES


def _wrong_type(field: str, value: object) -> str:
    found = {bool: "true/false", int: "number", float: "number", list: "list", dict: "object", str: "text"}
    return _("%(field)s must be text, found: %(found)s.") % {
        "field": field,
        "found": found.get(type(value), type(value).__name__),
    }


def _limit(model: type[Article] | type[Category], field: str) -> int:
    column = model._meta.get_field(field)
    assert isinstance(column, CharField)
    assert column.max_length is not None
    return column.max_length
