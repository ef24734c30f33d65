"""The support desk in Django's admin: questions and feedback to look at, tickets to settle, and the desk's rules."""

from assistant.admin.desk_rules import DeskRulesAdmin, HolidayAdmin, KnownProblemAdmin, RotaMemberAdmin
from assistant.admin.evaluations import EvaluatedQuestionAdmin
from assistant.admin.evidence import ModelUsageAdmin
from assistant.admin.hooks import HandOffAdmin, WebhookDeliveryAdmin, WebhookEndpointAdmin
from assistant.admin.inbound import InboundMailAdmin, MailboxAdmin
from assistant.admin.lessons import CannedReplyAdmin, LessonAdmin, RatingAdmin
from assistant.admin.phrases import EscalationPhraseAdmin
from assistant.admin.questions import FeedbackAdmin, QuestionAdmin
from assistant.admin.staff_texts import StaffTextAdmin
from assistant.admin.tickets import TicketAdmin

__all__ = [
    "CannedReplyAdmin",
    "DeskRulesAdmin",
    "EscalationPhraseAdmin",
    "EvaluatedQuestionAdmin",
    "FeedbackAdmin",
    "HandOffAdmin",
    "HolidayAdmin",
    "InboundMailAdmin",
    "KnownProblemAdmin",
    "LessonAdmin",
    "MailboxAdmin",
    "ModelUsageAdmin",
    "QuestionAdmin",
    "RatingAdmin",
    "RotaMemberAdmin",
    "StaffTextAdmin",
    "TicketAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
]
