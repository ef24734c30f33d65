"""Articles: what editors write and customers read, with the row's own outbox.

The database is the truth. `Article` carries its own outbox (its edition against its `IndexMark` in a generation;
`knowledge.outbox` reads it), and `ArticleQuerySet.published().visible_to()` with its twin
`Article.is_visible_to` is the one gate that decides who may read what. Nothing here knows about vectors stores
or questions.
"""

import hashlib
from collections.abc import Collection
from datetime import date
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, Q, Subquery
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from knowledge.models.addresses import localised_url
from knowledge.models.categories import Category
from knowledge.models.generations import marks_of_now
from knowledge.models.readers import Audience, Language, Reader, audiences_for

TEXT_DIGITS = 32  # of a content fingerprint, for title, text and language; the rest is for visibility


class Status(models.TextChoices):
    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("In review")
    PUBLISHED = "published", _("Published")
    ARCHIVED = "archived", _("Archived")


class ArticleQuerySet(models.QuerySet["Article"]):
    def published(self) -> Self:
        """What is online at this moment: approved, its hour has come, and its last has not."""
        begun = Q(publish_at=None) | Q(publish_at__lte=Now())
        lasts = Q(unpublish_at=None) | Q(unpublish_at__gt=Now())
        return self.for_index().filter(begun, lasts)

    def for_index(self) -> Self:
        """What the index holds: also what will be online soon, so that it can be found from that moment on."""
        return self.filter(status=Status.PUBLISHED)

    def scheduled(self) -> Self:
        """Approved, and waiting for its hour."""
        return self.for_index().filter(publish_at__gt=Now())

    def review_due(self, day: date) -> Self:
        """Online, and to be read again by that day."""
        return self.for_index().filter(review_by__lte=day)

    def with_old_translation(self) -> Self:
        """Translations whose source has changed since they were made."""
        return self.filter(translated_revision__lt=F("translation_of__revision"))

    def visible_to(self, user: Reader) -> Self:
        return self.filter(audience__in=audiences_for(user))

    def fresh(self, recipe: str) -> Self:
        """Articles of which that generation holds what is stored now."""
        return self.filter(Exists(marks_of_now(recipe)))

    def stale(self, recipe: str) -> Self:
        """The others; the outbox of the index."""
        return self.filter(~Exists(marks_of_now(recipe)))

    def with_index_mark(self, recipe: str) -> Self:
        """Each with `is_indexed` and `indexed_at`, so that a list costs no query an article."""
        marks = marks_of_now(recipe)
        return self.annotate(is_indexed=Exists(marks), indexed_at=Subquery(marks.values("indexed_at")[:1]))

    def delete(self) -> tuple[int, dict[str, int]]:
        """Under the locks of their rows, as `Article.delete`."""
        with transaction.atomic():
            _locked(list(self.values_list("pk", flat=True)))
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]  # templates may not call it
    delete.queryset_only = True  # type: ignore[attr-defined]


