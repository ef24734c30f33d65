"""The assistant's rows, one module an idea; everybody else imports from here.

What staff and measurements say about answers is a second package's worth: `assistant.measured`. Django looks for
models here, so it is imported as well.
"""

from assistant.models.account_mails import AccountMail, AccountMailKind
from assistant.models.attachments import TicketFile, TicketFileContent
from assistant.models.budgets import SpentBudget
from assistant.models.desk import PLACE, Assignment, CannedReply, DeskRules, Holiday, Presence, RotaMember
from assistant.models.escalation_phrases import EscalationPhrase, Matter
from assistant.models.generation import AnswerEvidence, ModelReply, ModelUsage, StaffText, StaffTextKind
from assistant.models.lessons import FOR_EDITORS, Lesson, LessonKind, Rating
from assistant.models.mails import Mail, MailKind, MailQuerySet
from assistant.models.problems import KnownProblem
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
from assistant.models.routing import RoutedField, RoutingAnswer, RoutingSuggestion
from assistant.models.tickets import (
    BY_CUSTOMER,
    MAX_DETAIL_LENGTH,
    UNSETTLED,
    MessageAuthor,
    Priority,
    Ticket,
    TicketMessage,
    TicketQuerySet,
    TicketReason,
    TicketStatus,
    new_reference,
    new_token,
)

__all__ = [
    "BY_CUSTOMER",
    "FOR_EDITORS",
    "MAX_DETAIL_LENGTH",
    "MAX_QUESTION_LENGTH",
    "PLACE",
    "UNSETTLED",
    "AccountMail",
    "AccountMailKind",
    "Answer",
    "AnswerEvidence",
    "Assignment",
    "CannedReply",
    "Channel",
    "Citation",
    "ConfidenceLevel",
    "ConsideredPassage",
    "Conversation",
    "DeskRules",
    "EscalationPhrase",
    "Feedback",
    "FeedbackReason",
    "Holiday",
    "KnownProblem",
    "Lesson",
    "LessonKind",
    "Mail",
    "MailKind",
    "MailQuerySet",
    "Matter",
    "MessageAuthor",
    "ModelReply",
    "ModelUsage",
    "Presence",
    "Priority",
    "Question",
    "QuestionStatus",
    "Rating",
    "RotaMember",
    "RoutedField",
    "RoutingAnswer",
    "RoutingSuggestion",
    "SpentBudget",
    "StaffText",
    "StaffTextKind",
    "Stage",
    "Ticket",
    "TicketFile",
    "TicketFileContent",
    "TicketMessage",
    "TicketQuerySet",
    "TicketReason",
    "TicketStatus",
    "hooks",
    "mailroom",
    "measured",
    "new_reference",
    "new_token",
    "replays",
    "wanted",
]

# After the rows that their own point to.
from assistant import measured, replays, wanted
from assistant.hooks import models as hooks
from assistant.mailroom import models as mailroom
