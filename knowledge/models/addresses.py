"""Articles and categories live under the prefix of their own language, whatever the reader's is."""

from functools import lru_cache

from django.urls import get_script_prefix, reverse
from django.utils import translation


def localised_url(name: str, language: str, slug: str) -> str:
    return _localised_url_below(get_script_prefix(), name, language, slug)


@lru_cache(maxsize=4096)  # each passage that is found has one, and a question has a dozen
def _localised_url_below(prefix: str, name: str, language: str, slug: str) -> str:  # noqa: ARG001 (part of the key)
    with translation.override(language):
        return reverse(name, kwargs={"slug": slug})
