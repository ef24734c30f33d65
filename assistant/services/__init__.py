"""What people do with the assistant, as functions: ask, give contact, ask for a person, judge an answer."""

from assistant.services.common import IdempotencyConflict
from assistant.services.questions import (
    TURNS_OF_HISTORY,
    ask_question,
    hand_over,
    history_of,
    leave_feedback,
    matter_in,
    pass_on_at_once,
    settle_question,
    store_outcome,
    store_question,
)
from assistant.services.tickets import (
    add_customer_message,
    add_staff_message,
    complete_ticket,
    open_ticket,
    rate_ticket,
)

__all__ = [
    "TURNS_OF_HISTORY",
    "IdempotencyConflict",
    "add_customer_message",
    "add_staff_message",
    "ask_question",
    "complete_ticket",
    "hand_over",
    "history_of",
    "leave_feedback",
    "matter_in",
    "open_ticket",
    "pass_on_at_once",
    "rate_ticket",
    "settle_question",
    "store_outcome",
    "store_question",
]
