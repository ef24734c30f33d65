"""The customer's forms. What is allowed is decided in `assistant.validation`, which the API shares."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from assistant.attachments import FilesField
from assistant.models import FeedbackReason
from assistant.validation import (
    InvalidInput,
    clean_email,
    clean_name,
    clean_question_text,
    clean_text,
)

MAX_SUBJECT_LENGTH = 300  # characters, of Ticket.subject
MAX_COMMENT_LENGTH = 1000  # characters, of Feedback.comment


class CheckedField(forms.CharField):
    """A text that one of the shared checks cleans; the check's message is the field's error."""

    def __init__(self, check: Callable[[str], str], **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)
        self.check = check

    def clean(self, value: Any) -> str:
        try:
            return self.check(value or "")
        except InvalidInput as error:
            raise ValidationError(error.message) from error


class AskForm(forms.Form):
    text = CheckedField(clean_question_text, label=_("Your question"))


class ContactForm(forms.Form):
    contact_email = CheckedField(clean_email, label=_("E-mail address"))
    contact_name = CheckedField(clean_name, label=_("Name"))
    detail = CheckedField(partial(clean_text, field="detail"), label=_("Anything else we should know"))


class TicketForm(forms.Form):
    subject = CheckedField(
        partial(clean_text, field="subject", limit=MAX_SUBJECT_LENGTH, required=True), label=_("Subject")
    )
    detail = CheckedField(partial(clean_text, field="detail", required=True), label=_("Your message"))
    contact_email = CheckedField(clean_email, label=_("E-mail address"))
    contact_name = CheckedField(clean_name, label=_("Name"))
    attachments = FilesField(label=_("Files"))


class FollowUpTicketForm(TicketForm):
    """About a question that is already known: nobody has to say it again."""

    subject = CheckedField(partial(clean_text, field="subject", limit=MAX_SUBJECT_LENGTH), label=_("Subject"))
    detail = CheckedField(partial(clean_text, field="detail"), label=_("Anything else we should know"))


class ReplyForm(forms.Form):
    body = CheckedField(partial(clean_text, field="body", required=True), label=_("Your reply"))
    attachments = FilesField(label=_("Files"))


class RatingForm(forms.Form):
    content = forms.ChoiceField(
        choices=[("yes", _("Yes")), ("no", _("No"))],
        error_messages={
            "required": _("Please choose “Yes” or “No”."),
            "invalid_choice": _("Please choose “Yes” or “No”."),
        },
    )
    comment = CheckedField(partial(clean_text, field="comment", limit=1000))


class FeedbackForm(forms.Form):
    helpful = forms.ChoiceField(
        choices=[("yes", _("Yes")), ("no", _("No"))],
        error_messages={
            "required": _("Please choose “Yes” or “No”."),
            "invalid_choice": _("Please choose “Yes” or “No”."),
        },
    )
    reason = forms.ChoiceField(
        choices=[("", ""), *FeedbackReason.choices],
        required=False,
        label=_("What was missing?"),
        error_messages={"invalid_choice": _("Please choose one of the reasons in the list.")},
    )
    comment = CheckedField(
        partial(clean_text, field="comment", limit=MAX_COMMENT_LENGTH), label=_("Your comment")
    )
