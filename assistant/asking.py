"""The mission in one function: answer from passages with a confidence, or say that a person has to.

`decide` is free of effects: evaluation and benchmark run exactly what customers get.
`assistant.services` stores what came out. It does not decide what may be seen (knowledge's gate does) nor
what to do with a ticket.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import Protocol

from assistant.calibration.store import in_force
from assistant.confidence import Confidence, SiteCalibration, assess
from assistant.models import Stage, TicketReason
from assistant.writers import (
    AnswerWriter,
    Audience,
    Draft,
    Rewriter,
    Rewriting,
    WriterUnavailable,
    get_writer,
    joined,
    listener,
    no_stand_ins,
    patience,
    told_to,
)
from knowledge.followups import together
from knowledge.models import Language, Reader
from knowledge.retrieval import PASSAGES, Retrieval, RetrievedPassage, retrieve, translation_of

WRITING_SECONDS = (
    8.5  # from the beginning of a decision on; a model that has not written by then is not waited for
)
_SHORTEST_PART = 3  # words; what is shorter is no question of its own
_LEANS = 0.5  # share of the conversation in what was found, from which on a question is not one of its own
_MOST_PARTS = (
    3  # each is looked for by itself: a message of two hundred would keep a thread for half a minute
)
# Two questions in one message: where a sentence ends in a question mark, or where one begins after "and".
_PARTS = re.compile(
    r"(?<=\?)\s+|,?\s+(?:und|and)\s+(?=(?:wie|was|wo|wann|warum|wer|welche[rsnm]?|wieso|kann|darf|muss|gibt|how|what|where"
    r"|when|why|who|which|can|do|does|is|are|may|must|should)\b)",
    re.IGNORECASE,
)


class Retriever(Protocol):
    """As `knowledge.retrieval.retrieve`; evaluation in memory brings one of its own."""

    def __call__(
        self,
        question: str,
        *,
        language: str,
        article_language: str | None = None,
        user: Reader = None,
        history: Sequence[str] = (),
        excluded_article_ids: Collection[int] = frozenset(),
        only_article_ids: Collection[int] | None = None,
    ) -> Retrieval: ...


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
    rewriting: Rewriting | None = None  # None: no model was asked what the question leans on

    @property
    def passages(self) -> Sequence[RetrievedPassage]:
        return self.retrieval.passages


def nobody_waits(stage: Stage) -> None:
    pass


@dataclass(frozen=True)
class _Found:
    retrieval: Retrieval
    confidence: Confidence

    @property
    def first_article(self) -> int | None:
        return self.retrieval.article_ids[0] if self.retrieval.article_ids else None


@dataclass(frozen=True)
class Desk:
    """What questions are answered with: this site's articles and calibration, or others that are only tried.

    Without `site` the threshold is the confidence model's own; without `writer` the one that is set writes.
    """

    retriever: Retriever
    site: SiteCalibration | None = None
    translation_of: Callable[[int, str], int | None] = translation_of
    writer: AnswerWriter | None = None
    threshold: float | None = None  # 0..1, in the place of the one in force
    # By what was looked for, of one inquiry: nothing is looked for twice.
    _seen: dict[tuple[object, ...], _Found] = field(default_factory=dict, compare=False)

    def look(
        self, inquiry: Inquiry, article_language: str, *, only_article_ids: tuple[int, ...] | None = None
    ) -> _Found:
        key = (inquiry.text, inquiry.history, article_language, only_article_ids)
        if key not in self._seen:
            retrieval = self.retriever(
                inquiry.text,
                language=inquiry.language,
                article_language=article_language,
                user=inquiry.reader,
                history=inquiry.history,
                excluded_article_ids=inquiry.excluded_article_ids,
                only_article_ids=only_article_ids,
            )
            self._seen[key] = _Found(retrieval, assess(retrieval, self.site))
        found = self._seen[key]
        if self.threshold is None:
            return found
        return replace(found, confidence=replace(found.confidence, threshold=self.threshold))

    def scores(self) -> list[float]:
        """Of all that was found, rising: where a threshold makes a difference."""
        return sorted({one.confidence.score for one in self._seen.values() if one.retrieval.passages})

    def write(self, retrieval: Retrieval) -> Draft | None:
        """Raises WriterUnavailable."""
        return (self.writer or get_writer()).write(retrieval)

    def rewriter(self) -> Rewriter | None:
        """Who makes a question of its own from a follow-up; None where whoever writes here does not."""
        writer = self.writer or get_writer()
        return writer if isinstance(writer, Rewriter) else None

    def cleared(self) -> "Desk":
        """For the next inquiry."""
        return replace(self, _seen={})


def desk_of_site() -> Desk:
    """What a customer's question meets now."""
    return Desk(retrieve, in_force())


