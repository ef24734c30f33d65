"""What the API's views have in common: what a request names is found, and what is stored is shown.

A wrong address is a 404, a wrong id in a body a 400 that names its field; both say what there is none of.
"""

import uuid
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from assistant.api.serializers import QuestionOutput, TicketOutput
from assistant.models import Conversation, Question, Ticket, TicketMessage
from assistant.payload import question_payload
from assistant.validation import InvalidInput, clean_idempotency_key

_TOKEN_LENGTH = 60  # characters


def read_idempotency_key(request: Request) -> str:
    try:
        return clean_idempotency_key(request.headers.get("Idempotency-Key", ""))
    except InvalidInput as error:
        raise exceptions.ValidationError({"Idempotency-Key": [error.message]}) from error


def find_question(public_id: uuid.UUID) -> Question:
    question = (
        Question.objects.select_related("answer", "ticket", "conversation")
        .filter(public_id=public_id)
        .first()
    )
    if question is None:
        raise exceptions.NotFound(_("There is no question with this id."))
    return question


def find_conversation(public_id: uuid.UUID) -> Conversation:
    conversation = Conversation.objects.filter(public_id=public_id).first()
    if conversation is None:
        raise exceptions.NotFound(_("There is no conversation with this id."))
    return conversation


def find_ticket(token: str) -> Ticket:
    """Or the one that it has become part of."""
    ticket = None
    if token.isascii() and token.isprintable() and len(token) <= _TOKEN_LENGTH:
        ticket = (
            Ticket.objects.select_related("question", "merged_into")
            .prefetch_related(
                Prefetch(
                    "messages", TicketMessage.objects.for_customer(timezone.now()), to_attr="public_messages"
                )
            )
            .filter(token=token)
            .first()
        )
    if ticket is None:
        raise exceptions.NotFound(_("There is no ticket at this address."))
    return find_ticket(ticket.merged_into.token) if ticket.merged_into is not None else ticket


def shown_question(question: Question, request: Request, *, to_asker: bool = False) -> dict[str, Any]:
    payload = question_payload(question, reader=request.user, request=request._request, to_asker=to_asker)
    return dict(QuestionOutput(payload).data)


def ticket_response(token: str, request: Request, *, is_new: bool = False) -> Response:
    """The ticket as it stands now."""
    shown = dict(TicketOutput(find_ticket(token), context={"request": request}).data)
    return Response(shown, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)
