"""What a writer takes and gives."""

from dataclasses import dataclass
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


class AnswerWriter(Protocol):
    def write(self, retrieval: Retrieval) -> Draft | None:
        """An answer from these passages, or None where they support none. Raises WriterUnavailable."""
        ...
