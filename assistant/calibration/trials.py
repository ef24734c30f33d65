"""Asks labelled questions at every threshold at once."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from assistant.asking import Decision, Inquiry, candidates
from assistant.calibration.promise import Candidate, Trial
from assistant.evaluation import Articles, article_languages
from knowledge.labelled import LabelledQuestion, articles_of, with_translations

_SEED = 0


@dataclass(frozen=True)
class Trials:
    trials: tuple[Trial, ...]
    hidden: int  # questions whose gold was hidden
    unmatched_gold: int  # gold keys with no article in the database


def run_trials(
    questions: Sequence[LabelledQuestion],
    *,
    hidden_share: float = 0.0,
    articles: Articles = "all",
    progress: Callable[[Iterable[LabelledQuestion]], Iterable[LabelledQuestion]] = iter,
) -> Trials:
    """Every question once, as an anonymous customer would ask it.

    Of `hidden_share` of those that have an answer, drawn by lot, the gold articles and their translations are
    invisible: near misses, as a site meets them that lacks articles. Raises WriterUnavailable.
    """
    known = articles_of(questions)
    lots = random.Random(_SEED)  # noqa: S311  (a sample that comes out the same every time)
    made, hidden = [], 0
    for question in progress(questions):
        is_hidden = lots.random() < hidden_share and bool(question.gold)
        hidden += is_hidden
        gold = frozenset(pk for key in question.gold for pk in known.get(key, ()))
        inquiry = Inquiry(
            text=question.text,
            language=question.language,
            history=question.history,
            excluded_article_ids=with_translations(gold) if is_hidden else frozenset(),
            article_languages=article_languages(question.language, articles),
        )
        right = frozenset() if is_hidden or question.is_incomplete else gold
        made.append(Trial(tuple(_candidate(decision, right) for decision in candidates(inquiry))))
    unmatched = len({key for question in questions for key in question.gold} - known.keys())
    return Trials(tuple(made), hidden, unmatched)


def _candidate(decision: Decision, right: frozenset[int]) -> Candidate:
    draft = decision.draft
    cited = draft.citations[0].passage.article_id if draft is not None else decision.retrieval.article_ids[0]
    return Candidate(decision.confidence.raw, cited in right, is_written=draft is not None)
