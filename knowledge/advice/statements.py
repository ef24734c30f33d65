"""Two sentences about the same thing that say it differently.

Promise: pure and explainable. Sentences are compared when they share their subject; they disagree when amounts of
the same unit differ, when one of two otherwise alike sentences is negated, or when one speaks well of a subject
and the other badly. Each is a hint with both sentences shown. What needs world knowledge is not seen.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from knowledge.advice.findings import Kind
from knowledge.plaintext import plain_text
from knowledge.sentences import split_sentences
from knowledge.text import GERMAN, is_stopword, stem, words

_AMOUNT = re.compile(
    r"(?P<before>[€$£]|EUR|CHF|USD|GBP)?\s?(?P<number>\d+(?:[.,\u00a0 ]\d{3})*(?:[.,]\d+)?)\s?"
    r"(?P<unit>%|€|\$|£|°C?|[A-Za-zÄÖÜäöü]{1,14})?"
)
_UNITS: Final = {
    name: unit
    for unit, names in {
        "€": "€ eur euro euros",
        "CHF": "chf franken",
        "$": "usd $ dollar dollars",
        "£": "£ gbp pound pounds",
        "cent": "cent cents",
        "percent": "% prozent percent",
        "day": "tag tage tagen tages day days werktag werktage werktagen",
        "week": "woche wochen week weeks",
        "month": "monat monate monaten month months",
        "year": "jahr jahre jahren year years",
        "hour": "stunde stunden hour hours h uhr",
        "minute": "minute minuten minutes min",
        "second": "sekunde sekunden second seconds s",
        "length": "km m cm mm kilometer kilometern meter metern kilometers meters miles",
        "weight": "kg g kilogramm gramm kilograms grams",
        "energy": "kwh wh w kw v volt watt ah mah a ampere",
        "data": "mb gb kb tb megabyte gigabyte",
        "temperature": "° °c grad degrees",
        "times": "mal times",
    }.items()
    for name in names.split()
}


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATIONS: Final = _listed(
    """
    nicht kein keine keinen keinem keiner keines nie niemals ohne weder nichts no not never without neither none
    cannot cant dont doesnt isnt arent wont
    """
)
_GOOD: Final = {
    "de": _listed(
        """
        verbessern verbessert verbesserung vorteil vorteile vorteilen steigern steigert erhöht hilft helfen zufrieden
        profitieren profitiert nutzen erleichtert stärkt stärkere gewinn nützlich sinnvoll empfohlen sicher
        zuverlässig individueller gezielter maßgeschneiderte passende
        """
    ),
    "en": _listed(
        """
        improve improves improved benefit benefits better helps help satisfied increases useful recommended safe
        reliable easier strengthens gain advantage advantages
        """
    ),
}
_BAD: Final = {
    "de": _listed(
        """
        beeinträchtigt beeinträchtigen beeinträchtigung verschlechtert nachteil nachteile schadet schädlich
        enttäuscht enttäuschend frustration frustriert aufdringlich gesunken sinkt problem probleme gefährlich
        unsicher abgeraten verzichten misstrauen
        """
    ),
    "en": _listed(
        """
        impairs impaired worsens worse disadvantage disadvantages harms harmful disappointed frustration intrusive
        decreases dangerous unsafe unreliable avoid distrust
        """
    ),
}
_NOT_ONLY: Final = re.compile(r"\bnicht (?:nur|allein)\b|\bnot (?:only|just)\b", re.IGNORECASE)
# Jaccard of subject stems from which two amounts are of the same thing, by how many stems are shared: the fewer,
# the more of the sentence they have to be.
_ALIKE: Final = {1: 1.0, 2: 0.66}
_ALIKE_FROM_THREE: Final = 0.5
_NEARLY_SAME: Final = 0.7  # for negations
_LEAST_SUBJECT: Final = 8  # letters of a stem that can be a subject by itself


@dataclass(frozen=True)
class Statement:
    text: str
    subject: frozenset[str]  # stems, without numbers, units, negations
    amounts: frozenset[tuple[str, str]]  # (unit, number)
    is_negated: bool
    leaning: int  # -1 speaks badly, +1 well, 0 neither or both


@lru_cache(maxsize=500)  # one article is compared with the same passages again and again
def statements_of(text: str, language: str) -> list[Statement]:
    """Of Markdown, in reading order."""
    lines = plain_text(text, list_markers=False).split("\n")
    return [
        read_statement(line[start:end], language) for line in lines for start, end in split_sentences(line)
    ]


def read_statement(text: str, language: str) -> Statement:
    amounts: set[tuple[str, str]] = set()
    for found in _AMOUNT.finditer(text):
        unit = _UNITS.get((found["before"] or found["unit"] or "").casefold())
        if unit:
            amounts.add((unit, _number(found["number"], language)))
    listed = words(text, language)
    is_negated = any(word in _NEGATIONS for word in words(_NOT_ONLY.sub(" ", text), language))
    good, bad = (any(word in table.get(language, ()) for word in listed) for table in (_GOOD, _BAD))
    # Whoever weighs both sides takes none; "no advantages" is a bad thing to say, "no problems" no good one.
    leaning = 0 if good == bad else -1 if bad else (-1 if is_negated else 1)
    if bad and is_negated:
        leaning = 0
    subject = frozenset(
        stem(word, language)
        for word in listed
        if word.isalpha()
        and word not in _NEGATIONS
        and word not in _UNITS
        and word not in _GOOD.get(language, ())
        and word not in _BAD.get(language, ())
        and not is_stopword(word, language)
    )
    return Statement(text, subject, frozenset(amounts), is_negated, leaning)


def disagreement(
    one: Statement, other: Statement, *, common: Collection[str] = ()
) -> tuple[Kind, str] | None:
    """How they disagree, with what differs; None where they do not, or speak of different things.

    `common` are stems that most texts at hand have: they are no subject by themselves.
    """
    shared = one.subject & other.subject
    alike = len(shared) / len(one.subject | other.subject) if shared else 0.0
    if shared and alike >= _ALIKE.get(len(shared), _ALIKE_FROM_THREE):
        mine, theirs = _by_unit(one), _by_unit(other)
        differing = [unit for unit in sorted(mine.keys() & theirs.keys()) if not mine[unit] & theirs[unit]]
        if differing:
            return Kind.NUMBERS, "; ".join(
                f"{', '.join(sorted(mine[unit]))} ≠ {', '.join(sorted(theirs[unit]))}" for unit in differing
            )
        if len(shared) > 1 and alike >= _NEARLY_SAME and one.is_negated != other.is_negated:
            return Kind.NEGATION, ""  # the two sentences say it themselves
    if one.leaning * other.leaning == -1:
        subjects = [word for word in shared if len(word) >= _LEAST_SUBJECT and word not in common]
        if subjects:
            return Kind.VIEW, max(subjects, key=lambda word: (len(word), word))
    return None


def _by_unit(statement: Statement) -> dict[str, set[str]]:
    amounts: dict[str, set[str]] = {}
    for unit, number in statement.amounts:
        amounts.setdefault(unit, set()).add(number)
    return amounts


def _number(text: str, language: str) -> str:
    """1.500,00 and 1,500.00 as 1500; 4,50 and 4.50 as 4.5."""
    text = text.replace("\u00a0", "").replace(" ", "")
    thousands, decimal = (".", ",") if language == GERMAN else (",", ".")
    if re.fullmatch(rf"\d{{1,3}}(?:\{thousands}\d{{3}})+(?:\{decimal}\d+)?", text):
        text = text.replace(thousands, "")
    text = text.replace(",", ".")
    try:
        return f"{float(text):g}" if text.count(".") <= 1 and len(text) < 16 else text
    except ValueError:
        return text
