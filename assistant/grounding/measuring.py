"""What the grounding check is worth: sentences that are true of a quote, and the same made false by rule.

Reads labelled sets from their folders; keeps nothing. Thresholds are chosen on all sets but the one that is reported
(leave one out), so that no figure is of texts that chose it.
"""

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from assistant.grounding.alterations import FALSE, TRUE, Source
from assistant.grounding.check import Claim, Evidence, Thresholds, Verdict, check, texts_of
from assistant.grounding.meaning import EmbeddedMeaning
from assistant.grounding.names import names_of
from knowledge.plaintext import plain_text
from knowledge.sentences import split_sentences
from knowledge.units import split_units

SHORTEST, LONGEST = 6, 45  # words of a sentence that is worth altering
ACROSS = "translated"  # kinds of true sentences that are in another language than their quote
MOST_WRONGLY_DROPPED = 0.03  # of the true ones, on the sets that choose thresholds
MORE_WRONGLY_DROPPED = 0.02  # than the exact rules do, where those drop more by themselves


@dataclass(frozen=True)
class Case:
    set_name: str
    kind: str
    is_true: bool
    claim: Claim
    evidence: Evidence


@dataclass(frozen=True)
class Judged:
    case: Case
    verdict: Verdict  # of the exact rules: every nearness passed

    def is_dropped(self, thresholds: Thresholds) -> bool:
        """As `check` decides with these thresholds, without doing it again."""
        verdict = self.verdict
        if not verdict.is_supported:
            return True
        is_near = verdict.cosine is None or verdict.cosine >= thresholds.cosine
        if not is_near and verdict.coverage < 1.0:
            return True
        if any(near is not None and near < thresholds.word_cosine for _word, near in verdict.new_words):
            return True
        return any(
            coverage < thresholds.clause_coverage and (near is None or near < thresholds.clause_cosine)
            for coverage, near in verdict.clauses
        )


@dataclass(frozen=True)
class Row:
    """Of one kind of sentence, or of all."""

    kind: str
    is_true: bool
    sentences: int
    dropped: int

    @property
    def share(self) -> float:
        return self.dropped / self.sentences if self.sentences else 0.0


def cases_of(folder: Path, *, most: int, seed: int = 1) -> list[Case]:
    """Of one set (`articles.jsonl`): at most so many of each kind and language."""
    chance = random.Random(f"{folder.name}{seed}")  # noqa: S311 (nothing secret)
    rows = [json.loads(line) for line in (folder / "articles.jsonl").read_text(encoding="utf-8").splitlines()]
    cases: list[Case] = []
    for language in sorted({row["language"] for row in rows}):
        own = [row for row in rows if row["language"] == language]
        cases.extend(_taken(_of_language(own, language, folder.name, chance), most))
    cases.extend(_taken(_across(rows, folder.name), most))
    return cases


def pair_cases(file: Path, *, most: int, seed: int = 1) -> list[Case]:
    """The same from sentence pairs (gzipped TSV, English and German): for what a German sentence under an English
    quote is worth."""
    chance = random.Random(seed)  # noqa: S311
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t")[1:3] for number, line in enumerate(lines) if number % 97 == 0]
    pairs = [
        (english, german)
        for english, german in rows
        if all(SHORTEST <= len(one.split()) <= LONGEST for one in (english, german))
    ]
    chance.shuffle(pairs)
    others = [german for _english, german in pairs]
    found: Iterator[Case] = (
        case
        for english, german in pairs
        for case in _translated(german, english, "", chance.choice(others), file.name)
    )
    return list(_taken(found, most))


def _taken(cases: Iterable[Case], most: int) -> Iterator[Case]:
    counts: dict[str, int] = defaultdict(int)
    for case in cases:
        counts[case.kind] += 1
        if counts[case.kind] <= most:
            yield case


def _of_language(
    rows: Sequence[dict[str, str]], language: str, name: str, chance: random.Random
) -> Iterator[Case]:
    articles = [(row["title"], _prose(row["body"])) for row in rows]
    articles = [(title, sentences) for title, sentences in articles if sentences]
    places = [(number, at) for number, (_title, found) in enumerate(articles) for at in range(len(found))]
    chance.shuffle(places)
    for number, at in places:
        title, sentences = articles[number]
        other = chance.choice([one for one in range(len(articles)) if one != number])
        beside = [one for one in (at - 1, at + 1) if 0 <= one < len(sentences)]
        neighbour = sentences[chance.choice(beside)] if beside else ""
        source = Source(
            text=sentences[at],
            language=language,
            article=number,
            neighbour="" if _is_like(neighbour, sentences[at]) else neighbour,
            stranger=chance.choice(articles[other][1]),
            strange_names=names_of(" ".join(articles[other][1][:20]), language),
        )
        # A model quotes a sentence, or a few at once.
        wide = " ".join(sentences[max(0, at - 1) : at + 2])
        evidence = Evidence(source.text, source.text, title, language)
        for is_true, kinds in ((True, TRUE), (False, FALSE)):
            for kind, alter in kinds.items():
                altered = alter(source, chance)
                if altered is None or (not is_true and altered == source.text):
                    continue
                claim = Claim(altered, language)
                yield Case(name, kind, is_true, claim, evidence)
        if wide != source.text:
            yield Case(
                name,
                "quote of three sentences",
                True,
                Claim(source.text, language),
                replace(evidence, quote=wide, surroundings=wide),
            )


