"""The one error shape of the API, and the one place that makes it.

`{"error": {"code": "...", "message": "...", "fields": {"name": ["..."]}}}`: `code` is stable and for
programs, `message` for people in the language of Accept-Language, `fields` names what to mend (empty where
nothing that was sent is at fault). Views raise; nobody else builds error bodies. An unexpected exception
keeps its traceback in the log and its signal for error trackers: the shape hides it from the client only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.log import log_response
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler, set_rollback

from assistant.services import IdempotencyConflict
from assistant.validation import InvalidInput

# What a client sent comes back in messages and field names; nobody needs more of it than this.
_MAX_NAME_LENGTH = 100
_MAX_MESSAGE_LENGTH = 500
_MAX_FIELDS = 30
RETRY_AFTER_SECONDS = 10  # while the database is locked or away


class BadRequest(exceptions.APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_request"
    default_detail = gettext_lazy("The request could not be read.")


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class IdempotencyKeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = gettext_lazy(
        "This Idempotency-Key was used with another body before. Repeat the same body, or use a new key."
    )


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        limit_kib = (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) // 1024
        super().__init__(
            _("The request body is too large. At most %(limit)d KiB are allowed.") % {"limit": limit_kib}
        )


class Unavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = gettext_lazy("Our database cannot be reached at the moment. Please try again shortly.")
    wait = RETRY_AFTER_SECONDS  # DRF makes the Retry-After header of it


def handle(exception: Exception, context: dict[str, Any]) -> Response | None:
    known = _as_api_exception(exception)
    if known is None:
        return _unexpected(exception, context)
    response = exception_handler(known, context)  # for its headers: Retry-After, WWW-Authenticate
    assert response is not None
    response.data = _body(known)
    return response


def _as_api_exception(exception: Exception) -> exceptions.APIException | None:
    match exception:
        case exceptions.APIException():
            return exception
        case Http404():
            return exceptions.NotFound()  # its own text names models, not anything a client knows
        case DjangoPermissionDenied():
            return exceptions.PermissionDenied()
        case InvalidInput(field=field, message=message):
            return exceptions.ValidationError({field: [message]})
        case IdempotencyConflict():
            return IdempotencyKeyReused()
        case RequestDataTooBig():
            return TooLarge()
        case TooManyFieldsSent():
            return BadRequest(_("The request has too many fields."), code="too_many_fields")
        case OperationalError() | InterfaceError():
            return Unavailable()
        case SuspiciousOperation() | UnreadablePostError() | MultiPartParserError():
            return BadRequest()
    return None


def _body(exception: exceptions.APIException) -> dict[str, Any]:
    fields: dict[str, list[str]] = {}
    if isinstance(exception, exceptions.ValidationError):
        code, general = "invalid", []
        for name, messages in _flattened(exception.detail):
            if name == api_settings.NON_FIELD_ERRORS_KEY:
                general.extend(messages)
            elif len(fields) < _MAX_FIELDS:
                fields.setdefault(_printable(name, _MAX_NAME_LENGTH), []).extend(messages)
        message = " ".join(general) or _("Some values are not valid. “fields” says which and why.")
    else:
        code, message = exception.default_code, str(exception.detail)
        if isinstance(exception.detail, exceptions.ErrorDetail):
            code = exception.detail.code or code
    return error_body(code, message, fields)


def error_body(code: str, message: str, fields: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    return {
        "error": {"code": code, "message": _printable(message, _MAX_MESSAGE_LENGTH), "fields": fields or {}}
    }


def _flattened(detail: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """("citations.0.number", ["…"]) from DRF's nested lists and dictionaries."""
    if isinstance(detail, Mapping):
        for name, value in detail.items():
            yield from _flattened(value, (*path, str(name)))
    elif isinstance(detail, list) and any(isinstance(entry, Mapping) for entry in detail):
        for index, entry in enumerate(detail):
            yield from _flattened(entry, (*path, str(index)))
    else:
        entries = detail if isinstance(detail, list) else [detail]
        messages = [_printable(str(entry), _MAX_MESSAGE_LENGTH) for entry in entries]
        yield ".".join(path) if path else api_settings.NON_FIELD_ERRORS_KEY, messages


def _printable(text: str, limit: int) -> str:
    """Safe to encode: JSON can carry half a surrogate pair in, UTF-8 cannot carry it out."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return shown.encode("utf-8", "replace").decode()


def _unexpected(exception: Exception, context: dict[str, Any]) -> Response | None:
    if settings.DEBUG:
        return None  # Django's own page shows more
    request = getattr(context.get("request"), "_request", None)
    set_rollback()
    response = Response(
        error_body("server_error", _("Something went wrong on our side. Trying again later may help.")),
        status=status.HTTP_500_INTERNAL_SERVER_ERROR,
    )
    got_request_exception.send(sender=type(context.get("view")), request=request)
    log_response(
        "Internal Server Error: %s",
        getattr(request, "path", ""),
        response=response,
        request=request,
        exception=exception,
    )
    return response
