"""Article text as HTML for people.

Promise: whatever an editor, an importer or a quoted article wrote, the HTML from here is safe to put into a
page. It has passed nh3 with a tight allow-list: no script, style, event handler, form, frame or foreign URL
scheme, and no id or class but ours. `heading_anchors` and `render_markdown` give the same anchors, because
one function makes them. This is the only module that may mark a string as safe, and only what nh3 returned.

Refuses to decide: who may read an article, and where an `article:<key>` link leads (the caller's
`resolve_link`). Such a link is a Markdown link; in raw HTML it loses its target. Links open where the
reader opens them: no `target`.
"""

import re
import secrets
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import nh3
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it.token import Token

from knowledge import marking
from knowledge.blocks import line_offsets
from knowledge.plaintext import (
    CALLOUT_KINDS,
    align_fragment,
    inline_text,
    join_preface,
    markdown_parser,
    plain_line,
    plain_text,
    table_head,
    typographic_parser,
)

__all__ = [
    "Heading",
    "anchor_at",
    "heading_anchors",
    "plain_line",
    "plain_text",
    "render_fragment",
    "render_inline",
    "render_markdown",
    "render_with_quote",
]

ARTICLE_SCHEME: Final = "article:"
QUOTE_ID: Final = "quote"  # of the marked passage on the article page

LinkResolver: TypeAlias = Callable[[str], str | None]

_TOP_LEVEL = 2  # the page's h1 is the article's title
_LOWEST_LEVEL = 6
_ANCHOR_LENGTH = 60


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INLINE_TAGS = _names(
    "a abbr b br cite code del dfn em i img ins kbd mark q s samp small strong sub sup u var wbr "
)
_HEADING_TAGS = frozenset(f"h{level}" for level in range(_TOP_LEVEL, _LOWEST_LEVEL + 1))
_BLOCK_TAGS = _names(
    "blockquote caption dd details div dl dt figcaption figure hr li ol p pre summary table tbody td "
    "tfoot th thead tr ul "
)
# Their content is no text for readers either, so it goes with them.
_DROPPED_WITH_CONTENT = _names(
    "script style iframe object embed noscript template title textarea select svg math canvas audio video "
)
_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "a": frozenset(["href", "title"]),
    "abbr": frozenset(["title"]),
    "img": frozenset(["src", "alt", "title", "width", "height"]),
    "ol": frozenset(["start"]),
    "td": frozenset(["colspan", "rowspan"]),
    "th": frozenset(["colspan", "rowspan", "scope"]),
    "details": frozenset(["open"]),
}
_ALIGNMENTS = {f"text-align:{side}": f"align-{side}" for side in ("left", "center", "right")}
_CLASSES = {
    "blockquote": {"callout", *(f"callout-{kind}" for kind in CALLOUT_KINDS)},
    "div": {"table-scroll"},
    "td": set(_ALIGNMENTS.values()),
    "th": set(_ALIGNMENTS.values()),
}
_SCHEMES = {"http", "https", "mailto", "tel"}

# A focusable region is how keyboard users scroll a wide table.
_TABLE_OPEN = '<div class="table-scroll" tabindex="0">'
_RAW_TABLE = re.compile(r"<table(?=[\s>])|</table\s*>", re.IGNORECASE)
_RAW_H1 = re.compile(r"(</?)h1(?=[\s>])", re.IGNORECASE)
_TRANSLITERATION = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "œ": "oe"})
_NOT_SLUG = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Heading:
    level: int  # 2..6, as rendered
    text: str  # plain text
    anchor: str  # unique in the article
    start: int  # character offset of the heading in the article body


