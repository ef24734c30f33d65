"""HTML as other help centers keep it, as the Markdown that ours keep.

Promise: what a reader could read in the HTML, a reader can read in the Markdown, in the same order. Text
that would mean something else in Markdown (`<name>`, `*`, a `|` in a table) is escaped; scripts, styles and
comments go; a cell that spans rows is repeated in each of them, so that no row loses its meaning; a video
becomes a link.

Refuses to decide: what HTML is safe to show (`knowledge.markdown` cleans what it renders), where links lead.
"""
# ruff: noqa: ARG002 - markdownify calls every converter with the same three arguments

import copy
import re
import textwrap
from typing import Any

import nh3
from bs4 import BeautifulSoup, Tag
from django.utils.translation import gettext as _
from markdownify import ATX, MarkdownConverter

from knowledge.importers.html_pages import speak_out

_MAX_SPAN = 50  # rows; more is a mistake or an attack
_EMPHASIS = re.compile(
    r"(\*\*[^\s*][^*\n]{0,200}\*\*)|\*|(?<![^\W_])_|_(?![^\W_])"
)  # an underscore inside a word means nothing
_TAG_LIKE = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_LOOSE_NBSP = re.compile(r"(?<!\S)\xa0|\xa0(?!\S)")  # "10\xa0€" keeps its own
_NUMBER = "data-number"  # of an item in its numbered list
_LONG_BLANK = re.compile(r"[ \t\r\n]{50,}")
_LOOSE_MARKER = re.compile(r"^((?:> )+\[!\w+\])\n(?:> )*>[ \t]*\n(?=(?:> )+[^\W_])", re.M)  # words follow
_BLANKS = re.compile(r" {2,}")
_BACKTICKS = re.compile(r"`+")
_PIPE = re.compile(r"(?<!\\)\|")
_AWKWARD_ADDRESS = re.compile(r"[\s()<>]")
_NOT_IN_ADDRESS = re.compile(r"[<>]|\s+")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~]|\Z)")  # that Markdown would take as an escape of what follows
_BLOCKS = [
    "blockquote",
    "div",
    "dl",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "ul",
]
_STRESSED = {"strong": "strong", "b": "strong", "dt": "strong", "em": "em", "i": "em"}
_CELLS = frozenset(["td", "th"])  # one line each: a break has to be written as <br>


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What the converter below knows what to do with; of other elements only the text comes in.
_TAGS = _names(
    "a article aside b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 "
    "hr i iframe img kbd li ol p pre q s samp section span strong sub summary sup table tbody td tfoot th "
    "thead tr ul video"
)
_ATTRIBUTES = {
    "*": {"class", "id", "data-for"},
    "a": {"href", "title"},
    "iframe": {"src", "title"},
    "img": {"src", "alt", "title", "data-original-src", "data-src", "data-lazy-src", "data-original"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "video": {"src", "title"},
    "th": {"colspan", "rowspan"},
}
_DROPPED = _names("script style template noscript object svg math head select textarea button")
_SCHEMES = _names("http https mailto tel article")


class UnreadableHtml(Exception):
    """Nested so deeply that no reader ever saw it. Permanent."""


def html_to_markdown(html: str) -> str:
    # nh3 reads HTML as a browser does and in linear time; the parser behind BeautifulSoup does neither.
    tidy = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED),
        attributes=_ATTRIBUTES,
        url_schemes=set(_SCHEMES),
        link_rel=None,
    )
    try:
        # In an element of its own, because bare text that looks like an address draws a warning.
        soup = BeautifulSoup(f"<div>{tidy}</div>", "html.parser")
        speak_out(soup)
        _keep_linear(soup)
        _stress_plainly(soup)
        for table in soup.find_all("table"):
            _repeat_spanning_cells(table)
        text = str(_Converter().convert_soup(soup))
    except RecursionError as error:
        raise UnreadableHtml(_("body: the HTML is nested too deeply.")) from error
    return _LOOSE_MARKER.sub(r"\1\n", text.strip())


def _keep_linear(soup: BeautifulSoup) -> None:
    """Takes out of the converter's way what it would look at again and again."""
    for text in soup.find_all(string=_LONG_BLANK):
        if text.find_parent("pre") is None:
            text.replace_with(_LONG_BLANK.sub(" ", text))
    for numbered in soup.find_all("ol"):
        start = str(numbered.get("start", "1"))
        first = int(start) if start.isdecimal() and len(start) < 9 else 1
        for number, item in enumerate(numbered.find_all("li", recursive=False), start=first):
            item[_NUMBER] = str(number)


def _stress_plainly(soup: BeautifulSoup) -> None:
    """Markdown knows no stress within the same stress, around blocks, or right behind another; readers see no loss.

    Each element is looked at once, however deep they are nested.
    """
    holds_blocks: set[int] = set()
    for block in soup.find_all(_BLOCKS):
        outer = block.parent
        while outer is not None and id(outer) not in holds_blocks:
            holds_blocks.add(id(outer))
            outer = outer.parent
    opened: dict[int, frozenset[str]] = {}  # the kinds of stress that an element stands in, its own included
    for element in soup.find_all(True):
        around = opened.get(id(element.parent), frozenset())
        kind = _STRESSED.get(element.name)
        if kind is not None and element.name != "dt":
            is_idle = kind in around or id(element) in holds_blocks
            element.name = "span" if is_idle else kind
        elif kind is not None and id(element) in holds_blocks:
            element.name, kind = "div", None
        opened[id(element)] = around | {kind} if kind is not None and element.name != "span" else around
    for stressed in soup.find_all(["strong", "em"]):
        while isinstance(following := stressed.next_sibling, Tag) and following.name == stressed.name:
            for child in list(following.contents):
                stressed.append(child)
            following.decompose()


