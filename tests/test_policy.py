"""What the browser is told it may do with a page: run what carries its nonce, load what is ours, frame nothing."""

import re

import pytest
from django.test import Client

PUBLIC = ["/de/", "/en/", "/de/ask/", "/en/contact/", "/de/search/?q=x", "/en/nothing/", "/de/login/"]


def policy(response) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";")]
    return {name: value for name, _space, value in parts}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_runs_its_own_scripts_by_nonce_alone(client: Client, path):
    response = client.get(path)
    told = policy(response)
    nonces = set(re.findall(r'<script[^>]* nonce="([^"]+)"', response.content.decode()))
    assert len(nonces) == 1
    assert told["script-src"] == f"'nonce-{nonces.pop()}'"
    assert len(re.findall(r"<script", response.content.decode())) == len(
        re.findall(r"<script[^>]* nonce=", response.content.decode())
    )
    assert told["default-src"] == told["base-uri"] == told["frame-ancestors"] == "'none'"
    assert told["style-src"] == told["img-src"] == told["connect-src"] == told["form-action"] == "'self'"
    assert response["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_no_two_answers_share_a_nonce(client: Client):
    assert policy(client.get("/en/"))["script-src"] != policy(client.get("/en/"))["script-src"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/robots.txt", "/api/v1/articles/", "/sitemap.xml"])
def test_what_is_no_page_runs_nothing(client: Client, path):
    assert "nonce" not in client.get(path)["Content-Security-Policy"]


def test_the_administration_and_the_api_documentation_have_a_policy_of_their_own(client, staff):
    client.force_login(staff)
    for path in ("/admin/", "/api/v1/docs/"):
        told = policy(client.get(path))
        assert "unsafe-inline" not in told["script-src"]
        assert told["frame-ancestors"] == "'none'"
    html = client.get("/api/v1/docs/").content.decode()
    assert re.search(r'<script nonce="[^"]+">', html)
