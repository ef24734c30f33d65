"""What is continued: conversations, and the thread of a ticket. The same parity with the pages as in `views`."""

import uuid

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from assistant import settling
from assistant.api import schema
from assistant.api.errors import Conflict
from assistant.api.requests import ApiView
from assistant.api.serializers import ConversationOutput, MessageInput, TicketOutput
from assistant.api.shared import (
    find_conversation,
    find_ticket,
    read_idempotency_key,
    shown_question,
    ticket_response,
)
from assistant.conversation_page import turns_of
from assistant.models import TicketMessage, TicketStatus
from assistant.services import add_customer_message


class ConversationView(ApiView):
    @extend_schema(
        operation_id="conversations_read",
        summary="Read a conversation",
        description=(
            "Whoever knows the id may read and continue it (send it as `conversation` with the next question). "
            "What is shown of each answer is decided anew."
        ),
        tags=["Questions"],
        responses={200: ConversationOutput, **schema.errors(404)},
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        conversation = find_conversation(public_id)
        return Response(
            {
                "id": str(conversation.public_id),
                "created_at": conversation.created_at,
                "questions": [shown_question(turn, request) for turn in turns_of(conversation)],
            }
        )


class TicketMessagesView(ApiView):
    throttle_scope = "tickets"

    @extend_schema(
        operation_id="tickets_reply",
        summary="Reply in a ticket's thread",
        description="A ticket that was solved, or waited for the customer, is open again.",
        tags=["Tickets"],
        request=MessageInput,
        parameters=[schema.IDEMPOTENCY_KEY],
        responses={201: TicketOutput, 200: TicketOutput, **schema.errors(*schema.BODY_ERRORS, 404, 409, 422)},
    )
    def post(self, request: Request, token: str) -> Response:
        ticket = find_ticket(token)
        body = MessageInput(data=request.data)
        body.is_valid(raise_exception=True)
        key = read_idempotency_key(request)
        if not ticket.takes_replies:
            raise Conflict(_("This ticket takes no replies."), code="takes_no_replies")
        is_repeated = bool(key) and TicketMessage.objects.filter(idempotency_key=key).exists()
        add_customer_message(ticket=ticket, body=body.validated_data["body"], idempotency_key=key)
        return ticket_response(token, request, is_new=not is_repeated)


class TicketCloseView(ApiView):
    throttle_scope = "tickets"

    @extend_schema(
        operation_id="tickets_close",
        summary="Close a ticket that is settled",
        description="Its status is `solved`; a reply or `reopen` takes it up again. Safe to repeat.",
        tags=["Tickets"],
        request=None,
        responses={200: TicketOutput, **schema.errors(403, 404, 409, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        ticket = find_ticket(token)
        if not settling.close_request(ticket=ticket) and not ticket.takes_replies:
            raise Conflict(_("This ticket cannot be closed by its customer."), code="cannot_be_closed")
        return ticket_response(token, request)


class TicketReopenView(ApiView):
    throttle_scope = "tickets"

    @extend_schema(
        operation_id="tickets_reopen",
        summary="Take a solved ticket up again",
        description="Safe to repeat. A ticket that the team has closed for good stays closed.",
        tags=["Tickets"],
        request=None,
        responses={200: TicketOutput, **schema.errors(403, 404, 409, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        ticket = find_ticket(token)
        if not settling.reopen_request(ticket=ticket) and ticket.status != TicketStatus.OPEN:
            raise Conflict(_("This ticket cannot be taken up again."), code="cannot_be_reopened")
        return ticket_response(token, request)
