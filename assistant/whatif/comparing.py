"""Asks one question before and after a change, and says what is different.

Pure but for what the desks read. Both sides are decided by the same `decide` in the same moment, so what differs is
the change. Refuses to decide whether a difference is good: where staff have judged the question, it says how either
outcome stands against that.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from assistant.asking import Decision, Desk, decide
from assistant.replays import Difference, Judged
from assistant.whatif.questions import PastQuestion
from knowledge.trial import Change

NOTICEABLE: Final = (
    0.02  # of the confidence: every change moves every figure a little, because words get rarer or not
)
_CLOSEST: Final = 3  # articles, where nothing is answered


@dataclass(frozen=True)
class CitedPlace:
    number: int  # 1-based
    article_id: int
    title: str
    headings: tuple[str, ...]
    quote: str


@dataclass(frozen=True)
class Outcome:
    """What a customer would get, as it is kept and shown."""

    is_answered: bool
    score: float  # 0..1
    threshold: float  # 0..1
    level: str  # ConfidenceLevel
    reason: str = ""  # TicketReason; empty: it is answered
    blocks: tuple[tuple[str, tuple[int, ...]], ...] = ()  # Markdown, numbers of the citations
    citations: tuple[CitedPlace, ...] = ()
    closest: tuple[str, ...] = ()  # titles, where nothing is answered

    @classmethod
    def of(cls, decision: Decision) -> "Outcome":
        confidence, draft = decision.confidence, decision.draft
        titles = dict.fromkeys(passage.title for passage in decision.passages)
        return cls(
            is_answered=draft is not None,
            score=confidence.score,
            threshold=confidence.threshold,
            level=confidence.level,
            reason=decision.reason or "",
            blocks=tuple((one.text, one.citations) for one in draft.blocks) if draft else (),
            citations=tuple(
                CitedPlace(
                    one.number,
                    one.passage.article_id,
                    one.passage.title,
                    one.passage.heading_path,
                    one.quote,
                )
                for one in draft.citations
            )
            if draft
            else (),
            closest=() if draft else tuple(titles)[:_CLOSEST],
        )

    @property
    def text(self) -> str:
        return "\n\n".join(text for text, _numbers in self.blocks)

    @property
    def places(self) -> tuple[tuple[int, tuple[str, ...]], ...]:
        return tuple((one.article_id, one.headings) for one in self.citations)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    question: PastQuestion
    kind: Difference
    before: Outcome
    after: Outcome
    judged_before: str  # Judged; empty: nobody has judged it
    judged_after: str

    @property
    def weight(self) -> tuple[bool, bool, int, float]:
        """What an editor should see first: what staff know to get worse, what customers notice, the kind, how much."""
        got_worse = self.judged_before == Judged.RIGHT and self.judged_after in (Judged.WRONG, Judged.MISSED)
        is_seen = self.before.is_answered or self.after.is_answered
        moved = abs(self.after.score - self.before.score)
        return (not got_worse, not is_seen, list(Difference).index(self.kind), -self.question.times - moved)


@dataclass(frozen=True)
class Judging:
    """How a change bears on what staff have said about questions."""

    new: frozenset[int] = frozenset()  # articles that nobody could name yet, because no customer saw them
    replaced: Mapping[int, int] = field(default_factory=dict)  # article -> the one that its text goes into

    @classmethod
    def of(cls, change: Change, *, live: Collection[int]) -> "Judging":
        """`live` are the articles that customers can have now."""
        published = [article.pk for article in change.published]
        merged = dict.fromkeys(change.withdrawn, published[0]) if len(published) == 1 else {}
        return cls(frozenset(published) - frozenset(live), merged)


def compare(question: PastQuestion, before: Desk, after: Desk, judging: Judging) -> Comparison:
    old, new = Outcome.of(decide(question.inquiry, before)), Outcome.of(decide(question.inquiry, after))
    gold = question.gold
    return Comparison(
        question=question,
        kind=difference(old, new),
        before=old,
        after=new,
        judged_before="" if gold is None else judged(old, gold),
        judged_after="" if gold is None else judged(new, gold, judging),
    )


def difference(before: Outcome, after: Outcome) -> Difference:
    if before.is_answered != after.is_answered:
        return Difference.GAINED if after.is_answered else Difference.LOST
    if before.text != after.text:
        return Difference.CHANGED
    if before.places != after.places:
        return Difference.MOVED
    if before.level != after.level or abs(after.score - before.score) >= NOTICEABLE:
        return Difference.SURER if after.score > before.score else Difference.LESS_SURE
    return Difference.SAME


def judged(outcome: Outcome, gold: frozenset[int], judging: Judging | None = None) -> Judged:
    """By the first citation, as everywhere (`assistant.evaluation`)."""
    judging = judging or Judging()
    if not outcome.is_answered:
        return Judged.MISSED if gold else Judged.RIGHT
    first = outcome.citations[0].article_id
    if first in gold or first in {judging.replaced[pk] for pk in gold & judging.replaced.keys()}:
        return Judged.RIGHT
    return Judged.OPEN if first in judging.new else Judged.WRONG
