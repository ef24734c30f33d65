"""What turns a sentence around or narrows it: negations, conditions, quantifiers, opposites; German and English.

Promise: pure and deterministic. A text becomes clauses of content words (stems), each with the markers that stand in it
and what they stand in front of. Refuses to decide what a difference between two texts means (`check`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

from assistant.grounding.facts import Quantity, facts_of, is_exact
from knowledge.sentences import split_sentences
from knowledge.text import is_stopword, stem


class Mark(StrEnum):
    NOT = "not"
    ONLY = "only"
    EXCEPT = "except"
    AT_LEAST = "at least"
    AT_MOST = "at most"
    IF = "if"
    ALL = "all"
    SOME = "some"
    MUST = "must"
    MAY = "may"
    SHOULD = "should"


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


# Regular expressions over folded text, longest first where one begins another.
_MARKS: Final[dict[Mark, tuple[str, ...]]] = {
    Mark.AT_LEAST: _phrases(
        "at least, at a minimum, a minimum of, no less than, not less than, no fewer than, not fewer than, more than,"
        " or more, mindestens, wenigstens, zumindest, nicht weniger als, mehr als, minimum, mindest\\w+"
    ),
    Mark.AT_MOST: _phrases(
        "at most, up to, no more than, not more than, a maximum of, no longer than, less than, fewer than, or less,"
        " or fewer, höchstens, maximal, bis zu, nicht mehr als, weniger als, nicht länger als, maximum, höchst\\w+"
    ),
    Mark.EXCEPT: _phrases(
        "except\\w*, unless, apart from, other than, with the exception of, excluding, außer, ausgenommen,"
        " es sei denn, mit ausnahme, abgesehen von"
    ),
    Mark.ONLY: _phrases("only, solely, exclusively, nur, lediglich, ausschließlich, bloß"),
    Mark.IF: _phrases(
        "if, provided, as long as, in case, falls, sofern, wenn, solange, vorausgesetzt, im falle, im fall"
    ),
    Mark.NOT: _phrases(
        "cannot, can['’]t, \\w+n['’]t, not, no, never, none, nobody, nothing, neither, nor, without, hardly,"
        " kein\\w*, nicht, nie, niemals, nichts, niemand\\w*, ohne, weder, noch nie, keinesfalls,"
        " keineswegs, nirgends, no longer"
    ),
    Mark.ALL: _phrases(
        "all, every\\w*, each, always, any, anyone, entire, alle\\w?, jede\\w?, immer, stets, sämtlich\\w*"
    ),
    Mark.SOME: _phrases(
        "some, sometimes, most, mostly, many, often, usually, generally, typically, partly, few, einige\\w?,"
        " manche\\w?, manchmal, meist\\w*, viele\\w?, oft, häufig, normalerweise, üblicherweise, teilweise, wenige\\w?,"
        " in der regel"
    ),
    Mark.MUST: _phrases(
        "must, have to, has to, had to, need to, needs to, required, mandatory, obligatory, shall, muss, müssen, müsst,"
        " musst, müsste\\w*, erforderlich, verpflichte\\w*, notwendig, pflicht, nötig"
    ),
    Mark.SHOULD: _phrases("should, ought to, recommended, sollte\\w*, soll, sollen, empfohlen, empfehl\\w*"),
    Mark.MAY: _phrases(
        "may, can, could, might, optional\\w*, possible, possibly, allowed, permitted, kann, können, könnt, kannst,"
        " könnte\\w*, darf, dürfen, dürft, darfst, dürfte\\w*, möglich\\w*, erlaubt, zulässig"
    ),
}
_MARK: Final = re.compile(
    "|".join(
        f"(?P<{mark.name}>(?<![\\w-])(?:{'|'.join(phrases)})(?![\\w-]))" for mark, phrases in _MARKS.items()
    )
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_CLAUSE_END: Final = re.compile(
    r"[,;:()–—\n]|\s-\s|(?<!\w)(?=(?:and|but|or|because|while|which|unless|if|und|aber|oder|weil|sondern|wenn|falls|"
    r"sofern|denn|dass|sowie)\s)"
)
_REACH: Final = 3  # content words that a marker stands in front of
_ENGLISH_CONTRACTED: Final = re.compile(r"n['’]t\b")

# Words that say the opposite of one another. Stems are taken of each, in its language.
_OPPOSITES: Final = """
en allowed permitted|forbidden prohibited banned
en open opened|closed shut
en before|after
en more|less fewer
en increase increases raised higher rise|decrease decreases reduced lower fall
en enable enabled activate|disable disabled deactivate
en include included including|exclude excluded excluding
en accept accepted approve approved|reject rejected refuse refused deny denied
en free|charged paid
en start starts begin begins|stop stops end ends
en first|last
en minimum|maximum
en earliest|latest
en possible|impossible
en valid|invalid
en required mandatory|optional
en safe|unsafe dangerous
en true|false
en same|different
en internal|external
en public|private
en connect connected|disconnect disconnected
en add added|remove removed delete deleted
en above|below
en left|right
en old older|new newer
en large larger|small smaller
en high|low
en positive|negative
en legal|illegal
de erlaubt gestattet zulässig|verboten untersagt unzulässig
de geöffnet offen|geschlossen
de vor|nach
de mehr|weniger
de erhöht steigt steigen höher|gesenkt sinkt sinken niedriger
de aktivieren aktiviert einschalten|deaktivieren deaktiviert ausschalten
de inklusive enthalten eingeschlossen|exklusive ausgeschlossen
de annehmen angenommen genehmigt|ablehnen abgelehnt verweigert
de kostenlos kostenfrei gratis|kostenpflichtig
de beginnt beginnen anfang|endet enden ende
de erste erster erstes ersten|letzte letzter letztes letzten
de mindestens|höchstens
de frühestens|spätestens
de möglich|unmöglich
de gültig|ungültig
de erforderlich verpflichtend|freiwillig optional
de sicher|unsicher gefährlich
de gleich gleiche gleichen|verschieden unterschiedlich
de öffentlich|privat
de verbinden|trennen
de hinzufügen|entfernen löschen
de oben|unten
de links|rechts
de alt alte älter|neu neue neuer
de groß große größer|klein kleine kleiner
de hoch hohe|niedrig niedrige
de positiv positive|negativ negative
de innen innerhalb|außen außerhalb
"""
_PREFIXES: Final = {
    "en": ("un", "in", "im", "ir", "il", "dis", "non", "de"),
    "de": ("un", "nicht", "miss", "de"),
}
_SUFFIXES: Final = {"en": ("less",), "de": ("los", "frei")}


@dataclass(frozen=True)
class Marked:
    mark: Mark
    reach: frozenset[str]  # stems that it stands in front of; behind it where nothing follows
    text: str  # folded, as written
    quantity: Quantity | None = None  # that "at least" or "at most" limits


@dataclass(frozen=True)
class Clause:
    text: str
    stems: tuple[str, ...]  # of content words, in reading order
    marks: tuple[Marked, ...]
    words: frozenset[str]  # folded, all
    content: tuple[tuple[str, str], ...] = ()  # stem and folded word, of content words

    def has(self, mark: Mark) -> bool:
        return any(one.mark is mark for one in self.marks)


@lru_cache(maxsize=20_000)
def clauses_of(text: str, language: str) -> tuple[Clause, ...]:
    """A part too short to say something by itself belongs to the one before."""
    pieces: list[str] = []
    for piece in _split(text):
        if pieces and (len(_content(piece, language)) < 2 or len(_content(pieces[-1], language)) < 2):
            pieces[-1] = f"{pieces[-1]} {piece}"
        else:
            pieces.append(piece)
    return tuple(_clause(piece, language) for piece in pieces)


@lru_cache(maxsize=20_000)
def sentences_of(text: str, language: str) -> tuple[Clause, ...]:
    """Whole sentences; a marker's reach ends with its clause all the same."""
    found = []
    for start, end in split_sentences(text):
        parts = clauses_of(text[start:end], language)
        found.append(
            Clause(
                text[start:end],
                tuple(one for part in parts for one in part.stems),
                tuple(one for part in parts for one in part.marks),
                frozenset().union(*(part.words for part in parts)),
                tuple(one for part in parts for one in part.content),
            )
        )
    return tuple(found)


