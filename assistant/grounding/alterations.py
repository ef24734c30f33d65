"""True sentences made false, and reworded ones that stay true, by rule: what the check is measured with.

Promise: pure and, given the same generator of chance, deterministic. An alteration that a sentence has no place for
gives None. Whoever reads the figures should know that the rules here and those of the check were written by the same
people; sentences of other articles, and neighbours under the wrong quote, owe nothing to any list.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from assistant.grounding.names import names_of
from knowledge.text import is_stopword


@dataclass(frozen=True)
class Source:
    """A sentence of an article with what is around it."""

    text: str
    language: str  # de | en
    article: int
    neighbour: str  # another sentence of the article
    stranger: str  # a sentence of another article
    strange_names: tuple[str, ...]  # of another article


Alteration = Callable[[Source, random.Random], str | None]

_UNIT_SWAPS: Final = {
    "en": "days/weeks hours/minutes minutes/hours months/years years/months weeks/months seconds/minutes"
    " miles/kilometers inches/feet dollars/euros euros/dollars percent/points day/week month/year year/month week/month"
    " hour/day minutes/seconds MB/GB GB/MB feet/inches meters/kilometers",
    "de": "Tage/Wochen Tagen/Wochen Wochen/Monate Stunden/Minuten Minuten/Stunden Jahre/Monate Jahren/Monaten"
    " Monate/Jahre Monaten/Jahren Meter/Kilometer Kilometer/Meter Euro/Dollar Prozent/Punkte Tag/Monat Jahr/Monat"
    " Monat/Jahr Woche/Jahr Metern/Kilometern",
}
_MONTHS: Final = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
}
_WEEKDAYS: Final = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "de": ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
}
_AUXILIARIES: Final = {
    "en": "is are was were can could should will would must may has have had does do did",
    "de": "ist sind war waren kann können könnte sollte sollten wird werden würde muss müssen darf dürfen hat haben",
}
_OPPOSITES: Final = {
    "en": "before/after after/before more/less less/more increase/decrease first/last include/exclude open/closed"
    " allowed/forbidden required/optional enable/disable accept/reject above/below start/end minimum/maximum"
    " larger/smaller higher/lower safe/dangerous possible/impossible early/late internal/external with/without"
    " always/never all/none healthy/sick public/private import/export buy/sell",
    "de": "vor/nach nach/vor mehr/weniger weniger/mehr erste/letzte ersten/letzten offen/geschlossen erlaubt/verboten"
    " möglich/unmöglich aktivieren/deaktivieren hoch/niedrig höher/niedriger groß/klein große/kleine mit/ohne"
    " immer/nie alle/keine sicher/gefährlich gesund/krank öffentliche/private innerhalb/außerhalb kaufen/verkaufen",
}
_MODALS: Final = {
    "en": "can/must may/must must/may should/must could/must",
    "de": "kann/muss können/müssen muss/kann müssen/können darf/muss dürfen/müssen sollten/müssen",
}
_LIMITS: Final = {
    "en": "only/ at_least/at_most at_most/at_least up_to/at_least unless/if some/all many/all most/all sometimes/always"
    " usually/always often/always more_than/less_than less_than/more_than except/including",
    "de": "nur/ mindestens/höchstens höchstens/mindestens bis_zu/mindestens einige/alle viele/alle manche/alle"
    " manchmal/immer häufig/immer oft/immer meist/immer mehr_als/weniger_als weniger_als/mehr_als außer/einschließlich",
}
_NUMBER: Final = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)?(?![\w-]|[.,]\d)")


def _swap(table: Mapping[str, str]) -> Alteration:
    def alter(source: Source, chance: random.Random) -> str | None:
        pairs = [pair.replace("_", " ").split("/") for pair in table[source.language].split()]
        return _replaced_one(source.text, pairs, chance)

    return alter


def _replaced_one(text: str, pairs: list[list[str]], chance: random.Random) -> str | None:
    places = [
        (found, new)
        for old, new in pairs
        for found in re.finditer(rf"(?<![\w-]){re.escape(old)}(?![\w-])", text)
    ]
    if not places:
        return None
    found, new = chance.choice(places)
    return re.sub(r" {2,}", " ", text[: found.start()] + new + text[found.end() :]).strip()


def _number(source: Source, chance: random.Random) -> str | None:
    places = list(_NUMBER.finditer(source.text))
    if not places:
        return None
    found = chance.choice(places)
    old = found[0]
    whole = re.match(r"\d+", old)
    assert whole is not None
    value = int(whole[0])
    new = str(
        chance.choice(
            [one for one in (value + 1, value * 2, value * 10, value + 7, max(value - 1, 0)) if one != value]
        )
    )
    return source.text[: found.start()] + new + old[len(whole[0]) :] + source.text[found.end() :]


def _calendar(source: Source, chance: random.Random) -> str | None:
    for names in (_MONTHS[source.language], _WEEKDAYS[source.language]):
        pairs = [[name, chance.choice([other for other in names if other != name])] for name in names]
        altered = _replaced_one(source.text, pairs, chance)
        if altered:
            return altered
    return None


def _negate(source: Source, chance: random.Random) -> str | None:
    negation = {"en": "not", "de": "nicht"}[source.language]
    found = re.search(
        rf"\b(?:{'|'.join(_AUXILIARIES[source.language].split())})\b(?! not| nicht|n['’]t)", source.text
    )
    if found is None or re.search(r"\b(?:not|no|never|nicht|kein\w*|nie)\b", source.text):
        return None
    return f"{source.text[: found.end()]} {negation}{source.text[found.end() :]}"


def _affirm(source: Source, chance: random.Random) -> str | None:
    if source.language == "en":
        pairs = [
            [" not ", " "],
            ["cannot", "can"],
            ["can't", "can"],
            ["don't", "do"],
            ["never", "always"],
            [" no ", " a "],
        ]
        pairs += [["doesn't", "does"], ["isn't", "is"], ["won't", "will"], ["without", "with"]]
    else:
        pairs = [
            [" nicht ", " "],
            [" keine ", " eine "],
            [" kein ", " ein "],
            [" keinen ", " einen "],
            [" nie ", " immer "],
        ]
        pairs += [[" ohne ", " mit "], [" keiner ", " einer "], [" keinem ", " einem "]]
    places = [(source.text.find(old), old, new) for old, new in pairs if old in source.text]
    if not places or len(re.findall(r"\b(?:not|no|never|nicht|kein\w*|nie)\b", source.text)) > 1:
        return None
    at, old, new = chance.choice(places)
    return source.text[:at] + new + source.text[at + len(old) :]


def _name(source: Source, chance: random.Random) -> str | None:
    own = [name for name in names_of(source.text, source.language) if len(name) > 2]
    others = [
        name
        for name in source.strange_names
        if name.casefold() not in source.text.casefold() and len(name) > 2
    ]
    if not own or not others:
        return None
    return source.text.replace(chance.choice(own), chance.choice(others), 1)


def _word(source: Source, chance: random.Random) -> str | None:
    """A word that is no name and no number by one of another article."""
    own, others = (
        [
            word
            for word in re.findall(r"(?<![\w-])[^\W\d_]{5,}(?![\w-])", text)
            if not is_stopword(word.casefold(), source.language)
            and word[0].isupper() == (source.language == "de")
        ]
        for text in (source.text, source.stranger)
    )
    others = [word for word in others if word.casefold() not in source.text.casefold()]
    if not own or not others:
        return None
    old, new = chance.choice(own), chance.choice(others)
    return re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", new, source.text)


def _stranger(source: Source, chance: random.Random) -> str | None:
    return source.stranger


def _neighbour(source: Source, chance: random.Random) -> str | None:
    return source.neighbour or None


def _invented_clause(source: Source, chance: random.Random) -> str | None:
    added = re.split(r"[,;:(]", source.stranger)[0].strip().rstrip(".!?")
    if len(added.split()) < 4:
        return None
    joint = {"en": ", and ", "de": ", und "}[source.language]
    return f"{source.text.rstrip('.!? ')}{joint}{added[0].lower()}{added[1:]}."


def _condition_added(source: Source, chance: random.Random) -> str | None:
    if re.search(r"\b(?:if|only|wenn|nur|falls)\b", source.text, re.IGNORECASE):
        return None
    added = {
        "en": ["only on request", "if you pay in advance", "unless you object", "at least twice"],
        "de": [
            "nur auf Anfrage",
            "wenn Sie im Voraus zahlen",
            "es sei denn, Sie widersprechen",
            "mindestens zweimal",
        ],
    }[source.language]
    return f"{source.text.rstrip('.!? ')}, {chance.choice(added)}."


FALSE: Final[Mapping[str, Alteration]] = {
    "number changed": _number,
    "unit changed": _swap(_UNIT_SWAPS),
    "month or weekday changed": _calendar,
    "negation added": _negate,
    "negation removed": _affirm,
    "opposite": _swap(_OPPOSITES),
    "may and must": _swap(_MODALS),
    "limit changed or removed": _swap(_LIMITS),
    "condition added": _condition_added,
    "name swapped": _name,
    "word swapped": _word,
    "clause invented": _invented_clause,
    "sentence of another article": _stranger,
    "neighbour under this quote": _neighbour,
}


# --- still true -------------------------------------------------------------------------------------------------


def _same(source: Source, chance: random.Random) -> str | None:
    return source.text


def _without_aside(source: Source, chance: random.Random) -> str | None:
    """Without what stands in brackets, or a relative clause between commas."""
    shorter = re.sub(r"\s*\([^()]{3,}\)", "", source.text, count=1)
    if shorter == source.text:
        shorter = re.sub(r", (?:which|who|die|der|das|welche\w?) [^,]{8,80},", "", source.text, count=1)
    return shorter if shorter != source.text and len(shorter.split()) >= 5 else None


def _without_second_half(source: Source, chance: random.Random) -> str | None:
    """The first of two coordinated clauses, where neither limits the other."""
    limits = r"\b(?:if|unless|only|except|not|when|but|no|wenn|nur|außer|nicht|kein\w*|falls|sofern|aber|sondern|as)\b"
    parts = re.split(r", (?:and|und) |; ", source.text, maxsplit=1)
    if len(parts) < 2 or min(len(part.split()) for part in parts) < 5 or re.search(limits, source.text, re.I):
        return None
    return f"{parts[0].rstrip('.,; ')}."


def _reordered(source: Source, chance: random.Random) -> str | None:
    """A leading clause to the end. English only: German verbs would have to move."""
    found = re.match(
        r"((?:If|When|After|Before|To|In|For|During|Once) [^,]{6,80}), ([^,]{12,}[^.!?,])[.!?]?$", source.text
    )
    if found is None or source.language != "en":
        return None
    first, rest = found[1], found[2]
    return f"{rest[0].upper()}{rest[1:]} {first[0].lower()}{first[1:]}."


def _pronoun(source: Source, chance: random.Random) -> str | None:
    """The subject's name by a pronoun."""
    if source.language == "en":
        found = re.match(
            r"(?:The|This|Your|A|An) (?:[\w-]+ ){1,2}?(is|was|has|can|will|does|must|may)\b", source.text
        )
        new = "It"
    else:
        found = re.match(r"(?:Die|Diese|Eine) [\w-]+ (ist|war|hat|kann|wird|muss|darf)\b", source.text)
        new = "Sie"
    if found is None or len(source.text.split()) < 8:
        return None
    return f"{new} {source.text[found.start(1) :]}"


