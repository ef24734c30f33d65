"""What the e-mails to editors say. When they leave, and how often that is tried, is the outbox's business."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from knowledge import site
from knowledge.models import Article, Notice

MOST_LISTED = 50  # articles in one mail; the list in the admin has them all


def compose(notice: Notice) -> EmailMessage:
    """In the language of the installation: an account has none of its own."""
    with translation.override(settings.LANGUAGE_CODE):
        by_id = Article.objects.in_bulk(notice.article_ids[:MOST_LISTED])
        articles = [by_id[pk] for pk in notice.article_ids if pk in by_id]
        values = {
            "notice": notice,
            "site_name": site.current().display_name,
            "articles": [
                (article, settings.SITE_URL + reverse("admin:knowledge_article_change", args=[article.pk]))
                for article in articles
            ],
            "more": max(0, len(notice.article_ids) - MOST_LISTED),
            "list_url": f"{settings.SITE_URL}{reverse('admin:knowledge_article_changelist')}?to_do=review_due",
        }
        subject = " ".join(render_to_string(f"mail/editor_{notice.kind}_subject.txt", values).split())
        body = render_to_string(f"mail/editor_{notice.kind}.txt", values)
    domain = settings.SITE_URL.split("://")[-1].split("/")[0].split(":")[0]
    return EmailMessage(
        subject=subject,
        body=body,
        to=[notice.recipient.email],
        headers={"Message-ID": f"<{notice.stable_id}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
