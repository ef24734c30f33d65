"""Whatever is sent, the API answers in one error shape, names what is wrong, and never with a 500."""

import json
import logging
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client

from assistant.api import errors
from assistant.models import Question

QUESTIONS = "/api/v1/questions/"
pytestmark = pytest.mark.django_db


def send(client: Client, body: str | bytes, content_type: str = "application/json", **headers: str):
    return client.generic("POST", QUESTIONS, body, content_type, headers=headers)


def shape_of(response):
    """Checks the one shape and gives what is inside it."""
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"code", "message", "fields"}
    assert body["error"]["code"]
    assert body["error"]["message"]
    assert all(messages and all(messages) for messages in body["error"]["fields"].values())
    return body["error"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "   \n\t ",
        "\x00",
        "\x00\x01\x1b",
        "?!… -- !!",
        "x" * 2001,
        7,
        1.5,
        True,
        None,
        [],
        ["How?"],
        {},
        {"text": "How?"},
    ],
)
def test_a_question_that_is_none_is_refused_by_name(client, value):
    response = send(client, json.dumps({"question": value}))
    assert response.status_code == 400
    assert list(shape_of(response)["fields"]) == ["question"]
    assert not Question.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "How do I \x00pause\x07 it?",
        "<script>alert(1)</script> wie geht das?",
        "¿Cómo puedo pausar mi suscripción?",
        "如何暂停订阅？",
        "🚲🚲🚲 broken 🚲",
        "مرحبا كيف ألغي الاشتراك؟",
        "' OR 1=1; DROP TABLE knowledge_article; --",
        "x" * 2000,
        "{{ 7*7 }} {% debug %} ${7*7}",
    ],
)
def test_odd_questions_are_questions(client, text):
    response = send(client, json.dumps({"question": text}))
    assert response.status_code == 201
    assert "\x00" not in Question.objects.get().text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"{'question': 'x'}",
        b'{"question": "a"} trailing',
        b'{"question": NaN}',
        b'{"question": ' + b"9" * 6000 + b"}",
        b'{"question": "\xff\xfe"}',
        b'{"question": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"question": ' + b"[" * 50 + b"]" * 50 + b"}",
        b"\x00" * 100,
        b"\xef\xbb\xbf{}",
        '{"question": "a"}'.encode("utf-16"),
    ],
)
def test_bodies_that_are_no_json_object(client, body):
    response = send(client, body)
    assert response.status_code == 400
    shape_of(response)
    assert not Question.objects.exists()


def test_half_a_surrogate_pair_is_survived_as_value_and_as_name(client):
    response = send(client, '{"question": "How? \\ud800", "\\udfff": 1, "language": "\\ud83d"}')
    assert response.status_code == 400
    assert "language" in shape_of(response)["fields"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"language": "fr"}, "language"),
        ({"language": ["de"]}, "language"),
        ({"language": None}, "language"),
        ({"language": ""}, "language"),
        ({"conversation": "no-uuid"}, "conversation"),
        ({"conversation": 12}, "conversation"),
        ({"conversation": -1}, "conversation"),
        ({"conversation": None}, "conversation"),
        ({"contact_email": "nobody"}, "contact_email"),
        ({"contact_email": "a@b\n.org, c@d.org"}, "contact_email"),
        ({"contact_email": "a" * 250 + "@example.org"}, "contact_email"),
        ({"contact_email": {"a": 1}}, "contact_email"),
        ({"contact_name": "x" * 121}, "contact_name"),
        ({"contact_name": False}, "contact_name"),
        ({"lang": "de"}, "lang"),
        ({"__proto__": {}}, "__proto__"),
        ({"": 1}, ""),
        ({"x" * 5000: 1}, "x" * 99 + "…"),
    ],
)
def test_each_field_is_checked_and_named(client, fields, name):
    response = send(client, json.dumps({"question": "How long can I pause?"} | fields))
    assert response.status_code == 400
    assert list(shape_of(response)["fields"]) == [name]
    assert not Question.objects.exists()


def test_all_faults_are_told_at_once(client):
    response = send(client, json.dumps({"question": "", "language": "fr", "extra": 1}))
    assert set(shape_of(response)["fields"]) == {"question", "language", "extra"}


def test_ten_thousand_unknown_fields_make_no_long_answer(client):
    response = send(client, json.dumps({f"field{number}": 1 for number in range(10_000)}))
    assert response.status_code == 400
    assert len(response.content) < 5000


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_ten_megabytes_is_too_large(client, declared):
    body = json.dumps({"question": "x" * 10_000_000})
    response = send(client, body) if declared else send(client, body, **{"Content-Length": "12"})
    assert response.status_code == (413 if declared else 400)
    shape_of(response)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"],
)
def test_other_content_types_are_unsupported(client, content_type):
    response = send(client, "question=Hello", content_type)
    assert response.status_code == 415
    assert shape_of(response)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("charset", ["utf-16", "base64", "idna", "rot13", "nonsense"])
