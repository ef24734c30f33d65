"""Whatever a customer can read in German exists for friends as well, and says nothing else."""

import ast
import re
from pathlib import Path

import polib
from django.conf import settings

LOCALE = settings.BASE_DIR / "locale" / "de" / "LC_MESSAGES"
FORMAL = re.compile(r"\b(?:Sie|Ihr|Ihre|Ihnen|Ihrem|Ihren|Ihrer|Ihres)\b")
# "Sie" is the estimate, the answer or the file here.
NOBODY_IS_ADDRESSED = {
    "It does not answer my question",
    "It is hard to understand",
    "It quoted an article that has been withdrawn since.",
}
STAFF_ONLY = ("admin", "accounts", "management", "importers", "migrations", "demo", "static", "mailroom")
STAFF_MODULES = ("logo.py", "site.py", "roles.py", "serving.py", "checks.py", "workflow.py")
STAFF_FILES = ("knowledge/services.py",)


def _texts(entry: polib.POEntry) -> list[str]:
    return [text for text in (entry.msgstr, *entry.msgstr_plural.values()) if text]


def _read_by_customers() -> set[str]:
    """Strings of the public templates and modules."""
    found: set[str] = set()
    for room in ("helpcenter", "assistant", "knowledge"):
        for path in (settings.BASE_DIR / room).rglob("*.py"):
            if set(path.parts) & set(STAFF_ONLY) or path.name in STAFF_MODULES:
                continue
            if str(path.relative_to(settings.BASE_DIR)) in STAFF_FILES:
                continue
            found.update(
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            )
    return found


def _templates() -> str:
    folder = settings.BASE_DIR / "templates"
    pages = [
        path
        for path in folder.rglob("*.*")
        if not {"admin", "account", "mfa"} & set(path.relative_to(folder).parts)
        and not path.name.startswith(("editor_", "account_"))
    ]
    text = " ".join(Path(path).read_text() for path in pages)
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", text)


def test_every_formal_string_for_customers_has_its_informal_twin():
    informal = {entry.msgid for entry in polib.pofile(str(LOCALE / "informal.po"))}
    strings, pages = _read_by_customers(), _templates()
    missing = [
        entry.msgid
        for entry in polib.pofile(str(LOCALE / "django.po"))
        if any(FORMAL.search(text) for text in _texts(entry))
        and (entry.msgid in strings or entry.msgid in pages)
        and entry.msgid not in informal | NOBODY_IS_ADDRESSED
    ]
    assert missing == [], "write these for friends in locale/de/LC_MESSAGES/informal.po"


def test_an_informal_string_is_informal_and_keeps_its_placeholders():
    german = {entry.msgid: entry for entry in polib.pofile(str(LOCALE / "django.po"))}
    for entry in polib.pofile(str(LOCALE / "informal.po")):
        formal = german[entry.msgid]
        for text, other in zip(_texts(entry), _texts(formal), strict=True):
            assert set(re.findall(r"%\(\w+\)\w", text)) == set(re.findall(r"%\(\w+\)\w", other)), entry.msgid
            if not text.startswith("Sie "):  # the estimate, the answer
                assert not FORMAL.search(text), text


def test_the_compiled_catalogue_is_the_written_one():
    written = {one.msgid: _texts(one) for one in polib.pofile(str(LOCALE / "informal.po"))}
    assert {
        one.msgid: _texts(one) for one in polib.mofile(str(LOCALE / "informal.mo")) if one.msgid
    } == written
