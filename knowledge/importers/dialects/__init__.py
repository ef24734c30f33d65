"""Markdown of other systems, as the plain Markdown that ours keep.

    converted = to_plain_markdown(body, is_mdx=True)

Promise: what a reader of the source saw as text, a reader here sees as text. Notes of every kind become
`> [!NOTE]` blocks, tabs become a bold label above their text, components and template tags become what they
show, or go. Code is never touched. A text that has none of it comes back unchanged. What was left out is said
in `notes`, once for each kind.

Refuses to decide: what becomes of links and pictures (`knowledge.importers.pictures`, `knowledge.links`).
"""

import re
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from knowledge.importers.dialects import blocks, jsx, liquid
from knowledge.importers.dialects.code import hide_code, show_code
from knowledge.importers.dialects.indents import without_deep_indents

_LIQUID = re.compile(r"\{%|\{\{|\{:")
_COMPONENT_IMPORT = re.compile(
    r"""^import\s.*["'][^"'\n]+\.(?:astro|jsx?|tsx?|vue|svelte)["']|^import\s+\{[^}\n]*\}\s+from""", re.M
)
_BLOCK = re.compile(r"^[ \t]*(?:!!!|\?\?\?\+?|===[!+]?|:{3,})", re.M)
_LEFTOVERS = re.compile(
    r"^\*\[[^\]\n]+\]:.*\n?|^[ \t]*(?:\[TOC\]|\[\[_TOC_\]\])[ \t]*\n?|^[ \t]*-{1,2}8<-{1,2}.*\n?", re.M
)
_BARE_TABLE = re.compile(r"(?:^[ \t]*\|.*\|[ \t]*\n?)+", re.M)
_DELIMITERS = re.compile(r"^[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$")
_FOOTNOTE = re.compile(
    r"^(?P<definition>[ \t]*)\[\^(?P<own>[\w.-]{1,60})\]:|(?P<blank>[ \t]?)\[\^(?P<name>[\w.-]{1,60})\]", re.M
)
# Attributes in braces, such as [text](address){.button}: Kramdown, Python-Markdown and markdown-it each know them.
_BRACES = r"""\{:?[ \t]*\.[\w-]+(?:[ \t]+(?:[.#][\w-]+|[\w-]+=(?:"[^"\n]*"|[^\s"{}]+)))*[ \t]*\}"""
_ATTRIBUTES = re.compile(rf"(?<=[)\]*_\ue001])[ \t]?{_BRACES}|^[ \t]*{_BRACES}[ \t]*$", re.M)
_HIDDEN = re.compile(
    r"""<(p|div|span)\b[^<>]{0,200}\bdisplay:[ \t]*none\b[^<>]{0,200}>.{0,5000}?</\1>[ \t]*""",
    re.DOTALL | re.IGNORECASE,
)
_LINE_END = re.compile(r"[ \t]*(?:\n|\Z)")
# In the quotes of the HTML that it was once: [text]("address").
_QUOTED_ADDRESS = re.compile(r"""\]\((["'])(https?://[^"'\s()<>]{1,2000})\1\)""")
# Without an id, which a link may lead to, a span says only how its words look.
_SPAN = re.compile(
    r"<span\b(?![^<>]*\bid=)[^<>]{0,300}>((?:(?!</?span\b).){0,2000}?)</span>", re.DOTALL | re.IGNORECASE
)
_GONE = "\ue002"  # stands where an empty element stood
_EMPTY = re.compile(
    rf"<(a|b|code|em|i|kbd|small|strong|u)\b(?![^<>]*\bid=)[^<>]{{0,300}}>{_GONE}*</\1>", re.IGNORECASE
)
_LONE_BREAK = re.compile(r"^[ \t]*(?:<br[ \t]*/?>[ \t]*)+$", re.M | re.IGNORECASE)
_MANY_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


_SPANS_DEEP: Final = 8
_LONGEST: Final = 500_000  # characters; no page that a person wrote has as many