@patience(WRITING_SECONDS)
def decide(
    inquiry: Inquiry,
    desk: Desk | None = None,
    *,
    on_stage: Callable[[Stage], None] = nobody_waits,
    audience: Audience | None = None,
) -> Decision:
    """At this site's desk, or at another.

    `on_stage` hears what is being done, and `audience` what is written, for whoever waits; they change nothing.
    """
    on_stage(Stage.SEARCHING)
    desk = (desk or desk_of_site()).cleared()
    try:
        inquiry, rewriting = _standalone(inquiry, desk)
    except WriterUnavailable:  # the rules' way is there
        rewriting = None
    parts, whole = _parts_and_whole(inquiry, desk)
    on_stage(Stage.CHECKING)
    if parts or _is_enough(whole):
        on_stage(Stage.WRITING)
    with told_to(audience):
        made = _joined(parts, whole, desk, _decision) if parts else _decision(whole, desk)
    return replace(made, rewriting=rewriting)


def wordings(inquiry: Inquiry) -> list[str]:
    """Every text that `decide` may ask the model to read for it, in the language of the inquiry."""
    found = [
        wording
        for one in (inquiry, *_parts(inquiry))
        for wording in (one.text, together(one.text, one.history))
        if wording
    ]
    return list(dict.fromkeys(found))


@no_stand_ins()
def candidates(inquiry: Inquiry) -> list[Decision]:
    """What `decide` would answer at every threshold there may be, the lowest first.

    A calibration looks at all of them at once: at each, the first of these whose `confidence.raw` reaches it is the
    answer. Raises WriterUnavailable.
    """
    desk = Desk(retrieve)
    inquiry, rewriting = _standalone(inquiry, desk)
    desk = desk.cleared()  # what was looked at for the sake of that is no answer to choose from
    for each in (inquiry, *_parts(inquiry)):
        for article_language in _own_first(inquiry):
            desk.look(each, article_language)
    steps: dict[tuple[int, ...], tuple[float, list[_Found], _Found]] = {}
    for threshold in desk.scores():
        parts, whole = _parts_and_whole(inquiry, replace(desk, threshold=threshold))
        if parts or _is_enough(whole):
            # The same as one step below: it holds up to here.
            steps[tuple(id(one.retrieval) for one in parts or [whole])] = (threshold, parts, whole)
    decisions = []
    for threshold, parts, whole in sorted(steps.values(), key=lambda step: step[0]):
        made = _joined(parts, whole, desk, _written) if parts else _written(whole, desk)
        confidence = replace(made.confidence, raw=threshold)
        decisions.append(replace(made, confidence=confidence, rewriting=rewriting))
    return decisions


def _standalone(inquiry: Inquiry, desk: Desk) -> tuple[Inquiry, Rewriting | None]:
    """A question that leans on the conversation, made one of its own where a model writes here and can.

    What was found says whether it leans: nobody pays for a model where the question is understood alone. Raises
    WriterUnavailable.
    """
    rewriter = desk.rewriter() if inquiry.history else None
    if rewriter is None or _found(inquiry, desk).retrieval.history < _LEANS:
        return inquiry, None
    rewriting = rewriter.rewritten(inquiry.text, inquiry.history, inquiry.language)
    if not rewriting.text:
        return inquiry, rewriting
    return replace(inquiry, text=rewriting.text, history=()), rewriting


def _parts_and_whole(inquiry: Inquiry, desk: Desk) -> tuple[list[_Found], _Found]:
    whole = _found(inquiry, desk)
    return _answerable_parts(inquiry, whole, desk), whole


def _is_enough(found: _Found) -> bool:
    return bool(found.retrieval.passages) and found.confidence.is_sufficient


def _decision(found: _Found, desk: Desk) -> Decision:
    try:
        return _written(found, desk)
    except WriterUnavailable:
        return Decision(found.retrieval, found.confidence, reason=TicketReason.WRITER_UNAVAILABLE)


