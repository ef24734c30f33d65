"""Where a ticket belongs and how urgent it is, as the desk's own past has it."""

from assistant.desk.routing.suggestions import accept, reject, suggest_routes

__all__ = ["accept", "reject", "suggest_routes"]
