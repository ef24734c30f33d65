"""Answers with the articles' own words: the blocks that fit the question, verbatim, each with its citation.

Nothing is generated, so nothing can be invented; what can go wrong is the choice. A list of steps, a table or
a code block is taken whole or not at all; long prose is cut to its best sentences, in meaning and in words, and their
neighbours. It does not decide whether to answer: confidence did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from assistant.writers.base import Block, Draft, DraftCitation
from knowledge.plaintext import table_head
from knowledge.retrieval import Retrieval, RetrievedPassage
from knowledge.text import terms
from knowledge.units import MOST_VECTORS, split_units

ONE_SCREEN = 1100  # characters of prose: about what a phone shows without scrolling twice
ADDS_ENOUGH = 0.3  # share of the question's term weight that a further passage must newly cover
AS_NEAR = 0.9  # of the best unit's value, from which on a further passage of the same article says as much
FURTHER_PASSAGES = 4  # ranks after the first that may add something
MAX_CITATIONS = 3
_WORDS_COUNT = 0.3  # a unit that names all of the question, against a cosine of 1


@dataclass(frozen=True)
class _Piece:
    """What is never cut: a sentence, or a list, table or code block as a whole."""

    start: int  # character offsets into the passage
    end: int
    gain: float  # how well it fits the question, in meaning and in words


class ExtractiveWriter:
    name = "extractive"

    def write(self, retrieval: Retrieval) -> Draft | None:
        weights = _term_weights(retrieval)
        chosen: list[tuple[RetrievedPassage, tuple[int, int]]] = []
        covered: set[str] = set()
        room = ONE_SCREEN
        best = 0.0
        for passage in retrieval.passages[: 1 + FURTHER_PASSAGES]:
            pieces = _pieces(passage, weights)
            gain = max((piece.gain for piece in pieces), default=0.0)
            if chosen:
                is_as_near = passage.article_id == chosen[0][0].article_id and gain >= AS_NEAR * best
                if not is_as_near and not _adds_enough(passage, weights, covered):
                    continue
            span = _best_span(pieces, room)
            if span is None:
                continue
            text = passage.text[span[0] : span[1]]
            if chosen and len(text) > room:
                continue
            chosen.append((passage, span))
            covered |= weights.keys() & set(terms(text, passage.language))
            room -= len(text)
            best = max(best, gain)
            if len(chosen) == MAX_CITATIONS or room <= 0:
                break
        if not chosen:
            return None
        blocks: list[Block] = []
        citations: list[DraftCitation] = []
        for number, (passage, (start, end)) in enumerate(chosen, start=1):
            quote = passage.text[start:end]
            blocks.append(Block(_readable(passage, quote, start), (number,)))
            citations.append(
                DraftCitation(number, passage, quote, passage.start + start, passage.start + end)
            )
        return Draft(tuple(blocks), tuple(citations), self.name)


def _term_weights(retrieval: Retrieval) -> dict[str, float]:
    """What each term that a word of the question can be found under is worth: rare words say more (idf)."""
    weights: dict[str, float] = {}
    for term in retrieval.terms:
        for form, share in term.forms:
            weights[form] = max(weights.get(form, 0.0), term.weight * term.idf * share)
    return weights


def _adds_enough(passage: RetrievedPassage, weights: dict[str, float], covered: set[str]) -> bool:
    total = sum(weights.values())
    if not total:
        return False
    new = (weights.keys() & set(terms(f"{passage.title} {passage.text}", passage.language))) - covered
    return sum(weights[term] for term in new) / total >= ADDS_ENOUGH


def _best_span(pieces: Sequence[_Piece], room: int) -> tuple[int, int] | None:
    """The contiguous part of the passage that answers best within `room`; whole pieces only."""
    if not pieces:
        return None
    first, last = pieces[0].start, pieces[-1].end
    if last - first <= max(room, 1):
        return first, last
    best = max(range(len(pieces)), key=lambda index: (pieces[index].gain, -index))
    return _grown(pieces, best, room)


def _grown(pieces: Sequence[_Piece], best: int, room: int) -> tuple[int, int]:
    """The best piece with neighbours, the following one first: explanations come after what they explain."""
    low = high = best
    while True:
        following = high + 1 < len(pieces) and pieces[high + 1].end - pieces[low].start <= room
        preceding = low > 0 and pieces[high].end - pieces[low - 1].start <= room
        if following and (not preceding or pieces[high + 1].gain >= pieces[low - 1].gain):
            high += 1
        elif preceding:
            low -= 1
        else:
            return pieces[low].start, pieces[high].end


def _pieces(passage: RetrievedPassage, weights: dict[str, float]) -> list[_Piece]:
    units = split_units(passage.text)
    # Vectors may be of a text with the same words and other markup; then they are not of these units.
    cosines = passage.unit_cosines
    known = cosines if len(cosines) == min(len(units), MOST_VECTORS) else ()
    known += (0.0,) * (len(units) - len(known))
    total = sum(weights.values()) or 1.0
    pieces: list[_Piece] = []
    for _block, members in groupby(
        zip(units, known, strict=True), key=lambda one: (one[0].block, one[0].is_prose and one[0].start)
    ):
        parts = list(members)
        start, end = parts[0][0].start, parts[-1][0].end
        named = weights.keys() & set(terms(passage.text[start:end], passage.language))
        words = sum(weights[term] for term in named) / total
        pieces.append(_Piece(start, end, max(cosine for _unit, cosine in parts) + _WORDS_COUNT * words))
    return pieces


def _readable(passage: RetrievedPassage, quote: str, start: int) -> str:
    """A continued table needs its header row to be read; it is shown, but not part of the quote."""
    head = table_head(passage.preface) if passage.preface and start == 0 else ""
    return f"{head}\n{quote}" if head else quote
