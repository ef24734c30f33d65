"""Is a sentence supported by the quote that it cites?

Promise: pure, given the meaning of texts (`assistant.grounding.meaning`); every reason why a sentence is not supported
is named. What a sentence states exactly must stand in the quote: numbers with their units, dates, addresses, names
(those may also stand in the article's title). What turns a statement around or narrows it must stand in both: a quote
that was cut off in front of its "not" is read with the whole sentence around it. The rest has to mean the same: each
clause shares its words with the quote or is near to it in meaning, and each new word is near to one of the quote's.

Refuses to decide what is done with a sentence that is not supported (`assistant.writers.verified`), and whether what
the article says is true.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from assistant.grounding.facts import Facts, Quantity, facts_of
from assistant.grounding.logic import (
    Clause,
    Mark,
    Marked,
    clauses_of,
    is_negation_of,
    opposites,
    sentences_of,
)
from assistant.grounding.names import addresses_of, names_of
from assistant.grounding.words import Words, folded_words
from knowledge.sentences import split_sentences
from knowledge.text import stem


class Problem(StrEnum):
    """Why a sentence is not shown. The first five are found before the quote is read with it."""

    FORM = "form"  # no text, too long, said before
    CITATION = "citation"  # no passage has that number
    QUOTE = "quote"  # it does not stand in that passage
    LANGUAGE = "language"  # not that of the question
    ORPHAN = "orphan"  # it leans on a sentence that was dropped
    ADDRESS = "address"
    NUMBER = "number"
    UNIT = "unit"
    DATE = "date"
    NAME = "name"
    NEGATION = "negation"
    CONDITION = "condition"
    QUANTIFIER = "quantifier"
    OPPOSITE = "opposite"
    MEANING = "meaning"


@dataclass(frozen=True)
class Finding:
    problem: Problem
    detail: str  # what it is about, as written


@dataclass(frozen=True)
class Claim:
    text: str
    language: str  # de | en
    question: str = ""  # a condition that it asks about need not be said again


@dataclass(frozen=True)
class Evidence:
    quote: str  # plain text
    surroundings: str  # the same with the rest of the sentences that it begins and ends in
    frame: str  # title, headings and table head: they may name things
    language: str  # de | en


@dataclass(frozen=True)
class Thresholds:
    """Measured by `manage.py measure_grounding`."""

    cosine: float  # -1..1, below it a sentence and its quote are about different things
    clause_coverage: (
        float  # 0..1, share of a clause's words that the quote holds, from which on it needs no more
    )
    clause_cosine: float  # -1..1, of a clause that has fewer
    word_cosine: float = -1.0  # -1..1, of a word that the quote lacks to the nearest one that it has


@dataclass(frozen=True)
class Verdict:
    findings: tuple[Finding, ...]
    cosine: float | None  # -1..1; None where no vectors are to be had
    coverage: float  # 0..1, of the clause that has least
    clauses: tuple[
        tuple[float, float | None], ...
    ]  # of each: coverage and, where that was asked for, nearness
    new_words: tuple[tuple[str, float | None], ...]  # that the quote lacks: nearness to the nearest it has

    @property
    def is_supported(self) -> bool:
        return not self.findings


class Meaning(Protocol):
    """Nearness of texts; None: not to be had."""

    def read(self, texts: Iterable[tuple[str, str]]) -> None: ...

    def cosine(self, one: str, one_language: str, other: str, other_language: str) -> float | None: ...


_ALIGNED: Final = 0.5  # share of a clause's words in a sentence, from which on it is about that


def check(claim: Claim, evidence: Evidence, meaning: Meaning, thresholds: Thresholds) -> Verdict:
    clauses = [one for one in clauses_of(claim.text, claim.language) if one.stems or one.marks]
    findings = [
        *_stated_exactly(claim, evidence),
        *_turned_around(claim, clauses, evidence),
    ]
    held = Words(f"{evidence.quote}\n{evidence.frame}", evidence.language)
    coverages = [held.share(one.stems, claim.language) for one in clauses if one.stems]
    near = _nearness(claim.text, claim.language, evidence, meaning)
    telling = [one for one in clauses if one.stems]
    nearnesses = [
        None
        if coverage >= thresholds.clause_coverage
        else _nearness(one.text, claim.language, evidence, meaning)
        for one, coverage in zip(telling, coverages, strict=True)
    ]
    new_words = _new_words(claim, telling, evidence, held, meaning)
    findings.extend(
        Finding(Problem.MEANING, word)
        for word, nearness in new_words
        if nearness is not None and nearness < thresholds.word_cosine
    )
    findings.extend(_means_the_same(claim, telling, coverages, nearnesses, near, thresholds))
    return Verdict(
        tuple(findings),
        near,
        min(coverages, default=0.0),
        tuple(zip(coverages, nearnesses, strict=True)),
        new_words,
    )


# --- what has to stand there exactly ------------------------------------------------------------------------


def _stated_exactly(claim: Claim, evidence: Evidence) -> Iterable[Finding]:
    known = set(addresses_of(evidence.quote))
    yield from (Finding(Problem.ADDRESS, one) for one in addresses_of(claim.text) if one not in known)
    said, quoted = facts_of(claim.text), facts_of(evidence.quote)
    framed = facts_of(evidence.frame)
    for quantity in said.quantities:
        problem = _problem_with(quantity, quoted)
        if problem:
            yield Finding(problem, quantity.text)
    yield from (
        Finding(Problem.UNIT, unit)
        for unit in sorted(said.units - quoted.units - framed.units - {"times", "clock"})
    )
    yield from (Finding(Problem.DATE, one) for one in sorted(said.calendar - quoted.calendar))
    held = Words(f"{evidence.quote}\n{evidence.frame}", evidence.language)
    for name in names_of(claim.text, claim.language):
        if not held.has_name(name, claim.language):
            yield Finding(Problem.NAME, name)


def _problem_with(quantity: Quantity, quoted: Facts) -> Problem | None:
    same = [one for one in quoted.quantities if one.values & quantity.values]
    if not same:
        return Problem.NUMBER
    if quantity.unit and all(one.unit and one.unit != quantity.unit for one in same):
        return Problem.UNIT
    return None


# --- what has to stand in both ------------------------------------------------------------------------------


def _turned_around(claim: Claim, clauses: Sequence[Clause], evidence: Evidence) -> list[Finding]:
    """Each clause against the sentence that has most of its words; of several, the one that fits best."""
    sentences = sentences_of(evidence.surroundings, evidence.language)
    if not sentences:
        return []
    found: list[Finding] = []
    bridges = [Words(sentence.text, evidence.language) for sentence in sentences]
    claimed = _Claimed(claim, clauses)
    for clause in clauses:
        shares = [bridge.share(clause.stems, claim.language) for bridge in bridges]
        best = max(shares)
        aligned = [number for number, share in enumerate(shares) if share >= best - 1e-9]
        outcomes = [
            _differences(clause, claimed, sentences[number], bridges[number], best, evidence)
            for number in aligned
        ]
        mildest = min(outcomes, key=len)
        found.extend(mildest)
    return list(dict.fromkeys(found))


class _Claimed:
    """The whole sentence that a clause is part of."""

    def __init__(self, claim: Claim, clauses: Sequence[Clause]) -> None:
        self.claim = claim
        self.marked = tuple(one for clause in clauses for one in clause.marks)
        self.marks = {one.mark for one in self.marked}
        self.stems = frozenset(one for clause in clauses for one in clause.stems)


def _differences(
    clause: Clause,
    claimed: _Claimed,
    sentence: Clause,
    bridge: Words,
    share: float,
    evidence: Evidence,
) -> list[Finding]:
    language = claimed.claim.language
    is_about_it = share >= _ALIGNED
    found: list[Finding] = []
    has_opposite = _opposite(clause, sentence, language, evidence.language)
    negated = _missing(Mark.NOT, clause, sentence, bridge, language)
    dropped = _dropped(Mark.NOT, clause, claimed, sentence, language, evidence) if is_about_it else None
    if language != evidence.language and sentence.has(Mark.NOT) and Mark.NOT not in claimed.marks:
        dropped = dropped or _text_of(Mark.NOT, sentence)  # few words can be followed across languages
    if has_opposite:
        if not (negated or dropped):  # "not open" is what "closed" says
            found.append(Finding(Problem.OPPOSITE, has_opposite))
    elif negated or dropped:
        found.append(Finding(Problem.NEGATION, negated or dropped or ""))
    for mark in (Mark.ONLY, Mark.EXCEPT, Mark.AT_LEAST, Mark.AT_MOST):
        says_so = sentence.has(mark) or (mark is Mark.ONLY and _ALONE.search(sentence.text))
        if clause.has(mark) and not says_so:
            found.append(Finding(Problem.CONDITION, _text_of(mark, clause)))
        elif is_about_it and (text := _dropped(mark, clause, claimed, sentence, language, evidence)):
            found.append(Finding(Problem.CONDITION, text))
    if clause.has(Mark.IF) and not sentence.has(Mark.IF) and not _WHEN.search(sentence.text):
        found.append(Finding(Problem.CONDITION, _text_of(Mark.IF, clause)))
    if is_about_it and (text := _unconditional(claimed, sentence, evidence)):
        found.append(Finding(Problem.CONDITION, text))
    if clause.has(Mark.ALL) and not sentence.has(Mark.ALL):
        found.append(Finding(Problem.QUANTIFIER, _text_of(Mark.ALL, clause)))
    elif is_about_it and not clause.has(Mark.MAY):
        text = _dropped(Mark.SOME, clause, claimed, sentence, language, evidence)
        if text:
            found.append(Finding(Problem.QUANTIFIER, text))
    for one in (Mark.MUST, Mark.MAY):
        others = {Mark.MUST, Mark.MAY, Mark.SHOULD} - {one}
        if clause.has(one) and not sentence.has(one) and others & {each.mark for each in sentence.marks}:
            found.append(Finding(Problem.CONDITION, _text_of(one, clause)))
    return found


_ALONE: Final = re.compile(r"\b(?:just|sole|alone|allein|einzige?\w*|erst)\b", re.IGNORECASE)
_WHEN: Final = re.compile(
    r"\b(?:when|whenever|once|until|before|after|whether|while|depending|bei|beim|sobald|bis|ob|während|nach|vor"
    r"|je nach)\b",
    re.IGNORECASE,
)


def _missing(mark: Mark, clause: Clause, sentence: Clause, bridge: Words, language: str) -> str | None:
    """A marker of the clause that the sentence does not have in front of the same words."""
    there = [one for one in sentence.marks if one.mark is mark]
    for one in clause.marks:
        if one.mark is not mark:
            continue
        shared = {word for word in one.reach if bridge.has(word, language)}
        covered = {other for word in shared for other in bridge.as_there(word, language)}
        if not there or (shared and not any(other.reach & covered for other in there)):
            return one.text
    return None


def _dropped(
    mark: Mark,
    clause: Clause,
    claimed: _Claimed,
    sentence: Clause,
    language: str,
    evidence: Evidence,
) -> str | None:
    """A marker of the sentence in front of words that the clause says without it."""
    if clause.has(mark):
        return None
    mine = Words("", language, stems=clause.stems)
    for one in sentence.marks:
        if one.mark is not mark:
            continue
        if one.quantity is not None:
            if mark not in claimed.marks and _is_said(one.quantity, claimed.claim):
                return one.text
            continue
        if not one.reach:
            continue
        # Clauses are cut apart by commas, and a shorter sentence has other ones.
        if any(_share_words(one, other, evidence.language, language) for other in claimed.marked):
            continue
        held = [word for word in one.reach if mine.has(word, evidence.language)]
        if len(held) * 2 >= len(one.reach):
            return one.text
    return None


def _is_said(quantity: Quantity, claim: Claim) -> bool:
    return any(
        one.values & quantity.values and (one.unit == quantity.unit or not (one.unit and quantity.unit))
        for one in facts_of(claim.text).quantities
    )


def _share_words(one: Marked, other: Marked, language: str, other_language: str) -> bool:
    mine = Words("", other_language, stems=other.reach)
    return one.mark is other.mark and any(mine.has(word, language) for word in one.reach)


def _unconditional(claimed: _Claimed, sentence: Clause, evidence: Evidence) -> str | None:
    """A condition or an exception of the sentence of which nothing is left, and the question does not name it."""
    for one in sentence.marks:
        if one.mark not in (Mark.IF, Mark.EXCEPT) or not one.reach:
            continue
        if claimed.marks & {Mark.IF, Mark.EXCEPT, Mark.ONLY} or _WHEN.search(claimed.claim.text):
            continue
        mine = Words("", claimed.claim.language, stems=claimed.stems)
        asked = Words(claimed.claim.question, claimed.claim.language)
        named = [word for word in one.reach if asked.has(word, evidence.language)]
        said = [word for word in one.reach if mine.has(word, evidence.language)]
        if len(named) * 2 < len(one.reach) and len(said) < len(one.reach):
            return one.text
    return None


def _opposite(clause: Clause, sentence: Clause, language: str, other_language: str) -> str | None:
    if language != other_language:
        return None
    mine = {stem(word, language): word for word in clause.words}
    theirs = {stem(word, language) for word in sentence.words}
    for one, other in opposites(language):
        for said, quoted in ((one, other), (other, one)):
            if mine.keys() & said and theirs & quoted and not mine.keys() & quoted and not theirs & said:
                return mine[sorted(mine.keys() & said)[0]]
    for word in sorted(clause.words - sentence.words):
        for quoted_word in sentence.words - clause.words:
            if is_negation_of(word, quoted_word, language):
                return word
    return None


def _text_of(mark: Mark, clause: Clause) -> str:
    return next(one.text for one in clause.marks if one.mark is mark)


# --- what has to mean the same --------------------------------------------------------------------------------


def _means_the_same(
    claim: Claim,
    clauses: Sequence[Clause],
    coverages: Sequence[float],
    nearnesses: Sequence[float | None],
    near: float | None,
    thresholds: Thresholds,
) -> Iterable[Finding]:
    # "It lasts three months" is too short to be near to anything, and has no word of its own.
    if near is not None and near < thresholds.cosine and min(coverages, default=0.0) < 1.0:
        yield Finding(Problem.MEANING, f"{near:.2f}")
        return
    if not clauses and near is None:
        yield Finding(Problem.MEANING, claim.text)
    for clause, coverage, nearness in zip(clauses, coverages, nearnesses, strict=True):
        if coverage >= thresholds.clause_coverage:
            continue
        if nearness is None or nearness < thresholds.clause_cosine:
            yield Finding(Problem.MEANING, clause.text)


def _new_words(
    claim: Claim, clauses: Sequence[Clause], evidence: Evidence, held: Words, meaning: Meaning
) -> tuple[tuple[str, float | None], ...]:
    """What a single word put in the place of another one changes is too little for a sentence's vector to show."""
    if claim.language != evidence.language:
        return ()  # the dictionary knows too few of the words
    new = [word for one in clauses for found, word in one.content if not held.has(found, claim.language)]
    if not new:
        return ()
    # Stop words as well: "assist" says what "help" said.
    theirs = sorted({word for word in folded_words(f"{evidence.quote}\n{evidence.frame}") if len(word) > 2})
    meaning.read((word, claim.language) for word in [*new, *theirs])
    values = [
        (word, [meaning.cosine(word, claim.language, other, evidence.language) for other in theirs])
        for word in new
    ]
    return tuple(
        (word, max((one for one in found if one is not None), default=None)) for word, found in values
    )


def _nearness(text: str, language: str, evidence: Evidence, meaning: Meaning) -> float | None:
    """To the quote, or to the one of its sentences that is nearest: a long quote is about more than one thing."""
    values = [meaning.cosine(text, language, one, evidence.language) for one in parts_of(evidence)]
    return max((one for one in values if one is not None), default=None)


def parts_of(evidence: Evidence) -> list[str]:
    spans = split_sentences(evidence.quote)
    parts = [evidence.quote[start:end] for start, end in spans] if len(spans) > 1 else []
    return [evidence.quote, *parts]


def texts_of(claim: Claim, evidence: Evidence) -> Iterable[tuple[str, str]]:
    """What the meaning of may be asked for, with languages: reading many at once is faster."""
    yield claim.text, claim.language
    yield from ((one, evidence.language) for one in parts_of(evidence))
    yield from ((one.text, claim.language) for one in clauses_of(claim.text, claim.language))
