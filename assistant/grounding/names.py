"""What a text calls by name, as far as spelling and a dictionary tell: products, people, places, codes, addresses."""

import re
from functools import lru_cache
from typing import Final

from assistant.grounding.facts import WORDS_OF_FACTS
from knowledge.dictionary import translations
from knowledge.text import ENGLISH, GERMAN, is_stopword, stem

_NAME_TOKEN: Final = re.compile(r"[^\W_]+(?:[-’'.&/][^\W_]+)*")
_SENTENCE_START: Final = re.compile(r"(?:^|[.!?:;•]\s+|\n\s*|[\"“„(]\s*|-\s+)$")
_CODE: Final = re.compile(r".*[^\W\d_].*\d|\d.*[^\W\d_]|.+[a-zäöüß][A-ZÄÖÜ]|[A-ZÄÖÜ]{2,}")
_ADDRESS: Final = re.compile(
    r"\b(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|de|eu|io|example|info|gov|at|ch|uk|test)"
    r"\b(?:/\S*)?",
    re.IGNORECASE,
)


def addresses_of(text: str) -> tuple[str, ...]:
    """Web and mail addresses, folded, without what punctuation stands behind them."""
    return tuple(found[0].rstrip(".,;:!?)\"'”“").casefold() for found in _ADDRESS.finditer(text))


def names_of(text: str, language: str) -> tuple[str, ...]:
    """Words that, as far as spelling tells, name something: codes, inner capitals, and in English any capital but
    the first of a sentence. Where that does not tell (German nouns, first words), what no dictionary lists is a name.
    """
    names: list[str] = []
    for token in _NAME_TOKEN.finditer(text):
        word = token[0]
        if _CODE.match(word) and not re.fullmatch(r"\d+[^\W\d_]{1,3}", word):
            names.append(word)
            continue
        if not word[0].isupper() or word.casefold() in _KNOWN_CAPITALS:
            continue
        is_first = bool(_SENTENCE_START.search(text[: token.start()]))
        if is_first and is_stopword(word.casefold(), language):
            continue
        if (language == ENGLISH and not is_first) or not _is_listed(word, language):
            names.append(word)
    return tuple(dict.fromkeys(names))


_KNOWN_CAPITALS: Final = (
    frozenset(
        [
            "i",
            "sie",
            "ihr",
            "ihre",
            "ihrem",
            "ihren",
            "ihrer",
            "ihres",
            "ihnen",
            "you",
            "your",
            "we",
            "our",
            "it",
            "they",
            "the",
            "a",
            "an",
            "in",
            "on",
            "at",
            "to",
            "of",
            "for",
            "and",
            "or",
        ]
    )
    | WORDS_OF_FACTS
)


@lru_cache(maxsize=50_000)
def _is_listed(word: str, language: str) -> bool:
    folded = word.casefold()
    other = GERMAN if language == ENGLISH else ENGLISH
    parts = [part for part in re.split(r"[-’'.&/]", folded) if part]
    return all(len(part) < 3 or translations(stem(part, language), part, language, other) for part in parts)
