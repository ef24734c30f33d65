"""What every page needs to know about the site."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from knowledge import site as knowledge_site


def site(request: HttpRequest) -> dict[str, Any]:
    """Evaluated where a template asks: a response without a page reads no settings."""
    return {
        "site_settings": SimpleLazyObject(knowledge_site.current),
        "site_name": SimpleLazyObject(lambda: knowledge_site.current().display_name),
        "site_url": settings.SITE_URL,
    }