class Article(models.Model):
    title = models.CharField(_("title"), max_length=500)
    slug = models.SlugField(_("slug"), max_length=140)
    body = models.TextField(_("text"), help_text=_("Markdown. Use ## for headings."))
    language = models.CharField(_("language"), max_length=2, choices=Language)
    translation_group = models.CharField(
        _("translation group"),
        max_length=200,
        blank=True,
        db_index=True,
        help_text=_("Articles with the same value are translations of each other."),
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="articles",
    )
    # The article that this one was translated from, and its revision then.
    translation_of = models.ForeignKey(
        "self",
        verbose_name=_("translated from"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="translations",
    )
    translated_revision = models.PositiveIntegerField(
        _("revision of the source"), null=True, blank=True, editable=False
    )
    # Where its text went. Its address, and links to it, lead there as long as it is not published itself; one hop.
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    # Of a published article: online from then on. Of another one: only a wish, until somebody publishes it.
    publish_at = models.DateTimeField(
        _("publish on"),
        null=True,
        blank=True,
        help_text=_("Counts once the article is published: it is kept back until then. Empty: at once."),
    )
    unpublish_at = models.DateTimeField(
        _("take offline on"),
        null=True,
        blank=True,
        help_text=_("From that moment on nobody reads it or is answered from it. Empty: never."),
    )
    audience = models.CharField(_("audience"), max_length=12, choices=Audience, default=Audience.PUBLIC)
    labels = models.JSONField(_("labels"), default=list, blank=True)  # of str, in the order of the editor
    source = models.CharField(_("source"), max_length=120, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=300, blank=True, editable=False)
    # Where the source itself shows the article, as an address or a path: links that lead there lead here.
    source_url = models.CharField(_("address at the source"), max_length=500, blank=True, editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("author"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last change"), auto_now=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False)
    reviewed_at = models.DateField(
        _("last reviewed"),
        null=True,
        blank=True,
        help_text=_("When somebody last checked that it is still right."),
    )
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("reviewed by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    review_by = models.DateField(
        _("check again by"),
        null=True,
        blank=True,
        help_text=_("Author and last checker get an e-mail on that day."),
    )
    # The `review_by` that a reminder was written for: each day reminds once.
    review_reminded_for = models.DateField(null=True, blank=True, editable=False)

    # Put together from what staff wrote to customers; nobody publishes it unread.
    to_go_over = models.BooleanField(_("from replies, not gone over yet"), default=False, editable=False)

    revision = models.PositiveIntegerField(_("revision"), default=0, editable=False)
    content_fingerprint = models.CharField(max_length=64, editable=False)
    # The edit that gave the article this fingerprint; what was planned for an earlier one is void.
    content_changed_at = models.DateTimeField(default=timezone.now, editable=False)

    # How the work on it goes, in whichever generation. Nothing else writes these: see `save`.
    index_claimed_at = models.DateTimeField(null=True, blank=True, editable=False)  # a sync is at work
    index_attempts = models.PositiveSmallIntegerField(
        default=0, editable=False
    )  # that failed, since the edit
    index_failed_at = models.DateTimeField(null=True, blank=True, editable=False)  # the last of them
    index_error = models.CharField(_("index error"), max_length=500, blank=True, editable=False)

    INDEX_FIELDS = (
        "index_claimed_at",
        "index_attempts",
        "index_failed_at",
        "index_error",
    )

    history = HistoricalRecords(
        excluded_fields=["content_changed_at", "review_reminded_for", "merged_into", *INDEX_FIELDS]
    )
    objects = ArticleQuerySet.as_manager()

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")
        ordering = ["title"]
        permissions = [
            ("review_article", _("Can approve articles or send them back")),
            ("publish_article", _("Can publish articles and take them offline")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["language", "slug"],
                name="article_slug_unique_per_language",
                violation_error_message=_("Another article in this language already has this slug."),
            ),
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=~Q(external_id=""),
                name="article_external_id_unique_per_source",
            ),
            models.UniqueConstraint(
                fields=["translation_group", "language"],
                condition=~Q(translation_group=""),
                name="article_one_translation_per_language",
                violation_error_message=_("This translation group already has an article in this language."),
            ),
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="article_language_is_known"
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="article_status_is_known"),
            models.CheckConstraint(
                condition=Q(audience__in=Audience.values), name="article_audience_is_known"
            ),
            models.CheckConstraint(
                condition=Q(to_go_over=False) | ~Q(status=Status.PUBLISHED),
                name="article_published_was_gone_over",
            ),
            models.CheckConstraint(
                condition=Q(publish_at=None) | Q(unpublish_at=None) | Q(unpublish_at__gt=F("publish_at")),
                name="article_dates_are_ordered",
                violation_error_message=_("It would be taken offline before it is published."),
            ),
        ]
        indexes = [
            models.Index(fields=["status", "language", "audience"], name="article_gate"),
            models.Index(fields=["source", "source_url"], name="article_source_url"),
            # Holds all that `stale` compares, so that a sweep reads no article text.
            models.Index(fields=["content_fingerprint", "content_changed_at"], name="article_edition"),
            # What a look at the calendar reads; nearly all articles have none of these dates.
            models.Index(
                fields=["status", "publish_at"],
                condition=Q(publish_at__isnull=False),
                name="article_due_online",
            ),
            models.Index(
                fields=["status", "unpublish_at"],
                condition=Q(unpublish_at__isnull=False),
                name="article_due_offline",
            ),
            models.Index(
                fields=["status", "review_by"],
                condition=Q(review_by__isnull=False),
                name="article_due_review",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keeps revision, fingerprint and outbox in step with the content, in the same row and transaction.

        Compared is what the row holds now, under its lock, not what this instance was loaded with: two editors
        who save in the same instant get two revisions. And the index's columns are left to the index, unless
        there is something new for it; a form that is minutes old would bring their old values back.
        """
        with transaction.atomic():
            stored = None
            if self.pk is not None and not kwargs.get("force_insert"):
                rows = Article.objects.select_for_update().filter(pk=self.pk)
                stored = rows.values_list("revision", "content_fingerprint").first()
            renewed = self._take_stock(*(stored or (self.revision, "")))
            if kwargs.get("update_fields") is not None:
                derived = {"revision", "content_fingerprint", "published_at", "merged_into", "updated_at"}
                kwargs["update_fields"] = {*kwargs["update_fields"], *derived, *renewed}
            elif stored is not None:
                kwargs["update_fields"] = (self._loaded_fields() - set(self.INDEX_FIELDS)) | renewed
            super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return localised_url("article", self.language, self.slug)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Under the row's lock: Django looks for passages first, and a sync may just be storing new ones."""
        with transaction.atomic():
            _locked([self.pk])
            return super().delete(*args, **kwargs)

    delete.alters_data = True  # type: ignore[attr-defined]

    def _take_stock(self, stored_revision: int, stored_fingerprint: str) -> set[str]:
        """Derives what follows from the content; returns the fields that are new if it has changed.

        The fingerprint covers everything that decides which passages exist and in which collection they
        live, so that visibility changes make the index stale as well.
        """
        now = timezone.now()
        text = _sha256(self.title, self.body, self.language)[:TEXT_DIGITS]
        visibility = _sha256(self.audience, str(self.status == Status.PUBLISHED))
        self.revision = stored_revision + (stored_fingerprint[:TEXT_DIGITS] != text)
        self.content_fingerprint = text + visibility[:32]
        if self.status == Status.PUBLISHED and (self.published_at is None or self.published_at > now):
            self.published_at = max(now, self.publish_at or now)
        if self.status == Status.PUBLISHED:
            self.merged_into_id = None  # it speaks for itself again
        if self.content_fingerprint == stored_fingerprint:
            return set()
        # Another edition even where an edit is taken back: a sync may have replaced the passages in between.
        # No mark is of this one, so it is stale in every generation.
        self.content_changed_at = now
        # New content is nobody's work yet, and what failed was the old.
        self.index_claimed_at = self.index_failed_at = None
        self.index_attempts = 0
        self.index_error = ""
        return {"content_changed_at", *self.INDEX_FIELDS}

    def _loaded_fields(self) -> set[str]:
        deferred = self.get_deferred_fields()
        fields = self._meta.concrete_fields
        return {field.name for field in fields if not field.primary_key and field.attname not in deferred}

    def is_visible_to(self, user: Reader) -> bool:
        """The predicate twin of `Article.objects.published().visible_to(user)`."""
        return self.is_online() and self.audience in audiences_for(user)

    def is_online(self) -> bool:
        """The predicate twin of `Article.objects.published()`."""
        return self.status == Status.PUBLISHED and not self.is_scheduled() and not self.is_over()

    def is_scheduled(self) -> bool:
        """The predicate twin of `Article.objects.scheduled()`."""
        waits = self.publish_at is not None and self.publish_at > timezone.now()
        return self.status == Status.PUBLISHED and waits

    def is_over(self) -> bool:
        """Published until a moment that has passed, whether or not a sweep has seen it."""
        ended = self.unpublish_at is not None and self.unpublish_at <= timezone.now()
        return self.status == Status.PUBLISHED and ended

    def has_old_translation(self) -> bool:
        """The predicate twin of `Article.objects.with_old_translation()`."""
        source = self.translation_of
        return (
            source is not None
            and self.translated_revision is not None
            and self.translated_revision < source.revision
        )

    def is_stale(self, recipe: str) -> bool:
        """The predicate twin of `Article.objects.stale(recipe)`."""
        return not self.index_marks.filter(
            recipe=recipe, fingerprint=self.content_fingerprint, edition_at=self.content_changed_at
        ).exists()

    @property
    def text_fingerprint(self) -> str:
        """Of title, text and language as they were saved; passages carry the one they were cut from."""
        return self.content_fingerprint[:TEXT_DIGITS]


def _locked(article_ids: Collection[int]) -> None:
    """Until the transaction ends; in one order, so that no two wait for each other."""
    list(Article.objects.select_for_update().filter(pk__in=article_ids).order_by("pk").values_list("pk"))


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
