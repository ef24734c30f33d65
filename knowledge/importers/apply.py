"""Writes entries into the database.

Promise: the same entries twice change nothing the second time. What was reported as progress is committed, so
that a crash or a full disk loses at most one batch. A bad entry never stops the others. Time grows linearly
with the number of entries, memory with the size of a batch.

Refuses to decide: what an entry changes (`planning`), and when the index follows: the caller brings it up to
date once, after everything is written.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Final, TypeAlias

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from knowledge.importers.categories import CategoryTree
from knowledge.importers.entries import Entry, Place, Problem
from knowledge.importers.planning import (
    Content,
    Stored,
    changed_fields,
    is_kept_from_readers,
    is_online_against_source,
    plan_content,
)
from knowledge.importers.runs import RunRecord, report_as_json
from knowledge.importers.slugs import SlugBook
from knowledge.language import detect_language
from knowledge.media import store_picture
from knowledge.models import Article
from knowledge.sweepers import bell_held

BATCH_ENTRIES: Final = 200  # in one transaction
BATCH_CHARACTERS: Final = 5_000_000  # of text in one transaction
_DETECTED_CHARACTERS: Final = 2_000  # enough to tell a language, however long the text

_Key: TypeAlias = tuple[str, str, str]  # how an article is known: see `_Run._key`


@dataclass(frozen=True)
class ImportReport:
    source: str
    dry_run: bool
    created: int
    updated: int
    unchanged: int
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    seconds: float
    planned: "tuple[Planned, ...]" = ()  # what was, or would be, created and updated, in the order of the source
    run_id: int | None = None  # of the `ImportRun` that can be undone; None: nothing was written

    @property
    def failed(self) -> int:
        return len(self.errors)


@dataclass(frozen=True)
class Planned:
    external_id: str
    title: str
    language: str
    is_new: bool
    status: str
    audience: str
    fields: tuple[str, ...] = ()  # of an article that is there already, what changes


@dataclass
class _Tally:
    planned: list[Planned] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def note(self, problem: Problem) -> None:
        (self.warnings if problem.is_warning else self.errors).append(problem)


class _Refused(Exception):
    """This entry cannot be written as things are. Permanent: the source or the database has to change."""


def apply_entries(
    items: Iterable[Entry | Problem],
    *,
    source: str,
    publish: bool = False,
    language: str | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int], None] | None = None,
    record: RunRecord | None = None,
) -> ImportReport:
    """`language` is for entries that name none; `on_progress` is told how many more are done for good.

    What is written is recorded, so that it can be undone: in `record`, or in one of its own.
    """
    started = time.monotonic()
    record = record or RunRecord(source=source, publish=publish, language=language or "")
    run = _Run(source=source, publish=publish, language=language, dry_run=dry_run, record=record)
    with bell_held():
        for batch in _batches(items):
            run.take(batch)
            if on_progress is not None:
                on_progress(len(batch))
    tally = run.tally
    report = ImportReport(
        source=source,
        dry_run=dry_run,
        created=tally.created,
        updated=tally.updated,
        unchanged=tally.unchanged,
        errors=tuple(tally.errors),
        warnings=tuple(tally.warnings),
        seconds=time.monotonic() - started,
        planned=tuple(tally.planned),
        run_id=None if dry_run else record.run_id,
    )
    if not dry_run:
        record.finish(report_as_json(report))
    return report


def _batches(items: Iterable[Entry | Problem]) -> Iterator[list[Entry | Problem]]:
    batch: list[Entry | Problem] = []
    characters = 0
    for item in items:
        batch.append(item)
        characters += len(item.body) if isinstance(item, Entry) else 0
        if len(batch) >= BATCH_ENTRIES or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class _Run:
    def __init__(
        self, *, source: str, publish: bool, language: str | None, dry_run: bool, record: RunRecord
    ) -> None:
        self._record = record
        self.tally = _Tally()
        self._source = source
        self._publish = publish
        self._language = language
        self._dry_run = dry_run
        self._categories = CategoryTree()
        self._slugs = SlugBook(Article, fallback="article")
        self._seen: dict[_Key, Place] = {}  # where it was first met
        self._groups_seen: dict[tuple[str, str], Place] = {}  # (translation group, language)

    def take(self, batch: list[Entry | Problem]) -> None:
        entries: list[Entry] = []
        for item in batch:
            if isinstance(item, Problem):
                self.tally.note(item)
            elif (key := self._key(item)) in self._seen:
                self._fail(item, _("this id was already used in %(where)s."), self._seen[key])
            else:
                self._seen[key] = item.place
                entries.append(item)
        if not entries:
            return
        # Reading and writing in one transaction: nobody's edit can fall between them.
        with transaction.atomic():
            stored = self._stored(entries)
            groups = self._groups(entries)
            for entry in entries:
                try:
                    self._take(entry, stored.get(self._key(entry)), groups)
                except _Refused as error:
                    self._fail(entry, str(error))
            self._record.keep(self._categories.take_made())

    def _key(self, entry: Entry) -> _Key:
        """By what an article is known: its source and its id there, or its address where it was written here."""
        source = entry.stamp.source if entry.stamp else self._source
        if entry.external_id:
            return ("id", source, entry.external_id)
        return ("slug", entry.language or "", entry.stamp.slug if entry.stamp else "")

    def _stored(self, entries: list[Entry]) -> dict[_Key, Article]:
        wanted = Q()
        ids: dict[str, list[str]] = {}  # source -> external ids
        for kind, first, second in map(self._key, entries):
            if kind == "id":
                ids.setdefault(first, []).append(second)
            else:
                wanted |= Q(external_id="", language=first, slug=second)
        for source, names in ids.items():
            wanted |= Q(source=source, external_id__in=names)
        articles = Article.objects.filter(wanted)
        if not self._dry_run:
            articles = articles.select_for_update()
        return {
            ("id", article.source, article.external_id)
            if article.external_id
            else ("slug", article.language, article.slug): article
            for article in articles
        }

    def _groups(self, entries: list[Entry]) -> dict[tuple[str, str], Article]:
        """(translation group, language) -> the article that has that place now."""
        keys = {entry.translation_key or self._twin_group(entry) for entry in entries} - {""}
        known = Article.objects.filter(~Q(translation_group=""), translation_group__in=keys).only(
            "translation_group", "language", "source", "title"
        )
        return {(article.translation_group, article.language): article for article in known}

    def _take(self, entry: Entry, article: Article | None, groups: dict[tuple[str, str], Article]) -> None:
        stored = Stored.of(article) if article else None
        language = self._language_of(entry, stored)
        self._check_group(entry, article, language, groups)
        category_id = self._categories.place(
            language,
            entry.category,
            create=not self._dry_run,
            slugs=entry.stamp.category_slugs if entry.stamp else (),
        )
        if not entry.category and stored and stored.content.language == language:
            category_id = stored.content.category_id
        content = plan_content(
            entry,
            stored,
            language=language,
            category_id=category_id,
            publish=self._publish,
            twin_group=self._free_twin_group(entry, article, language, groups),
        )
        if stored and content == stored.content:
            self.tally.unchanged += 1
        else:
            if not self._dry_run:
                self._write(article or self._new(entry), content, entry)
            if stored:
                self.tally.updated += 1
            else:
                self.tally.created += 1
            changed = changed_fields(content, stored.content) if stored else ()
            self.tally.planned.append(
                Planned(
                    entry.external_id,
                    content.title,
                    language,
                    stored is None,
                    content.status,
                    content.audience,
                    changed,
                )
            )
        self._warn(entry, content)

    def _new(self, entry: Entry) -> Article:
        source = entry.stamp.source if entry.stamp else self._source
        is_unread = entry.stamp is not None and entry.stamp.to_go_over
        return Article(source=source, external_id=entry.external_id, to_go_over=is_unread)

    def _twin_group(self, entry: Entry) -> str:
        group = f"{self._source}:{entry.twin_key}" if entry.twin_key else ""
        limit = Article._meta.get_field("translation_group").max_length or 0
        return group if len(group) <= limit else ""

    def _free_twin_group(
        self, entry: Entry, article: Article | None, language: str, groups: dict[tuple[str, str], Article]
    ) -> str:
        """Only a guess from names: where somebody else has the place, the article stays without a group."""
        group = self._twin_group(entry)
        if not group or entry.translation_key or (article and article.translation_group):
            return ""
        holder = groups.get((group, language))
        first = self._groups_seen.setdefault((group, language), entry.place)
        is_free = first is entry.place and (
            holder is None or (article is not None and holder.pk == article.pk)
        )
        return group if is_free else ""

    def _language_of(self, entry: Entry, stored: Stored | None) -> str:
        if entry.language or self._language:
            return str(entry.language or self._language)
        if stored:
            return stored.content.language
        return detect_language(
            f"{entry.title}\n{entry.body[:_DETECTED_CHARACTERS]}", fallback=settings.LANGUAGE_CODE
        )

    def _check_group(
        self, entry: Entry, article: Article | None, language: str, groups: dict[tuple[str, str], Article]
    ) -> None:
        if not entry.translation_key:
            return
        key = (entry.translation_key, language)
        names = {"key": entry.translation_key, "language": language}
        first = self._groups_seen.setdefault(key, entry.place)
        if first is not entry.place:
            reason = _("translation_key “%(key)s” already has an article in “%(language)s” (%(where)s).")
            raise _Refused(reason % {**names, "where": f"{first.file}:{first.line}"})
        holder = groups.get(key)
        if holder is not None and (article is None or holder.pk != article.pk):
            reason = _(
                "translation_key “%(key)s” already has an article in “%(language)s”: “%(title)s”, from "
                "source “%(source)s”. To update that article, import with --source."
            )
            raise _Refused(reason % {**names, "title": holder.title, "source": holder.source})

    def _write(self, article: Article, content: Content, entry: Entry) -> None:
        for picture in entry.pictures:
            store_picture(picture)
        is_new = article.pk is None
        wanted = entry.stamp.slug if entry.stamp and is_new else ""
        for name, value in asdict(content).items():
            setattr(article, name, value)
        # Kept with the revision, so that an editor sees who changed the text.
        article._change_reason = f"import: {self._source}"[:100]  # type: ignore[attr-defined]
        keeps_slug = article.pk is not None and not self._moves(article)
        for is_last_try in (False, True):
            if not keeps_slug:
                article.slug = self._slugs.claim(content.language, content.title, wanted=wanted)
            try:
                with transaction.atomic():
                    article.save()
                self._record.note(article, is_new=is_new)
                return
            except IntegrityError as error:
                # Somebody took the slug since the run began; anything else will fail again.
                if is_last_try or keeps_slug:
                    raise _Refused(_("the database refuses it: %(why)s.") % {"why": error}) from error
                self._slugs.reload()

    def _moves(self, article: Article) -> bool:
        """An article that changes its language may meet its own slug there."""
        was = Article.objects.filter(pk=article.pk).values_list("language", flat=True).get()
        return was != article.language and not self._slugs.is_free(article.language, article.slug)

    def _warn(self, entry: Entry, content: Content) -> None:
        if is_kept_from_readers(entry, content):
            reason = _(
                "the source says “%(wanted)s”, the article stays “%(kept)s”: an import never shows an "
                "article to more people. Change it in the admin."
            )
            values = {"wanted": entry.audience, "kept": content.audience}
            self.tally.note(Problem(entry.place, entry.external_id, reason % values, is_warning=True))
        if is_online_against_source(entry, content):
            reason = _("the source calls it a draft, the article stays published. Unpublish it in the admin.")
            self.tally.note(Problem(entry.place, entry.external_id, reason, is_warning=True))

    def _fail(self, entry: Entry, reason: str, where: Place | None = None) -> None:
        if where is not None:
            reason %= {"where": f"{where.file}:{where.line}"}
        self.tally.note(Problem(entry.place, entry.external_id, reason))
