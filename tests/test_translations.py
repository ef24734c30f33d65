"""German is complete, and what is compiled is what is written."""

import re
import shutil
import subprocess
from pathlib import Path

import polib
import pytest
from django.conf import settings

PO = settings.BASE_DIR / "locale" / "de" / "LC_MESSAGES" / "django.po"


def _entries(catalogue: polib.POFile | polib.MOFile) -> dict[str, object]:
    return {one.msgid: one.msgstr or one.msgstr_plural for one in catalogue if one.msgid}


def test_every_string_is_translated():
    catalogue = polib.pofile(str(PO))
    assert len(catalogue) > 400
    assert [one.msgid for one in catalogue.untranslated_entries() + catalogue.fuzzy_entries()] == []


def test_compiled_catalogue_is_the_written_one():
    assert _entries(polib.mofile(str(PO.with_suffix(".mo")))) == _entries(polib.pofile(str(PO)))


def test_placeholders_survive_translation():
    wrong = [
        one.msgid
        for one in polib.pofile(str(PO))
        if one.msgstr
        and set(re.findall(r"%\(\w+\)\w", one.msgid)) != set(re.findall(r"%\(\w+\)\w", one.msgstr))
    ]
    assert wrong == []


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="no gettext on this machine")
def test_no_string_is_missing_from_the_catalogue(tmp_path: Path):
    for folder in ("helpcenter", "assistant", "knowledge", "templates", "locale"):
        shutil.copytree(settings.BASE_DIR / folder, tmp_path / folder, ignore=shutil.ignore_patterns("demo"))
    before = {one.msgid for one in polib.pofile(str(PO))}
    subprocess.run(
        ["django-admin", "makemessages", "-l", "de", "--no-location", "-v", "0"],
        cwd=tmp_path,
        check=True,
        timeout=300,
        env={"PATH": f"{settings.BASE_DIR / '.venv' / 'bin'}:/usr/bin:/bin"},
    )
    collected = polib.pofile(str(tmp_path / "locale" / "de" / "LC_MESSAGES" / "django.po"))
    assert {one.msgid for one in collected if not one.obsolete} - before == set()
