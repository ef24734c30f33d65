"""The database is locked or away: a page that says so within ten seconds, and nothing that was typed is lost."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from assistant.models import Question, Ticket, TicketMessage, TicketStatus
from tests.databases import locked_by_somebody_else
from tests.pages import text_of
from tests.processes import free_port, line_of, start_python

TYPED = "Why does my <b>bike</b> rattle?\r\n\r\n  Since Monday & only on cobbles."
PATIENCE_SECONDS = 10
SAID = "The help center cannot be reached at the moment"

# A web process whose database is somewhere where nothing listens.
VISIT = """
import json, os, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "localhost"})
visits = [
    ("get", "/livez", None),
    ("get", "/de/", None),
    ("post", "/en/ask/", {"text": "Why does it rattle?", "idempotency_key": "0" * 32}),
    ("post", "/de/login/", {"username": "ada", "password": "a good passphrase"}),
    ("post", "/api/v1/questions/", {"question": "Why does it rattle?"}),
]
for method, path, values in visits:
    started = time.monotonic()
    options = {"content_type": "application/json"} if path.startswith("/api") else {}
    response = getattr(client, method)(path, values, **options)
    print(json.dumps([path, response.status_code, time.monotonic() - started, response.content.decode()]), flush=True)
"""


@pytest.fixture
def client():
    """A visitor as the real server has him: what fails inside becomes a response."""
    return Client(raise_request_exception=False)


def fields_of(content: bytes) -> dict[str, str]:
    """What a browser without JavaScript would send from the page's form."""
    html = content.decode()
    form = html[html.index('<form class="card') :].partition("</form>")[0]
    inputs = re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', form)
    texts = re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?([^<]*)</textarea>', form)
    return {name: unescape(value) for name, value in inputs + texts}


def post_from_a_thread(path: str, values: dict[str, str], options: dict[str, Any]):
    started = time.monotonic()
    try:
        response = Client(raise_request_exception=False).post(path, values, **options)
    finally:
        connection.close()
    return response, time.monotonic() - started


@pytest.mark.django_db(transaction=True)
def test_a_lock_of_three_seconds_is_waited_for(client):
    entered = threading.Event()

    def hold() -> None:
        with locked_by_somebody_else("assistant_question"):
            entered.set()
            time.sleep(3)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    response = client.post("/en/ask/", {"text": "Why does it rattle?"})
    holder.join()
    assert response.status_code == 302
    assert Question.objects.get().text == "Why does it rattle?"


@pytest.mark.django_db(transaction=True)
def test_a_longer_lock_gives_a_page_with_the_text_which_can_be_sent_again(client, make_article):
    """Pages in both languages, a message to a person and the API, all against one lock."""
    message = {"subject": "Rattling", "detail": TYPED, "contact_email": "ada@example.org", "contact_name": ""}
    key = {"idempotency_key": "0" * 32}
    api = {"content_type": "application/json", "headers": {"Idempotency-Key": "k-1", "Accept-Language": "en"}}
    visits = [
        ("/en/ask/", {"text": TYPED, "action": "ask"} | key, {}),
        ("/de/contact/", message | key, {}),
        ("/api/v1/questions/", {"question": "Why?"}, api),
    ]
    with ThreadPoolExecutor(3) as pool, locked_by_somebody_else("assistant_question", "assistant_ticket"):
        replies = list(pool.map(lambda visit: post_from_a_thread(*visit), visits))
    assert [response.status_code for response, _seconds in replies] == [503, 503, 503]
    assert max(seconds for _response, seconds in replies) < PATIENCE_SECONDS
    assert all(int(response["Retry-After"]) > 0 for response, _seconds in replies)
    (english, _), (german, _), (machine, _) = replies
    assert SAID in text_of(english.content)
    assert '<html lang="de">' in german.content.decode()
    assert machine.json()["error"]["code"] == "unavailable"
    assert not Question.objects.exists() and not Ticket.objects.exists()

    fields = fields_of(english.content)
    assert fields["text"] == TYPED
    assert fields["idempotency_key"] == key["idempotency_key"]
    fields.pop("csrfmiddlewaretoken")
    assert client.post("/en/ask/", fields).status_code == 302
    assert client.post("/en/ask/", fields).status_code == 302
    assert Question.objects.get().text == TYPED.replace("\r\n", "\n")

    fields = fields_of(german.content)
    fields.pop("csrfmiddlewaretoken")
    assert {name: fields[name] for name in message if name != "detail"} == {
        name: value for name, value in message.items() if name != "detail"
    }
    assert client.post("/de/contact/", fields).status_code == 302
    assert Ticket.objects.filter(question=None).get().detail == TYPED.replace("\r\n", "\n")
    assert client.post("/api/v1/questions/", {"question": "Why?"}, **api).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_the_form_of_the_page_passes_the_check_against_forgery(make_article):
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    ticket = Ticket.objects.create(
        subject="S",
        reason="customer_request",
        language="en",
        status=TicketStatus.OPEN,
        contact_email="a@b.de",
    )
    path = f"/en/tickets/{ticket.token}/"
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path).content.decode())[0]
    with locked_by_somebody_else("assistant_ticketmessage"):
        page = client.post(
            f"{path}reply/", {"csrfmiddlewaretoken": token, "body": "Yes.", "idempotency_key": "1" * 32}
        )
    assert page.status_code == 503
    fields = fields_of(page.content)
    assert fields["body"] == "Yes."
    assert f'action="{path}reply/"' in page.content.decode()
    assert client.post(f"{path}reply/", fields).status_code == 302
    assert TicketMessage.objects.get().body == "Yes."


@pytest.mark.django_db(transaction=True)
def test_a_session_that_cannot_be_saved_is_no_lost_text_either(client):
    """It fails in a middleware, after the view: the question is stored by then, and sent again it stays one."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite only: a missing table is an OperationalError there, a ProgrammingError elsewhere")
    form = {"text": "Why does it rattle?", "idempotency_key": "2" * 32}
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO elsewhere")
        try:
            page = client.post("/de/ask/", form)
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO django_session")
    assert page.status_code == 503
    assert fields_of(page.content)["text"] == form["text"]
    assert client.post("/de/ask/", form).status_code == 302
    assert Question.objects.get().text == form["text"]


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_a_database_that_is_away_is_told_on_every_page_and_in_the_api(tmp_path, kind):
    gone = {
        "postgres": f"postgres://nobody:secret-word@127.0.0.1:{free_port()}/gone",
        "sqlite": f"sqlite:///{tmp_path}/no/such/folder/db.sqlite3",
    }[kind]
    process = start_python(tmp_path, VISIT, DATABASE_URL=gone)
    try:
        visits = {path: rest for path, *rest in (json.loads(line_of(process)) for _visit in range(5))}
    finally:
        process.kill()
        process.communicate()
    assert visits.pop("/livez")[0] == 200
    assert {status for status, _seconds, _content in visits.values()} == {503}
    assert max(seconds for _status, seconds, _content in visits.values()) < PATIENCE_SECONDS
    assert '<html lang="de">' in visits["/de/"][2]
    assert "Why does it rattle?" in visits["/en/ask/"][2]
    assert "a good passphrase" not in visits["/de/login/"][2]
    assert json.loads(visits["/api/v1/questions/"][2])["error"]["code"] == "unavailable"
    assert not any("secret-word" in content for _status, _seconds, content in visits.values())