def _contracted(source: Source, chance: random.Random) -> str | None:
    pairs = [
        ("do not", "don't"),
        ("cannot", "can't"),
        ("is not", "isn't"),
        ("does not", "doesn't"),
        ("will not", "won't"),
    ]
    pairs += [(short, long) for long, short in pairs]
    for old, new in pairs:
        if source.language == "en" and re.search(rf"\b{old}\b", source.text):
            return re.sub(rf"\b{old}\b", new, source.text, count=1)
    return None


def _spelled_out(source: Source, chance: random.Random) -> str | None:
    words = {
        "en": [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        "de": [
            "null",
            "eins",
            "zwei",
            "drei",
            "vier",
            "fünf",
            "sechs",
            "sieben",
            "acht",
            "neun",
            "zehn",
            "elf",
            "zwölf",
        ],
    }[source.language]
    for number in range(12, 1, -1):
        as_digits, as_word = rf"(?<![\w.,:/-]){number}(?![\w.,:/-])", rf"(?<![\w-]){words[number]}(?![\w-])"
        if re.search(as_digits, source.text):
            return re.sub(as_digits, words[number], source.text, count=1)
        if re.search(as_word, source.text):
            return re.sub(as_word, str(number), source.text, count=1)
    return None


_SYNONYMS: Final = {
    "en": "also/additionally show/display shows/displays choose/select select/choose begin/start help/assist"
    " however/nevertheless get/receive large/big buy/purchase need/require use/utilize people/persons phone/telephone",
    "de": "auch/ebenfalls jedoch/allerdings wählen/auswählen erhalten/bekommen zeigen/anzeigen beginnen/anfangen"
    " kaufen/erwerben Menschen/Personen benötigen/brauchen verwenden/nutzen derzeit/momentan",
}

TRUE: Final[Mapping[str, Alteration]] = {
    "unchanged": _same,
    "aside left out": _without_aside,
    "second half left out": _without_second_half,
    "reordered": _reordered,
    "pronoun": _pronoun,
    "contracted": _contracted,
    "number spelled out": _spelled_out,
    "synonym": _swap(_SYNONYMS),
}
