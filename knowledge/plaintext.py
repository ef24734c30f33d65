"""Markdown in, readable text out; and the one Markdown parser of the project.

Promise: the page that a customer reads, the passages that search finds and the quotes that an e-mail
carries are all read by the same parser, so that they can never disagree about where a heading, a list or a
table begins. `plain_text` loses markup, never words.

Refuses to decide: what HTML is safe to show (`knowledge.markdown`), where to cut an article
(`knowledge.chunking`).
"""

import html
import re
import textwrap
from collections.abc import Sequence
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

CALLOUT_KINDS = ("note", "tip", "important", "warning", "caution")

_CALLOUT = re.compile(rf"^\[!({'|'.join(CALLOUT_KINDS)})\]\s*", re.IGNORECASE)
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$")
_INDENTED_LIST = re.compile(r"[ \t]+(?:[-+*]|\d{1,9}[.)])[ \t]")
# `[^<>]` instead of `[^>]`: a body of a million "<p" must not cost a quadratic scan.
_HTML_BREAK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|caption|dd|details|div|dl|dt|figcaption|figure|footer|form|h[1-6]"
    r"|header|hr|li|main|nav|ol|option|p|pre|section|summary|table|tbody|thead|tr|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_HTML_CELL = re.compile(r"</(?:td|th)\s*>", re.IGNORECASE)
_LOOKS_LIKE_HTML = re.compile(r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?/?>")
_BR_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|avif|bmp)", re.IGNORECASE)
_BLANKS = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r"\s*\n\s*")

# Deep enough for any real list; the library's 20 would silently drop what lies deeper.
_MAX_NESTING = 60


@lru_cache(maxsize=1)
def markdown_parser() -> MarkdownIt:
    """The parser for everything that reads article text."""
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable(["table", "strikethrough"])
    parser.core.ruler.push("callouts", _mark_callouts)
    return parser


@lru_cache(maxsize=4)
def typographic_parser(language: str) -> MarkdownIt:
    """The same for a page in that language: straight quotation marks become its own („…“, “…”), and ' an apostrophe."""
    parser = MarkdownIt(
        "commonmark", {"maxNesting": _MAX_NESTING, "typographer": True, "quotes": _QUOTATION_MARKS[language]}
    ).enable(["table", "strikethrough", "smartquotes"])
    parser.core.ruler.push("callouts", _mark_callouts)
    return parser


