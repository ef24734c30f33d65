"""Template tags of Jekyll and its relatives (`{% callout info %}`, `{{ site.baseurl }}`, `{:target="_blank"}`)."""

import re
from typing import Final

from django.utils.translation import gettext as _

from knowledge.importers.dialects.blocks import callout, kind_of

_CODE = re.compile(r"\{%-?\s*highlight\s+([\w+-]*)[^%]*%\}\n?(.*?)\{%-?\s*endhighlight\s*-?%\}", re.S)
_RAW = re.compile(r"\{%-?\s*(?:end)?raw\s*-?%\}")
_COMMENT = re.compile(r"\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}", re.S)
_CAPTURE = re.compile(r"\{%-?\s*capture\s+([\w-]+)\s*-?%\}(.*?)\{%-?\s*endcapture\s*-?%\}", re.S)
_CALLOUT = re.compile(
    r"(?:^(?P<indent>[ \t]*))?\{%-?\s*(?P<tag>callout|alert|admonition|note|tip|info|important|warning|caution|danger)"
    r"\b(?P<words>[^%\n]*)%\}(?P<inner>.*?)\{%-?\s*end(?P=tag)\s*-?%\}",
    re.S | re.M,
)
_ICON = re.compile(r"\{%-?\s*(?:icon|fa)\b[^%\n]*%\}[ \t]?")
_TAG = re.compile(r"\{%-?\s*(\w+)([^%\n{]{0,500}(?:[%{](?!\})[^%\n{]{0,500}){0,4})%\}")
_VALUE = re.compile(r"\{\{-?([^{}]*)\}\}")
_ATTRIBUTES = re.compile(r"[ \t]?\{:[^{}\n]*\}")
_QUOTED = re.compile(r"""["']([^"']*)["']""")
_NAV_TABS = re.compile(r"<ul\b[^<>]*\bnav-tabs\b[^<>]*>.*?</ul>", re.S)
_TAB_NAME = re.compile(r"<a\b[^<>]*?(?:data-(?:bs-)?target|href)=[\"']#([\w-]+)[\"'][^<>]*>(.*?)</a>", re.S)
_PANE = re.compile(r"<div\b[^<>]*\btab-pane\b[^<>]*\bid=[\"']([\w-]+)[\"'][^<>]*>")
_LONE_DIV = re.compile(r"^[ \t]*(?:</?div\b[^<>]*>[ \t]*)+$", re.M)
_PICTURES: Final = frozenset(["image", "figure", "img", "asset_img", "picture"])
# Tags that show nothing by themselves; what stands between them stays.
_SILENT: Final = frozenset(
    """assign break capture case comment continue cycle decrement else elsif if increment layout raw section tab tabs
    toc unless when""".split()  # noqa: SIM905 - a list of words, to be read as one
)


def highlighted_code(text: str) -> str:
    return _CODE.sub(lambda code: f"```{code[1]}\n{code[2].rstrip()}\n```", text)


def without_liquid(text: str, notes: list[str]) -> str:
    text = _ICON.sub("", _COMMENT.sub("", _RAW.sub("", text)))
    text = _callouts(text)
    captured: dict[str, str] = {}

    def capture(found: re.Match[str]) -> str:
        captured[found[1]] = found[2]
        return ""

    text = _CAPTURE.sub(capture, text)
    text = _VALUE.sub(lambda found: _value(found[1], captured, notes), text)
    text = _callouts(text)
    text = _TAG.sub(lambda found: _tag(found[1].lower(), found[2], notes), text)
    text = _VALUE.sub(lambda found: _value(found[1], {}, notes), text)  # of what was captured
    text = _ATTRIBUTES.sub("", text)
    return _bootstrap_tabs(text) if "tab-pane" in text else text


def _callouts(text: str) -> str:
    return _CALLOUT.sub(_callout, text)


def _callout(found: re.Match[str]) -> str:
    tag, words = found["tag"], found["words"].strip(" -\"'")
    kind = kind_of(tag if tag not in ("callout", "alert", "admonition") else words.split(" ")[0]) or "NOTE"
    indent = found["indent"] or ""
    lines = [line.removeprefix(indent) for line in found["inner"].strip("\n").split("\n")]
    return "\n".join(callout(kind, "", lines, indent=indent))


def _tag(name: str, rest: str, notes: list[str]) -> str:
    words = rest.strip().strip("-").strip()
    if name in _PICTURES:
        path, _blank, description = words.partition(" ")
        named = re.search(r"""\balt=["']([^"']*)""", words)
        return f"![{named[1] if named else description.strip()}]({path.strip(chr(34))})"
    if name == "tab":
        return f"\n**{words.split(' ', 1)[-1]}**\n"
    if name in ("link", "post_url"):
        return words
    if name not in _SILENT and not name.startswith("end"):
        notes.append(_("the template tag “%(tag)s” was left out.") % {"tag": f"{name} {words}".strip()[:80]})
    return ""


def _value(expression: str, captured: dict[str, str], notes: list[str]) -> str:
    name, _pipe, _filters = expression.strip(" -").partition("|")
    name = name.strip()
    if name in captured:
        return f"\n\n{captured[name].strip(chr(10))}\n\n"
    quoted = _QUOTED.fullmatch(name)
    if quoted:
        return quoted[1]
    if name not in ("site.baseurl", "site.url"):
        notes.append(_("the template value “%(name)s” was left out.") % {"name": name[:80]})
    return ""


def _bootstrap_tabs(text: str) -> str:
    names = {tab[1]: " ".join(tab[2].split()) for tab in _TAB_NAME.finditer(text)}

    def label(pane: re.Match[str]) -> str:
        follows = pane.string[pane.end() : pane.end() + 400].lstrip()
        name = names.get(pane[1], "")
        return f"\n\n**{name}**\n\n" if name and not follows.startswith("#") else "\n\n"

    return _LONE_DIV.sub("", _PANE.sub(label, _NAV_TABS.sub("", text)))
