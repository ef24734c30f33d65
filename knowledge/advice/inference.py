"""Sentences of which a cross-encoder says that both cannot be true, where one is configured (`GROUNDING_MODEL`).

Promise: it adds to the rules and takes nothing from them: what they found stays, with what the model makes of it beside
it. Sentences are put to it when they share a good part of their subject, the most alike first, for a few seconds: an
editor waits. Both ways round have to say so, for a model that is surprised by a sentence calls it a contradiction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from knowledge import entailment
from knowledge.advice.findings import Elsewhere, Finding, Kind
from knowledge.advice.neighbours import Pair
from knowledge.advice.statements import Statement, statements_of
from knowledge.entailment import Heard

SECONDS: Final = 3.0  # for one article
_MOST: Final = 48  # pairs of sentences
_LEAST_SHARED: Final = 2  # stems of the subject
_LEAST_ALIKE: Final = 0.3  # Jaccard of the subjects
_LIKELY: Final = 0.8  # probability of a contradiction that is told, 0..1
_RULES: Final = frozenset([Kind.NUMBERS, Kind.NEGATION, Kind.VIEW])


@dataclass(frozen=True)
class Inferred:
    findings: list[Finding]  # those of the rules with what the model says, then its own
    model: str  # empty: none was asked
    heard: Heard


def with_inferences(found: Sequence[Finding], pairs: Sequence[Pair], language: str) -> Inferred:
    findings = list(found)
    if not entailment.tells_contradictions():
        return Inferred(findings, "", Heard.OFF)
    candidates = _candidates(findings, pairs, language)
    likely = _contradictions([(one.quote, one.elsewhere.quote, language) for one in candidates])
    ruled = {_key(one) for one in findings if one.kind in _RULES}
    by_key = {
        (one.quote, one.elsewhere.quote): value
        for one, value in zip(candidates, likely.values, strict=True)
        if value is not None
    }
    findings = [
        replace(one, values={**one.values, "contradiction": round(100 * by_key[_key(one)])})
        if one.kind in _RULES and _key(one) in by_key
        else one
        for one in findings
    ]
    findings.extend(
        Finding(
            Kind.CONTRADICTION,
            one.quote,
            one.elsewhere,
            values={"contradiction": round(100 * value)},
        )
        for one in candidates
        for value in [by_key.get((one.quote, one.elsewhere.quote))]
        if value is not None and value >= _LIKELY and (one.quote, one.elsewhere.quote) not in ruled
    )
    return Inferred(findings, likely.model, likely.heard)


# --- what is put to the model -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    quote: str  # of the article itself
    elsewhere: Elsewhere
    likeness: float  # 0..1


def _candidates(findings: Sequence[Finding], pairs: Sequence[Pair], language: str) -> list[_Candidate]:
    """What the rules found comes first; no two sentences twice."""
    ruled = [
        _Candidate(one.quote, one.other, 1.0)
        for one in findings
        if one.kind in _RULES and one.other is not None
    ]
    others = [
        _Candidate(
            mine.text,
            Elsewhere(pair.other.article_id, pair.other.article.title, theirs.text, pair.similarity),
            likeness,
        )
        for pair in pairs
        for mine in statements_of(pair.own.chunk.text, language)
        for theirs in statements_of(pair.other.text, language)
        for likeness in [_likeness(mine, theirs)]
        if likeness >= _LEAST_ALIKE
    ]
    others.sort(key=lambda one: -one.likeness)
    first: dict[tuple[str, str], _Candidate] = {}
    for one in [*ruled, *others]:
        first.setdefault((one.quote, one.elsewhere.quote), one)
    return list(first.values())[:_MOST]


def _likeness(one: Statement, other: Statement) -> float:
    shared = one.subject & other.subject
    if len(shared) < _LEAST_SHARED or one.text == other.text:
        return 0.0
    return len(shared) / len(one.subject | other.subject)


def _key(finding: Finding) -> tuple[str, str]:
    return finding.quote, finding.other.quote if finding.other is not None else ""


# --- what it says -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Likely:
    values: list[float | None]  # probability of a contradiction, the lower one of both ways; None: not heard
    model: str
    heard: Heard


def _contradictions(texts: Sequence[tuple[str, str, str]]) -> _Likely:
    """`texts`: two sentences and their language."""
    pairs = [entailment.Pair(one, other, frozenset([language])) for one, other, language in texts]
    forth = entailment.infer(pairs, seconds=SECONDS / 2)
    found = [None if one is None else one.contradiction for one in forth.inferences]
    sure = [at for at, value in enumerate(found) if value is not None and value >= _LIKELY]
    turned = [entailment.Pair(pairs[at].hypothesis, pairs[at].premise, pairs[at].languages) for at in sure]
    back = entailment.infer(turned, seconds=SECONDS / 2)
    for at, inference in zip(sure, back.inferences, strict=True):
        first = found[at]
        if inference is None or inference.contradiction is None or first is None:
            found[at] = None
        else:
            found[at] = min(first, inference.contradiction)
    heard = Heard.SOME if sure and back.heard is not Heard.ALL else forth.heard
    return _Likely(found, forth.model, heard)
