"""What people and machines send that they should not: a clear message, the text still there, never a 500."""

import pytest

from assistant.models import Question, Ticket
from tests.pages import answered, escalated, text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [
        ("", "Please type a question. The field is empty.", None),
        ("   \n ", "The field is empty.", None),
        ("\x00\x01\x02", "The field is empty.", None),
        ("?!… ---", "holds only punctuation", None),
        ("x" * 2001, "Your question has 2001 characters. At most 2000 are allowed", None),
    ],
)
def test_a_question_that_cannot_be_accepted_names_what_is_wrong(client, text, english, german):
    response = client.post("/en/ask/", {"text": text})
    assert response.status_code == 422
    page = text_of(response.content)
    assert english in page
    assert page.startswith("Error: Ask a question")
    html = response.content.decode()
    assert 'aria-invalid="true"' in html
    if text.strip("\x00\x01\x02 \n"):
        assert f">{text}</textarea>" in html
    assert not Question.objects.exists()


def test_a_refusal_is_in_the_readers_language(client):
    page = text_of(client.post("/de/ask/", {"text": "?!"}).content)
    assert "holds only punctuation" not in page
    assert page.startswith("Fehler:")


@pytest.mark.parametrize(
    "text",
    ["Pause\x00 my\x07 plan?", "<script>alert(1)</script> why?", "ä\r\nö?", "\ud83d\ude00 ok?", "‮evil text‬"],
)
def test_odd_characters_are_cleaned_and_answered(client, text):
    payload = f"text={'Pause%00+my%07+plan%3F'}" if "\x00" in text else None
    if payload:
        response = client.post("/en/ask/", payload, content_type="application/x-www-form-urlencoded")
    else:
        response = client.post(
            "/en/ask/", {"text": text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")}
        )
    assert response.status_code == 302
    stored = Question.objects.get().text
    assert "\x00" not in stored
    assert "<script>alert" not in client.get(response["Location"]).content.decode()


@pytest.mark.parametrize("length", [2000, 1999])
def test_line_ends_of_the_browser_do_not_count_twice(client, length):
    text = ("a\n" * 1000)[: length - 1] + "b"
    assert client.post("/en/ask/", {"text": text.replace("\n", "\r\n")}).status_code == 302


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"],
)
@pytest.mark.parametrize("path", ["/en/ask/", "/de/contact/"])
def test_ten_megabytes_are_refused_with_a_page(client, path, content_type):
    body = b"text=" + b"x" * 10_000_000
    if "multipart" in content_type:
        body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + body + b"\r\n--x--\r\n"
    response = client.post(path, body, content_type=content_type)
    if content_type == "application/json":  # not a form: nothing was read, so the fields are empty
        assert response.status_code == 422
        return
    assert response.status_code == 413
    assert ("1024 KiB" in text_of(response.content)) or ("1.024 KiB" in text_of(response.content))
    assert "2000" in text_of(response.content).replace(".", "").replace(",", "")


@pytest.mark.parametrize(
    "email", ["", "anna", "anna@", "a b@example.org", "x" * 300 + "@example.org", "a@b\x00.de"]
)
def test_an_address_that_is_none_is_refused_and_kept(client, email):
    asked = escalated()
    form = {"contact_email": email, "contact_name": "Anna <b>", "detail": "Size L"}
    response = client.post(f"/en/answers/{asked.public_id}/contact/", form)
    html = response.content.decode()
    if email == "a@b\x00.de":  # without the control character it is one
        assert response.status_code == 302
        return
    assert response.status_code == 422
    assert "E-mail address:" in html
    assert 'href="#id_contact_email"' in html
    assert "Anna &lt;b&gt;" in html
    assert "Size L</textarea>" in html
    assert Ticket.objects.get().contact_email == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": ""}, "Subject: Please write something here"),
        ({"detail": " "}, "Your message: Please write something here"),
        ({"subject": "x" * 301}, "Subject: This text has 301 characters. At most 300"),
        ({"detail": "x" * 5001}, "Your message: This text has 5001 characters. At most 5000"),
        ({"contact_name": "x" * 121}, "Name: This text has 121 characters. At most 120"),
        ({"contact_email": "nobody"}, "E-mail address: This is not an e-mail address"),
    ],
)
def test_a_message_that_cannot_be_accepted_names_the_field(client, change, message):
    form = {"subject": "Rattling", "detail": "Since Monday", "contact_email": "anna@example.org"} | change
    response = client.post("/en/contact/", form)
    assert response.status_code == 422
    assert message in text_of(response.content)
    assert 'value="Rattling"' in response.content.decode() or "subject" in change
    assert not Ticket.objects.exists()


