"""The mission in one function: answer from passages with a confidence, or say that a person has to.

`decide` is free of effects: evaluation and benchmark run exactly what customers get.
`assistant.services` stores what came out. It does not decide what may be seen (knowledge's gate does) nor
what to do with a ticket.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from assistant.calibration.store import in_force
from assistant.confidence import Confidence, SiteCalibration, assess
from assistant.models import Stage, TicketReason
from assistant.writers import Draft, WriterUnavailable, get_writer
from knowledge.models import Language, Reader
from knowledge.retrieval import Retrieval, RetrievedPassage, retrieve


@dataclass(frozen=True)
class Inquiry:
    """A question with what is known about who asks it."""

    text: str
    language: str  # de | en
    reader: Reader = None
    history: tuple[str, ...] = ()  # earlier turns, oldest first: "user: …" / "assistant: …"
    excluded_article_ids: Collection[int] = frozenset()  # evaluation hides the gold with it
    article_languages: Collection[str] = tuple(Language.values)  # evaluation looks at one at a time with it


@dataclass(frozen=True)
class Decision:
    """What the customer gets. Exactly one of `draft` and `reason` is set."""

    retrieval: Retrieval
    confidence: Confidence
    draft: Draft | None = None
    reason: TicketReason | None = None

    @property
    def passages(self) -> Sequence[RetrievedPassage]:
        return self.retrieval.passages


def nobody_waits(stage: Stage) -> None:
    pass


def decide(inquiry: Inquiry, *, on_stage: Callable[[Stage], None] = nobody_waits) -> Decision:
    """`on_stage` hears what is being done, for whoever waits; it changes nothing."""
    on_stage(Stage.SEARCHING)
    retrieval, confidence = _best_retrieval(inquiry, in_force())
    on_stage(Stage.CHECKING)
    if not retrieval.passages:
        return Decision(retrieval, confidence, reason=TicketReason.NO_PASSAGES)
    if not confidence.is_sufficient:
        return Decision(retrieval, confidence, reason=TicketReason.LOW_CONFIDENCE)
    on_stage(Stage.WRITING)
    try:
        draft = get_writer().write(retrieval)
    except WriterUnavailable:
        return Decision(retrieval, confidence, reason=TicketReason.WRITER_UNAVAILABLE)
    if draft is None:
        return Decision(retrieval, confidence, reason=TicketReason.UNGROUNDED)
    return Decision(retrieval, confidence, draft=draft)


def candidates(inquiry: Inquiry) -> list[Decision]:
    """What the articles of each language would be quoted with, were the threshold zero; in the order of `decide`.

    A calibration looks at every threshold at once: at each, the first of these that reaches it is the answer.
    """
    found = []
    for article_language in _own_first(inquiry):
        retrieval, confidence = _best_in(article_language, inquiry, None)
        if retrieval.passages:
            draft = get_writer().write(retrieval)
            reason = TicketReason.UNGROUNDED if draft is None else None
            found.append(Decision(retrieval, confidence, draft=draft, reason=reason))
    return found


def _best_retrieval(inquiry: Inquiry, site: SiteCalibration | None) -> tuple[Retrieval, Confidence]:
    """The question's own language first; another one only where the own one cannot answer and it can."""
    best_of_each = []
    for article_language in _own_first(inquiry):
        best = _best_in(article_language, inquiry, site)
        if best[1].is_sufficient:
            return best
        best_of_each.append(best)
    return next((pair for pair in best_of_each if pair[0].passages), best_of_each[0])


def _own_first(inquiry: Inquiry) -> list[str]:
    return sorted(inquiry.article_languages, key=lambda code: code != inquiry.language)


def _best_in(
    article_language: str, inquiry: Inquiry, site: SiteCalibration | None
) -> tuple[Retrieval, Confidence]:
    tried = [_assessed(wording, article_language, inquiry, site) for wording in _wordings(inquiry)]
    return max(tried, key=lambda pair: pair[1].score)


def _assessed(
    wording: str, article_language: str, inquiry: Inquiry, site: SiteCalibration | None
) -> tuple[Retrieval, Confidence]:
    retrieval = retrieve(
        wording,
        language=inquiry.language,
        article_language=article_language,
        user=inquiry.reader,
        excluded_article_ids=inquiry.excluded_article_ids,
    )
    return retrieval, assess(retrieval, site)


def _wordings(inquiry: Inquiry) -> list[str]:
    """The question, and where one came before, the question with the previous one in front.

    "And for two?" names nothing to search for, and a new topic must not be dragged back to the old one.
    No rule on the words tells the two apart; which wording finds something does.
    """
    earlier = [turn.removeprefix("user:").strip() for turn in inquiry.history if turn.startswith("user:")]
    return [inquiry.text, f"{earlier[-1]} {inquiry.text}"] if earlier else [inquiry.text]
