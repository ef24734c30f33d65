"""Words that mean the same on one site: "Abo, Abonnement, Vertrag".

Pure: `read_synonyms` makes them of the groups that editors write (`knowledge.models.SynonymGroup`). It does not
decide what a synonym counts in a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

from knowledge.text import ENGLISH, GERMAN, terms

Phrase = tuple[str, ...]  # stems, in reading order
Alternative = tuple[Phrase, Phrase]  # what stands in the question, what may stand in an article instead

LONGEST_PHRASE: Final = 4  # words that say something


@dataclass(frozen=True)
class Synonyms:
    """By languages of question and articles, and phrase: the other phrases of its groups."""

    _others: dict[tuple[str, str, Phrase], tuple[Phrase, ...]]

    def of(self, asked: Sequence[str], language: str, into: str) -> Iterator[Alternative]:
        """For every phrase in a question, given as its stems in reading order, what its groups hold beside it.

        Both as stems: the phrase of the question's language, the others of `into`, the articles' language.
        """
        if not self._others:
            return
        for length in range(1, LONGEST_PHRASE + 1):
            for start in range(len(asked) - length + 1):
                phrase = tuple(asked[start : start + length])
                for other in self._others.get((language, into, phrase), ()):
                    yield phrase, other


NO_SYNONYMS: Final = Synonyms({})


def split_group(words: str) -> list[str]:
    """The entries of a group as an editor writes it: separated by commas or line breaks."""
    return [entry for part in words.replace("\n", ",").split(",") if (entry := " ".join(part.split()))]


@lru_cache(maxsize=8)
def read_synonyms(groups: tuple[tuple[str, str], ...]) -> Synonyms:
    """From (language, words) of every group; an empty language stands for each that there is."""
    others: dict[tuple[str, str, Phrase], dict[Phrase, None]] = {}
    for language, words in groups:
        codes = (language,) if language else (GERMAN, ENGLISH)
        for code, into in product(codes, codes):
            entries = split_group(words)
            for own in entries:
                phrase = _phrase(own, code)
                meant = (_phrase(other, into) for other in entries if other != own)
                found = others.setdefault((code, into, phrase), {})
                found.update(dict.fromkeys(other for other in meant if other and other != phrase))
    return Synonyms({key: tuple(found) for key, found in others.items() if key[2] and found})


def is_usable(entry: str, language: str) -> bool:
    """Whether an entry is one to `LONGEST_PHRASE` words that say something."""
    return bool(_phrase(entry, language))


def _phrase(entry: str, language: str) -> Phrase:
    """Empty where it says nothing, or more than a phrase does."""
    phrase = tuple(terms(entry, language))
    return phrase if len(phrase) <= LONGEST_PHRASE else ()