@lru_cache(maxsize=1)
def block_parser() -> MarkdownIt:
    """Block structure only: same blocks as `markdown_parser`, without the cost of reading inline markup."""
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable(["table"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


_QUOTATION_MARKS = {"de": "„“‚‘", "en": "“”‘’"}


def _mark_callouts(state: StateCore) -> None:
    """`> [!NOTE]` is how many help centers write a note: the kind becomes a class, the marker goes."""
    tokens = state.tokens
    for quote, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if quote.type != "blockquote_open" or paragraph.type != "paragraph_open" or not inline.children:
            continue
        first = inline.children[0]
        found = _CALLOUT.match(first.content) if first.type == "text" else None
        if found is None:
            continue
        quote.attrSet("class", f"callout callout-{found[1].lower()}")
        first.content = first.content[found.end() :]
        if not first.content:
            del inline.children[:1]
            if inline.children and inline.children[0].type in ("softbreak", "hardbreak"):
                del inline.children[:1]


def plain_text(markdown: str, *, list_markers: bool = True) -> str:
    """Readable text without markup, one line per paragraph, list item or table row.

    `list_markers` keeps "- " and "1. " in front of list items: people need them, search does not.
    """
    writer = _Writer(list_markers)
    for token in markdown_parser().parse(align_fragment(markdown)):
        writer.take(token)
    return "\n".join(writer.lines)


def plain_line(markdown: str) -> str:
    """`plain_text` of inline markup (a heading, a title) on a single line."""
    return " ".join(inline_text(markdown_parser().parseInline(markdown)).split())


def inline_text(tokens: Sequence[Token]) -> str:
    """The words of inline tokens; an image speaks through its alternative text."""
    parts: list[str] = []
    for token in tokens:
        if token.type in ("softbreak", "hardbreak") or (
            token.type == "html_inline" and _BR_TAG.match(token.content)
        ):
            parts.append("\n" if token.type != "softbreak" else " ")
        elif token.type == "image":
            alt = inline_text(token.children or ())
            parts.append("" if _FILE_NAME.fullmatch(alt.strip()) else alt)
        elif token.type == "inline":
            parts.append(inline_text(token.children or ()))
        elif token.type != "html_inline":
            parts.append(token.content)
    return "".join(parts)


def html_to_text(source: str) -> str:
    """The words of a piece of HTML, which may start or end in the middle of an element."""
    broken = _HTML_BREAK.sub("\n", _HTML_CELL.sub(" ", " ".join(source.split())))
    # A real HTML parser, with every tag forbidden: scripts, comments and half tags go, nothing readable does.
    return _tidy(html.unescape(nh3.clean(broken, tags=set(), attributes={}, link_rel=None)))


def align_fragment(markdown: str) -> str:
    """Give back its meaning to a nested list that was cut out with an indentation that alone means code."""
    return textwrap.dedent(markdown) if _INDENTED_LIST.match(markdown) else markdown


def join_preface(preface: str, text: str) -> str:
    """Put a preface in front of text so that both parse as they did in the article."""
    if not preface:
        return text
    return f"{preface}\n{text}" if table_head(preface) else f"{preface}\n\n{text}"


def table_head(preface: str) -> str:
    """The header and delimiter row at the end of a preface, or "" where it does not end in a table head."""
    lines = preface.splitlines()
    if len(lines) >= 2 and "-" in lines[-1] and "|" in lines[-1] + lines[-2] and _TABLE_RULE.match(lines[-1]):
        return "\n".join(lines[-2:])
    return ""


def _tidy(text: str) -> str:
    return _NEWLINES.sub("\n", _BLANKS.sub(" ", text)).strip()


class _Writer:
    """Collects lines while walking block tokens."""

    def __init__(self, list_markers: bool) -> None:
        self.lines: list[str] = []
        self._list_markers = list_markers
        self._next_numbers: list[int | None] = []  # one per open list; None for bullets
        self._marker = ""
        self._cells: list[str] | None = None  # of the open table row

    def take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._next_numbers.append(None)
            case "ordered_list_open":
                self._next_numbers.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self._next_numbers.pop()
            case "list_item_open":
                self._open_item()
            case "list_item_close":
                self._marker = ""
            case "tr_open":
                self._cells = []
            case "tr_close":
                cells, self._cells = self._cells or [], None
                self._write(", ".join(cell for cell in cells if cell))
            case "inline":
                self._inline(token)
            case "fence":
                self._write(token.content.strip("\n"), verbatim=True)
            case "code_block":
                # Indented HTML is code to CommonMark, but no editor who indents a <div> means that.
                if _LOOKS_LIKE_HTML.match(token.content.lstrip()):
                    self._write(html_to_text(token.content))
                else:
                    self._write(token.content.strip("\n"), verbatim=True)
            case "html_block":
                self._write(html_to_text(token.content))

    def _open_item(self) -> None:
        number = self._next_numbers[-1] if self._next_numbers else None
        if number is not None:
            self._next_numbers[-1] = number + 1
        if self._list_markers:
            indent = "  " * (len(self._next_numbers) - 1)
            self._marker = f"{indent}- " if number is None else f"{indent}{number}. "

    def _inline(self, token: Token) -> None:
        text = _tidy(inline_text(token.children or ()))
        if self._cells is not None:
            self._cells.append(text.replace("\n", " "))
            return
        # Rows of a table that was cut apart come without their header, and so without being a table.
        source = token.content.splitlines()
        if source and all(_TABLE_ROW.match(line) for line in source):
            rows = ([cell.strip() for cell in plain_line(row).strip("| ").split("|")] for row in source)
            text = "\n".join(", ".join(cell for cell in row if cell) for row in rows)
        self._write(text)

    def _write(self, text: str, *, verbatim: bool = False) -> None:
        if text.strip():
            self.lines.append(self._marker + (text if verbatim else text.strip()))
            self._marker = ""
