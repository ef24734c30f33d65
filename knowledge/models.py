"""What the help center knows: categories, articles and the passages they are searched by.

The database is the truth. `Article` carries its own outbox (its edition against its `IndexMark` in a generation;
`knowledge.outbox` reads it), and `ArticleQuerySet.published().visible_to()` with its twin
`Article.is_visible_to` is the one gate that decides who may read what. Nothing here knows about vectors stores
or questions.
"""

import hashlib
from collections.abc import Collection
from typing import Any, Self, TypeAlias

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Left
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from knowledge import saved_views, site, viewing, votes  # noqa: F401 - their tables belong to this application
from knowledge.synonyms import is_usable, split_group

_TEXT_DIGITS = 32  # of a content fingerprint, for title, text and language; the rest is for visibility

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


class SynonymGroup(models.Model):
    """Words that mean the same on this site; a question with one of them finds articles with another."""

    words = models.TextField(
        _("words"),
        max_length=1000,
        help_text=_(
            "At least two, separated by commas: “subscription, plan, contract”. Up to four words an entry."
        ),
    )
    language = models.CharField(
        _("language"),
        max_length=2,
        choices=Language,
        blank=True,
        help_text=_(
            "Leave empty for words of both languages; then a question in one finds articles in the other."
        ),
    )

    class Meta:
        verbose_name = _("group of synonyms")
        verbose_name_plural = _("synonyms")
        ordering = ["words"]
        constraints = [
            models.CheckConstraint(
                condition=Q(language__in=["", *Language.values]), name="synonym_language_is_known"
            ),
        ]

    def __str__(self) -> str:
        return shortened if len(shortened := " ".join(self.words.split())) <= 80 else f"{shortened[:79]}…"

    def clean(self) -> None:
        """Keeps the words as one tidy line; refuses what a search could not use, by name."""
        from django.core.exceptions import ValidationError

        entries = list(dict.fromkeys(split_group(self.words)))
        languages = [self.language] if self.language else Language.values
        too_long = [entry for entry in entries if not all(is_usable(entry, code) for code in languages)]
        if too_long:
            raise ValidationError(
                {
                    "words": _(
                        "“%(entry)s” cannot be searched for: an entry needs one to four words that say something; "
                        "“the” or “and” alone does not."
                    )
                    % {"entry": too_long[0]}
                }
            )
        if len(entries) < 2:
            raise ValidationError(
                {"words": _("A group needs at least two different entries, separated by commas.")}
            )
        self.words = ", ".join(entries)


class ArticleQuerySet(models.QuerySet["Article"]):
    def published(self) -> Self:
        return self.filter(status=Status.PUBLISHED)

    def visible_to(self, user: Reader) -> Self:
        return self.filter(audience__in=audiences_for(user))

    def fresh(self, recipe: str) -> Self:
        """Articles of which that generation holds what is stored now."""
        return self.filter(Exists(_marks_of_now(recipe)))

    def stale(self, recipe: str) -> Self:
        """The others; the outbox of the index."""
        return self.filter(~Exists(_marks_of_now(recipe)))

    def with_index_mark(self, recipe: str) -> Self:
        """Each with `is_indexed` and `indexed_at`, so that a list costs no query an article."""
        marks = _marks_of_now(recipe)
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
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
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

    history = HistoricalRecords(excluded_fields=["content_changed_at", *INDEX_FIELDS])
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
            models.CheckConstraint(
                condition=Q(to_go_over=False) | ~Q(status=Status.PUBLISHED),
                name="article_published_was_gone_over",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "language", "audience"], name="article_gate"),
            models.Index(fields=["source", "source_url"], name="article_source_url"),
            # Holds all that `stale` compares, so that a sweep reads no article text.
            models.Index(fields=["content_fingerprint", "content_changed_at"], name="article_edition"),
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
                derived = {"revision", "content_fingerprint", "published_at", "updated_at"}
                kwargs["update_fields"] = {*kwargs["update_fields"], *derived, *renewed}
            elif stored is not None:
                kwargs["update_fields"] = (self._loaded_fields() - set(self.INDEX_FIELDS)) | renewed
            super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return _localised_url("article", self.language, self.slug)

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
        text = _sha256(self.title, self.body, self.language)[:_TEXT_DIGITS]
        visibility = _sha256(self.audience, str(self.status == Status.PUBLISHED))
        self.revision = stored_revision + (stored_fingerprint[:_TEXT_DIGITS] != text)
        self.content_fingerprint = text + visibility[:32]
        if self.status == Status.PUBLISHED and self.published_at is None:
            self.published_at = now
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
        return self.status == Status.PUBLISHED and self.audience in audiences_for(user)

    def is_stale(self, recipe: str) -> bool:
        """The predicate twin of `Article.objects.stale(recipe)`."""
        return not self.index_marks.filter(
            recipe=recipe, fingerprint=self.content_fingerprint, edition_at=self.content_changed_at
        ).exists()

    @property
    def text_fingerprint(self) -> str:
        """Of title, text and language as they were saved; passages carry the one they were cut from."""
        return self.content_fingerprint[:_TEXT_DIGITS]


