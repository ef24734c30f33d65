"""What a check found: advice for an editor, never a wall."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    NUMBERS = "numbers"
    NEGATION = "negation"
    VIEW = "view"
    CONTRADICTION = "contradiction"  # says a cross-encoder, and no rule
    LINK = "link"
    ANCHOR = "anchor"
    LONG_PARAGRAPH = "long_paragraph"
    LONG_SENTENCES = "long_sentences"
    HARD_TO_READ = "hard_to_read"
    TRANSLATION = "translation"
    BOILERPLATE = "boilerplate"
    REPEATED = "repeated"


# Those that a customer could be told something wrong by.
SERIOUS = frozenset([Kind.DUPLICATE, Kind.NUMBERS, Kind.NEGATION, Kind.VIEW, Kind.CONTRADICTION, Kind.LINK])


@dataclass(frozen=True)
class Elsewhere:
    article_id: int
    title: str
    quote: str
    similarity: float | None = None  # cosine of the two passages, -1..1


@dataclass(frozen=True)
class Finding:
    kind: Kind
    quote: str  # of the article itself, to show; empty: the article as a whole
    other: Elsewhere | None = None
    detail: str = ""  # what differs, or where a link leads; for people
    values: dict[str, object] = field(default_factory=dict)  # figures for the sentence

    @property
    def is_serious(self) -> bool:
        return self.kind in SERIOUS
