"""Articles in two languages: a translation knows which revision of its source it says.

Promise: making one changes nothing that customers read; it begins as a draft with the text of its source, in the same
translation group. Refuses to decide: whether a translation is good.
"""

from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from knowledge import catalogue
from knowledge.diffing import Stretch, compare
from knowledge.models import Article, Language, Status

_LONGEST_SLUG: Final = 140  # characters, what the column holds


def other_languages(article: Article) -> list[str]:
    """Those in which it has no translation yet."""
    held = {article.language}
    if article.translation_group:
        held |= set(
            Article.objects.filter(translation_group=article.translation_group)
            .order_by()
            .values_list("language", flat=True)
        )
    return [language for language in Language.values if language not in held]


def twin_of(article: Article) -> Article | None:
    """The one beside which it is written: what it was translated from, else what is in its group."""
    if article.translation_of_id:
        return article.translation_of
    if not article.translation_group or article.pk is None:
        return None
    twins = Article.objects.filter(translation_group=article.translation_group)
    return twins.exclude(pk=article.pk).exclude(language=article.language).order_by("pk").first()


def start_translation(*, article: Article, language: str, by: User) -> Article:
    """The translation of `article` into `language`; the one that is there already, where there is one."""
    with transaction.atomic():
        source = Article.objects.select_for_update().get(pk=article.pk)
        if source.translation_group:
            known = Article.objects.filter(
                translation_group=source.translation_group, language=language
            ).first()
            if known is not None:
                return known
        else:
            source.translation_group = _free_group(source)
            source._history_user = by  # type: ignore[attr-defined]
            source.save()
        category = source.category
        counterpart = category and catalogue.counterpart_of(category, language=language, user=by)
        return Article.objects.create(
            title=source.title,
            slug=_free_slug(source.slug, language),
            body=source.body,
            language=language,
            translation_group=source.translation_group,
            translation_of=source,
            translated_revision=source.revision,
            category=counterpart or None,
            audience=source.audience,
            labels=list(source.labels),
            status=Status.DRAFT,
            author=by,
        )


def mark_up_to_date(translation: Article) -> None:
    """It says what its source says now. Saved by the caller."""
    source = twin_of(translation)
    if source is not None:
        translation.translation_of, translation.translated_revision = source, source.revision


def changes_since(translation: Article) -> list[Stretch]:
    """What became of its source's text since it was translated; empty where nothing did, or nobody knows."""
    source, revision = translation.translation_of, translation.translated_revision
    if source is None or revision is None or revision >= source.revision:
        return []
    entries = Article.history.filter(id=source.pk, revision=revision).order_by("-history_id")
    then = entries.first()
    if then is None:
        return []
    return compare(f"{then.title}\n\n{then.body}", f"{source.title}\n\n{source.body}")


def _free_group(article: Article) -> str:
    """Readable, because it stands in links (`article:…`)."""
    for group in (article.slug, f"{article.slug}-{article.pk}"):
        if not Article.objects.filter(translation_group=group).exists():
            return group
    return f"article-{article.pk}-{article.revision}"


def _free_slug(slug: str, language: str) -> str:
    taken = set(
        Article.objects.filter(language=language, slug__startswith=slug[: _LONGEST_SLUG - 6]).values_list(
            "slug", flat=True
        )
    )
    candidate, number = slug, 2
    while candidate in taken:
        candidate = f"{slug[: _LONGEST_SLUG - 6]}-{number}"
        number += 1
    return candidate
