"""What is told of an answer while it is written, for whoever waits on its page.

Promise: only what a writer tells, and so only what has passed the check; in the numbers of the answer that it becomes
part of. Lives in memory and is nobody's record: the answer is what is stored at the end.
"""

from dataclasses import dataclass

from assistant.writers import DraftCitation


@dataclass(frozen=True)
class Told:
    text: str  # plain, one sentence
    number: int  # 1-based, of its source
    title: str
    url: str  # absolute path


@dataclass(frozen=True)
class Story:
    """One state of a `Telling`: read at once, never half."""

    beginnings: int = 0  # how often what was told has been taken back as a whole
    sentences: tuple[Told, ...] = ()


class Telling:
    """`assistant.writers.Audience`. Written by one thread, read by any."""

    def __init__(self) -> None:
        self.story = Story()
        self._numbers: dict[tuple[int, int, int], int] = {}

    def sentence(self, text: str, citation: DraftCitation) -> None:
        passage = citation.passage
        # As `joined` counts them, where a message has several questions.
        key = (passage.passage_id, citation.start, citation.end)
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        told = Told(text, number, passage.title, passage.url)
        self.story = Story(self.story.beginnings, (*self.story.sentences, told))

    def cleared(self) -> None:
        self._numbers = {}
        if self.story.sentences:
            self.story = Story(self.story.beginnings + 1)
