"""A writer of the operator's own, by dotted path: trusted with the choice of words, not with what they state.

Promise: a block that is not a quote word for word goes through the same check as a model's sentences.
"""

from assistant.grounding.meaning import EmbeddedMeaning
from assistant.writers.base import AnswerWriter, Draft, DraftCitation, Generation
from assistant.writers.extractive import ExtractiveWriter
from assistant.writers.replies import Proposed, as_plain
from assistant.writers.verified import verified
from knowledge.retrieval import Retrieval
from knowledge.sentences import split_sentences


class CheckedWriter:
    def __init__(self, name: str, inner: AnswerWriter) -> None:
        self.name = name
        self._inner = inner

    def write(self, retrieval: Retrieval) -> Draft | None:
        """Raises WriterUnavailable where the writer does."""
        draft = self._inner.write(retrieval)
        if draft is None or _is_verbatim(draft):
            return draft
        by_number = {one.number: one for one in draft.citations}
        proposals = [
            Proposed(
                text[start:end],
                *_cited(by_number.get(block.citations[0] if block.citations else 0), retrieval),
            )
            for block in draft.blocks
            for text in [as_plain(block.text)]
            for start, end in split_sentences(text)
        ]
        checked = verified(
            proposals,
            retrieval.passages,
            question=retrieval.question,
            language=retrieval.question_language,
            meaning=EmbeddedMeaning(is_awaited=True),
        )
        generation = Generation(
            model=self.name,
            prompt="",
            parameters={},
            question=retrieval.question,
            passages=(),
            reply=draft.text,
            sentences=checked.sentences,
            checked=checked.checked,
            stands_in="" if checked.answers else "no sentence is supported, or what is left does not answer",
        )
        if checked.answers:
            return Draft(checked.blocks, checked.citations, self.name, (generation,))
        quoted = ExtractiveWriter().write(retrieval)
        return (
            None if quoted is None else Draft(quoted.blocks, quoted.citations, quoted.writer, (generation,))
        )


def _is_verbatim(draft: Draft) -> bool:
    quotes = {one.number: one.quote for one in draft.citations}
    return all(block.citations and block.text == quotes.get(block.citations[0]) for block in draft.blocks)


def _cited(citation: DraftCitation | None, retrieval: Retrieval) -> tuple[int | None, str]:
    if citation is None:
        return None, ""
    ids = [one.passage_id for one in retrieval.passages]
    known = citation.passage.passage_id in ids
    return (ids.index(citation.passage.passage_id) + 1 if known else None), citation.quote
