"""What is told of an answer while it is written, for whoever waits on its page.

Promise: only what a writer tells, and so only what has passed the check; in the numbers of the answer that it becomes
part of. It is nobody's record: the answer is what is stored at the end. It lives in memory; `noted` and `read` carry it
through the question's row to other processes.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

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

    beginning: int = 0  # another one than before: what was told has been taken back as a whole
    sentences: tuple[Told, ...] = ()

    def noted(self) -> dict[str, Any]:
        return {"beginning": self.beginning, "sentences": [asdict(told) for told in self.sentences]}

    @classmethod
    def read(cls, note: dict[str, Any]) -> "Story":
        return cls(note["beginning"], tuple(Told(**told) for told in note["sentences"]))


class Telling:
    """`assistant.writers.Audience`. Written by one thread, which calls `on_change`, and read by any."""

    def __init__(self, on_change: Callable[[Story], None]) -> None:
        self.story = Story(time.time_ns())  # after a process that was killed, something else begins
        self._on_change = on_change
        self._numbers: dict[tuple[int, int, int], int] = {}

    def sentence(self, text: str, citation: DraftCitation) -> None:
        passage = citation.passage
        # As `joined` counts them, where a message has several questions.
        key = (passage.passage_id, citation.start, citation.end)
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        told = Told(text, number, passage.title, passage.url)
        self._change(Story(self.story.beginning, (*self.story.sentences, told)))

    def cleared(self) -> None:
        self._numbers = {}
        if self.story.sentences:
            self._change(Story(self.story.beginning + 1))

    def _change(self, story: Story) -> None:
        self.story = story
        self._on_change(story)