def _locked(article_ids: Collection[int]) -> None:
    """Until the transaction ends; in one order, so that no two wait for each other."""
    list(Article.objects.select_for_update().filter(pk__in=article_ids).order_by("pk").values_list("pk"))


class PassageQuerySet(models.QuerySet["Passage"]):
    def current(self) -> Self:
        """Of published articles, as they read now."""
        return self.as_written().filter(article__status=Status.PUBLISHED)

    def as_written(self) -> Self:
        """Cut from the text that their article has now, whoever may read it."""
        return self.alias(written=Left("article__content_fingerprint", _TEXT_DIGITS)).filter(
            revision=F("article__revision"), text_fingerprint=F("written")
        )

    def answerable_by_id(
        self, passage_ids: Collection[int], user: Reader, *, language: str
    ) -> "dict[int, Passage]":
        """The gate: which of these are of published articles that `user` may read, cut from their text of now.

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
            if article is not None and passage.is_cut_from(article):
                passage.article = article
                answerable[pk] = passage
        return answerable


class Passage(models.Model):
    """A stored chunk, the unit of retrieval. Rows are replaced, never edited: an id means one text forever."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="passages")
    revision = models.PositiveIntegerField()  # of the article when it was split
    text_fingerprint = models.CharField(max_length=_TEXT_DIGITS)  # of the text that it was split from
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
    # int8 (units, dimension), of `knowledge.units.split_units(text)` in order; empty: the model gives none
    unit_vectors = models.BinaryField(default=b"")

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

    def is_cut_from(self, article: Article) -> bool:
        """The predicate twin of `Passage.objects.as_written()`."""
        return (self.revision, self.text_fingerprint) == (article.revision, article.text_fingerprint)


class IndexMark(models.Model):
    """This edition of the article is in that generation: its passages in the database, their ids in the index.

    Made when the index has taken them, never before. A later edition makes it void without touching it.
    """

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="index_marks", db_index=False)
    recipe = models.CharField(max_length=64)  # of the generation
    fingerprint = models.CharField(max_length=64)  # the article's `content_fingerprint` then
    edition_at = models.DateTimeField()  # and its `content_changed_at`
    indexed_at = models.DateTimeField(
        null=True
    )  # answerable since; None: not published, so the index has none

    class Meta:
        verbose_name = _("index mark")
        verbose_name_plural = _("index marks")
        constraints = [models.UniqueConstraint(fields=["article", "recipe"], name="index_mark_unique")]
        # Holds all that `stale` compares.
        indexes = [
            models.Index(fields=["article", "recipe", "fingerprint", "edition_at"], name="index_mark_outbox")
        ]

    def __str__(self) -> str:
        return f"{self.article_id} ({self.recipe[:8]})"


class GenerationState(models.TextChoices):
    BUILDING = "building", _("Being built")
    LIVE = "live", _("Live")
    RETIRED = "retired", _("Retired")  # or given up half-built: nothing is written to it any more


