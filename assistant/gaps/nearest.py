"""The article that comes nearest to a gap, and what it lacks.

Promise: a fixed number of queries, however many gaps. Nearest is what was considered first for most of the questions,
or what staff named; an article that is not published any more is not counted.
"""

import re
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from assistant.measured import Label
from assistant.models import ConsideredPassage, Question
from knowledge.models import Article
from knowledge.plaintext import plain_text
from knowledge.text import is_stopword, stem, words

_MOST_WORDS: Final = 6
_WORD: Final = re.compile(r"[^\W_]+(?:[-’'][^\W_]+)*")
_SHARE: Final = 1 / 3  # of a gap's questions that have a word, for it to be what they are about


@dataclass(frozen=True)
class Nearest:
    article_id: int | None = None
    questions: int = 0  # for which it came first
    confidence: float | None = None  # 0..1, mean of the gap's questions
    threshold: float | None = None  # 0..1, mean
    missing_words: tuple[str, ...] = ()  # that many of the questions have and the article has not, in no form


def nearest_of(groups: Sequence[Set[int]]) -> list[Nearest]:
    """Of each group of question ids."""
    ids = {pk for group in groups for pk in group}
    questions = {
        pk: (text, language, score, threshold)
        for pk, text, language, score, threshold in Question.objects.filter(pk__in=ids).values_list(
            "pk", "text", "language", "confidence_score", "confidence_threshold"
        )
    }
    first = _first_articles(ids)
    named = {article_id for article_id in first.values() if article_id is not None}
    articles = {
        article.pk: article
        for article in Article.objects.published().filter(pk__in=named).only("title", "body", "language")
    }
    found = []
    for group in groups:
        counted = Counter(first[pk] for pk in group if first.get(pk) in articles)
        # Of two that are as near the older, so that it is the same one next time.
        best = min(counted, key=lambda pk: (-counted[pk], pk)) if counted else None
        known = [questions[pk] for pk in sorted(group) if pk in questions]
        found.append(
            Nearest(
                article_id=best,
                questions=counted[best],
                confidence=_mean([one[2] for one in known]),
                threshold=_mean([one[3] for one in known]),
                missing_words=_missing(known, articles[best]) if best is not None else (),
            )
        )
    return found


def _first_articles(question_ids: Set[int]) -> dict[int, int | None]:
    considered = ConsideredPassage.objects.filter(question__in=question_ids, rank=1)
    found: dict[int, int | None] = dict(considered.values_list("question_id", "article_id"))
    named = Label.articles.through.objects.filter(label__question__in=question_ids).order_by("-pk")
    found.update(named.values_list("label__question_id", "article_id"))
    return found


def _missing(
    questions: Sequence[tuple[str, str, float | None, float | None]], article: Article
) -> tuple[str, ...]:
    text = f"{article.title}\n{plain_text(article.body)}"
    held = {stem(word, article.language) for word in words(text, article.language)}
    in_questions: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = {}
    for asked, language, _score, _threshold in questions:
        if language != article.language:
            return ()  # other words are no lack
        seen: set[str] = set()
        for token in _WORD.findall(asked):
            for word in words(token, language):
                if len(word) > 2 and not is_stopword(word, language):
                    root = stem(word, language)
                    seen.add(root)
                    # As it was written: folded, Ermäßigung would be ermässigung.
                    forms.setdefault(root, Counter())[token] += 1
        in_questions.update(seen)
    needed = max(1, round(_SHARE * len(questions)))
    lacking = [(count, root) for root, count in in_questions.items() if count >= needed and root not in held]
    chosen = sorted(lacking, key=lambda one: (-one[0], one[1]))[:_MOST_WORDS]
    return tuple(min(forms[root], key=lambda word: (-forms[root][word], word)) for _count, root in chosen)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
