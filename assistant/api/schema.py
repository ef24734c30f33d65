"""What the OpenAPI document says beyond types: each operation's errors and an example of each outcome."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from assistant.api.serializers import ErrorOutput, QuestionOutput

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "1 to 200 printable ASCII characters. Repeating a request with its key stores nothing twice: the "
        "same body gives the same result with status 200, another body gives 422."
    ),
)

_ERRORS = {
    400: "Broken JSON, or values that are not valid: `fields` says which and why.",
    403: "Signed in by session cookie, and the CSRF token is missing or wrong.",
    404: "There is nothing at this address, or not for you.",
    409: "The thing has moved on; repeating the request will not help.",
    413: "The body is too large.",
    415: "The body has to be application/json.",
    422: "The Idempotency-Key was used with another body.",
    429: "Too many requests; `Retry-After` says when to come back.",
    503: "The database cannot be reached; `Retry-After` says when to come back. A repeat under the same "
    "Idempotency-Key stores nothing twice.",
}

_FIELD_ERROR = OpenApiExample(
    "A field to mend",
    value={
        "error": {
            "code": "invalid",
            "message": "Some values are not valid. “fields” says which and why.",
            "fields": {"contact_email": ["This is not an e-mail address. It looks like name@example.org."]},
        }
    },
    response_only=True,
    status_codes=["400"],
)


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    return {
        status: OpenApiResponse(
            ErrorOutput, description=_ERRORS[status], examples=[_FIELD_ERROR] if status == 400 else []
        )
        for status in (*statuses, 503)
    }


# What every operation with a body can refuse.
BODY_ERRORS = (400, 403, 413, 415, 429)

_ANSWERED = {
    "id": "5c5f0f5e-2f43-4a39-8f0b-2f1f6f3f8c11",
    "conversation": "0b6f2a52-7a52-4c1f-9a53-52f1c1b8a9de",
    "question": "How long can I pause my subscription?",
    "status": "answered",
    "answer_state": "current",
    "answer": {
        "text": "You can pause for 1 to 3 months per calendar year.",
        "blocks": [{"text": "You can pause for 1 to 3 months per calendar year.", "citations": [1]}],
        "writer": "extractive",
        "language": "en",
    },
    "citations": [
        {
            "number": 1,
            "article": "pause-subscription.en",
            "article_id": 17,
            "title": "Pause your subscription",
            "url": "https://help.example.org/en/articles/pause-your-subscription/#how-long",
            "quote": "You can pause for 1 to 3 months per calendar year.",
            "start": 112,
            "end": 162,
        }
    ],
    "confidence": {"score": 0.94, "level": "high", "threshold": 0.71, "calibrated": True},
    "ticket": None,
    "closest": [],
    "language": "en",
    "ai_generated": True,
    "elapsed_ms": 41,
}

_ESCALATED = {
    "id": "c1d7a1de-6d2c-4b7e-8a43-0f1c9d1a6e70",
    "conversation": "7f6f4a0b-3a4e-4d53-8d07-6c0b0f0a5a33",
    "question": "Do you sponsor our football club?",
    "status": "escalated",
    "answer_state": None,
    "answer": None,
    "citations": [],
    "confidence": {"score": 0.08, "level": "low", "threshold": 0.71, "calibrated": True},
    "ticket": {
        "reference": "T-7KQ2MXA",
        "reason": "low_confidence",
        "status": "open",
        "token": "hZ0c1x2b3n4m5a6s7d8f9g0h1j2k3l4q5w6e7r8t9y0",
        "url": "https://help.example.org/en/tickets/hZ0c1x2b3n4m5a6s7d8f9g0h1j2k3l4q5w6e7r8t9y0/",
    },
    "closest": [
        {
            "article": "refer-a-friend.en",
            "article_id": 21,
            "title": "Refer a friend",
            "url": "https://help.example.org/en/articles/refer-a-friend/",
            "language": "en",
        }
    ],
    "language": "en",
    "ai_generated": False,
    "elapsed_ms": 38,
}

ASK_EXAMPLE = OpenApiExample(
    "Ask",
    value={
        "question": "How long can I pause my subscription?",
        "language": "en",
        "contact_email": "ada@example.org",
    },
    request_only=True,
)


def question_response(description: str) -> OpenApiResponse:
    return OpenApiResponse(
        QuestionOutput,
        description=description,
        examples=[
            OpenApiExample("Answered", summary="Answered, with citations", value=_ANSWERED),
            OpenApiExample("Escalated", summary="Escalated: a ticket", value=_ESCALATED),
        ],
    )