def test_the_charset_of_the_header_changes_nothing(client, charset):
    response = send(client, '{"question": "How long can I pause?"}', f"application/json; charset={charset}")
    assert response.status_code == 201


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", QUESTIONS, 405, "method_not_allowed"),
        ("DELETE", QUESTIONS, 405, "method_not_allowed"),
        ("BREW", QUESTIONS, 405, "method_not_allowed"),
        ("POST", "/api/v1/articles/", 405, "method_not_allowed"),
        ("PUT", "/api/v1/articles/1/", 405, "method_not_allowed"),
        ("GET", "/api/v1/", 404, "not_found"),
        ("GET", "/api/v1/nothing/", 404, "not_found"),
        ("POST", "/api/v1/questions", 404, "not_found"),
        ("GET", "/api/v1/questions/not-a-uuid/", 404, "not_found"),
        ("GET", "/api/v1/articles/abc/", 404, "not_found"),
        ("GET", "/api/v1/articles/-1/", 404, "not_found"),
        ("GET", "/api/v1/%00/%ff/", 404, "not_found"),
    ],
)
def test_addresses_and_methods(client, method, address, status, code):
    response = client.generic(method, address)
    assert response.status_code == status
    if method != "HEAD":
        assert shape_of(response)["code"] == code


def test_an_answer_format_that_we_do_not_speak(client):
    response = client.get("/api/v1/articles/", headers={"Accept": "application/xml"})
    assert response.status_code == 406
    shape_of(response)


def test_too_many_query_parameters(client):
    response = client.get("/api/v1/articles/?" + "&".join(f"a{number}=1" for number in range(2000)))
    assert response.status_code == 400
    shape_of(response)


def test_messages_follow_accept_language(client):
    english = shape_of(send(client, "{}", **{"Accept-Language": "en"}))
    german = shape_of(send(client, "{}", **{"Accept-Language": "de-AT,de;q=0.9"}))
    assert english["code"] == german["code"]
    assert english["fields"].keys() == german["fields"].keys()
    assert english["fields"]["question"] != german["fields"]["question"]


def test_a_session_needs_the_csrf_token(customer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(customer)
    refused = send(client, '{"question": "How long can I pause?"}')
    assert refused.status_code == 403
    assert shape_of(refused)["code"] == "permission_denied"

    client.get("/admin/login/")
    token = client.cookies["csrftoken"].value
    accepted = send(client, '{"question": "How long can I pause?"}', **{"X-CSRFToken": token})
    assert accepted.status_code == 201


def test_nobody_needs_a_token_without_a_session():
    assert send(Client(enforce_csrf_checks=True), '{"question": "How long?"}').status_code == 201


def test_a_form_with_a_session_is_still_told_in_the_shape(customer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(customer)
    too_big = send(client, "question=" + "x" * 10_000_000, "application/x-www-form-urlencoded")
    assert too_big.status_code in (403, 413)
    shape_of(too_big)
    broken = send(client, b"--x\r\n", "multipart/form-data; boundary=")
    assert broken.status_code in (400, 403, 415)
    shape_of(broken)


@pytest.fixture
def broken_index(settings, tmp_path: Path):
    """A fault nobody foresaw: the calibration that the settings name is no JSON."""
    file = tmp_path / "confidence.json"
    file.write_text('{"not": "a model"}')
    settings.CONFIDENCE_FILE = str(file)


def test_the_unexpected_is_a_500_in_the_shape_and_in_the_log(client, make_article, broken_index, caplog):
    make_article("Pause", "Pause for one to three months.")
    client.raise_request_exception = False
    with caplog.at_level(logging.ERROR, "django.request"):
        response = send(client, '{"question": "How long can I pause?"}')
    assert response.status_code == 500
    error = shape_of(response)
    assert error["code"] == "server_error"
    assert "confidence" not in error["message"]
    logged = [record for record in caplog.records if record.name == "django.request"]
    assert len(logged) == 1
    assert logged[0].exc_info
    assert Question.objects.get().status == "received"  # stored first, so staff can see it


def test_the_unexpected_reaches_whoever_listens_for_it(client, make_article, broken_index):
    """Error trackers hear of a fault by Django's signal, and so does the test client."""
    make_article("Pause", "Pause for one to three months.")
    with pytest.raises(Exception, match=r"CONFIDENCE_FILE|not"):
        send(client, '{"question": "How long can I pause?"}')


def test_suspicious_operations_are_bad_requests():
    response = errors.handle(SuspiciousOperation("secret detail"), {})
    assert response is not None
    assert response.status_code == 400
    assert "secret" not in json.dumps(response.data)
