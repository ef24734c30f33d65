"""Hides code from the eyes of everything that rewrites text, and gives it back.

Promise: `show_code(*hide_code(text))` is `text`, whatever is moved or indented differently in between: of a line
of code only what follows its indentation is hidden.
"""

import re

_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: no text from elsewhere has them, or it loses them here
_FENCE = re.compile(r"^([ \t]*(?:>[ \t]?)*)(`{3,}|~{3,})([^\n]*)$")
_SPAN = re.compile(r"(?<!`)(`{1,20})(?!`)([^\n`]{1,2000}?|[^\n]{1,2000}?[^`\n])\1(?!`)")
_HIDDEN = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def hide_code(text: str) -> tuple[str, list[str]]:
    hidden: list[str] = []

    def hide(code: str) -> str:
        hidden.append(code)
        return f"{_OPEN}{len(hidden) - 1}{_CLOSE}"

    lines: list[str] = []
    fence = ""
    for line in text.replace(_OPEN, "").replace(_CLOSE, "").split("\n"):
        found = _FENCE.match(line)
        if fence:
            if found and found[2].startswith(fence) and not found[3].strip():
                fence = ""
        elif found and not ("`" in found[3] and found[2][0] == "`"):
            fence = found[2]
        else:
            lines.append(_SPAN.sub(lambda span: hide(span[0]), line))
            continue
        indent = len(line) - len(line.lstrip())
        lines.append(line[:indent] + hide(line[indent:]) if line.strip() else line)
    return "\n".join(lines), hidden


def show_code(text: str, hidden: list[str]) -> str:
    return _HIDDEN.sub(lambda mark: hidden[int(mark[1])], text)


def is_hidden(line: str) -> bool:
    return line.lstrip().startswith(_OPEN)
