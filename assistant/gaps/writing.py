"""A draft's sentences by the model that writes answers, from what staff replied and checked against it.

Promise: as `assistant.writers.assisting`. The replies come without what concerns the one customer, as far as that is
recognised, so that neither the model nor the draft has it. Where no sentence is supported the replies themselves are
the draft (`drafting`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.gaps.replies import without_particulars
from assistant.writers import assisting
from assistant.writers.assisting import Source, Task, Written
from assistant.writers.verified import escaped


@dataclass(frozen=True)
class Section:
    """What is left of one reply."""

    ticket_id: int
    text: str  # Markdown


def sections_from(written: Written) -> list[Section]:
    """In the order of the replies; sentences of one reply are a paragraph."""
    order = [one.article_id for one in written.generation.passages]
    found = {key: [escaped(one.text) for one in written.sentences if one.source.key == key] for key in order}
    return [Section(key, " ".join(sentences)) for key, sentences in found.items() if sentences]


def written_from(replies: Sequence[tuple[int, str]], *, language: str, about: str) -> Written:
    """Of ticket and text, nearest to the gap first. Seconds; hold no transaction."""
    sources = [Source(ticket_id, False, text) for ticket_id, text in replies]
    return assisting.write(Task.ARTICLE, sources, language=language, about=without_particulars(about))
