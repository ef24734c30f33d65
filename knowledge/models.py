"""What the help center knows: categories, articles and the passages they are searched by.

The database is the truth. `Article` carries its own outbox (`content_fingerprint` against
`indexed_fingerprint`), and `ArticleQuerySet.published().visible_to()` with its twin `Article.is_visible_to`
is the one gate that decides who may read what. Nothing here knows about vectors stores or questions.
"""

import hashlib
from collections.abc import Collection
from typing import Any, Self, TypeAlias

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

# Whoever reads: an account, nobody in particular, or no request at all.
Reader: TypeAlias = AbstractBaseUser | AnonymousUser | None


class Language(models.TextChoices):
    GERMAN = "de", _("German")
    ENGLISH = "en", _("English")


class Status(models.TextChoices):
    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("In review")
    PUBLISHED = "published", _("Published")
    ARCHIVED = "archived", _("Archived")


class Audience(models.TextChoices):
    PUBLIC = "public", _("Everyone")
    SIGNED_IN = "signed_in", _("Signed-in customers")
    INTERNAL = "internal", _("Staff only")


def audiences_for(user: Reader) -> tuple[str, ...]:
    """The audiences whose articles `user` may read; None and anonymous visitors read public ones only."""
    if user is None or not user.is_authenticated or not user.is_active:
        return (Audience.PUBLIC,)
    if getattr(user, "is_staff", False):
        return (Audience.PUBLIC, Audience.SIGNED_IN, Audience.INTERNAL)
    return (Audience.PUBLIC, Audience.SIGNED_IN)


class Category(models.Model):
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=140)
    language = models.CharField(_("language"), max_length=2, choices=Language)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
    )
    description = models.CharField(_("description"), max_length=300, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["language", "slug"], name="category_slug_unique_per_language"),
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="category_language_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return _localised_url("category", self.language, self.slug)

    def clean(self) -> None:
        from django.core.exceptions import ValidationError

        ancestor = self.parent
        while ancestor is not None:
            if self.pk is not None and ancestor.pk == self.pk:
                raise ValidationError({"parent": _("A category cannot be placed below itself.")})
            ancestor = ancestor.parent
        if self.parent is not None and self.parent.language != self.language:
            raise ValidationError({"parent": _("The parent category must have the same language.")})