def _across(rows: Sequence[dict[str, str]], name: str) -> Iterator[Case]:
    """Sentences of an article under the quote of its translation, where both have as many sentences."""
    by_key: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows:
        by_key[re.sub(r"^(?:de|en)-", "", row["id"])][row["language"]] = row
    chance = random.Random(name)  # noqa: S311
    for key in sorted(by_key):
        pair = by_key[key]
        if set(pair) != {"de", "en"}:
            continue
        german, english = _prose(pair["de"]["body"], shortest=1), _prose(pair["en"]["body"], shortest=1)
        if len(german) != len(english):
            continue
        for at, (de, en) in enumerate(zip(german, english, strict=True)):
            if not all(SHORTEST <= len(one.split()) <= LONGEST for one in (de, en)):
                continue
            others = [german[one] for one in range(len(german)) if one != at]
            yield from _translated(de, en, pair["en"]["title"], chance.choice(others) if others else "", name)


def _translated(german: str, english: str, title: str, other: str, name: str) -> Iterator[Case]:
    """A German sentence under the English one that it is the translation of."""
    chance = random.Random(german)  # noqa: S311
    source = Source(german, "de", 0, other, other, ())
    evidence = Evidence(english, english, title, "en")
    yield Case(name, f"{ACROSS}: unchanged", True, Claim(german, "de"), evidence)
    for kind in _ACROSS_KINDS:
        altered = FALSE[kind](source, chance)
        if altered and altered != german:
            yield Case(name, f"{ACROSS}: {kind}", False, Claim(altered, "de"), evidence)


_ACROSS_KINDS = (
    "number changed",
    "unit changed",
    "month or weekday changed",
    "negation added",
    "negation removed",
    "limit changed or removed",
    "condition added",
    "neighbour under this quote",
)


def _prose(body: str, *, shortest: int = SHORTEST) -> list[str]:
    found: list[str] = []
    for unit in split_units(body):
        if unit.is_prose:
            text = " ".join(plain_text(body[unit.start : unit.end], list_markers=False).split())
            found.extend(text[start:end] for start, end in split_sentences(text))
    return [
        one
        for one in found
        if (shortest <= len(one.split()) <= LONGEST and one[-1] in '.!?”"') or shortest == 1
    ]


def _is_like(one: str, other: str) -> bool:
    words, others = set(one.casefold().split()), set(other.casefold().split())
    return not words or len(words & others) / min(len(words), len(others) or 1) > 0.6


# --- judging ----------------------------------------------------------------------------------------------------

_EVERYTHING = Thresholds(cosine=-1.0, clause_coverage=0.0, clause_cosine=-1.0)
_ALL_ASKED = replace(
    _EVERYTHING, clause_coverage=1.01
)  # passes everything too, and says how near each clause is


def judged(cases: Sequence[Case], meaning: EmbeddedMeaning) -> list[Judged]:
    """Each case with what the exact rules say and how near it is, before any threshold."""
    meaning.read(text for case in cases for text in texts_of(case.claim, case.evidence))
    return [Judged(case, check(case.claim, case.evidence, meaning, _ALL_ASKED)) for case in cases]


def chosen(judgements: Sequence[Judged]) -> Thresholds:
    """Those that drop most of the false ones while they drop few more of the true ones than the exact rules do."""
    true = np.array([one.case.is_true for one in judgements])
    exact = np.array([not one.verdict.is_supported for one in judgements])
    cosines = np.array(
        [
            1.0 if one.verdict.cosine is None or one.verdict.coverage >= 1.0 else one.verdict.cosine
            for one in judgements
        ]
    )
    allowed = max(MOST_WRONGLY_DROPPED, float(exact[true].mean()) + MORE_WRONGLY_DROPPED)
    words = np.array(
        [
            min((one for _word, one in each.verdict.new_words if one is not None), default=1.0)
            for each in judgements
        ]
    )
    best: tuple[int, Thresholds] | None = None
    for coverage, clause in product(_steps(0.2, 0.8), _steps(0.3, 0.75)):
        one = replace(_EVERYTHING, clause_coverage=coverage, clause_cosine=clause)
        by_clauses = np.array([each.is_dropped(one) for each in judgements])
        for cosine, word in product(_steps(0.1, 0.6), _steps(0.0, 0.6)):
            dropped = by_clauses | (cosines < cosine) | (~exact & (words < word))
            caught = int(dropped[~true].sum())
            if dropped[true].mean() <= allowed and (best is None or caught > best[0]):
                best = (caught, replace(one, cosine=cosine, word_cosine=word))
    return best[1] if best is not None else _EVERYTHING


def rows_of(judgements: Sequence[Judged], thresholds: Thresholds) -> list[Row]:
    counts: dict[tuple[bool, str], list[int]] = {}
    for one in judgements:
        counted = counts.setdefault((not one.case.is_true, one.case.kind), [0, 0])
        counted[0] += 1
        counted[1] += one.is_dropped(thresholds)
    return [Row(kind, not is_false, *counted) for (is_false, kind), counted in sorted(counts.items())]


def _steps(low: float, high: float, step: float = 0.05) -> list[float]:
    return [round(low + step * number, 2) for number in range(round((high - low) / step) + 1)]
