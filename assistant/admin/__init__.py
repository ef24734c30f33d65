"""The support desk in Django's admin: questions and feedback to look at, tickets to settle."""

from django.conf import settings
from django.contrib import admin

from assistant.admin.evaluations import EvaluatedQuestionAdmin
from assistant.admin.questions import FeedbackAdmin, QuestionAdmin
from assistant.admin.tickets import TicketAdmin

__all__ = ["EvaluatedQuestionAdmin", "FeedbackAdmin", "QuestionAdmin", "TicketAdmin"]

admin.site.site_header = settings.SITE_NAME
admin.site.site_title = settings.SITE_NAME
