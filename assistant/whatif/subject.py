"""What a replay is about: texts that would be published, articles that would go, and whether that still holds.

Promise: what is tried is what somebody saw when it was asked for; the page can tell when an article has moved on. The
text of an article is the one that is worked on, online or in preparation.
"""

import hashlib
from collections.abc import Mapping

from assistant.replays import Replay, ReplayedText, ReplayState
from knowledge import generations
from knowledge.changes import pending_change, working_copy
from knowledge.models import Article, Status
from knowledge.trial import Change

_TEXT = ("title", "body", "language", "audience", "translation_group")


def change_of(replay: Replay) -> Change:
    """Of the articles as they are stored now."""
    published = []
    for text in replay.texts.select_related("article"):
        _put(text.article, text_of(text))
        text.article.status = Status.PUBLISHED
        published.append(text.article)
    return Change(tuple(published), frozenset(replay.withdrawn.values_list("pk", flat=True)))


def as_worked_on(article: Article) -> Article:
    """The stored article, with the text that is worked on put into it; not saved."""
    _put(article, _working_text(article))
    return article


def is_out_of_date(replay: Replay) -> bool:
    """Whether an article that it is about reads otherwise now than what was tried, and than it did then."""
    concerned = Article.objects.in_bulk([int(key) for key in replay.editions])
    tried = {text.article_id: text_of(text) for text in replay.texts.all()}
    for key, edition in replay.editions.items():
        article = concerned.get(int(key))
        if article is None:
            return True
        if article.pk in tried:
            is_as_tried = _working_text(article) == tried[article.pk]
            if not is_as_tried and edition_of(article, is_published=True) != edition:
                return True
        elif article.status != Status.ARCHIVED and edition_of(article, is_published=False) != edition:
            return True
    return False


def has_index_moved(replay: Replay) -> bool:
    """Whether other articles are answerable now than when it ran, or by another model."""
    generation = generations.live()
    if generation is None or replay.state != ReplayState.DONE:
        return False
    return (generation.recipe, generation.version) != (replay.recipe, replay.version)


def text_of(row: Article | ReplayedText) -> dict[str, str]:
    return {name: getattr(row, name) for name in _TEXT}


def edition_of(article: Article, *, is_published: bool) -> str:
    """What tells it from a later one: of its working copy where that would be published, else of what is stored."""
    if not is_published:
        return article.content_fingerprint
    return hashlib.sha256("\x1f".join(_working_text(article).values()).encode()).hexdigest()


def _working_text(article: Article) -> dict[str, str]:
    content = working_copy(article, pending_change(article)).content
    return {name: content.get(name, getattr(article, name)) for name in _TEXT}


def _put(article: Article, text: Mapping[str, str]) -> None:
    for name, value in text.items():
        setattr(article, name, value)
