"""Which German stem stands for which English one, from sentence pairs: the word table of `knowledge.dictionary`.

IBM Model 1 (`alignment`) both ways, each with an empty word that takes what has no counterpart. A translation is
kept where both directions know it: what one of them alone believes is mostly a word that was often near. One that the
other direction is sure of counts as well, at a discount: "Rechnung" is "to compute" in most of the pairs, yet "bill"
is hardly anything but "Rechnung".
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from knowledge.german.alignment import Translations as Aligned
from knowledge.german.alignment import align
from knowledge.german.pairs import Pair
from knowledge.text import ENGLISH, GERMAN, is_stopword, stem, words

_EMPTY = 0  # the id of the empty word on the side that explains
_GLOSS = re.compile(r"\s*\([^)]*\)")  # dictionaries explain a headword in brackets; that is not translated


@dataclass(frozen=True)
class Options:
    dictionaries: tuple[str, ...] = ("wiktionary",)  # sources whose pairs count twice
    most: int = 6  # translations of one term
    least: float = 0.05  # probability of a translation
    least_back: float = 0.02  # and of the term, given the translation
    discount: float = (
        0.5  # on the probability of the other direction, where that is what a translation goes by
    )
    least_discounted: float = 0.1  # of it then
    least_seen: int = 2  # pairs (a dictionary's count twice) that a term was in


def learn(
    pairs: Sequence[Pair], options: Options | None = None
) -> dict[str, dict[str, tuple[tuple[str, float], ...]]]:
    """By source language and term: the translations with their probabilities, best first."""
    options = options or Options()
    german: list[list[int]] = []
    english: list[list[int]] = []
    ids: dict[str, dict[str, int]] = {GERMAN: {"": _EMPTY}, ENGLISH: {"": _EMPTY}}
    for pair in pairs:
        is_entry = pair.source in options.dictionaries
        text = (_GLOSS.sub("", pair.english) or pair.english) if is_entry else pair.english
        sides = (_terms(pair.german, GERMAN), _terms(text, ENGLISH))
        if all(sides):
            one, other = (
                [ids[language].setdefault(term, len(ids[language])) for term in found]
                for language, found in zip((GERMAN, ENGLISH), sides, strict=True)
            )
            german.extend([one] * (1 + is_entry))
            english.extend([other] * (1 + is_entry))
    floor = min(options.least, options.least_back)
    into_english = _probabilities(align([[_EMPTY, *row] for row in german], english), floor)
    into_german = _probabilities(align([[_EMPTY, *row] for row in english], german), floor)
    names = {language: list(found) for language, found in ids.items()}
    return {
        GERMAN: _kept(
            into_english, into_german, Counter(chain.from_iterable(german)), names, GERMAN, options
        ),
        ENGLISH: _kept(
            into_german, into_english, Counter(chain.from_iterable(english)), names, ENGLISH, options
        ),
    }


def _terms(text: str, language: str) -> list[str]:
    """Distinct stems that can have a translation: numbers, codes and single letters are the same in both."""
    found = (word for word in words(text, language) if word.isalpha() and len(word) > 1)
    return list(dict.fromkeys(stem(word, language) for word in found if not is_stopword(word, language)))


def _probabilities(aligned: Aligned, floor: float) -> dict[tuple[int, int], float]:
    """p(explained | explaining) from `floor` on, by (explaining, explained); `align` calls the first one German."""
    kept = aligned.probability >= floor
    cells = zip(aligned.german[kept].tolist(), aligned.english[kept].tolist(), strict=True)
    return dict(zip(cells, aligned.probability[kept].tolist(), strict=True))


def _kept(
    forth: dict[tuple[int, int], float],
    back: dict[tuple[int, int], float],
    seen: Counter[int],
    names: dict[str, list[str]],
    language: str,
    options: Options,
) -> dict[str, tuple[tuple[str, float], ...]]:
    own, others = names[language], names[ENGLISH if language == GERMAN else GERMAN]
    found: dict[int, dict[int, float]] = {}
    for (source, target), probability in forth.items():
        if probability >= options.least and back.get((target, source), 0.0) >= options.least_back:
            found.setdefault(source, {})[target] = probability
    for (target, source), probability in back.items():
        discounted = options.discount * probability
        if discounted >= options.least_discounted and target != _EMPTY:
            known = found.setdefault(source, {})
            known[target] = max(known.get(target, 0.0), discounted)
    return {
        own[source]: tuple(
            (others[target], probability)
            for target, probability in sorted(
                entries.items(), key=lambda entry: (-entry[1], others[entry[0]])
            )[: options.most]
        )
        for source, entries in found.items()
        if source != _EMPTY and seen[source] >= options.least_seen
    }
