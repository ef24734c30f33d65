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
        self._made: list[int] = []
        self._ids: dict[tuple[str, int | None, str], int] = {
            (language, parent, name): number
            for language, parent, name, number in Category.objects.order_by("-pk").values_list(
                "language", "parent_id", "name", "pk"
            )
        }

    def place(
        self, language: str, path: tuple[str, ...], *, create: bool, slugs: tuple[str, ...] = ()
    ) -> int | None:
        """The id of the innermost category of a path; None for an empty path. `slugs` are wanted for new ones."""
        parent: int | None = None
        for number, name in enumerate(path):
            key = (language, parent, name)
            if key not in self._ids:
                if not create:
                    return TO_BE_MADE
                self._ids[key] = self._create(
                    language, parent, name, slugs[number] if number < len(slugs) else ""
                )
            parent = self._ids[key]
        return parent

    def take_made(self) -> list[int]:
        """The ids of the categories that were made since the last call, outermost first."""
        made, self._made = self._made, []
        return made

    def _create(self, language: str, parent: int | None, name: str, wanted: str) -> int:
        for is_last_try in (False, True):
            slug = self._slugs.claim(language, name, wanted=wanted)
            try:
                with transaction.atomic():
                    made = Category.objects.create(
                        name=name, slug=slug, language=language, parent_id=parent
                    ).pk
                self._made.append(made)
                return made
            except IntegrityError:
                # Somebody made a category with this slug since the run began.
                if is_last_try:
                    raise
                self._slugs.reload()
        raise AssertionError("unreachable")
