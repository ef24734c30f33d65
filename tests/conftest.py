"""Shared fixtures: articles in a real index with the real offline model, and nothing patched."""

import itertools
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import translation
from playwright.sync_api import Browser, sync_playwright

from assistant.models import EscalationPhrase
from assistant.phrases import first_phrases
from knowledge import bell, generations, retrieval, vectors, viewing
from knowledge.indexing import bell_held, sync_article
from knowledge.models import Article, Audience, Category, Status
from tests.browsing import CHROMIUM, FLAGS

SHARED_DATA = Path(os.environ.get("HELPCENTER_DATA", settings.BASE_DIR.parent / "shared" / "data"))

# An account, or a sign-in, costs half a second otherwise, on purpose.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

MakeArticle = Callable[..., Article]
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _fresh_index() -> Iterator[None]:
    """Database rows come back with the same ids after a rollback; the index must not remember the old ones."""
    yield
    cache.clear()
    retrieval.forget_lexical_indexes()
    generations.forget()
    bell.forget_broker()
    viewing.forget()
    vectors.reset_store()
    shutil.rmtree(settings.INDEX_DIR, ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A page in German leaves its thread speaking German; the next test starts over."""
    with translation.override("en"):
        yield


@pytest.fixture
def make_article(db: None) -> MakeArticle:
    """A published, indexed article; keyword arguments are its fields."""

    def make(
        title: str = "How to pause", body: str = "", *, synced: bool = True, **fields: object
    ) -> Article:
        number = next(_numbers)
        values: dict[str, object] = {
            "language": "en",
            "status": Status.PUBLISHED,
            "audience": Audience.PUBLIC,
            "slug": f"article-{number}",
        } | fields
        with bell_held():
            article = Article.objects.create(title=title, body=body or f"{title}.", **values)
        if synced:
            sync_article(article.pk)
            article.refresh_from_db()
        return article

    return make


@pytest.fixture
def make_category(db: None) -> Callable[..., Category]:
    def make(name: str = "Billing", **fields: object) -> Category:
        values: dict[str, object] = {"language": "en", "slug": f"category-{next(_numbers)}"} | fields
        return Category.objects.create(name=name, **values)

    return make


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff", "staff@example.org", "a good passphrase")


@pytest.fixture
def customer(db: None) -> User:
    return User.objects.create_user("customer", "customer@example.org", "a good passphrase")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process; each test opens a context of its own."""
    # Playwright's loop runs in this thread, and Django then takes the thread for an async one.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def pause(make_article: MakeArticle) -> Article:
    """An article that answers what a pause costs, among others that do not."""
    make_article(
        "Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."
    )
    return make_article(
        "Pause your subscription",
        "A pause of your subscription costs 9 euros a month and lasts one to three months.",
    )


@pytest.fixture
def phrases(db: None) -> None:
    """As the migration seeds them; transactional tests before this one may have emptied the table."""
    EscalationPhrase.objects.all().delete()
    EscalationPhrase.objects.bulk_create(
        EscalationPhrase(
            matter=one.matter,
            language=one.language,
            text=one.text,
            only_alone=one.only_alone,
            is_exception=one.is_exception,
        )
        for one in first_phrases()
    )


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the development data is not here ({SHARED_DATA})")
    return SHARED_DATA


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pytest_report_header() -> list[str]:
    """Proof of what the run was against."""
    if os.environ.get("REQUIRE_SERVICES") != "1":
        return ["services: none required; the database is SQLite"]
    with psycopg.connect(os.environ["TEST_DATABASE_URL"]) as connection:
        database = f"PostgreSQL {connection.info.parameter_status('server_version')}"
    broker = redis.from_url(os.environ["TEST_REDIS_URL"])
    found = [database, f"Redis {broker.info('server')['redis_version']}"]
    started = [f"{name} {version(name)}" for name in ("celery", "chromadb", "gunicorn")]
    return [f"services: {', '.join(found)}; started by the tests: {', '.join(started)}"]


_DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips, with its reason, what needs something this machine lacks; CI forbids such skips."""
    required = os.environ.get("REQUIRE_SERVICES") == "1"
    if os.environ.get("AFTER_MAKE_TEST") == "1":
        # The rest has run with the same outcome on SQLite a moment ago; pytest-django keeps it off the database.
        same = [item for item in items if not _meets_a_service(item)]
        config.hook.pytest_deselected(items=same)
        items[:] = [item for item in items if _meets_a_service(item)]
    for item in items:
        if item.get_closest_marker("browser") and not CHROMIUM.exists() and not required:
            item.add_marker(pytest.mark.skip(reason=f"no {CHROMIUM} on this machine"))
        if item.get_closest_marker("services") and not required:
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL and Redis; .ci/run requires them"))


def _meets_a_service(item: pytest.Item) -> bool:
    if item.get_closest_marker("browser") and not item.get_closest_marker("services"):
        # What a page does in a browser is the same on any database; `.ci/run` has installed one before `make test`.
        return not CHROMIUM.exists()
    names = set(getattr(item, "fixturenames", ()))
    marks = {"django_db", "services"} & {mark.name for mark in item.iter_markers()}
    return bool(marks or names & _DATABASE_FIXTURES)