def _cleaner(tags: frozenset[str], *, id_mark: str = "") -> nh3.Cleaner:
    """A sanitiser. Of ids only those that begin with `id_mark` pass, without the mark; of images only ours."""

    def keep(_tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            return None if _is_elsewhere(value) else value
        if attribute != "id":
            return value
        return value.removeprefix(id_mark) if id_mark and value.startswith(id_mark) else None

    attributes = {tag: set(names) for tag, names in _ATTRIBUTES.items() if tag in tags}
    if id_mark:
        attributes |= {tag: {"id"} for tag in (*_HEADING_TAGS, "mark")}
    return nh3.Cleaner(
        tags=set(tags),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes=attributes,
        attribute_filter=keep,
        allowed_classes={tag: names for tag, names in _CLASSES.items() if tag in tags},
        tag_attribute_values={"div": {"tabindex": {"0"}}} if "div" in tags else {},
        set_tag_attribute_values={"img": {"loading": "lazy"}},
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
        strip_comments=True,
    )


_ALL_TAGS = _INLINE_TAGS | _BLOCK_TAGS | _HEADING_TAGS
_FRAGMENT_CLEANER = _cleaner(_ALL_TAGS)
_INLINE_CLEANER = _cleaner(_INLINE_TAGS - {"img"})


def render_markdown(
    body: str, *, resolve_link: LinkResolver | None = None, language: str | None = None
) -> SafeString:
    """The HTML of an article. Headings start at h2 and carry the anchors of `heading_anchors`.

    With a language, quotation marks are set as that language sets them.
    """
    # Nobody who writes an article can guess the mark, so no id in raw HTML can pass for one of ours.
    id_mark = secrets.token_hex(8)
    return _safe(_page(body, resolve_link, id_mark, language), _cleaner(_ALL_TAGS, id_mark=id_mark))


def render_with_quote(
    body: str,
    start: int,
    end: int,
    *,
    resolve_link: LinkResolver | None = None,
    language: str | None = None,
) -> SafeString | None:
    """The same HTML with `body[start:end]` in `<mark>`s, the first of which is `#quote`.

    None where those characters hold no text that could be marked without changing how the rest reads.
    """
    if not 0 <= start < end <= len(body):
        return None
    id_mark = secrets.token_hex(8)
    plain = _page(body, resolve_link, id_mark, language)
    opening, closing = signs = marking.two_signs(body)

    def reads_alike(marked: str) -> bool:
        return (
            _page(marked, resolve_link, id_mark, language, unread=signs)
            .replace(opening, "")
            .replace(closing, "")
            == plain
        )

    for first in marking.starts(body, start, end):
        if reads_alike(body[:first] + opening + body[first:]):
            break
    else:
        return None
    for last in marking.ends(body, first, end):
        marked = body[:first] + opening + body[first:last] + closing + body[last:]
        if last > first and reads_alike(marked):
            page = _page(marked, resolve_link, id_mark, language, unread=signs)
            wrapped = marking.wrap(page, signs, mark_id=id_mark + QUOTE_ID)
            if wrapped is not None:
                return _safe(wrapped, _cleaner(_ALL_TAGS, id_mark=id_mark))
    return None


def _page(
    body: str,
    resolve_link: LinkResolver | None,
    id_mark: str,
    language: str | None,
    *,
    unread: tuple[str, ...] = (),
) -> str:
    """HTML before the sanitiser. The characters in `unread` are no part of a heading's words."""
    tokens = (typographic_parser(language) if language else markdown_parser()).parse(body)
    headings = {id(token): heading for token, heading in _headings(body, tokens, unread)}
    closing: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            heading = headings.get(id(token))
            # A heading inside a quote or a list is no place in the article: a level, but no anchor.
            token.tag = f"h{heading.level if heading else _LOWEST_LEVEL}"
            closing.append(token.tag)
            if heading:
                token.attrSet("id", id_mark + heading.anchor)
        elif token.type == "heading_close":
            token.tag = closing.pop()
    return _render(tokens, resolve_link)


def render_fragment(
    markdown: str, *, preface: str = "", resolve_link: LinkResolver | None = None
) -> SafeString:
    """The HTML of a quoted block: no anchors, and headings as plain paragraphs.

    `preface` is a chunk's preface; a table that was cut gets its header row back from it;
    the rest is not shown.
    """
    tokens = markdown_parser().parse(join_preface(table_head(preface), align_fragment(markdown)))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            # Quotes stand in the middle of somebody else's outline.
            token.tag = "p"
    return _safe(_render(tokens, resolve_link), _FRAGMENT_CLEANER)


def render_inline(markdown: str, *, resolve_link: LinkResolver | None = None) -> SafeString:
    """The HTML of a sentence or a heading: emphasis, code and links, no blocks and no images."""
    return _safe(_render(markdown_parser().parseInline(markdown), resolve_link), _INLINE_CLEANER)


def heading_anchors(body: str) -> list[Heading]:
    """The headings of an article in reading order, for a table of contents and for links to a passage."""
    return [heading for _, heading in _headings(body, markdown_parser().parse(body))]


def anchor_at(headings: Sequence[Heading], offset: int) -> str:
    """The anchor of the heading above a character offset of the body, "" above the first heading."""
    index = bisect_right([heading.start for heading in headings], offset)
    return headings[index - 1].anchor if index else ""


def _headings(
    body: str, tokens: Sequence[Token], unread: Sequence[str] = ()
) -> Iterator[tuple[Token, Heading]]:
    opened = [
        (token, inline)
        for token, inline in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0
    ]
    # Editors begin with "#" or with "##"; both mean the first level below the title.
    shift = _TOP_LEVEL - min((int(token.tag[1:]) for token, _ in opened), default=_TOP_LEVEL)
    lines = line_offsets(body)
    taken: set[str] = set()
    for token, inline in opened:
        words = inline_text(inline.children or ())
        for sign in unread:
            words = words.replace(sign, "")
        text = " ".join(words.split())
        level = min(int(token.tag[1:]) + shift, _LOWEST_LEVEL)
        start = lines[token.map[0]] if token.map else 0
        yield token, Heading(level, text, _unique(_slug(text), taken), start)


def _slug(text: str) -> str:
    spelled = text.lower().translate(_TRANSLITERATION)
    plain = unicodedata.normalize("NFKD", spelled)
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return _NOT_SLUG.sub("-", letters)[:_ANCHOR_LENGTH].strip("-") or "section"


def _unique(slug: str, taken: set[str]) -> str:
    anchor, number = slug, 1
    while anchor in taken:
        number += 1
        anchor = f"{slug}-{number}"
    taken.add(anchor)
    return anchor


def _render(tokens: Sequence[Token], resolve_link: LinkResolver | None) -> str:
    parser = markdown_parser()
    rendered: str = parser.renderer.render(_prepared(tokens, resolve_link), parser.options, {})
    return rendered


def _prepared(tokens: Sequence[Token], resolve_link: LinkResolver | None) -> list[Token]:
    prepared: list[Token] = []
    is_linked = False  # links do not nest
    for token in tokens:
        is_linked = {"link_open": True, "link_close": False}.get(token.type, is_linked)
        if token.type == "image" and _is_elsewhere(str(token.attrGet("src") or "")):
            prepared.extend(_instead_of_image(token, is_linked=is_linked))
            continue
        if token.type == "table_open":
            prepared.append(_html(_TABLE_OPEN))
        if token.type in ("th_open", "td_open"):
            _align_by_class(token)
        if token.type in ("html_block", "html_inline"):
            token.content = _RAW_H1.sub(r"\1h2", _RAW_TABLE.sub(_wrap_raw_table, token.content))
        if token.children is not None:
            token.children = list(_linked(_prepared(token.children, resolve_link), resolve_link))
        prepared.append(token)
        if token.type == "table_close":
            prepared.append(_html("</div>"))
    return prepared


def _linked(tokens: Sequence[Token], resolve_link: LinkResolver | None) -> Iterator[Token]:
    """Resolve links between articles; of an `article:` link that leads nowhere the text stays and the link goes."""
    dropped = False  # links do not nest in Markdown
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrGet("href") or "")
            target = resolve_link(href) if resolve_link else None
            if target:
                token.attrSet("href", target)
            elif href.lower().startswith(ARTICLE_SCHEME):
                dropped = True
                continue
        elif token.type == "link_close" and dropped:
            dropped = False
            continue
        yield token


