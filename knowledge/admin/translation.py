"""Translations as the form of an article shows them: the source beside the text, and what changed in it since."""

from dataclasses import dataclass

from django.utils.functional import Promise

from knowledge.diffing import Stretch
from knowledge.models import Article, Language
from knowledge.translating import changes_since, other_languages, twin_of
from knowledge.workflow import has_news


@dataclass(frozen=True)
class Beside:
    """What stands beside the text."""

    source: Article
    language: str  # its name
    is_translation_of_this: bool  # it was translated from the text, not the other way round
    is_behind: bool
    has_news: bool  # its text, or a change of it, is not online yet
    changes: list[Stretch]


@dataclass(frozen=True)
class Missing:
    code: str
    name: str | Promise


def beside(article: Article) -> Beside | None:
    twin = twin_of(article)
    if twin is None:
        return None
    return Beside(
        source=twin,
        language=str(Language(twin.language).label),
        is_translation_of_this=twin.translation_of_id == article.pk,
        is_behind=article.has_old_translation(),
        has_news=has_news(twin),
        changes=changes_since(article),
    )


def missing(article: Article) -> list[Missing]:
    return [Missing(code, Language(code).label) for code in other_languages(article)]