def _repeat_spanning_cells(table: Tag) -> None:
    rows = [row for row in table.find_all("tr") if row.find_parent("table") is table]
    spanning: dict[int, tuple[Tag, int]] = {}  # column -> the cell and in how many rows it still belongs
    for row in rows:
        cells = row.find_all(["td", "th"], recursive=False)
        column = 0
        before: Tag | None = None
        next_spanning: dict[int, tuple[Tag, int]] = {}
        while cells or any(place >= column for place in spanning):
            if column in spanning:
                cell, left = spanning[column]
                repeated = copy.copy(cell)
                if before is None:
                    row.insert(0, repeated)
                else:
                    before.insert_after(repeated)
                before = repeated
            elif cells:
                before = cell = cells.pop(0)
                left = _span(cell, "rowspan")
            else:
                column += 1
                continue
            if left > 1:
                next_spanning[column] = (cell, left - 1)
            column += _span(cell, "colspan")
        spanning = next_spanning


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1"))
    return max(1, min(_MAX_SPAN, int(value))) if value.isdecimal() else 1


_Base: Any = MarkdownConverter  # its stubs leave out every method that is there to be overridden


class _Converter(_Base):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(heading_style=ATX, bullets="-", autolinks=False, table_infer_header=True)

    def escape(self, text: str, parent_tags: set[str]) -> str:
        text = _BLANKS.sub(" ", _LOOSE_NBSP.sub(" ", _BACKSLASH.sub(r"\\\\", text)))
        # Two stars on either side were meant as Markdown by whoever typed them into HTML.
        return _EMPHASIS.sub(lambda mark: mark[1] or f"\\{mark[0]}", _TAG_LIKE.sub(r"\\\g<0>", text))

    def convert_a(self, el: Any, text: str, parent_tags: set[str]) -> str:
        href = str(el.get("href") or "").strip()
        if not href:
            return text  # with the blanks around it, which keep its words from their neighbours
        if _AWKWARD_ADDRESS.search(href):
            # Markdown ends an address at the first blank; angle brackets hold it together.
            el["href"] = f"<{_NOT_IN_ADDRESS.sub(_percent, href)}>"
        return str(super().convert_a(el, text, parent_tags))

    def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return "<br>" if parent_tags & _CELLS else str(super().convert_br(el, text, parent_tags))

    def convert_p(self, el: Any, text: str, parent_tags: set[str]) -> str:
        if parent_tags & _CELLS:
            return f"{text.strip()}<br>" if text.strip() else ""
        return str(super().convert_p(el, text, parent_tags))

    def convert_hN(self, n: int, el: Any, text: str, parent_tags: set[str]) -> str:  # noqa: N802
        return str(super().convert_hN(n, el, text, parent_tags)) if text.strip() else ""

    def convert_pre(self, el: Any, text: str, parent_tags: set[str]) -> str:
        longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"\n\n{fence}\n{text.strip(chr(10))}\n{fence}\n\n" if text.strip() else ""

    def convert_img(self, el: Any, text: str, parent_tags: set[str]) -> str:
        # Pictures that were part of the text itself (data:) are gone; their description is not.
        return str(super().convert_img(el, text, parent_tags)) if el.get("src") else str(el.get("alt") or "")

    def convert_li(self, el: Any, text: str, parent_tags: set[str]) -> str:
        if parent_tags & _CELLS:
            return f"• {text.strip()}<br>" if text.strip() else ""  # a list cannot stand in a Markdown table
        if _NUMBER not in el.attrs:
            return str(super().convert_li(el, text, parent_tags))
        bullet = f"{el[_NUMBER]}. "
        return (
            f"{bullet}{textwrap.indent(text.strip(), ' ' * len(bullet)).lstrip()}\n" if text.strip() else "\n"
        )

    def convert_td(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_td(el, _cell(text), parent_tags))

    def convert_th(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_th(el, _cell(text), parent_tags))

    def convert_dt(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return f"\n\n**{text.strip()}**\n\n" if text.strip() else ""

    def convert_dd(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return f"\n\n{text.strip()}\n\n"

    convert_summary = convert_dt

    def convert_video(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return self.convert_iframe(el, text, parent_tags)

    def convert_iframe(self, el: Any, text: str, parent_tags: set[str]) -> str:
        source = str(el.get("src") or "")
        source = f"https:{source}" if source.startswith("//") else source
        if not source.startswith(("https://", "http://")):
            return ""
        return f" [{el.get('title') or text.strip() or 'Video'}]({source}) "


def _cell(text: str) -> str:
    end = len(text.rstrip())
    while text.endswith("<br>", 0, end):  # by index, because a pattern or slices would take quadratic time
        end -= len("<br>")
        while end and text[end - 1].isspace():
            end -= 1
    return _PIPE.sub(r"\|", text[:end])


def _percent(found: re.Match[str]) -> str:
    return {"<": "%3C", ">": "%3E"}.get(found[0], "%20")
