"""The words of one text, looked for from either language: by stem, by meaning in the dictionary, by a shared root."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

from rapidfuzz.fuzz import ratio

from knowledge.dictionary import translations
from knowledge.text import ENGLISH, GERMAN, stem

_LIKELY: Final = 0.06  # probability of a translation that counts
_COGNATE: Final = 80.0  # of 100, how alike two spellings are that are the same word
_SHARED_START: Final = 6  # letters that make two forms of one word


class Words:
    """The words of a text, and whether it holds what a word of either language means."""

    def __init__(self, text: str, language: str, *, stems: Collection[str] = ()) -> None:
        """`stems` stand in for a text of which nothing else is left."""
        self.language = language
        folded = folded_words(text)
        self._folded = frozenset(folded)
        self._stems = frozenset(stems) or frozenset(stem(word, language) for word in folded)

    def share(self, stems: Sequence[str], language: str) -> float:
        """0..1; a clause without words of its own is held by every text."""
        return sum(self.has(one, language) for one in stems) / len(stems) if stems else 1.0

    def has(self, word: str, language: str) -> bool:
        """`word` is a stem of `language`."""
        return bool(self.as_there(word, language)) or any(
            _same_root(word, other) for other in self._stems if language == self.language
        )

    def as_there(self, word: str, language: str) -> frozenset[str]:
        there = _meanings(word, language, self.language) & self._stems
        if language == self.language:
            return there
        # A dictionary made from sentence pairs knows some words in one direction only.
        return there | {other for other in self._stems if word in _meanings(other, self.language, language)}

    def has_name(self, name: str, language: str) -> bool:
        return all(
            part in self._folded
            or self.has(stem(part, language), language)
            or any(len(part) >= 3 and (part in other) for other in self._folded)
            or (language != self.language and self._has_cognate(part))
            for part in folded_words(name)
        )

    def _has_cognate(self, word: str) -> bool:
        """Rekord and record, Mannings and Manning's; never where a digit tells two things apart."""
        word = word.removesuffix("s")
        return (
            len(word) >= 4
            and word.isalpha()
            and any(
                ratio(word, other.removesuffix("s")) >= _COGNATE for other in self._folded if other.isalpha()
            )
        )


@lru_cache(maxsize=5_000)
def folded_words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", text.casefold()))


@lru_cache(maxsize=100_000)
def _meanings(word: str, language: str, into: str) -> frozenset[str]:
    """Stems of `into` that say what a stem says: itself, its translations, or its synonyms by way of the other one."""
    other = GERMAN if language == ENGLISH else ENGLISH
    there = {
        term for term, probability in translations(word, word, language, other) if probability >= _LIKELY
    }
    if into != language:
        return frozenset([word, *there])
    back = {
        term
        for one in there
        for term, probability in translations(one, one, other, language)
        if probability >= 4 * _LIKELY
    }
    return frozenset([word, *back])


def _same_root(one: str, other: str) -> bool:
    """Two forms of one word, or a German compound and its part."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if len(short) >= 5 and (long.startswith(short) or long.endswith(short)):
        return True
    return (
        len(short) > _SHARED_START
        and short[:_SHARED_START] == long[:_SHARED_START]
        and len(long) - len(short) <= 4
    )
