"""Components in MDX (Docusaurus, Starlight, Nextra, Mintlify): what they show, as Markdown.

Promise: a component that holds text gives its text, one that links gives a link, one that shows a picture gives
a picture. What only a program could show goes, and is said.
"""

import re
import textwrap
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

from knowledge.importers.dialects.blocks import kind_of

_IMPORT = re.compile(
    r"""^import[ \t]+(?:[\w*{}$,\s]{1,500}?[ \t\n]from[ \t]+)?["'][^"'\n]+["'];?[ \t]*\n?""", re.M
)
_ASSET = re.compile(r"""^import[ \t]+(\w+)[ \t]+from[ \t]+["']([^"'\n]+)["']""", re.M)
_EXPORT = re.compile(
    r"^export[ \t]+(?:const|let|var|default|function)\b(?:.*\n)(?:[ \t]+.*\n|[)}\]].*\n)*", re.M
)
_COMMENT = re.compile(r"\{/\*.*?\*/\}", re.S)
_BRACES = r"\{(?:[^{}]|\{[^{}]*\})*\}"
_TAG = re.compile(
    rf"""<(/?)([A-Z][\w.]*)((?:\s+[\w:-]+(?:=(?:"[^"]*"|'[^']*'|{_BRACES}))?|\s+{_BRACES})*)\s*(/?)>"""
)
_ATTRIBUTE = re.compile(rf"""([\w:-]+)(?:=(?:"([^"]*)"|'([^']*)'|({_BRACES})))?""")
_HTML_BRACES = re.compile(rf"(<[a-z][^<>{{}}]*?)\s[\w-]+={_BRACES}")
_EXPRESSION = re.compile(r"(?<!\\)\{([^{}\n]*)\}")
_STRING = re.compile(r"""\s*(["'`])(.*)\1\s*""")
_LABELS: Final = ("label", "title", "header", "heading", "value", "summary")
_LINKS: Final = ("href", "to", "url", "link")
_BADGES: Final = frozenset(["badge", "chip", "label", "pill", "sinceversion", "since", "version"])
_NOTES: Final = frozenset(
    ["aside", "callout", "admonition", "alert", "note", "tip", "warning", "info", "danger", "caution"]
)
_PICTURES: Final = frozenset(
    ["image", "img", "screenshot", "figure", "frame", "picture", "themedimage", "zoom"]
)


@dataclass
class _Element:
    name: str
    attributes: dict[str, str]
    indent: str | None  # of its line, where it stands alone at its beginning
    parts: list[str] = field(default_factory=list)


def without_components(text: str, notes: list[str]) -> str:
    assets = {found[1]: found[2] for found in _ASSET.finditer(text)}
    text = _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))
    text = _rendered(text, assets, notes)
    for _round in range(3):  # an HTML tag has few of them
        text = _HTML_BRACES.sub(r"\1", text)
    return _EXPRESSION.sub(lambda found: _expression(found[1], notes), text)


def _rendered(text: str, assets: dict[str, str], notes: list[str]) -> str:
    root = _Element("", {}, None)
    stack = [root]
    position = 0
    for tag in _TAG.finditer(text):
        stack[-1].parts.append(text[position : tag.start()])
        position = tag.end()
        closing, name, attributes, alone = tag.groups()
        if closing:
            if any(element.name == name for element in stack[1:]):
                while stack[-1].name != name:  # whatever was left open inside
                    _close(stack, notes)
                _close(stack, notes)
            continue
        line_start = text.rfind("\n", 0, tag.start()) + 1
        before = text[line_start : tag.start()]
        element = _Element(name, _read(attributes, assets), before if not before.strip() else None)
        stack.append(element)
        if alone:
            _close(stack, notes)
    stack[-1].parts.append(text[position:])
    while len(stack) > 1:
        _close(stack, notes)
    return "".join(root.parts)


def _close(stack: list[_Element], notes: list[str]) -> None:
    element = stack.pop()
    stack[-1].parts.append(_shown(element, notes))


def _read(attributes: str, assets: dict[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(attributes):
        value = found[2] or found[3] or ""
        if found[4]:
            inner = found[4][1:-1].strip()
            literal = _STRING.fullmatch(inner)
            value = literal[2] if literal else assets.get(inner.split(".")[0], "")
        values[found[1]] = value
    return values


def _shown(element: _Element, notes: list[str]) -> str:
    name, given = element.name.lower().rpartition(".")[2], element.attributes
    inner = "".join(element.parts)
    label = next((given[key] for key in _LABELS if given.get(key)), "")
    link = next((given[key] for key in _LINKS if given.get(key)), "")
    if name in _BADGES:
        shown = inner.strip() or given.get("text") or label or given.get("version") or ""
        return f"({shown})" if shown else ""
    if name in _NOTES:
        kind = kind_of(given.get("type") or given.get("variant") or name) or "NOTE"
        title = f"[{label}]" if label else ""
        return _block(element, f":::{kind.lower()}{title}\n{_dedent(inner)}\n:::")
    if name in _PICTURES and not inner.strip():
        source = given.get("src") or given.get("name") or ""
        text = given.get("alt") or given.get("caption") or label
        return f"![{text}]({source})" if source else text
    if link and not inner.strip():
        description = given.get("description", "").strip()
        return f"- [{label or link}]({link})" + (f": {description}" if description else "")
    if link and not label:
        return f"[{inner.strip()}]({link})"
    if inner.strip():
        heading = f"[{label}]({link})" if link else label
        return _block(element, (f"**{heading}**\n\n" if heading else "") + _dedent(inner))
    if not label:
        notes.append(_("the component “%(name)s” was left out.") % {"name": element.name})
    return f"**{label}**" if label else ""


def _block(element: _Element, text: str) -> str:
    if element.indent is None:
        return text if "\n" not in text else f"\n\n{text}\n\n"
    lines = (f"{element.indent}{line}" if line.strip() else "" for line in text.split("\n"))
    return "\n\n" + "\n".join(lines) + "\n\n"


def _dedent(text: str) -> str:
    return textwrap.dedent(text.strip("\n").rstrip())


def _expression(inner: str, notes: list[str]) -> str:
    literal = _STRING.fullmatch(inner)
    if literal:
        return literal[2]
    if inner.strip():
        notes.append(_("the expression “{%(code)s}” was left out.") % {"code": inner.strip()[:80]})
    return ""
