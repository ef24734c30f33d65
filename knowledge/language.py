"""Tells German from English.

py3langid (Lui & Baldwin 2012, langid.py) restricted to the configured languages. A text that says too little
keeps the language its reader chose.
"""

import functools
from typing import Any

from django.conf import settings

_SURE = 0.8  # probability below which a short text keeps the reader's language
_SHORT = 25  # characters


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([code for code, _name in settings.LANGUAGES])
    return identifier


def detect_language(text: str, *, fallback: str) -> str:
    """'de' or 'en'; `fallback` where the text is too short to tell."""
    language, probability = _identifier().classify(text)
    if len(text) < _SHORT and probability < _SURE:
        return fallback
    return str(language)
