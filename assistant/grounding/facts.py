"""Numbers with their units, dates, times and names that a text states, in German and English.

Promise: pure and deterministic; the same quantity gives the same fact in both languages and in either spelling ("9 €",
"nine euros", "neun Euro"; "3 pm", "15 Uhr"; "12.03.2024", "March 12, 2024"). What can be read two ways ("1.000") has
both values.

Refuses to decide what supports what (`assistant.grounding.check`).
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Values = frozenset[float]  # of one number: as many as there are ways to read it


@dataclass(frozen=True)
class Quantity:
    values: Values
    unit: str  # canonical; "" where none stands beside it
    text: str  # as written, for people


@dataclass(frozen=True)
class Facts:
    quantities: tuple[Quantity, ...]
    units: frozenset[str]  # canonical, with or without a number: "monthly" is "month"
    calendar: frozenset[str]  # months and weekdays: "month 3", "weekday 1"


def _spellings(table: str) -> dict[str, str]:
    return {
        spelling.replace("_", " "): line.split()[0].replace("_", " ")
        for line in table.strip().splitlines()
        for spelling in line.split()
    }


_UNITS: Final = _spellings(
    """
    second seconds sec sekunde sekunden sek
    minute minutes minuten mins
    hour hours hourly stunde stunden stündlich std
    day days daily tag tage tagen tages täglich werktag werktage werktagen
    week weeks weekly woche wochen wöchentlich
    month months monthly monat monate monaten monats monatlich
    quarter quarters quarterly quartal quartale quartals
    year years yearly annual annually age aged jahr jahre jahren jahres jährlich alter
    euro euros eur €
    cent cents
    dollar dollars usd $
    pound pounds gbp £ pfund
    franc francs franken chf
    percent % prozent percentage
    kilometre kilometres kilometer kilometers kilometern km
    metre metres meter meters metern
    centimetre centimetres centimeter centimeters zentimeter zentimetern cm
    millimetre millimetres millimeter millimeters millimetern mm
    mile miles meile meilen
    inch inches zoll
    foot feet fuß
    kilogram kilograms kilogramm kg kilo kilos
    gram grams gramm
    tonne tonnes tons tonnen
    litre litres liter liters litern
    millilitre milliliter milliliters ml
    degree degrees grad ° °c °f
    kilobyte kb kilobytes
    megabyte mb megabytes
    gigabyte gb gigabytes
    terabyte tb terabytes
    hertz hz
    gigahertz ghz
    megahertz mhz
    watt watts
    kilowatt kw kilowatts
    kilowatt_hour kwh
    volt volts
    pixel pixels
    """
)
# Words for units that mean something else as well; they count only beside a number.
_ONLY_BESIDE_NUMBER: Final = frozenset(
    [
        "second",
        "seconds",
        "sec",
        "pound",
        "pounds",
        "pfund",
        "foot",
        "feet",
        "fuß",
        "degree",
        "degrees",
        "grad",
        "zoll",
        "quarter",
        "quarters",
        "mins",
        "std",
    ]
)
_SHORT_UNITS: Final = {
    "h": "hour",
    "min": "minute",
    "s": "second",
    "m": "metre",
    "g": "gram",
    "kg": "kilogram",
    "l": "litre",
    "w": "watt",
    "v": "volt",
    "t": "tonne",
    "x": "times",
}
_TIMES: Final = {"times": "times", "mal": "times"}

_NUMBER_WORDS: Final[dict[str, float]] = {
    **{
        word: number
        for number, pair in enumerate(
            [
                "zero/null",
                "_",
                "two/zwei",
                "three/drei",
                "four/vier",
                "five/fünf",
                "six/sechs",
                "seven/sieben",
                "eight/acht",
                "nine/neun",
                "ten/zehn",
                "eleven/elf",
                "twelve/zwölf",
                "thirteen/dreizehn",
                "fourteen/vierzehn",
                "fifteen/fünfzehn",
                "sixteen/sechzehn",
                "seventeen/siebzehn",
                "eighteen/achtzehn",
                "nineteen/neunzehn",
                "twenty/zwanzig",
            ]
        )
        for word in pair.split("/")
        if word != "_"
    },
    **{
        word: (position + 3) * 10.0
        for position, pair in enumerate(
            [
                "thirty/dreißig",
                "forty/vierzig",
                "fifty/fünfzig",
                "sixty/sechzig",
                "seventy/siebzig",
                "eighty/achtzig",
                "ninety/neunzig",
            ]
        )
        for word in pair.split("/")
    },
    "half": 0.5,
    "halb": 0.5,
    "halbe": 0.5,
    "halbes": 0.5,
    "halben": 0.5,
    "dozen": 12.0,
    "dutzend": 12.0,
    "zweite": 2.0,
    "zweiten": 2.0,
    "third": 3.0,
    "dritte": 3.0,
    "dritten": 3.0,
    "fourth": 4.0,
    "vierte": 4.0,
    "vierten": 4.0,
}
_TIMES_WORDS: Final = {
    "once": 1.0,
    "einmal": 1.0,
    "twice": 2.0,
    "zweimal": 2.0,
    "thrice": 3.0,
    "dreimal": 3.0,
    "double": 2.0,
    "doppelt": 2.0,
    "viermal": 4.0,
    "fünfmal": 5.0,
}
# "One" is a number only in front of a unit: "one of them", "ein Fahrrad" count nothing.
_ONES: Final = frozenset(["one", "a", "an", "ein", "eine", "einen", "einem", "einer", "eines"])
_SCALES: Final = {
    **dict.fromkeys(("hundred", "hundert"), 100.0),
    **dict.fromkeys(("thousand", "tausend"), 1e3),
    **dict.fromkeys(("million", "millions", "millionen", "mio"), 1e6),
    **dict.fromkeys(("billion", "billions", "milliarde", "milliarden", "mrd"), 1e9),
}
_TENS_WITH_ONES: Final = re.compile(
    r"(ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun)und(zwanzig|dreißig|vierzig|fünfzig|sechzig|siebzig|achtzig|neunzig)"
)

_MONTHS: Final = {
    name: f"month {number}"
    for number, names in enumerate(
        (
            "january januar jänner jan",
            "february februar feb",
            "march märz",
            "april apr",
            "may mai",
            "june juni jun",
            "july juli jul",
            "august aug",
            "september sept sep",
            "october oktober oct okt",
            "november nov",
            "december dezember dec dez",
        ),
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS: Final = {
    name: f"weekday {number}"
    for number, names in enumerate(
        (
            "monday mondays montag montags",
            "tuesday tuesdays dienstag dienstags",
            "wednesday wednesdays mittwoch mittwochs",
            "thursday thursdays donnerstag donnerstags",
            "friday fridays freitag freitags",
            "saturday saturdays samstag samstags sonnabend",
            "sunday sundays sonntag sonntags",
        ),
        start=1,
    )
    for name in names.split()
}
# Months and their short forms that are words as well need their capital; German ones have it anyway.
_NEEDS_CAPITAL: Final = frozenset(["may", "march", "mai", "jan", "jun", "sep", "dec", "nov", "apr", "august"])

_DATE: Final = re.compile(
    r"(?<![\w.])(?:(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.(?:\s?(?P<year>\d{4}|\d{2}))?(?!\d)"
    r"|(?P<iso_year>\d{4})-(?P<iso_month>\d{2})-(?P<iso_day>\d{2})(?!\d)"
    r"|(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<slash_year>\d{4}|\d{2})(?!\d))"
)
_CLOCK: Final = re.compile(
    r"(?<![\w.,:])(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?\s?"
    r"(?:(?P<half>[ap])\.?\s?m\b\.?|(?P<uhr>Uhr\b|o['’]clock\b|h\b(?=\s)))"
    r"|(?<![\w.,:])(?P<plain_hour>[01]?\d|2[0-3]):(?P<plain_minute>[0-5]\d)(?![\d:])",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(
    r"(?P<code>[^\W\d_]+[-_]?\d[\w-]*|\d+[-_]?[^\W\d_]{3,}[\w-]*\d[\w-]*)"
    r"|(?P<number>\d+(?:[.,’'\u00a0\u202f]\d+)*)(?P<suffix>[^\W\d_]{1,3}(?![\w]))?"
    r"|(?P<word>[^\W\d_]+)|(?P<symbol>°[CF]?|[€$£%])"
)
_GROUPED: Final = re.compile(r"\d{1,3}(?:[.,’'\u00a0\u202f]\d{3})+")
_BETWEEN_GROUPS: Final = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
_FRACTIONS: Final = {"½": ".5", "¼": ".25", "¾": ".75"}


WORDS_OF_FACTS: Final = frozenset([*_MONTHS, *_WEEKDAYS, *_UNITS])  # of them names are not made


def is_exact(word: str) -> bool:
    """Whether a folded word is a number, a unit, a month or a weekday, and so is compared as one."""
    tables = (_NUMBER_WORDS, _TIMES_WORDS, _SCALES, _UNITS, _MONTHS, _WEEKDAYS)
    return any(word in one for one in tables) or _TENS_WITH_ONES.fullmatch(word) is not None


@lru_cache(maxsize=20_000)
def facts_of(text: str) -> Facts:
    text = unicodedata.normalize("NFC", text)
    for sign, decimals in _FRACTIONS.items():
        text = re.sub(rf"(?<=\d)\s?{sign}", decimals, text).replace(sign, f"0{decimals}")
    quantities: list[Quantity] = []
    calendar: set[str] = set()
    text = _DATE.sub(lambda found: _taken_date(found, quantities, calendar), text)
    text = _CLOCK.sub(lambda found: _taken_clock(found, quantities), text)
    units: set[str] = set()
    tokens = list(_TOKEN.finditer(_BETWEEN_GROUPS.sub("", text)))
    quantities.extend(_quantities(tokens))
    for token in tokens:
        folded = token[0].casefold()
        if folded in _UNITS and folded not in _ONLY_BESIDE_NUMBER:
            units.add(_UNITS[folded])
        named = _MONTHS.get(folded) or _WEEKDAYS.get(folded)
        if named and (folded not in _NEEDS_CAPITAL or token[0][0].isupper()):
            calendar.add(named)
    units.update(one.unit for one in quantities if one.unit)
    return Facts(tuple(quantities), frozenset(units), frozenset(calendar))


def _taken_date(found: re.Match[str], quantities: list[Quantity], calendar: set[str]) -> str:
    if found["day"]:
        days, months, year = {found["day"]}, {found["month"]}, found["year"]
    elif found["iso_year"]:
        days, months, year = {found["iso_day"]}, {found["iso_month"]}, found["iso_year"]
    else:  # 3/4/2024: nobody can tell
        days = months = {found["first"], found["second"]}
        year = found["slash_year"]
    calendar.update(f"month {int(month)}" for month in months if 1 <= int(month) <= 12)
    quantities.append(Quantity(frozenset(float(day) for day in days), "", found[0]))
    if year:
        full = int(year) + 2000 if len(year) == 2 else int(year)
        quantities.append(Quantity(frozenset([float(full)]), "", year))
    return " "


def _taken_clock(found: re.Match[str], quantities: list[Quantity]) -> str:
    hour = int(found["hour"] or found["plain_hour"])
    minute = int(found["minute"] or found["plain_minute"] or 0)
    half = (found["half"] or "").casefold()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    quantities.append(Quantity(frozenset([hour + minute / 60]), "clock", found[0].strip()))
    return " "


def _quantities(tokens: list[re.Match[str]]) -> Iterator[Quantity]:
    position = 0
    while position < len(tokens):
        token = tokens[position]
        word = token[0].casefold()
        position += 1
        if word in _TIMES_WORDS:
            yield Quantity(frozenset([_TIMES_WORDS[word]]), "times", token[0])
            continue
        following = tokens[position][0].casefold() if position < len(tokens) else ""
        if token["number"]:
            values = _read(token["number"])
        elif token["word"] and word in _ONES and following in _UNITS:
            yield Quantity(frozenset([1.0]), _UNITS[following], f"{token[0]} {following}")
            position += 1
            continue
        elif token["word"] and (value := _word_value(word)) is not None:
            values = frozenset([value])
        else:
            continue
        text, unit = token[0], ""
        if following in _SCALES:
            values = frozenset(value * _SCALES[following] for value in values)
            text = f"{text} {following}"
            position += 1
            following = tokens[position][0].casefold() if position < len(tokens) else ""
        suffix = (token["suffix"] or "").casefold() if token["number"] else ""
        before = tokens[position - 2] if position >= 2 else None
        if suffix:
            unit = _UNITS.get(suffix) or _SHORT_UNITS.get(suffix, "")
        elif following in _UNITS or following in _TIMES or following in _SHORT_UNITS:
            unit = _UNITS.get(following) or _TIMES.get(following) or _SHORT_UNITS[following]
            text = f"{text} {following}"
        elif before is not None and before["symbol"] and before[0] in _UNITS:
            unit = _UNITS[before[0]]
        yield Quantity(values, unit, text)


def _word_value(word: str) -> float | None:
    found = _TENS_WITH_ONES.fullmatch(word)
    if found:
        ones = 1.0 if found[1] == "ein" else _NUMBER_WORDS[found[1]]
        return _NUMBER_WORDS[found[2]] + ones
    return _NUMBER_WORDS.get(word)


def _read(number: str) -> Values:
    number = re.sub(r"[’'\u00a0\u202f]", "", number)
    if not re.search(r"[.,]", number):
        return frozenset([float(number)])
    readings: set[float] = set()
    if _GROUPED.fullmatch(number):
        readings.add(float(re.sub(r"[.,]", "", number)))
    last = max(number.rfind("."), number.rfind(","))
    whole, decimals = re.sub(r"[.,]", "", number[:last]), number[last + 1 :]
    if number.count(number[last]) == 1:
        readings.add(float(f"{whole}.{decimals}"))
    if not readings:  # 3.2.1: a version, as good as a number of its own
        readings.add(float(re.sub(r"[.,]", "", number)) + 0.123)
    return frozenset(readings)
