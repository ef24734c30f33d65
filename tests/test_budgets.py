"""Budgets: exact across threads, fair to neighbours, blind to forged headers, and free of addresses."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver, reverse

from assistant.abuse import clients, middleware
from assistant.abuse.budgets import Rate, Refusal, forget_full_budgets, parse_rate, spend
from assistant.abuse.local import KnownRefusals, RequestGuard, Slots
from assistant.abuse.refusals import in_words
from assistant.abuse.routes import FREE_POSTS, POSTS
from assistant.models import Question, SpentBudget, Ticket
from assistant.validation import InvalidInput
from tests.databases import locked_by_somebody_else
from tests.pages import text_of

OFF = ("off", "off")
QUESTION = "How much is a pause of my subscription?"


@pytest.fixture
def limits(settings):
    """Sets budgets for one test; what it does not name is unlimited."""
    middleware.forget()
    settings.ABUSE_PROTECTION = True
    settings.BUDGET_REQUESTS = "off"
    settings.FORM_SECONDS = 0

    def choose(**chosen: tuple[str, str]) -> None:
        settings.BUDGETS = dict.fromkeys(settings.BUDGETS, OFF) | chosen

    choose()
    yield choose
    middleware.forget()


def ask(client: Client, text: str = QUESTION, **headers: str):
    return client.post("/en/ask/", {"text": text}, headers=headers)


def ask_api(client: Client, **headers: str):
    return client.post("/api/v1/questions/", {"question": QUESTION}, "application/json", headers=headers)


def write_to_a_person(client: Client, **headers: str):
    values = {"subject": "Brakes", "detail": "They squeal.", "contact_email": "ada@example.org"}
    return client.post("/en/contact/", values, headers=headers)


# --- the store --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_exactly_what_is_there(limits):
    limits(questions=("7/hour", "off"))

    def try_once(_n: int) -> Refusal | None:
        try:
            return spend("questions", "address 192.0.2.1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        refused = [refusal for refusal in pool.map(try_once, range(40)) if refusal is not None]
    assert len(refused) == 33
    assert all(0 < refusal.wait_seconds <= 3600 / 7 for refusal in refused)


@pytest.mark.django_db
def test_what_was_spent_comes_back_evenly(limits, monkeypatch):
    limits(questions=("4/min", "off"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert [spend("questions", "one") is None for _n in range(5)] == [True] * 4 + [False]
    refusal = spend("questions", "one")
    assert refusal is not None and refusal.wait_seconds == pytest.approx(15, abs=0.1)
    now += 15.1
    assert spend("questions", "one") is None
    assert spend("questions", "one") is not None
    now += 3600
    assert [spend("questions", "one") is None for _n in range(5)] == [True] * 4 + [False]


@pytest.mark.django_db
def test_a_clock_that_was_set_back_locks_nobody_out(limits, monkeypatch):
    limits(questions=("2/min", "off"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert spend("questions", "one") is None and spend("questions", "one") is None
    now -= 7200
    assert spend("questions", "one") is None


@pytest.mark.django_db
def test_a_site_that_is_full_costs_the_client_nothing(limits):
    limits(questions=("5/hour", "2/hour"))
    assert spend("questions", "one") is None and spend("questions", "two") is None
    refusal = spend("questions", "three")
    assert refusal is not None and refusal.is_site_wide
    assert SpentBudget.objects.count() == 3  # one, two and the site


@pytest.mark.django_db
def test_full_budgets_leave_no_row(limits, monkeypatch):
    limits(questions=("60/min", "off"), tickets=("1/day", "off"))
    spend("questions", "one")
    spend("tickets", "one")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert forget_full_budgets() == 1
    assert SpentBudget.objects.get().key.startswith("tickets:")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_nobody_waits_for_a_locked_database_to_be_counted(limits):
    limits(search=("1/hour", "off"))
    spend("search", "one")
    with locked_by_somebody_else():
        started = time.monotonic()
        assert spend("search", "one") is None
        assert time.monotonic() - started < 2
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    assert spend("search", "one") is not None


@pytest.mark.parametrize(
    ("text", "rate"),
    [("20/min", Rate(20, 60)), ("100/10s", Rate(100, 10)), ("5/2h", Rate(5, 7200)), ("off", None)],
)
def test_rates_are_read(text, rate):
    assert parse_rate(text) == rate


# --- who counts as one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "client"),
    [
        (0, "198.51.100.7", "", "198.51.100.7"),
        (0, "198.51.100.7", "203.0.113.9", "198.51.100.7"),  # anybody can write a header
        (1, "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        (
            1,
            "10.0.0.1",
            "1.1.1.1, 2.2.2.2, 203.0.113.9",
            "203.0.113.9",
        ),  # what the visitor made up is further left
        (2, "10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1", "203.0.113.9:51234", "203.0.113.9"),
        (1, "10.0.0.1", "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        (1, "10.0.0.1", "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (1, "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1", "unknown", "10.0.0.1"),
        (1, "10.0.0.1", "<script>", "10.0.0.1"),
        (0, "", "", "unknown"),  # a Unix socket
    ],
)
def test_the_address_of_a_client(settings, proxies, peer, forwarded, client):
    settings.NUM_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)
    assert clients.client_address(request) == client


@pytest.mark.django_db
def test_no_address_is_stored_and_tomorrow_it_is_another_key(limits, client, monkeypatch):
    limits(questions=("5/hour", "5/hour"))
    ask_api(client)
    stored = list(SpentBudget.objects.values_list("key", flat=True))
    assert len(stored) == 2 and not any("127.0.0.1" in key for key in stored)
    today = clients.stored_key("questions", "address 127.0.0.1")
    assert today in stored
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    assert clients.stored_key("questions", "address 127.0.0.1") != today


def test_a_proxy_that_nobody_configured_is_told_once(settings, caplog, monkeypatch):
    monkeypatch.setattr(clients, "_warned", False)
    settings.NUM_PROXIES = 0
    for _n in range(3):
        clients.client_address(RequestFactory().get("/", headers={"X-Forwarded-For": "203.0.113.9"}))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "NUM_PROXIES" in caplog.text and "203.0.113.9" not in caplog.text


# --- pages and API ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_pages_and_api_spend_the_same_budget_and_neighbours_have_their_own(limits, client, settings):
    settings.NUM_PROXIES = 1
    limits(questions=("2/hour", "off"))
    anna, bert = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    assert ask(client, **anna).status_code == 302
    assert ask_api(client, **anna).status_code == 201
    assert ask(client, **anna).status_code == 429
    assert ask_api(client, **anna).status_code == 429
    spoofed = {"X-Forwarded-For": "9.9.9.9, 203.0.113.1"}
    assert ask(client, **spoofed).status_code == 429
    assert ask(client, **bert).status_code == 302
    assert Question.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "said", "again"),
    [("en", "questions an hour", "minutes"), ("de", "Fragen pro Stunde", "Minuten")],
)
def test_the_page_gives_back_what_was_typed_and_offers_a_person(limits, client, language, said, again):
    limits(questions=("2/hour", "off"))
    for _n in range(2):
        ask(client)
    typed = "Why does my <b>bike</b> rattle?\nSince Monday."
    page = client.post(f"/{language}/ask/", {"text": typed, "idempotency_key": "0" * 32})
    assert page.status_code == 429
    assert 0 < int(page["Retry-After"]) <= 1800
    assert "no-store" in page["Cache-Control"]
    html, text = page.content.decode(), text_of(page.content)
    assert said in text and again in text
    assert (
        html.count("Why does my &lt;b&gt;bike&lt;/b&gt; rattle?") >= 2
    )  # to ask again, and to write to a person
    assert f'action="/{language}/contact/"' in html
    assert Question.objects.count() == 2


@pytest.mark.django_db
def test_a_blocked_asker_still_reaches_a_person(limits, client, settings):
    settings.CONTACT_EMAIL = "help@example.org"
    limits(questions=("1/hour", "off"), tickets=("2/hour", "off"))
    ask(client)
    assert ask(client).status_code == 429
    assert write_to_a_person(client).status_code == 302
    assert Ticket.objects.filter(status="open").count() == 1
    write_to_a_person(client)
    refused = write_to_a_person(client)
    assert refused.status_code == 429
    assert "They squeal." in refused.content.decode()
    assert 'name="contact_email" value="ada@example.org"' in refused.content.decode()
    assert 'href="mailto:help@example.org"' in refused.content.decode()


@pytest.mark.django_db
def test_the_api_says_it_in_its_shape_and_language(limits, client):
    limits(questions=("1/min", "off"))
    ask_api(client)
    refused = ask_api(client, **{"Accept-Language": "de"})
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 60
    error = json.loads(refused.content)["error"]
    assert error["code"] == "throttled" and error["fields"] == {}
    assert "pro Minute" in error["message"]


@pytest.mark.django_db
def test_a_full_site_says_so(limits, client):
    limits(questions=("off", "1/min"))
    ask(client)
    page = ask(client)
    assert page.status_code == 429
    assert "Very many people" in text_of(page.content)


@pytest.mark.django_db
def test_accounts_count_as_themselves(limits, client, customer):
    limits(questions=("1/hour", "off"))
    assert ask(client).status_code == 302
    assert ask(client).status_code == 429
    client.force_login(customer)
    assert ask(client).status_code == 302
    assert ask(client).status_code == 429


@pytest.mark.django_db
def test_searching_has_its_own_budget_and_reading_has_none(limits, client):
    limits(search=("2/hour", "off"))
    assert [client.get("/en/search/?q=pause").status_code for _n in range(3)] == [200, 200, 429]
    assert client.get("/api/v1/articles/?q=pause").status_code == 429
    assert client.get("/en/search/").status_code == 200
    assert client.get("/api/v1/articles/").status_code == 200
    assert client.get("/en/").status_code == 200


@pytest.mark.django_db
def test_guessing_passwords_is_slow_and_no_password_comes_back(limits, client, customer):
    limits(sign_in=("2/hour", "off"))
    guess = {"username": "customer", "password": "a bad passphrase"}
    assert [client.post("/en/login/", guess).status_code for _n in range(3)] == [200, 200, 429]
    refused = client.post("/admin/login/", guess)
    assert refused.status_code == 429
    assert b"a bad passphrase" not in refused.content


@pytest.mark.django_db
def test_nobody_is_told_at_length_for_ever(limits, client, django_assert_num_queries):
    limits(questions=("1/hour", "off"))
    ask(client)
    pages = [ask(client) for _n in range(13)]
    assert all(page.status_code == 429 and "Retry-After" in page for page in pages)
    assert len(pages[0].content) > 3 * len(pages[-1].content)
    assert 'href="/en/contact/"' in pages[-1].content.decode()
    with django_assert_num_queries(0):  # what is known to be refused is not counted again
        assert ask_api(Client()).status_code == 429


def test_a_flood_is_refused_before_anything_else(limits, client, settings):
    settings.BUDGET_REQUESTS = "3/12s"
    pages = [client.get("/livez") for _n in range(5)]
    assert [page.status_code for page in pages] == [200, 200, 200, 429, 429]
    assert pages[-1]["Retry-After"] == "4"
    german = client.get(
        "/de/", headers={"Accept-Language": "en"}
    )  # without a database: this test may not use one
    assert german.status_code == 429 and 'lang="de"' in german.content.decode()
    assert json.loads(client.get("/api/v1/articles/").content)["error"]["code"] == "throttled"
    assert client.get("/livez", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_processes_share_what_a_client_may_send(limits, client, settings):
    settings.BUDGET_REQUESTS = "3/30s"  # of all of them: one in ten seconds
    try:
        middleware.share_with(2)
        pages = [client.get("/livez") for _n in range(4)]
    finally:
        middleware.share_with(1)
    assert [page.status_code for page in pages] == [200, 200, 200, 429]  # a burst is each one's own
    assert pages[-1]["Retry-After"] == "20"


# --- this process -----------------------------------------------------------------------------------------------


def test_the_guard_forgets_clients_and_keeps_count(monkeypatch):
    now = [0.0]
    guard = RequestGuard(clock=lambda: now[0])
    rate = Rate(2, 10)
    assert [guard.wait_seconds("a", rate) for _n in range(3)] == [0, 0, pytest.approx(5)]
    now[0] = 5.1
    assert guard.wait_seconds("a", rate) == 0
    monkeypatch.setattr("assistant.abuse.local._CLIENTS_KEPT", 3)
    for name in "bcdefgh":
        now[0] += 20
        guard.wait_seconds(name, rate)
    assert len(guard._full_at) <= 3


def test_a_known_refusal_ends_when_it_said():
    now = [0.0]
    known = KnownRefusals(clock=lambda: now[0])
    known.remember("a", Refusal("questions", False, Rate(1, 60), 30.0))
    now[0] = 20.0
    left = known.find("a")
    assert left is not None and left.wait_seconds == pytest.approx(10)
    now[0] = 30.1
    assert known.find("a") is None and known.find("b") is None


def test_slots_are_given_back():
    slots = Slots()
    assert [slots.take("a", 2) for _n in range(3)] == [True, True, False]
    assert slots.take("b", 2)
    slots.free("a")
    assert slots.take("a", 2)


def _ask_and_hang_up():
    try:
        return ask_api(Client())
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_one_client_cannot_keep_all_threads_busy(limits, client, settings, monkeypatch):
    settings.QUESTIONS_AT_ONCE = 1
    limits(questions=("100/min", "off"))
    arrived, may_go = threading.Event(), threading.Event()

    def slow(**_question: object) -> Question:
        arrived.set()
        assert may_go.wait(10)
        raise InvalidInput("question", "too slow")

    monkeypatch.setattr("assistant.api.views.ask_question", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_ask_and_hang_up)
        assert arrived.wait(10)
        second = ask_api(client)
        assert second.status_code == 429 and second["Retry-After"] == "2"
        other = ask_api(client, **{"X-Forwarded-For": "203.0.113.9"})
        assert other.status_code == 429
        may_go.set()
        assert first.result().status_code == 400
    assert ask_api(client).status_code == 400  # the slot is free again, also after an error


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 second"), (90, "90 seconds"), (91, "2 minutes"), (5401, "2 hours")]
)
def test_waiting_in_words(seconds, words):
    assert in_words(seconds) == words


# --- every address ----------------------------------------------------------------------------------------------


def _public_views(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, str]]:
    """Names and an example of an address; the admin's own pages are for staff."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{entry.namespace}:" if entry.namespace else ""
            yield from _public_views(entry, namespace + inner)
        elif entry.name and (namespace != "admin:" or entry.name == "login"):
            name = f"{namespace}{entry.name}"
            example = {"UUIDConverter": str(uuid.uuid4()), "IntConverter": "1"}
            values = {
                key: example.get(type(converter).__name__, "x")
                for key, converter in entry.pattern.converters.items()
            }
            if name == "picture":  # its pattern takes names of pictures alone
                values = {"name": f"{'0' * 40}.png"}
            if name == "account_reset_password_from_key":
                values = {"uidb36": "1", "key": "set-password"}
            yield name, reverse(name, kwargs=values)


@pytest.mark.django_db
def test_every_public_address_that_takes_a_form_has_a_budget():
    """A new page or API view that changes something has to say what it spends, or that it costs nothing."""
    client = Client(raise_request_exception=False)
    takers = {
        name for name, address in _public_views(get_resolver()) if client.post(address, {}).status_code != 405
    }
    assert {"ask", "new_ticket", "api-questions"} <= takers
    only_read = {"sitemap", "feed", "category_feed"}  # Django's, whatever the method
    assert takers - POSTS.keys() - FREE_POSTS <= only_read
    assert POSTS.keys() - takers == set()
