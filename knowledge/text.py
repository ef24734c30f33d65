"""Turn German and English text into terms that meet when people mean the same word.

Promise: pure and deterministic. Equal text gives equal terms, on every machine and in every process; spelling
variants of one word (Kündigung / Kuendigung, Straße / Strasse, Kund:innen / Kunden, E-Mail / Email, 4,50 /
4.50) give a common term.

Refuses to decide what is relevant, how terms are weighted, and which language a text is in: the caller says
so. A language without a stemmer here is folded and tokenised, never guessed.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from knowledge.stopwords import STOPWORDS

if TYPE_CHECKING:
    import Stemmer

GERMAN: Final = "de"
ENGLISH: Final = "en"

_SNOWBALL: Final[Mapping[str, str]] = {GERMAN: "german", ENGLISH: "english"}

# Characters that are invisible to a reader and must be invisible to search: soft hyphen, zero-width space and
# joiners, word joiner, byte order mark.
_INVISIBLE: Final = dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_HYPHENS: Final = dict.fromkeys((0x2010, 0x2011, 0x2012), "-")
_APOSTROPHES: Final = dict.fromkeys((0x2018, 0x2019, 0x02BC, 0x00B4, 0x0060), "'")
_CLEAN: Final = {**_INVISIBLE, **_HYPHENS, **_APOSTROPHES}

# Kund:innen, Kund*innen, Kund_innen, Kund·innen, Kund/innen, Kunden/-innen, Kunde/-in, KundInnen; jede:r,
# eine*n. A bare slash needs the full ending, or "an/in" and "und/oder" would be eaten.
_GENDER_MARK: Final = re.compile(
    r"(?<=[a-zäöüß])(?:[:*_·](?:innen|in|r|n|e|m|s)|/-?innen|/-in)\b", re.IGNORECASE
)
_GENDER_CAPITAL: Final = re.compile(r"(?<=[a-zäöüß])In(?:nen)?\b")
# Feminine nouns, reduced so that Kundin meets Kunde. Endings that ordinary nouns share (Termin, Benzin,
# Medizin) are left alone: only endings that mark persons, and a few common words.
_FEMININE_PLURAL: Final = re.compile(r"^(\w{3,}?)innen$")
_FEMININE: Final = re.compile(
    r"^(\w*(?:kund|kolleg|freund|nachbar|ärzt|aerzt|anwält|anwaelt|beamt|köch|schwäger|chef|zeug|\w[^g]ent|ant|ist|log"
    r"|tor|eur|när|tär|oin|urg|path))in$"
)
_NOT_FEMININE: Final = frozenset(
    ["beginnen", "gewinnen", "innen", "drinnen", "rinnen", "sinnen", "spinnen", "besinnen", "entrinnen"]
)

# 4,50 and 4.50 and 1.000,00 and 10:30 and 3.2.1 stay one token; everything else is a run of letters and
# digits, hyphens inside included.
_TOKEN: Final = re.compile(r"\d+(?:[.,:]\d+)+(?![^\W_])|[^\W_]+(?:-[^\W_]+)*|[€$£%§]")
_GROUPED: Final[Mapping[str, re.Pattern[str]]] = {
    GERMAN: re.compile(r"^\d{1,3}(?:\.\d{3})+(?:,\d+)?$"),
    ENGLISH: re.compile(r"^\d{1,3}(?:,\d{3})+(?:\.\d+)?$"),
}
_SYMBOLS: Final[Mapping[str, Mapping[str, str]]] = {
    GERMAN: {"€": "euro", "eur": "euro", "$": "dollar", "£": "pfund", "%": "prozent", "§": "paragraf"},
    ENGLISH: {"€": "euro", "eur": "euro", "$": "dollar", "£": "pound", "%": "percent", "§": "section"},
}
_LONGEST_WORD: Final = 60  # characters; longer runs are keys, hashes or parts of addresses

# What Snowball leaves apart although it is one German root: the participle (gebucht, angesteckt) and the
# infinitive with zu (anzumelden) of a verb, and nouns and adjectives made from it (Buchung, Impfung).
_PREFIX: Final = (
    "an|auf|aus|ab|ein|vor|zu|nach|mit|um|zurück|fest|weiter|her|hin|bei|durch|über|unter|wieder|los|weg|dar|teil"
    "|statt|zusammen|frei|bereit|fort|heim"
)
_PARTICIPLE: Final = re.compile(rf"^({_PREFIX})?ge(\w{{3,}}?)e?t(?:e[mnrs]?)?$")
_NO_PARTICIPLE: Final = re.compile(
    r"(?:schaft|ericht|eschicht|ewicht|esicht|ebiet|ehalt|eschäft|ewalt)(?:e[mnrs]?)?$"
)
_INNER: Final = re.compile(rf"^({_PREFIX})(?:ge|zu)(\w{{3,}}en)$")
_SUFFIXES: Final = (("ation", 4), ("ierung", 3), ("iert", 3), ("ier", 3), ("isch", 4), ("ung", 3), ("i", 5))
_STABLE_BEFORE_T: Final = frozenset("ksfahiuce")  # Luft, Rast, Internet: the t belongs to the root

_MINIMUM_PART: Final = 4  # letters; shorter parts ("tor", "ein") split words that are no compounds
_LINKS: Final = ("", "s", "n", "en", "es", "er", "e")  # German linking elements, most frequent first

_CODE: Final = r"\b\w*\d[\w.,:-]*|\b[\w-]*[^\W\d_][\w-]*[A-ZÄÖÜ][\w-]*"
_NAMES: Final = {
    GERMAN: re.compile(_CODE),
    ENGLISH: re.compile(rf"{_CODE}|(?<!^)(?<![.!?:]\s)\b[A-Z][\w-]+"),
}

_stemmers = threading.local()  # PyStemmer objects may not be shared between threads


def normalise(text: str) -> str:
    """One spelling for what looks the same: NFKC, nothing invisible, plain hyphens, folded case."""
    return unicodedata.normalize("NFKC", text).translate(_CLEAN).casefold()


def words(text: str, language: str) -> list[str]:
    """Folded words of a text in reading order, stop words included, gender forms reduced, numbers canonical.

    A hyphenated word yields its parts and its joined forms, so that E-Mail, Email and Mail meet.
    """
    text = unicodedata.normalize("NFKC", text).translate(_CLEAN)
    if language == GERMAN:
        text = _GENDER_MARK.sub("", text)
        text = _GENDER_CAPITAL.sub("", text)
    text = text.casefold()
    if language == ENGLISH:
        text = text.replace("'s", "")
    text = text.replace("'", "")
    symbols = _SYMBOLS.get(language, {})
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in symbols:
            found.append(symbols[token])
        elif token[0].isdigit() and not token.isalnum() and "-" not in token:
            found.append(_number(token, language))
        elif "-" in token:
            found.extend(_hyphenated(token))
        elif len(token) <= _LONGEST_WORD:
            found.append(token)
    return found


def names_in(text: str, language: str) -> frozenset[str]:
    """Folded words of a text that are numbers or codes or, as far as capitals tell, names.

    In German every noun has a capital, so there only capitals inside a word tell; nowhere does the first word of a
    sentence.
    """
    pattern = _NAMES.get(language, _NAMES[ENGLISH])
    return frozenset(word for match in pattern.finditer(text) for word in words(match.group(), language))


def terms(text: str, language: str) -> list[str]:
    """Stems of a text's words without stop words, in reading order, repeats kept."""
    return [stem(word, language) for word in words(text, language) if not is_stopword(word, language)]


