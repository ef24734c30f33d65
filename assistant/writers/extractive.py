"""Answers with the articles' own words: the blocks that fit the question, verbatim, each with its citation.

Nothing is generated, so nothing can be invented; what can go wrong is the choice. A list of steps, a table or
a code block is taken whole or not at all; long prose is cut to its best sentences and their neighbours. It
does not decide whether to answer: confidence did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.writers.base import Block, Draft, DraftCitation
from knowledge.blocks import BlockKind, parse_sections
from knowledge.plaintext import table_head
from knowledge.retrieval import Retrieval, RetrievedPassage
from knowledge.sentences import split_sentences
from knowledge.text import terms

ONE_SCREEN = 900  # characters of prose: about what a phone shows without scrolling twice
ADDS_ENOUGH = 0.3  # share of the question's term weight that a further passage must newly cover
FURTHER_PASSAGES = 4  # ranks after the first that may add something
MAX_CITATIONS = 3


@dataclass(frozen=True)
class _Unit:
    """What is never cut: a sentence, or a list, table or code block as a whole."""

    start: int  # character offsets into the passage
    end: int
    gain: float  # weight of the question's terms that it names


class ExtractiveWriter:
    name = "extractive"

    def write(self, retrieval: Retrieval) -> Draft | None:
        weights = _term_weights(retrieval)
        chosen: list[tuple[RetrievedPassage, tuple[int, int]]] = []
        covered: set[str] = set()
        room = ONE_SCREEN
        for passage in retrieval.passages[: 1 + FURTHER_PASSAGES]:
            if chosen and not _adds_enough(passage, weights, covered):
                continue
            span = _best_span(passage, weights, room)
            if span is None:
                continue
            text = passage.text[span[0] : span[1]]
            if chosen and len(text) > room:
                continue
            chosen.append((passage, span))
            covered |= weights.keys() & set(terms(text, passage.language))
            room -= len(text)
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
    """What each term of the question that any article holds is worth: rare terms say more (idf)."""
    if retrieval.article_language != retrieval.question_language:
        return {}
    terms_asked = retrieval.lexical.terms(retrieval.question)
    return {term.term: term.weight * term.idf for term in terms_asked if term.is_known}


def _adds_enough(passage: RetrievedPassage, weights: dict[str, float], covered: set[str]) -> bool:
    total = sum(weights.values())
    if not total:
        return False
    new = (weights.keys() & set(terms(f"{passage.title} {passage.text}", passage.language))) - covered
    return sum(weights[term] for term in new) / total >= ADDS_ENOUGH


def _best_span(passage: RetrievedPassage, weights: dict[str, float], room: int) -> tuple[int, int] | None:
    """The contiguous part of the passage that answers best within `room`; whole units only."""
    units = list(_units(passage, weights))
    if not units:
        return None
    first, last = units[0].start, units[-1].end
    if last - first <= max(room, 1):
        return first, last
    best = max(range(len(units)), key=lambda index: (units[index].gain, -index))
    return _grown(units, best, room)


def _grown(units: Sequence[_Unit], best: int, room: int) -> tuple[int, int]:
    """The best unit with neighbours, the following one first: explanations come after what they explain."""
    low = high = best
    while True:
        following = high + 1 < len(units) and units[high + 1].end - units[low].start <= room
        preceding = low > 0 and units[high].end - units[low - 1].start <= room
        if following and (not preceding or units[high + 1].gain >= units[low - 1].gain):
            high += 1
        elif preceding:
            low -= 1
        else:
            return units[low].start, units[high].end


def _units(passage: RetrievedPassage, weights: dict[str, float]) -> Iterator[_Unit]:
    for section in parse_sections(passage.text):
        for block in section.blocks:
            spans = [(block.start, block.end)]
            if block.kind is BlockKind.PARAGRAPH:
                text = passage.text[block.start : block.end]
                spans = [(block.start + low, block.start + high) for low, high in split_sentences(text)]
            for start, end in spans:
                if passage.text[start:end].strip():
                    named = weights.keys() & set(terms(passage.text[start:end], passage.language))
                    yield _Unit(start, end, sum(weights[term] for term in named))


def _readable(passage: RetrievedPassage, quote: str, start: int) -> str:
    """A continued table needs its header row to be read; it is shown, but not part of the quote."""
    head = table_head(passage.preface) if passage.preface and start == 0 else ""
    return f"{head}\n{quote}" if head else quote
