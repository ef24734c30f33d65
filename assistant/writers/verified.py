"""From what a model proposed to what is shown: sentences that stand on their quotes, and whether they still answer.

Promise: nothing leaves here that `assistant.grounding` did not find supported by a verbatim quote of the passage
that it names; what was dropped comes back with its reasons. Refuses to decide what is shown instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
from knowledge.entailment import Inference
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
    found = [_placed(one, passages) for one in proposals]
    meaning.read(_texts(proposals, found, question, language))
    inferences, checked = _inferred(proposals, found, language)
    sentences: list[CheckedSentence] = []
    kept: list[tuple[CheckedSentence, _Place]] = []
    said: set[str] = set()
    for proposal, place, inference in zip(proposals, found, inferences, strict=True):
        previous = sentences[-1] if sentences else None
        sentence = _checked(proposal, place, question, language, meaning, inference, said, previous)
        sentences.append(sentence)
        if not sentence.problems and isinstance(place, _Place):
            said.add(proposal.text.casefold())
            kept.append((sentence, place))
    blocks, citations = _as_blocks(kept)
    return Verified(
        blocks,
        citations,
        tuple(sentences),
        bool(kept)
        and _answers(question, language, [one for one, _place in kept], sentences, passages, meaning),
        checked,
    )


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


def _inferred(
    proposals: Sequence[Proposed], found: Sequence["_Place | Problem"], language: str
) -> tuple[list[Inference | None], Checked]:
    """Of each sentence what the cross-encoder says; nobody waits longer for it than GROUNDING_SECONDS."""
    placed = [
        (at, Claim(proposal.text, language), place.evidence)
        for at, (proposal, place) in enumerate(zip(proposals, found, strict=True))
        if isinstance(place, _Place) and 0 < len(proposal.text) <= LONGEST_SENTENCE
    ]
    most = settings.GROUNDING_SECONDS
    reading = read_with([one[1:] for one in placed], seconds=seconds_left(most, beyond=most))
    inferences: list[Inference | None] = [None] * len(proposals)
    for (at, _claim, _evidence), inference in zip(placed, reading.inferences, strict=True):
        inferences[at] = inference
    return inferences, Checked(reading.model, reading.heard.value, settings.GROUNDING_ENTAILMENT)


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
    citations: list[DraftCitation] = []
    numbers: dict[tuple[int, int, int], int] = {}
    for sentence, place in kept:
        key = (place.passage.passage_id, place.start, place.end)
        if key not in numbers:
            numbers[key] = len(numbers) + 1
            start = place.passage.start
            citations.append(
                DraftCitation(
                    numbers[key], place.passage, place.quote, start + place.start, start + place.end
                )
            )
        text, cited = escaped(sentence.text), (numbers[key],)
        if blocks and blocks[-1].citations == cited:
            blocks[-1] = Block(f"{blocks[-1].text} {text}", cited)
        else:
            blocks.append(Block(text, cited))
    return tuple(blocks), tuple(citations)
