"""Bytes of a mail as text, whatever the mail says that they are.

Promise: never fails, and text that is valid UTF-8 is read as that, whoever calls it Latin-1: German in Latin-1 is
never valid UTF-8 by accident.
"""

import codecs

# What mail programs write where Python has another name or none.
_ALIASES = {
    "ansi": "cp1252",
    "unicode": "utf-8",
    "utf8mb4": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",  # its superset, and what is meant
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "cp-850": "cp850",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
}
_WESTERN = frozenset(["ascii", "cp1252"])
_MOST_BROKEN = 0.1  # share of characters that UTF-8 may lose before it is taken for something else


def decode(content: bytes, declared: str) -> tuple[str, bool]:
    """The text, and whether `declared` had to be doubted."""
    if not content:
        return "", False
    name = _known(declared)
    if name is None or name in _WESTERN:
        if content.isascii():
            return content.decode("ascii"), False
        if (text := _strictly(content, "utf-8")) is not None:
            return text, True
        return _western(content), name != "cp1252"
    if (text := _strictly(content, name)) is not None:
        return text, False
    if name == "utf-8":
        text = content.decode("utf-8", errors="replace")
        others = sum(character > "\x7f" for character in text)
        if text.count("�") < others / 2 or text.count("�") < len(text) * _MOST_BROKEN < others:
            return text, True
    elif (text_or_none := _strictly(content, "utf-8")) is not None:
        return text_or_none, True
    return _western(content), True


def _known(declared: str) -> str | None:
    cleaned = declared.strip().strip("\"'").lower()
    cleaned = _ALIASES.get(cleaned, cleaned)
    if not cleaned:
        return None
    try:
        info = codecs.lookup(cleaned)
    except (LookupError, ValueError):
        return None
    # "base64" and the like are codecs, too, and no charsets.
    return info.name if getattr(info, "_is_text_encoding", True) else None


def _strictly(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except (UnicodeError, ValueError):
        return None


def _western(content: bytes) -> str:
    text = _strictly(content, "cp1252")
    return content.decode("latin-1") if text is None else text