class ArticleQuerySet(models.QuerySet["Article"]):
    def published(self) -> Self:
        return self.filter(status=Status.PUBLISHED)

    def visible_to(self, user: Reader) -> Self:
        return self.filter(audience__in=audiences_for(user))

    def stale(self, recipe: str) -> Self:
        """Articles whose passages do not match what is stored now; the outbox of the index."""
        return self.exclude(content_fingerprint=F("indexed_fingerprint"), indexed_recipe=recipe)


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
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    audience = models.CharField(_("audience"), max_length=12, choices=Audience, default=Audience.PUBLIC)
    source = models.CharField(_("source"), max_length=120, blank=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=300, blank=True, editable=False)
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

    revision = models.PositiveIntegerField(_("revision"), default=0, editable=False)
    content_fingerprint = models.CharField(max_length=64, editable=False)
    indexed_fingerprint = models.CharField(max_length=64, blank=True, default="", editable=False)
    indexed_recipe = models.CharField(max_length=64, blank=True, default="", editable=False)
    indexed_at = models.DateTimeField(_("answerable since"), null=True, blank=True, editable=False)
    index_error = models.CharField(_("index error"), max_length=500, blank=True, editable=False)

    history = HistoricalRecords(
        excluded_fields=["indexed_fingerprint", "indexed_recipe", "indexed_at", "index_error"],
    )
    objects = ArticleQuerySet.as_manager()

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")
        ordering = ["title"]
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
        ]
        indexes = [
            models.Index(fields=["status", "language", "audience"], name="article_gate"),
            # Holds all that `stale` compares, so that a sweep reads no article text.
            models.Index(
                fields=["indexed_recipe", "content_fingerprint", "indexed_fingerprint"], name="article_outbox"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keeps revision and fingerprint in step with the content, in the same row and transaction.

        The fingerprint covers everything that decides which passages exist and in which collection they
        live, so that visibility changes make the index stale as well.
        """
        text = self.text_fingerprint()
        if self.content_fingerprint[:32] != text[:32]:
            self.revision += 1
        visibility = _sha256(self.audience, str(self.status == Status.PUBLISHED))
        self.content_fingerprint = text[:32] + visibility[:32]
        if self.status == Status.PUBLISHED and self.published_at is None:
            self.published_at = timezone.now()
        if kwargs.get("update_fields") is not None:
            derived = {"revision", "content_fingerprint", "published_at", "updated_at"}
            kwargs["update_fields"] = {*kwargs["update_fields"], *derived}
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return _localised_url("article", self.language, self.slug)

    def is_visible_to(self, user: Reader) -> bool:
        """The predicate twin of `Article.objects.published().visible_to(user)`."""
        return self.status == Status.PUBLISHED and self.audience in audiences_for(user)

    def is_stale(self, recipe: str) -> bool:
        """The predicate twin of `Article.objects.stale(recipe)`."""
        return self.content_fingerprint != self.indexed_fingerprint or self.indexed_recipe != recipe

    def text_fingerprint(self) -> str:
        return _sha256(self.title, self.body, self.language)


class PassageQuerySet(models.QuerySet["Passage"]):
    def current(self) -> Self:
        """Of published articles, as they read now."""
        return self.filter(article__status=Status.PUBLISHED, revision=F("article__revision"))

    def answerable_by_id(
        self, passage_ids: Collection[int], user: Reader, *, language: str
    ) -> "dict[int, Passage]":
        """The gate: which of these are of published articles that `user` may read, of the current revision.

        Their articles (without bodies) come with them.

        Two queries by primary key: SQLite plans the join from the side of the articles, which took 40 ms at
        20 000 passages. The articles are read last, so what is withdrawn in between is out.
        """
        passages = self.in_bulk(list(passage_ids))
        articles = (
            Article.objects.published()
            .visible_to(user)
            .filter(language=language)
            .defer("body")
            .in_bulk({passage.article_id for passage in passages.values()})
        )
        answerable = {}
        for pk, passage in passages.items():
            article = articles.get(passage.article_id)
            if article is not None and article.revision == passage.revision:
                passage.article = article
                answerable[pk] = passage
        return answerable


class Passage(models.Model):
    """A stored chunk, the unit of retrieval. Rows are replaced, never edited: an id means one text forever."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="passages")
    revision = models.PositiveIntegerField()  # of the article when it was split
    recipe = models.CharField(max_length=64)  # fingerprint of what shaped the vector
    position = models.PositiveIntegerField()  # 0-based within the article
    heading_path = models.JSONField(default=list)  # outermost heading first
    anchor = models.CharField(max_length=200, blank=True)  # of its heading on the article page, without '#'
    preface = models.TextField(blank=True)  # embedded in front of the text, never quoted
    text = models.TextField()  # body[start:end] of that revision, verbatim
    start = models.PositiveIntegerField()  # character offset into the body
    end = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)  # SHA-256 of the embedded text
    vector = models.BinaryField()  # float32, little endian, unit length
    heading_vector = models.BinaryField()  # the same of title and heading path alone

    objects = PassageQuerySet.as_manager()

    class Meta:
        verbose_name = _("passage")
        verbose_name_plural = _("passages")
        ordering = ["article_id", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["article", "recipe", "position"], name="passage_position_unique_per_article"
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="passage_offsets_are_ordered"),
        ]
        indexes = [models.Index(fields=["content_hash", "recipe"], name="passage_vector_reuse")]

    def __str__(self) -> str:
        return f"{self.article_id}/{self.position}"


class IndexState(models.Model):
    """One row per recipe. `version` moves with every change of its passages: in-memory indexes compare it."""

    recipe = models.CharField(max_length=64, unique=True)
    embedder = models.CharField(max_length=200)  # what a person would call the model
    dimension = models.PositiveIntegerField()
    version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("index state")
        verbose_name_plural = _("index states")

    def __str__(self) -> str:
        return f"{self.embedder} ({self.recipe[:8]})"


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _localised_url(name: str, language: str, slug: str) -> str:
    """Articles and categories live under the prefix of their own language, whatever the reader's is."""
    from django.utils import translation

    with translation.override(language):
        return reverse(name, kwargs={"slug": slug})
