"""What editors do with an article's status, as functions.

Each reads the row anew and saves the whole of it, so that history gets its entry and the index its bell; a
form or a list that is minutes old writes nothing back. Who may do it is for permissions to say.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from knowledge import bell, outbox
from knowledge.models import Article, Status


def publish_article(*, article: Article) -> bool:
    """Readers see it at commit. False where it was published already."""
    return _set_status(article, Status.PUBLISHED)


def archive_article(*, article: Article) -> bool:
    """Nobody reads it or is answered from it from commit on. False where it was archived already."""
    return _set_status(article, Status.ARCHIVED)


def make_draft(*, article: Article) -> bool:
    """Back to the editors, out of everybody's sight. False where it was a draft already."""
    return _set_status(article, Status.DRAFT)


def merge_articles(*, kept: Article, other: Article, title: str, body: str) -> None:
    """`kept` gets the text of both as an editor has put it together, and `other` is archived, at once.

    Where either was published, `kept` is from now on.
    """
    with transaction.atomic():
        rows = {
            article.pk: article
            for article in Article.objects.select_for_update()
            .filter(pk__in=[kept.pk, other.pk])
            .order_by("pk")
        }
        stays, goes = rows[kept.pk], rows[other.pk]
        stays.title, stays.body = title, body
        if Status.PUBLISHED in (stays.status, goes.status):
            stays.status = Status.PUBLISHED
        goes.status = Status.ARCHIVED
        stays.save()
        goes.save()
    kept.refresh_from_db()
    other.refresh_from_db()


def mark_reviewed(*, article: Article, by: User) -> bool:
    """Somebody has read it today and found it right. No edit: neither its date nor its index changes."""
    today = timezone.localdate()
    marked = Article.objects.filter(pk=article.pk).exclude(reviewed_at=today, reviewed_by=by)
    return marked.update(reviewed_at=today, reviewed_by=by) == 1


def index_again(*, articles: QuerySet[Article]) -> int:
    """Another five attempts for those that could not be indexed; returns how many there were."""
    with transaction.atomic():
        failed = list(articles.filter(index_attempts__gt=0).values_list("pk", flat=True))
        tried = outbox.try_again(Article.objects.filter(pk__in=failed))
        for article_id in failed:
            bell.ring(article_id)
    return tried


def _set_status(article: Article, status: Status) -> bool:
    with transaction.atomic():
        stored = Article.objects.select_for_update().get(pk=article.pk)
        if stored.status == status:
            return False
        stored.status = status
        stored.save()
    article.refresh_from_db()
    return True
