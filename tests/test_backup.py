"""Backup and restore through the commands, in processes and folders of their own: what went in comes out."""

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from helpcenter.backup import BackupError, archive, unfinished
from knowledge import ownership
from tests.processes import ROOT, environment, line_of, manage, start_python, wait_until

SITE = """
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from knowledge.models import Article, Category
editor = User.objects.create_user("björn", "bjoern@example.org", "a good passphrase", is_staff=True)
editor.groups.add(Group.objects.get(name="Editors"))
billing = Category.objects.create(name="Zahlung & Abo", slug="billing", language="en")
for title, body in (
    ("Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."),
    ("Battery range", "A full battery lasts for about 60 kilometres on flat ground, less in winter."),
    ("Pause your subscription", "A pause of your subscription costs 9 euros a month and lasts three months."),
):
    Article.objects.create(title=title, slug=title.lower().replace(" ", "-"), body=body, language="en",
                           status="published", category=billing, author=editor)
Article.objects.create(title="Entwurf – später", slug="entwurf", body="Größe „ä“ 🚲", language="de")
call_command("ask", "How much is a pause of my subscription?")
call_command("ask", "Which wine goes with duck?", "--email", "anna@example.org")
"""
PAIRS = """
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from django.contrib.auth.models import Group, User
from django.db import transaction
number = 0
while True:
    with transaction.atomic():
        Group.objects.create(name=f"pair-{number}")
        User.objects.create(username=f"pair-{number}")
    number += 1
    if number == 20:
        print("writing", flush=True)
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA_DIR with an empty site in it, to be copied: migrating takes seconds."""
    folder = tmp_path_factory.mktemp("migrated")
    _succeeds(manage(folder, "migrate", "-v", "0"))
    return folder


