"""Signed-in customers see the articles made for them, and can leave again."""

import pytest

from knowledge.models import Audience

pytestmark = pytest.mark.django_db


def test_customer_signs_in_and_reads_what_is_for_customers(client, customer, make_article):
    article = make_article("Approval codes", "For customers.", audience=Audience.SIGNED_IN, synced=False)
    assert client.get(article.get_absolute_url()).status_code == 404
    response = client.post("/en/login/", {"username": "customer", "password": "a good passphrase"})
    assert response.status_code == 302
    assert response.headers["Location"] == "/en/"
    assert client.get(article.get_absolute_url()).status_code == 200
    client.post("/en/logout/")
    assert client.get(article.get_absolute_url()).status_code == 404


def test_wrong_password_is_told_in_the_readers_language_and_keeps_the_name(client, customer):
    response = client.post("/de/login/", {"username": "customer", "password": "wrong"})
    assert response.status_code == 200
    assert 'value="customer"' in response.content.decode()
    assert "Passwort" in response.content.decode()
