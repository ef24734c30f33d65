"""Where links between articles lead.

Promise: a link to an article that the reader may read leads to its page, in the reader's language where there
is one, and a link to one that was merged into another leads there; a link to anything else comes back as None. However
many links a page has, they cost one query, two where some were merged, and a page without links to articles none.

Four spellings are understood, all of them as authors and other help centers write them:

  article:<key>                          the article of that translation group
  …/hc/<locale>/articles/<id>-<title>    Zendesk; an article of the same source
  ../billing/cancel.md                   a file beside the article's own; an article of the same source
  /kb/cancel, https://old.example/kb/…   an address that an article of the same source had there

Refuses to decide: what a link looks like, and what becomes of one that leads nowhere (`knowledge.markdown`).
"""

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from django.db.models import Q

from knowledge.markdown import ARTICLE_SCHEME
from knowledge.models import Article, Language, Reader

# Where Markdown keeps addresses: [text](here), [name]: here, <here>. Each pattern reads on only behind its
# opening, so that a body of a million brackets costs one pass. What is no link costs a name in the query.
_DESTINATIONS = re.compile(
    r"\]\([ \t\n]*(?:<([^<>\n]*)>|([^\s()<>]*))"
    r"|^ {0,3}\[[^\]\n]{1,200}\]:[ \t]*<?([^\s<>]+)"
    r"|<(https?://[^\s<>]+)>",
    re.MULTILINE | re.IGNORECASE,
)
_ZENDESK_PATH = re.compile(r"/hc/(?:[\w-]+/)?articles/(\d+)", re.IGNORECASE)
_FILE_SUFFIXES: Final = frozenset([".md", ".markdown"])


@dataclass(frozen=True)
class LinkSource:
    """The article that a link stands in: other articles of its source are known by their ids there."""

    source: str = ""
    external_id: str = ""
    address: str = ""  # where the source itself shows it

    @classmethod
    def of(cls, article: Article) -> "LinkSource":
        return cls(article.source, article.external_id, article.source_url)


@dataclass(frozen=True)
class _Target:
    names: tuple[str, ...]  # translation groups, or ids in the source; the likeliest first
    is_global: bool  # a translation group counts whatever the article's source
    anchor: str = ""
    address: str = ""  # at the source; empty: not known by one


def resolve_link(
    href: str, *, language: str, user: Reader = None, stands_in: LinkSource | None = None
) -> str | None:
    """One link. For a whole text use `link_resolver`, which asks the database once."""
    return _resolver({href}, language=language, user=user, home=stands_in or LinkSource())(href)


def link_resolver(
    *texts: str, language: str, user: Reader = None, stands_in: LinkSource | None = None
) -> Callable[[str], str | None]:
    """The `resolve_link` that `render_markdown(body, resolve_link=…)` takes, for all links in `texts`."""
    hrefs = {
        next(filter(None, found.groups()), "") for text in texts for found in _DESTINATIONS.finditer(text)
    }
    return _resolver(hrefs, language=language, user=user, home=stands_in or LinkSource())


def _resolver(
    hrefs: Iterable[str], *, language: str, user: Reader, home: LinkSource
) -> Callable[[str], str | None]:
    targets = [target for target in (_read(href, home) for href in hrefs) if target is not None]
    index: _Index | None = None

    def resolve(href: str) -> str | None:
        nonlocal index
        target = _read(href, home) if targets else None
        if target is None:
            return None
        if index is None:
            index = _Index(targets, language=language, user=user, source=home.source)
        return index.url(target)

    return resolve