def is_stopword(word: str, language: str) -> bool:
    """Whether a folded word says nothing about the subject in this language."""
    return word in STOPWORDS.get(language, frozenset())


@lru_cache(maxsize=200_000)
def stem(word: str, language: str) -> str:
    """Snowball stem of a folded word; one with a digit (E07, 4.50, covid19) is a name and stays."""
    algorithm = _SNOWBALL.get(language)
    if algorithm is None or not word.isalpha():
        return word
    if language == GERMAN:
        word = _infinitive(_masculine(word))
    stemmed: str = _stemmer(algorithm).stemWord(word)
    if language == GERMAN:
        stemmed = _root(stemmed)
    return stemmed


def split_compound(word: str, known: Mapping[str, int], language: str) -> tuple[str, ...]:
    """Stems of the parts of a German compound, or nothing when the corpus does not know the parts.

    `known` maps stems of the corpus to how often they occur. The split with the highest geometric mean of the
    parts' frequencies wins (Koehn & Knight 2003, "Empirical methods for compound splitting"); unlike there
    the unsplit word is no competitor, because search keeps it beside its parts.
    """
    if language != GERMAN or len(word) < 2 * _MINIMUM_PART or not word.isalpha():
        return ()
    return _split(word, known, language, depth=2)[0]


def _split(word: str, known: Mapping[str, int], language: str, depth: int) -> tuple[tuple[str, ...], float]:
    best: tuple[str, ...] = ()
    best_value = 0.0
    for cut in range(_MINIMUM_PART, len(word) - _MINIMUM_PART + 1):
        head = _known_part(word[:cut], known, language)
        if head is None:
            continue
        tail_stem = stem(word[cut:], language)
        frequency = known.get(tail_stem, 0)
        tail: tuple[str, ...] = (tail_stem,)
        value = float(known[head] * frequency) ** 0.5
        if not frequency and depth > 1 and len(word) - cut >= 2 * _MINIMUM_PART:
            tail, tail_value = _split(word[cut:], known, language, depth - 1)
            value = (known[head] * tail_value * tail_value) ** (1 / 3) if tail else 0.0
        if value > best_value:
            best, best_value = (head, *tail), value
    return best, best_value


