"""The support desk: what staff do with tickets, and what the rules do by themselves."""

from assistant.desk.actions import (
    ContactMissing,
    Merged,
    assign_ticket,
    link_problem,
    mark_spam,
    note_in_history,
    reopen_ticket,
    send_mail_again,
    set_priority,
    solve_ticket,
    unmark_spam,
)
from assistant.desk.clock import arrive, keep_time
from assistant.desk.merging import NotTheSameCustomer, followed, merge_tickets

__all__ = [
    "ContactMissing",
    "Merged",
    "NotTheSameCustomer",
    "arrive",
    "assign_ticket",
    "followed",
    "keep_time",
    "link_problem",
    "mark_spam",
    "merge_tickets",
    "note_in_history",
    "reopen_ticket",
    "send_mail_again",
    "set_priority",
    "solve_ticket",
    "unmark_spam",
]
