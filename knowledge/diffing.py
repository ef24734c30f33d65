"""What changed between two texts, word by word, for people who read it.

Lines are compared first and words only where lines differ (difflib's Ratcliff–Obershelp matching): a long article costs
no more than its changed paragraphs. Where two lines share little, both are shown whole: a mosaic of single words reads
worse than the two of them. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

_TOKEN: Final = re.compile(r"\s+|\w+|[^\w\s]")
_ALIKE: Final = 0.4  # 0..1, share of matching tokens below which words are not compared
_MOST_TOKENS: Final = 6_000  # of both sides of one difference; the matching is quadratic
_AROUND: Final = 3  # unchanged lines that are shown before and after a difference
_WORTH_FOLDING: Final = 3  # lines


class Mark(StrEnum):
    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True)
class Piece:
    mark: Mark
    text: str


@dataclass(frozen=True)
class Stretch:
    """Some lines in a row."""

    pieces: tuple[Piece, ...]
    is_far: bool = False  # unchanged, and away from what did change

    @property
    def lines(self) -> int:
        return len("".join(piece.text for piece in self.pieces).splitlines())


def compare(old: str, new: str) -> list[Stretch]:
    """The pieces but the new ones make up `old`, the pieces but the gone ones `new`; empty where they are equal."""
    if old == new:
        return []
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    stretches: list[Stretch] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    codes = matcher.get_opcodes()
    for number, (kind, a1, a2, b1, b2) in enumerate(codes):
        if kind == "equal":
            stretches += _around(before[a1:a2], is_first=number == 0, is_last=number == len(codes) - 1)
        else:
            stretches.append(Stretch(tuple(_words("".join(before[a1:a2]), "".join(after[b1:b2])))))
    return stretches


def _around(lines: Sequence[str], *, is_first: bool, is_last: bool) -> Iterable[Stretch]:
    head = 0 if is_first else _AROUND
    tail = len(lines) if is_last else max(head, len(lines) - _AROUND)
    if tail - head < _WORTH_FOLDING:
        tail = head
    for part, is_far in ((lines[:head], False), (lines[head:tail], True), (lines[tail:], False)):
        if part:
            yield Stretch((Piece(Mark.SAME, "".join(part)),), is_far=is_far)


def _words(old: str, new: str) -> list[Piece]:
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    whole = [Piece(mark, text) for mark, text in ((Mark.GONE, old), (Mark.NEW, new)) if text]
    if not before or not after or len(before) + len(after) > _MOST_TOKENS:
        return whole
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return whole
    pieces: list[Piece] = []
    for kind, a1, a2, b1, b2 in matcher.get_opcodes():
        gone, fresh = "".join(before[a1:a2]), "".join(after[b1:b2])
        # A blank between two changed words belongs to the change.
        if kind == "equal" and not (pieces and gone.isspace() and "\n" not in gone):
            pieces.append(Piece(Mark.SAME, gone))
        elif kind == "equal":
            pieces += [Piece(Mark.GONE, gone), Piece(Mark.NEW, fresh)]
        else:
            pieces += [Piece(mark, text) for mark, text in ((Mark.GONE, gone), (Mark.NEW, fresh)) if text]
    return _joined(pieces)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Between two unchanged pieces one that is gone and one that is new, at most."""
    joined: list[Piece] = []
    gone = new = ""
    for piece in [*pieces, Piece(Mark.SAME, "")]:
        match piece.mark:
            case Mark.GONE:
                gone += piece.text
            case Mark.NEW:
                new += piece.text
            case Mark.SAME:
                # What both end with is no difference.
                shared = len(_common_end(gone, new))
                tail = gone[len(gone) - shared :]
                gone, new = gone[: len(gone) - shared], new[: len(new) - shared]
                joined += [Piece(mark, text) for mark, text in ((Mark.GONE, gone), (Mark.NEW, new)) if text]
                gone = new = ""
                same = tail + piece.text
                if joined and joined[-1].mark is Mark.SAME:
                    joined[-1] = Piece(Mark.SAME, joined[-1].text + same)
                elif same:
                    joined.append(Piece(Mark.SAME, same))
    return joined


def _common_end(one: str, other: str) -> str:
    """Of blanks alone; letters that two words share tell nothing."""
    count = 0
    while (
        count < min(len(one), len(other))
        and one[-1 - count] == other[-1 - count]
        and one[-1 - count].isspace()
    ):
        count += 1
    return one[len(one) - count :]
