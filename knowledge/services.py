"""What is done to an article from elsewhere than its form, as functions: by the house itself, or from a list.

Each reads the row anew and saves the whole of it, so that history gets its entry and the index its bell; a
form or a list that is minutes old writes nothing back. What people may do step by step is `knowledge.workflow`'s.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge import bell, outbox
from knowledge.models import Article, Audience, Category, Deed, PendingChange, Status, WorkflowEntry
from knowledge.workflow import Step, StepRefused, next_review, take_step


def publish_article(*, article: Article) -> bool:
    """Readers see it at commit. False where there was nothing to publish."""
    return _taken(Step.PUBLISH, article)


def archive_article(*, article: Article) -> bool:
    """Nobody reads it or is answered from it from commit on. False where it was archived already."""
    return _taken(Step.ARCHIVE, article)


def make_draft(*, article: Article) -> bool:
    """Back to the editors, out of everybody's sight. False where it was a draft already."""
    return _taken(Step.REOPEN, article) or _taken(Step.TAKE_BACK, article)


def merge_articles(
    *,
    kept: Article,
    other: Article,
    title: str,
    body: str,
    by: User | None = None,
    seen: tuple[int, int] | None = None,
) -> None:
    """`kept` gets the text of both as an editor has put it together, and `other` is archived, at once.

    Whoever reads either now reads `kept` from now on, and what leads to `other` leads there; its translations become
    those of `kept` where that has none. Where neither is online, the nearest date counts. `seen` are the revisions of
    `kept` and `other` that the text was put together from. Raises StepRefused where a text has changed since, a
    change of either is in preparation, or nobody has gone over it.
    """
    with transaction.atomic():
        rows = {
            article.pk: article
            for article in Article.objects.select_for_update()
            .filter(pk__in=[kept.pk, other.pk])
            .order_by("pk")
        }
        stays, goes = rows[kept.pk], rows[other.pk]
        for article, revision in zip((stays, goes), seen or (), strict=False):
            if article.revision != revision:
                raise StepRefused(
                    _(
                        "“%(title)s” was changed while you were writing. Take over what is new, then merge again."
                    )
                    % {"title": article.title}
                )
        if (
            waiting := PendingChange.objects.filter(article__in=rows).select_related("article").first()
        ) is not None:
            raise StepRefused(
                _("A change of “%(title)s” is in preparation. Publish or discard it first.")
                % {"title": waiting.article.title}
            )
        for article in (stays, goes):
            if article.to_go_over:
                raise StepRefused(
                    _("“%(title)s” was put together from replies. Go over it first, and say so on its page.")
                    % {"title": article.title}
                )
        stays.title, stays.body = title, body
        stays.merged_into = None
        if by is not None:
            stays._history_user = by  # type: ignore[attr-defined]
        deed = _put_online(stays, goes)
        _take_translations(stays, goes)
        stays.save()
        if deed is not None:
            planned = stays.publish_at if deed is Deed.SCHEDULED else None
            WorkflowEntry.objects.create(article=stays, deed=deed, by=by, planned_for=planned)
        if goes.status != Status.ARCHIVED:
            take_step(Step.ARCHIVE, article=goes, by=by)
        # Of those that went into `goes` earlier, too: whoever follows a link goes one step and no more.
        Article.objects.filter(Q(pk=goes.pk) | Q(merged_into=goes)).exclude(pk=stays.pk).update(
            merged_into=stays
        )
    kept.refresh_from_db()
    other.refresh_from_db()


def _take_translations(stays: Article, goes: Article) -> None:
    """Who reads another language keeps the switch to this one, and translators see that their source has changed."""
    if stays.translation_group or not goes.translation_group:
        return
    stays.translation_group, goes.translation_group = goes.translation_group, ""
    goes.save()  # first: a group has one article of each language
    if stays.translation_of_id is None and goes.translation_of_id is not None:
        stays.translation_of_id, stays.translated_revision = goes.translation_of_id, goes.translated_revision
    # Of a revision that is no longer: behind, whatever the numbers of the two were.
    Article.objects.filter(translation_of=goes).exclude(pk=stays.pk).update(
        translation_of=stays, translated_revision=0
    )


def _put_online(stays: Article, goes: Article) -> Deed | None:
    """What `stays` is once it has the text of both, for readers; None: nobody reads it before somebody publishes it."""
    now = timezone.now()
    was_online = stays.is_online()
    if was_online or goes.is_online():
        if stays.publish_at is not None and stays.publish_at > now:
            stays.publish_at = None
        if stays.unpublish_at is not None and stays.unpublish_at <= now:
            stays.unpublish_at = None
        stays.status = Status.PUBLISHED
        return Deed.CHANGED if was_online else Deed.PUBLISHED
    dates = [one.publish_at for one in (stays, goes) if one.is_scheduled() and one.publish_at is not None]
    if not dates:
        return None
    stays.status, stays.publish_at = Status.PUBLISHED, min(dates)
    if stays.unpublish_at is not None and stays.unpublish_at <= stays.publish_at:
        stays.unpublish_at = None
    return Deed.SCHEDULED


def mark_reviewed(*, article: Article, by: User) -> bool:
    """Somebody has read it today and found it right. No edit: neither its date nor its index changes."""
    today = timezone.localdate()
    marked = Article.objects.filter(pk=article.pk).exclude(reviewed_at=today, reviewed_by=by)
    return marked.update(reviewed_at=today, reviewed_by=by, review_by=next_review(today)) == 1


def confirm_gone_over(*, article: Article) -> bool:
    """Somebody vouches for a draft that was put together from replies. False where nobody had to."""
    with transaction.atomic():
        stored = Article.objects.select_for_update().get(pk=article.pk)
        if not stored.to_go_over:
            return False
        stored.to_go_over = False
        stored.save()
    return True


def set_category(*, article: Article, category: Category | None) -> bool:
    """False where it is there already, or where the category speaks another language."""
    own = Article.objects.values_list("language", flat=True).get(pk=article.pk)
    if category is not None and category.language != own:
        return False
    return _change(article, category_id=category.pk if category is not None else None)


def set_audience(*, article: Article, audience: Audience) -> bool:
    """In force at commit, as everything that the gate asks for. False where it was so already."""
    return _change(article, audience=audience)


def index_again(*, articles: QuerySet[Article]) -> int:
    """Another five attempts for those that could not be indexed; returns how many there were."""
    with transaction.atomic():
        failed = list(articles.filter(index_attempts__gt=0).values_list("pk", flat=True))
        tried = outbox.try_again(Article.objects.filter(pk__in=failed))
        for article_id in failed:
            bell.ring(article_id)
    return tried


def _change(article: Article, **values: object) -> bool:
    with transaction.atomic():
        stored = Article.objects.select_for_update().get(pk=article.pk)
        if all(getattr(stored, name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            setattr(stored, name, value)
        stored.save()
    article.refresh_from_db()
    return True


def _taken(step: Step, article: Article) -> bool:
    try:
        take_step(step, article=article, by=None)
    except StepRefused:
        return False
    article.refresh_from_db()
    return True
