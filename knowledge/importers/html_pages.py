"""What help centers' HTML says by its classes, before it becomes Markdown.

Promise: a note stays a note, a table of contents goes (the page makes its own), a picture that would only be
loaded by a script is named by its real address, and text that holds for some systems only says for which.

Refuses to decide: how elements become Markdown (`html_text`).
"""

import re
from typing import Final

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

_TOCS: Final = frozenset(["toc", "table-of-contents", "tableofcontents"])
_NOTES: Final = {
    "note": "NOTE", "info": "NOTE", "callout": "NOTE", "callout-info": "NOTE", "alert-info": "NOTE",
    "tip": "TIP", "success": "TIP", "alert-success": "TIP", "callout-tip": "TIP",
    "important": "IMPORTANT",
    "warning": "WARNING", "alert": "WARNING", "alert-warning": "WARNING", "callout-warning": "WARNING",
    "danger": "CAUTION", "caution": "CAUTION", "alert-danger": "CAUTION", "callout-danger": "CAUTION",
}  # fmt: skip
_LAZY: Final = ("data-original-src", "data-src", "data-lazy-src", "data-original")
_BOLD: Final = frozenset(["menu", "button"])  # names of things on the screen
_SYSTEMS: Final = {
    "win": "Windows", "mac": "macOS", "linux": "Linux", "android": "Android", "ios": "iOS",
    "win10": "Windows 10", "win11": "Windows 11", "win7": "Windows 7", "win8": "Windows 8",
    "winxp": "Windows XP", "desktop": "desktop", "mobile": "mobile",
}  # fmt: skip
_PRODUCT = re.compile(r"(=?)(fx|tb|m)(\d+)")
_PRODUCTS: Final = {"fx": "Firefox", "tb": "Thunderbird", "m": "Firefox mobile"}


def speak_out(soup: BeautifulSoup) -> None:
    """Puts into words and plain elements what classes and scripts would have shown."""
    for element in soup.find_all(True):
        if str(element.get("id", "")).lower() in _TOCS or _classes(element) & _TOCS:
            element.extract()
    for element in soup.find_all(True):
        classes = _classes(element)
        if element.name == "img":
            lazy = next((str(element[name]) for name in _LAZY if element.get(name)), "")
            if lazy:
                element["src"] = lazy
        elif "for" in classes and element.get("data-for"):
            _say_for_whom(soup, element)
        elif element.name in ("div", "p", "aside", "section", "blockquote") and classes & _NOTES.keys():
            _note(soup, element, next(_NOTES[name] for name in _NOTES if name in classes))
        elif element.name == "span" and classes & _BOLD and not element.find_parent(["b", "strong", "a"]):
            element.name = "strong"
        elif element.name == "span" and "key" in classes:
            element.name = "kbd"


def _classes(element: Tag) -> set[str]:
    return {str(name).lower() for name in element.get("class") or []}


def _note(soup: BeautifulSoup, element: Tag, kind: str) -> None:
    if element.find_parent("blockquote") or element.find_parent(["td", "th", "li"]):
        return  # a note cannot stand there in Markdown
    if element.name == "p":
        element.wrap(soup.new_tag("blockquote")).insert(0, _marker(soup, kind))
        return
    element.name = "blockquote"
    element.insert(0, _marker(soup, kind))


def _marker(soup: BeautifulSoup, kind: str) -> Tag:
    marker = soup.new_tag("p")
    marker.append(NavigableString(f"[!{kind}]"))
    return marker


def _say_for_whom(soup: BeautifulSoup, element: Tag) -> None:
    raw = str(element["data-for"]).strip()
    is_not = raw.startswith("not ")
    names = [_system(name.strip()) for name in raw.removeprefix("not ").split(",") if name.strip()]
    words = f"{'not ' if is_not else ''}{', '.join(names)}"
    if element.name == "span":
        before = element.previous_sibling
        if isinstance(before, Tag) and before.get("data-for") and before.name == "span":
            element.insert_before(NavigableString(" / "))
        element.append(NavigableString(f" ({words})"))
    elif words:
        label = soup.new_tag("p")
        strong = soup.new_tag("strong")
        strong.append(NavigableString(f"{words}:"))
        label.append(strong)
        element.insert(0, label)


def _system(name: str) -> str:
    product = _PRODUCT.fullmatch(name.lower())
    if product:
        return f"{_PRODUCTS[product[2]]} {product[3]}{'' if product[1] else '+'}"
    return _SYSTEMS.get(name.lower(), name)
