"""What a writer takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from knowledge.retrieval import Retrieval, RetrievedPassage


class WriterUnavailable(Exception):
    """The writer could not be reached or gave nothing usable. A retry may help; the customer gets a ticket."""


@dataclass(frozen=True)
class DraftCitation:
    number: int  # 1-based
    passage: RetrievedPassage
    quote: str  # verbatim: article body[start:end]
    start: int  # character offsets into the article body
    end: int


@dataclass(frozen=True)
class Block:
    """A piece of the answer that is shown as one: a paragraph, a list of steps, a table."""

    text: str  # Markdown
    citations: tuple[int, ...]  # 1-based numbers


@dataclass(frozen=True)
class Draft:
    blocks: tuple[Block, ...]
    citations: tuple[DraftCitation, ...]
    writer: str

    @property
    def text(self) -> str:
        return "\n\n".join(block.text for block in self.blocks)


def joined(drafts: Sequence[Draft]) -> Draft:
    """One draft of several, in their order; a passage quoted twice in the same words keeps one number."""
    blocks: list[Block] = []
    citations: list[DraftCitation] = []
    for draft in drafts:
        numbers: dict[int, int] = {}
        for citation in draft.citations:
            same = (
                one
                for one in citations
                if (one.passage.passage_id, one.start, one.end)
                == (citation.passage.passage_id, citation.start, citation.end)
            )
            known = next(same, None)
            numbers[citation.number] = known.number if known else len(citations) + 1
            if known is None:
                citations.append(replace(citation, number=len(citations) + 1))
        for block in draft.blocks:
            renumbered = Block(block.text, tuple(numbers[number] for number in block.citations))
            if renumbered not in blocks:
                blocks.append(renumbered)
    return Draft(tuple(blocks), tuple(citations), drafts[0].writer)


class AnswerWriter(Protocol):
    def write(self, retrieval: Retrieval) -> Draft | None:
        """An answer from these passages, or None where they support none. Raises WriterUnavailable."""
        ...
