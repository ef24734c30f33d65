"""How German text is read: in German word pieces, and in English ones where those know a word better.

The German pieces were learned from documentation, dictionary and everyday sentences. The names of the world, of
products and of people, are broken by them into parts that mean nothing, while the English model knows many of them.
"""

from collections.abc import Sequence
from itertools import groupby

from tokenizers import Encoding, Tokenizer


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
        rows: list[list[int]] = []
        for start in range(0, len(texts), 2000):  # encodings are large: never all of them at once
            part = list(texts[start : start + 2000])
            encodings = self.german.encode_batch(part)
            rows.extend(self._row(*one) for one in zip(part, encodings, strict=True))
        return rows

    def _row(self, text: str, encoding: Encoding) -> list[int]:
        row: list[int] = []
        for word, group in groupby(range(len(encoding.ids)), key=encoding.word_ids.__getitem__):
            places = list(group)
            pieces = [encoding.ids[place] for place in places]
            if word is not None and len(pieces) > 1:
                written = text[encoding.offsets[places[0]][0] : encoding.offsets[places[-1]][1]]
                pieces = self._borrowed(written, fewer_than=len(pieces)) or pieces
            row.extend(pieces)
        return row

    def _borrowed(self, word: str, *, fewer_than: int) -> list[int]:
        english = self._english.encode(word, add_special_tokens=False).ids
        if len(english) >= fewer_than or self._unknown in english:
            return []
        return [self.borrowed_from + number for number in english]
