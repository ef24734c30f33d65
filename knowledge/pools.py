"""What the weights of retrieval are fitted on: labelled questions with all that could be found for them, in memory.

Pure but for the model that `reader` asks. Refuses to decide what is fitted, and how.
"""

from collections.abc import Sequence

import numpy as np

from knowledge.followups import LabelledFollowUp, last_answer, together
from knowledge.fusion import FusionWeights
from knowledge.fusion_fitting import LabelledPool
from knowledge.labelled import LabelledQuestion
from knowledge.measuring import IndexedArticles, QuestionReader, read_wording
from knowledge.ranking import ranking_values, signals_of, signs_of


def pools(
    articles: IndexedArticles,
    questions: Sequence[LabelledQuestion],
    *,
    reader: QuestionReader,
    corpus: str = "",
) -> list[LabelledPool]:
    """The candidates of every question, as retrieval proposes them; questions without gold are left out."""
    found: list[LabelledPool] = []
    reader.learn((question.language, question.text) for question in questions)
    for question in questions:
        gold = frozenset(articles.numbers[key] for key in question.gold if key in articles.numbers)
        if not gold:
            continue
        reading, proposed = read_wording(articles, question.text, language=question.language, reader=reader)
        signals = signals_of(
            reading,
            sorted(proposed),
            {row: articles.stored[row] for row in proposed},
            articles.lexical,
            question.language != articles.language,
        )
        found.append(
            LabelledPool(
                corpus=corpus,
                language=question.language,
                candidates=tuple(candidate for candidate, _units in signals),
                article_ids=gold,
                mass=reading.mass or None,
            )
        )
    return found


def found_by_words(articles: IndexedArticles, questions: Sequence[LabelledQuestion]) -> float:
    """hit@1 of BM25 alone, 0..1."""
    hits = 0
    for question in questions:
        gold = {articles.numbers[key] for key in question.gold if key in articles.numbers}
        best = articles.lexical.search(articles.lexical.terms(question.text), 1)
        hits += any(articles.stored[row].article_id in gold for row, _bm25 in best)
    return hits / len(questions) if questions else 0.0


def follow_ups(
    articles: IndexedArticles,
    questions: Sequence[LabelledQuestion],
    *,
    reader: QuestionReader,
    weights: FusionWeights,
    corpus: str = "",
) -> list[LabelledFollowUp]:
    """Questions with a history, ranked alone and together with it; those without gold are left out."""
    found: list[LabelledFollowUp] = []
    asked = [one for one in questions if one.is_question and together(one.text, one.history)]
    reader.learn((one.language, one.text) for one in asked)
    reader.learn((one.language, together(one.text, one.history)) for one in asked)
    for question in asked:
        gold = {articles.numbers[key] for key in question.gold if key in articles.numbers}
        if not gold:
            continue
        language = question.language
        readings, proposed = [], set()
        for wording in (question.text, together(question.text, question.history)):
            reading, near = read_wording(articles, wording, language=language, reader=reader)
            readings.append(reading)
            proposed |= near
        ids = sorted(proposed)
        stored = {row: articles.stored[row] for row in ids}
        is_other = language != articles.language
        alone, with_history = (
            ranking_values(
                reading,
                [one for one, _units in signals_of(reading, ids, stored, articles.lexical, is_other)],
                language,
                weights,
            )
            for reading in readings
        )
        answered = articles.lexical.terms(last_answer(question.history), language=language)
        found.append(
            LabelledFollowUp(
                corpus=corpus,
                signs=signs_of(alone, with_history, stored, articles.lexical, answered),
                is_right=np.array([stored[row].article_id in gold for row in ids]),
                alone=np.array([alone[row] for row in ids]),
                with_history=np.array([with_history[row] for row in ids]),
            )
        )
    return found
