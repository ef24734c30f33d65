"""What editors do with an article's status, as functions.

Each reads the row anew and saves the whole of it, so that history gets its entry and the index its bell; a
form or a list that is minutes old writes nothing back. Who may do it is for permissions to say.
"""

from django.db import transaction

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


def _set_status(article: Article, status: Status) -> bool:
    with transaction.atomic():
        stored = Article.objects.select_for_update().get(pk=article.pk)
        if stored.status == status:
            return False
        stored.status = status
        stored.save()
    article.refresh_from_db()
    return True
