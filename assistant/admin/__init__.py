"""The support desk in Django's admin: questions and feedback to look at, tickets to settle."""

from assistant.admin.phrases import EscalationPhraseAdmin
from assistant.admin.questions import FeedbackAdmin, QuestionAdmin
from assistant.admin.tickets import TicketAdmin

__all__ = ["EscalationPhraseAdmin", "FeedbackAdmin", "QuestionAdmin", "TicketAdmin"]