def _written(found: _Found, desk: Desk) -> Decision:
    """Raises WriterUnavailable."""
    retrieval, confidence = found.retrieval, found.confidence
    if not retrieval.passages:
        return Decision(retrieval, confidence, reason=TicketReason.NO_PASSAGES)
    if not confidence.is_sufficient:
        return Decision(retrieval, confidence, reason=TicketReason.LOW_CONFIDENCE)
    draft = desk.write(retrieval)
    if draft is None:
        return Decision(retrieval, confidence, reason=TicketReason.UNGROUNDED)
    return Decision(retrieval, confidence, draft=draft)


def _found(inquiry: Inquiry, desk: Desk) -> _Found:
    """The question's own language first; another one only where the own one cannot answer and it can."""
    tried: list[_Found] = []
    for article_language in _own_first(inquiry):
        found = desk.look(inquiry, article_language)
        if found.confidence.is_sufficient:
            return _in_own_language(found, inquiry, desk)
        tried.append(found)
    return next((one for one in tried if one.retrieval.passages), tried[0])


def _own_first(inquiry: Inquiry) -> list[str]:
    return sorted(inquiry.article_languages, key=lambda code: code != inquiry.language)


def _in_own_language(found: _Found, inquiry: Inquiry, desk: Desk) -> _Found:
    """The same from the article's translation where the site links one: what one says, the other says as well.

    The evidence stays that of the article that was found; the passages are chosen in the translation.
    """
    is_own = found.retrieval.article_language == inquiry.language
    if is_own or inquiry.language not in inquiry.article_languages or not found.retrieval.passages:
        return found
    translated = desk.translation_of(found.retrieval.article_ids[0], inquiry.language)
    if translated is None or translated in inquiry.excluded_article_ids:
        return found
    there = desk.look(inquiry, inquiry.language, only_article_ids=(translated,))
    return replace(there, confidence=found.confidence) if there.retrieval.passages else found


def _parts(inquiry: Inquiry) -> list[Inquiry]:
    """The questions in a message of several; a later one may lean on an earlier one as a follow-up does."""
    texts = [text for text in _PARTS.split(inquiry.text) if len(text.split()) >= _SHORTEST_PART]
    if not 2 <= len(texts) <= _MOST_PARTS:
        return []
    said = [f"user: {text}" for text in texts]
    return [
        replace(inquiry, text=text, history=(*inquiry.history, *said[:number]))
        for number, text in enumerate(texts)
    ]


def _answerable_parts(inquiry: Inquiry, whole: _Found, desk: Desk) -> list[_Found]:
    """What was found for each question in a message of several, where each can be answered from another article."""
    parts = [_found(part, desk) for part in _parts(inquiry)]
    if not parts:
        return []
    articles = {part.first_article for part in parts}
    if len(articles) < 2 or not all(part.confidence.is_sufficient for part in parts):
        return []
    return parts if whole.first_article in articles or not whole.confidence.is_sufficient else []


def _joined(
    parts: Sequence[_Found], whole: _Found, desk: Desk, write: Callable[[_Found, Desk], Decision]
) -> Decision:
    """One answer from several; as sure as its least sure part."""
    decisions = [write(part, desk) for part in parts]
    drafts = [one.draft for one in decisions if one.draft is not None]
    if len(drafts) < len(decisions):
        if (audience := listener()) is not None:
            audience.cleared()
        return write(whole, desk)
    least_sure = min((part.confidence for part in parts), key=lambda confidence: confidence.score)
    first = parts[0].retrieval
    passages: dict[int, RetrievedPassage] = {}
    for passage in chain.from_iterable(zip_longest(*(part.retrieval.passages for part in parts))):
        if passage is not None:
            passages.setdefault(passage.passage_id, passage)
    merged = replace(
        first,
        question=whole.retrieval.question,
        terms=whole.retrieval.terms,
        passages=tuple(
            replace(passage, rank=rank)
            for rank, passage in enumerate(list(passages.values())[:PASSAGES], start=1)
        ),
        article_ids=tuple(dict.fromkeys(key for part in parts for key in part.retrieval.article_ids)),
    )
    return Decision(merged, least_sure, draft=joined(drafts))
