"""German words for English ones and the other way round, so that word search crosses languages.

Promise: pure and deterministic; terms in, terms out, as `knowledge.text` stems them. Every entry says how often one
term stood for the other in the sentence pairs it was learned from.

Refuses to decide what a translation is worth in a ranking, and is no dictionary for people: it holds stems.

`german_english.tsv.gz` is written by `manage.py build_dictionary`; docs/model-card.md has its sources and licences.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from knowledge.text import ENGLISH, GERMAN, split_compound

DICTIONARY_FILE: Final = Path(__file__).with_name("german_english.tsv.gz")
_OF_A_PART: Final = 0.5  # what a translation of one part of a compound counts, against one of the whole
_PER_MILLE: Final = 1000

Translations = tuple[tuple[str, float], ...]  # terms with their probability, 0..1, best first
Table = Mapping[str, Translations]


def translations(term: str, word: str, language: str, into: str) -> Translations:
    """What a stem of `language` may be in the other language; of a compound that is not listed, its parts' ones.

    Empty where the dictionary does not know it, or does not know one of the languages.
    """
    table = _tables().get((language, into))
    if table is None:
        return ()
    whole = table.get(term)
    if whole is not None:
        return whole
    return tuple(
        (other, probability * _OF_A_PART)
        for part in split_compound(word, _Known(table), language)
        for other, probability in table.get(part, ())
    )


def is_listed(term: str, language: str) -> bool:
    """Whether a stem is one of the language's words as far as the dictionary goes."""
    return any(term in table for (source, _into), table in _tables().items() if source == language)


def write_dictionary(path: Path, tables: Mapping[str, Table]) -> None:
    """`tables` by source language. Byte for byte the same for the same tables."""
    lines = (
        "\t".join([language, term, *(f"{other}:{round(share * _PER_MILLE)}" for other, share in found)])
        for language in sorted(tables)
        for term, found in sorted(tables[language].items())
    )
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


class _Known(Mapping[str, int]):
    """A table as `split_compound` wants it: every term as frequent as any other."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, term: str) -> int:
        if term not in self._table:
            raise KeyError(term)
        return 1

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


@cache
def _tables() -> Mapping[tuple[str, str], Table]:
    """Read once per process, with the first question that crosses languages (about 0.2 s)."""
    tables: dict[tuple[str, str], dict[str, Translations]] = {(GERMAN, ENGLISH): {}, (ENGLISH, GERMAN): {}}
    with gzip.open(DICTIONARY_FILE, "rt", encoding="utf-8") as stream:
        for line in stream:
            language, term, *found = line.rstrip("\n").split("\t")
            pairs = (entry.rpartition(":") for entry in found)
            tables[language, ENGLISH if language == GERMAN else GERMAN][term] = tuple(
                (other, int(share) / _PER_MILLE) for other, _colon, share in pairs
            )
    return tables
