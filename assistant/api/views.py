"""The views of the API: parse, call one service, show. What goes wrong is raised (see errors.handle)."""

import uuid
from typing import Any, cast

from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from assistant.api import schema
from assistant.api.errors import Conflict
from assistant.api.requests import ApiView
from assistant.api.serializers import (
    ArticleListOutput,
    ArticleOutput,
    ArticleQuery,
    FeedbackInput,
    FeedbackOutput,
    QuestionInput,
    TicketInput,
    TicketOutput,
)
from assistant.api.shared import (
    find_question,
    read_idempotency_key,
    shown_question,
    ticket_response,
)
from assistant.models import (
    Channel,
    Conversation,
    Question,
    QuestionStatus,
    Ticket,
    TicketStatus,
)
from assistant.services import ask_question, leave_feedback, open_ticket
from knowledge.catalogue import translations_of
from knowledge.links import LinkSource, link_resolver
from knowledge.markdown import render_markdown
from knowledge.models import Article, ArticleQuerySet, Language
from knowledge.searching import search_articles

_SEARCH_RESULTS = 50  # articles; a list by relevance has no meaningful tail


class QuestionsView(ApiView):
    @extend_schema(
        operation_id="questions_create",
        summary="Ask a question",
        description="Answers from the articles that the caller may read, or escalates to a ticket.",
        tags=["Questions"],
        request=QuestionInput,
        parameters=[schema.IDEMPOTENCY_KEY],
        examples=[schema.ASK_EXAMPLE],
        responses={
            201: schema.question_response("Answered or escalated."),
            200: schema.question_response("The same request came before, under the same Idempotency-Key."),
            **schema.errors(*schema.BODY_ERRORS, 422),
        },
    )
    def post(self, request: Request) -> Response:
        body = QuestionInput(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        key = read_idempotency_key(request)
        is_repeated = bool(key) and Question.objects.filter(idempotency_key=key).exists()
        question = ask_question(
            text=values["question"],
            language=values.get("language"),
            interface_language=_interface_language(),
            user=request.user,
            channel=Channel.API,
            conversation=_conversation(values.get("conversation")),
            idempotency_key=key,
            contact_email=values.get("contact_email", ""),
            contact_name=values.get("contact_name", ""),
        )
        return Response(
            shown_question(question, request, to_asker=True),
            status=status.HTTP_200_OK if is_repeated else status.HTTP_201_CREATED,
        )


class QuestionView(ApiView):
    @extend_schema(
        operation_id="questions_read",
        summary="Read a question and what became of it",
        description="Whoever knows the id may read it. What is shown of the answer is decided anew.",
        tags=["Questions"],
        responses={200: schema.question_response("The question as it stands now."), **schema.errors(404)},
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        return Response(shown_question(find_question(public_id), request))


class FeedbackView(ApiView):
    @extend_schema(
        operation_id="questions_feedback",
        summary="Say whether the answer helped",
        description="One verdict a question; the last one counts.",
        tags=["Questions"],
        request=FeedbackInput,
        responses={200: FeedbackOutput, **schema.errors(*schema.BODY_ERRORS, 404, 409)},
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        question = find_question(public_id)
        body = FeedbackInput(data=request.data)
        body.is_valid(raise_exception=True)
        if question.status != QuestionStatus.ANSWERED:
            raise Conflict(_("This question has no answer that could be judged."), code="no_answer")
        return Response(FeedbackOutput(leave_feedback(question=question, **body.validated_data)).data)


class ArticlesView(ApiView, generics.ListAPIView[Article]):
    serializer_class = ArticleListOutput
    queryset = Article.objects.none()  # for the schema; what is listed depends on who asks

    @extend_schema(
        operation_id="articles_list",
        summary="List or search articles",
        description="Published articles that the caller may read, by title; with `q` the best matches first.",
        tags=["Articles"],
        parameters=[ArticleQuery],
        responses={200: ArticleListOutput(many=True), **schema.errors(400, 404, 429)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Article]:
        query = ArticleQuery(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        values = query.validated_data
        articles = _readable(self.request).select_related("category").defer("body").order_by("title", "pk")
        if language := values.get("language"):
            articles = articles.filter(language=language)
        if category := values.get("category"):
            articles = articles.filter(category__slug=category)
        if text := values.get("q"):
            return cast("QuerySet[Article]", self._found(text, language, articles))
        return articles

    def _found(self, text: str, language: str | None, articles: ArticleQuerySet) -> list[Article]:
        """The search proposes an order; which articles are listed is still the query's decision."""
        found = search_articles(
            text, language=language or _interface_language(), user=self.request.user, limit=_SEARCH_RESULTS
        )
        listed = articles.in_bulk([article.pk for article, _passage in found.best])
        return [listed[article.pk] for article, _passage in found.best if article.pk in listed]


class ArticleView(ApiView):
    @extend_schema(
        operation_id="articles_read",
        summary="Read an article",
        description="Markdown, HTML and the other languages it exists in, if the caller may read it.",
        tags=["Articles"],
        responses={200: ArticleOutput, **schema.errors(404)},
    )
    def get(self, request: Request, article_id: int) -> Response:
        article = _readable(request).select_related("category").filter(pk=article_id).first()
        if article is None:
            raise exceptions.NotFound(_("There is no such article, or it is not published."))
        resolve = link_resolver(
            article.body, language=article.language, user=request.user, stands_in=LinkSource.of(article)
        )

        def resolve_absolute(href: str) -> str | None:
            target = resolve(href)
            return request.build_absolute_uri(target) if target else None

        context = {
            "request": request,
            "html": render_markdown(article.body, resolve_link=resolve_absolute),
            "translations": list(translations_of(article, user=request.user).values()),
        }
        return Response(ArticleOutput(article, context=context).data)


class TicketsView(ApiView):
    @extend_schema(
        operation_id="tickets_create",
        summary="Ask for a person",
        description=(
            "Without `question`: a new ticket from `subject` and `detail`. With it: completes the ticket "
            "that waits for contact, or opens one for an answered question that needs a person after all."
        ),
        tags=["Tickets"],
        request=TicketInput,
        parameters=[schema.IDEMPOTENCY_KEY],
        responses={
            201: TicketOutput,
            200: TicketOutput,
            **schema.errors(*schema.BODY_ERRORS, 409, 422),
        },
    )
    def post(self, request: Request) -> Response:
        known_email = str(getattr(request.user, "email", "") or "")
        body = TicketInput(data=request.data, context={"known_email": known_email})
        body.is_valid(raise_exception=True)
        values = body.validated_data
        key = read_idempotency_key(request)
        question = _question_to_hand_over(values.get("question"), key)
        is_repeated = bool(key) and Ticket.objects.filter(idempotency_key=key).exists()
        email = values.get("contact_email") or known_email
        ticket = open_ticket(
            subject=question.text[:300].replace("\n", " ") if question else values["subject"],
            detail=values.get("detail", ""),
            contact_email=email,
            contact_name=values.get("contact_name", ""),
            language=question.language if question else values.get("language") or _interface_language(),
            user=request.user,
            question=question,
            idempotency_key=key,
        )
        if ticket.contact_email != email:
            raise _already_complete()  # somebody else gave contact in the same moment
        return ticket_response(ticket.token, request, is_new=not is_repeated)


class TicketView(ApiView):
    @extend_schema(
        operation_id="tickets_read",
        summary="Read a ticket and its messages",
        description="Whoever knows the token may read it. Notes among staff are not shown.",
        tags=["Tickets"],
        responses={200: TicketOutput, **schema.errors(404)},
    )
    def get(self, request: Request, token: str) -> Response:
        return ticket_response(token, request)


def _readable(request: Request) -> ArticleQuerySet:
    return Article.objects.published().visible_to(request.user)


def _question_to_hand_over(public_id: uuid.UUID | None, key: str) -> Question | None:
    """The question of a ticket request. A ticket that has its contact is its customer's alone.

    Unless this is the request that brought the contact, sent again under its key.
    """
    if public_id is None:
        return None
    question = Question.objects.select_related("ticket").filter(public_id=public_id).first()
    if question is None:
        raise exceptions.ValidationError({"question": [_("There is no question with this id.")]})
    ticket = getattr(question, "ticket", None)
    is_repeated = bool(key) and ticket is not None and ticket.idempotency_key == key
    if ticket is not None and ticket.status != TicketStatus.AWAITING_CONTACT and not is_repeated:
        raise _already_complete()
    return question


def _already_complete() -> Conflict:
    return Conflict(
        _("This question's ticket already has a contact. Its address was sent there by e-mail."),
        code="ticket_complete",
    )


def _conversation(public_id: uuid.UUID | None) -> Conversation | None:
    if public_id is None:
        return None
    conversation = Conversation.objects.filter(public_id=public_id).first()
    if conversation is None:
        raise exceptions.ValidationError({"conversation": [_("There is no conversation with this id.")]})
    return conversation


def _interface_language() -> str:
    return Language.GERMAN if (get_language() or "").startswith("de") else Language.ENGLISH
