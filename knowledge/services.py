"""What is done to an article from elsewhere than its form, as functions: by the house itself, or from a list.

Each reads the row anew and saves the whole of it, so that history gets its entry and the index its bell; a
form or a list that is minutes old writes nothing back. What people may do step by step is `knowledge.workflow`'s.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from knowledge import bell, outbox
from knowledge.models import Article
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


def mark_reviewed(*, article: Article, by: User) -> bool:
    """Somebody has read it today and found it right. No edit: neither its date nor its index changes."""
    today = timezone.localdate()
    marked = Article.objects.filter(pk=article.pk).exclude(reviewed_at=today, reviewed_by=by)
    return marked.update(reviewed_at=today, reviewed_by=by, review_by=next_review(today)) == 1


def index_again(*, articles: QuerySet[Article]) -> int:
    """Another five attempts for those that could not be indexed; returns how many there were."""
    with transaction.atomic():
        failed = list(articles.filter(index_attempts__gt=0).values_list("pk", flat=True))
        tried = outbox.try_again(Article.objects.filter(pk__in=failed))
        for article_id in failed:
            bell.ring(article_id)
    return tried


def _taken(step: Step, article: Article) -> bool:
    try:
        take_step(step, article=article, by=None)
    except StepRefused:
        return False
    article.refresh_from_db()
    return True
