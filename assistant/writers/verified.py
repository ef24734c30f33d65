"""From what a model proposed to what is shown: sentences that stand on their quotes, and whether they still answer.

Promise: nothing leaves here that `assistant.grounding` did not find supported by a verbatim quote of the passage
that it names; what was dropped comes back with its reasons. Refuses to decide what is shown instead.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings

from assistant.grounding import Claim, Evidence, Problem, check
from assistant.grounding.check import texts_of
from assistant.grounding.inferring import read_with
from assistant.grounding.logic import clauses_of
from assistant.grounding.meaning import EmbeddedMeaning
from assistant.grounding.thresholds import thresholds_for
from assistant.writers.base import Block, Checked, CheckedSentence, DraftCitation, seconds_left
from assistant.writers.replies import LONGEST_SENTENCE, Proposed
from knowledge.entailment import Heard, Inference, Reading
from knowledge.language import detect_language
from knowledge.plaintext import plain_text, table_head
from knowledge.retrieval import RetrievedPassage
from knowledge.units import split_units

_LANGUAGE_TELLS: Final = 40  # characters, from which on a sentence's language is sure
# A dropped sentence that is so much nearer to the question was the answer, and the rest is not.
_WAS_THE_ANSWER: Final = 0.1
_STILL_ON_IT: Final = 0.5  # share of the best passage's nearness to the question that the rest has to have
# Sentences that begin like this say something about the one before them.
_LEANS: Final = re.compile(
    r"(?:however|but|otherwise|instead|therefore|then|this|that|these|those|it|they|he|she|such|also|in that case"
    r"|allerdings|jedoch|aber|sonst|ansonsten|stattdessen|deshalb|daher|dann|dies\w*|das|er|es|auch|dabei|dafür|dazu)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Verified:
    blocks: tuple[Block, ...]
    citations: tuple[DraftCitation, ...]
    sentences: tuple[CheckedSentence, ...]  # all that were proposed
    answers: bool  # whether what is left answers the question
    checked: Checked


def verified(
    proposals: Sequence[Proposed],
    passages: Sequence[RetrievedPassage],
    *,
    question: str,
    language: str,
    meaning: EmbeddedMeaning,
) -> Verified:
    verification = Verification(passages, question=question, language=language, meaning=meaning)
    verification.take(proposals)
    return verification.result()


class Verification:
    """Sentences of one answer, checked as they come. What was found of one is not changed by those behind it."""

    def __init__(
        self,
        passages: Sequence[RetrievedPassage],
        *,
        question: str,
        language: str,
        meaning: EmbeddedMeaning,
    ) -> None:
        self._passages = passages
        self._question = question
        self._language = language
        self._meaning = meaning
        self._sentences: list[CheckedSentence] = []
        self._kept: list[tuple[CheckedSentence, _Place]] = []
        self._said: set[str] = set()
        self._reading_seconds: float = (
            settings.GROUNDING_SECONDS
        )  # left to the cross-encoder, for all of them
        self._heard: list[Checked] = []

    def take(self, proposals: Sequence[Proposed]) -> None:
        """The next ones. Several at a time are read faster than one by one."""
        if not proposals:
            return
        question, language = self._question, self._language
        found = [_placed(one, self._passages) for one in proposals]
        self._meaning.read(_texts(proposals, found, question, language))
        inferences = self._inferred(proposals, found)
        for proposal, place, inference in zip(proposals, found, inferences, strict=True):
            previous = self._sentences[-1] if self._sentences else None
            sentence = _checked(
                proposal, place, question, language, self._meaning, inference, self._said, previous
            )
            self._sentences.append(sentence)
            if not sentence.problems and isinstance(place, _Place):
                self._said.add(proposal.text.casefold())
                self._kept.append((sentence, place))

    @property
    def answers(self) -> bool:
        """Whether what passed so far answers the question."""
        kept = [one for one, _place in self._kept]
        return bool(kept) and _answers(
            self._question, self._language, kept, self._sentences, self._passages, self._meaning
        )

    def passed(self) -> list[tuple[CheckedSentence, DraftCitation]]:
        return list(_cited(self._kept))

    def result(self) -> Verified:
        blocks, citations = _as_blocks(self._kept)
        if not self._heard:
            self._read([])  # what would have checked them
        return Verified(blocks, citations, tuple(self._sentences), self.answers, _all_of(self._heard))

    def _inferred(
        self, proposals: Sequence[Proposed], found: Sequence["_Place | Problem"]
    ) -> list[Inference | None]:
        """Of each sentence what the cross-encoder says; nobody waits longer for it than GROUNDING_SECONDS."""
        placed = [
            (at, Claim(proposal.text, self._language), place.evidence)
            for at, (proposal, place) in enumerate(zip(proposals, found, strict=True))
            if isinstance(place, _Place) and 0 < len(proposal.text) <= LONGEST_SENTENCE
        ]
        began_at = time.monotonic()
        reading = self._read([one[1:] for one in placed])
        self._reading_seconds = max(0.0, self._reading_seconds - (time.monotonic() - began_at))
        inferences: list[Inference | None] = [None] * len(proposals)
        for (at, _claim, _evidence), inference in zip(placed, reading.inferences, strict=True):
            inferences[at] = inference
        return inferences

    def _read(self, claims: Sequence[tuple[Claim, Evidence]]) -> Reading:
        most = self._reading_seconds
        reading = read_with(claims, seconds=seconds_left(most, beyond=most))
        self._heard.append(Checked(reading.model, reading.heard.value, settings.GROUNDING_ENTAILMENT))
        return reading


def _all_of(heard: Sequence[Checked]) -> Checked:
    said = {one.heard for one in heard}
    return replace(heard[-1], heard=said.pop() if len(said) == 1 else Heard.SOME.value)


def escaped(text: str) -> str:
    """Markdown that reads as this plain text: nothing in it becomes a link, a picture, a heading or HTML."""
    text = re.sub(r"([\\`*_\[\]<>#|~&!])", r"\\\1", text)
    return re.sub(r"^(\s*)([-+]|\d+(?=[.)]))", _escaped_marker, text)


def _escaped_marker(found: re.Match[str]) -> str:
    return f"{found[1]}\\{found[2]}" if found[2] in "-+" else f"{found[1]}{found[2]}\\"


# --- where a quote stands ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    passage: RetrievedPassage
    start: int  # character offsets into the passage
    end: int
    evidence: Evidence

    @property
    def quote(self) -> str:
        return self.passage.text[self.start : self.end]


def _placed(proposal: Proposed, passages: Sequence[RetrievedPassage]) -> "_Place | Problem":
    if proposal.passage is None or not 1 <= proposal.passage <= len(passages):
        return Problem.CITATION
    passage = passages[proposal.passage - 1]
    span = _found(proposal.quote, passage.text)
    if span is None:
        return Problem.QUOTE
    start, end = span
    units = [unit for unit in split_units(passage.text) if unit.start < end and start < unit.end]
    whole = (min([start, *(unit.start for unit in units)]), max([end, *(unit.end for unit in units)]))
    frame = [passage.title, *passage.heading_path]
    if passage.preface:
        frame.append(plain_text(table_head(passage.preface)))
    return _Place(
        passage,
        start,
        end,
        Evidence(
            quote=_readable(passage.text[start:end]),
            surroundings=_readable(passage.text[whole[0] : whole[1]]),
            frame="\n".join(frame),
            language=passage.language,
        ),
    )


def _found(quote: str, text: str) -> tuple[int, int] | None:
    """Word for word; white space may differ, which models do not copy."""
    words = quote.split()
    if not words or len(quote) > len(text) + len(words):
        return None
    found = re.search(r"\s+".join(re.escape(word) for word in words), text)
    return found.span() if found else None


def _readable(text: str) -> str:
    return " ".join(plain_text(text, list_markers=False).split())


# --- what is wrong with a sentence ----------------------------------------------------------------------------


def _checked(
    proposal: Proposed,
    place: "_Place | Problem",
    question: str,
    language: str,
    meaning: EmbeddedMeaning,
    inference: Inference | None,
    said: set[str],
    previous: CheckedSentence | None,
) -> CheckedSentence:
    problem: Problem | None = None
    if not proposal.text or len(proposal.text) > LONGEST_SENTENCE or proposal.text.casefold() in said:
        problem = Problem.FORM
    elif isinstance(place, Problem):
        problem = place
    elif (
        len(proposal.text) >= _LANGUAGE_TELLS
        and detect_language(proposal.text, fallback=language) != language
    ):
        problem = Problem.LANGUAGE
    elif previous is not None and previous.problems and _LEANS.match(proposal.text):
        problem = Problem.ORPHAN
    if problem is not None or isinstance(place, Problem):
        kind = problem or Problem.FORM
        return CheckedSentence(
            proposal.text[:2000], proposal.passage, proposal.quote[:2000], ((kind.value, ""),)
        )
    verdict = check(
        Claim(proposal.text, language, question),
        place.evidence,
        meaning,
        thresholds_for(language, place.evidence.language),
        None if inference is None else inference.entailment,
    )
    return CheckedSentence(
        text=proposal.text,
        passage=proposal.passage,
        quote=place.quote,
        problems=tuple((one.problem.value, one.detail) for one in verdict.findings),
        cosine=None if verdict.cosine is None else round(verdict.cosine, 3),
        coverage=round(verdict.coverage, 3),
        entailment=None if verdict.entailment is None else round(verdict.entailment, 3),
    )


def _texts(
    proposals: Sequence[Proposed], found: Sequence["_Place | Problem"], question: str, language: str
) -> list[tuple[str, str]]:
    texts = [(question, language)]
    for proposal, place in zip(proposals, found, strict=True):
        if isinstance(place, _Place):
            texts.extend(texts_of(Claim(proposal.text, language), place.evidence))
    return texts


# --- what is left ---------------------------------------------------------------------------------------------


def _answers(
    question: str,
    language: str,
    kept: Sequence[CheckedSentence],
    proposed: Sequence[CheckedSentence],
    passages: Sequence[RetrievedPassage],
    meaning: EmbeddedMeaning,
) -> bool:
    def nearest(sentences: Sequence[CheckedSentence]) -> float | None:
        values = [meaning.cosine(question, language, one.text, language) for one in sentences]
        return max((one for one in values if one is not None), default=None)

    left = nearest(kept)
    if left is None:  # no model: the words have to do
        asked = {stem for clause in clauses_of(question, language) for stem in clause.stems}
        told = {stem for one in kept for clause in clauses_of(one.text, language) for stem in clause.stems}
        return bool(asked & told)
    lost = nearest([one for one in proposed if one.problems])
    if lost is not None and lost > left + _WAS_THE_ANSWER:
        return False
    best = max((one.cosine for one in passages if one.cosine is not None), default=0.0)
    return left >= _STILL_ON_IT * best


def _as_blocks(
    kept: Sequence[tuple[CheckedSentence, _Place]],
) -> tuple[tuple[Block, ...], tuple[DraftCitation, ...]]:
    """Sentences that follow one another and cite the same quote are one paragraph."""
    blocks: list[Block] = []
    citations: dict[int, DraftCitation] = {}
    for sentence, citation in _cited(kept):
        citations[citation.number] = citation
        text, cited = escaped(sentence.text), (citation.number,)
        if blocks and blocks[-1].citations == cited:
            blocks[-1] = Block(f"{blocks[-1].text} {text}", cited)
        else:
            blocks.append(Block(text, cited))
    return tuple(blocks), tuple(citations.values())


def _cited(
    kept: Sequence[tuple[CheckedSentence, _Place]],
) -> Iterator[tuple[CheckedSentence, DraftCitation]]:
    """Each with its quote; the same quote keeps its number."""
    known: dict[tuple[int, int, int], DraftCitation] = {}
    for sentence, place in kept:
        key = (place.passage.passage_id, place.start, place.end)
        if key not in known:
            start = place.passage.start
            known[key] = DraftCitation(
                len(known) + 1, place.passage, place.quote, start + place.start, start + place.end
            )
        yield sentence, known[key]
