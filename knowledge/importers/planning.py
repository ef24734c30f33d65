"""What an entry changes, decided without touching anything.

Promise: pure functions. The source is the truth for text, language, category and translations. Who may read
an article is not the source's to widen: an import keeps the status that editors gave, and never shows an
existing article to more people than may read it now. `publish` puts online what is new or was never online
before; an article that editors took offline stays offline.

Refuses to decide: whether the database agrees (slugs, constraints) and when to write.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from knowledge.importers.entries import Entry
from knowledge.models import Article, Audience, Status

_NARROWER: Final = (Audience.PUBLIC, Audience.SIGNED_IN, Audience.INTERNAL)


@dataclass(frozen=True)
class Content:
    """The fields of an article that an import may set."""

    title: str
    body: str
    language: str
    translation_group: str
    category_id: int | None
    status: str
    audience: str
    labels: list[str]
    source_url: str


@dataclass(frozen=True)
class Stored:
    content: Content
    published_at: datetime | None  # when it was first online

    @classmethod
    def of(cls, article: Article) -> "Stored":
        return cls(
            Content(
                title=article.title,
                body=article.body,
                language=article.language,
                translation_group=article.translation_group,
                category_id=article.category_id,
                status=article.status,
                audience=article.audience,
                labels=list(article.labels),
                source_url=article.source_url,
            ),
            article.published_at,
        )


def plan_content(
    entry: Entry,
    stored: Stored | None,
    *,
    language: str,
    category_id: int | None,
    publish: bool,
    twin_group: str = "",
) -> Content:
    """The article as it should be after the import; equal to `stored.content` where nothing changes.

    `twin_group` is for an article that is in no translation group yet.
    """
    old = stored.content if stored else None
    return Content(
        title=entry.title,
        body=entry.body,
        language=language,
        translation_group=entry.translation_key or (old.translation_group if old else "") or twin_group,
        category_id=category_id,
        status=_status(entry, stored, publish),
        audience=_audience(entry, old),
        labels=list(entry.labels) if entry.labels is not None else (old.labels if old else []),
        source_url=entry.source_url or (old.source_url if old else ""),
    )


def changed_fields(content: Content, old: Content) -> tuple[str, ...]:
    """The names of the fields that differ."""
    now, before = asdict(content), asdict(old)
    return tuple(name for name in now if now[name] != before[name])


def is_kept_from_readers(entry: Entry, content: Content) -> bool:
    """The source shows the article to more people than `content` does."""
    return entry.audience is not None and content.audience != entry.audience


def is_online_against_source(entry: Entry, content: Content) -> bool:
    return entry.is_draft and content.status == Status.PUBLISHED


def _status(entry: Entry, stored: Stored | None, publish: bool) -> str:
    wanted: str = Status.PUBLISHED if publish and not entry.is_draft else Status.DRAFT
    if entry.stamp is not None and entry.is_draft:
        wanted = entry.stamp.status  # archived or in review, as it was
    if stored is None:
        return wanted
    never_online = stored.content.status == Status.DRAFT and stored.published_at is None
    return wanted if never_online else stored.content.status


def _audience(entry: Entry, old: Content | None) -> str:
    if old is None:
        return entry.audience or Audience.PUBLIC
    return max(
        entry.audience or Audience.PUBLIC, old.audience, key=lambda value: _NARROWER.index(Audience(value))
    )
