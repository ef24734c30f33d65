"""Advice on an article before customers read it: what it repeats, contradicts, promises and leads to.

    for finding in advise(article).findings: ...  # with the model: other articles as well
    for finding in check_wording(article): ...    # without

Promise: advice, not a wall; every finding shows what it means. Nothing is stored.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from knowledge.advice.findings import SERIOUS, Elsewhere, Finding, Kind
from knowledge.advice.inference import with_inferences
from knowledge.advice.neighbours import Pair, near_pairs, pairs_between, planned_passages
from knowledge.advice.statements import disagreement, statements_of
from knowledge.advice.wording import check_wording
from knowledge.entailment import Heard
from knowledge.models import Article
from knowledge.plaintext import plain_text
from knowledge.text import terms

__all__ = ["SERIOUS", "Advice", "Elsewhere", "Finding", "Kind", "advise", "check_wording"]

_COMPARED: Final = 0.5  # cosine from which two passages may speak of the same
_SHINGLE: Final = 4  # stems in a row
_SAME: Final = 0.8  # share of the shorter one's shingles that the other one has
_OVERLAP: Final = 0.4
_COMMON: Final = 0.3  # of the passages compared: what they all speak of tells none apart
_FEW_TEXTS: Final = 8
_MAX_PAIRS: Final = 12  # findings of each kind


@dataclass(frozen=True)
class Advice:
    findings: list[Finding]  # the serious ones first
    model: str = ""  # value of GROUNDING_MODEL where it took part, or should have
    heard: Heard = Heard.OFF  # of the model; where it was not, rules alone looked for contradictions


def advise(article: Article, *, beside: Sequence[Article] = (), replaced: Collection[int] = ()) -> Advice:
    """Raises EmbedderUnavailable.

    `beside` are others that are about to be published with it, in texts that are not stored; `replaced` are articles
    whose stored texts count no more.
    """
    passages = planned_passages(article)
    pairs = near_pairs(article, passages, at_least=_COMPARED, replaced=replaced)
    same_language = [other for other in beside if other.language == article.language]
    pairs += pairs_between(passages, same_language, at_least=_COMPARED)
    inferred = with_inferences(_compared(pairs, article.language), pairs, article.language)
    found = [*inferred.findings, *check_wording(article)]
    return Advice(sorted(found, key=lambda finding: not finding.is_serious), inferred.model, inferred.heard)


def _compared(pairs: list[Pair], language: str) -> list[Finding]:
    found: list[Finding] = []
    told: set[tuple[Kind, str, int]] = set()
    counts: dict[Kind, int] = {}
    common = _common_stems(pairs, language)
    for pair in pairs:
        for finding in _of_pair(pair, language, common):
            assert finding.other is not None
            key = (finding.kind, finding.quote, finding.other.article_id)
            counts[finding.kind] = counts.get(finding.kind, 0) + (key not in told)
            if key not in told and counts[finding.kind] <= _MAX_PAIRS:
                told.add(key)
                found.append(finding)
    return found


def _of_pair(pair: Pair, language: str, common: frozenset[str]) -> list[Finding]:
    other = pair.other

    def elsewhere(quote: str) -> Elsewhere:
        return Elsewhere(other.article_id, other.article.title, quote, pair.similarity)

    share = _shared(pair.own.chunk.text, other.text, language)
    if share >= _SAME:
        return [Finding(Kind.DUPLICATE, pair.own.chunk.text, elsewhere(other.text), values={"share": share})]
    found = [
        Finding(kind, mine.text, elsewhere(theirs.text), detail=detail)
        for mine in statements_of(pair.own.chunk.text, language)
        for theirs in statements_of(other.text, language)
        for kind, detail in [disagreement(mine, theirs, common=common) or (None, "")]
        if kind is not None
    ]
    if share >= _OVERLAP and not found:
        found.append(
            Finding(Kind.OVERLAP, pair.own.chunk.text, elsewhere(other.text), values={"share": share})
        )
    return found


def _common_stems(pairs: list[Pair], language: str) -> frozenset[str]:
    texts = {pair.own.chunk.text for pair in pairs} | {pair.other.text for pair in pairs}
    if len(texts) < _FEW_TEXTS:
        return frozenset()
    held = Counter(stem for text in texts for stem in set(terms(plain_text(text), language)))
    return frozenset(stem for stem, count in held.items() if count > _COMMON * len(texts))


def _shared(one: str, other: str, language: str) -> float:
    mine, theirs = _shingles(one, language), _shingles(other, language)
    smaller = min(len(mine), len(theirs))
    return len(mine & theirs) / smaller if smaller >= 5 else 0.0


@lru_cache(maxsize=500)
def _shingles(text: str, language: str) -> set[tuple[str, ...]]:
    stems = terms(plain_text(text, list_markers=False), language)
    return {tuple(stems[start : start + _SHINGLE]) for start in range(len(stems) - _SHINGLE + 1)}
