"""Notes and tabs of MkDocs (`!!! warning`, `=== "Tab"`), Docusaurus, Starlight and VitePress (`:::note`)."""

import re
import textwrap
from typing import Final

_INDENTED = re.compile(
    r'^([ \t]*)(?:!!!|\?\?\?\+?)[ \t]+([\w-]+(?:[ \t]+[\w-]+)*)?[ \t]*(?:"([^"]*)")?[ \t]*$'
)
_TAB = re.compile(r'^([ \t]*)===[!+]?[ \t]+"([^"]*)"[ \t]*$')
_DIRECTIVE = re.compile(
    r"^([ \t]*)(:{3,})[ \t]*([A-Za-z][\w-]*)(?:\[([^\]]*)\]|[ \t]+([^{\n]*?))?[ \t]*(?:\{.*\})?[ \t]*$"
)
_DIRECTIVE_END = re.compile(r"^[ \t]*(:{3,})[ \t]*$")
_DEEPEST: Final = 20

_KINDS: Final = {
    kind: ours
    for ours, kinds in {
        "NOTE": "note info abstract summary tldr todo question help faq quote cite example seealso notice",
        "TIP": "tip hint success check done",
        "IMPORTANT": "important",
        "WARNING": "warning attention",
        "CAUTION": "caution danger error failure fail missing bug",
    }.items()
    for kind in kinds.split()
}


def kind_of(word: str) -> str | None:
    return _KINDS.get(word.lower())


def callout(kind: str, title: str, lines: list[str], *, indent: str = "") -> list[str]:
    while lines and not lines[0].strip():
        lines = lines[1:]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    head = [f"[!{kind}]"]
    if title.strip():
        head += [f"**{title.strip()}**", ""]
    elif lines and not re.match(r"[^\W_]|[*_(„“\"‘`\[\ue000]", lines[0].lstrip()):
        head.append("")  # a list or a table must not run into the marker
    quoted = [f"{indent}> {line}".rstrip() for line in head + lines]
    return ["", *quoted, ""]


def plain_blocks(text: str) -> str:
    return "\n".join(_plain(text.split("\n"), 0))


def _plain(lines: list[str], depth: int) -> list[str]:
    done: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        note, tab, directive = _INDENTED.match(line), _TAB.match(line), _DIRECTIVE.match(line)
        if depth >= _DEEPEST or not (note or tab or directive):
            done.append(line)
            number += 1
        elif directive:
            inner, number = _until_closed(lines, number + 1, len(directive[2]))
            done += _directive(directive, _plain(_dedented(inner), depth + 1))
        else:
            indent = (note or tab)[1]  # type: ignore[index]  # one of them is there
            inner, number = _indented(lines, number + 1, len(indent.expandtabs(4)))
            content = _plain(_dedented(inner), depth + 1)
            if note:
                kind = (note[2] or "note").split()[0]
                title = note[3] if note[3] and note[3].lower() != kind.lower() else ""
                done += callout(kind_of(kind) or "NOTE", title, content, indent=indent)
            elif tab:
                done += ["", f"{indent}**{tab[2]}**", "", *_indent(content, indent), ""]
    return done


def _directive(opened: re.Match[str], content: list[str]) -> list[str]:
    indent, kind, title = opened[1], kind_of(opened[3]), opened[4] or opened[5] or ""
    if kind:
        return callout(kind, title, content, indent=indent)
    label = [f"{indent}**{title}**", ""] if title.strip() else []
    return ["", *label, *_indent(content, indent), ""]


def _until_closed(lines: list[str], number: int, colons: int) -> tuple[list[str], int]:
    """Up to the line that closes it. Without one it ends with the text, as it does where it comes from."""
    inner: list[str] = []
    opened = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        closing = _DIRECTIVE_END.match(line)
        if closing and not opened and len(closing[1]) <= colons:
            break
        if closing and opened:
            opened -= 1
        elif _DIRECTIVE.match(line):
            opened += 1
        inner.append(line)
    return inner, number


def _indented(lines: list[str], number: int, indent: int) -> tuple[list[str], int]:
    """The lines that belong to a note by their indentation; the blank ones behind it belong to nobody."""
    start = number
    while number < len(lines):
        line = lines[number].expandtabs(4)
        if line.strip() and len(line) - len(line.lstrip()) < indent + 2:
            break
        number += 1
    while number > start and not lines[number - 1].strip():
        number -= 1
    return lines[start:number], number


def _dedented(lines: list[str]) -> list[str]:
    return textwrap.dedent("\n".join(line.expandtabs(4) for line in lines)).split("\n")


def _indent(lines: list[str], indent: str) -> list[str]:
    return [f"{indent}{line}" if line.strip() else "" for line in lines]
