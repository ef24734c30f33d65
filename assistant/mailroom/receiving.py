"""Where a mail server or a mail service posts raw messages, signed as the Standard Webhooks specification says.

Promise: what was answered with 202 is committed. Everything else is not taken, and the answer says why, so that the
sender keeps it. A message that is posted again, by a replay or a retry, is the row that is there.
"""

import time

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from assistant.hooks.signatures import BadSignature, verify
from assistant.mailroom.inbox import TooLarge, accept, max_bytes
from assistant.mailroom.models import Source


@csrf_exempt  # the signature is the proof; nobody's session is looked at
@require_POST
def receive_mail(request: HttpRequest) -> HttpResponse:
    if not settings.MAIL_WEBHOOK_SECRETS:
        raise Http404
    # Read as a stream: Django's own limit on bodies is one for forms.
    raw = request.read(max_bytes() + 1)
    try:
        if len(raw) > max_bytes():
            raise TooLarge(int(request.META.get("CONTENT_LENGTH") or len(raw)))
        verify(
            settings.MAIL_WEBHOOK_SECRETS,
            message_id=request.headers.get("webhook-id", ""),
            timestamp=request.headers.get("webhook-timestamp", ""),
            signature=request.headers.get("webhook-signature", ""),
            body=raw,
            now=time.time(),
        )
        if not raw.strip():
            return _refused(400, "empty", "The body has to be a raw message (RFC 5322).")
        mail, is_new = accept(raw, source=Source.WEBHOOK, return_path=_return_path(request))
    except BadSignature as error:
        return _refused(401, "bad_signature", error.why)
    except TooLarge as error:
        return _refused(413, "too_large", f"The message has {error}.")
    return JsonResponse({"id": mail.pk, "new": is_new}, status=202)


def _return_path(request: HttpRequest) -> str | None:
    """Who the envelope is from, where the poster says so; "<>" is nobody, as for bounces."""
    value = request.headers.get("X-Envelope-From")
    return value.strip().strip("<>") if value is not None else None


def _refused(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
