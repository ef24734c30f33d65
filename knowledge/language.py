"""Tells German from English.

py3langid (Lui & Baldwin 2012, langid.py) restricted to the languages in question. A text that says too little
keeps the language its reader chose.
"""

import functools
import threading
from typing import Any

from django.conf import settings
from django.utils.translation import get_language

_SURE = 0.8  # probability below which a short text keeps the reader's language
SHORT = 25  # characters


_loading = threading.Lock()


def _identifier(languages: tuple[str, ...]) -> Any:
    """By one thread: the first questions of a process come together, and its model takes a second to unpack."""
    with _loading:
        return _loaded(languages)


@functools.cache
def _loaded(languages: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(languages))
    return identifier


def detect_language(text: str, *, fallback: str) -> str:
    """'de' or 'en'; `fallback` where the text is too short to tell."""
    languages = tuple(code for code, _name in settings.LANGUAGES)
    language, probability = _identifier(languages).classify(text)
    if len(text) < SHORT and probability < _SURE:
        return fallback
    return str(language)


def most_likely_language(text: str, languages: tuple[str, ...]) -> str:
    """The likeliest of `languages`, however short the text is."""
    return str(_identifier(languages).classify(text)[0])


def reading_language() -> str:
    """The language of the page that is being made: 'de' or 'en'."""
    languages = [code for code, _name in settings.LANGUAGES]
    language = get_language()
    return language if language in languages else str(settings.LANGUAGE_CODE)
