"""Which questions are asked again: the latest ones, each wording once, and every one that staff have judged.

Left out is what no article decides: questions that went to a person at once because of their words
(`assistant.matters`), and those that are not decided yet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from assistant.asking import Inquiry
from assistant.labels import histories_of, site_labels
from assistant.models import Question, QuestionStatus
from knowledge.labelled import articles_of
from knowledge.models import Article, Reader, audiences_for

MOST = 1000  # of the latest, beside the judged ones
_LOOKED_AT = 4 * MOST  # to find so many in different words

_Key: TypeAlias = tuple[str, str, tuple[str, ...], tuple[str, ...]]  # language, text, audiences, history


@dataclass(frozen=True)
class PastQuestion:
    question_id: int
    inquiry: Inquiry
    times: int = 1  # that it was asked in these words lately
    gold: frozenset[int] | None = (
        None  # articles that answer it; empty: none does; None: nobody has judged it
    )


def past_questions(most: int = MOST) -> list[PastQuestion]:
    """The judged ones first, then the latest."""
    gold = _gold()
    decided = (
        Question.objects.exclude(status=QuestionStatus.RECEIVED)
        .exclude(ticket__matter__gt="")
        .select_related("user")
        .defer("confidence_signals")
    )
    judged = list(decided.filter(pk__in=gold).order_by("-pk"))
    latest = list(decided.order_by("-pk")[:_LOOKED_AT])
    histories = histories_of([*judged, *latest])
    found: dict[_Key, PastQuestion] = {}
    times: Counter[_Key] = Counter()
    counted: set[int] = set()
    for question in (*judged, *latest):
        inquiry = Inquiry(
            text=question.text,
            language=question.language,
            reader=question.user,
            history=histories[question.pk],
        )
        key = _key(inquiry)
        if question.pk not in counted:
            counted.add(question.pk)
            times[key] += 1
        is_judged = question.pk in gold
        if key not in found and (is_judged or len(found) < most + len(judged)):
            found[key] = PastQuestion(question.pk, inquiry, gold=gold.get(question.pk))
    return [PastQuestion(one.question_id, one.inquiry, times[key], one.gold) for key, one in found.items()]


def _key(inquiry: Inquiry) -> _Key:
    text = " ".join(inquiry.text.casefold().split())
    return inquiry.language, text, _audiences(inquiry.reader), inquiry.history


def _audiences(reader: Reader) -> tuple[str, ...]:
    return tuple(str(one) for one in audiences_for(reader))


def _gold() -> dict[int, frozenset[int]]:
    """By question: the articles that answer it, and their translations, which say the same."""
    labels = site_labels()
    known = articles_of(labels.questions)
    named = {
        row.question_id: frozenset(pk for key in question.gold for pk in known.get(key, ()))
        for question, row in zip(labels.questions, labels.rows, strict=True)
    }
    translations = _translations({pk for gold in named.values() for pk in gold})
    return {
        question_id: gold | {other for pk in gold for other in translations.get(pk, ())}
        for question_id, gold in named.items()
    }


def _translations(article_ids: set[int]) -> dict[int, Sequence[int]]:
    groups = dict(
        Article.objects.filter(pk__in=article_ids)
        .exclude(translation_group="")
        .values_list("pk", "translation_group")
    )
    members: dict[str, list[int]] = {}
    linked = Article.objects.filter(translation_group__in=set(groups.values()))
    for pk, group in linked.values_list("pk", "translation_group"):
        members.setdefault(group, []).append(pk)
    return {pk: members.get(group, []) for pk, group in groups.items()}
