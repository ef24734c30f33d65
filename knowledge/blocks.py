"""The block tree of an article, with character offsets.

Promise: every part of the body that is not blank lies in exactly one block of its section, and
`body[start:end]` of a block is what the editor typed. Headings are not blocks: they become the path of the
section that they open.

Refuses to decide: how many blocks make a passage (`knowledge.chunking`), how a block looks
(`knowledge.markdown`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from markdown_it.token import Token

from knowledge.plaintext import block_parser, plain_line

# The same line ends as the parser's, so that its line numbers and our offsets agree.
_LINE_END = re.compile(r"\r\n?|\n")


class BlockKind(StrEnum):
    PARAGRAPH = "paragraph"
    LIST = "list"
    ITEM = "item"
    QUOTE = "quote"
    TABLE = "table"
    ROW = "row"
    CODE = "code"
    HTML = "html"


_CONTAINERS = {
    "bullet_list_open": BlockKind.LIST,
    "ordered_list_open": BlockKind.LIST,
    "list_item_open": BlockKind.ITEM,
    "blockquote_open": BlockKind.QUOTE,
    "table_open": BlockKind.TABLE,
    "tr_open": BlockKind.ROW,
}
_LEAVES = {
    "paragraph_open": BlockKind.PARAGRAPH,
    "heading_open": BlockKind.PARAGRAPH,
    "fence": BlockKind.CODE,
    "code_block": BlockKind.CODE,
    "html_block": BlockKind.HTML,
    "hr": BlockKind.PARAGRAPH,
}
# Their first line begins with a marker or an indentation that carries meaning.
_KEEPS_INDENT = frozenset([BlockKind.LIST, BlockKind.ITEM, BlockKind.CODE, BlockKind.ROW])


@dataclass(frozen=True, slots=True)
class Block:
    kind: BlockKind
    start: int  # character offset into the body
    end: int  # character offset into the body, exclusive
    children: tuple["Block", ...] = ()  # of a table: its rows, the header row first
    number: int | None = None  # first number of an ordered list


@dataclass(frozen=True, slots=True)
class Heading:
    level: int  # 1..6, as the editor typed it
    text: str  # plain text
    start: int  # character offset of the heading line
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    headings: tuple[Heading, ...]  # outermost first; empty above the first heading
    blocks: tuple[Block, ...]


def parse_sections(body: str) -> list[Section]:
    """The article in reading order. The first section, above all headings, exists even where it is empty."""
    lines = line_offsets(body)
    path: list[Heading] = []
    sections: list[tuple[tuple[Heading, ...], list[Block], int, int]] = []
    blocks: list[Block] = []
    section_start = 0
    tokens = iter(block_parser().parse(body))
    for token in tokens:
        if token.type == "heading_open":
            inline = next(tokens)
            start, end = _span(body, lines, token, keeps_indent=False)
            sections.append((tuple(path), blocks, section_start, start))
            level = int(token.tag[1:])
            path = [heading for heading in path if heading.level < level]
            path.append(Heading(level, plain_line(inline.content), start, end))
            blocks, section_start = [], end
            continue
        block = _read_block(body, lines, token, tokens)
        if block is not None:
            blocks.append(block)
    sections.append((tuple(path), blocks, section_start, len(body)))
    return [
        Section(headings, tuple(_fill_gaps(body, found, start, end)))
        for headings, found, start, end in sections
    ]


def line_offsets(body: str) -> list[int]:
    return [0, *(end.end() for end in _LINE_END.finditer(body)), len(body)]


def _span(body: str, lines: list[int], token: Token, *, keeps_indent: bool) -> tuple[int, int]:
    first, last = token.map or (0, 0)
    start, end = lines[min(first, len(lines) - 1)], lines[min(last, len(lines) - 1)]
    return _trim(body, start, end, keeps_indent=keeps_indent)


def _trim(body: str, start: int, end: int, *, keeps_indent: bool) -> tuple[int, int]:
    end = start + len(body[start:end].rstrip())
    if not keeps_indent:
        start = end - len(body[start:end].lstrip())
    return start, end


def _read_block(body: str, lines: list[int], token: Token, tokens: Iterator[Token]) -> Block | None:
    kind = _CONTAINERS.get(token.type) or _LEAVES.get(token.type)
    if kind is None or token.map is None:
        return None
    start, end = _span(body, lines, token, keeps_indent=kind in _KEEPS_INDENT)
    children: list[Block] = []
    if token.nesting == 1:
        depth = 1
        while depth:
            inner = next(tokens)
            child = _read_block(body, lines, inner, tokens) if token.type in _CONTAINERS else None
            if child is not None:
                children.append(child)
            else:
                depth += inner.nesting
    if kind in (BlockKind.LIST, BlockKind.ITEM, BlockKind.QUOTE):
        children = list(_fill_gaps(body, children, start, end))
    number = int(token.attrGet("start") or 1) if token.type == "ordered_list_open" else None
    return Block(kind, start, end, tuple(children), number)


def _fill_gaps(body: str, blocks: Iterable[Block], start: int, end: int) -> Iterator[Block]:
    """What the parser made no block of (link definitions, very deep nesting) must not be lost either."""
    for block in blocks:
        yield from _gap(body, start, block.start)
        yield block
        start = max(start, block.end)
    yield from _gap(body, start, end)


def _gap(body: str, start: int, end: int) -> Iterator[Block]:
    if start < end:
        start, end = _trim(body, start, end, keeps_indent=False)
        if start < end:
            yield Block(BlockKind.PARAGRAPH, start, end)
