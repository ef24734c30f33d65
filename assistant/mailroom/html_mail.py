"""The HTML of a mail as the plain text that its writer saw.

Promise: linear in its length, whatever is nested in what; what is quoted gets the "> " of plain mails and what is
marked as a signature its "-- ", so that `folding` has one kind of mail to read. Scripts, styles, hidden preview
lines and tracking pixels go; the address of a link stays where its text does not say it.
"""

import re
from html.parser import HTMLParser

import nh3

MAX_HTML_CHARACTERS = 2_000_000


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = _names(
    "address article aside blockquote center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li "
    "main nav ol p pre section table tr ul"
)
_PARAGRAPHS = _names("p h1 h2 h3 h4 h5 h6 blockquote ul ol pre table")
_TAGS = _BLOCKS | _names("a b br code em font i img s small span strong sub sup td th tbody thead u")
_DROPPED = _names("script style head title template noscript object svg math select textarea button")
_ATTRIBUTES = {
    "*": {"class", "id", "style"},
    "a": {"href"},
    "img": {"alt", "width", "height", "src"},
    "blockquote": {"type"},
}
_VOID = frozenset(["br", "hr", "img"])
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d])", re.IGNORECASE)
_SIGNATURE = re.compile(r"\b(gmail_signature|moz-signature|ms-outlook-mobile-signature|signature)\b", re.I)
_RULE = re.compile(
    r"border-top\s*:\s*solid\s+#(e1e1e1|b5c4df)", re.IGNORECASE
)  # Outlook's, above what it quotes
_REPLY = "divrplyfwdmsg"  # Outlook on the web
_BLANK = re.compile(r"[ \t\r\n\f]+")


def html_to_text(html: str) -> str:
    """Plain text with \\n between lines and at most one empty line in a row."""
    tidy = nh3.clean(
        html[:MAX_HTML_CHARACTERS],
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        link_rel=None,
    )
    reader = _Reader()
    reader.feed(tidy)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line = ""
        self._quotes = 0  # depth of quoting
        self._open: list[tuple[str, bool, bool]] = []  # tag, is hidden, is a quote
        self._hidden = 0
        self._preformatted = 0
        self._link: tuple[str, int] | None = None  # its address, and where in the line it begins

    def text(self) -> str:
        self._end_line()
        lines: list[str] = []
        for line in self._lines:
            if line.strip("> ") or (lines and lines[-1].strip("> ")):
                lines.append(line)
        return "\n".join(lines).strip("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _VOID:
            self._void(tag, values)
            return
        hides = bool(_HIDDEN.search(values.get("style", "")))
        quotes = tag == "blockquote"
        self._open.append((tag, hides, quotes))
        self._hidden += hides
        if self._hidden:
            return
        if tag in _BLOCKS:
            self._end_line()
        if tag in _PARAGRAPHS:
            self._empty_line()
        self._quotes += quotes
        self._preformatted += tag == "pre"
        named = f"{values.get('class', '')} {values.get('id', '')}"
        if _SIGNATURE.search(named) and not self._quotes:
            self._end_line()
            self._lines.append("-- ")
        if values.get("id", "").lower() == _REPLY or _RULE.search(values.get("style", "")):
            self._end_line()
            self._lines.append(self._marked("________________________________"))
        if tag == "li":
            self._line = "- "
        elif tag in ("td", "th") and self._line.strip():
            self._line += " "
        elif tag == "a":
            self._link = (values.get("href", ""), len(self._line))

    def handle_endtag(self, tag: str) -> None:
        # What nh3 returns is balanced.
        if tag in _VOID or not self._open or self._open[-1][0] != tag:
            return
        name, hides, quotes = self._open.pop()
        if not self._hidden:
            self._end_of(name, quotes)
        self._hidden -= hides

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._preformatted:
            first, *others = data.split("\n")
            self._line += first
            for line in others:
                self._end_line(keep=True)
                self._line = line
            return
        words = _BLANK.sub(" ", data)
        self._line += words.lstrip(" ") if not self._line or self._line.endswith(" ") else words

    def _void(self, tag: str, values: dict[str, str]) -> None:
        if self._hidden:
            return
        if tag == "br":
            self._end_line(keep=True)
        elif tag == "hr":
            self._end_line()
        elif (alt := values.get("alt", "").strip()) and values.get("width") not in ("0", "1"):
            self._line += f"[{alt}]"

    def _end_of(self, tag: str, quotes: bool) -> None:
        if tag == "a" and self._link is not None:
            self._end_link(*self._link)
            self._link = None
        if tag in _BLOCKS:
            self._end_line()
        if tag in _PARAGRAPHS:
            self._empty_line()
        self._quotes -= quotes
        self._preformatted -= tag == "pre"

    def _end_link(self, address: str, start: int) -> None:
        shown = self._line[start:].strip()
        bare = re.sub(r"^(https?://|mailto:|tel:)", "", address).rstrip("/")
        if address.startswith(("http://", "https://")) and shown and bare not in shown:
            self._line += f" ({address})"

    def _end_line(self, *, keep: bool = False) -> None:
        line = self._line.replace("\xa0", " ").rstrip()
        self._line = ""
        if line or keep:
            self._lines.append(self._marked(line))

    def _empty_line(self) -> None:
        if self._lines:
            self._lines.append(self._marked(""))

    def _marked(self, line: str) -> str:
        return f"{'>' * self._quotes} {line}".rstrip() if self._quotes else line
