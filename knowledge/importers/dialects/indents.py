"""Deep indentation in MDX, which means nothing there: in Markdown it would turn a nested list into a block of code."""

import re

from knowledge.importers.dialects.code import is_hidden

_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ ]+")
_OF_CODE = 4  # columns beyond what they stand in, from which on Markdown reads lines as code


def without_deep_indents(text: str) -> str:
    lines: list[str] = []
    items: list[int] = []  # columns at which the text of the open list items begins
    moved: list[tuple[int, int]] = []  # from which column on lines are moved, and by how many columns
    is_code = False
    for line in text.split("\n"):
        column = len(line) - len(line.lstrip(" "))
        if not line.strip():
            lines.append(line)
            continue
        was_code, is_code = is_code, is_hidden(line)
        if was_code and is_code:  # a block of code moves as a whole
            lines.append(" " * max(0, column - (moved[-1][1] if moved else 0)) + line[column:])
            continue
        while moved and column < moved[-1][0]:
            moved.pop()
        place = column - (moved[-1][1] if moved else 0)
        while items and place < items[-1]:
            items.pop()
        base = items[-1] if items else 0
        if place >= base + _OF_CODE:
            moved.append((column, column - base))
            place = base
        lines.append(" " * place + line[column:])
        marker = _MARKER.match(line, column)
        if marker:
            items.append(place + len(marker[0]))
    return "\n".join(lines)
