"""Whether a gap's questions are answered by now: asked again, as a visitor would ask, without storing anything.

Promise: only gaps are asked about for which that can have changed: new ones, those near to an article that became
answerable since the last run, and each once a day. An answer that was not enough counts as one only where the article
that it is from has changed since.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from assistant.asking import Inquiry, decide, desk_of_site
from assistant.gaps.grouping import centre_of
from assistant.gaps.troubled import Troubled
from assistant.labels import histories_of
from assistant.wanted import Gap, Trouble
from assistant.writers.extractive import ExtractiveWriter
from knowledge.models import Article, IndexMark, Passage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE: Final = 3  # questions of a gap, from its middle
_SHARE: Final = 2 / 3  # of them that have to be answered
_MOST: Final = 200  # gaps a run; the largest first, the rest have their turn in the next
_NEAR: Final = (
    0.25  # cosine of a passage and a gap's middle; what is less near never was the right one, see docs
)
_DAILY: Final = timedelta(days=1)


class Open(Protocol):
    """A gap as it is to be stored."""

    members: list[Troubled]
    vectors: "NDArray[np.float32]"
    gap: Gap | None
    answered_by: int | None
    checked_at: datetime | None


@dataclass
class Recheck:
    now: datetime
    recipe: str  # of the generation that answers
    since: datetime | None  # when the last run began; None: there was none
    _known: dict[int, int | None] = field(
        default_factory=dict
    )  # question id to the article that answers it now

    def look(self, clusters: "Sequence[Open]", *, said: Callable[[int, int], None]) -> None:
        """Fills in `answered_by` and `checked_at`. `said` hears how far it is."""
        fresh = self._fresh_vectors()
        due = []
        for cluster in clusters:
            if self._is_due(cluster, fresh):
                due.append(cluster)
            elif cluster.gap is not None:
                cluster.checked_at = cluster.gap.checked_at
        due.sort(key=lambda cluster: -len(cluster.members))
        for done, cluster in enumerate(due[:_MOST]):
            said(done, min(len(due), _MOST))
            cluster.answered_by = self._answering(self._middle(cluster))
            cluster.checked_at = self.now

    def _is_due(self, cluster: "Open", fresh: "NDArray[np.float32]") -> bool:
        checked_at = cluster.gap.checked_at if cluster.gap is not None else None
        if checked_at is None or checked_at < self.now - _DAILY:
            return True
        centre = centre_of(cluster.vectors)
        length = float(np.linalg.norm(centre)) or 1.0
        return bool(len(fresh) and fresh.shape[1] == len(centre) and (fresh @ centre).max() / length >= _NEAR)

    def _fresh_vectors(self) -> "NDArray[np.float32]":
        """Of what became answerable since the last run."""
        if self.since is None:
            return np.zeros((0, 1), dtype=np.float32)
        marks = IndexMark.objects.filter(recipe=self.recipe, indexed_at__gt=self.since)
        passages = Passage.objects.filter(recipe=self.recipe, article__in=marks.values("article"))
        rows = [
            np.frombuffer(bytes(vector), dtype="<f4") for vector in passages.values_list("vector", flat=True)
        ]
        return np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)

    def _middle(self, cluster: "Open") -> list[Troubled]:
        order = np.argsort(-(cluster.vectors @ centre_of(cluster.vectors)), kind="stable")
        return [cluster.members[int(at)] for at in order[:_SAMPLE]]

    def _answering(self, sample: Sequence[Troubled]) -> int | None:
        """The article that most of them are answered from; None where too few are."""
        new = [one for one in sample if one.question.pk not in self._known]
        histories = histories_of([one.question for one in new])
        for one in new:
            self._known[one.question.pk] = _answered_by(one, histories[one.question.pk])
        articles = [self._known[one.question.pk] for one in sample]
        answered = Counter(article for article in articles if article is not None)
        if not sample or sum(answered.values()) < _SHARE * len(sample):
            return None
        return min(answered, key=lambda pk: (-answered[pk], pk))


def _answered_by(one: Troubled, history: tuple[str, ...]) -> int | None:
    """The article that its answer would come from now. By the extractive writer: a chat model costs money by the word,
    and whether passages support an answer is nearly decided before one writes."""
    question = one.question
    decision = decide(
        Inquiry(text=question.text, language=question.language, reader=question.user, history=history),
        replace(desk_of_site(), writer=ExtractiveWriter()),
    )
    if decision.draft is None or not decision.draft.citations:
        return None
    article_id = decision.draft.citations[0].passage.article_id
    return article_id if _is_news(one, article_id) else None


def _is_news(one: Troubled, article_id: int) -> bool:
    if one.troubles == (Trouble.DECLINED,):
        return True
    return Article.objects.filter(pk=article_id, content_changed_at__gt=one.question.created_at).exists()
