"""What a writer takes and gives."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, runtime_checkable

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
class CheckedSentence:
    """A sentence that a model proposed, and why it is not shown."""

    text: str
    passage: int | None  # as the model numbered it, 1-based
    quote: str
    problems: tuple[
        tuple[str, str], ...
    ]  # kind (`assistant.grounding.Problem`) and what it is about; empty: shown
    cosine: float | None = None  # -1..1, to its quote
    coverage: float | None = None  # 0..1
    entailment: float | None = None  # 0..1, that it follows from its quote; None: GROUNDING_MODEL did not say


@dataclass(frozen=True)
class Checked:
    """What besides the rules and the embedding model checked the sentences."""

    model: str  # value of GROUNDING_MODEL; empty: none
    heard: str  # `knowledge.entailment.Heard`; of a sentence without a value the others decided alone
    least_entailment: float  # 0..1, below it a sentence was dropped


@dataclass(frozen=True)
class ShownPassage:
    """What the model was given under a number."""

    number: int  # 1-based
    article_id: int
    revision: int
    start: int  # character offsets into the article body
    end: int


@dataclass(frozen=True)
class Generation:
    """How an answer by a model came about: what an auditor asks for."""

    model: str
    prompt: str  # version
    parameters: dict[str, Any]
    question: str  # in the wording that was sent
    passages: tuple[ShownPassage, ...]
    withheld: int = 0  # passages that were not shown to the model, because they speak to it
    reply: str = ""  # of the model, as it came; cut where it is endless
    sentences: tuple[CheckedSentence, ...] = ()
    checked: Checked | None = None  # None: no sentence came to be checked
    stands_in: str = ""  # why the answer is quoted after all; empty: it is the model's
    is_cached: bool = False
    elapsed_ms: int = 0  # of the model alone
    input_tokens: int = 0
    output_tokens: int = 0

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Rewriting:
    """How a follow-up was put to the model to be made a question of its own, and what came of it."""

    model: str
    prompt: str  # version
    question: str  # as it was asked
    text: str = ""  # what was looked for in its place; empty: the rules' way was used
    stands_in: str = ""  # why; empty where `text` is used
    reply: str = ""  # of the model, as it came; cut where it is endless
    elapsed_ms: int = 0  # of the model alone
    input_tokens: int = 0
    output_tokens: int = 0

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Draft:
    blocks: tuple[Block, ...]
    citations: tuple[DraftCitation, ...]
    writer: str
    generations: tuple[Generation, ...] = ()  # one a question that was put to a model

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
    # Where a part is a model's, the whole is not verbatim.
    writer = next((one.writer for one in drafts if one.generations and not one.generations[-1].stands_in), "")
    generations = tuple(one for draft in drafts for one in draft.generations)
    return Draft(tuple(blocks), tuple(citations), writer or drafts[0].writer, generations)


class AnswerWriter(Protocol):
    def write(self, retrieval: Retrieval) -> Draft | None:
        """An answer from these passages, or None where they support none. Raises WriterUnavailable."""
        ...


@runtime_checkable
class Rewriter(Protocol):
    """A writer that can make a question of its own from a follow-up."""

    def rewritten(self, question: str, history: Sequence[str], language: str) -> Rewriting:
        """`history` as `Inquiry` has it. Raises WriterUnavailable."""
        ...


class Audience(Protocol):
    """Who hears an answer while it is written. What is told has passed the check; the rest of it may not."""

    def sentence(self, text: str, citation: DraftCitation) -> None:
        """`text` is plain."""
        ...

    def cleared(self) -> None:
        """What was told belongs to no answer any more: another one begins."""
        ...


# --- how long, what for, and who listens ------------------------------------------------------------------

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
_is_strict: ContextVar[bool] = ContextVar("is_strict", default=False)
_audience: ContextVar[Audience | None] = ContextVar("audience", default=None)


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """For everything that is written for one question, however many parts it has."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left(most: float, *, beyond: float = 0.0) -> float:
    """`beyond`: seconds that may be taken after the deadline, once for all parts of a question."""
    deadline = _deadline.get()
    return most if deadline is None else max(0.0, min(most, deadline + beyond - time.monotonic()))


@contextlib.contextmanager
def no_stand_ins() -> Iterator[None]:
    """What is measured has to be the model's own: where it is away, WriterUnavailable is raised."""
    token = _is_strict.set(True)
    try:
        yield
    finally:
        _is_strict.reset(token)


def wants_no_stand_ins() -> bool:
    return _is_strict.get()


@contextlib.contextmanager
def told_to(audience: Audience | None) -> Iterator[None]:
    token = _audience.set(audience)
    try:
        yield
    finally:
        _audience.reset(token)


def listener() -> Audience | None:
    return _audience.get()
