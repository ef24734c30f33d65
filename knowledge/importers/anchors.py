"""Links inside a page, when the page's headings get our anchors.

Promise: where authors named a place by hand (`## Notice {#notice}`, or `<a id="notice"></a>` on a line of its
own), the name goes from the text and the page's own links to it lead to the heading there. Code is left as it
is, and a text without such names comes back unchanged.

Refuses to decide: what an anchor looks like (`knowledge.markdown`).
"""

import re
from bisect import bisect_right

from knowledge.blocks import line_offsets
from knowledge.markdown import heading_anchors
from knowledge.plaintext import markdown_parser

_HEADING_ID = re.compile(r"\{:?[ \t]*#([\w:.-]+)[ \t]*\}[ \t#]*$")
_EMPTY_ANCHOR = re.compile(r"""^[ \t]*<a[ \t]+(?:id|name)=["']([\w:.-]+)["'][ \t]*>[ \t]*</a>[ \t]*$""")
_OWN_LINK = re.compile(r"""(\]\(#|href=["']#)([\w:.-]+)""")


def with_our_anchors(body: str) -> str:
    if "{" not in body and "<a" not in body:
        return body
    lines = body.split("\n")
    headings, code = _structure(body)
    named: dict[str, int] = {}  # the author's name -> line
    for number, line in enumerate(lines):
        pattern = _HEADING_ID if number in headings else _EMPTY_ANCHOR
        found = pattern.search(line) if number not in code else None
        if found:
            named.setdefault(found[1], number)
            lines[number] = line[: found.start()].rstrip()
    if not named:
        return body
    cleaned = "\n".join(lines)
    targets = _targets(cleaned, named)
    return _OWN_LINK.sub(lambda link: link[1] + targets.get(link[2], link[2]), cleaned)


def _structure(body: str) -> tuple[set[int], set[int]]:
    """The lines of headings and the lines of code."""
    headings: set[int] = set()
    code: set[int] = set()
    for token in markdown_parser().parse(body):
        if token.map is not None and token.type == "heading_open" and token.level == 0:
            headings.add(token.map[0])
        elif token.map is not None and token.type in ("fence", "code_block"):
            code.update(range(*token.map))
    return headings, code


def _targets(body: str, named: dict[str, int]) -> dict[str, str]:
    """The heading that a named line is or announces, or else the one above it."""
    starts = line_offsets(body)
    headings = heading_anchors(body)
    lines = [bisect_right(starts, heading.start) - 1 for heading in headings]
    blank = [not line.strip() for line in body.split("\n")]
    following = list(range(len(blank)))  # line -> the next one that is not blank
    for number in range(len(blank) - 2, -1, -1):
        if blank[number]:
            following[number] = following[number + 1]
    targets: dict[str, str] = {}
    for name, number in named.items():
        place = bisect_right(lines, following[number]) - 1
        if place >= 0:
            targets[name] = headings[place].anchor
    return targets
