"""A small help center whose questions have known answers, asked and judged."""

import json
from pathlib import Path

from assistant.calibration import store
from assistant.labels import judge
from assistant.measured import Calibration, CalibrationState, Verdict
from assistant.models import (
    Answer,
    Citation,
    ConsideredPassage,
    Conversation,
    Question,
    QuestionStatus,
    Ticket,
)
from knowledge.models import Article

ARTICLES = {
    "pause": ("Pause your subscription", "A pause costs 9 euros a month and lasts one to three months."),
    "charger": ("Lost charger", "A new charger costs 45 euros; it is sent within two days."),
    "paypal": ("Paying by PayPal", "We accept PayPal in Germany and Austria."),
}
QUESTIONS = {
    "pause": (
        "How much is a pause of my subscription?",
        "What does it cost to pause my subscription?",
        "How long can I pause my subscription?",
        "Pause subscription price",
    ),
    "charger": (
        "I lost my charger",
        "What does a new charger cost?",
        "How much is a new charger?",
        "When is a new charger sent?",
    ),
    "paypal": (
        "Can I pay by PayPal?",
        "Do you accept PayPal?",
        "Do you accept PayPal in Austria?",
        "PayPal in Germany?",
    ),
}


def make_articles(make_article, **fields) -> dict[str, Article]:
    return {
        key: make_article(title, body, external_id=key, source="test", **fields)
        for key, (title, body) in ARTICLES.items()
    }


def labelled_rows(*, off_topic: int = 0) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"id": f"{key}-{number}", "question": text, "language": "en", "article_ids": [key]}
        for key, texts in QUESTIONS.items()
        for number, text in enumerate(texts)
    ]
    strange = ("Which wine goes with duck?", "Who won the cup in 1974?", "How tall is a giraffe?")
    rows += [
        {"id": f"off-{number}", "question": strange[number % 3], "language": "en", "article_ids": []}
        for number in range(off_topic)
    ]
    return rows


def in_force(threshold: float, **fields) -> Calibration:
    """A calibration of this site that decides from now on."""
    binding = store.binding_fields(store.Binding.now())
    values = {"state": CalibrationState.LIVE, "source": "test", "max_risk": 0.05, "confidence": 0.95}
    return Calibration.objects.create(**values | binding | {"threshold": threshold} | fields)


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def asked(
    article: Article | None = None, *, score: float = 0.8, is_answered: bool = True, text: str = "", **fields
) -> Question:
    """A question as it is stored once it is decided, without asking a model."""
    question = Question.objects.create(
        conversation=Conversation.objects.create(),
        text=text or "What does a pause cost?",
        language=fields.pop("language", "en"),
        channel="page",
        status=QuestionStatus.ANSWERED if is_answered else QuestionStatus.ESCALATED,
        confidence_score=score,
        confidence_threshold=0.5,
        confidence_level="medium" if is_answered else "low",
        confidence_signals={"cosine": 0.5},
        elapsed_ms=fields.pop("elapsed_ms", 40),
        **fields,
    )
    if article is not None:
        ConsideredPassage.objects.create(
            question=question,
            rank=1,
            article=article,
            article_revision=1,
            title=article.title,
            text="text",
            fused=1.0,
        )
    if is_answered:
        answer = Answer.objects.create(question=question, text="9 euros", writer="extractive", language="en")
        Citation.objects.create(
            answer=answer,
            number=1,
            article=article,
            article_revision=1,
            title="Pause",
            url="/en/articles/pause/",
            quote="9 euros",
            start=0,
            end=7,
        )
    else:
        Ticket.objects.create(
            question=question,
            subject=question.text,
            reason="low_confidence",
            language="en",
            status="awaiting_contact",
        )
    return question


def judged(article: Article, verdict: Verdict | str, **fields) -> Question:
    question = asked(article, **fields)
    judge(question=question, verdict=verdict, by=None, articles=[article])
    return question
