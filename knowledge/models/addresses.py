"""Articles and categories live under the prefix of their own language, whatever the reader's is."""

from django.urls import reverse
from django.utils import translation


def localised_url(name: str, language: str, slug: str) -> str:
    with translation.override(language):
        return reverse(name, kwargs={"slug": slug})
