"""The assistant's rows, one module an idea; everybody else imports from here.

What staff and measurements say about answers is a second package's worth: `assistant.measured`. Django looks for
models here, so it is imported as well.
"""

from assistant.models.budgets import SpentBudget
from assistant.models.generation import AnswerEvidence, ModelReply, ModelUsage
from assistant.models.mails import Mail, MailQuerySet
from assistant.models.questions import (
    MAX_QUESTION_LENGTH,
    Answer,
    Channel,
    Citation,
    ConfidenceLevel,
    ConsideredPassage,
    Conversation,
    Feedback,
    FeedbackReason,
    Question,
    QuestionStatus,
    Stage,
)
from assistant.models.tickets import (
    MAX_DETAIL_LENGTH,
    EscalationPhrase,
    Matter,
    MessageAuthor,
    Priority,
    Ticket,
    TicketMessage,
    TicketReason,
    TicketStatus,
    new_reference,
    new_token,
)

__all__ = [
    "MAX_DETAIL_LENGTH",
    "MAX_QUESTION_LENGTH",
    "Answer",
    "AnswerEvidence",
    "Channel",
    "Citation",
    "ConfidenceLevel",
    "ConsideredPassage",
    "Conversation",
    "EscalationPhrase",
    "Feedback",
    "FeedbackReason",
    "Mail",
    "MailQuerySet",
    "Matter",
    "MessageAuthor",
    "ModelReply",
    "ModelUsage",
    "Priority",
    "Question",
    "QuestionStatus",
    "SpentBudget",
    "Stage",
    "Ticket",
    "TicketMessage",
    "TicketReason",
    "TicketStatus",
    "measured",
    "new_reference",
    "new_token",
]

from assistant import measured  # after the rows that its own point to