@lru_cache(maxsize=2)
def opposites(language: str) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """Pairs of stems of words that exclude each other."""
    pairs = []
    for line in _OPPOSITES.strip().splitlines():
        code, _blank, sides = line.partition(" ")
        if code == language:
            one, other = (
                frozenset(stem(word, language) for word in side.split()) for side in sides.split("|")
            )
            pairs.append((one - other, other - one))
    return tuple(pairs)


def is_negation_of(word: str, other: str, language: str) -> bool:
    """Whether one folded word is the other with a negating prefix or suffix."""
    return any(
        (len(base) >= 4 and negated in {prefix + base for prefix in _PREFIXES[language]})
        or (len(base) >= 4 and negated in {base + suffix for suffix in _SUFFIXES[language]})
        for base, negated in ((word, other), (other, word))
    )


def _split(text: str) -> list[str]:
    cuts = [0, *(found.start() for found in _CLAUSE_END.finditer(text)), len(text)]
    return [
        text[start:end].strip(" ,;:()–—\n")
        for start, end in pairwise(cuts)
        if text[start:end].strip(" ,;:()–—\n")
    ]


def _content(text: str, language: str) -> list[str]:
    return [found for found, _word in _content_words(text, language)]


def _content_words(text: str, language: str) -> list[tuple[str, str]]:
    return [
        (stem(word, language), word)
        for word in _WORD.findall(_MARK.sub(" ", text.casefold()))
        if len(word) > 1 and not is_stopword(word, language) and not is_exact(word)
    ]


def _clause(text: str, language: str) -> Clause:
    folded = text.casefold()
    marks: list[Marked] = []
    for found in _MARK.finditer(folded):
        mark = Mark[str(found.lastgroup)]
        following = _content(folded[found.end() :], language)[:_REACH]
        before = _content(folded[: found.start()], language)
        # "gilt nicht", "is not": what it turns around stands in front of it; in German often both.
        reach = following or before[-2:]
        if language == "de" and mark is Mark.NOT and before:
            reach = [*reach, before[-1]]
        written = _ENGLISH_CONTRACTED.sub(" not", found[0])
        limited = _limited(folded, found) if mark in (Mark.AT_LEAST, Mark.AT_MOST) else None
        marks.append(Marked(mark, frozenset(reach), written, limited))
        if mark in (Mark.NOT,) and written == "cannot":
            marks.append(Marked(Mark.MAY, frozenset(reach), "can"))
    content = tuple(_content_words(text, language))
    return Clause(
        text,
        tuple(found for found, _word in content),
        tuple(marks),
        frozenset(_WORD.findall(folded)),
        content,
    )


def _limited(text: str, found: re.Match[str]) -> Quantity | None:
    if found[0].startswith("or "):  # "3 days or more"
        return next(reversed(facts_of(text[: found.start()]).quantities), None)
    return next(iter(facts_of(text[found.end() :]).quantities), None)
