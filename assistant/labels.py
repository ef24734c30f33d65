"""What staff know about questions, as labels: given in the admin, read by calibration, export and quality page.

A judgement is about what happened then; as a label it says which articles answer the question, so that it can be
asked again of another model. Customers' votes are no labels: who votes is a matter of mood. They only say which
questions are worth a look.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from assistant.measured import Label, LabelSource, Verdict
from assistant.models import Question, QuestionStatus
from assistant.services import TURNS_OF_HISTORY, history_of
from assistant.validation import InvalidInput
from knowledge.labelled import LabelledQuestion, key_of
from knowledge.models import Article

# They speak of an answer, so there has to be one.
ABOUT_AN_ANSWER = (Verdict.RIGHT, Verdict.INCOMPLETE, Verdict.WRONG)


@dataclass(frozen=True)
class SiteLabels:
    questions: tuple[LabelledQuestion, ...]  # oldest judgement first
    rows: tuple[Label, ...]  # one each, in the same order
    left_out: int  # judged, but the article that answers it is not public any more


def judge(
    *,
    question: Question,
    verdict: Verdict | str,
    by: Any,
    articles: Sequence[Article] = (),
    source: LabelSource = LabelSource.STAFF,
) -> Label:
    """The last word counts.

    `articles` answer the question; for a right or incomplete answer they are taken from its first citation.
    Raises InvalidInput.
    """
    if verdict not in Verdict.values:
        raise InvalidInput(
            "verdict",
            _("Unknown judgement. Allowed: %(allowed)s.") % {"allowed": ", ".join(Verdict.values)},
        )
    verdict = Verdict(verdict)
    is_answered = question.status == QuestionStatus.ANSWERED
    if question.status == QuestionStatus.RECEIVED:
        raise InvalidInput("verdict", _("This question has not been decided yet."))
    if verdict in ABOUT_AN_ANSWER and not is_answered:
        raise InvalidInput("verdict", _("There is no answer to judge: this question went to a person."))
    if verdict == Verdict.ARTICLE and not articles:
        raise InvalidInput("articles", _("Please name the article that answers the question."))
    if verdict in (Verdict.RIGHT, Verdict.INCOMPLETE):
        articles = _first_cited(question)
        if not articles:
            raise InvalidInput("articles", _("The article of this answer has been deleted since."))
    elif verdict == Verdict.NO_ARTICLE:
        articles = ()
    elif verdict == Verdict.ARTICLE and is_answered:
        cited = {article.pk for article in _first_cited(question)}
        verdict = Verdict.RIGHT if cited & {article.pk for article in articles} else Verdict.WRONG
    with transaction.atomic():
        label = Label.objects.select_for_update().filter(question=question).first()
        if label is None:
            label = Label(question=question)
        label.verdict, label.source = verdict, source
        label.judged_by, label.judged_at = by, timezone.now()
        label.save()
        label.articles.set(articles)
    return label


def withdraw(*, question: Question) -> bool:
    """False where there was no judgement."""
    deleted, _by_model = Label.objects.filter(question=question).delete()
    return bool(deleted)


def site_labels() -> SiteLabels:
    """Every judged question that can be asked again as anybody would, in a fixed number of queries."""
    labels = (
        Label.objects.select_related("question")
        .defer("question__confidence_signals")
        .prefetch_related("articles")
        .order_by("judged_at", "pk")
    )
    rows, questions, left_out = [], [], 0
    judged = list(labels)
    named = {article for label in judged for article in label.articles.all()}
    wanted = {article.pk for article in named} | {article.merged_into_id for article in named} - {None}
    public = Article.objects.published().visible_to(None).only("external_id").in_bulk(wanted)
    histories = histories_of([label.question for label in judged])
    for label in judged:
        # What was merged is answered from where its text is now.
        heirs = [public.get(one.pk) or public.get(one.merged_into_id) for one in label.articles.all()]
        gold = [article for article in heirs if article is not None]
        if not gold and label.verdict not in (Verdict.WRONG, Verdict.NO_ARTICLE):
            left_out += 1
            continue
        question = label.question
        rows.append(label)
        questions.append(
            LabelledQuestion(
                id=str(question.public_id),
                text=question.text,
                language=question.language,
                gold=frozenset(key_of(article) for article in gold),
                history=histories[question.pk],
                is_incomplete=label.verdict == Verdict.INCOMPLETE,
            )
        )
    return SiteLabels(tuple(questions), tuple(rows), left_out)


def export_rows(labels: SiteLabels) -> Iterator[dict[str, Any]]:
    """Lines of a file that `evaluate` and `calibrate` read, with who is behind each label."""
    for question, label in zip(labels.questions, labels.rows, strict=True):
        yield question.as_row() | {
            "judgement": label.verdict,
            "source": label.source,
            "judged_at": label.judged_at.isoformat(timespec="seconds"),
        }


def _first_cited(question: Question) -> list[Article]:
    citation = question.answer.citations.select_related("article").order_by("number").first()
    return [citation.article] if citation is not None and citation.article is not None else []


def histories_of(questions: Sequence[Question]) -> dict[int, tuple[str, ...]]:
    """Of each question, by its id: the turns before it."""
    earlier: dict[int, list[Question]] = defaultdict(list)
    conversations = {question.conversation_id for question in questions}
    asked = Question.objects.filter(conversation_id__in=conversations).select_related("answer").order_by("pk")
    for one in asked.only("pk", "text", "conversation_id", "answer__text"):
        earlier[one.conversation_id].append(one)
    return {
        question.pk: history_of(
            [one for one in earlier[question.conversation_id] if one.pk < question.pk][-TURNS_OF_HISTORY:]
        )
        for question in questions
    }