def _is_elsewhere(address: str) -> bool:
    """An image on another site would tell that site who reads what."""
    own, there = urlsplit(settings.SITE_URL), _split(address)
    if there is None:
        return True
    return bool(there.netloc or there.scheme) and (there.scheme, there.netloc) != (own.scheme, own.netloc)


def _instead_of_image(token: Token, *, is_linked: bool) -> list[Token]:
    """What a reader may open himself: the image's words and where it lies."""
    address = str(token.attrGet("src") or "")
    there = _split(address)
    words = inline_text(token.children or ()).strip() or _("Image")
    if is_linked or there is None or not there.netloc:
        return [Token("text", "", 0, content=words)]
    return [
        Token("link_open", "a", 1, attrs={"href": address}),
        Token("text", "", 0, content=f"{words} ({there.netloc})"),
        Token("link_close", "a", -1),
    ]


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address.strip())
    except ValueError:
        return None


def _align_by_class(token: Token) -> None:
    style: Any = token.attrs.pop("style", None)
    if style in _ALIGNMENTS:
        token.attrSet("class", _ALIGNMENTS[style])


def _wrap_raw_table(found: re.Match[str]) -> str:
    return f"{found[0]}</div>" if found[0].startswith("</") else f"{_TABLE_OPEN}{found[0]}"


def _html(content: str) -> Token:
    return Token("html_block", "", 0, content=content)


def _safe(rendered: str, cleaner: nh3.Cleaner) -> SafeString:
    return mark_safe(cleaner.clean(rendered))  # noqa: S308 - the one place, and only what nh3 returned
