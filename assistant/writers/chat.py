"""Answers written by a LangChain chat model, each sentence checked against its passage before it is shown.

Promise: whatever the model does (nothing, rubbish, lies, for ever), a draft comes back within WRITER_SECONDS and the
time that a check takes: the model's supported sentences, or where they do not answer, the articles' own words. What the
model said, and what became of each sentence, comes with it. Whoever listens (`told_to`) hears a sentence once it has
passed and what has passed answers the question, and nothing before.

Refuses to decide whether a question is answered at all: confidence did.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings

from assistant.grounding.meaning import EmbeddedMeaning
from assistant.writers import prompting, rewriting, spending
from assistant.writers.base import (
    Draft,
    Generation,
    Rewriting,
    ShownPassage,
    WriterUnavailable,
    listener,
    seconds_left,
    wants_no_stand_ins,
)
from assistant.writers.extractive import ExtractiveWriter
from assistant.writers.model import ChatModel, Hearing, NoReply, Prompt, Reply
from assistant.writers.replies import LONGEST_REPLY, Proposed, proposals_of, proposals_so_far
from assistant.writers.verified import Verification, Verified
from knowledge.retrieval import Retrieval, RetrievedPassage
from knowledge.site import current as current_site
from knowledge.text import normalise

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

log = logging.getLogger(__name__)

PASSAGES_SHOWN = 6
_LEAST_SECONDS = 0.5  # with less left, no model is asked
_REWRITING_SHARE = 0.5  # of WRITER_SECONDS at most; the rest is the answer's


class ChatWriter:
    """`name` is `provider:model` as LangChain's init_chat_model takes it."""

    def __init__(self, name: str, model: "BaseChatModel | None" = None) -> None:
        self.name = name
        self.model = ChatModel(name, model)
        self._extractive = ExtractiveWriter()

    def write(self, retrieval: Retrieval) -> Draft | None:
        """Raises WriterUnavailable only where nothing may stand in for the model (`no_stand_ins`)."""
        safe = [one for one in retrieval.passages if not _speaks_to_a_model(one)]
        shown = safe[:PASSAGES_SHOWN]
        is_informal = current_site().german_address == "informal"
        generation = Generation(
            model=self.name,
            prompt=prompting.PROMPT_VERSION,
            parameters={
                "temperature": settings.WRITER_TEMPERATURE,
                "max_tokens": settings.WRITER_MAX_TOKENS,
                "language": retrieval.question_language,
                "informal": is_informal,
            },
            question=retrieval.question,
            passages=tuple(
                ShownPassage(number, one.article_id, one.revision, one.start, one.end)
                for number, one in enumerate(shown, start=1)
            ),
            withheld=len(retrieval.passages) - len(safe),
        )
        trusted = replace(retrieval, passages=tuple(safe))
        if not shown:
            return None
        meaning = EmbeddedMeaning(is_awaited=True)
        attending = _Attending(retrieval, shown, meaning)
        try:
            reply = self._reply(
                generation,
                retrieval,
                shown,
                is_informal=is_informal,
                on_text=None if listener() is None else attending.hear,
            )
        except NoReply as reason:
            if wants_no_stand_ins():
                raise WriterUnavailable(f"{self.name}: {reason}") from reason
            return self._quoted(trusted, replace(generation, stands_in=str(reason)))
        generation = replace(
            generation,
            reply=reply.text[:LONGEST_REPLY],
            is_cached=reply.is_cached,
            elapsed_ms=reply.elapsed_ms,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
        )
        proposals = proposals_of(reply.text)
        if proposals is None:
            return self._quoted(trusted, replace(generation, stands_in="its reply cannot be read"))
        checked = attending.result(proposals)
        generation = replace(generation, sentences=checked.sentences, checked=checked.checked)
        spending.count_sentences(
            shown=len(checked.sentences) - sum(bool(one.problems) for one in checked.sentences),
            dropped=sum(bool(one.problems) for one in checked.sentences),
        )
        if not checked.answers:
            why = "what is left does not answer" if checked.blocks else "no sentence is supported"
            return self._quoted(
                trusted, replace(generation, stands_in=why if proposals else "it found no answer")
            )
        return Draft(checked.blocks, checked.citations, self.name, (generation,))

    def _quoted(self, retrieval: Retrieval, generation: Generation) -> Draft | None:
        log.info("%s: quoted instead: %s", self.name, generation.stands_in)
        draft = self._extractive.write(retrieval)
        return replace(draft, generations=(generation,)) if draft is not None else None

    def rewritten(self, question: str, history: Sequence[str], language: str) -> Rewriting:
        """Raises WriterUnavailable only where nothing may stand in for the model (`no_stand_ins`)."""
        record = Rewriting(model=self.name, prompt=rewriting.PROMPT_VERSION, question=question)
        turns = rewriting.turns_of(history)
        if not turns or prompting.speaks_to_a_model(question):
            return replace(record, stands_in="what was said is not for a model")
        try:
            reply = self._asked(
                Prompt(
                    rewriting.rules(language, is_structured=True),
                    rewriting.rules(language, is_structured=False),
                    rewriting.SCHEMA,
                    rewriting.data(question, turns),
                ),
                most=settings.WRITER_SECONDS * _REWRITING_SHARE,
                is_slowness_failure=False,
            )
        except NoReply as reason:
            if wants_no_stand_ins():
                raise WriterUnavailable(f"{self.name}: {reason}") from reason
            return replace(record, stands_in=str(reason))
        record = replace(
            record,
            reply=reply.text[:LONGEST_REPLY],
            elapsed_ms=reply.elapsed_ms,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
        )
        text, why = rewriting.standalone(reply.text, question, turns, language)
        if why:
            log.info("%s: not rewritten: %s", self.name, why)
        return replace(record, text=text, stands_in=why)

    # --- asking -----------------------------------------------------------------------------------------------

    def _reply(
        self,
        generation: Generation,
        retrieval: Retrieval,
        shown: Sequence[RetrievedPassage],
        *,
        is_informal: bool,
        on_text: Hearing | None,
    ) -> Reply:
        key = _key(generation, retrieval, shown)
        kept = spending.kept_reply(key)
        if kept is not None:
            return Reply(kept, is_cached=True)
        language = retrieval.question_language
        reply = self._asked(
            Prompt(
                prompting.rules(language, is_informal=is_informal, is_structured=True),
                prompting.rules(language, is_informal=is_informal, is_structured=False),
                prompting.SCHEMA,
                prompting.data(retrieval.question, shown),
            ),
            most=settings.WRITER_SECONDS,
            on_text=on_text,
        )
        if proposals_of(reply.text):
            spending.keep_reply(key, reply.text)
        return reply

    def _asked(
        self, prompt: Prompt, *, most: float, on_text: Hearing | None = None, is_slowness_failure: bool = True
    ) -> Reply:
        """Raises NoReply."""
        seconds = seconds_left(most)
        if seconds < _LEAST_SECONDS:
            raise NoReply("no time was left")
        return self.model.ask(
            prompt, seconds=seconds, on_text=on_text, is_slowness_failure=is_slowness_failure
        )