def _known_part(part: str, known: Mapping[str, int], language: str) -> str | None:
    """The stem of a compound's front part without its linking element, if the corpus uses that stem."""
    for link in _LINKS:
        if link and not part.endswith(link):
            continue
        bare = part[: len(part) - len(link)] if link else part
        if len(bare) < _MINIMUM_PART - 1:
            continue
        # The bare part may be a stem itself that stemming would cut once more: Liefer-zeit, Lieferung.
        for candidate in (stem(bare, language), bare):
            if known.get(candidate):
                return candidate
    return None


def _masculine(word: str) -> str:
    """Kundinnen and Kundin to the form that Snowball reduces like Kunde."""
    if word in _NOT_FEMININE:
        return word
    match = _FEMININE_PLURAL.match(word) or _FEMININE.match(word)
    return match.group(1) if match else word


def _infinitive(word: str) -> str:
    """Gebucht and angemeldete to the infinitive; irregular verbs keep their stem (abgeschlossen,
    abschlossen).

    A wrong guess does little harm as long as it is the same guess everywhere, so the rules are short, not
    exact.
    """
    match = _INNER.match(word)
    if match:
        return match.group(1) + match.group(2)
    match = _PARTICIPLE.match(word)
    if match and not _NO_PARTICIPLE.search(word):
        return (match.group(1) or "") + match.group(2) + "en"
    return word


def _root(stemmed: str) -> str:
    """One root for a verb and what is made from it: buch of Buchung, impf of Impfung, infiz of infiziert."""
    for suffix, kept in _SUFFIXES:
        if stemmed.endswith(suffix) and len(stemmed) - len(suffix) >= kept:
            return stemmed[: -len(suffix)]
    if stemmed.endswith("t") and len(stemmed) > 4 and stemmed[-2] not in _STABLE_BEFORE_T:
        return stemmed[:-1]
    return stemmed


def _hyphenated(token: str) -> list[str]:
    parts = [part for part in token.split("-") if part]
    joined = {"".join(pair) for pair in pairwise(parts)} | {"".join(parts)}
    # A single letter says nothing alone: the E of E-Mail counts only in the joined form.
    kept = [part for part in parts if len(part) > 1 or part.isdigit()]
    return [part for part in [*kept, *sorted(joined)] if len(part) <= _LONGEST_WORD]


def _number(token: str, language: str) -> str:
    """Decimal point for all, no thousands separators: 1.000,50 (de) and 1,000.50 (en) are 1000.50."""
    grouped = _GROUPED.get(language)
    if grouped is not None and grouped.match(token):
        token = token.replace("." if language == GERMAN else ",", "")
    return token.replace(",", ".")


def _stemmer(algorithm: str) -> Stemmer.Stemmer:
    stemmer: Stemmer.Stemmer | None = getattr(_stemmers, algorithm, None)
    if stemmer is None:
        import Stemmer  # compiled extension: loaded with the first word, not with the module

        stemmer = Stemmer.Stemmer(algorithm, 0)
        setattr(_stemmers, algorithm, stemmer)
    return stemmer
