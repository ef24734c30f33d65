"""A bad value stops start-up with its name, what was found and what is allowed; good ones need no code."""

import subprocess
import sys

import pytest
from django.conf import settings

from tests.processes import environment as clean_environment

PRODUCTION = {
    "SECRET_KEY": "k" * 30 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "help.example.org",
    "SITE_URL": "https://help.example.org",
    "HTTPS": "1",
    "EMAIL_URL": "submission://user:password@mail.example.org:587",
    "DATABASE_URL": "postgres://help@127.0.0.1/help",
    "CELERY_BROKER_URL": "redis://127.0.0.1:6379/0",
    "CHROMA_URL": "http://127.0.0.1:8001",
}


def _manage(tmp_path, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=clean_environment(tmp_path, **environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("DEBUG", "perhaps", "boolean"),
        ("EMBEDDING_DEVICE", "tpu", "cuda"),
        ("LANGUAGE_CODE", "fr", "de"),
        ("DATABASE_URL", "nosuchdb://x", "DATABASE_URL"),
        ("EMAIL_TIMEOUT", "soon", "integer"),
        ("EMAIL_URL", "pigeon://loft", "submission"),
        ("CHROMA_URL", "localhost", "CHROMA_URL"),
        ("ANSWER_WRITER", "magic", "extractive"),
        ("EMBEDDING_MODEL", "/no/such/folder", "EMBEDDING_MODEL"),
        ("GROUNDING_MODEL", "/no/such/folder", "GROUNDING_MODEL"),
        ("GROUNDING_LANGUAGES", "fr", "de, en"),
    ],
)
def test_bad_value_is_named_with_what_is_allowed(tmp_path, name, value, allowed):
    done = _manage(tmp_path, "check", **{name: value})
    assert done.returncode != 0
    assert name in done.stderr
    assert allowed in done.stderr


def test_broker_without_chroma_server_is_refused(tmp_path):
    done = _manage(tmp_path, "check", CELERY_BROKER_URL="redis://127.0.0.1:6379/0")
    assert done.returncode != 0
    assert "helpcenter.E001" in done.stderr


def test_deploy_check_is_silent_with_the_settings_of_the_readme(tmp_path):
    done = _manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_every_instance_makes_its_own_secret_key(tmp_path):
    def key(folder):
        done = _manage(
            folder, "shell", "-v", "0", "-c", "from django.conf import settings; print(settings.SECRET_KEY)"
        )
        return done.stdout.strip().splitlines()[-1]

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = key(tmp_path / "a")
    assert len(first) > 50
    assert key(tmp_path / "a") == first
    assert key(tmp_path / "b") != first
    assert (tmp_path / "a" / "secret_key").stat().st_mode & 0o077 == 0