@pytest.fixture(scope="module")
def site(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA_DIR with everything in it. Tests read it; whoever writes makes a site of their own."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(migrated, folder, dirs_exist_ok=True)
    _succeeds(manage(folder, "shell", "-v", "0", "-c", SITE, timeout=300))
    (folder / "media" / "2026").mkdir(parents=True)
    (folder / "media" / "2026" / "Foto größer.txt").write_text("an upload")
    return folder


@pytest.fixture(scope="module")
def backup(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "help.tar.gz"
    done = manage(site, "backup", str(file))
    _succeeds(done)
    assert "4 articles, 2 questions, 1 tickets, 1 uploaded files" in done.stdout
    return file


@pytest.fixture
def new(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "secret_key").write_text("0123456789" * 5)  # any command would make one
    return folder


def _succeeds(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr


def _restored(data_dir: Path, file: Path, *options: str, **values: Any) -> subprocess.CompletedProcess[str]:
    done = manage(data_dir, "restore", *options, str(file), timeout=300, **values)
    _succeeds(done)
    return done


def _refused(data_dir: Path, file: Path, **values: Any) -> str:
    """What the operator is told; nothing in the folder is another one than before."""
    before = _state(data_dir)
    done = manage(data_dir, "restore", str(file), **values)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: Nothing was changed.")
    assert _state(data_dir) == before
    return done.stderr


def _state(data_dir: Path) -> dict[str, bytes]:
    own = {"index.lock"}  # being asked leaves the lock's file there
    return {
        str(path.relative_to(data_dir)): path.read_bytes()
        for path in data_dir.rglob("*")
        if path.is_file() and path.name not in own and not path.name.endswith(("-wal", "-shm"))
    }


def _parts(file: Path) -> dict[str, str]:
    """Checksums by name of all that is in a backup."""
    with tarfile.open(file) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
    return {part["name"]: part["sha256"] for part in manifest["parts"]}


def _rows(file: Path, model: str) -> list[list[object]]:
    with tarfile.open(file) as tar:
        table = tar.extractfile(f"rows/{model}.jsonl")
        assert table is not None
        return [json.loads(line) for line in table.readlines()[1:]]


def _again(data_dir: Path, tmp_path: Path, **values: Any) -> dict[str, str]:
    file = tmp_path / f"again-{uuid.uuid4().hex}.tar.gz"
    _succeeds(manage(data_dir, "backup", str(file), **values))
    return _parts(file)


def _is_answerable(data_dir: Path, **values: Any) -> None:
    _succeeds(manage(data_dir, "sync_index", "--check", **values))
    asked = manage(
        data_dir, "ask", "How much is a pause of my subscription?", "--json", timeout=300, **values
    )
    _succeeds(asked)
    answer = json.loads(asked.stdout)
    assert answer["status"] == "answered"
    assert answer["citations"][0]["title"] == "Pause your subscription"


# --- round trips ----------------------------------------------------------------------------------------


def test_what_went_in_comes_out_and_is_answerable(backup, new, tmp_path):
    done = _restored(new, backup, PYTHONPROFILEIMPORTTIME="1")
    assert "The index was made anew: 3 passages." in done.stdout
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "chromadb" in loaded and "torch" not in loaded  # the vectors came with the rows
    assert _again(new, tmp_path) == _parts(backup)
    assert (new / "media" / "2026" / "Foto größer.txt").read_text() == "an upload"
    _is_answerable(new)


def test_a_new_row_gets_a_number_of_its_own(backup, new):
    _restored(new, backup)
    code = "from django.contrib.auth.models import Group; print(Group.objects.create(name='new').pk)"
    done = manage(new, "shell", "-v", "0", "-c", code)
    _succeeds(done)
    assert int(done.stdout) == max(int(str(row[0])) for row in _rows(backup, "auth.group")) + 1


def test_standard_output_and_input_carry_an_archive(site, new, tmp_path):
    file = tmp_path / "piped.tar.gz"
    with file.open("wb") as out:
        written = subprocess.run(
            [sys.executable, "manage.py", "backup", "-"],
            cwd=ROOT,
            env=environment(site),
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=300,
        )
    assert written.returncode == 0 and b"4 articles" in written.stderr
    with file.open("rb") as source:
        read = subprocess.run(
            [sys.executable, "manage.py", "restore", "-"],
            cwd=ROOT,
            env=environment(new),
            stdin=source,
            capture_output=True,
            timeout=300,
        )
    assert read.returncode == 0, read.stderr
    assert b"4 articles" in read.stdout


def test_backup_of_an_earlier_version_is_brought_forward(migrated, new, tmp_path):
    """Django's own table of accounts, a step back."""
    old = tmp_path / "old"
    old.mkdir()
    shutil.copytree(migrated, old, dirs_exist_ok=True)
    _succeeds(manage(old, "migrate", "auth", "0011", "-v", "0"))
    _succeeds(manage(old, "backup", str(tmp_path / "old.tar.gz")))
    _restored(new, tmp_path / "old.tar.gz")
    shown = manage(new, "showmigrations", "--plan")
    assert "[X]  auth.0012_alter_user_first_name_max_length" in shown.stdout
    assert "[ ]" not in shown.stdout


def test_generated_key_comes_along_and_a_set_one_stays(site, backup, new, tmp_path):
    _restored(new, backup)
    assert (new / "secret_key").read_text() == (site / "secret_key").read_text()
    assert (new / "secret_key").stat().st_mode & 0o777 == 0o600
    other = tmp_path / "other"
    other.mkdir()
    done = _restored(other, backup, SECRET_KEY="k" * 30 + "0123456789abcdefghijklmnop")
    assert "SECRET_KEY is set here and stays in force" in done.stdout
    assert not (other / "secret_key").exists()


def test_archive_is_for_its_owner_alone_and_replaces_none(site, backup):
    assert backup.stat().st_mode & 0o777 == 0o600
    before = backup.read_bytes()
    done = manage(site, "backup", str(backup))
    assert done.returncode == 1 and "exists" in done.stderr
    assert backup.read_bytes() == before
    assert list(backup.parent.iterdir()) == [backup]


def test_folder_that_is_not_there_is_named(site, tmp_path):
    done = manage(site, "backup", str(tmp_path / "nowhere" / "x.tar.gz"))
    assert done.returncode == 1
    assert "cannot be written: No such file or directory" in done.stderr


# --- one moment -----------------------------------------------------------------------------------------


def _pairs_stay_pairs(data_dir: Path, tmp_path: Path, **values: Any) -> None:
    with start_python(data_dir, PAIRS, **values) as writer:
        try:
            assert line_of(writer) == "writing"
            counts = []
            for number in range(3):
                file = tmp_path / f"{number}.tar.gz"
                _succeeds(manage(data_dir, "backup", str(file), **values))
                groups = {row[1] for row in _rows(file, "auth.group") if str(row[1]).startswith("pair-")}
                users = {str(row[4]) for row in _rows(file, "auth.user")}
                assert groups == {name for name in users if name.startswith("pair-")}
                counts.append(len(groups))
            assert 0 < counts[0] < counts[1] < counts[2]  # it went on writing meanwhile
        finally:
            writer.send_signal(signal.SIGKILL)


def test_backup_is_one_moment_while_another_process_writes(migrated, tmp_path, new):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    _pairs_stay_pairs(new, tmp_path)


# --- refusals -------------------------------------------------------------------------------------------


def test_site_that_holds_something_is_kept_unless_forced_and_then_set_aside(
    migrated, site, backup, new, tmp_path
):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    made = "from django.contrib.auth.models import User; User.objects.create_user('present')"
    _succeeds(manage(new, "shell", "-v", "0", "-c", made))
    (new / "media").mkdir()
    (new / "media" / "present.txt").write_text("before")
    assert "--force" in _refused(new, backup)

    _restored(new, backup, "--force")
    assert _again(new, tmp_path) == _parts(backup)
    (old,) = new.glob("db.sqlite3.before-restore-*")
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT username FROM auth_user").fetchall() == [("present",)]
    (aside,) = new.glob("before-restore-*")
    assert (aside / "media" / "present.txt").read_text() == "before"
    assert aside.stat().st_mode & 0o777 == 0o700


def test_site_that_was_only_started_counts_as_empty(migrated, backup, new, tmp_path):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    started = (
        "from knowledge import generations; generations.in_service()\n"
        "from knowledge.indexing.checkup import write_checkup; write_checkup(checked=0, failed=0, asked=True)"
    )
    _succeeds(manage(new, "shell", "-v", "0", "-c", started))
    _restored(new, backup)
    assert _again(new, tmp_path) == _parts(backup)


def test_damaged_database_counts_as_holding_something_and_can_be_replaced(backup, new, tmp_path):
    (new / "db.sqlite3").write_bytes(b"no database at all" * 1000)
    assert "--force" in _refused(new, backup)
    _restored(new, backup, "--force")
    assert _again(new, tmp_path) == _parts(backup)


def test_damaged_archive_changes_nothing(migrated, backup, new, tmp_path):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    whole = backup.read_bytes()
    damaged = tmp_path / "damaged.tar.gz"
    middle = len(whole) // 2
    for content in (
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        whole[:middle],
        b"not an archive",
    ):
        damaged.write_bytes(content)
        assert "The backup is damaged" in _refused(new, damaged)
    assert "cannot be read: No such file" in _refused(new, tmp_path / "nowhere.tar.gz")
    assert "cannot be read: Is a directory" in _refused(new, tmp_path)


def test_archive_of_a_newer_version_is_refused(migrated, backup, new, tmp_path):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    newer = tmp_path / "newer.tar.gz"
    _rewrite(backup, newer, lambda manifest: manifest["migrations"].append(["knowledge", "9999_later"]))
    assert "newer version, with knowledge.9999_later" in _refused(new, newer)
    _rewrite(backup, newer, lambda manifest: manifest.update(format=99))
    assert "format 99" in _refused(new, newer)


def _rewrite(source: Path, target: Path, change) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as out:
        for member in old:
            content = (old.extractfile(member) or io.BytesIO()).read()
            if member.name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))


def test_running_site_is_not_replaced_under_its_feet(migrated, backup, new):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    lock = ownership.acquire(new / "index", command="manage.py serve")
    try:
        lock.announce(command="manage.py serve", address="http://127.0.0.1:1", sweeps=True)
        assert "stop it first" in _refused(new, backup)
    finally:
        lock.release()


def test_empty_database_has_no_backup(new, tmp_path):
    done = manage(new, "backup", str(tmp_path / "x.tar.gz"))
    assert done.returncode == 1 and "nothing to back up" in done.stderr
    assert not list(tmp_path.glob("*.tar.gz"))


# --- the archive itself ---------------------------------------------------------------------------------


def _small(folder: Path) -> bytes:
    (folder / "rows").mkdir(parents=True)
    (folder / "rows" / "a.jsonl").write_text("[]\n")
    output = io.BytesIO()
    archive.pack(folder, output, created_at="now", database="sqlite", migrations=(("a", "0001"),), rows={})
    return output.getvalue()


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_changed_byte_and_no_cut_goes_unnoticed(tmp_path):
    whole = _small(tmp_path / "source")
    expected = _content(tmp_path / "source")
    variants = [whole[:length] for length in range(len(whole))]
    variants += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(len(whole))]
    refused = 0
    for number, variant in enumerate(variants):
        target = tmp_path / str(number)
        target.mkdir()
        try:
            manifest = archive.unpack(io.BytesIO(variant), target)
        except BackupError:
            refused += 1
        else:  # the time and system in the head of gzip mean nothing
            assert _content(target) == expected
            assert manifest.migrations == (("a", "0001"),)
    assert refused > len(variants) - 10


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "rows/../../outside.txt"])
def test_no_path_leads_out_of_the_folder(tmp_path, name):
    target = tmp_path / "target"
    target.mkdir()
    member = tarfile.TarInfo(name)
    with pytest.raises(BackupError):
        archive.unpack(_with(_small(tmp_path / "source"), member, b""), target)
    assert not (tmp_path / "outside.txt").exists()
    assert not Path("/tmp/outside.txt").exists()


