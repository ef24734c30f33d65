"""What the API takes and what it gives, spelled out; nothing of a model shows that is not named here."""

from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers

from assistant.api.fields import CleanText, StrictBoolean, StrictChoice, StrictSerializer, StrictUUID
from assistant.models import (
    MAX_DETAIL_LENGTH,
    MAX_QUESTION_LENGTH,
    ConfidenceLevel,
    Feedback,
    FeedbackReason,
    MessageAuthor,
    QuestionStatus,
    Ticket,
    TicketMessage,
    TicketReason,
    TicketStatus,
)
from assistant.payload import AnswerState
from assistant.validation import clean_email, clean_name, clean_question_text, clean_text
from knowledge.models import Article, Category, Language

_SUBJECT_LENGTH = 300  # characters
_COMMENT_LENGTH = 1000  # characters
_NAME_LENGTH = 120  # characters
_SEARCH_LENGTH = 300  # characters


def _email(**options: Any) -> CleanText:
    return CleanText(clean=clean_email, max_length=254, **options)


def _name(**options: Any) -> CleanText:
    return CleanText(clean=clean_name, max_length=_NAME_LENGTH, **options)


# --- in -----------------------------------------------------------------------------------------------


class QuestionInput(StrictSerializer):
    question = CleanText(clean=clean_question_text, max_length=MAX_QUESTION_LENGTH)
    language = StrictChoice(
        choices=Language.choices, required=False, help_text="Of the question. Without it the text decides."
    )
    conversation = StrictUUID(required=False, help_text="Continues the conversation of an earlier question.")
    contact_email = _email(required=False, help_text="Completes the ticket at once if there is no answer.")
    contact_name = _name(required=False)


