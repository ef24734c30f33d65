"""The German that people type: what the training shows the model beside the German that was edited.

Translations are written without typing errors, with every umlaut and in the masculine; questions are not. Each
function gives a variant of a text that means the same, or the text itself where there is nothing to vary.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence

from knowledge.german.wordpieces import CONTINUATION

_WORD = re.compile(r"[^\W\d_]+")
_WITHOUT_UMLAUTS = str.maketrans("äöüÄÖÜ", "aouAOU")
_LEAST_LETTERS = 5  # of a word that is worth a typing error
_PIECE_START, _PIECE_REST = 3, 2  # letters that a piece keeps when it is cut in two
# Keys next to one another on a German keyboard, for the letters most often hit wrongly.
_NEIGHBOURS = {
    "a": "sq", "d": "sf", "e": "wr", "g": "fh", "h": "gj", "i": "uo", "l": "k", "m": "n", "n": "bm",
    "o": "ip", "r": "et", "s": "ad", "t": "rz", "u": "zi", "z": "tu",
}  # fmt: skip


def with_typing_error(text: str, chance: random.Random) -> str:
    """One letter swapped with the next, left out, doubled or replaced by its neighbour on the keyboard."""
    words = [found for found in _WORD.finditer(text) if len(found[0]) >= _LEAST_LETTERS]
    if not words:
        return text
    word = chance.choice(words)
    place = chance.randrange(word.start() + 1, word.end() - 1)
    letter, following = text[place], text[place + 1]
    typed = chance.choice(
        (following + letter, following, letter + letter + following, _neighbour(letter, chance) + following)
    )
    return text[:place] + typed + text[place + 2 :]


def _neighbour(letter: str, chance: random.Random) -> str:
    return chance.choice(_NEIGHBOURS.get(letter.lower(), letter))


def without_umlauts(text: str) -> str:
    """As on a keyboard that has none: "fur", not "fuer", which the tokenizer knows by itself."""
    return text.translate(_WITHOUT_UMLAUTS)


class GenderForms:
    """Replaces "Nutzer" by "Nutzerinnen", which is how the tokenizer reads Nutzer*innen and NutzerInnen too."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Learns from the texts which nouns have a feminine form."""
        words = {word for text in texts for word in _WORD.findall(text)}
        lowered = {word.lower() for word in words}
        self._nouns = {
            word
            for word in words
            if word[0].isupper() and (f"{word.lower()}in" in lowered or f"{word.lower()}innen" in lowered)
        }

    def vary(self, text: str, chance: random.Random) -> str:
        """Every noun for people in one of its feminine forms."""

        def replaced(word: re.Match[str]) -> str:
            return word[0] + chance.choice(("in", "innen")) if word[0] in self._nouns else word[0]

        return _WORD.sub(replaced, text)


class Splits:
    """Cuts a piece in two smaller ones, so that rare compounds are read through their parts.

    Subword regularisation (Kudo 2018), as WordPiece allows it: a single cut where both parts are pieces.
    """

    def __init__(self, pieces: Mapping[str, int]) -> None:
        self._ways: dict[int, list[tuple[int, int]]] = {}
        for piece, number in pieces.items():
            start = CONTINUATION if piece.startswith(CONTINUATION) else ""
            core = piece.removeprefix(CONTINUATION)
            if not core.isalpha():
                continue
            ways = [
                (pieces[start + core[:cut]], pieces[CONTINUATION + core[cut:]])
                for cut in range(_PIECE_START, len(core) - _PIECE_REST + 1)
                if start + core[:cut] in pieces and CONTINUATION + core[cut:] in pieces
            ]
            if ways:
                self._ways[number] = ways

    def apply(self, row: Sequence[int], share: float, chance: random.Random) -> list[int]:
        """The ids of a text with about `share` of its divisible pieces cut."""
        cut: list[int] = []
        for number in row:
            ways = self._ways.get(number)
            if ways and chance.random() < share:
                cut.extend(chance.choice(ways))
            else:
                cut.append(number)
        return cut
