"""Finds or makes the categories that entries name.

Promise: a category is the one with that name, below that parent, in that language, whoever made it. None is
ever renamed, moved or removed.
"""

from typing import Final

from django.db import IntegrityError, transaction

from knowledge.importers.slugs import SlugBook
from knowledge.models import Category

TO_BE_MADE: Final = 0  # stands for the id of a category in a dry run


class CategoryTree:
    def __init__(self) -> None:
        self._slugs = SlugBook(Category, fallback="category")
        self._ids: dict[tuple[str, int | None, str], int] = {
            (language, parent, name): number
            for language, parent, name, number in Category.objects.order_by("-pk").values_list(
                "language", "parent_id", "name", "pk"
            )
        }

    def place(self, language: str, path: tuple[str, ...], *, create: bool) -> int | None:
        """The id of the innermost category of a path; None for an empty path."""
        parent: int | None = None
        for name in path:
            key = (language, parent, name)
            if key not in self._ids:
                if not create:
                    return TO_BE_MADE
                self._ids[key] = self._create(language, parent, name)
            parent = self._ids[key]
        return parent

    def _create(self, language: str, parent: int | None, name: str) -> int:
        for is_last_try in (False, True):
            slug = self._slugs.claim(language, name)
            try:
                with transaction.atomic():
                    return Category.objects.create(
                        name=name, slug=slug, language=language, parent_id=parent
                    ).pk
            except IntegrityError:
                # Somebody made a category with this slug since the run began.
                if is_last_try:
                    raise
                self._slugs.reload()
        raise AssertionError("unreachable")