def test_links_and_strangers_are_refused(tmp_path):
    link = tarfile.TarInfo("rows/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    stranger = tarfile.TarInfo("rows/stranger.jsonl")
    for number, member in enumerate((link, stranger)):
        target = tmp_path / f"target-{number}"
        target.mkdir()
        with pytest.raises(BackupError, match=r"no plain file|not in its manifest"):
            archive.unpack(_with(_small(tmp_path / f"source-{number}"), member, b""), target)


def _with(whole: bytes, extra: tarfile.TarInfo, content: bytes) -> io.BytesIO:
    output = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as old, tarfile.open(fileobj=output, mode="w:gz") as new:
        for member in old:
            new.addfile(member, old.extractfile(member))
        new.addfile(extra, io.BytesIO(content))
    output.seek(0)
    return output


# --- PostgreSQL -----------------------------------------------------------------------------------------


@pytest.fixture
def make_database() -> Iterator[object]:
    server = os.environ["TEST_DATABASE_URL"]
    names: list[str] = []

    def make() -> str:
        names.append(f"backup_{uuid.uuid4().hex[:8]}")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{names[-1]}"')
        return f"{server.rsplit('/', 1)[0]}/{names[-1]}"

    yield make
    with psycopg.connect(server, autocommit=True) as connection:
        for name in names:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.services
def test_postgresql_round_trip_and_the_way_from_sqlite(backup, new, tmp_path, make_database):
    """SQLite to PostgreSQL, to another PostgreSQL, and back to SQLite: the rows are the same everywhere."""
    first, second = make_database(), make_database()
    _restored(new, backup, DATABASE_URL=first)
    assert _again(new, tmp_path, DATABASE_URL=first) == _parts(backup)
    _is_answerable(new, DATABASE_URL=first)

    file = tmp_path / "postgresql.tar.gz"
    _succeeds(manage(new, "backup", str(file), DATABASE_URL=first))
    other = tmp_path / "other"
    other.mkdir()
    _succeeds(manage(other, "migrate", "-v", "0", DATABASE_URL=second))
    _restored(other, file, DATABASE_URL=second)
    assert _again(other, tmp_path, DATABASE_URL=second) == _parts(file)
    code = "from django.contrib.auth.models import Group; print(Group.objects.create(name='new').pk)"
    _succeeds(manage(other, "shell", "-v", "0", "-c", code, DATABASE_URL=second))  # sequences go on

    back = tmp_path / "back"
    back.mkdir()
    _restored(back, file)
    assert _again(back, tmp_path) == _parts(file)
    _is_answerable(back)


@pytest.mark.services
def test_postgresql_backup_is_one_moment_while_another_process_writes(tmp_path, new, make_database):
    url = make_database()
    _succeeds(manage(new, "migrate", "-v", "0", DATABASE_URL=url))
    _pairs_stay_pairs(new, tmp_path, DATABASE_URL=url)


@pytest.mark.services
def test_postgresql_keeps_the_old_schema_and_refuses_while_others_are_there(backup, new, make_database):
    url = make_database()
    _succeeds(manage(new, "migrate", "-v", "0", DATABASE_URL=url))
    made = "from django.contrib.auth.models import User; User.objects.create_user('present')"
    _succeeds(manage(new, "shell", "-v", "0", "-c", made, DATABASE_URL=url))
    assert "--force" in _refused(new, backup, DATABASE_URL=url)
    with psycopg.connect(url):
        done = manage(new, "restore", "--force", str(backup), DATABASE_URL=url)
        assert done.returncode == 1 and "1 other connections use the database" in done.stderr
    _restored(new, backup, "--force", DATABASE_URL=url)
    with psycopg.connect(url) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before_restore%'")
        (old,) = [row[0] for row in schemas]
        names = connection.execute(f'SELECT username FROM "{old}".auth_user').fetchall()
        assert names == [("present",)]
        assert connection.execute("SELECT count(*) FROM auth_user").fetchone() == (1,)
        assert connection.execute("SELECT username FROM auth_user").fetchone() == ("björn",)


@pytest.mark.services
def test_postgresql_restore_that_fails_leaves_everything_as_it_was(backup, new, make_database, tmp_path):
    """A row that breaks a constraint, under checksums that are right: found by the new database, not by ours."""
    url = make_database()
    _succeeds(manage(new, "migrate", "-v", "0", DATABASE_URL=url))
    before = _again(new, tmp_path, DATABASE_URL=url)
    broken = _with_orphan(backup, tmp_path)
    done = manage(new, "restore", str(broken), DATABASE_URL=url)
    assert done.returncode != 0
    assert _again(new, tmp_path, DATABASE_URL=url) == before
    with psycopg.connect(url) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ 'helpcenter|before'")
        assert schemas.fetchall() == []


def test_restore_that_fails_leaves_everything_as_it_was(migrated, backup, new, tmp_path):
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    before = _state(new)
    done = manage(new, "restore", str(_with_orphan(backup, tmp_path)))
    assert done.returncode != 0
    assert _state(new) == before


def _with_orphan(backup: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with backup.open("rb") as source:
        manifest = archive.unpack(source, folder)
    table = folder / "rows" / "auth.user_groups.jsonl"
    with table.open("a") as file:
        file.write("[999, 999, 999]\n")
    broken = tmp_path / "broken.tar.gz"
    with broken.open("wb") as output:
        archive.pack(
            folder,
            output,
            created_at=manifest.created_at,
            database=manifest.database,
            migrations=manifest.migrations,
            rows=manifest.rows,
        )
    return broken


def test_killed_restore_is_no_obstacle_to_the_next(migrated, backup, new, tmp_path):
    """Killed while the new database is being filled: the live one is untouched, and a second try succeeds."""
    shutil.copytree(migrated, new, dirs_exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "restore", str(backup)],
        cwd=ROOT,
        env=environment(new),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(
        lambda: (new / "db.sqlite3.new").exists() or process.poll() is not None,
        seconds=60,
        what="the new database is begun",
    )
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (new / "db.sqlite3.new").exists()
    _restored(new, backup)
    assert _again(new, tmp_path) == _parts(backup)
    assert not (new / "db.sqlite3.new").exists()


# --- what a killed one leaves -----------------------------------------------------------------------------

KILLED = """
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from django.core.management import call_command
from helpcenter.backup import archive
archive.pack = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
call_command("backup", sys.argv[1])
"""


def _leftovers(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.glob(".backup-*")]


def test_a_killed_backup_leaves_nothing_that_the_next_one_does_not_remove(site, new, tmp_path):
    shutil.copytree(site, new, dirs_exist_ok=True)
    target = tmp_path / "help.tar.gz"
    killed = start_python(new, KILLED, str(target))
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    left = _leftovers(new, tmp_path)
    assert {path.is_dir() for path in left} == {True, False}
    assert not target.exists()
    _succeeds(manage(new, "backup", str(target)))
    assert set(_leftovers(new, tmp_path)) == set(left)  # somebody may have begun them a moment ago
    for path in left:
        os.utime(path, (0, 0))
    _succeeds(manage(new, "backup", str(tmp_path / "again.tar.gz")))
    assert _leftovers(new, tmp_path) == []


def test_what_another_backup_is_at_is_left_alone(tmp_path):
    with (
        unfinished.folder(tmp_path, unfinished.BACKUP) as folder,
        unfinished.file(tmp_path, unfinished.BACKUP) as (path, _file),
    ):
        for one in (folder, path):
            os.utime(one, (0, 0))
        with unfinished.folder(tmp_path, unfinished.BACKUP):
            assert folder.is_dir() and path.is_file()
    assert list(tmp_path.iterdir()) == []
