"""What the tests of the pages share: rows as the services store them, and a few looks at the HTML."""

import re
from html import unescape

from django.test import Client

from assistant.models import (
    Answer,
    Channel,
    Citation,
    ConfidenceLevel,
    ConsideredPassage,
    Conversation,
    Question,
    QuestionStatus,
    Ticket,
    TicketReason,
)
from knowledge.models import Article


def text_of(content: bytes) -> str:
    """What a reader sees of a page, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content.decode())).split())


def question(text: str = "How do I pause?", *, language: str = "en", **fields: object) -> Question:
    values: dict[str, object] = {
        "conversation": Conversation.objects.create(),
        "channel": Channel.PAGE,
        "status": QuestionStatus.ANSWERED,
        "confidence_score": 0.914,
        "confidence_threshold": 0.6,
        "confidence_level": ConfidenceLevel.HIGH,
        "confidence_signals": {"cosine": 0.7, "margin": 0.1},
    } | fields
    return Question.objects.create(text=text, language=language, **values)


def answered(*articles: Article, writer: str = "extractive", **fields: object) -> Question:
    """A question whose answer quotes the whole body of each article, one block each."""
    asked = question(**fields)  # type: ignore[arg-type]
    blocks = [{"text": article.body, "citations": [n]} for n, article in enumerate(articles, start=1)]
    answer = Answer.objects.create(
        question=asked,
        text="\n\n".join(article.body for article in articles),
        blocks=blocks,
        writer=writer,
        language=articles[0].language,
    )
    for number, article in enumerate(articles, start=1):
        Citation.objects.create(
            answer=answer,
            number=number,
            article=article,
            article_revision=article.revision,
            title=article.title,
            heading_path=["Steps"],
            url=f"{article.get_absolute_url()}#steps",
            quote=article.body,
            start=0,
            end=len(article.body),
        )
    return asked


def escalated(*closest: Article, **fields: object) -> Question:
    asked = question(
        **{"status": QuestionStatus.ESCALATED, "confidence_level": ConfidenceLevel.LOW} | fields  # type: ignore[arg-type]
    )
    for rank, article in enumerate(closest, start=1):
        ConsideredPassage.objects.create(
            question=asked,
            rank=rank,
            article=article,
            article_revision=article.revision,
            title=article.title,
            text=article.body,
            fused=1 / rank,
        )
    Ticket.objects.create(
        question=asked,
        conversation=asked.conversation,
        subject=asked.text[:300],
        reason=TicketReason.LOW_CONFIDENCE,
        language=asked.language,
    )
    return asked


def owns(client: Client, asked: Question) -> None:
    """Makes the browser the one that asked."""
    session = client.session
    session["conversations"] = [str(asked.conversation.public_id)]
    session.save()