@dataclass(frozen=True)
class Converted:
    text: str
    notes: tuple[str, ...] = ()  # what was left out, for people


def to_plain_markdown(body: str, *, is_mdx: bool = False) -> Converted:
    if len(body) > _LONGEST:
        return Converted(body, (_("too long to be looked through for notes, tabs and components."),))
    notes: list[str] = []
    has_liquid = bool(_LIQUID.search(body)) and not is_mdx
    if has_liquid:
        # Before code is hidden: a tag can stand for a block of code.
        body = liquid.highlighted_code(body)
    text, hidden = hide_code(body)
    before = text
    if has_liquid and _LIQUID.search(text):
        text = liquid.without_liquid(text, notes)
    if is_mdx or _COMPONENT_IMPORT.search(text):
        text = jsx.without_components(text, notes)
    if is_mdx:
        text = without_deep_indents(text)
    if _BLOCK.search(text):
        text = blocks.plain_blocks(text)
    if "[^" in text:
        text = _numbered_footnotes(text)
    if "{" in text:
        text = _ATTRIBUTES.sub("", text)
    if "display:" in text:
        text = _HIDDEN.sub("", text)  # words for a search engine, which no reader saw
    if "<!--" in text:
        text = _without_comments(text)
    if "<span" in text.lower():
        text = _without_spans(text)
    text = _QUOTED_ADDRESS.sub(r"](\2)", text)
    # Alone on its line a tag begins a block of HTML, and what follows it would be no Markdown any more.
    text = _LONE_BREAK.sub("", text)
    text = _LEFTOVERS.sub("", text)
    text = _BARE_TABLE.sub(_with_head, text)
    if text != before:
        text = _MANY_BLANK_LINES.sub("\n\n", text).strip("\n")
    return Converted(show_code(text, hidden), tuple(dict.fromkeys(notes)))


def _without_comments(text: str) -> str:
    """One that is alone on its line ended a paragraph, and leaves an empty line."""
    parts: list[str] = []
    read, line_is_blank = 0, True
    while (start := text.find("<!--", read)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        words = text[read:start]
        line_is_blank = (line_is_blank or "\n" in words) and not words.rpartition("\n")[2].strip()
        read = end + len("-->")
        parts.append(words + ("\n" if line_is_blank and _LINE_END.match(text, read) else ""))
    return "".join(parts) + text[read:]


def _without_spans(text: str) -> str:
    """Their words, from the inside out. What a script would have filled in goes, with the brackets around it."""
    for _depth in range(_SPANS_DEEP):
        before, text = text, _EMPTY.sub(_GONE, _SPAN.sub(_words_of, text))
        if text == before:
            break
    return text.replace(_GONE, "")


def _words_of(span: re.Match[str]) -> str:
    words = span[1]
    was_filled_in = not words or (_GONE in words and not words.strip(f" \t()[]{_GONE}"))
    return _GONE if was_filled_in else words


def _numbered_footnotes(text: str) -> str:
    numbers: dict[str, int] = {}

    def number(mark: re.Match[str]) -> str:
        own = numbers.setdefault(mark["own"] or mark["name"], len(numbers) + 1)
        return f"{mark['definition']}({own})" if mark["own"] else f" ({own})"

    return _FOOTNOTE.sub(number, text)


def _with_head(table: re.Match[str]) -> str:
    """Other parsers read rows without a head as a table; ours, like most, does not."""
    rows = table[0].split("\n")
    if any(_DELIMITERS.match(row) for row in rows[:2]) or table[0].count("|") < 3:
        return table[0]
    indent = rows[0][: len(rows[0]) - len(rows[0].lstrip())]
    columns = rows[0].strip().replace(r"\|", "").count("|") - 1
    if columns < 1:
        return table[0]
    return f"{indent}|{'  |' * columns}\n{indent}|{' --- |' * columns}\n{table[0]}"
