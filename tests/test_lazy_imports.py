"""What does not need the model or the index does not pay for them: seconds at every start."""

import subprocess
import sys

import pytest

from tests.processes import ROOT, environment

HEAVY = ("torch", "sentence_transformers", "transformers", "chromadb", "onnxruntime")
REPORT = f"""
import sys
print("loaded:", sorted(name for name in {HEAVY!r} if name in sys.modules))
"""
COMMANDS = {
    "migrate": "call_command('migrate', verbosity=0)",
    "check": "call_command('check')",
    "the admin": "import django.contrib.admin; django.contrib.admin.autodiscover(); "
    "from django.contrib.admin import site; assert len(site._registry) > 3",
    "the urls": "from django.urls import get_resolver; get_resolver().url_patterns",
    "the commands": "from django.core.management import get_commands, load_command_class\n"
    "for name, app in get_commands().items():\n"
    "    app in ('knowledge', 'assistant', 'helpcenter') and load_command_class(app, name)",
    "the supervisor": "import helpcenter.serving, helpcenter.gunicorn_hooks",
    "gunicorn before it forks": "from types import SimpleNamespace as Some\n"
    "import threading, helpcenter.wsgi\n"
    "from django.db import connection\n"
    "from helpcenter import gunicorn_hooks\n"
    "assert gunicorn_hooks.preload_app\n"
    "gunicorn_hooks.on_starting(Some(cfg=Some(workers=1)))\n"
    "assert threading.active_count() == 1 and connection.connection is None",
    "the tasks": "import knowledge.tasks, assistant.tasks",
    "the recipe": "from knowledge.embeddings import current_recipe; current_recipe()",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_heavy_is_imported_by(name, tmp_path):
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'helpcenter.settings'\n"
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        f"{COMMANDS[name]}\n{REPORT}"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "loaded: []"


def test_a_draft_is_saved_without_the_model(tmp_path):
    """An editor who writes drafts never waits for it."""
    code = f"""
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from knowledge.models import Article
Article.objects.create(title="Draft", slug="draft", body="Text.", language="en")
assert Article.objects.get().index_marks.exists()
{REPORT}"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert "torch" not in result.stdout.splitlines()[-1]