def _read(href: str, home: LinkSource) -> _Target | None:
    if href.lower().startswith(ARTICLE_SCHEME):
        key, _hash, anchor = href[len(ARTICLE_SCHEME) :].partition("#")
        return _Target((unquote(key),), is_global=True, anchor=unquote(anchor)) if key else None
    if not home.source:
        return None
    try:
        parts = urlsplit(href)
    except ValueError:
        return None
    zendesk = _ZENDESK_PATH.search(parts.path)
    if zendesk and parts.scheme in ("", "http", "https"):
        number = zendesk[1]
        return _Target((f"zendesk-{number}", number, *_localised(f"{number}:")), is_global=False)
    path = PurePosixPath(unquote(parts.path))
    if parts.scheme or parts.netloc or path.is_absolute() or path.suffix.lower() not in _FILE_SUFFIXES:
        return _by_address(href, home)
    beside = posixpath.dirname(home.external_id)
    place = posixpath.normpath(posixpath.join(beside, str(path.with_suffix(""))))
    names = (place, *_localised(f"{place}."), path.stem, *_localised(f"{path.stem}."))
    return _Target(names, is_global=False, anchor=unquote(parts.fragment))


def _by_address(href: str, home: LinkSource) -> _Target | None:
    if not home.address or not href or href.startswith("#"):
        return None
    try:
        here, parts = urlsplit(home.address), urlsplit(urljoin(home.address, href))
    except ValueError:
        return None
    if (parts.scheme, parts.netloc) != (here.scheme, here.netloc):
        return None
    address = parts._replace(query="", fragment="").geturl().rstrip("/")
    return _Target((), is_global=False, anchor=unquote(parts.fragment), address=address) if address else None


def _localised(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{language}" for language in Language.values)


_FIELDS: Final = (
    "slug",
    "language",
    "source",
    "external_id",
    "source_url",
    "translation_group",
    "merged_into_id",
)


class _Index:
    """The articles that a text links to, fetched at once and through the gate."""

    def __init__(self, targets: list[_Target], *, language: str, user: Reader, source: str) -> None:
        groups = {name for target in targets if target.is_global for name in target.names}
        names = {name for target in targets for name in target.names}
        wanted = Q(translation_group__in=groups)
        addresses = {target.address for target in targets if target.address}
        if source:
            beside = Q(external_id__in=names) | Q(translation_group__in=names) | Q(source_url__in=addresses)
            wanted |= Q(source=source) & beside
        self._source = source
        self._by_group: dict[
            str, list[tuple[str, Article]]
        ] = {}  # with the source that knows it by this name
        self._by_id: dict[str, Article] = {}
        self._by_address: dict[str, Article] = {}
        named = _named(wanted, user)
        for name, article in sorted(named, key=lambda pair: _order(pair[0], pair[1], language)):
            if name.translation_group:
                self._by_group.setdefault(name.translation_group, []).append((name.source, article))
            if source and name.source == source:
                self._by_id[name.external_id] = article
                if name.source_url:
                    self._by_address[name.source_url] = article

    def url(self, target: _Target) -> str | None:
        if target.address:
            article = self._translated(self._by_address.get(target.address))
        else:
            article = next(filter(None, (self._article(name, target) for name in target.names)), None)
        if article is None:
            return None
        anchor = f"#{quote(target.anchor)}" if target.anchor else ""
        return f"{article.get_absolute_url()}{anchor}"

    def _article(self, name: str, target: _Target) -> Article | None:
        """The reader's language first, because the articles are sorted so."""
        for source, article in self._by_group.get(name, []):
            if target.is_global or source == self._source:
                return article
        return self._translated(self._by_id.get(name))

    def _translated(self, named: Article | None) -> Article | None:
        if named is None or named.translation_group not in self._by_group:
            return named
        return self._by_group[named.translation_group][0][1]


def _named(wanted: Q, user: Reader) -> list[tuple[Article, Article]]:
    """Articles that are looked for, each with the one to read: itself, or what it was merged into."""
    readable = Article.objects.published().visible_to(user)
    found = (readable.filter(wanted) | Article.objects.filter(wanted, merged_into__isnull=False)).only(
        *_FIELDS
    )
    merged = {article.merged_into_id for article in found} - {None}
    successors = readable.only(*_FIELDS).in_bulk(merged) if merged else {}
    pairs = [(one, successors.get(one.merged_into_id, None) if one.merged_into_id else one) for one in found]
    return [(name, article) for name, article in pairs if article is not None]


def _order(name: Article, article: Article, language: str) -> tuple[bool, str, bool]:
    """The reader's language first, and an article before one that only stands in for another."""
    return article.language != language, article.language, name.pk != article.pk
