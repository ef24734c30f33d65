"""The support desk in Django's admin: questions and feedback to look at, tickets to settle."""

from assistant.admin.evaluations import EvaluatedQuestionAdmin
from assistant.admin.inbound import InboundMailAdmin, MailboxAdmin
from assistant.admin.phrases import EscalationPhraseAdmin
from assistant.admin.questions import FeedbackAdmin, QuestionAdmin
from assistant.admin.tickets import TicketAdmin

__all__ = [
    "EscalationPhraseAdmin",
    "EvaluatedQuestionAdmin",
    "FeedbackAdmin",
    "InboundMailAdmin",
    "MailboxAdmin",
    "QuestionAdmin",
    "TicketAdmin",
]