def test_feedback_that_makes_no_sense_is_refused(client, make_article):
    asked = answered(make_article("Pause", synced=False))
    address = f"/en/answers/{asked.public_id}/feedback/"
    for form in (
        {},
        {"helpful": "maybe"},
        {"helpful": "no", "reason": "because"},
        {"helpful": "no", "comment": "x" * 1001},
    ):
        assert client.post(address, form).status_code == 422
    assert (
        client.post(f"/en/answers/{escalated().public_id}/feedback/", {"helpful": "yes"}).status_code == 422
    )


def test_an_empty_reply_is_refused_and_the_thread_stays(client):
    Ticket.objects.create(
        subject="S", reason="customer_request", language="en", status="open", contact_email="a@b.de"
    )
    token = Ticket.objects.get().token
    assert client.post(f"/en/tickets/{token}/reply/", {"body": " "}).status_code == 422
    response = client.post(f"/en/tickets/{token}/reply/", {"body": "x" * 5001})
    assert response.status_code == 422
    assert "At most 5000" in text_of(response.content)
    assert "x" * 5001 in response.content.decode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("%00", 200),
        ("a%00b", 200),
        ("???", 400),
        ("x" * 501, 400),
        ("%ff%fe", 200),
        ("%3Cscript%3Ealert(1)%3C/script%3E", 200),
    ],
)
def test_search_survives_every_query(client, query, status):
    response = client.get(f"/en/search/?q={query}")
    assert response.status_code in (status, 400)
    assert "<script>alert" not in response.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/en/articles/%00/",
        "/en/categories/a%00b/",
        "/en/tickets/%00/",
        "/en/answers/%00/",
        "/en/articles/" + "x" * 5000 + "/",
        "/xx/",
        "/en/%ff/",
        "/..%2f..%2fetc/passwd",
    ],
)
def test_addresses_that_lead_nowhere_are_404_in_the_readers_language(client, path):
    response = client.get(path, headers={"accept-language": "en"})
    assert response.status_code == 404
    assert "This page does not exist" in text_of(response.content)


@pytest.mark.parametrize("query", ["q=%00", "question=%00", "question=x", "p=%00", "page=-1"])
@pytest.mark.parametrize("path", ["/en/", "/en/ask/", "/de/contact/"])
def test_odd_query_strings_do_no_harm(client, path, query):
    assert client.get(f"{path}?{query}").status_code == 200


def test_a_form_without_its_token_gets_a_page_that_says_what_to_do(client):
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post("/de/ask/", {"text": "Hallo?"})
    assert response.status_code == 403
    assert '<html lang="de">' in response.content.decode()


def test_a_body_that_is_no_form_is_a_page_not_an_error(client):
    response = client.post("/en/ask/", b"\xff\xfe", content_type="multipart/form-data; boundary=")
    assert response.status_code == 400
    assert "could not be read" in text_of(response.content)


def test_what_fails_inside_is_a_page_in_both_languages(client, monkeypatch):
    from knowledge import catalogue

    def broken(**_options):
        raise RuntimeError("the disk is full of secrets")

    monkeypatch.setattr(catalogue, "category_entries", broken)
    client.raise_request_exception = False
    response = client.get("/de/")
    assert response.status_code == 500
    html = response.content.decode()
    assert "Da ist etwas schiefgegangen" in html
    assert "Something went wrong" in html
    assert "secrets" not in html