class _Attending:
    """Sentences checked while the model still speaks, and told once what has passed answers the question."""

    def __init__(
        self, retrieval: Retrieval, shown: Sequence[RetrievedPassage], meaning: EmbeddedMeaning
    ) -> None:
        self._retrieval, self._shown, self._meaning = retrieval, shown, meaning
        self._begin()

    def _begin(self) -> None:
        self._verification = Verification(
            self._shown,
            question=self._retrieval.question,
            language=self._retrieval.question_language,
            meaning=self._meaning,
        )
        self._taken: list[Proposed] = []
        self._told = 0

    def hear(self, said: str) -> None:
        """All that was said so far."""
        new = proposals_so_far(said)[len(self._taken) :]
        if not new:
            return
        self._take(new)
        audience = listener()
        # A sentence that passed is true of its article; it is told once it is known to answer, too.
        if audience is not None and self._verification.answers:
            for sentence, citation in self._verification.passed()[self._told :]:
                audience.sentence(sentence.text, citation)
                self._told += 1

    def result(self, proposals: Sequence[Proposed]) -> Verified:
        if list(proposals[: len(self._taken)]) != self._taken:  # it ended as something else than it began
            self._begin()
        self._take(proposals[len(self._taken) :])
        return self._verification.result()

    def _take(self, proposals: Sequence[Proposed]) -> None:
        self._verification.take(proposals)
        self._taken.extend(proposals)


def _speaks_to_a_model(passage: RetrievedPassage) -> bool:
    return prompting.speaks_to_a_model("\n".join([passage.title, *passage.heading_path, passage.text]))


def _key(generation: Generation, retrieval: Retrieval, shown: Sequence[RetrievedPassage]) -> str:
    """Of everything that shapes a reply; a hash, so that no question can be read from it."""
    parts = [
        generation.model,
        generation.prompt,
        generation.parameters,
        settings.WRITER_BASE_URL,
        retrieval.recipe,
        normalise(" ".join(retrieval.question.split())),
        [(one.article_id, one.revision, one.start, one.end, one.title) for one in shown],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
