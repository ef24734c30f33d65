"""`serve` collects style sheets and scripts when they have changed, and not at every start."""

import os
import time

import pytest
from django.contrib.staticfiles import finders

from helpcenter.static_files import collect_static


@pytest.fixture
def source(settings, tmp_path):
    """A folder of style sheets, and nothing else."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "site.css").write_text("p {}")
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = str(tmp_path / "static")
    finders.get_finder.cache_clear()  # type: ignore[attr-defined]
    yield folder
    finders.get_finder.cache_clear()  # type: ignore[attr-defined]


def test_what_has_not_changed_is_not_collected_again(source, settings, tmp_path):
    stamp = tmp_path / "stamp"
    assert collect_static(stamp)
    assert not collect_static(stamp)
    (source / "site.css").write_text("p { color: red }")
    later = time.time() + 5  # Django compares whole seconds
    os.utime(source / "site.css", (later, later))
    assert collect_static(stamp)
    assert (tmp_path / "static" / "site.css").read_text() == "p { color: red }"
    (source / "more.css").write_text("a {}")
    assert collect_static(stamp)
    assert not collect_static(stamp)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    assert collect_static(stamp), "under other names"
    assert (tmp_path / "static" / "staticfiles.json").exists()


def test_what_was_deleted_or_cut_off_is_collected_again(source, tmp_path, monkeypatch):
    stamp = tmp_path / "stamp"
    assert collect_static(stamp)
    (tmp_path / "static").rename(tmp_path / "gone")
    assert collect_static(stamp)

    def cut_off(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    os.utime(source / "site.css", (0, 0))
    with monkeypatch.context() as patched:
        patched.setattr("helpcenter.static_files.call_command", cut_off)
        with pytest.raises(KeyboardInterrupt):
            collect_static(stamp)
    os.utime(source / "site.css", (1, 1))
    assert collect_static(stamp)
