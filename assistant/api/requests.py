"""How requests reach the views: strict JSON, a size limit, and every refusal in the one shape.

Django enforces DATA_UPLOAD_MAX_MEMORY_SIZE where it reads a body itself; DRF's JSON parser reads the stream
and never meets that limit. Python's JSON reader raises RecursionError for deep nesting, no ValueError.
"""

import json
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.views import APIView

from assistant.api.errors import BadRequest, TooLarge

_MAX_DEPTH = 10  # our bodies are flat


class StrictJSONParser(BaseParser):
    """RFC 8259: UTF-8 whatever the header claims, no NaN, an object at the top, bounded in size and depth."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], *_context: Any) -> dict[str, Any]:
        try:
            parsed = json.loads(_read(stream).decode("utf-8"), parse_constant=_reject_constant)
        except UnicodeDecodeError as error:
            raise BadRequest(_("The body is not valid UTF-8."), code="malformed") from error
        except json.JSONDecodeError as error:
            raise BadRequest(
                _("The body is not valid JSON (line %(line)d, column %(column)d).")
                % {"line": error.lineno, "column": error.colno},
                code="malformed",
            ) from error
        except ValueError as error:  # NaN, Infinity, a number of thousands of digits
            raise BadRequest(_("The body holds a number that is not allowed."), code="malformed") from error
        except RecursionError as error:
            raise _too_deep() from error
        if not isinstance(parsed, dict):
            raise BadRequest(
                _('The body has to be a JSON object, such as {"question": "…"}.'), code="malformed"
            )
        _check_depth(parsed)
        return parsed


def _read(stream: IO[Any]) -> bytes:
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = bytes(stream.read(limit + 1))
    if len(body) > limit:
        raise TooLarge
    return body


def _reject_constant(name: str) -> None:
    raise ValueError(name)


def _check_depth(parsed: dict[str, Any]) -> None:
    level: list[Any] = [parsed]
    for _depth in range(_MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> BadRequest:
    return BadRequest(
        _("The body is nested too deeply. At most %(limit)d levels are allowed.") % {"limit": _MAX_DEPTH},
        code="malformed",
    )


class ApiView(APIView):
    """What every view of the API shares."""

    parser_classes = [StrictJSONParser]


class UnknownAddressView(ApiView):
    """Everything below /api/v1/ that is no address of the API."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not request.path.endswith("/"):
            raise exceptions.NotFound(
                _("There is nothing at this address. Addresses of this API end with “/”.")
            )
        raise exceptions.NotFound(_("There is nothing at this address."))
