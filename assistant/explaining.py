"""The way of a rehearsed question in lines that can be read: words, passages with their signals, gate, confidence.

Promise: every figure is one that took part in the decision, or comes of the very function that made it
(`knowledge.fusion.contributions`, `Regression.parts`); nothing is estimated for show.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model

from assistant.confidence import load_model
from assistant.rehearsal import Rehearsal, Seen
from knowledge.fusion import Candidate, Contribution, contributions
from knowledge.lexical import QuestionTerm
from knowledge.models import Article, Passage, Reader, Status, audiences_for
from knowledge.retrieval import RetrievedPassage, live_shelf, look

POOL_SHOWN: Final = 12  # passages; what the writer is given


class Origin(StrEnum):
    """How a word of a question comes to a word of the articles."""

    WRITTEN = "written"  # it stands there
    SPELLING = "spelling"  # it stands for one that is spelt nearly so
    TRANSLATION = "translation"
    SYNONYM = "synonym"


class Why(StrEnum):
    """What the gate drops."""

    GONE = "gone"  # the row is not there any more; the index is behind
    OTHER_INDEX = "other_index"
    NOT_PUBLISHED = "not_published"
    AUDIENCE = "audience"
    EARLIER_TEXT = "earlier_text"  # the article has been changed; its new text is being indexed


@dataclass(frozen=True)
class Form:
    word: str
    share: float  # 0..1, what it counts
    origin: Origin


@dataclass(frozen=True)
class Word:
    term: str
    weight: float
    idf: float
    is_name: bool
    is_part: bool  # of a compound
    is_added: bool  # by a synonym of several words; the question does not hold it
    forms: tuple[Form, ...]  # empty: no article has it


@dataclass(frozen=True)
class PassageLine:
    passage: RetrievedPassage
    candidate: Candidate
    contribution: Contribution  # of the wording that counted most
    found_by_meaning: bool
    found_by_words: bool


@dataclass(frozen=True)
class KeptOut:
    passage_id: int
    why: Why
    article: Article | None


@dataclass(frozen=True)
class Part:
    """What one signal adds to the log-odds of the confidence."""

    name: str
    value: float
    adds: float


@dataclass(frozen=True)
class Step:
    """One look at the articles of one language."""

    seen: Seen
    is_decisive: bool  # its passages are what is answered from, or what was not enough
    is_part_of_question: bool
    is_rewritten: bool  # a follow-up as the model put it
    words: tuple[Word, ...]
    wording: str  # that counted most
    by_meaning: int  # passages proposed
    by_words: int
    lines: tuple[PassageLine, ...]
    others_in_pool: int
    is_reranked: bool  # a cross-encoder has changed the order; the ranking values stay with the places
    kept_out: tuple[KeptOut, ...]
    parts: tuple[Part, ...]  # the largest first
    intercept: float  # of the same log-odds


def steps_of(rehearsal: Rehearsal) -> list[Step]:
    """In the order in which they were taken."""
    retrieval = rehearsal.decision.retrieval
    # A joined answer to several questions has a retrieval of its own, made of the parts' passages.
    is_joined = all(seen.look.retrieval is not retrieval for seen in rehearsal.seen)
    ids = {passage.passage_id for passage in retrieval.passages}
    rewriting = rehearsal.decision.rewriting
    rewritten = rewriting.text if rewriting is not None else ""
    whole = (rehearsal.inquiry.text, rewritten)
    return [
        _step(
            seen,
            is_decisive=seen.look.retrieval is retrieval
            or (
                is_joined
                and seen.question not in whole
                and any(passage.passage_id in ids for passage in seen.look.retrieval.passages[:1])
            ),
            is_part_of_question=seen.question not in whole,
            is_rewritten=bool(rewritten) and seen.question == rewritten,
            reader=rehearsal.inquiry.reader,
        )
        for seen in rehearsal.seen
    ]


def withheld_from(rehearsal: Rehearsal) -> list[tuple[Article, int]]:
    """Articles that staff would have been shown among the best passages and this reader may not have, with their rank.

    Asked as staff for that; a reader who has everything misses nothing.
    """
    reader = rehearsal.inquiry.reader
    staff = get_user_model()(is_staff=True)
    allowed = audiences_for(reader)
    found: dict[int, int] = {}
    if set(allowed) == set(audiences_for(staff)):
        return []
    for seen in rehearsal.seen:
        if seen.is_translation:
            continue
        retrieval = seen.look.retrieval
        as_staff = look(
            live_shelf(retrieval.article_language, staff),
            seen.question,
            language=retrieval.question_language,
            history=seen.history,
        ).retrieval
        for passage in as_staff.passages:
            found.setdefault(passage.article_id, passage.rank)
    hidden = Article.objects.exclude(audience__in=allowed).defer("body").in_bulk(list(found))
    return [(hidden[pk], rank) for pk, rank in found.items() if pk in hidden]


def _step(
    seen: Seen, *, is_decisive: bool, is_part_of_question: bool, is_rewritten: bool, reader: Reader
) -> Step:
    retrieval, order = seen.look.retrieval, seen.look.order
    candidates = [placed.candidate for placed in order.placed]
    adds = contributions(candidates, language=retrieval.question_language, mass=order.reading.mass or None)
    leading = seen.look.readings.index(order.reading)
    meaning = set(seen.look.by_meaning[leading]) if seen.look.by_meaning else set()
    words = set(seen.look.by_words[leading]) if seen.look.by_words else set()
    by_id = {candidate.passage_id: candidate for candidate in candidates}
    parts, intercept = _confidence_parts(seen)
    return Step(
        seen=seen,
        is_decisive=is_decisive,
        is_part_of_question=is_part_of_question,
        is_rewritten=is_rewritten,
        words=_words(seen),
        wording=order.reading.text,
        by_meaning=len(meaning),
        by_words=len(words),
        lines=tuple(
            PassageLine(
                passage=passage,
                candidate=by_id[passage.passage_id],
                contribution=adds[passage.passage_id],
                found_by_meaning=passage.passage_id in meaning,
                found_by_words=passage.passage_id in words,
            )
            for passage in retrieval.passages[:POOL_SHOWN]
        ),
        others_in_pool=max(0, len(candidates) - POOL_SHOWN),
        is_reranked=[passage.passage_id for passage in retrieval.passages]
        != [candidate.passage_id for candidate in candidates[: len(retrieval.passages)]],
        kept_out=_kept_out(seen, reader),
        parts=parts,
        intercept=intercept,
    )


def _words(seen: Seen) -> tuple[Word, ...]:
    retrieval = seen.look.retrieval
    is_other = retrieval.article_language != retrieval.question_language
    # What the site's synonyms add is what is there only with them.
    plain = retrieval.lexical.terms(retrieval.question, language=retrieval.question_language)
    own = {term.term: {form for form, _share in term.forms} for term in plain}
    return tuple(_word(term, own.get(term.term, set()), is_other) for term in retrieval.terms)


def _word(term: QuestionTerm, own: set[str], is_other_language: bool) -> Word:
    def origin(form: str) -> Origin:
        if form not in own:
            return Origin.SYNONYM
        if is_other_language:
            return Origin.WRITTEN if form == term.term else Origin.TRANSLATION
        return Origin.WRITTEN if form == term.term else Origin.SPELLING

    return Word(
        term=term.term,
        weight=term.weight,
        idf=term.idf,
        is_name=term.is_name,
        is_part=term.is_asked and term.weight < 1.0,
        is_added=not term.is_asked,
        forms=tuple(Form(form, share, origin(form)) for form, share in term.forms),
    )


def _kept_out(seen: Seen, reader: Reader) -> tuple[KeptOut, ...]:
    ids = seen.look.kept_out
    rows = Passage.objects.select_related("article").defer("article__body", "vector").in_bulk(list(ids))
    found = []
    for passage_id in ids:
        row = rows.get(passage_id)
        found.append(
            KeptOut(
                passage_id,
                _why(row, reader, seen.look.retrieval.recipe),
                row.article if row is not None else None,
            )
        )
    return tuple(found)


def _why(row: Passage | None, reader: Reader, recipe: str) -> Why:
    """By the predicates whose twins the gate is made of, in its order."""
    if row is None:
        return Why.GONE
    if row.recipe != recipe:
        return Why.OTHER_INDEX
    if row.article.status != Status.PUBLISHED:
        return Why.NOT_PUBLISHED
    if not row.article.is_visible_to(reader):
        return Why.AUDIENCE
    return Why.EARLIER_TEXT


def _confidence_parts(seen: Seen) -> tuple[tuple[Part, ...], float]:
    retrieval = seen.look.retrieval
    if not retrieval.passages:
        return (), 0.0
    model = load_model(settings.CONFIDENCE_FILE)
    regression = model.regression(is_other_language=retrieval.article_language != retrieval.question_language)
    values = [seen.confidence.signals[name] for name in model.features]
    parts = [
        Part(name, value, adds)
        for name, value, adds in zip(model.features, values, regression.parts(values), strict=True)
    ]
    return tuple(sorted(parts, key=lambda part: -abs(part.adds))), regression.intercept
