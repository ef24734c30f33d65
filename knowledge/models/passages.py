"""Passages, and the gate that says which of them a reader may be answered from."""

from collections.abc import Collection
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Left
from django.utils.translation import gettext_lazy as _

from knowledge.models.articles import TEXT_DIGITS, Article, Status
from knowledge.models.readers import Reader


class PassageQuerySet(models.QuerySet["Passage"]):
    def current(self) -> Self:
        """Of published articles, as they read now."""
        return self.as_written().filter(article__status=Status.PUBLISHED)

    def as_written(self) -> Self:
        """Cut from the text that their article has now, whoever may read it."""
        return self.alias(written=Left("article__content_fingerprint", TEXT_DIGITS)).filter(
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
    text_fingerprint = models.CharField(max_length=TEXT_DIGITS)  # of the text that it was split from
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
