"""Which questions a person has to see, whatever the articles say: the words of a question against a word list.

Promise: pure and deterministic. A phrase is a row of words in their order. A word stands for all of its
inflected forms (`knowledge.text` stems both sides), `a/b` for either word, `*` for up to four words in between.
Words of different sentences never make a phrase.

Refuses to decide what happens then (`assistant.services`) and to judge mood or meaning: what is on the list can
be read, measured and changed by the people who answer for it.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from assistant.models import Matter
from knowledge.models import Language
from knowledge.text import stem, words

GAP = "*"
_GAP_WORDS = 4  # that a gap may skip
# Of several matters in one question the first of these counts.
_ORDER = (
    Matter.SELF_HARM,
    Matter.DANGER,
    Matter.LEGAL,
    Matter.DATA_PROTECTION,
    Matter.PAYMENT_DISPUTE,
    Matter.COMPLAINT,
    Matter.PERSON,
)
# Nobody who writes of dying or burning is told that a "not" stood before it.
_HEARD_EVEN_WHEN_NEGATED = frozenset([Matter.SELF_HARM, Matter.DANGER])

_SENTENCE_END = re.compile(r"[!?;\n]+|\.(?=\s+\D|\s*$)")
_CLAUSE_END = re.compile(r",|\s[–-]\s|[()]")


def _folded(words_of_a_list: str) -> frozenset[str]:
    return frozenset(words_of_a_list.split())


_NEGATORS = {
    Language.GERMAN: _folded(
        "nicht kein keine keinen keinem keiner keinerlei ohne nie niemals statt anstatt weder"
    ),
    Language.ENGLISH: _folded(
        "not no dont doesnt didnt wont wouldnt isnt without never neither nor instead than"
    ),
}
# "Why can I not talk to anybody" asks for a person, "I do not want to talk to anybody" does not.
_ABLE = {
    Language.GERMAN: _folded("kann können könnte konnte kannst warum wieso weshalb darf"),
    Language.ENGLISH: _folded("can could cant couldnt cannot able unable why"),
}
_NEGATION_REACHES = 3  # words in front of the phrase
_NEGATION_FOLLOWS = 3  # words behind it, in German: "einen Anwalt brauche ich nicht"
# Said beside a request, they are no part of it.
_COURTESIES = _folded(
    "bitte danke hallo hi hey guten tag morgen abend moin servus ich ein eine einen einem einer den der die das mit"
    " zu an please thanks thank you hello good morning i a the with to my"
)


class Phrase(NamedTuple):  # hundreds are made for each question: a dataclass costs three times as much
    matter: str  # Matter
    language: str  # of its words; a question is compared with the phrases of both
    text: str
    only_alone: bool = False  # counts where the question says nothing else but courtesies
    is_exception: bool = False  # where it stands, the matter's other phrases do not count


@dataclass(frozen=True)
class Found:
    matter: Matter
    phrase: Phrase


@dataclass(frozen=True)
class _Word:
    text: str  # folded
    stem: str
    clause: int


@dataclass(frozen=True)
class _Compiled:
    phrase: Phrase
    steps: tuple[frozenset[str] | None, ...]  # stems of which one has to stand here; None is a gap


def find_matter(text: str, phrases: Sequence[Phrase]) -> Found | None:
    """The most serious matter that one of `phrases` finds in `text`."""
    found: dict[str, Found] = {}
    excepted: set[str] = set()
    by_language = _compiled(tuple(phrases))
    for language in Language.values:
        sentences = _sentences(text, language)
        stems = {word.stem for sentence in sentences for word in sentence}
        for compiled in by_language.get(language, ()):
            phrase = compiled.phrase
            if phrase.matter in found and not phrase.is_exception:
                continue
            if any(step is not None and stems.isdisjoint(step) for step in compiled.steps):
                continue
            if any(_stands(compiled, sentence, sentences, language) for sentence in sentences):
                if phrase.is_exception:
                    excepted.add(phrase.matter)
                else:
                    found[phrase.matter] = Found(Matter(phrase.matter), phrase)
    return next((found[matter] for matter in _ORDER if matter in found and matter not in excepted), None)


def parse_phrase(text: str, language: str) -> tuple[frozenset[str] | None, ...]:
    """The stems of each step; raises ValueError where no word is left or a gap is at an end."""
    steps: list[frozenset[str] | None] = []
    for piece in text.split():
        if piece == GAP:
            steps.append(None)
            continue
        stems = {stem(word, language) for choice in piece.split("/") for word in words(choice, language)}
        if not stems:
            raise ValueError(piece)
        steps.append(frozenset(stems))
    if not steps or steps[0] is None or steps[-1] is None:
        raise ValueError(text)
    return tuple(steps)


@lru_cache(maxsize=4)
def _compiled(phrases: tuple[Phrase, ...]) -> dict[str, tuple[_Compiled, ...]]:
    compiled: dict[str, list[_Compiled]] = {language: [] for language in Language.values}
    for phrase in phrases:
        # The admin refuses what cannot be read; a row from elsewhere finds nothing rather than ends a question.
        with contextlib.suppress(ValueError):
            steps = parse_phrase(phrase.text, phrase.language)
            compiled[phrase.language].append(_Compiled(phrase, steps))
    return {language: tuple(found) for language, found in compiled.items()}


def _sentences(text: str, language: str) -> list[list[_Word]]:
    sentences = []
    clause = 0
    for sentence in _SENTENCE_END.split(text):
        found = []
        for part in _CLAUSE_END.split(sentence):
            clause += 1
            found += [_Word(word, stem(word, language), clause) for word in words(part, language)]
        if found:
            sentences.append(found)
    return sentences


def _stands(compiled: _Compiled, sentence: list[_Word], sentences: list[list[_Word]], language: str) -> bool:
    for start, end in _places(compiled.steps, sentence):
        phrase = compiled.phrase
        if phrase.only_alone and not _is_alone(sentence[start:end], sentences):
            continue
        if phrase.is_exception or phrase.matter in _HEARD_EVEN_WHEN_NEGATED:
            return True
        if not _is_negated(sentence, start, end, language):
            return True
    return False


def _places(steps: Sequence[frozenset[str] | None], sentence: list[_Word]) -> Iterator[tuple[int, int]]:
    """Where the phrase stands: index of its first word, and of the one after its last."""
    for start in range(len(sentence)):
        end = _end_from(steps, sentence, start)
        if end is not None:
            yield start, end


def _end_from(steps: Sequence[frozenset[str] | None], sentence: list[_Word], position: int) -> int | None:
    if not steps:
        return position
    step, rest = steps[0], steps[1:]
    if step is None:
        for skipped in range(_GAP_WORDS + 1):
            end = _end_from(rest, sentence, position + skipped)
            if end is not None:
                return end
        return None
    if position >= len(sentence) or sentence[position].stem not in step:
        return None
    return _end_from(rest, sentence, position + 1)


def _is_alone(place: list[_Word], sentences: list[list[_Word]]) -> bool:
    inside = {id(word) for word in place}
    return all(id(word) in inside or word.text in _COURTESIES for one in sentences for word in one)


def _is_negated(sentence: list[_Word], start: int, end: int, language: str) -> bool:
    negators, able = _NEGATORS[Language(language)], _ABLE[Language(language)]
    first, last = sentence[start].clause, sentence[end - 1].clause
    before = [
        word.text for word in sentence[max(0, start - _NEGATION_REACHES) : start] if word.clause == first
    ]
    if any(word in negators for word in before):
        earlier = _texts(word for word in sentence[:start] if word.clause == first)
        return able.isdisjoint(earlier)
    if language == Language.GERMAN:
        after = _texts(word for word in sentence[end : end + _NEGATION_FOLLOWS] if word.clause == last)
        return "nicht" in after and able.isdisjoint(_texts(sentence))
    return False


def _texts(found: Iterable[_Word]) -> set[str]:
    return {word.text for word in found}
