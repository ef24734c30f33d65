"""Addresses for what is imported.

Promise: a slug from any title, German letters spelled out (Rückgabe: rueckgabe), unique within its language.
A clash gets -2, -3 and so on; it never fails. Ten thousand equal titles cost no more than different ones.
"""

import unicodedata
from typing import Final

from django.utils.text import slugify

from knowledge.models import Article, Category

_MAX_LENGTH: Final = 120  # characters; the field has 140, which leaves room for -2
_GERMAN: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "Ss", "&": " "}
)


def slug_for(title: str, *, fallback: str) -> str:
    slug = slugify(unicodedata.normalize("NFC", title).translate(_GERMAN)).strip("-_")
    if len(slug) > _MAX_LENGTH:
        slug = slug[:_MAX_LENGTH].rpartition("-")[0] or slug[:_MAX_LENGTH]
    return slug or fallback


class SlugBook:
    """The slugs in use, read once per run instead of once per article."""

    def __init__(self, model: type[Article] | type[Category], *, fallback: str) -> None:
        self._model = model
        self._fallback = fallback
        self._taken: set[tuple[str, str]] = set()
        self._next: dict[tuple[str, str], int] = {}
        self.reload()

    def reload(self) -> None:
        self._taken = set(self._model._default_manager.values_list("language", "slug"))

    def is_free(self, language: str, slug: str) -> bool:
        return (language, slug) not in self._taken

    def claim(self, language: str, title: str, *, wanted: str = "") -> str:
        """`wanted` is taken where it is free."""
        if wanted and self.is_free(language, wanted):
            self._taken.add((language, wanted))
            return wanted
        base = slug_for(title, fallback=self._fallback)
        slug = base
        number = self._next.get((language, base), 2)
        while (language, slug) in self._taken:
            slug = f"{base}-{number}"
            number += 1
        self._next[language, base] = number
        self._taken.add((language, slug))
        return slug