class Generation(models.Model):
    """All passages of one recipe. Questions are answered from the live one, and from that alone.

    `knowledge.generations` says how one follows another.
    """

    recipe = models.CharField(max_length=64, unique=True)
    model = models.CharField(max_length=500, blank=True)  # value of EMBEDDING_MODEL that loads its embedder
    space = models.CharField(max_length=64, blank=True)  # which embedder that has to be; empty: not recorded
    embedder = models.CharField(max_length=200)  # what a person would call the model
    state = models.CharField(max_length=10, choices=GenerationState)
    # Moves with every change of its passages: in-memory indexes compare it.
    version = models.PositiveBigIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)  # why it cannot be finished, as last seen
    started_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True, blank=True)  # a process is building it
    verified_at = models.DateTimeField(null=True, blank=True)  # nothing missing, canaries found
    live_at = models.DateTimeField(null=True, blank=True)  # since when; None: it never was
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("generation of the index")
        verbose_name_plural = _("generations of the index")
        constraints = [
            # One is live, and one at most is being built.
            models.UniqueConstraint(
                fields=["state"], condition=~Q(state="retired"), name="generation_one_of_each_state"
            ),
            models.CheckConstraint(
                condition=Q(state__in=GenerationState.values), name="generation_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.embedder} ({self.recipe[:8]})"


class Checkup(models.Model):
    """When the index was last compared with the database, and what its canaries said. One row at most."""

    at = models.DateTimeField()
    canaries_at = models.DateTimeField(null=True)  # passages were last asked to find themselves
    checked = models.PositiveIntegerField(default=0)  # of them then
    failed = models.PositiveIntegerField(default=0)  # after everything that could be mended was

    def __str__(self) -> str:
        return self.at.isoformat(timespec="seconds")


class ImportState(models.TextChoices):
    PREVIEWED = "previewed", _("Waiting to be confirmed")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Stopped by an error")  # what it had written was taken back
    UNDONE = "undone", _("Undone")
    PARTLY_UNDONE = "partly_undone", _("Partly undone")


class ImportRun(models.Model):
    """One import that wrote, or is about to write, articles. `knowledge.importers.runs` says how it goes on."""

    source = models.CharField(_("source"), max_length=120)
    file_name = models.CharField(_("file"), max_length=255, blank=True)  # of an upload; empty: a command
    format = models.CharField(_("format"), max_length=12, blank=True)
    state = models.CharField(_("state"), max_length=14, choices=ImportState, default=ImportState.RUNNING)
    publish = models.BooleanField(_("publish what is new"), default=False)
    language = models.CharField(
        max_length=2, blank=True
    )  # of entries that name none; empty: told from the text
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("imported by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    # Counts and problems as `knowledge.importers.runs.report_as_json` writes them; of the preview until it ran.
    report = models.JSONField(default=dict)
    categories = models.JSONField(default=list)  # ids of the categories that it made, outermost first

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ImportState.values), name="import_run_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name or self.source


class ImportUpload(models.Model):
    """The file that waits to be confirmed: in the database, because whoever imports it may be another machine."""

    run = models.OneToOneField(ImportRun, on_delete=models.CASCADE, related_name="upload")
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.run_id}"


class ImportChange(models.Model):
    """What a run did to one article, with the two entries of its history that an undo goes by."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="changes")
    article_id = models.BigIntegerField()  # no key: it outlives the article
    title = models.CharField(max_length=500)
    is_new = models.BooleanField()
    before = models.BigIntegerField(null=True)  # history id; None: new, or nothing was recorded
    after = models.BigIntegerField()  # history id
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "article_id"], name="import_change_once_a_run"),
        ]

    def __str__(self) -> str:
        return self.title


def _marks_of_now(recipe: str) -> models.QuerySet[IndexMark]:
    """Of each article in a query the mark that is of its edition of now."""
    return IndexMark.objects.filter(
        recipe=recipe,
        article=OuterRef("pk"),
        fingerprint=OuterRef("content_fingerprint"),
        edition_at=OuterRef("content_changed_at"),
    )


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _localised_url(name: str, language: str, slug: str) -> str:
    """Articles and categories live under the prefix of their own language, whatever the reader's is."""
    from django.utils import translation

    with translation.override(language):
        return reverse(name, kwargs={"slug": slug})
