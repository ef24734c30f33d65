"""What editors do with an article's status, as functions.

Each reads the row anew and saves the whole of it, so that history gets its entry and the index its bell; a
form or a list that is minutes old writes nothing back. Who may do it is for permissions to say.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from knowledge import bell, outbox
from knowledge.models import Article, Audience, Category, Status


class NotGoneOver(Exception):
    """The article was put together from replies to customers, and nobody has confirmed having gone over it."""


def publish_article(*, article: Article) -> bool:
    """Readers see it at commit. False where it was published already. Raises NotGoneOver."""
    return _set_status(article, Status.PUBLISHED)


def archive_article(*, article: Article) -> bool:
    """Nobody reads it or is answered from it from commit on. False where it was archived already."""
    return _set_status(article, Status.ARCHIVED)


def make_draft(*, article: Article) -> bool:
    """Back to the editors, out of everybody's sight. False where it was a draft already."""
    return _set_status(article, Status.DRAFT)


def mark_reviewed(*, article: Article, by: User) -> bool:
    """Somebody has read it today and found it right. No edit: neither its date nor its index changes."""
    today = timezone.localdate()
    marked = Article.objects.filter(pk=article.pk).exclude(reviewed_at=today, reviewed_by=by)
    return marked.update(reviewed_at=today, reviewed_by=by) == 1


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


def _set_status(article: Article, status: Status) -> bool:
    return _change(article, status=status)


def _change(article: Article, **values: object) -> bool:
    with transaction.atomic():
        stored = Article.objects.select_for_update().get(pk=article.pk)
        if all(getattr(stored, name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            setattr(stored, name, value)
        if stored.status == Status.PUBLISHED and stored.to_go_over:
            raise NotGoneOver
        stored.save()
    article.refresh_from_db()
    return True
