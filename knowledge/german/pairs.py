"""Reads sentence pairs: one `source<TAB>English<TAB>German` per line, UTF-8, plain or gzip."""

import gzip
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path


class BadPairsFile(Exception):
    """Names file, line and what a line has to look like."""


@dataclass(frozen=True, slots=True)
class Pair:
    source: str  # where it comes from, e.g. "gnome_user_docs"; its licence follows from that
    english: str
    german: str


def read_pairs(
    path: Path, *, only: Collection[str] | None = None, without: Collection[str] = frozenset()
) -> list[Pair]:
    """The pairs in the order of the file, of the sources asked for. Raises BadPairsFile."""
    pairs: list[Pair] = []
    seen: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 3 or not all(field.strip() for field in fields):
            raise BadPairsFile(
                f"{path}, line {number}: a line is source, English and German with tabs between, none empty; "
                f"found {len(fields)} fields in {line[:60]!r}."
            )
        pair = Pair(*(field.strip() for field in fields))
        seen.add(pair.source)
        if pair.source not in without and (only is None or pair.source in only):
            pairs.append(pair)
    unknown = sorted((set(only or ()) | set(without)) - seen)
    if unknown:
        raise BadPairsFile(
            f"{path} has no source {', '.join(unknown)}. It has: {', '.join(sorted(seen)) or 'no pairs'}."
        )
    return pairs


def _lines(path: Path) -> Iterator[str]:
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as stream
        ):
            yield from stream
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise BadPairsFile(f"{path}: cannot be read as UTF-8 text ({error}).") from error