class FeedbackInput(StrictSerializer):
    helpful = StrictBoolean()
    reason = StrictChoice(
        choices=FeedbackReason.choices, required=False, help_text="Only with helpful: false."
    )
    comment = CleanText(
        clean=partial(clean_text, field="comment", limit=_COMMENT_LENGTH),
        max_length=_COMMENT_LENGTH,
        required=False,
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["helpful"] and attrs.get("reason"):
            raise exceptions.ValidationError({"reason": [_("A reason goes with “helpful: false” only.")]})
        return attrs


class TicketInput(StrictSerializer):
    """Either a request of its own (subject, detail), or the ticket of a question."""

    question = StrictUUID(required=False, help_text="Completes this question's ticket, or opens one for it.")
    subject = CleanText(
        clean=partial(clean_text, field="subject", limit=_SUBJECT_LENGTH, required=True),
        max_length=_SUBJECT_LENGTH,
        required=False,
        help_text="Required without a question; not allowed with one.",
    )
    detail = CleanText(
        clean=partial(clean_text, field="detail", limit=MAX_DETAIL_LENGTH),
        max_length=MAX_DETAIL_LENGTH,
        required=False,
        help_text="Required without a question.",
    )
    contact_email = _email(required=False, help_text="Required unless the signed-in account has one.")
    contact_name = _name(required=False)
    language = StrictChoice(
        choices=Language.choices, required=False, help_text="Of the ticket. Default: Accept-Language."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        with_question = "question" in attrs
        errors: dict[str, list[str]] = {}
        for name in ("subject", "language") if with_question else ():
            if name in attrs:
                errors[name] = [_("With “question”, this comes from the question and must not be sent.")]
        for name in () if with_question else ("subject", "detail"):
            if not attrs.get(name):
                errors[name] = [_("This field is required when there is no “question”.")]
        if not attrs.get("contact_email") and not self.context.get("known_email"):
            errors["contact_email"] = [_("Please give an e-mail address, so that we can reply.")]
        if errors:
            raise exceptions.ValidationError(errors)
        return attrs


class MessageInput(StrictSerializer):
    body = CleanText(
        clean=partial(clean_text, field="body", limit=MAX_DETAIL_LENGTH, required=True),
        max_length=MAX_DETAIL_LENGTH,
    )


class ArticleQuery(StrictSerializer):
    """The query string of the article list."""

    language = StrictChoice(choices=Language.choices, required=False)
    category = CleanText(
        clean=partial(clean_text, field="category", limit=140),
        max_length=140,
        required=False,
        help_text="Slug of a category.",
    )
    q = CleanText(
        clean=partial(clean_text, field="q", limit=_SEARCH_LENGTH),
        max_length=_SEARCH_LENGTH,
        required=False,
        help_text="Searches the articles; best first instead of by title.",
    )
    page = serializers.IntegerField(min_value=1, required=False)


# --- out ----------------------------------------------------------------------------------------------


class ErrorDetail(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="For people, in the language of Accept-Language.")
    fields = serializers.DictField(  # type: ignore[assignment]  # the name is the contract's
        child=serializers.ListField(child=serializers.CharField()), help_text="What to mend, by name."
    )


class ErrorOutput(serializers.Serializer[Any]):
    error = ErrorDetail()


class BlockOutput(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="Markdown.")
    citations = serializers.ListField(
        child=serializers.IntegerField(min_value=1), help_text="1-based numbers."
    )


class AnswerOutput(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="Markdown of the blocks.")
    blocks = BlockOutput(many=True)
    writer = serializers.CharField()
    language = serializers.ChoiceField(choices=Language.choices, help_text="Of the quoted articles.")


class CitationOutput(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1)
    article = serializers.CharField(help_text="The article's id in its source, else its number.")
    article_id = serializers.IntegerField(help_text="For /articles/<id>/.")
    title = serializers.CharField()
    url = serializers.CharField(help_text="Of the article's page with the quote marked.")
    quote = serializers.CharField(help_text="Verbatim.")
    start = serializers.IntegerField(help_text="Character offset into the article's body.")
    end = serializers.IntegerField(help_text="Character offset into the article's body.")


class ConfidenceOutput(serializers.Serializer[Any]):
    score = serializers.FloatField(allow_null=True, min_value=0, max_value=1)
    level = serializers.ChoiceField(choices=ConfidenceLevel.choices, allow_blank=True)
    threshold = serializers.FloatField(allow_null=True, min_value=0, max_value=1)
    calibrated = serializers.BooleanField()


class TicketLinkOutput(serializers.Serializer[Any]):
    reference = serializers.CharField()
    reason = serializers.ChoiceField(choices=TicketReason.choices)
    status = serializers.ChoiceField(choices=TicketStatus.choices)
    token = serializers.CharField(
        required=False, help_text="For /tickets/<token>/. Told to whoever asked, once. Keep it secret."
    )
    url = serializers.CharField(required=False)


class ClosestOutput(serializers.Serializer[Any]):
    article = serializers.CharField()
    article_id = serializers.IntegerField()
    title = serializers.CharField()
    url = serializers.CharField()
    language = serializers.ChoiceField(choices=Language.choices)


class QuestionOutput(serializers.Serializer[Any]):
    """assistant.payload makes it, for the API and for `ask --json`."""

    id = serializers.UUIDField()
    conversation = serializers.UUIDField(help_text="Send it with a follow-up question.")
    question = serializers.CharField()
    status = serializers.ChoiceField(choices=QuestionStatus.choices)
    answer_state = serializers.ChoiceField(
        choices=[(state.value, state.value) for state in AnswerState],
        allow_null=True,
        help_text="withdrawn: an article behind the answer may no longer be read, so its text is not shown.",
    )
    answer = AnswerOutput(allow_null=True)
    citations = CitationOutput(many=True)
    confidence = ConfidenceOutput()
    ticket = TicketLinkOutput(allow_null=True)
    closest = ClosestOutput(many=True)
    language = serializers.ChoiceField(choices=Language.choices)
    ai_generated = serializers.BooleanField()
    elapsed_ms = serializers.IntegerField(allow_null=True)


class ConversationOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    questions = QuestionOutput(many=True, help_text="The latest 30, oldest first.")


class FeedbackOutput(serializers.ModelSerializer[Feedback]):
    class Meta:
        model = Feedback
        fields = ("helpful", "reason", "comment", "updated_at")
        read_only_fields = fields


class MessageOutput(serializers.ModelSerializer[TicketMessage]):
    author = serializers.ChoiceField(choices=MessageAuthor.choices, source="author_kind")

    class Meta:
        model = TicketMessage
        fields = ("author", "body", "created_at")
        read_only_fields = fields


class TicketOutput(serializers.ModelSerializer[Ticket]):
    """What the holder of the token sees: no assignee, no priority, no internal note."""

    question = serializers.UUIDField(source="question.public_id", allow_null=True, default=None)
    url = serializers.SerializerMethodField()
    messages = MessageOutput(many=True, source="public_messages")

    class Meta:
        model = Ticket
        fields = (
            "reference",
            "token",
            "url",
            "status",
            "reason",
            "subject",
            "detail",
            "language",
            "question",
            "created_at",
            "updated_at",
            "messages",
        )
        read_only_fields = fields

    def get_url(self, ticket: Ticket) -> str:
        return str(self.context["request"].build_absolute_uri(ticket.get_absolute_url()))


class CategoryOutput(serializers.ModelSerializer[Category]):
    class Meta:
        model = Category
        fields = ("slug", "name")
        read_only_fields = fields


class ArticleLinkOutput(serializers.ModelSerializer[Article]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = Article
        fields: tuple[str, ...] = ("id", "title", "language", "url")
        read_only_fields = fields

    def get_url(self, article: Article) -> str:
        return str(self.context["request"].build_absolute_uri(article.get_absolute_url()))


class ArticleListOutput(ArticleLinkOutput):
    category = CategoryOutput(allow_null=True)

    class Meta(ArticleLinkOutput.Meta):
        fields: tuple[str, ...] = (
            "id",
            "title",
            "slug",
            "language",
            "category",
            "audience",
            "revision",
            "updated_at",
            "url",
        )
        read_only_fields = fields


class ArticleOutput(ArticleListOutput):
    body = serializers.CharField(help_text="Markdown.")
    html = serializers.SerializerMethodField(help_text="Sanitised; links between articles are resolved.")
    translations = serializers.SerializerMethodField()

    class Meta(ArticleListOutput.Meta):
        fields: tuple[str, ...] = (*ArticleListOutput.Meta.fields, "body", "html", "translations")
        read_only_fields = fields

    def get_html(self, _article: Article) -> str:
        return str(self.context["html"])

    def get_translations(self, _article: Article) -> list[dict[str, Any]]:
        return list(ArticleLinkOutput(self.context["translations"], many=True, context=self.context).data)
