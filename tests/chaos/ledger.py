"""What was acknowledged, and what counts as broken. Pure: no database, no clock of its own, no product code.

Promise: it never calls a write lost that nobody acknowledged, nor a citation wrong that was right at any moment
after the question was asked; everything else it reports. Writers of one article come one after the other.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """An article as somebody may read it."""

    title: str
    body: str
    status: str
    audience: str = "public"

    @property
    def is_public(self) -> bool:
        return self.status == "published" and self.audience == "public"


@dataclass
class Version:
    text: Text | None  # None: deleted
    began_at: float
    acknowledged_at: float | None = None  # None: whoever wrote it was killed before he could say so
    superseded_at: float | None = None  # when a later write was acknowledged


@dataclass(frozen=True)
class Citation:
    slug: str
    quote: str
    start: int  # character offsets into the body
    end: int


@dataclass(frozen=True)
class Snapshot:
    """What the database holds. Keys are idempotency keys."""

    articles: Mapping[str, Text]
    questions: Mapping[str, Sequence[str]]  # texts under a key
    undecided: Sequence[str]  # keys of questions that ended in nothing
    tickets: Mapping[str, Sequence[str]]  # subjects under a key
    feedback: Mapping[str, bool]  # by the question's key
    unsent: int  # mails that are owed still


@dataclass
class Findings:
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicates)


class Ledger:
    """Threads share it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._articles: dict[str, list[Version]] = {}
        self._questions: dict[str, str] = {}
        self._tickets: dict[str, str] = {}
        self._feedback: dict[str, set[bool]] = {}
        self._begun: dict[str, set[bool]] = {}
        self.acknowledged = 0

    # --- writing -----------------------------------------------------------------------------------------------

    def begins(self, slug: str, text: Text | None, at: float) -> Version:
        version = Version(text, at)
        with self._guard:
            self._articles.setdefault(slug, []).append(version)
        return version

    def acknowledges(self, slug: str, version: Version, at: float) -> None:
        with self._guard:
            version.acknowledged_at = at
            self.acknowledged += 1
            versions = self._articles[slug]
            for earlier in versions[: versions.index(version)]:
                if earlier.superseded_at is None:
                    earlier.superseded_at = at

    def asked(self, key: str, text: str) -> None:
        with self._guard:
            self.acknowledged += key not in self._questions
            self._questions[key] = text

    def opened(self, key: str, subject: str) -> None:
        with self._guard:
            self.acknowledged += key not in self._tickets
            self._tickets[key] = subject

    def begins_to_judge(self, key: str, helpful: bool) -> None:
        """It may be stored from now on, acknowledged or not."""
        with self._guard:
            self._feedback.setdefault(key, set())
            self._begun.setdefault(key, set()).add(helpful)

    def judged(self, key: str, helpful: bool) -> None:
        with self._guard:
            self.acknowledged += 1
            self._feedback[key] = {helpful}
            self._begun[key] = {helpful}

    # --- reading -----------------------------------------------------------------------------------------------

    def text_of(self, slug: str) -> Text | None:
        """As it was acknowledged last."""
        with self._guard:
            texts = [one.text for one in self._articles.get(slug, []) if one.acknowledged_at is not None]
        return texts[-1] if texts else None

    def slugs(self) -> list[str]:
        with self._guard:
            return list(self._articles)

    def settles(self, articles: Mapping[str, Text]) -> None:
        """What a killed writer left behind is known now: it is what the database says, or it never was."""
        with self._guard:
            for slug, versions in self._articles.items():
                open_ones = [one for one in versions if one.superseded_at is None]
                if len(open_ones) > 1 and any(one.text == articles.get(slug) for one in open_ones):
                    kept = next(one for one in reversed(open_ones) if one.text == articles.get(slug))
                    for one in open_ones:
                        if one is not kept:
                            versions.remove(one)
                    if kept.acknowledged_at is None:
                        kept.acknowledged_at = kept.began_at

    def wrong(self, citations: Iterable[Citation], *, asked_at: float) -> list[str]:
        """Those that cite what nobody could read any more when the question was asked."""
        with self._guard:
            return [
                f"{one.slug}: {one.quote}"
                for one in citations
                if not any(_holds(version, one, asked_at) for version in self._articles.get(one.slug, []))
            ]

    def compared(self, found: Snapshot) -> Findings:
        with self._guard:
            findings = Findings(acknowledged=self.acknowledged)
            for slug, versions in self._articles.items():
                possible = [one.text for one in versions if one.superseded_at is None]
                if found.articles.get(slug) not in possible:
                    findings.lost.append(f"article {slug}")
            _compare_keys("question", self._questions, found.questions, findings)
            _compare_keys("ticket", self._tickets, found.tickets, findings)
            for key, verdicts in self._feedback.items():
                possible_verdicts = verdicts | self._begun.get(key, set())
                if verdicts and found.feedback.get(key) not in possible_verdicts:
                    findings.lost.append(f"feedback {key}")
            return findings


def _holds(version: Version, citation: Citation, asked_at: float) -> bool:
    text = version.text
    return (
        text is not None
        and text.is_public
        and text.body[citation.start : citation.end] == citation.quote
        and (version.superseded_at is None or version.superseded_at > asked_at)
    )


def _compare_keys(
    what: str, wanted: Mapping[str, str], found: Mapping[str, Sequence[str]], findings: Findings
) -> None:
    for key, text in wanted.items():
        if text not in found.get(key, ()):
            findings.lost.append(f"{what} {key}")
    findings.duplicates += [f"{what} {key}" for key, texts in found.items() if len(texts) > 1]
