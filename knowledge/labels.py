"""The words of titles and headings, for finding articles while somebody types.

Pure and immutable. Knows unfinished words, parts of compounds and words with a wrong letter; refuses to decide which
article is best.

Method of correction: words at one edit (Damerau 1964: a letter dropped, added, changed or swapped with its
neighbour), as in Norvig's "How to Write a Spelling Corrector".
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# How much of a match it is, 0..1.
_EXACT, _BEGUN, _INSIDE, _MISSPELT = 1.0, 0.8, 0.5, 0.45
_SHORTEST_INSIDE: Final = 4  # letters, for parts of compounds
_SHORTEST_MISSPELT: Final = 5
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzäöüß"
_SPELLED_OUT: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}
)  # who types Kuendigung means it


@dataclass(frozen=True)
class Labels:
    """Articles and passages by row, so that thousands are weighed at once."""

    vocabulary: Sequence[str]  # sorted, umlauts spelled out
    titles: Mapping[str, NDArray[np.int32]]  # word -> rows of articles
    headings: Mapping[str, NDArray[np.int32]]  # word -> rows of passages
    article_ids: NDArray[np.int64]  # by row
    passage_ids: NDArray[np.int64]  # by row, of passages with headings
    article_of: NDArray[np.int32]  # row of the article, by row of the passage

    @classmethod
    def read(cls, rows: Iterable[tuple[int, int, Sequence[str], Sequence[str]]]) -> "Labels":
        """Of passage ids, article ids, and the folded words of title and headings."""
        titles: dict[str, list[int]] = {}
        headings: dict[str, list[int]] = {}
        articles: dict[int, int] = {}  # id -> row
        passages: list[tuple[int, int]] = []  # id, row of the article
        for passage_id, article_id, title, heading in rows:
            if article_id not in articles:
                articles[article_id] = len(articles)
                for word in _spelled_out(title):
                    titles.setdefault(word, []).append(articles[article_id])
            if heading:
                for word in _spelled_out(heading):
                    headings.setdefault(word, []).append(len(passages))
                passages.append((passage_id, articles[article_id]))
        return cls(
            vocabulary=sorted(titles.keys() | headings.keys()),
            titles={word: np.array(places, np.int32) for word, places in titles.items()},
            headings={word: np.array(places, np.int32) for word, places in headings.items()},
            article_ids=np.fromiter(articles, np.int64, len(articles)),
            passage_ids=np.array([passage_id for passage_id, _row in passages], np.int64),
            article_of=np.array([row for _passage_id, row in passages], np.int32),
        )

    def like(self, word: str) -> Iterator[tuple[str, float]]:
        """Known words that the typed one equals, begins, is a part of, or misses by a letter; 0..1 how well."""
        word = word.translate(_SPELLED_OUT)
        begins = list(self._beginning_with(word))
        for known in begins:
            yield known, _EXACT if known == word else _BEGUN
        if len(word) >= _SHORTEST_INSIDE:
            for known in self.vocabulary:
                if word in known and not known.startswith(word):
                    yield known, _INSIDE
        if not begins and len(word) >= _SHORTEST_MISSPELT:
            for near in one_edit_away(word):
                for known in self._beginning_with(near):
                    yield known, _MISSPELT

    def rarity(self, word: str) -> float:
        """1 for a word of hardly any title, 0.3 for one that all have."""
        return 1.0 - 0.7 * len(self.titles.get(word, ())) / max(len(self.article_ids), 1)

    def _beginning_with(self, beginning: str) -> Iterator[str]:
        place = bisect_left(self.vocabulary, beginning)
        while place < len(self.vocabulary) and self.vocabulary[place].startswith(beginning):
            yield self.vocabulary[place]
            place += 1


def _spelled_out(words: Iterable[str]) -> set[str]:
    return {word.translate(_SPELLED_OUT) for word in words}


def one_edit_away(word: str) -> set[str]:
    splits = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    dropped = {left + right[1:] for left, right in splits if right}
    swapped = {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
    changed = {left + letter + right[1:] for left, right in splits if right for letter in _ALPHABET}
    added = {left + letter + right for left, right in splits for letter in _ALPHABET}
    return dropped | swapped | changed | added
