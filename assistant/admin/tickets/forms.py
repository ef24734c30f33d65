"""The form of a ticket and the box for a new message.

A ticket without an e-mail address cannot be opened or solved; the form says so before the database has to. What
somebody else has changed or written while the page was open is kept, or told (`assistant.desk.collisions`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from assistant.admin.judging import article_named
from assistant.attachments import FilesField
from assistant.desk.collisions import FIELDS, Seen, raw_value, unseen_messages, written
from assistant.desk.leaks import leaks
from assistant.measured import Label
from assistant.models import (
    MAX_DETAIL_LENGTH,
    Lesson,
    LessonKind,
    Ticket,
    TicketMessage,
    TicketStatus,
)
from assistant.validation import InvalidInput, clean_email, clean_name, clean_text
from knowledge.models import Article

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _TicketForm = forms.ModelForm[Ticket]
    _MessageForm = forms.ModelForm[TicketMessage]
    _MessageFormSet = forms.BaseInlineFormSet[TicketMessage, Ticket, Any]
    _MessageInline = admin.StackedInline[TicketMessage, Ticket]
else:
    _TicketForm = _MessageForm = forms.ModelForm
    _MessageFormSet = forms.BaseInlineFormSet
    _MessageInline = admin.StackedInline


class TicketForm(_TicketForm):
    answered_by = forms.CharField(
        label=_("Article that answers it"),
        help_text=_(
            "Title, number or address. The question then counts as one that the articles answer, and teaches the "
            "confidence. Leave it empty where no article helps."
        ),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField", "list": "hc-articles"}),
    )
    lesson = forms.ChoiceField(
        label=_("What this ticket teaches"),
        choices=[("", _("nothing said yet")), *LessonKind.choices],
        required=False,
        widget=forms.RadioSelect,
    )
    lesson_text = forms.CharField(
        label=_("For the editors"),
        help_text=_("What is missing or wrong. Empty for a missing article: the customer's own words."),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )
    reader: Any = None  # who fills it in; the admin sets it

    class Meta:
        model = Ticket
        fields = ("status", "priority", "assignee", "category", "problem", "contact_email", "contact_name")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.known_email = self.instance.contact_email
        # Before the form writes what was typed into the instance.
        self.stored = {field: raw_value(self.instance, field) for field in FIELDS}
        self.seen_now = Seen.of(self.instance) if self.instance.pk else None
        self.seen_then = Seen.read(self.data.get("seen", "")) if self.is_bound else None
        self.instance.unseen = (  # type: ignore[attr-defined]  # for the box below, which gets the instance alone
            unseen_messages(self.instance, self.seen_then, reader=self.reader)
            if self.seen_then is not None and self.reader is not None
            else []
        )
        self._recall_lesson()
        status = self.fields.get("status")
        if self.known_email and isinstance(status, forms.ChoiceField):
            status.choices = [
                choice for choice in TicketStatus.choices if choice[0] != TicketStatus.AWAITING_CONTACT
            ]

    def _recall_lesson(self) -> None:
        lesson = Lesson.objects.filter(ticket=self.instance.pk).select_related("article").first()
        label = Label.objects.filter(question=self.instance.question_id).first()
        named = label.articles.first() if label is not None else None
        if lesson is not None:
            named = lesson.article or named
            self.initial["lesson"], self.initial["lesson_text"] = lesson.kind, lesson.text
        if named is not None:
            self.initial["answered_by"] = f"#{named.pk} {named.title}"

    def clean_contact_email(self) -> str:
        value = str(self.cleaned_data.get("contact_email") or "")
        return _checked(clean_email, value) if value or self.known_email else ""

    def clean_contact_name(self) -> str:
        return _checked(clean_name, str(self.cleaned_data.get("contact_name") or ""))

    def clean_answered_by(self) -> Article | None:
        typed = str(self.cleaned_data.get("answered_by") or "")
        if not typed:
            return None
        try:
            return article_named(typed, language=self.instance.language)
        except InvalidInput as error:
            raise ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if "_solve" in self.data and "status" in values:
            values["status"] = TicketStatus.SOLVED
        self._keep_what_others_changed(values)
        self._check_lesson(values)
        status = values.get("status", self.instance.status)
        has_contact = bool(values.get("contact_email") or self.known_email)
        if status != TicketStatus.AWAITING_CONTACT and not has_contact and "contact_email" not in self.errors:
            self.add_error(
                "status",
                _("The customer's e-mail address is not known. Enter it below, or leave “Contact missing”."),
            )
        return values

    @property
    def teaches(self) -> bool:
        """Whether something was said that was not said before."""
        lesson = self.cleaned_data.get("lesson") or ""
        is_new = lesson != self.initial.get("lesson", "")
        return bool(lesson) and (is_new or bool({"lesson_text", "answered_by"} & set(self.changed_data)))

    def _check_lesson(self, values: dict[str, Any]) -> None:
        if "lesson" not in self.fields or "answered_by" in self.errors:
            return
        if values.get("answered_by") and not values.get("lesson") and "answered_by" in self.changed_data:
            values["lesson"] = LessonKind.ARTICLE  # whoever names the article has said it
        lesson = values.get("lesson")
        if lesson and lesson != LessonKind.MISSING and not values.get("answered_by"):
            self.add_error("answered_by", _("Please name the article that this is about."))
        if lesson == LessonKind.WRONG and not (values.get("lesson_text") or "").strip():
            self.add_error("lesson_text", _("Please say what is wrong or missing, so that it can be mended."))

    def _keep_what_others_changed(self, values: dict[str, Any]) -> None:
        if self.seen_then is None:
            return
        for name in FIELDS:
            field = self.fields.get(name)
            if field is None or name not in values:
                continue
            mine, then, now = written(values[name]), self.seen_then.value(name), written(self.stored[name])
            if now in (then, mine):
                continue
            try:
                theirs = field.clean(self.stored[name])
            except ValidationError:
                continue  # such as an assignee who has left since: what is typed now counts
            if mine == then:
                values[name] = theirs
            else:
                self.add_error(
                    name,
                    ValidationError(
                        _(
                            "Somebody has changed this to “%(value)s” in the meantime. Please choose once more."
                        ),
                        params={"value": self.shown(name, now)},
                    ),
                )

    def shown(self, name: str, value: str) -> str:
        """A value as its field names it to people."""
        field = self.fields[name]
        for known, label in getattr(field, "choices", ()):
            if str(known) == value:
                return str(label)
        return value or "–"


class MessageForm(_MessageForm):
    send_hidden = forms.BooleanField(
        label=_("Send it all the same: the customer may know this"), required=False
    )
    attachments = FilesField(label=_("Attachments"))
    asks_about_hidden = False  # whether the box above has anything to ask

    class Meta:
        model = TicketMessage
        fields = ("body", "is_internal")
        widgets = {"body": forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField"})}
        labels = {"body": _("New message"), "is_internal": _("Internal note, never shown to the customer")}

    def clean_body(self) -> str:
        def clean(value: str) -> str:
            return clean_text(value, field="body", limit=MAX_DETAIL_LENGTH, required=True)

        return _checked(clean, str(self.cleaned_data.get("body") or ""))


class MessageFormSet(_MessageFormSet):
    """Only new messages: what was said is shown by the template and cannot be sent back changed."""

    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            form.asks_about_hidden = False
            values = getattr(form, "cleaned_data", {})
            if not values.get("body") or values.get("is_internal"):
                continue
            # The ticket's own form, on the same page, may have just brought the address.
            if not self.instance.contact_email:
                form.add_error(
                    "body", _("This customer left no e-mail address. Only internal notes are possible.")
                )
            elif getattr(self.instance, "unseen", ()):
                form.add_error(
                    "body",
                    _(
                        "Something new was written while you were typing; it is marked above. Your text was not sent "
                        "yet: send it again if it still fits."
                    ),
                )
            elif not values.get("send_hidden") and (
                found := leaks(values["body"], reader=self.instance.customer)
            ):
                form.asks_about_hidden = True
                for leak in found:
                    form.add_error(
                        "body",
                        ValidationError(
                            _(
                                "This is word for word from “%(title)s”, which this customer may not read: “%(quote)s”."
                            ),
                            params={"title": leak.article.title, "quote": leak.quote},
                        ),
                    )


class MessageInline(_MessageInline):
    model = TicketMessage
    fk_name = "ticket"
    form = MessageForm
    formset = MessageFormSet
    template = "admin/assistant/ticket/_thread.html"
    fields = ("body", "attachments", "is_internal", "send_hidden")
    extra = max_num = 1
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TicketMessage]:
        return super().get_queryset(request).none()


def _checked(clean: Callable[[str], str], value: str) -> str:
    try:
        return clean(value)
    except InvalidInput as error:
        raise ValidationError(error.message) from error
