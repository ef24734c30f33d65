"""Tickets: the queue, the whole story of one, and the thread with its customer."""

from assistant.admin.tickets.page import TicketAdmin

__all__ = ["TicketAdmin"]
