"""WSGI entry point."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpcenter.settings")
_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django without the charset of Content-Type: JSON and forms are UTF-8, whatever a client claims.

    A claimed charset such as base64 makes Django 5.2 fail while it builds the request, before any view or
    handler could answer.
    """
    kind, _separator, parameters = environ.get("CONTENT_TYPE", "").partition(";")
    if "charset" in parameters.lower():
        kept = [one for one in parameters.split(";") if not one.strip().lower().startswith("charset")]
        environ["CONTENT_TYPE"] = ";".join([kind, *kept])
    response: Iterable[bytes] = _django(environ, start_response)
    return response
