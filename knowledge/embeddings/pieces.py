"""How German text is read: in German word pieces, and in English ones where those know a word better.

The German pieces were learned from documentation, dictionary and everyday sentences. The names of the world, of
products and of people, are broken by them into parts that mean nothing, while the English model knows many of them.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tokenizers import Encoding, Tokenizer

Place = tuple[int, int]  # characters of a text, the end exclusive


class TwoVocabularies:
    """Token ids of German texts: below `borrowed_from` German pieces, from there on English ones.

    A word goes to the vocabulary that needs fewer pieces for it, to the German one where both need as many.
    """

    def __init__(self, german: Tokenizer, english: Tokenizer) -> None:
        """`english` is copied, because who owns it may cut and pad with it."""
        self.german = german
        self.borrowed_from = int(german.get_vocab_size())
        self._english = Tokenizer.from_str(english.to_str())
        self._english.no_truncation()
        self._english.no_padding()
        self._unknown = self._english.token_to_id("[UNK]")

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """With special tokens, nothing cut off."""
        return [[number for number, _place in row] for row in self.read(texts)]

    def places(self, texts: Sequence[str]) -> list[list[Place]]:
        """Where each of `ids` stands in its text; special tokens stand nowhere, (0, 0)."""
        return [[place for _number, place in row] for row in self.read(texts)]

    def read(self, texts: Sequence[str]) -> Iterator[list[tuple[int, Place]]]:
        """Both together."""
        for start in range(0, len(texts), 2000):  # encodings are large: never all of them at once
            part = list(texts[start : start + 2000])
            encodings = self.german.encode_batch(part)
            yield from (self._row(*one) for one in zip(part, encodings, strict=True))

    def _row(self, text: str, encoding: Encoding) -> list[tuple[int, Place]]:
        row: list[tuple[int, Place]] = []
        for word, group in groupby(range(len(encoding.ids)), key=encoding.word_ids.__getitem__):
            numbers = list(group)
            pieces = [(encoding.ids[number], encoding.offsets[number]) for number in numbers]
            if word is not None and len(pieces) > 1:
                start, end = pieces[0][1][0], pieces[-1][1][1]
                pieces = self._borrowed(text[start:end], start, fewer_than=len(pieces)) or pieces
            row.extend(pieces)
        return row

    def _borrowed(self, word: str, start: int, *, fewer_than: int) -> list[tuple[int, Place]]:
        english = self._english.encode(word, add_special_tokens=False)
        if len(english.ids) >= fewer_than or self._unknown in english.ids:
            return []
        return [
            (self.borrowed_from + number, (start + first, start + last))
            for number, (first, last) in zip(english.ids, english.offsets, strict=True)
        ]
